"""Measure what README claims, each against a peer in the same run, and print the table for benchmarks/README.md.

    .venv/bin/python benchmarks/run.py            all rows
    .venv/bin/python benchmarks/run.py sobel      one

A row runs the same script plainly and through RunSurge on 2 workers, alternating, and takes the best of each (machines are
noisy; the best is what the machine can do). Answers are compared byte for byte while at it.
"""

from __future__ import annotations

import datetime as dt
import importlib.metadata
import os
import platform
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
TURNS = 2
WORKERS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One claim: an example at a size."""

    script: str
    data: str
    scale: float = 1
    """Of `make_data.py`; for images, their number."""
    arguments: tuple[str, ...] = ()


ROWS = (
    Row(script="sobel", data="fashion.csv", scale=6000),
    Row(script="smooth", data="fashion.csv", scale=6000),
    Row(script="wordcount", data="text.txt", scale=150),
    Row(script="ratings", data="ratings.csv", scale=150),
    Row(script="weather", data="weather.csv", scale=400),
    Row(script="kmeans", data="points.csv", scale=40),
    Row(script="zscore", data="measurements.csv", scale=60),
    Row(script="threshold", data="sensors.csv", scale=150),
    Row(script="correlation", data="measurements.csv", scale=60),
    Row(script="constant_columns", data="survey.csv", scale=60),
    Row(script="column_sums", data="sales.csv", scale=60),
    Row(script="topk", data="access.log", scale=100),
    Row(script="satellite", data="tiles", scale=20),
    Row(script="flights", data="flights.csv", scale=1),
    Row(script="pi", data="", arguments=("2000", "20000")),
)


def main(names: list[str]) -> int:
    """Run the rows asked for and print the table."""
    print(f"{dt.datetime.now(tz=dt.UTC):%Y-%m-%d}, {os.cpu_count()} cores, Python {platform.python_version()}, ", end="")
    print(", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("distributed", "pandas")))
    print("\n| example | input | plain s | planned s | speed-up | same bytes |\n|---|---|---|---|---|---|")
    is_well = True
    with tempfile.TemporaryDirectory() as folder:
        for row in ROWS:
            if not names or row.script in names:
                is_well &= measure(row, Path(folder))
        print(f"\nstart-up on `print(1)`: {start_up(Path(folder))}")
    return 0 if is_well else 1


def measure(row: Row, folder: Path) -> bool:
    """One row of the table; whether the answers were equal."""
    data = make_data(row, folder)
    script = [str(EXAMPLES / f"{row.script}.py"), *([str(data)] if data else []), *row.arguments]
    best = {"plain": float("inf"), "planned": float("inf")}
    outputs: dict[str, dict[str, bytes]] = {}
    for _ in range(TURNS):
        for way, command in (("plain", [sys.executable, *script]), ("planned", planned(script))):
            seconds, outputs[way] = run(command)
            best[way] = min(best[way], seconds)
    is_equal = outputs["plain"] == outputs["planned"]
    size = f"{size_of(data) / 1e6:.0f} MB" if data else "-"
    speedup, verdict = best["plain"] / best["planned"], "yes" if is_equal else "NO"
    print(f"| {row.script} | {size} | {best['plain']:.1f} | {best['planned']:.1f} | {speedup:.2f} | {verdict} |", flush=True)
    return is_equal


def planned(script: list[str]) -> list[str]:
    """The command that runs a script through RunSurge."""
    return [sys.executable, "-m", "runsurge_dask", "run", "--workers", str(WORKERS), *script]


def make_data(row: Row, folder: Path) -> Path | None:
    """The row's input, made once."""
    if not row.data:
        return None
    target = folder / row.script
    if row.data == "fashion.csv":
        command = [str(EXAMPLES / "fashion_mnist.py"), str(target), "--count", str(int(row.scale))]
    else:
        command = [str(EXAMPLES / "make_data.py"), str(target), "--rows-scale", str(row.scale), "--only", row.data]
    subprocess.run([sys.executable, *command], check=True, capture_output=True)
    return target / row.data


def size_of(data: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    return sum(path.stat().st_size for path in ([data] if data.is_file() else data.iterdir()))


def run(command: list[str]) -> tuple[float, dict[str, bytes]]:
    """Seconds on the clock, and everything the command left: its text and its files."""
    with tempfile.TemporaryDirectory() as folder:
        begun = time.perf_counter()
        done = subprocess.run(command, cwd=folder, check=True, capture_output=True)
        seconds = time.perf_counter() - begun
        files = {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())}
    return seconds, {**files, "stdout": done.stdout}


def start_up(folder: Path) -> str:
    """What running a trivial script costs beyond plain Python."""
    script = folder / "one.py"
    script.write_text("print(1)\n")
    plain = min(run([sys.executable, str(script)])[0] for _ in range(5))
    ours = min(run(planned([str(script)]))[0] for _ in range(5))
    return f"plain {plain:.2f} s, planned {ours:.2f} s: {ours - plain:.2f} s more"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
