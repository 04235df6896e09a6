"""How the partial values of a comprehension, or of a call that consumes one, become its value.

    max(score(x) for x in xs)      part: [] or [(key, value)]      finish: the largest of them, the first of equals

A part comes from the records that ran as written, from a chunk, or from what was left to do as written; all are alike.
"""

from __future__ import annotations

import operator
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runsurge_dask.runner.escape import Escape
from runsurge_dask.runner.kept import joined
from runsurge_dask.runner.tapes import Tape

if TYPE_CHECKING:
    from collections.abc import Callable

NOTHING = object()
"""There was no value at all: the call decides what that means."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reduction:
    """One way to finish."""

    form: str
    finish: Callable[[list[Any]], Any]
    check: Callable[[Any, list[Any]], None] = lambda _part, _before: None
    """Refuse a part that cannot follow those before it."""
    is_chosen_again: bool = False
    """The parts are candidates, among which the expression as written chooses once more."""
    is_settled: Callable[[Any], bool] = lambda _part: False
    """Whether nothing after this part can change the value (and is not even looked at)."""


def extreme(choose: Callable[..., Any], values: Any, key: Callable[[Any], Any] | None) -> list[tuple[Any, Any]]:
    """The largest or smallest value with its key, or nothing."""
    if key is None:
        value = choose(values, default=NOTHING)
        return [] if value is NOTHING else [(value, value)]
    pair = choose(((key(value), value) for value in values), default=None, key=operator.itemgetter(0))
    return [] if pair is None else [pair]


def _join_by_update(kind: Callable[[], Any]) -> Callable[[list[Any]], Any]:
    def finish(parts: list[Any]) -> Any:
        whole = kind()
        for part in parts:
            whole.update(part)
        return whole

    return finish


def _join_extremes(choose: Callable[..., Any]) -> Callable[[list[Any]], Any]:
    def finish(parts: list[Any]) -> Any:
        candidates = [pair for part in parts for pair in part]
        return choose(candidates, key=lambda pair: pair[0])[1] if candidates else NOTHING

    return finish


def _add_up(parts: list[Any]) -> Any:
    """Exactly what `sum` gives over all values in order."""
    return sum(value for part in parts for value in _values(part))


def _check_sum(part: Tape, before: list[Any]) -> None:
    if part.is_added_up and not all((isinstance(p, Tape) and p.is_added_up) or set(map(type, _values(p))) <= {int} for p in before):
        raise Escape("whole numbers are added to a float")


def _values(part: Any) -> Any:
    return part.values if isinstance(part, Tape) else part


def _check_extreme(part: list[tuple[Any, Any]], before: list[Any]) -> None:
    del before
    for key, _ in part:
        if key != key:  # noqa: PLR0124 - that is how NaN shows
            raise Escape("not-a-number among the values compared")


REDUCTIONS: dict[str, Reduction] = {
    row.form: row
    for row in (
        Reduction(form="list", finish=joined),
        Reduction(form="pool", finish=joined),
        Reduction(form="candidates", finish=joined, is_chosen_again=True),
        Reduction(form="set", finish=_join_by_update(set)),
        Reduction(form="dict", finish=_join_by_update(dict)),
        Reduction(form="Counter", finish=_join_by_update(Counter)),
        Reduction(form="sum", finish=_add_up, check=_check_sum),
        Reduction(form="any", finish=any, is_settled=bool),
        Reduction(form="all", finish=all, is_settled=lambda part: not part),
        Reduction(form="max", finish=_join_extremes(max), check=_check_extreme),
        Reduction(form="min", finish=_join_extremes(min), check=_check_extreme),
    )
}
