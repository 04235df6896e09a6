"""The main job on real data: Sobel edges over 20,000 images, plainly and through RunSurge, and the two answers compared.

`make demo` runs this. It takes the images from the Debian package `dataset-fashion-mnist` where that can be downloaded (no
root is needed), else from the small slice in this repository, and says which.
"""

from __future__ import annotations

import filecmp
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
DATA = HERE.parent / "data"
IMAGES = 20_000
WORKERS = 2


def main() -> int:
    """Prepare, run both ways, compare; the exit status says whether the answers are equal."""
    rows = DATA / "fashion.csv"
    subprocess.run([sys.executable, str(HERE / "fashion_mnist.py"), str(DATA), "--count", str(IMAGES)], check=True)
    with tempfile.TemporaryDirectory() as folder:
        plain, planned = Path(folder, "plain"), Path(folder, "planned")
        plain.mkdir()
        planned.mkdir()
        script = [str(HERE / "sobel.py"), str(rows)]
        print(f"\n$ runsurge run sobel.py --workers {WORKERS}", flush=True)
        planned_seconds = timed(
            [sys.executable, "-m", "runsurge_dask", "run", "--workers", str(WORKERS), "--report", "-", *script], planned
        )
        print("\n$ python sobel.py", flush=True)
        plain_seconds = timed([sys.executable, *script], plain)
        is_equal = filecmp.cmp(plain / "edges.csv", planned / "edges.csv", shallow=False)
    verdict = "equals the sequential run's, byte for byte" if is_equal else "DIFFERS from the sequential run's"
    print(f"\nedges.csv of the planned run {verdict}.")
    print(
        f"sequential {plain_seconds:.1f} s, planned on {WORKERS} workers {planned_seconds:.1f} s: {plain_seconds / planned_seconds:.2f} x"
    )
    return 0 if is_equal else 1


def timed(command: list[str], folder: Path) -> float:
    """Run a command in a folder; its seconds on the clock."""
    begun = time.perf_counter()
    subprocess.run(command, cwd=folder, check=True)
    return time.perf_counter() - begun


if __name__ == "__main__":
    sys.exit(main())
