"""Try a stage on a few rows before it is trusted: cut in several ways, it must give what it gives on all of them at once.

    rows 0-23 together                         total 276, rows kept: 12
    rows 0-9, none, row 10, rows 11-23         0 + 45 + 0 + 10 + 221, kept: 5 + 0 + 1 + 6        the same

A proof that is wrong shows here before it shows in an answer. What one and the same rows give twice in different ways (random
numbers, clocks) cannot be compared, and is left to the watches that every chunk has.
"""

from __future__ import annotations

import itertools
import math
import time
from typing import TYPE_CHECKING, Any

from runsurge_dask.runner.accumulators import check_join, join
from runsurge_dask.runner.codec import load_items
from runsurge_dask.runner.escape import Escape
from runsurge_dask.runner.facts import FROM_CURRENT, TAPED, Merge
from runsurge_dask.runner.given import as_blob, fingerprint
from runsurge_dask.runner.plain import ATOMIC
from runsurge_dask.runner.reductions import REDUCTIONS
from runsurge_dask.runner.selecting import select
from runsurge_dask.runner.unequal import answering

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from runsurge_dask.runner.facts import Accumulator, SiteFacts

DISAGREES = "cut differently, its first rows give another answer"
Outputs = list[Any]
"""What a chunk gives, for each block of a stage."""


def cuts_of(count: int) -> list[int]:
    """Uneven pieces, one of them empty and one of one row: `[0, 10, 10, 11, 24]` of 24."""
    first = count * 2 // 5
    return [0, first, first, first + 1, count]


def check_on_sample(records: Iterable[Any], facts: Sequence[SiteFacts], run: Callable[[int, list[Any]], tuple[Outputs, Outputs]]) -> None:
    """Compare what a stage gives on these rows with what it gives on pieces of them.

    `run` gives the outputs of rows from a position on, and the values that their accumulators started from.

    Raises:
        Escape: they differ.
    """
    rows = list(records)
    unequal = answering()
    blob = as_blob(rows, unequal)
    if len(rows) < LEAST_ROWS or blob is None:
        return
    begun = time.perf_counter()
    run(0, load_items(blob, unequal)[:LEAST_ROWS])
    if time.perf_counter() - begun > DEAR_SECONDS:
        return
    whole, again = (_joined(facts, [run(0, load_items(blob, unequal))]) for _ in range(2))
    if not is_equal(whole, again):
        return
    pieces = [run(start, load_items(blob, unequal)[start:end]) for start, end in itertools.pairwise(cuts_of(len(rows)))]
    if not is_equal(whole, _joined(facts, pieces)):
        raise Escape(DISAGREES)


LEAST_ROWS = 6
"""Fewer cannot be cut into uneven pieces."""
DEAR_SECONDS = 0.05
"""Where so few rows take longer, working them out three more times costs more than it can save."""


def _joined(facts: Sequence[SiteFacts], answers: list[tuple[Outputs, Outputs]]) -> list[Any]:
    return [
        _joined_loop(each, [outputs[n] for outputs, _ in answers], dict(answers[0][1][n]))
        if each.form == "for"
        else _joined_values(each.form, [outputs[n] for outputs, _ in answers])
        for n, each in enumerate(facts)
    ]


def _joined_values(form: str, parts: list[Any]) -> Any:
    """The value of an expression; nothing where it is chosen once more from what its parts have chosen."""
    return None if REDUCTIONS[form].is_chosen_again else REDUCTIONS[form].finish(parts)


def _joined_loop(facts: SiteFacts, outputs: list[dict[str, Any]], starts: dict[str, Any]) -> dict[str, Any]:
    """The names that a loop leaves, and its accumulators, as the driver would join them."""
    kept = {fact.local for fact in facts.accumulators if fact.merge in FROM_CURRENT or fact.merge is Merge.TREE}
    values = {name: value for name, value in starts.items() if name in kept}
    payload: dict[str, Any] = {}
    names: dict[str, Any] = {}
    for output in outputs:
        names.update(output["names"])
    for n, fact in enumerate(facts.accumulators):
        for output in outputs:
            if fact.merge is Merge.SELECT:
                early: dict[str, Any] = {}
                select(fact, values, output["parts"][n], output["payload"], early, payload)
                values.update(early)
            else:
                values[fact.local] = _grown(fact, values.get(fact.local), output["parts"][n], is_divided=bool(facts.given))
    return {"names": names, "values": values, "payload": payload}


def _grown(fact: Accumulator, value: Any, part: Any, *, is_divided: bool) -> Any:
    """The value after one more part; what the driver grows is here a list of all that it would grow by."""
    if fact.merge is Merge.YIELD:
        return [*(value or []), *((row for _, row in part) if is_divided else part)]
    if fact.merge is Merge.APPEND:
        return [*(value or []), *part]
    if fact.merge is Merge.ADD:
        return list(dict.fromkeys([*(value or []), *part]))
    if fact.merge is Merge.STORE:
        return {**(value or {}), **{repr(place): stored for place, stored in part}}
    if fact.merge is Merge.FIRST:
        known = value or {}
        return {**known, **{key: first for key, first in part.items() if key not in known}}
    if fact.merge in TAPED:
        found = [*(value or []), *part.values]
        kinds = set(map(type, found))
        return [sum(found)] if kinds == {int} else ["".join(found)] if kinds == {str} and fact.merge is Merge.SUM else found
    if fact.merge is Merge.COUNT:
        return part
    if fact.merge not in FROM_CURRENT:
        check_join(fact, value, part, exact=False)
    return join(fact, value, part, exact=False)


TOLERANCE = 1e-9
"""Sums of floats in tables may differ by this, relative to their size."""


def is_equal(one: Any, other: Any) -> bool:
    """Whether two results are the same: in type, value and order; unsure means yes."""
    kind = type(one)
    if kind is not type(other):
        return False
    if kind is float:
        return one == other or (one != one and other != other) or math.isclose(one, other, rel_tol=TOLERANCE)  # noqa: PLR0124
    if kind in ATOMIC or kind in {set, frozenset}:
        return bool(one == other)
    if kind in {list, tuple}:
        return len(one) == len(other) and all(map(is_equal, one, other))
    if kind is dict:
        return is_equal(list(one), list(other)) and is_equal(list(one.values()), list(other.values()))
    try:
        return fingerprint(one) == fingerprint(other) or _is_close(one, other)
    except Exception:
        return True


def _is_close(one: Any, other: Any) -> bool:
    if type(one).__module__ == "numpy" and one.dtype.kind in "fc":
        return one.shape == other.shape and bool((abs(one - other) <= TOLERANCE * abs(one)).all())
    return bool(one == other)
