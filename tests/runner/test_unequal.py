"""Not-a-numbers keep their identity between driver and chunks."""

from __future__ import annotations

import math
from collections import Counter
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from runsurge_dask.runner.codec import dump_results, load_items, load_results
from runsurge_dask.runner.packing import dump_items
from runsurge_dask.runner.unequal import Sent, answering

MISSING = float("nan")
RUNTIME: Any = SimpleNamespace(plain_code={}, user_modules={}, options={"caches_are_seen": False})


def there_and_back(rows: list[Any], work: Any) -> Any:
    """What a chunk finds of these rows, as the driver reads it."""
    sent, theirs = Sent(), answering()
    items = load_items(dump_items(RUNTIME, rows, sent.rows(len(rows))), theirs)
    return load_results(dump_results(work(items), {}, theirs), find_unequal=sent.answer())


@pytest.mark.parametrize("value", [MISSING, math.nan, complex("nan"), Decimal("NaN"), Decimal("sNaN")], ids=repr)
def test_a_not_a_number_comes_back_as_the_object_that_was_sent(value: Any) -> None:
    back = there_and_back([value, 1, (value, [value])], lambda items: [items[2], items[0]])
    assert back[1] is value
    assert back[0][0] is value
    assert back[0][1][0] is value


def test_chunks_see_one_object_where_the_driver_has_one() -> None:
    own = [float("nan") for _ in range(3)]
    back = there_and_back([MISSING, *own, MISSING, math.nan, own[0]], lambda items: dict(Counter(items)))
    assert back == {MISSING: 2, own[0]: 2, own[1]: 1, own[2]: 1, math.nan: 1}


def test_what_a_chunk_makes_is_new_and_as_many_objects_as_there() -> None:
    def work(_: Any) -> Any:
        made = float("nan")
        return [made, made, float("nan")]

    back = there_and_back([MISSING], work)
    assert back[0] is back[1]
    assert len({*back, MISSING}) == 3


def test_rows_that_are_joined_are_forgotten() -> None:
    sent, missing = Sent(), float("nan")
    number = sent.rows(10).reference(missing)[1]
    assert sent.rows(10).find(number) is missing
    sent.forget(10)
    assert sent.rows(10).find(number) is None
