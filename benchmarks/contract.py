"""Does `--memory` hold? Scripts whose plain run holds 4 and 10 times the limit, run plainly and within it, and compared.

    python -m benchmarks.contract --quick                            three examples at 4x (so does tests/memory)
    python -m benchmarks.contract --log tests/soak.log               all of them, at 4x and 10x (so does `make soak`)
    python -m benchmarks.contract word_counts price_list --factor 4 --limit 1GiB
    python -m benchmarks.contract --no-memory --limit 60MiB ...      tries the harness small; what RunSurge holds by itself

For each example, limit and factor the size of the input is found by measuring: two small plain runs (of 4 MB, and at a sixth of
what is asked) give a line (bytes held over bytes of input), the line gives a size, and a plain run at this size must hold at least
factor x limit, or the size is mended and the run repeated. Then RunSurge runs on the same input. Every file and the text on
standard output must be the same, byte for byte; where numbers may differ by 1e-9 (sums of floats by key), the row says so.
"""

from __future__ import annotations

import argparse
import compileall
import contextlib
import dataclasses
import datetime as dt
import importlib
import importlib.metadata
import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.resident import Measured, measure, parse_bytes
from benchmarks.sameness import compare_folders

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

EXAMPLES = Path(__file__).resolve().parent.parent / "examples" / "memory"
MIB = 2**20
PURE_BYTES, PANDAS_BYTES, LARGE_BYTES = 384 * MIB, 512 * MIB, 1024 * MIB
FACTORS = (4, 10)
WORKERS = 2
AIM = 1.03
"""The size aims so far above factor x limit: a little too low would need a second long run, a little too high costs nothing."""
HIGHEST = 1.25
"""A plain run that holds more than so many times what was asked would make the claim too easy to doubt: the size is mended."""
FLAT = 1.2
"""Our peak at 10x may be so many times the peak at 4x."""
LONG_PAUSE_SECONDS = 0.1
"""A row says so if sampling ever stopped for longer: a busy machine, and a peak may have been missed."""
MOST_TURNS = 4
FIRST_BYTES = 4_000_000
"""The first input that is tried plainly; together with an empty interpreter it gives a first, rough line."""
BASE_BYTES = {PURE_BYTES: 10 * MIB, PANDAS_BYTES: 95 * MIB}
"""What a script holds before its data, roughly, by its limit: only the second input, and never the last, is sized by it."""
SECOND_SHARE = 6
"""The second input should hold one part in so many of what is asked: near enough for a good line, and soon done."""
SMALLEST_INPUT_BYTES = 100_000
REPORT_OPTION = "--report"
"""Of `runsurge run`: what it says of its stages and tasks, as JSON."""
TIMEOUT_FACTOR = 10
"""A run of ours that takes so many times as long as the plain one has failed, and is ended."""
TIMEOUT_LEAST_SECONDS = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A script with the limit it is measured at."""

    name: str
    limit_bytes: int
    is_quick: bool = False
    is_large: bool = False
    """Measured at 1 GiB, too."""

    @property
    def script(self) -> Path:
        """The file."""
        return EXAMPLES / f"{self.name}.py"


EXAMPLES_MEASURED = (
    Example(name="edges", limit_bytes=PURE_BYTES),
    Example(name="zscores", limit_bytes=PURE_BYTES),
    Example(name="rating_counts", limit_bytes=PURE_BYTES, is_quick=True),
    Example(name="slowest_requests", limit_bytes=PURE_BYTES),
    Example(name="word_counts", limit_bytes=PURE_BYTES, is_large=True),
    Example(name="events_to_csv", limit_bytes=PURE_BYTES, is_quick=True),
    Example(name="good_readings", limit_bytes=PURE_BYTES, is_large=True),
    Example(name="column_statistics", limit_bytes=PURE_BYTES),
    Example(name="late_orders", limit_bytes=PANDAS_BYTES, is_large=True),
    Example(name="sales_by_region", limit_bytes=PANDAS_BYTES, is_quick=True),
    Example(name="price_list", limit_bytes=PANDAS_BYTES),
    Example(name="stores_joined", limit_bytes=PANDAS_BYTES),
)
NAMES = tuple(each.name for each in EXAMPLES_MEASURED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One row to measure."""

    example: Example
    limit_bytes: int
    factor: float

    @property
    def asked_bytes(self) -> int:
        """What the plain run must hold at least."""
        return round(self.factor * self.limit_bytes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What was measured of one case."""

    name: str
    limit_bytes: int
    factor: float
    input_bytes: int
    plain: Measured
    ours: Measured
    difference: str
    """Empty: the same bytes."""
    is_close: bool
    """The same but for numbers within 1e-9."""

    @property
    def is_well(self) -> bool:
        """Whether the contract held: the same answer, nothing above the limit, nothing left behind."""
        return not self.difference and not self.ours.over_limit_bytes and not self.ours.left_behind


def cases_of(names: Sequence[str], factors: Sequence[float], limit_bytes: int, *, is_quick: bool) -> list[Case]:
    """The cases asked for, in the order of the table; with no limit given, each example's own ones."""
    chosen = [each for each in EXAMPLES_MEASURED if each.name in names or (not names and (each.is_quick or not is_quick))]
    wanted = [
        (each, limit)
        for each in chosen
        for limit in ([limit_bytes] if limit_bytes else [each.limit_bytes, *([LARGE_BYTES] if each.is_large and not is_quick else [])])
    ]
    return [Case(example=each, limit_bytes=limit, factor=factor) for each, limit in wanted for factor in factors]


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A plain run: so many bytes of input, so many held."""

    input_bytes: int
    peak_bytes: int


def size_for(peak_bytes: int, points: Sequence[Point]) -> int:
    """Bytes of input at which a plain run should hold so much: on the line through the two points nearest to it.

    For example, after 10 bytes that held 130 and 20 that held 230, 1,030 bytes are held at an input of 100. Two points that
    held alike give no line: twice the larger input is tried next. Two that lie close give a bad one, since peaks are noisy: it
    rises at least half as steeply as the one through the smallest input and the largest.
    """
    nearest = sorted(points, key=lambda point: abs(point.peak_bytes - peak_bytes))[:2]
    low, high = sorted(nearest, key=lambda point: point.input_bytes)
    first, last = (choose(points, key=lambda point: point.input_bytes) for choose in (min, max))
    overall = (last.peak_bytes - first.peak_bytes) / (last.input_bytes - first.input_bytes)
    slope = max((high.peak_bytes - low.peak_bytes) / (high.input_bytes - low.input_bytes), overall / 2)
    if slope <= 0:
        return 2 * last.input_bytes
    return max(round(high.input_bytes + (peak_bytes - high.peak_bytes) / slope), SMALLEST_INPUT_BYTES)


def second_size(asked_bytes: int, first: Point, *, base_bytes: int) -> int:
    """Bytes of the second input, at least twice the first."""
    held_by_data = max(first.peak_bytes - base_bytes, base_bytes // 4)
    share = asked_bytes / SECOND_SHARE / held_by_data
    return max(round(first.input_bytes * share), 2 * first.input_bytes)


class Workshop:
    """A folder in which examples are run, one after the other: never two at once."""

    def __init__(self, folder: Path, *, uses_memory: bool, reports: Path | None, is_talking: bool = False) -> None:
        self.folder = folder
        self.is_talking = is_talking
        self.begun = time.monotonic()
        self.uses_memory = uses_memory
        self.reports = reports
        self.points: dict[str, list[Point]] = {}

    def measure_case(self, case: Case) -> Row:
        """Find the size, run plainly and within the limit, compare."""
        with self.place("plain") as plain_folder, self.place("ours") as folder:
            plain, input_bytes = self._plain_at_size(case, plain_folder)
            source = self.folder / "input" / "input"
            patience = max(TIMEOUT_LEAST_SECONDS, TIMEOUT_FACTOR * plain.elapsed_seconds)
            ours = self._run(self._command(case, source), folder, limit_bytes=case.limit_bytes, timeout_seconds=patience)
            if ours.exit_status:
                difference, is_close = f"exit status {ours.exit_status}: {last_line(folder / 'stderr')}", False
            else:
                difference, is_close = compare_folders(plain_folder, folder)
        return Row(
            name=case.example.name, limit_bytes=case.limit_bytes, factor=case.factor, input_bytes=input_bytes,
            plain=plain, ours=ours, difference=difference, is_close=is_close,
        )  # fmt: skip

    def _plain_at_size(self, case: Case, folder: Path) -> tuple[Measured, int]:
        """A plain run that holds what was asked, with the size of its input."""
        example = case.example
        points = self.points.setdefault(example.name, [])
        for is_first in (True, False) if len(points) < 2 else ():  # noqa: PLR2004 - a line has two points
            with self.place("probe") as probe:
                size = FIRST_BYTES if is_first else second_size(case.asked_bytes, points[0], base_bytes=BASE_BYTES[example.limit_bytes])
                self._plain(example, size, probe)
        for _ in range(MOST_TURNS):
            empty(folder)
            measured = self._plain(example, size_for(round(AIM * case.asked_bytes), points), folder)
            if case.asked_bytes <= measured.peak_bytes <= HIGHEST * case.asked_bytes:
                return measured, points[-1].input_bytes
        raise RuntimeError(f"{example.name}: no size found at which a plain run holds {case.asked_bytes} bytes: {points}")

    def _tell(self, what: str) -> None:
        if self.is_talking:
            print(f"  {time.monotonic() - self.begun:6.1f} s  {what}", file=sys.stderr, flush=True)

    def _plain(self, example: Example, size_bytes: int, folder: Path) -> Measured:
        source = self.folder / "input" / "input"
        make_input(example.name, source, size_bytes)
        measured = self._run([sys.executable, str(example.script), str(source)], folder)
        if measured.exit_status:
            raise RuntimeError(f"{example.name} itself failed: {last_line(folder / 'stderr')}")
        self._tell(f"{example.name}: {source.stat().st_size / 1e6:.1f} MB held {measured.peak_bytes / MIB:.0f} MiB plainly")
        self.points[example.name].append(Point(input_bytes=source.stat().st_size, peak_bytes=measured.peak_bytes))
        return measured

    def _command(self, case: Case, source: Path) -> list[str]:
        options = ["--workers", str(WORKERS), *(["--memory", as_limit(case.limit_bytes)] if self.uses_memory else [])]
        if self.uses_memory and self.reports:
            self.reports.mkdir(parents=True, exist_ok=True)
            name = f"{case.example.name}-{case.limit_bytes // MIB}MiB-{case.factor:g}x.json"
            options += [REPORT_OPTION, str(self.reports.resolve() / name)]
        return [sys.executable, "-m", "runsurge_dask", "run", *options, str(case.example.script), "--", str(source)]

    def _run(self, command: list[str], folder: Path, *, limit_bytes: int = 0, timeout_seconds: float = 0) -> Measured:
        with open(folder / "stdout", "wb") as out, open(folder / "stderr", "wb") as err:
            return measure(command, cwd=folder, limit_bytes=limit_bytes, timeout_seconds=timeout_seconds, stdout=out, stderr=err)

    @contextlib.contextmanager
    def place(self, name: str) -> Iterator[Path]:
        """An empty folder to run in, removed afterwards: outputs may be as large as inputs."""
        folder = self.folder / name
        folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder)


def as_limit(size_bytes: int) -> str:
    """A size as a user writes it on the command line."""
    return f"{size_bytes // MIB}MiB" if size_bytes % MIB == 0 else str(size_bytes)


def empty(folder: Path) -> None:
    """Remove what an earlier turn left."""
    for path in folder.iterdir():
        path.unlink()


def make_input(name: str, target: Path, size_bytes: int) -> None:
    """Write an example's input, in a process of its own: what it holds is nobody's concern."""
    target.parent.mkdir(exist_ok=True)
    command = [sys.executable, str(EXAMPLES / "make_inputs.py"), name, str(target), "--bytes", str(size_bytes)]
    subprocess.run(command, check=True)


def last_line(path: Path) -> str:
    """The last line of a text that is not blank."""
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "no text")


HEADER = (
    "| example | limit MiB | factor | input MB | plain MiB | RunSurge MiB | plain s | RunSurge s | same answer | within the limit |\n"
    "|---|---|---|---|---|---|---|---|---|---|"
)


def render_row(row: Row) -> str:
    """A line of the table."""
    answer = f"NO: {row.difference}" if row.difference else "yes, to 1e-9" if row.is_close else "yes"
    excess = f"NO: {row.ours.over_limit_bytes / MIB:.1f} MiB more, for {row.ours.over_limit_seconds:.2f} s"
    limit = excess if row.ours.over_limit_bytes else "yes"
    pause = row.ours.longest_pause_seconds
    limit += f"; a pause of {pause:.2f} s between samples" if pause > LONG_PAUSE_SECONDS else ""
    limit += "; LEFT BEHIND: " + ", ".join(row.ours.left_behind)[:100] if row.ours.left_behind else ""
    sizes = f"{row.limit_bytes / MIB:.0f} | {row.factor:g} | {row.input_bytes / 1e6:.1f} | {row.plain.peak_bytes / MIB:.0f}"
    seconds = f"{row.plain.elapsed_seconds:.1f} | {row.ours.elapsed_seconds:.1f}"
    return f"| {row.name} | {sizes} | {row.ours.peak_bytes / MIB:.0f} | {seconds} | {answer} | {limit} |"


def log_line(row: Row, when: str) -> str:
    """A row for the log of soaks."""
    sizes = f"limit_mib={row.limit_bytes // MIB} factor={row.factor:g} input_mb={row.input_bytes / 1e6:.0f}"
    peaks = f"plain_mib={row.plain.peak_bytes // MIB} peak_mib={row.ours.peak_bytes // MIB}"
    seconds = f"plain_seconds={row.plain.elapsed_seconds:.0f} seconds={row.ours.elapsed_seconds:.0f}"
    cpu = f"plain_cpu_seconds={row.plain.cpu_seconds:.0f} cpu_seconds={row.ours.cpu_seconds:.0f}"
    verdict = "held" if row.is_well else f"BROKEN ({row.difference or 'over the limit, or something left behind'})"
    return f"{when} contract {row.name} {sizes} {peaks} {seconds} {cpu} {verdict}"


def render_growth(rows: Sequence[Row]) -> list[tuple[str, bool]]:
    """For each example and limit, how our peak grows from the smallest input to the largest, and whether that is flat."""
    found: dict[tuple[str, int], list[Row]] = {}
    for row in rows:
        found.setdefault((row.name, row.limit_bytes), []).append(row)
    lines = []
    for (name, limit), each in found.items():
        low, high = min(each, key=lambda row: row.factor), max(each, key=lambda row: row.factor)
        if low.factor < high.factor:
            growth = high.ours.peak_bytes / low.ours.peak_bytes
            is_flat = growth <= FLAT
            verdict = "flat" if is_flat else "NOT flat"
            lines.append((f"{name} at {limit / MIB:.0f} MiB: {growth:.2f} from {low.factor:g}x to {high.factor:g}x, {verdict}", is_flat))
    return lines


def say_where() -> str:
    """Date, machine and versions, for the table's first line."""
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("distributed", "pandas", "pyarrow"))
    return f"{dt.datetime.now(tz=dt.UTC):%Y-%m-%d}, {os.cpu_count()} cores, Python {platform.python_version()}, {versions}"


def compile_packages() -> None:
    """Compile our own code, as pip does with what it installs: the peers' is compiled, too."""
    for name in ("runsurge_dask", "runsurge_contracts"):
        for folder in importlib.import_module(name).__path__:
            compileall.compile_dir(folder, quiet=1)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the cases asked for; the exit status says whether the contract held in all of them."""
    parser = argparse.ArgumentParser(description="Measure the memory contract on the examples.")
    parser.add_argument("names", nargs="*", metavar="EXAMPLE", help=f"all, or some of {', '.join(NAMES)}")
    parser.add_argument("--quick", action="store_true", help="three examples at 4x")
    parser.add_argument("--factor", type=float, action="append", help="may be given twice; 4 and 10 by default")
    parser.add_argument("--limit", type=parse_bytes, default=0, help="for all, in place of each example's own")
    parser.add_argument("--no-memory", action="store_true", help="leave out `--memory`")
    parser.add_argument("--json", type=Path, metavar="FILE", help="append a line of JSON a row")
    parser.add_argument("--log", type=Path, metavar="FILE", help="append a line of text a row")
    parser.add_argument("--reports", type=Path, metavar="FOLDER", help="keep RunSurge's own report of each run there")
    parser.add_argument("--verbose", action="store_true", help="say on standard error which sizes are tried")
    parser.add_argument("--folder", type=Path, help="where inputs and outputs lie while they are needed: up to 6 GB")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that what runs is ended, and folders are removed
    if unknown := set(options.names) - set(NAMES):
        parser.error(f"no such example: {', '.join(sorted(unknown))}")
    factors = options.factor or (FACTORS[:1] if options.quick else FACTORS)
    compile_packages()
    print(f"{say_where()}\n\n{HEADER}", flush=True)
    rows: list[Row] = []
    failures = 0
    with tempfile.TemporaryDirectory(dir=options.folder, prefix="contract-") as folder:
        shop = Workshop(Path(folder), uses_memory=not options.no_memory, reports=options.reports, is_talking=options.verbose)
        for case in cases_of(options.names, factors, options.limit, is_quick=options.quick):
            try:
                row = shop.measure_case(case)
            except RuntimeError as error:
                print(f"| {case.example.name} | {case.limit_bytes / MIB:.0f} | {case.factor:g} | NOT MEASURED: {error} |", flush=True)
                failures += 1
                continue
            rows.append(row)
            print(render_row(row), flush=True)
            if options.log:
                with open(options.log, "a", encoding="utf-8") as file:
                    file.write(log_line(row, dt.datetime.now(dt.UTC).isoformat(timespec="seconds")) + "\n")
            if options.json:
                with open(options.json, "a", encoding="utf-8") as file:
                    file.write(json.dumps({**dataclasses.asdict(row), "is_well": row.is_well}) + "\n")
    growth = render_growth(rows)
    print("".join(f"\n{line}" for line, _ in growth))
    return 0 if not failures and all(row.is_well for row in rows) and all(is_flat for _, is_flat in growth) else 1


if __name__ == "__main__":
    sys.exit(main())
