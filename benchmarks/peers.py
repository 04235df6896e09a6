"""RunSurge beside the ceiling and beside its peers, on the same question, in the same run.

    python -m benchmarks.peers                                          the whole table (an hour)
    python -m benchmarks.peers aggregate groups --memory 384MiB         some of its questions
    python -m benchmarks.peers sobel wordcount --seconds 0.5 --seconds 2
    python -m benchmarks.peers rows --csv-bytes 20MB --turns 1          small, to try it

The *ceiling* of two workers: two plain interpreters side by side, each on half of the input, which they find already cut, and
whose answers nobody joins (with `usecols` for pandas, so that unused columns are not what is compared).

Each way of answering a question runs whole, from starting its process to its end, `--turns` times in alternation; the best counts.
Its memory is measured in a run of its own, which also warms the file cache, since sampling costs a little. Answers are compared
with the plain one's.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib.metadata
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.contract import compile_packages, make_input, say_where
from benchmarks.resident import measure, parse_bytes
from benchmarks.sameness import compare_folders

if TYPE_CHECKING:
    from collections.abc import Sequence

HERE = Path(__file__).resolve().parent
MIB = 2**20
WORKERS = 2
SECONDS = (0.5, 2.0, 20.0, 60.0)
PROBE_SECONDS = 1.0
"""The speed of a plain script is taken from an input that keeps it busy about so long; less would be start-up, mostly."""
FIRST_BYTES = 2_000_000
FAILED = "exit status"
PLAIN, CEILING, OURS = "plain", "two interpreters, half each", "RunSurge"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A script as written, and who else answers it."""

    name: str
    script: Path
    input_name: str
    """Of `examples/memory/make_inputs.py`."""
    has_header: bool = True
    half_script: Path | None = None
    """What the two interpreters of the ceiling run, if not the script as written."""
    peers: tuple[tuple[str, Path], ...] = ()
    input_bytes: int = 0
    """0: sized by the seconds that the plain script takes."""


def frame_question(name: str, input_bytes: int) -> Question:
    """A pandas script of `benchmarks/questions` with its peers."""
    folder = HERE / "questions" / name
    engines = (("dask.dataframe, 2 processes", "by_dask"), ("Polars streaming", "by_polars"), ("DuckDB", "by_duckdb"))
    half = folder / "with_usecols.py"
    return Question(
        name=name, script=folder / "as_written.py", input_name="sales_by_region", half_script=half if half.exists() else None,
        peers=tuple((engine, folder / f"{file}.py") for engine, file in engines), input_bytes=input_bytes,
    )  # fmt: skip


QUESTIONS = (
    Question(name="sobel", script=HERE.parent / "examples" / "sobel.py", input_name="edges"),
    Question(name="wordcount", script=HERE.parent / "examples" / "wordcount.py", input_name="word_counts", has_header=False),
    frame_question("aggregate", 700_000_000),
    frame_question("groups", 700_000_000),
    frame_question("rows", 190_000_000),  # writes 300 MB
)
NAMES = tuple(each.name for each in QUESTIONS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One way to answer a question."""

    name: str
    command: tuple[str, ...]
    is_compared: bool = True
    """The ceiling leaves two halves of an answer: nothing to compare."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What one way took."""

    question: str
    way: str
    input_bytes: int
    elapsed_seconds: float
    """0 for a way that failed."""
    peak_bytes: int
    answer: str


def cut_in_two(source: Path, folder: Path, *, has_header: bool) -> tuple[Path, Path]:
    """The halves of a file, cut at the end of a line, each with the header."""
    size = source.stat().st_size
    halves = (folder / "first half", folder / "second half")
    with source.open("rb") as file:
        header = file.readline() if has_header else b""
        begin = file.tell()
        file.seek((begin + size) // 2)
        file.readline()
        for half, (start, end) in zip(halves, ((begin, file.tell()), (file.tell(), size)), strict=True):
            with half.open("wb") as out:
                out.write(header)
                out.flush()
                copy_range(source, out.fileno(), start, end)
    return halves


def copy_range(source: Path, target: int, start: int, end: int) -> None:
    """Append bytes of a file to an open one."""
    with source.open("rb") as file:
        while start < end:
            start += os.sendfile(target, file.fileno(), start, min(end - start, 2**30))


def side_by_side(commands: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """One command that runs others at once, each in a folder of its own, and fails if any of them does."""
    starts = [f"(mkdir {n} && cd {n} && exec {shlex.join(command)}) & p{n}=$!" for n, command in enumerate(commands)]
    waits = " && ".join(f"wait $p{n}" for n in range(len(commands)))
    return ("sh", "-c", "\n".join([*starts, waits]))


def ways_of(question: Question, source: Path, *, memory: str) -> list[Way]:
    """All ways to answer a question, the plain one first."""
    halves = cut_in_two(source, source.parent, has_header=question.has_header)
    half_script = question.half_script or question.script
    options = ["--workers", str(WORKERS), *(["--memory", memory] if memory else [])]
    ours = [sys.executable, "-m", "runsurge_dask", "run", *options, str(question.script), "--", str(source)]
    ceiling = side_by_side([[sys.executable, str(half_script), str(half)] for half in halves])
    peers = [Way(name=name, command=(sys.executable, str(script), str(source))) for name, script in question.peers]
    return [
        Way(name=PLAIN, command=(sys.executable, str(question.script), str(source))),
        Way(name=CEILING, command=ceiling, is_compared=False),
        Way(name=OURS + (f" --memory {memory}" if memory else ""), command=tuple(ours)),
        *peers,
    ]


def answer_question(question: Question, source: Path, folder: Path, *, turns: int, memory: str) -> list[Row]:
    """Run all ways, first for their memory and answers, then those that did not fail for their seconds.

    Raises:
        RuntimeError: the plain script or the ceiling failed, so that there is nothing to compare with.
    """
    ways = ways_of(question, source, memory=memory)
    found = {way.name: watch_way(way, folder) for way in ways}
    working = [way for way in ways if not found[way.name][1].startswith(FAILED)]
    if [way.name for way in working[:2]] != [PLAIN, CEILING]:
        raise RuntimeError(f"{question.name}: {found[PLAIN][1]} plainly, {found[CEILING][1]} by halves")
    seconds: dict[str, float] = {}
    for _ in range(turns):
        for way in working:
            taken = seconds_of(way, fresh(folder / "turn"), environment(folder))
            seconds[way.name] = min(seconds.get(way.name, taken), taken)
    size = source.stat().st_size
    return [
        Row(question=question.name, way=name, input_bytes=size, elapsed_seconds=seconds.get(name, 0), peak_bytes=peak, answer=answer)
        for name, (peak, answer) in found.items()
    ]


def watch_way(way: Way, folder: Path) -> tuple[int, str]:
    """The peak of one way in bytes, and how its answer compares; the plain one's outputs stay, for the others to be compared with."""
    place = fresh(folder / way.name)
    with open(place / "stdout", "wb") as out:
        measured = measure(way.command, cwd=place, stdout=out, stderr=subprocess.DEVNULL, env=environment(folder))
    answer = f"{FAILED} {measured.exit_status}" if measured.exit_status else judge(way, folder / PLAIN, place)
    if way.name != PLAIN:
        shutil.rmtree(place)
    return measured.peak_bytes, answer


def judge(way: Way, plain: Path, folder: Path) -> str:
    """Whether a way's answer is the plain one's, in a word."""
    if not way.is_compared or plain == folder:
        return "-"
    difference, is_close = compare_folders(plain, folder)
    return f"NO: {difference}" if difference else "to 1e-9" if is_close else "same bytes"


def seconds_of(way: Way, folder: Path, environ: dict[str, str]) -> float:
    """Seconds on the clock of one run, unwatched."""
    begun = time.perf_counter()
    subprocess.run(way.command, cwd=folder, env=environ, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - begun


def environment(folder: Path) -> dict[str, str]:
    """Dask's scratch files beside the outputs, not among them."""
    return {**os.environ, "DASK_TEMPORARY_DIRECTORY": str(folder / "scratch")}


def fresh(folder: Path) -> Path:
    """An empty folder."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def size_of_seconds(question: Question, seconds: float, folder: Path) -> int:
    """Bytes of input on which the plain script takes so long, start-up included."""
    source = folder / "probe" / "input"
    start_up = min(plain_seconds(question, source, 1, folder) for _ in range(3))
    size, taken = FIRST_BYTES, 0.0
    while taken < min(PROBE_SECONDS, seconds) - start_up:
        size = size * 2 if taken else FIRST_BYTES
        taken = plain_seconds(question, source, size, folder) - start_up
    return max(round(size * (seconds - start_up) / taken), 10_000) if taken > 0 else size


def plain_seconds(question: Question, source: Path, size_bytes: int, folder: Path) -> float:
    """Seconds of a plain run on an input of this size."""
    make_input(question.input_name, source, size_bytes)
    way = Way(name=PLAIN, command=(sys.executable, str(question.script), str(source)))
    return seconds_of(way, fresh(folder / "turn"), dict(os.environ))


HEADER = (
    "| question | input MB | way | s | times plain's speed | of the ceiling's speed | MiB | answer |\n"
    "|---|---|---|---|---|---|---|---|"
)


def render_rows(rows: Sequence[Row]) -> str:
    """The lines of one question."""
    seconds = {row.way: row.elapsed_seconds for row in rows}
    lines = []
    for row in rows:
        own = row.elapsed_seconds
        speed = f"{seconds[PLAIN] / own:.2f} | {100 * seconds[CEILING] / own:.0f} %" if own else "- | -"
        what = f"{row.question} | {row.input_bytes / 1e6:.1f} | {row.way}"
        lines.append(f"| {what} | {own:.2f} | {speed} | {row.peak_bytes / MIB:.0f} | {row.answer} |")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Answer the questions asked for; the exit status says whether RunSurge's answers were the plain ones."""
    parser = argparse.ArgumentParser(description="Measure RunSurge beside the ceiling and its peers.")
    parser.add_argument("names", nargs="*", metavar="QUESTION", help=f"all, or some of {', '.join(NAMES)}")
    parser.add_argument("--seconds", type=float, action="append", help="of plain time, for pure Python; may be given more than once")
    parser.add_argument("--csv-bytes", type=parse_bytes, default=0, help="of the input of the pandas scripts")
    parser.add_argument("--memory", default="", metavar="SIZE", help="RunSurge's limit; without it the option is left out")
    parser.add_argument("--turns", type=int, default=2)
    parser.add_argument("--json", type=Path, metavar="FILE", help="append a line of JSON a row")
    parser.add_argument("--folder", type=Path, help="where inputs and outputs lie while they are needed: up to 3 GB")
    options = parser.parse_args(arguments)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that what runs is ended, and folders are removed
    if unknown := set(options.names) - set(NAMES):
        parser.error(f"no such question: {', '.join(sorted(unknown))}")
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in ("dask", "polars", "duckdb"))
    compile_packages()
    print(f"{say_where()}, {versions}\n\n{HEADER}", flush=True)
    is_well = True
    for question in QUESTIONS:
        sizes = [options.csv_bytes or question.input_bytes] if question.input_bytes else [0 for _ in options.seconds or SECONDS]
        for number, size in enumerate(sizes if question.name in (options.names or NAMES) else []):
            with tempfile.TemporaryDirectory(dir=options.folder, prefix="peers-") as name:
                folder = Path(name)
                source = folder / "data" / "input"
                seconds = (options.seconds or SECONDS)[number]
                make_input(question.input_name, source, size or size_of_seconds(question, seconds, folder))
                rows = answer_question(question, source, folder, turns=options.turns, memory=options.memory)
            print(render_rows(rows), flush=True)
            is_well &= all(row.answer in {"same bytes", "to 1e-9"} for row in rows if row.way.startswith(OURS))
            if options.json:
                with options.json.open("a", encoding="utf-8") as file:
                    file.writelines(json.dumps(dataclasses.asdict(row)) + "\n" for row in rows)
    return 0 if is_well else 1


if __name__ == "__main__":
    sys.exit(main())
