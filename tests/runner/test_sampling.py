"""The check of a proof on a few rows: it finds what a wrong proof does, and leaves alone what cannot be compared."""

from __future__ import annotations

import itertools
import random

import pytest

from runsurge_dask.runner.escape import Escape
from runsurge_dask.runner.facts import Accumulator, Merge, SiteFacts, SplitKind
from runsurge_dask.runner.sampling import check_on_sample, cuts_of, is_equal
from runsurge_dask.runner.tapes import compress

LIST = SiteFacts(site=1, file="script.py", line=1, form="list", kind=SplitKind.ROWS, reason="")
TOTAL = Accumulator(place="total", local="total", merge=Merge.SUM)
LOOP = SiteFacts(site=1, file="script.py", line=1, form="for", kind=SplitKind.REDUCE, reason="", accumulators=(TOTAL,))


def test_cuts_are_uneven_with_an_empty_piece_and_one_of_one_row() -> None:
    assert cuts_of(24) == [0, 9, 9, 10, 24]


def test_rows_that_stand_alone_agree() -> None:
    check_on_sample(range(24), [LIST], lambda _, rows: ([[row * 2 for row in rows]], [{}]))


def test_rows_that_look_at_the_row_before_disagree() -> None:
    def differences(_: int, rows: list[int]) -> tuple[list[object], list[object]]:
        return [[b - a for a, b in itertools.pairwise(rows)]], [{}]

    with pytest.raises(Escape):
        check_on_sample(range(24), [LIST], differences)


def test_a_sum_that_forgets_what_it_began_with_disagrees() -> None:
    def last_only(_: int, rows: list[int]) -> tuple[list[object], list[object]]:
        return [{"names": {}, "parts": [compress(rows[-1:])], "payload": {}}], [{"total": []}]

    with pytest.raises(Escape):
        check_on_sample(range(24), [LOOP], last_only)


def test_a_sum_agrees_however_it_is_cut() -> None:
    check_on_sample(
        range(24), [LOOP], lambda _, rows: ([{"names": {}, "parts": [compress(rows)], "payload": {}}], [{"total": []}])
    )


def test_chance_is_not_compared() -> None:
    check_on_sample(range(24), [LIST], lambda _, rows: ([[random.random() for _ in rows]], [{}]))


@pytest.mark.parametrize(
    ("one", "other"), [(1, 1.0), (1, True), ([1, 2], [2, 1]), ({"a": 1, "b": 2}, {"b": 2, "a": 1}), (1.0, 1.1), ("a", "b")]
)
def test_results_of_another_type_value_or_order_are_not_equal(one: object, other: object) -> None:
    assert not is_equal(one, other)


@pytest.mark.parametrize("value", [float("nan"), [1, (2.0, "x")], {"a": {1, 2}}, None, b"x"])
def test_a_result_is_equal_to_itself(value: object) -> None:
    assert is_equal(value, value)
