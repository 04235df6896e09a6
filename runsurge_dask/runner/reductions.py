"""How the partial values of a comprehension, or of a call that consumes one, become its value.

    max(score(x) for x in xs)      chunk: [] or [largest]      finish: the largest of them, the first of equals
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runsurge_dask.runner.accumulators import check_sum
from runsurge_dask.runner.escape import Escape

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_END = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reduction:
    """One way to finish."""

    form: str
    finish: Callable[[list[Any], Iterator[Any], Callable[[Any], Any]], Any]
    check: Callable[[Any, bool], None] = lambda _part, _exact: None
    from_written: Callable[[Any], Any] = lambda value: value
    """Turn the value of the expression as written into a part."""
    allows_head: bool = True


def _peek(rest: Iterator[Any]) -> Iterator[Any] | None:
    for first in rest:
        return _chain(first, rest)
    return None


def _chain(first: Any, rest: Iterator[Any]) -> Iterator[Any]:
    yield first
    yield from rest


def _finish_list(parts: list[Any], rest: Iterator[Any], as_written: Callable[[Any], Any]) -> list[Any]:
    whole: list[Any] = []
    for part in parts:
        whole.extend(part)
    left = _peek(rest)
    if left is not None:
        whole.extend(as_written(left))
    return whole


def _finish_set(parts: list[Any], rest: Iterator[Any], as_written: Callable[[Any], Any]) -> set[Any]:
    whole: set[Any] = set()
    for part in parts:
        whole.update(part)
    left = _peek(rest)
    if left is not None:
        whole.update(as_written(left))
    return whole


def _finish_dict(parts: list[Any], rest: Iterator[Any], as_written: Callable[[Any], Any]) -> dict[Any, Any]:
    whole: dict[Any, Any] = {}
    for part in parts:
        whole.update(part)
    left = _peek(rest)
    if left is not None:
        whole.update(as_written(left))
    return whole


def _finish_counter(parts: list[Any], rest: Iterator[Any], as_written: Callable[[Any], Any]) -> Counter[Any]:
    whole: Counter[Any] = Counter()
    for part in parts:
        whole.update(part)
    left = _peek(rest)
    if left is not None:
        whole.update(as_written(left))
    return whole


def _finish_sum(parts: list[Any], rest: Iterator[Any], as_written: Callable[[Any], Any]) -> Any:
    total: Any = 0
    for part in parts:
        total = total + part
    left = _peek(rest)
    return total if left is None else total + as_written(left)


def _finish_any(parts: list[Any], rest: Iterator[Any], as_written: Callable[[Any], Any]) -> bool:
    return any(parts) or bool(as_written(rest))


def _finish_all(parts: list[Any], rest: Iterator[Any], as_written: Callable[[Any], Any]) -> bool:
    return all(parts) and bool(as_written(rest))


def _finish_extreme(choose: Callable[..., Any]) -> Callable[..., Any]:
    def finish(parts: list[Any], rest: Iterator[Any], as_written: Callable[[Any], Any]) -> Any:
        candidates = [pair for part in parts for pair in part]
        left = _peek(rest)
        if left is not None:
            raise Escape("an extreme goes on as written")
        if not candidates:
            return as_written(iter(()))
        return choose(candidates, key=lambda pair: pair[0])[1]

    return finish


def _check_extreme(part: list[tuple[Any, Any]], exact: bool) -> None:  # noqa: FBT001
    del exact
    for key, _ in part:
        if key != key:  # noqa: PLR0124 - that is how NaN shows
            raise Escape("not-a-number among the values compared")


REDUCTIONS: dict[str, Reduction] = {
    row.form: row
    for row in (
        Reduction(form="list", finish=_finish_list),
        Reduction(form="set", finish=_finish_set),
        Reduction(form="dict", finish=_finish_dict),
        Reduction(form="Counter", finish=_finish_counter),
        Reduction(form="sum", finish=_finish_sum, check=lambda part, exact: check_sum(part, exact=exact)),
        Reduction(form="any", finish=_finish_any),
        Reduction(form="all", finish=_finish_all),
        Reduction(form="max", finish=_finish_extreme(max), check=_check_extreme, allows_head=False),
        Reduction(form="min", finish=_finish_extreme(min), check=_check_extreme, allows_head=False),
    )
}
