"""Pages: rows that stand in a file, and come into memory while somebody goes through them.

A page is forgotten again when nobody goes through it any more, unless the script still holds one of its rows, or has changed
one: then it stays, so that every row is one object with one content.
"""

from __future__ import annotations

import io
import marshal
import os
import sys
from dataclasses import dataclass
from typing import Any

from runsurge_dask.runner.plain import ATOMIC, load_plain

_CONTAINERS = frozenset({list, dict, tuple})
_HELD_BY_US = 4
"""References to a list within rows: of its row, of the level that is looked at, of the loop over it, and of the question."""
_NO_REFERENCES = 2
"""The version of the format in which equal values are equal bytes."""


def read_page(path: str, offset: int, size: int) -> list[Any]:
    """The rows in one place of a file, made anew."""
    with io.FileIO(path) as file:
        rows: list[Any] = load_plain(os.pread(file.fileno(), size, offset))
    return rows


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

    def read(self) -> list[Any]:
        """The rows, made anew where nobody has them."""
        return read_page(self.path, self.offset, self.size) if self.rows is None else self.rows

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
        """Forget the rows, if that cannot show."""
        self.users -= 1
        if self.users or self.is_pinned or self.rows is None:
            return
        if is_held(self.rows) or not self._is_unchanged(self.rows):
            self.is_pinned = True
        else:
            self.rows = None

    def _is_unchanged(self, rows: list[Any]) -> bool:
        if cannot_change(rows):
            return True
        try:
            return marshal.dumps(rows, _NO_REFERENCES) == marshal.dumps(read_page(self.path, self.offset, self.size), _NO_REFERENCES)
        except ValueError:  # something else than plain values stands in them now
            return False


@dataclass(slots=True, eq=False)
class Selection:
    """Some rows of a page, or of a list in memory: what a filter has left of them."""

    page: Page | list[Any]
    positions: list[int]

    @property
    def rows(self) -> list[Any] | None:
        """The rows, if they are in memory."""
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
    return kinds <= ATOMIC or (kinds <= ATOMIC | {tuple} and all(set(map(type, row)) <= ATOMIC for row in rows if type(row) is tuple))


def is_held(rows: list[Any]) -> bool:
    """Whether anybody but the list holds one of its rows, or a list or a dictionary within one."""
    level = [value for value in rows if type(value) in _CONTAINERS]
    while level:
        if any(sys.getrefcount(value) > _HELD_BY_US and type(value) is not tuple for value in level):
            return True
        level = [each for value in level for each in (value.values() if type(value) is dict else value) if type(each) in _CONTAINERS]
    return False
