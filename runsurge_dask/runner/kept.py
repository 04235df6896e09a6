"""Rows of a list that stay in files where the chunks left them, until the script needs the list itself.

    results.append(f(row))       each chunk writes its rows to a file; the driver notes file and count
    for r in results: ...        each chunk of the next stage reads files; nothing comes to the driver
    results.sort()               `settle`: the rows are read, and the list is what it would have been

Only lists that the analysis has followed (`analysis.kept`) are noted, and only rows that are plain values.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from runsurge_dask.runner.plain import load_plain

if TYPE_CHECKING:
    from collections.abc import Iterator

LEAST_BYTES = 1 << 16
"""Fewer bytes of rows are sent back as ever: a file costs more."""


@dataclass(frozen=True, slots=True)
class Part:
    """Rows in one file."""

    path: str
    count: int
    size: int

    def load(self) -> list[Any]:
        """The rows, made anew."""
        with io.FileIO(self.path) as file:
            rows: list[Any] = load_plain(file.read())
        return rows


@dataclass(slots=True)
class KeptRows:
    """What a list lacks, in order; the list itself holds what comes before."""

    rows: list[Any]
    parts: list[Part | list[Any]] = field(default_factory=list)
    is_read: bool = False
    """Chunks may be reading the files."""

    def __len__(self) -> int:
        return len(self.rows) + sum(part.count if isinstance(part, Part) else len(part) for part in self.parts)

    def bounds(self) -> list[int]:
        """Where parts begin and end among the rows."""
        found = [0, len(self.rows)]
        for part in self.parts:
            found.append(found[-1] + (part.count if isinstance(part, Part) else len(part)))
        return sorted(set(found))

    def pieces(self, start: int, end: int) -> Iterator[Part | list[Any]]:
        """The parts between two bounds."""
        position = 0
        for part in (self.rows, *self.parts):
            length = part.count if isinstance(part, Part) else len(part)
            if length and start <= position < end:
                yield part
            position += length

    @property
    def size(self) -> int:
        """Bytes in files."""
        return sum(part.size for part in self.parts if isinstance(part, Part))


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
    _kept[id(rows)].parts.append(part)


OURS = 2
"""References to a list that only its `KeptRows` still holds, and the question."""


def _remove(found: KeptRows) -> None:
    for part in found.parts:
        if isinstance(part, Part) and not found.is_read:
            with contextlib.suppress(OSError):
                os.remove(part.path)


def joined(parts: list[Any]) -> list[Any]:
    """The list that a comprehension makes of its parts, each of them rows or, as `Part(*part)`, where they are."""
    whole: list[Any] = []
    for part in parts:
        if type(part) is tuple:
            keep(whole, Part(*part))
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
