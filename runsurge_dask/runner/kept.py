"""Rows of a list that stay in files where the chunks left them, until the script needs the list itself.

    results.append(f(row))       each chunk writes its rows to a file; the driver notes file and count
    for r in results: ...        each chunk of the next stage reads files; nothing comes to the driver
    results[0]                   one page is read, and stays
    writer.writerows(results)    a page at a time is in memory, where all of them would not fit
    results.sort()               `settle`: the rows are read, and the list is what it would have been

Only lists that the analysis has followed (`analysis.kept`) are noted, and only rows that are plain values (`runner.pages`).
"""

from __future__ import annotations

import bisect
import contextlib
import itertools
import os
import sys
import types
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from runsurge_dask.runner.codec import not_collecting
from runsurge_dask.runner.limits import spare_bytes
from runsurge_dask.runner.pages import Page, Selection, read_page, runs_of

if TYPE_CHECKING:
    from collections.abc import Iterator

LEAST_BYTES = 1 << 16
"""Fewer bytes of rows are sent back as ever: a file costs more."""
OBJECT_FACTOR = 10
"""Rows hold so many times the bytes that they take when written: numbers 8, short texts in lists 12 (measured)."""

Holder = Page | Selection | list[Any]
Segment = tuple[Holder, int, int]
"""A page, some rows of one, or rows in memory, and the positions in it from which and up to which its rows are meant."""


@dataclass(slots=True)
class KeptRows:
    """What a list lacks, in order; the list itself holds what comes after, so that it may go on growing."""

    rows: list[Any]
    segments: list[Segment] = field(default_factory=list)
    is_read: bool = False
    """Chunks may be reading the files."""
    _ends: list[int] = field(default_factory=list)
    """For each segment, how many rows there are up to its end."""

    def __len__(self) -> int:
        return self.missing + len(self.rows)

    @property
    def missing(self) -> int:
        """How many rows come before those of the list itself."""
        return self._ends[-1] if self._ends else 0

    def add(self, holder: Holder, first: int, last: int) -> None:
        """Let more rows follow: some of a page, or of a list in memory."""
        if self.rows:
            tail = self.rows[:]
            self.rows.clear()
            self.add(tail, 0, len(tail))
        self.segments.append((holder, first, last))
        self._ends.append(self.missing + last - first)

    def pieces(self, start: int, end: int) -> Iterator[Segment]:
        """Where the rows from one position to another are."""
        missing = self.missing
        place = bisect.bisect_right(self._ends, start)
        while start < min(end, missing):
            holder, _, last = self.segments[place]
            until = min(end, self._ends[place])
            shift = last - self._ends[place]
            yield holder, start + shift, until + shift
            start, place = until, place + 1
        if start < end and self.rows:
            yield self.rows, start - missing, end - missing

    def place_of(self, position: int) -> tuple[Page | list[Any], int]:
        """The page or list that has a row, and where."""
        [(holder, first, _)] = self.pieces(position, position + 1)
        return (holder.page, holder.positions[first]) if isinstance(holder, Selection) else (holder, first)

    @property
    def size(self) -> int:
        """Bytes in files."""
        return sum(page.size for page in self.pages)

    @property
    def pages(self) -> list[Page]:
        """Those that are not in memory for good."""
        found = [holder.page if isinstance(holder, Selection) else holder for holder, _, _ in self.segments]
        return [page for page in found if isinstance(page, Page) and not page.is_pinned]


_kept: dict[int, KeptRows] = {}
"""By the id of the list, which is held here and so keeps its id."""


def kept_rows(rows: Any) -> KeptRows | None:
    """What is noted of a list; None where it is all there."""
    return _kept.get(id(rows)) if _kept else None


def _noted(rows: list[Any]) -> KeptRows:
    found = _kept.get(id(rows))
    if found is None:
        for key in [key for key, other in _kept.items() if sys.getrefcount(other.rows) <= OURS]:
            _remove(_own_paths(_kept.pop(key)))
        found = _kept[id(rows)] = KeptRows(rows)
    return found


OURS = 2
"""References to a list that only its `KeptRows` still holds, and the question."""


def keep(rows: list[Any], part: Any) -> None:
    """Let more rows follow those of a list; `part` has them, or says as a tuple in which file they are, and in which pages."""
    if type(part) is Selected:
        for holder, first, last in part.segments:
            _follow(rows, holder, first, last)
        return
    if type(part) is not tuple:
        rows.extend(part)
        return
    path, pages = part
    if type(rows) is not list:
        for start, (size, _) in zip(itertools.accumulate((size for size, _ in pages), initial=0), pages, strict=False):
            rows.extend(read_page(path, start, size))
        return
    offsets = itertools.accumulate((size for size, _ in pages), initial=0)
    for offset, (size, count) in zip(offsets, pages, strict=False):
        _noted(rows).add(Page(path, offset, size), 0, count)


def _follow(rows: list[Any], holder: Holder, first: int, last: int) -> None:
    if isinstance(holder, list):
        rows.extend(holder[first:last])
    else:
        _noted(rows).add(holder, first, last)


@dataclass(frozen=True, slots=True)
class Selected:
    """Rows of another list that a chunk has given back as they are."""

    segments: list[Segment]


SELECTED = ""
"""Stands in place of a file's path before the positions of rows that a chunk was given, and gives back as they are."""


def selected(rows: Any, positions: list[int]) -> Selected | list[Any]:
    """The rows at these positions of a list, which stay where they are."""
    found = kept_rows(rows)
    if found is None:
        return [rows[position] for position in positions]
    runs: list[tuple[Page | list[Any], list[int]]] = []
    for position in positions:
        holder, place = found.place_of(position)
        if not runs or runs[-1][0] is not holder:
            runs.append((holder, []))
        runs[-1][1].append(place)
    return Selected([_selection(holder, places) for holder, places in runs])


def _selection(holder: Page | list[Any], places: list[int]) -> Segment:
    if isinstance(holder, list):
        return [holder[place] for place in places], 0, len(places)
    return Selection(holder, places), 0, len(places)


def joined(parts: list[Any]) -> list[Any]:
    """The list that a comprehension makes of its parts."""
    whole: list[Any] = []
    for part in parts:
        keep(whole, part)
    return whole


def _own_paths(found: KeptRows) -> set[str]:
    """The files that only these rows stand in, and that nobody reads."""
    held = {page.path for other in _kept.values() for page in other.pages}
    return set() if found.is_read else {page.path for page in found.pages} - held


def _remove(paths: set[str]) -> None:
    _close(paths)
    for path in paths:
        with contextlib.suppress(OSError):
            os.remove(path)


def in_memory(rows: list[Any]) -> list[Any]:
    """The rows of a list that the script may hold, too: all but those that only stand in files."""
    found = kept_rows(rows)
    if found is None:
        return rows
    held: list[Any] = []
    for holder, first, last in found.segments:
        runs = [(first, last, holder[first:last])] if isinstance(holder, list) else runs_of(holder, first, last)
        for _, _, part in runs:
            held += part or []
    return held + rows


def settle(rows: Any) -> Any:
    """Make a list what the script takes it for."""
    found = _kept.pop(id(rows), None) if _kept else None
    if found is None:
        return rows
    paths = _own_paths(found)
    tail = rows[:]
    rows.clear()
    with not_collecting():
        for holder, first, last in found.segments:
            rows.extend((holder if isinstance(holder, list) else holder.pin())[first:last])
    rows.extend(tail)
    _remove(paths)
    return rows


def fits(size_bytes: int) -> bool:
    """Whether rows that take so many bytes in a file may as well be in memory."""
    return size_bytes * OBJECT_FACTOR < spare_bytes()


def through(rows: Any, start: int = 0) -> Any:
    """What one may take who goes through rows once and looks at nothing else: the list, or where it would not fit, its rows."""
    if not _kept and not start:
        return rows
    if type(rows) is Counted:
        return enumerate(through(rows.rows), rows.start)
    found = kept_rows(rows)
    if found is not None and not fits(found.size):
        return stream(rows, start)
    settle(rows)
    return rows if not start else itertools.islice(rows, start, None)


def taken(owner: Any, method: str, rows: Any) -> Any:
    """What to hand to a method that may only go through the rows: the list itself unless it is known to do no more."""
    kind = type(owner)
    is_known = kind.__module__ in {"csv", "_csv", "io", "_io", "runsurge_dask.runner.sources", "runsurge_dask.runner.files"} or kind is str
    is_module = getattr(owner, "__name__", "") in {"heapq", "statistics"} and isinstance(owner, types.ModuleType)
    return through(rows) if is_known or (is_module and method in {"fmean", "nlargest", "nsmallest"}) else settle(rows)


def stream(rows: list[Any], start: int) -> Iterator[Any]:
    """Rows one by one, a page at a time in memory."""
    found = _kept[id(rows)]
    entered: list[Page | Selection] = []
    held: Any = None
    try:
        for holder, first, last in list(found.pieces(start, len(found))):
            current = 0
            if isinstance(holder, list):
                held = holder
            else:
                held, current = holder.enter(), 1
                entered.append(holder)
            for position in range(first, last):
                yield held[position]
                while len(entered) > current:  # whoever asks for the next row may hold the one before no longer
                    entered.pop(0).leave()
    finally:
        held = None
        while entered:
            entered.pop().leave()


@dataclass(frozen=True, slots=True)
class Counted:
    """`enumerate(rows, start)` of a list that is not all there."""

    rows: list[Any]
    start: int


def counted(rows: Any, start: Any = 0) -> Any:
    """`enumerate(rows, start)`, for a site."""
    return enumerate(rows, start) if kept_rows(rows) is None or type(start) is not int else Counted(rows, start)


def count(rows: Any) -> int:
    """`len` of a list, whether all of it is there or not."""
    found = kept_rows(rows)
    return len(rows) if found is None else len(found)


def item(rows: Any, index: Any) -> Any:
    """`rows[index]`; as long as somebody holds it, it is that object that stands in the list."""
    found = kept_rows(rows)
    if found is None or type(index) is not int or not -len(found) <= index < len(found):
        return (rows if found is None else settle(rows))[index]
    holder, place = found.place_of(index % len(found))
    return holder[place] if isinstance(holder, list) else _opened(holder)[place]


_open: deque[Page] = deque()
"""Pages of which single rows were asked for last: the next ones are often beside them."""
MOST_OPEN = 4


def _opened(page: Page) -> list[Any]:
    if page in _open:
        return page.read()
    while len(_open) >= MOST_OPEN:
        _open.popleft().leave()
    _open.append(page)
    return page.enter()


def _close(paths: set[str]) -> None:
    """Forget the open pages of some files."""
    for page in [page for page in _open if page.path in paths]:
        _open.remove(page)
        page.leave()


def between(rows: Any, start: Any, stop: Any) -> Any:
    """`rows[start:stop]`, for one who may do with it whatever he wants."""
    return settle(part(rows, start, stop))


def part(rows: Any, start: Any, stop: Any) -> Any:
    """`rows[start:stop]`, whose rows stay where they are."""
    found = kept_rows(rows)
    if found is None:
        return rows[start:stop]
    first, last, _ = slice(start, stop).indices(len(found))
    whole: list[Any] = []
    for holder, begin, end in found.pieces(first, last):
        _follow(whole, holder, begin, end)
    return whole
