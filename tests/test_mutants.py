"""Mutants in CI: the table fits the engine as it is, and five of them, drawn by a seed, are noticed.

The whole table: `make mutants`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.mutants import ROOT, Mutant, MutantError, choose, load_mutants, try_mutant

if TYPE_CHECKING:
    from pathlib import Path

MUTANTS = load_mutants()
SEED = "runsurge"
LEAST = 30
"""So many rules, at the least, are loosened on purpose."""


def test_there_are_enough_mutants_and_their_names_differ() -> None:
    assert len(MUTANTS) >= LEAST
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_can_be_made_and_names_cases(mutant: Mutant, tmp_path: Path) -> None:
    copy = tmp_path / mutant.file
    copy.parent.mkdir(parents=True)
    copy.write_text((ROOT / mutant.file).read_text(encoding="utf-8"), encoding="utf-8")
    mutant.apply(tmp_path)
    assert copy.read_text(encoding="utf-8") != (ROOT / mutant.file).read_text(encoding="utf-8")
    assert mutant.case
    assert all((ROOT / "tests" / "cases" / f"{case}.txt").is_file() for case in mutant.case)


def test_a_mutant_whose_text_is_gone_is_refused(tmp_path: Path) -> None:
    (tmp_path / "rules.py").write_text("a = 1\n")
    mutant = Mutant(name="gone", file="rules.py", why="", old="b = 1", new="b = 2", case=())
    with pytest.raises(MutantError, match="stands 0 times"):
        mutant.apply(tmp_path)


@pytest.mark.parametrize("mutant", choose(MUTANTS, SEED, 5), ids=lambda mutant: mutant.name)
def test_a_mutant_is_caught_by_a_case_named_for_it(mutant: Mutant) -> None:
    assert try_mutant(mutant, named_only=True).caught_by in mutant.case
