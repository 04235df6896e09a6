"""Many random programs, for hours if need be.

    python -m tests.soak --programs 10000 --seed 3

Each program follows from the seed and its number; what is wrong is made small and written beside the log.
"""

from __future__ import annotations

import argparse
import datetime as dt
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.differential.programs import seeded_program
from tests.differential.trials import Trials, render_failure

LOG = Path(__file__).parent / "soak.log"
REPORT_EVERY = 200
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

    def __str__(self) -> str:
        return f"programs={self.programs} split={self.split} raised={self.raised} accepted_chunks={self.chunks} wrong={self.wrong}"


def main() -> int:
    """Run the soak; the exit status says whether anything was wrong."""
    parser = argparse.ArgumentParser(description="Run random programs plainly and planned, and compare.")
    parser.add_argument("--programs", type=int, default=10_000)
    parser.add_argument("--seed", default="0")
    parser.add_argument("--first", type=int, default=0, help="the number of the first program")
    options = parser.parse_args()
    begun = time.monotonic()
    findings = Path(tempfile.mkdtemp(prefix="runsurge-soak-"))
    tally = soak(options.seed, range(options.first, options.first + options.programs), findings)
    date = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    line = f"{date} seed={options.seed} first={options.first} {tally} seconds={time.monotonic() - begun:.0f}"
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
            tally.programs += 1
            tally.split += trial.is_split
            tally.raised += trial.status != 0
            tally.chunks += sum(stage.accepted for stage in trial.stages)
            if trial.differences:
                tally.wrong += 1
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


if __name__ == "__main__":
    sys.exit(main())
