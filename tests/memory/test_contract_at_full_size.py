"""The memory contract at the limits that it names, for three examples; `make soak` measures all twelve, and at 10x."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarks.contract import Case, Workshop, cases_of, render_row

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("case", cases_of([], [4], 0, is_quick=True), ids=lambda case: case.example.name)
def test_a_script_that_holds_four_times_the_limit_plainly_is_held_below_it(case: Case, tmp_path: Path) -> None:
    """The same files and text, no sample of all processes above the limit, nothing left behind."""
    row = Workshop(tmp_path, uses_memory=True, reports=None).measure_case(case)
    assert row.plain.peak_bytes >= 4 * case.limit_bytes
    assert row.is_well, render_row(row)
