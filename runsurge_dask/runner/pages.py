"""Pages: rows that stand in a file, and come into memory while somebody goes through them.

A page is forgotten again when nobody goes through it any more, but for rows of it that the script still holds, or has changed:
those stay, so that every row is one object with one content.
"""

from __future__ import annotations

import io
import itertools
import marshal
import os
import sys
from dataclasses import dataclass, field
from typing import Any

from runsurge_dask.runner.plain import ATOMIC, load_plain

_CONTAINERS = frozenset({list, dict, tuple})
_HELD_BY_US = 4
"""References to a list within rows: of its row, of the level that is looked at, of the loop over it, and of the question."""
_NO_REFERENCES = 2
"""The version of the format in which equal values are equal bytes."""


def read_page(path: str, offset: int, size: int) -> list[Any]:
    """The rows in one place of a file, made anew."""
    rows: list[Any] = load_plain(read_blob(path, offset, size))
    return rows


def read_blob(path: str, offset: int, size: int) -> bytes:
    """The same, as they were written."""
    with io.FileIO(path) as file:
        return os.pread(file.fileno(), size, offset)


@dataclass(slots=True, eq=False)
class Page:
    """Rows in one place of a file, or in memory for good."""

    path: str
    offset: int
    size: int
    """Bytes there."""
    rows: list[Any] | None = None
    users: int = 0
    """Who goes through its rows now."""
    is_pinned: bool = False
    held: dict[int, Any] = field(default_factory=dict)
    """Rows that somebody has, or has changed, by their place: they stand for those in the file."""

    def read(self) -> list[Any]:
        """The rows, made anew where nobody has them."""
        if self.rows is not None:
            return self.rows
        rows = read_page(self.path, self.offset, self.size)
        for place, row in self.held.items():
            rows[place] = row
        return rows

    def pin(self) -> list[Any]:
        """The rows, which stay in memory from now on."""
        self.rows, self.is_pinned = self.read(), True
        return self.rows

    def enter(self) -> list[Any]:
        """The rows for one who goes through them."""
        self.rows = self.read()
        self.users += 1
        return self.rows

    def leave(self) -> None:
        """Forget the rows, as far as that cannot show."""
        self.users -= 1
        if self.users or self.is_pinned or self.rows is None:
            return
        self.held = {}
        if not cannot_change(self.rows):
            stay = {*held_places(self.rows), *self._changed_places(self.rows)}
            self.held = {place: self.rows[place] for place in stay}
        self.rows = None

    def _changed_places(self, rows: list[Any]) -> list[int]:
        written = read_page(self.path, self.offset, self.size)
        if _written(rows) == _written(written):
            return []
        return [place for place, row in enumerate(rows) if (now := _written(row)) is None or now != _written(written[place])]


def _written(value: Any) -> bytes | None:
    """A value as bytes; None where something else than plain values stands in it now."""
    try:
        return marshal.dumps(value, _NO_REFERENCES)
    except ValueError:
        return None


@dataclass(slots=True, eq=False)
class Selection:
    """Some rows of a page, or of a list in memory: what a filter has left of them."""

    page: Page | list[Any]
    positions: list[int]

    @property
    def rows(self) -> list[Any] | None:
        """The rows, if all of them are in memory."""
        held = self.page.rows if isinstance(self.page, Page) else self.page
        return None if held is None else self._of(held)

    def pin(self) -> list[Any]:
        """The rows, which stay in memory from now on."""
        return self._of(self.page.pin() if isinstance(self.page, Page) else self.page)

    def enter(self) -> list[Any]:
        """The rows for one who goes through them."""
        return self._of(self.page.enter() if isinstance(self.page, Page) else self.page)

    def leave(self) -> None:
        """Forget the rows, if that cannot show."""
        if isinstance(self.page, Page):
            self.page.leave()

    def _of(self, rows: list[Any]) -> list[Any]:
        return [rows[position] for position in self.positions]


def cannot_change(rows: list[Any]) -> bool:
    """Whether rows are numbers and texts, or tuples of such: which object has them cannot be seen."""
    kinds = set(map(type, rows))
    if not kinds <= ATOMIC | {tuple}:
        return False
    tuples = rows if len(kinds) == 1 else [row for row in rows if type(row) is tuple]
    return kinds <= ATOMIC or set(map(type, itertools.chain.from_iterable(tuples))) <= ATOMIC


def is_held(rows: list[Any]) -> bool:
    """Whether anybody but the list holds one of its rows, or a list or a dictionary within one."""
    level = [value for value in rows if type(value) in _CONTAINERS]
    while level:
        if any(sys.getrefcount(value) > _HELD_BY_US and (type(value) is not tuple or not cannot_change([value])) for value in level):
            return True
        level = [each for value in level for each in (value.values() if type(value) is dict else value) if type(each) in _CONTAINERS]
    return False


def held_places(rows: list[Any]) -> list[int]:
    """Where the rows stand of which anybody but the list holds something that can change."""
    if not is_held(rows):
        return []
    places = set()
    level = [(place, value) for place, value in enumerate(rows) if type(value) in _CONTAINERS]
    while level:
        for place, value in level:
            if sys.getrefcount(value) > _HELD_BY_US and (type(value) is not tuple or not cannot_change([value])):
                places.add(place)
        level = [
            (place, each)
            for place, value in level
            for each in (value.values() if type(value) is dict else value)
            if type(each) in _CONTAINERS
        ]
    return sorted(places)


def runs_of(holder: Page | Selection, first: int, last: int) -> list[tuple[int, int, list[Any] | None]]:
    """A holder's rows in between, in runs: from where up to where, and the rows themselves where they do not stand in the file."""
    page = holder.page if isinstance(holder, Selection) else holder
    rows = holder.rows
    if rows is not None or not isinstance(page, Page):
        return [(first, last, (rows or [])[first:last])]
    places = holder.positions[first:last] if isinstance(holder, Selection) else range(first, last)
    runs: list[tuple[int, int, list[Any] | None]] = []
    for is_held_here, group in itertools.groupby(enumerate(places, first), lambda each: each[1] in page.held) if page.held else ():
        found = list(group)
        runs.append((found[0][0], found[-1][0] + 1, [page.held[place] for _, place in found] if is_held_here else None))
    return runs or [(first, last, None)]
