"""How a value grows in a chunk, and how what it grew by joins the driver's value.

    driver: total = 10          chunk 1 starts at 0, ends at 7        chunk 2 starts at 0, ends at 5
    join in order:  total = (10 + 7) + 5

A chunk starts from a *neutral* value of the same shape as the driver's (zeros in the same places), or from the driver's own
where joining twice does no harm (`max`). Types for which joining is not the same as going on are refused: the block then
runs as written.
"""

from __future__ import annotations

import warnings
from typing import Any

from runsurge_dask.runner import kept
from runsurge_dask.runner.escape import Escape
from runsurge_dask.runner.facts import FROM_CURRENT, TAPED, Accumulator, Merge
from runsurge_dask.runner.scalars import join_scalar, neutral_sum, require
from runsurge_dask.runner.tables import as_sent, check_alike, check_table, join_table, neutral_table, require_neutral_entries
from runsurge_dask.runner.tapes import Additions, Stores, Tape, compress, play

_ADDED_TYPES = frozenset({int, bool, float, complex, str, bytes, tuple, list})


def starting_value(fact: Accumulator, current: Any) -> Any:
    """What a chunk starts from, as plain data to send.

    Raises:
        CannotShip: chunks could not be joined to a value of this type.
    """
    if fact.merge in FROM_CURRENT:
        return current
    if fact.merge in {Merge.APPEND, Merge.YIELD}:
        require(type(current) is list, fact, current)
        return None
    if fact.merge is Merge.ADD:
        require(type(current) is set, fact, current)
        return None
    if fact.merge is Merge.STORE:
        is_array = type(current).__module__ == "numpy"
        require(type(current) in {dict, list} or is_array, fact, current)
        if fact.reads_itself:
            require(type(current) is list or (is_array and current.ndim == 1), fact, current)
            return current
        return len(current) if type(current) is list else None
    if fact.merge is Merge.FIRST:
        require(type(current) is dict, fact, current)
        return None
    if fact.merge in TAPED:
        is_known = type(current) in _ADDED_TYPES or type(current).__module__ in {"numpy", "fractions", "decimal", "datetime"}
        require(is_known, fact, current)
        return None
    if fact.merge is Merge.TREE:
        return neutral_table(current, fact)
    return neutral_sum(current, fact)


def build_start(fact: Accumulator, start: Any) -> Any:
    """The chunk's own accumulator object."""
    match fact.merge:
        case Merge.APPEND | Merge.YIELD | Merge.SUM | Merge.PREPEND | Merge.PRODUCT:
            return []
        case Merge.ADD:
            return Additions()
        case Merge.STORE:
            return Stores(base=start, length=len(start)) if fact.reads_itself else Stores(start)
        case Merge.FIRST:
            return {}
        case Merge.TREE:
            require_neutral_entries(fact, start)
    return start


def finished_value(fact: Accumulator, value: Any) -> Any:
    """What a chunk sends back of its accumulator."""
    match fact.merge:
        case Merge.SUM | Merge.PREPEND | Merge.PRODUCT:
            return compress(value) if fact.merge is Merge.SUM else Tape(value)
        case Merge.ADD:
            return list(value.found)
        case Merge.STORE:
            return value.log
        case Merge.TREE:
            return as_sent(value)
    return value


def join(fact: Accumulator, current: Any, part: Any, *, exact: bool) -> Any:  # noqa: ARG001 - asked for like `check_join`
    """The driver's value after one more chunk; containers grow in place, as they would have.

    Raises:
        Escape: the chunk's part cannot be joined; the block goes on as written from this chunk.
    """
    match fact.merge:
        case Merge.APPEND | Merge.YIELD:
            kept.keep(current, part)
            return current
        case Merge.ADD:
            current.update(part)
            return current
        case Merge.STORE:
            return _store(current, part)
        case Merge.FIRST:
            for key, value in part.items():
                current.setdefault(key, value)
            return current
        case Merge.TREE:
            join_table(fact.paths, current, part)
            return current
    return play(fact, current, part) if fact.merge in TAPED else join_scalar(fact, current, part)


def check_join(fact: Accumulator, current: Any, part: Any, *, exact: bool) -> None:
    """Refuse, before anything is changed, a part that could not be joined.

    Raises:
        Escape: the block goes on as written from this chunk.
    """
    if fact.merge is Merge.TREE:
        check_table(fact.paths, part, exact=exact)
        check_alike(fact.paths, current, part)
    elif fact.merge is Merge.STORE:
        _check_stores(current, part)
    elif fact.merge not in {Merge.APPEND, Merge.YIELD, Merge.ADD, Merge.FIRST}:
        try:
            join(fact, _copied(current), part, exact=exact)
        except (TypeError, ValueError) as error:
            raise Escape(f"its parts cannot be joined ({error})") from None


def _check_stores(current: Any, log: list[Any]) -> None:
    try:
        for (*above, key), value in log:
            table = current
            for step in above:
                table = table[step]
            if type(table) is list:
                table[key]
            elif type(table).__module__ == "numpy":
                _check_fits(table, key, value)
    except Exception as error:
        raise Escape(f"a value cannot be stored ({type(error).__name__})") from None


def _check_fits(array: Any, key: Any, value: Any) -> None:
    """Store into a copy of the place: that may fail, or warn, for a value of another type or shape."""
    place = array[key]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        if getattr(place, "ndim", 0):
            place.copy()[...] = value
        else:
            array.dtype.type(0).reshape(1)[0] = value


def _copied(current: Any) -> Any:
    is_changed_in_place = type(current) is list or (type(current).__module__ == "numpy" and hasattr(current, "copy"))
    return current.copy() if is_changed_in_place else current


def _store(current: Any, log: list[Any]) -> Any:
    for (*above, key), value in log:
        table = current
        for step in above:
            table = table[step]
        table[key] = value
    return current


