"""Tables of counts are joined at once; that gives what joining them entry by entry gives."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runsurge_dask.runner.escape import Escape
from runsurge_dask.runner.facts import Merge, Path
from runsurge_dask.runner.tables import check_alike, check_table, join_table

COUNTED = (Path(keys=("*",), merge=Merge.SUM),)
KEYS = st.sampled_from("abcdef")
OLD = st.dictionaries(KEYS, st.one_of(st.integers(), st.booleans(), st.floats(allow_nan=False)))


@given(kind=st.sampled_from([dict, Counter, lambda found: defaultdict(int, found)]), old=OLD, part=st.dictionaries(KEYS, st.integers()))
def test_joining_counts_adds_them_and_keeps_the_order_of_keys(kind: Any, old: dict[str, Any], part: dict[str, int]) -> None:
    expected = dict(old)
    for key, value in part.items():
        expected[key] = expected[key] + value if key in expected else value
    table = kind(old)
    check_table(COUNTED, part, exact=True)
    check_alike(COUNTED, table, part)
    join_table(COUNTED, table, part)
    assert [(key, type(value), value) for key, value in table.items()] == [(k, type(v), v) for k, v in expected.items()]


@pytest.mark.parametrize("old", ["text", [1], (1,), b"x"])
def test_counts_are_not_added_to_what_is_no_number(old: object) -> None:
    with pytest.raises(Escape):
        check_alike(COUNTED, {"a": old}, {"a": 1})
