"""Start the runner: `python -m runsurge_dask.runner CONTROL_FD MODULE,MODULE,...`."""

import sys

from runsurge_dask.runner.server import serve

if __name__ == "__main__":
    serve(int(sys.argv[1]), [name for name in sys.argv[2].split(",") if name])
