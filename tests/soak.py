"""Many random programs, for hours if need be.

    python -m tests.soak --programs 10000 --seed 3
    python -m tests.soak --strained --programs 1000       where memory is short: these, and all cases, in several ways each

Each program follows from the seed and its number; what is wrong is made small and written beside the log.
"""

from __future__ import annotations

import argparse
import datetime as dt
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.differential.cases import load_case
from tests.differential.compare import Bench
from tests.differential.programs import seeded_program
from tests.differential.strain import MARGINS_MIB, Strain, played
from tests.differential.strained import try_case
from tests.differential.trials import Trials, render_failure

if TYPE_CHECKING:
    from tests.differential.trials import Trial

LOG = Path(__file__).parent / "soak.log"
REPORT_EVERY = 200
CASES = sorted((Path(__file__).parent / "cases").glob("*/*.txt"))
REPEATS = 10
"""A wrong program is run so many times more: what is wrong now and then is a race, and wrong all the same."""


@dataclass(slots=True)
class Tally:
    """What a soak has seen so far."""

    programs: int = 0
    split: int = 0
    raised: int = 0
    chunks: int = 0
    wrong: int = 0
    killed: int = 0
    """Chunks that were killed for what they held, or as though for that."""
    stopped: int = 0
    """Runs that ended with the words of the memory limit."""

    def __str__(self) -> str:
        return (
            f"programs={self.programs} split={self.split} raised={self.raised} accepted_chunks={self.chunks} killed_chunks={self.killed} "
            f"stopped={self.stopped} wrong={self.wrong}"
        )

    def count(self, trial: Trial) -> None:
        """One more run."""
        self.programs += 1
        self.split += trial.is_split
        self.raised += trial.status != 0
        self.chunks += sum(stage.accepted for stage in trial.stages)
        self.killed += sum(task.is_outgrown for stage in trial.stages for task in stage.tasks)
        self.stopped += trial.is_stopped
        self.wrong += bool(trial.differences)


def main() -> int:
    """Run the soak; the exit status says whether anything was wrong."""
    parser = argparse.ArgumentParser(description="Run random programs plainly and planned, and compare.")
    parser.add_argument("--programs", type=int, default=10_000)
    parser.add_argument("--seed", default="0")
    parser.add_argument("--first", type=int, default=0, help="the number of the first program")
    parser.add_argument("--strained", action="store_true", help="where memory is short")
    parser.add_argument("--first-case", type=int, default=0)
    parser.add_argument("--cases", type=int, default=len(CASES), help="how many cases, with --strained")
    options = parser.parse_args()
    begun = time.monotonic()
    findings = Path(tempfile.mkdtemp(prefix="runsurge-soak-"))
    numbers = range(options.first, options.first + options.programs)
    if options.strained:
        tally = Tally()
        strain_cases(CASES[options.first_case : options.first_case + options.cases], tally)
        strain_programs(options.seed, numbers, findings, tally)
    else:
        tally = soak(options.seed, numbers, findings)
    date = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    what = f"strained cases={options.first_case}+{options.cases} " if options.strained else ""
    line = f"{date} {what}seed={options.seed} first={options.first} {tally} seconds={time.monotonic() - begun:.0f}"
    with LOG.open("a", encoding="utf-8") as log:
        log.write(line + "\n")
    print(line)  # noqa: T201 - a command talks
    if tally.wrong:
        print(f"wrong programs are in {findings}")  # noqa: T201
    return 1 if tally.wrong else 0


def soak(seed: str, numbers: range, findings: Path) -> Tally:
    """Try these programs."""
    tally = Tally()
    with tempfile.TemporaryDirectory() as scratch, Trials(Path(scratch)) as trials:
        for number in numbers:
            program = seeded_program(f"{seed}/{number}")
            trial = trials.run(program)
            tally.count(trial)
            if trial.differences:
                path = findings / f"{seed}-{number}.txt"
                path.write_text(render_failure(program, trial), encoding="utf-8")
                print(f"WRONG {seed}/{number}: {trial.differences[0]}; {path}", flush=True)  # noqa: T201
                again = sum(bool(trials.run(program).differences) for _ in range(REPEATS))
                print(f"wrong in {again} of {REPEATS} more runs", flush=True)  # noqa: T201
                smaller = trials.shrink(program, trial)
                if (outcome := trials.run(smaller)).differences:
                    path.with_suffix(".small").write_text(render_failure(smaller, outcome), encoding="utf-8")
            if tally.programs % REPORT_EVERY == 0:
                print(tally, flush=True)  # noqa: T201
    return tally


def strains_of(name: str) -> list[tuple[int, Strain]]:
    """How a case is tried where memory is short: with so many chunks each."""
    return [*((chunks, played(f"{name}/{chunks}")) for chunks in (2, 7)), *((3, Strain(spare_mib=spare)) for spare in MARGINS_MIB)]


def strain_cases(paths: list[Path], tally: Tally) -> None:
    """Try these cases, each in several ways."""
    bench = Bench()
    try:
        for path in paths:
            for chunks, strain in strains_of(path.stem):
                home = Path(tempfile.mkdtemp(prefix="runsurge-strained-"))
                trial = try_case(bench, load_case(path), home, chunks=chunks, strain=strain)
                tally.count(trial)
                if trial.differences:
                    print(f"WRONG {path.stem} {chunks} {strain}: {trial.differences}", flush=True)  # noqa: T201
                shutil.rmtree(home, ignore_errors=True)
    finally:
        bench.close()


def strain_programs(seed: str, numbers: range, findings: Path, tally: Tally) -> None:
    """Try these random programs, each in one way after the other."""
    with tempfile.TemporaryDirectory() as scratch, Trials(Path(scratch)) as trials:
        for number in numbers:
            program = seeded_program(f"{seed}/{number}")
            strain = played(f"{seed}/{number}") if number % 2 else Strain(spare_mib=MARGINS_MIB[number // 2 % len(MARGINS_MIB)])
            trial = trials.run(program, strain)
            tally.count(trial)
            if trial.differences:
                path = findings / f"{seed}-{number}.txt"
                path.write_text(render_failure(program, trial), encoding="utf-8")
                print(f"WRONG {seed}/{number} {strain}: {trial.differences[0]}; {path}", flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
