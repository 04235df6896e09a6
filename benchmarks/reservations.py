"""How well do reservations hold? What was set aside for each task, over what it came to hold.

    python -m benchmarks.contract --reports reports                       keeps RunSurge's report of each run
    python -m benchmarks.reservations reports --plot reservations.png     gathers them, says the figures, draws them
    python -m benchmarks.reservations --programs 40 --plot r.png          runs programs that are made for it first

A task is one chunk in its own process; both numbers are net of what the process held before it had any data. The claim, over
at least 1,000 tasks: one in a thousand holds more than was set aside for it, and of those that hold 16 MiB or more the
reservation is 1.5 times what they hold in the median, and 2.5 times at the 95th percentile. A task that was killed for what it
held counts as one that held more.

The programs that are made differ in what their rows are, in what is done with them, and in how the rows change along the file.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import statistics
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MIB = 2**20
LEAST_PEAK_BYTES = 16 * MIB
"""Smaller tasks may be held for larger: what an interpreter takes for itself is as much."""
LEAST_TASKS = 1000
MOST_EXCEEDED, MOST_MEDIAN, MOST_P95 = 0.001, 1.5, 2.5
LIMITS = (240, 320, 384)
"""MiB for the programs that are made."""
INPUT_BYTES = (20_000_000, 40_000_000)
WORKERS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One task of some run."""

    run: str
    reserved_bytes: int
    peak_bytes: int
    is_outgrown: bool = False

    @property
    def is_exceeded(self) -> bool:
        """Whether it held more than was set aside for it."""
        return self.is_outgrown or self.peak_bytes > self.reserved_bytes

    @property
    def ratio(self) -> float:
        """What was set aside over what it held."""
        return self.reserved_bytes / self.peak_bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What is claimed of many tasks."""

    tasks: int
    exceeded: int
    large: int
    """Those that the ratios are of."""
    median: float
    p95: float

    @property
    def is_well(self) -> bool:
        """Whether all of it holds."""
        holds = self.exceeded <= MOST_EXCEEDED * self.tasks and self.median <= MOST_MEDIAN and self.p95 <= MOST_P95
        return self.tasks >= LEAST_TASKS and self.large > 0 and holds

    def __str__(self) -> str:
        share = self.exceeded / self.tasks if self.tasks else 0.0
        return (
            f"{self.tasks} tasks, of which {self.exceeded} ({share:.2%}) held more than their reservation; {self.large} held 16 MiB "
            f"or more: reservation over peak {self.median:.2f} in the median, {self.p95:.2f} at the 95th percentile"
        )


def tasks_of(report: Path) -> list[Task]:
    """The tasks of one run for which something was set aside."""
    stages = json.loads(report.read_text(encoding="utf-8"))["stages"]
    return [
        Task(run=report.stem, reserved_bytes=each["reserved_bytes"], peak_bytes=each["peak_bytes"], is_outgrown=each["is_outgrown"])
        for stage in stages
        for each in stage["tasks"]
        if each["reserved_bytes"]
    ]


def figures_of(tasks: Sequence[Task]) -> Figures:
    """What is claimed, as it is."""
    ratios = sorted(task.ratio for task in tasks if task.peak_bytes >= LEAST_PEAK_BYTES)
    return Figures(
        tasks=len(tasks), exceeded=sum(task.is_exceeded for task in tasks), large=len(ratios),
        median=statistics.median(ratios) if ratios else 0.0, p95=ratios[min(len(ratios) - 1, int(0.95 * len(ratios)))] if ratios else 0.0,
    )  # fmt: skip


def plot(tasks: Sequence[Task], figures: Figures, target: Path) -> None:
    """Draw what was set aside over what was held, with the lines of the claim."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 6))
    highest = max(max(task.peak_bytes, task.reserved_bytes) for task in tasks) / MIB * 1.05
    for ratio, style in ((1.0, "-"), (MOST_MEDIAN, "--"), (MOST_P95, ":")):
        axes.plot([0, highest / ratio], [0, highest], style, color="grey", linewidth=1, label=f"{ratio:g} to 1")
    axes.axvline(LEAST_PEAK_BYTES / MIB, color="lightgrey", linewidth=1, label="16 MiB: ratios are of tasks beyond")
    for is_exceeded, colour, words in ((False, "tab:blue", "held"), (True, "tab:red", "exceeded, or killed for what it held")):
        chosen = [task for task in tasks if task.is_exceeded == is_exceeded]
        if chosen:
            x, y = ([value / MIB for value in values] for values in zip(*((t.peak_bytes, t.reserved_bytes) for t in chosen), strict=True))
            axes.scatter(x, y, s=6, alpha=0.4, color=colour, edgecolors="none", label=f"{words} ({len(chosen)})")
    axes.set(xlim=(0, highest), ylim=(0, highest), xlabel="measured peak of the task, net (MiB)", ylabel="reserved for it (MiB)")
    axes.set_title(f"{figures.tasks} tasks; reservation / peak {figures.median:.2f} median, {figures.p95:.2f} p95", fontsize=10)
    axes.legend(loc="lower right", fontsize=8)
    figure.tight_layout()
    figure.savefig(target, dpi=130)


# Programs that are made.


ROWS: dict[str, tuple[str, Callable[[random.Random, int], str]]] = {
    "split": ("line.split()", lambda draw, width: " ".join(str(draw.randrange(10**6)) for _ in range(width))),
    "floats": ("[float(cell) for cell in line.split(',')]", lambda draw, width: ",".join(f"{draw.gauss(0, 9):.3f}" for _ in range(width))),
    "named": ("dict(zip('abcdefghijklmnop', line.split(';')))", lambda draw, width: ";".join(str(draw.random()) for _ in range(width))),
    "tuples": ("(line[:4], len(line), line.count('a'))", lambda draw, width: "".join(draw.choices("abcdefgh ", k=6 * width))),
    "texts": ("line.strip().upper()", lambda draw, width: "".join(draw.choices("abcdefgh ", k=4 * width))),
}
"""How a row is made of its line, and how such a line is drawn."""
USES = {
    "count": "longest = 0\nfor row in rows:\n    longest = max(longest, len(row))\nprint(len(rows), longest)\n",
    "write": 'with open("out.txt", "w") as out:\n    for row in rows:\n        out.write(str(row) + "\\n")\nprint(len(rows))\n',
    "group": "table = {}\nfor row in rows:\n    key = len(str(row)) % 50\n    table[key] = table.get(key, 0) + 1\nprint(len(table))\n",
    "filter": "some = [row for row in rows if len(str(row)) % 3]\nprint(len(some), sum(len(row) for row in some))\n",
}
SHAPES: dict[str, Callable[[float], int]] = {
    "even": lambda _: 8,
    "growing": lambda done: 6 + int(4 * done),
    "waves": lambda done: 6 + int(6 * done * 20) % 7,
}
"""Cells of a row, by the part of the file that comes before it."""
READING = "import sys\nrows = []\nwith open(sys.argv[1]) as source:\n    for line in source:\n        rows.append({row})\n"


def made_program(number: int) -> tuple[str, str, Callable[[Path], None], int]:
    """Name, script, what writes its input, and the limit in MiB; each number gives another one, always the same."""
    kinds = list(itertools.product(ROWS, USES, SHAPES))
    draw = random.Random(number)
    row, use, shape = kinds[(number * 7) % len(kinds)]
    script = READING.format(row=ROWS[row][0]) + USES[use]
    size = draw.randrange(*INPUT_BYTES)

    def write(target: Path) -> None:
        lines = [f"{ROWS[row][1](draw, width)}\n" for width in range(20) for _ in range(200)]
        written = 0
        with target.open("w", encoding="ascii") as file:
            while written < size:
                start = 200 * SHAPES[shape](written / size)
                written += file.write("".join(draw.choices(lines[start : start + 200], k=200)))

    return f"{number}-{row}-{use}-{shape}", script, write, LIMITS[number % len(LIMITS)]


def run_made(number: int, reports: Path) -> None:
    """Run one of them, and keep its report."""
    name, script, write, limit = made_program(number)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "script.py").write_text(script, encoding="ascii")
        write(Path(folder) / "input")
        report = str(reports.resolve() / f"{name}-{limit}MiB.json")
        options = ["--workers", str(WORKERS), "--memory", f"{limit}MiB", "--json", report]
        command = [sys.executable, "-m", "runsurge_dask", "run", *options, "script.py", "--", "input"]
        done = subprocess.run(command, cwd=folder, check=False, capture_output=True, text=True)
        if done.returncode:
            print(f"{name} ended with status {done.returncode}: {done.stderr[-200:]}", file=sys.stderr)


def main(arguments: Sequence[str] | None = None) -> int:
    """Gather, say and draw; the exit status says whether the claim holds."""
    parser = argparse.ArgumentParser(description="Compare what was reserved for tasks with what they held.")
    parser.add_argument("folders", nargs="*", type=Path, metavar="FOLDER", help="with reports of runs; says what is in them")
    parser.add_argument("--programs", type=int, default=0, metavar="N", help="run so many programs that are made for it first")
    parser.add_argument("--first", type=int, default=0, metavar="N", help="the number of the first of them")
    parser.add_argument("--reports", type=Path, metavar="FOLDER", help="keep their reports there")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw a PNG")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        made = options.reports or Path(scratch)
        made.mkdir(parents=True, exist_ok=True)
        for number in range(options.first, options.first + options.programs):
            run_made(number, made)
        folders = [*options.folders, *([made] if options.programs else [])]
        tasks = [task for folder in folders for report in sorted(folder.glob("*.json")) for task in tasks_of(report)]
    figures = figures_of(tasks)
    print(figures)
    for task in sorted((task for task in tasks if task.is_exceeded), key=lambda task: task.ratio if task.peak_bytes else 0)[:10]:
        print(f"  exceeded in {task.run}: {task.peak_bytes / MIB:.1f} of {task.reserved_bytes / MIB:.1f} MiB")
    if options.plot and tasks:
        plot(tasks, figures, options.plot)
    return 0 if figures.is_well else 1


if __name__ == "__main__":
    sys.exit(main())
