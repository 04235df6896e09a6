"""`python -m runsurge_dask run script.py`: the command line without its console script."""

from __future__ import annotations

import os
import sys

if __name__ == "__main__":
    if not sys.flags.safe_path and sys.path and sys.path[0] == os.getcwd():
        del sys.path[0]  # `-m` puts the current folder first: a `queue.py` of the user's would become ours

    from runsurge_dask.start import main

    main()
