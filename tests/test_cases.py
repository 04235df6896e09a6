"""The differential suite: every case file, cut into 2, 3 and 7 chunks, must leave what the sequential run leaves.

A case that must be split must be, at its own line, unless `unsplit.toml` says why it is not yet; a case that must not be
split must not be.
"""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.differential.cases import Case, lay_out, load_case
from tests.differential.compare import Bench, differences

if TYPE_CHECKING:
    from runsurge_contracts.run import StageReport

FOLDER = Path(__file__).parent / "cases"
PATHS = sorted(FOLDER.glob("*/*.txt"))
CHUNKS = (2, 3, 7)
UNSPLIT: dict[str, str] = tomllib.loads((FOLDER / "unsplit.toml").read_text())["unsplit"]


@pytest.mark.parametrize("path", PATHS, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_case_leaves_what_the_sequential_run_leaves(path: Path, bench: Bench, tmp_path: Path) -> None:
    case = load_case(path)
    plain_folder = tmp_path / "plain"
    lay_out(case, plain_folder)
    untouched = tmp_path / "untouched"
    shutil.copytree(plain_folder, untouched)
    plain = bench.run_plain(plain_folder)
    for chunks in CHUNKS:
        folder = tmp_path / f"planned-{chunks}"
        shutil.copytree(untouched, folder)
        planned, stages = bench.run_planned(folder, chunks=chunks)
        assert differences(plain, planned, (plain_folder, folder)) == []
        if case.name not in UNSPLIT:
            assert is_split(case, stages) == (case.expect == "split"), bench.notes


def is_split(case: Case, stages: list[StageReport]) -> bool:
    """Whether the statement in question was really cut: at least two executed tasks, and the results of all of them used.

    A stage that was broken off (an exception, a `break`) went on as written, and does not count. Of a loop that must not be
    split, chunks may still do ahead what carries nothing (kind `fold`).
    """
    stages = [stage for stage in stages if stage.kind != "fold" or case.expect == "split"]
    return any(stage.is_split and stage.accepted == stage.chunks and case.line in (stage.line, *stage.lines) for stage in stages)


def test_at_least_150_cases_say_what_is_expected() -> None:
    cases = [load_case(path) for path in PATHS]
    assert len(cases) >= 150
    assert sum(case.expect == "split" for case in cases) >= 90
    assert sum(case.expect == "whole" for case in cases) >= 50
    assert all(case.line and case.why for case in cases)


def test_unsplit_cases_are_cases_that_must_be_split() -> None:
    must = {case.name for case in map(load_case, PATHS) if case.expect == "split"}
    assert set(UNSPLIT) <= must


def test_blind_cases_are_as_first_committed_or_say_why_they_changed() -> None:
    import hashlib

    digests = dict(reversed(line.split()) for line in (FOLDER / "blind" / "SHA256SUMS").read_text().splitlines())
    for path in sorted((FOLDER / "blind").glob("*.txt")):
        text = path.read_bytes()
        assert hashlib.sha256(text).hexdigest() == digests[path.name] or b"\nchanged = " in text
