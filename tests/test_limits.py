"""Cases and random programs where memory is short: the plain answer, or the words of the memory limit; never another answer.

A sample, drawn by a seed; `python -m tests.soak --strained` takes all of them.
"""

from __future__ import annotations

import sys
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import pytest

from tests.differential.cases import load_case
from tests.differential.programs import seeded_program
from tests.differential.strain import MARGINS_MIB, Strain, played
from tests.differential.strained import try_case
from tests.differential.trials import Trial, Trials, render_failure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.differential.compare import Bench

PATHS = sorted((Path(__file__).parent / "cases").glob("*/*.txt"))
NAMES = [f"{path.parent.name}/{path.stem}" for path in PATHS]
SEED = "limits"
CASES_PLAYED = 20
WRITING = "data/12_images_thumbnails_features"
"""Its chunks make files of their own, which nobody may find after they were killed."""
CASES_LIMITED = 4
"""For each margin."""
PROGRAMS_PLAYED = 80
PROGRAMS_LIMITED = 10
CHUNKS = 3
MOST_STOPPED = 0.1
"""A larger share of runs that are stopped would show little of their answers."""


def some(count: int, what: str) -> list[Path]:
    return [PATHS[NAMES.index(WRITING)], *Random(f"{SEED}/{what}").sample(PATHS, count - 1)]



@pytest.fixture(scope="module")
def trials(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trials]:
    with Trials(tmp_path_factory.mktemp("limits")) as trials:
        yield trials


@pytest.mark.parametrize("path", some(CASES_PLAYED, "played"), ids=lambda path: path.stem)
def test_chunks_that_are_killed_and_cut_smaller_leave_what_the_plain_run_leaves(path: Path, bench: Bench, tmp_path: Path) -> None:
    assert try_case(bench, load_case(path), tmp_path, chunks=CHUNKS, strain=played(f"{SEED}/{path.stem}")).differences == ()


@pytest.mark.parametrize("spare_mib", MARGINS_MIB)
def test_cases_within_a_limit_leave_what_the_plain_run_leaves(spare_mib: int, bench: Bench, tmp_path: Path) -> None:
    """Near the least limit one chunk runs at a time."""
    outcomes = [
        try_case(bench, load_case(path), tmp_path / str(n), chunks=CHUNKS, strain=Strain(spare_mib=spare_mib))
        for n, path in enumerate(some(CASES_LIMITED, f"within {spare_mib}"))
    ]
    assert not (wrong := [words for trial in outcomes for words in trial.differences]), wrong
    report(outcomes, f"cases at the least limit + {spare_mib} MiB")


def test_random_programs_whose_chunks_are_killed_give_the_same(trials: Trials) -> None:
    outcomes, wrong = try_programs(trials, PROGRAMS_PLAYED, lambda number: played(f"{SEED}/{number}"))
    assert not wrong, "\n\n".join(wrong)
    assert any(task.is_outgrown for trial in outcomes for stage in trial.stages for task in stage.tasks)


@pytest.mark.parametrize("spare_mib", MARGINS_MIB)
def test_random_programs_within_a_limit_give_the_same(trials: Trials, spare_mib: int) -> None:
    outcomes, wrong = try_programs(trials, PROGRAMS_LIMITED, lambda _: Strain(spare_mib=spare_mib))
    assert not wrong, "\n\n".join(wrong)
    report(outcomes, f"programs at the least limit + {spare_mib} MiB")


def try_programs(trials: Trials, count: int, strain_of: Callable[[int], Strain]) -> tuple[list[Trial], list[str]]:
    outcomes, wrong = [], []
    for number in range(count):
        program = seeded_program(f"{SEED}/{number}")
        trial = trials.run(program, strain_of(number))
        outcomes.append(trial)
        if trial.differences:
            wrong.append(render_failure(program, trial))
    return outcomes, wrong


def report(outcomes: list[Trial], what: str) -> None:
    stopped = sum(trial.is_stopped for trial in outcomes)
    sys.stderr.write(f"\n{what}: {len(outcomes)} runs, {stopped} stopped\n")
    assert stopped <= MOST_STOPPED * len(outcomes)
