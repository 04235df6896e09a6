"""Growth is read off three samples: straight, flattening, bending, and in the leaps of hash tables."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runsurge_dask.estimation.fitting import extrapolate, table_bytes

SHARES = (0.01, 0.025, 0.05)
MIB = 1 << 20


@pytest.mark.parametrize(
    ("what", "values", "least", "most"),
    [
        ("a constant", [7.0 * MIB] * 3, 7, 7.1),
        ("a straight line", [s * 1000 * MIB + 5 * MIB for s in SHARES], 1004, 1006),
        ("pairs of rows", [s * s * 1e5 * MIB for s in SHARES], 0.9e5, 1.2e5),
        ("a step between two samples", [10.0 * MIB, 10.0 * MIB, 20.0 * MIB], 200, 500),
        ("a fall", [9.0 * MIB, 8.0 * MIB, 7.0 * MIB], 8, 9.1),
    ],
)
def test_growth_is_recognised(what: str, values: list[float], least: float, most: float) -> None:
    assert least <= extrapolate(SHARES, values) / MIB <= most, what


def test_words_flatten_where_they_may() -> None:
    words = [round(1e5 * s**0.6) for s in SHARES]
    assert 1e5 <= extrapolate(SHARES, words, noise=1) <= 2e5
    assert extrapolate(SHARES, words, noise=1, flattens=False) > 2e5


def test_all_of_the_data_is_no_estimate() -> None:
    assert extrapolate([0.5, 1.0], [3.0, 8.0]) == 8.0
    assert extrapolate([], []) == 0.0


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=3))
def test_an_estimate_is_never_below_what_was_seen(values: list[int]) -> None:
    assert extrapolate(SHARES[: len(values)], values) >= max(values) - 1e-6 * max(values)


@given(st.integers(2_000, 200_000))
def test_tables_are_foreseen_with_their_doubling(length: int) -> None:
    for kind in (set, dict.fromkeys):
        small, real = (sys.getsizeof(kind(range(n))) for n in (1000, length))
        assert table_bytes(length, [(1000, small)]) >= real
        assert table_bytes(length, [(1000, small)]) <= 12 * real
