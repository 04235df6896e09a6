"""Tables: dictionaries and lists of further values, one operation at each depth.

    stats[key]["n"] += 1; stats[key]["rows"].append(row)      paths ("*", "n"): sum, ("*", "rows"): append
"""

from __future__ import annotations

import functools
import itertools
import operator
import sys
import types
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from runsurge_dask.runner.facts import FROM_CURRENT, Accumulator, Merge, Path
from runsurge_dask.runner.scalars import check_sum, join_scalar, neutral_sum, refuse_unless, require

if TYPE_CHECKING:
    from collections.abc import Iterator


def check_alike(paths: tuple[Path, ...], current: Any, part: Any) -> None:
    """Refuse tables whose leaves would not take each other's parts."""
    if _are_counts(paths, part) and set(map(type, map(current.get, part, itertools.repeat(0)))) <= _NUMBERS:
        return
    if isinstance(part, dict):
        pairs = [(key, current[key], value) for key, value in part.items() if key in current]
    elif isinstance(part, list):
        refuse_unless(len(part) == len(current), "a table of another size")
        pairs = [(index, current[index], value) for index, value in enumerate(part)]
    else:
        _check_overflow(current, part)
        return
    common = _common_below(paths)
    for key, old, new in pairs:
        below = _below(paths, key) if common is None else common
        if _leaf(below) is None:
            is_sent_plain = _makes_its_own(old) and type(new) is dict
            refuse_unless(is_sent_plain or type(old) is type(new), "tables of different kinds")
            check_alike(below, old, new)
        elif _leaf(below) in {Merge.APPEND, Merge.ADD}:
            refuse_unless(type(old) is type(new), "collections of different kinds")
            if _leaf(below) is Merge.ADD:
                refuse_unless(all(type(x) is str for x in new), "sets whose order depends on how they grew")
        elif _leaf(below) not in {Merge.LAST, Merge.SET_ONCE} and any(isinstance(x, str | bytes | tuple | list) for x in (old, new)):
            refuse_unless(type(old) is type(new), "values of different kinds")


def _check_overflow(current: Any, part: Any) -> None:
    """Integers of a fixed size: an item that grows beyond it warns, at the row that makes it do so."""
    if getattr(getattr(current, "dtype", None), "kind", "?") in "iu" and current.size:
        limits = sys.modules["numpy"].iinfo(current.dtype)
        least = int(current.min()) + min(int(part.min()), 0)
        most = int(current.max()) + max(int(part.max()), 0)
        refuse_unless(limits.min <= least and most <= limits.max, "integers that outgrow their type")


def neutral_table(current: Any, fact: Accumulator) -> Any:
    """A copy of a table with neutral values at its leaves."""
    kind = type(current)
    if kind.__module__ == "numpy" and hasattr(current, "dtype"):
        require({path.merge for path in fact.paths} == {Merge.SUM}, fact, current)
        return neutral_sum(current, fact)
    return _neutral_below(current, fact.paths, fact)


def _neutral_below(current: Any, paths: tuple[Path, ...], fact: Accumulator) -> Any:
    kind = type(current)
    leaf = _leaf(paths)
    if leaf is not None:
        if leaf in FROM_CURRENT:
            return current
        if leaf is Merge.LAST:
            return UNTOUCHED
        if leaf is Merge.APPEND:
            require(kind is list, fact, current)
            return []
        if leaf is Merge.ADD:
            require(kind is set, fact, current)
            return set()
        return neutral_sum(current, fact)
    if kind in {dict, Counter}:
        return kind({key: _neutral_below(value, _below(paths, key), fact) for key, value in current.items()})
    if kind is defaultdict:
        inner = {key: _neutral_below(value, _below(paths, key), fact) for key, value in current.items()}
        return defaultdict(current.default_factory, inner)
    if kind is list:
        return [_neutral_below(value, _below(paths, index), fact) for index, value in enumerate(current)]
    require(current=current, fact=fact, holds=False)
    return None


def _leaf(paths: tuple[Path, ...]) -> Merge | None:
    return next((path.merge for path in paths if not path.keys), None)


def _below(paths: tuple[Path, ...], key: Any) -> tuple[Path, ...]:
    exact = tuple(p for p in paths if p.keys and type(p.keys[0]) is type(key) and p.keys[0] == key and p.keys[0] != "*")
    chosen = exact or tuple(p for p in paths if p.keys and p.keys[0] == "*")
    return tuple(Path(keys=p.keys[1:], merge=p.merge) for p in chosen)


def _common_below(paths: tuple[Path, ...]) -> tuple[Path, ...] | None:
    """What is below any key, where all keys are alike."""
    return _below(paths, None) if all(path.keys and path.keys[0] == "*" for path in paths) else None


def _are_counts(paths: tuple[Path, ...], part: Any) -> bool:
    """Whether a part is a table of nothing but integers that are added: most are, and they may be large."""
    is_flat = len(paths) == 1 and paths[0].keys == ("*",) and paths[0].merge is Merge.SUM
    return is_flat and type(part) in {dict, Counter, defaultdict} and set(map(type, part.values())) <= {int}


_NUMBERS = frozenset({int, bool, float})


def check_table(paths: tuple[Path, ...], part: Any, *, exact: bool) -> None:
    """Refuse before anything is changed: a tree joined half way could not be taken back."""
    if _are_counts(paths, part):
        return
    for merge, value in _leaves(paths, part):
        if merge in {Merge.SUM, Merge.PRODUCT}:
            check_sum(value, exact=exact)
        elif merge in {Merge.MAX, Merge.MIN}:
            refuse_unless(value == value, "not-a-number among the values compared")  # noqa: PLR0124


def _leaves(paths: tuple[Path, ...], part: Any) -> Iterator[tuple[Merge, Any]]:
    leaf = _leaf(paths)
    if leaf is not None:
        yield leaf, part
    elif isinstance(part, dict | list):
        common = _common_below(paths)
        for key, value in part.items() if isinstance(part, dict) else enumerate(part):
            yield from _leaves(_below(paths, key) if common is None else common, value)
    elif type(part).__module__ == "numpy":
        yield Merge.SUM, part


def join_table(paths: tuple[Path, ...], current: Any, part: Any) -> None:
    """Join a chunk's table to the driver's, in place."""
    if _are_counts(paths, part):  # no key is looked at twice: what `get` finds is what `update` then replaces
        sums = map(operator.add, map(current.get, part, itertools.repeat(0)), part.values())
        dict.update(current, zip(part, sums, strict=True))  # a counter's own `update` would add
        return
    common = _common_below(paths)
    if isinstance(part, dict):
        for key, value in part.items():
            below = _below(paths, key) if common is None else common
            if key not in current and _makes_its_own(current) and isinstance(value, dict | list) and _leaf(below) is None:
                current[key]
            if key in current:
                _join_entry(below, current, key, value)
            else:
                current[key] = value
    elif isinstance(part, list):
        for index, value in enumerate(part):
            _join_entry(_below(paths, index) if common is None else common, current, index, value)
    else:
        current += part


def _join_entry(paths: tuple[Path, ...], table: Any, key: Any, part: Any) -> None:
    leaf = _leaf(paths)
    if leaf is None:
        join_table(paths, table[key], part)
    elif leaf is Merge.APPEND:
        table[key].extend(part)
    elif leaf is Merge.ADD:
        table[key].update(part)
    elif leaf is Merge.LAST:
        if part is not UNTOUCHED:
            table[key] = part
    else:
        table[key] = join_scalar(_joined_by(leaf), table[key], part)


@functools.cache
def _joined_by(merge: Merge) -> Accumulator:
    return Accumulator(place="", local="", merge=merge)


def table_ids(value: Any, paths: tuple[Path, ...]) -> Iterator[int]:
    """The ids of a table and of the tables and collections in it, each as often as it can be reached."""
    if isinstance(value, dict | list | set):
        yield id(value)
    if _leaf(paths) is None and isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from table_ids(inner, _below(paths, key))


def require_neutral_entries(fact: Accumulator, table: Any) -> None:
    """Escape if an entry that a function of the script makes could not be made anew in every chunk.

    Raises:
        Escape: it begins with more than what its parts are joined to.
    """
    if _makes_its_own(table):
        refuse_unless(not fact.makes_entries, "entries are made in two ways")
        refuse_unless(_is_neutral(table.default_factory(), _below(fact.paths, "*")), "new entries do not begin empty")


def _makes_its_own(table: Any) -> bool:
    return type(table) is defaultdict and isinstance(table.default_factory, types.FunctionType)


def _is_neutral(value: Any, paths: tuple[Path, ...]) -> bool:
    """Whether an entry that begins like this may begin so again in every chunk."""
    leaf, kind = _leaf(paths), type(value)
    if leaf is Merge.SUM:
        return kind in {int, float, complex, str, bytes, tuple, list, Counter} and not value
    if leaf is Merge.PRODUCT:
        return kind in {int, float} and bool(value == 1)
    if leaf in {Merge.APPEND, Merge.ADD}:
        return kind in {list, set} and not value
    if leaf is not None:
        return value is None if leaf is Merge.SET_ONCE else kind in _CONSTANTS
    if kind is dict:
        return all(_is_neutral(inner, _below(paths, key)) for key, inner in value.items())
    if kind is list:
        return all(_is_neutral(inner, _below(paths, index)) for index, inner in enumerate(value))
    if kind is defaultdict:
        return not value and (not _makes_its_own(value) or _is_neutral(value.default_factory(), _below(paths, "*")))
    return kind in _CONSTANTS or (kind in {Counter, set} and not value)


_CONSTANTS = frozenset({int, float, str, bytes, bool, type(None)})


class _Untouched:
    def __reduce__(self) -> str:
        return "UNTOUCHED"


UNTOUCHED = _Untouched()
"""Stands in a chunk for an item that is only stored into, until it is."""


def as_sent(table: Any) -> Any:
    """A table without the function that makes its entries: the driver has its own."""
    return {key: as_sent(value) for key, value in table.items()} if _makes_its_own(table) else table

