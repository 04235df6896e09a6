"""Random programs give planned what they give plainly.

RUNSURGE_PROGRAMS says how many (1,000). A wrong one is made small, and written as a case file whose path the failure names.
"""

from __future__ import annotations

import os
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.differential.programs import RandomProgram, programs
from tests.differential.trials import Trial, Trials, render_failure

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAMS = int(os.environ.get("RUNSURGE_PROGRAMS", "1000"))
BATCHES = 20
REAL_SHARE = 20
"""One program in so many is also run by a real `python script.py`."""
LEAST_SPLIT_SHARE = 0.6
LEAST_DIFFERENT_SHARE = 0.97
"""A program that is run twice shows nothing the second time."""
MOST_MADE_SMALL = 3
"""Wrong programs after these are written down as they are: the first ones tell most, and each takes up to a minute."""


@dataclass(slots=True)
class Campaign:
    """All programs of this module, and what came of them."""

    trials: Trials
    findings: Path
    count: int = 0
    split: int = 0
    scripts: set[str] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)

    def check(self, program: RandomProgram) -> str:
        """Try one program; the words of a failure, or nothing."""
        self.count += 1
        self.scripts.add(program.script)
        if self.count % REAL_SHARE == 1:
            assert self.trials.differs_from_interpreter(program) == []
        trial = self.trials.run(program)
        self.split += trial.is_split
        return self._describe(program, trial) if trial.differences else ""

    def _describe(self, program: RandomProgram, trial: Trial) -> str:
        smaller = self.trials.shrink(program, trial) if len(self.wrong) < MOST_MADE_SMALL else program
        last = self.trials.run(smaller)
        words = render_failure(smaller, last if last.differences else trial)
        path = self.findings / f"{self.count:04d}.txt"
        path.write_text(words, encoding="utf-8")
        self.wrong.append(str(path))
        return f"{words}\nwritten to {path}"


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Campaign]:
    """One warm bench for all batches."""
    findings = Path(tempfile.mkdtemp(prefix="runsurge-wrong-"))
    with Trials(tmp_path_factory.mktemp("programs")) as trials:
        yield Campaign(trials, findings)
    if not any(findings.iterdir()):
        findings.rmdir()


def try_batch(campaign: Campaign, batch: int) -> list[str]:
    """Try the programs of one batch, the same ones every time; the words of its failures."""
    failures: list[str] = []

    @seed(batch)
    @settings(
        max_examples=max(1, PROGRAMS // BATCHES),
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(program=programs(f"batch-{batch}"))
    def run(program: RandomProgram) -> None:
        if words := campaign.check(program):
            failures.append(words)

    run()
    return failures


@pytest.mark.parametrize("batch", range(BATCHES))
def test_random_programs_give_the_same_planned_and_plainly(campaign: Campaign, batch: int) -> None:
    assert not (failures := try_batch(campaign, batch)), "\n\n".join(failures)


def test_most_random_programs_are_really_cut(campaign: Campaign, capsys: pytest.CaptureFixture[str]) -> None:
    """Programs without a cut stage would show nothing; a worker of pytest-xdist that has run no batch runs the first."""
    if not campaign.count:
        try_batch(campaign, 0)
    with capsys.disabled():
        words = (
            f"{campaign.count} random programs ({len(campaign.scripts)} different)",
            f"{campaign.split} with a stage of at least 2 accepted chunks",
            f"{len(campaign.wrong)} wrong",
        )
        sys.stderr.write("\n" + ", ".join(words) + "\n")
    assert len(campaign.scripts) >= LEAST_DIFFERENT_SHARE * campaign.count
    assert campaign.split >= LEAST_SPLIT_SHARE * campaign.count
    assert campaign.wrong == []
