"""Plain rows as they were: what of them has changed since, and whether other values hold parts of them.

    rows = [["a", [1]], {"n": 2}]        before
    rows[0][1].append(5); rows[1]["n"] = 3
    changes(start=40)                    [(40, (1,), [1, 5]), (41, (), {"n": 3})]

Rows of numbers and texts in lists, tuples and dictionaries are written by `marshal` before and after, and compared as bytes:
looking at each object in Python would take longer than most loops do.
"""

from __future__ import annotations

import itertools
import marshal
import operator
from array import array
from collections import Counter, OrderedDict, deque
from typing import TYPE_CHECKING, Any

from runsurge_dask.runner.escape import Escape
from runsurge_dask.runner.plain import ATOMIC, PLAIN_KINDS
from runsurge_dask.runner.tapes import Tape

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Change = tuple[int, tuple[Any, ...], Any]
"""The position of a row, the way to what was changed in it, and its new content."""
_BY_VALUE = 2
"""The version of the format in which equal values are equal bytes."""
_DEEPEST = 20


class Snapshot:
    """What plain rows were at one moment; `content` is None for rows that are not plain."""

    def __init__(self, rows: Any, *, may_be_unequal: bool = False, is_looked_at: bool = False, are_flat: bool = False) -> None:
        self.rows = rows
        self.may_be_unequal = may_be_unequal
        self.levels = _flat_levels(rows, is_looked_at=is_looked_at, are_flat=are_flat) if type(rows) in {list, tuple} else None
        self.cannot_change = self.levels is not None
        """They are numbers and texts, or flat, and the code only looks at them (see `analysis.looking`)."""
        self.content: bytes | None = None
        self.unequal: list[Any] = []
        if self.cannot_change:
            return
        self.content = _content(rows) if type(rows) in {list, tuple} else None
        self.levels = _levels(rows) if self.content is not None else None
        if self.levels is None:
            self.content = None
        self.unequal = self._unequal()

    def _unequal(self) -> list[Any]:
        """The not-a-numbers in the rows, in order: one is not the other."""
        if not self.may_be_unequal or self.levels is None:
            return []
        within = (each for level in self.levels for value in level for each in (value.values() if type(value) is dict else value))
        return [each for each in itertools.chain(self.rows, within) if type(each) in {float, complex} and each != each]  # noqa: PLR0124

    def changes(self, start: int) -> list[Change]:
        """What was changed since; the first row stands at `start`.

        Raises:
            Escape: rows were changed that could not be changed alike elsewhere.
        """
        if self.cannot_change:
            return []
        assert self.levels is not None
        is_same = _content(self.rows) == self.content
        if is_same and len(self.levels) <= 1 and not self.may_be_unequal:  # nothing within the rows but what their content says
            return []
        now = _levels(self.rows)
        if self.unequal and list(map(id, self._unequal())) != list(map(id, self.unequal)):
            raise Escape("it changes not-a-numbers in the rows it is given")
        if now is not None and is_same and _are_same(now, self.levels):
            return []
        if self.holds_twice():
            raise Escape("it changes the rows it is given")
        return list(self._changes(start))

    def holds_twice(self) -> bool:
        """Whether a list or a dictionary can be reached in two ways."""
        found = [id(value) for level in self.levels or () for value in level if type(value) is not tuple]
        return len(set(found)) < len(found)

    def held_in(self, results: Any) -> set[int] | None:
        """Which lists, dictionaries and tuples in the rows some results hold, by id; None for results that are not looked into."""
        few = _few_in(results) if self.cannot_change else None
        return held_among(results, self.ids()) if few is None else few.intersection(map(id, self.rows))

    def ids(self) -> set[int]:
        """Of all lists, dictionaries and tuples in the rows, as they were."""
        return {id(value) for level in self.levels or () for value in level}

    def _changes(self, start: int) -> Any:
        """Compare each list and dictionary with its old content, in which the old rows' inner ones stand for themselves."""
        before, old_levels = self._before()
        own, ways = self._own(old_levels), self.ways()
        for level, olds in zip(self.levels or (), old_levels, strict=True):
            for value, old in zip(level, olds, strict=True):
                if type(value) is not tuple and not _holds_same(value, old, own):
                    position, path = ways[id(value)]
                    yield start + position, path, value.copy()
        del before  # the ids in `own` are those of its parts

    def _before(self) -> tuple[list[Any], list[list[Any]]]:
        """The rows as they were, made anew, with what is in them."""
        assert self.content is not None
        before = marshal.loads(self.content)  # noqa: S302 - our own
        levels = _levels(before)
        assert levels is not None
        return before, levels

    def _own(self, old_levels: list[list[Any]]) -> dict[int, Any]:
        """By the id of what was made anew, the rows' own."""
        pairs = zip(old_levels, self.levels or (), strict=True)
        return {id(old): value for olds, values in pairs for old, value in zip(olds, values, strict=True)}

    def ways_to(self, wanted: set[int]) -> dict[int, tuple[int, tuple[Any, ...]]]:
        """The same for some of them: a row is soon found, what is within one takes a look at all of them."""
        found: dict[int, tuple[int, tuple[Any, ...]]] = {}
        for position, key in enumerate(map(id, self.rows)):
            if key in wanted:
                found.setdefault(key, (position, ()))
        return found if self.cannot_change or len(found) == len(wanted) else {key: way for key, way in self.ways().items() if key in wanted}

    def ways(self) -> dict[int, tuple[int, tuple[Any, ...]]]:
        """For each list, dictionary and tuple as it was, by id: the position of its row, and the keys that led to it."""
        if self.cannot_change:
            return self.ways_to(self.ids())
        before, old_levels = self._before()
        own = self._own(old_levels)
        found: dict[int, tuple[int, tuple[Any, ...]]] = {}
        waiting: list[tuple[Any, int, tuple[Any, ...]]] = [(row, n, ()) for n, row in enumerate(before) if id(row) in own]
        while waiting:
            old, position, path = waiting.pop()
            found.setdefault(id(own[id(old)]), (position, path))
            inner: Any = old.items() if type(old) is dict else enumerate(old)
            waiting += [(each, position, (*path, key)) for key, each in inner if id(each) in own]
        return found


def _content(rows: Any) -> bytes | None:
    try:
        return marshal.dumps(rows, _BY_VALUE)
    except ValueError:  # something else than plain values, or deeper than it goes
        return None


def _levels(rows: Any) -> list[list[Any]] | None:
    """Lists, dictionaries and tuples in rows, from the rows themselves inwards; None where they are too deep, or hold sets."""
    levels: list[list[Any]] = []
    level: Any = rows
    while True:
        kinds = set(map(type, level))
        if not kinds.isdisjoint(_CHANGING_KINDS):
            return None
        if kinds.isdisjoint(PLAIN_KINDS):
            return levels
        if len(levels) == _DEEPEST:
            return None
        inner = [value for value in level if type(value) in PLAIN_KINDS]
        levels.append(inner)
        level = _Within(inner)


def _flat_levels(rows: list[Any] | tuple[Any, ...], *, is_looked_at: bool, are_flat: bool) -> list[list[Any]] | None:
    """The same for numbers and texts, and for rows that are looked at and hold nothing else; None for any others.

    `are_flat`: that is known of them.
    """
    kinds = set(map(type, rows))
    if kinds <= ATOMIC:
        return []
    if not is_looked_at or not kinds <= ATOMIC | PLAIN_KINDS:
        return None
    inner = list(rows) if kinds <= PLAIN_KINDS else [value for value in rows if type(value) in PLAIN_KINDS]
    if are_flat:
        return [inner]
    if not set(map(type, _Within(inner))) <= ATOMIC:
        return None
    keyed = [value for value in inner if type(value) is dict] if dict in kinds else []
    return [inner] if set(map(type, itertools.chain.from_iterable(keyed))) <= ATOMIC else None


_CHANGING_KINDS = frozenset({set, frozenset, bytearray})


class _Within:
    """What is in lists, tuples and dictionaries, to be gone through more than once, at the speed of C where all are of one kind."""

    def __init__(self, inner: list[Any]) -> None:
        self._inner = inner
        self._kinds = set(map(type, inner))

    def __iter__(self) -> Iterator[Any]:
        if dict not in self._kinds:
            return itertools.chain.from_iterable(self._inner)
        if len(self._kinds) == 1:
            return itertools.chain.from_iterable(map(dict.values, self._inner))
        return itertools.chain.from_iterable(value.values() if type(value) is dict else value for value in self._inner)


def _are_same(one: list[list[Any]], other: list[list[Any]]) -> bool:
    return list(map(len, one)) == list(map(len, other)) and all(all(map(operator.is_, a, b)) for a, b in zip(one, other, strict=True))


def _holds_same(value: Any, old: Any, own: dict[int, Any]) -> bool:
    if len(value) != len(old):
        return False
    if type(value) is dict:
        return _content(list(value)) == _content(list(old)) and _holds_same(list(value.values()), list(old.values()), own)
    return all(a is own[id(b)] if id(b) in own else _is_atom(a, b) for a, b in zip(value, old, strict=True))


def _is_atom(value: Any, old: Any) -> bool:
    return type(value) is type(old) and (value is old or _content(value) == _content(old))


def held_among(value: Any, ids: set[int]) -> set[int] | None:
    """Which of these objects a value holds, not counting what is within one of them; None for a value of kinds that are not looked into."""
    found: set[int] = set()
    level = [value]
    for _ in range(_DEEPEST):
        inner = [each for each in level if type(each) not in ATOMIC]
        if not set(map(type, inner)) <= LOOKED_INTO:
            return None
        met = ids.intersection(map(id, inner))
        if met:
            found |= met
            inner = [each for each in inner if id(each) not in met]
        if not inner:
            return found
        level = list(itertools.chain.from_iterable(map(parts_of, inner)))
    return None


_FEW = 64


def _few_in(value: Any) -> set[int] | None:
    """Ids of what a value holds but numbers and texts, if it is of kinds that are looked into, and little."""
    found: set[int] = set()
    level = [value]
    for _ in range(_DEEPEST):
        inner = [each for each in level if type(each) not in ATOMIC]
        if not inner:
            return found
        found |= set(map(id, inner))
        if len(inner) > _FEW or len(found) > _FEW or not set(map(type, inner)) <= LOOKED_INTO:
            return None
        level = list(itertools.chain.from_iterable(map(parts_of, inner)))
    return None


LOOKED_INTO = PLAIN_KINDS | {Counter, OrderedDict, deque, set, frozenset, Tape}


def parts_of(value: Any) -> Iterable[Any]:
    """What is in a value of one of these kinds."""
    if isinstance(value, dict):
        return itertools.chain(value, value.values())
    if type(value) is Tape:
        return () if type(value.values) is array else value.values
    return value  # type: ignore[no-any-return]  # of one of the kinds above
