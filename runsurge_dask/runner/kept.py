"""Rows of a list that stay in files where the chunks left them, until the script needs the list itself.

    results.append(f(row))       each chunk writes its rows to a file; the driver notes file and count
    for r in results: ...        each chunk of the next stage reads files; nothing comes to the driver
    results.sort()               `settle`: the rows are read, and the list is what it would have been

Only lists that the analysis has followed (`analysis.kept`) are noted, and only rows that are plain values.
"""

from __future__ import annotations

import bisect
import contextlib
import io
import itertools
import os
import sys
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from runsurge_dask.runner.plain import load_plain

if TYPE_CHECKING:
    from collections.abc import Iterator

LEAST_BYTES = 1 << 16
"""Fewer bytes of rows are sent back as ever: a file costs more."""


@dataclass(frozen=True, slots=True)
class Part:
    """Rows in one place of a file: `count` of them from row `first` on of those written there."""

    path: str
    offset: int
    size: int
    """Bytes there."""
    count: int
    first: int = 0

    def load(self) -> list[Any]:
        """The rows, made anew."""
        with io.FileIO(self.path) as file:
            rows: list[Any] = load_plain(os.pread(file.fileno(), self.size, self.offset))
        return rows if self.first == 0 and len(rows) == self.count else rows[self.first : self.first + self.count]

    def cut(self, start: int, end: int) -> Part:
        """Some of its rows."""
        return replace(self, first=self.first + start, count=end - start)

    def as_list(self) -> list[Any]:
        """For a message."""
        return [self.path, self.offset, self.size, self.count, self.first]


@dataclass(slots=True)
class KeptRows:
    """What a list lacks, in order; the list itself holds what comes before."""

    rows: list[Any]
    parts: list[Part | list[Any]] = field(default_factory=list)
    is_read: bool = False
    """Chunks may be reading the files."""
    _ends: list[int] = field(default_factory=list)
    """For each part, how many rows of parts there are up to its end."""

    def __len__(self) -> int:
        return len(self.rows) + (self._ends[-1] if self._ends else 0)

    def add(self, part: Part | list[Any]) -> None:
        """Let more rows follow."""
        self.parts.append(part)
        self._ends.append((self._ends[-1] if self._ends else 0) + _count(part))

    def pieces(self, start: int, end: int) -> Iterator[Part | list[Any]]:
        """Where the rows from one position to another are."""
        if start < len(self.rows):
            yield self.rows[start:end]
        start, end = max(0, start - len(self.rows)), end - len(self.rows)
        place = bisect.bisect_right(self._ends, start)
        while start < end and place < len(self.parts):
            part, above = self.parts[place], self._ends[place]
            below = above - _count(part)
            until = min(end, above)
            yield part.cut(start - below, until - below) if isinstance(part, Part) else part[start - below : until - below]
            start, place = until, place + 1

    def stream(self, start: int = 0) -> Iterator[Any]:
        """The rows one by one, a part at a time in memory."""
        for piece in self.pieces(start, len(self)):
            yield from piece.load() if isinstance(piece, Part) else piece

    @property
    def size(self) -> int:
        """Bytes in files."""
        return sum(part.size for part in self.parts if isinstance(part, Part))


def _count(part: Part | list[Any]) -> int:
    return part.count if isinstance(part, Part) else len(part)


_kept: dict[int, KeptRows] = {}
"""By the id of the list, which is held here and so keeps its id."""


def kept_rows(rows: Any) -> KeptRows | None:
    """What is noted of a list; None where it is all there."""
    return _kept.get(id(rows)) if _kept else None


def keep(rows: list[Any], part: Part | list[Any]) -> None:
    """Let more rows follow those of a list, without reading them."""
    if id(rows) not in _kept:
        for key in [key for key, found in _kept.items() if sys.getrefcount(found.rows) <= OURS]:
            _remove(_kept.pop(key))
        _kept[id(rows)] = KeptRows(rows)
    _kept[id(rows)].add(part)


OURS = 2
"""References to a list that only its `KeptRows` still holds, and the question."""


def _remove(found: KeptRows) -> None:
    if found.is_read:
        return
    held = {part.path for other in _kept.values() for part in other.parts if isinstance(part, Part)}
    for path in {part.path for part in found.parts if isinstance(part, Part)} - held:
        with contextlib.suppress(OSError):
            os.remove(path)


def parts_of(found: Any) -> list[Part]:
    """What a chunk says of the rows that it has left: a path, and for each piece its size and count of rows."""
    path, pieces = found
    offsets = itertools.accumulate((size for size, _ in pieces), initial=0)
    return [Part(path, offset, size, count) for offset, (size, count) in zip(offsets, pieces, strict=False)]


def joined(parts: list[Any]) -> list[Any]:
    """The list that a comprehension makes of its parts, each of them rows or, as a tuple, where they are."""
    whole: list[Any] = []
    for part in parts:
        if type(part) is tuple:
            for piece in parts_of(part):
                keep(whole, piece)
        elif kept_rows(whole) is not None:
            keep(whole, part)
        else:
            whole.extend(part)
    return whole


def settle(rows: Any) -> Any:
    """Make a list what the script takes it for."""
    found = _kept.pop(id(rows), None) if _kept else None
    if found is not None:
        for part in found.parts:
            rows.extend(part.load() if isinstance(part, Part) else part)
        _remove(found)
    return rows


def count(rows: Any) -> int:
    """`len` of a list, whether all of it is there or not."""
    found = kept_rows(rows)
    return len(rows) if found is None else len(found)
