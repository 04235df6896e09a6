"""Cutting a source into chunks of whole records, and reading one chunk.

A text file is cut after line feeds. Where records may hold line feeds inside quotes, a cut is placed where the number of
quotes before it is even: likely right, and then *proved* while the chunk is read, since a chunk that begins at the start of
a record and whose reader never asks for a line beyond its end also ends at the end of a record.
"""

from __future__ import annotations

import csv
import io
import itertools
import os
from typing import TYPE_CHECKING, Any

from runsurge_dask.runner.escape import Escape

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

BLOCK_BYTES = 1 << 20
"""Read size while looking for cuts."""


def cut_items(count: int, chunks: int) -> list[int]:
    """Boundaries of `chunks` nearly equal runs over `count` items; runs may be empty."""
    return [count * i // chunks for i in range(chunks + 1)]


def cut_file(path: str, start: int, end: int, chunks: int, *, quote: str | None = None) -> list[int]:
    """Boundaries, in bytes, of about `chunks` runs of whole lines (and, as far as quotes tell, of whole records)."""
    with open(path, "rb") as file:
        cuts = [start]
        for i in range(1, chunks):
            target = start + (end - start) * i // chunks
            if target <= cuts[-1]:
                cuts.append(cuts[-1])
                continue
            cuts.append(_next_cut(file, cuts[-1], target, end, quote.encode() if quote else None))
    cuts.append(end)
    return cuts


def next_cut(path: str, last_cut: int, target: int, end: int, *, quote: str | None = None) -> int:
    """The first place at or after `target` where a record can begin, given that one begins at `last_cut`."""
    with open(path, "rb") as file:
        return _next_cut(file, last_cut, max(target, last_cut + 1), end, quote.encode() if quote else None)


def _next_cut(file: Any, last_cut: int, target: int, end: int, quote: bytes | None) -> int:
    """The first place at or after `target` where a record can begin, given that one begins at `last_cut`."""
    file.seek(target - 1)
    is_even = True
    if quote is not None:
        is_even = _count(file, quote, last_cut, target - 1) % 2 == 0
        file.seek(target - 1)
    position = target - 1
    while position < end:
        line = file.readline()
        if not line:
            break
        if quote is not None and line.count(quote) % 2:
            is_even = not is_even
        position += len(line)
        if is_even and line.endswith(b"\n"):
            return min(position, end)
    return end


def _count(file: Any, needle: bytes, start: int, end: int) -> int:
    file.seek(start)
    left, total = end - start, 0
    while left > 0:
        block = file.read(min(BLOCK_BYTES, left))
        if not block:
            break
        total += block.count(needle)
        left -= len(block)
    return total


def count_lines(path: str, cuts: Sequence[int]) -> list[int]:
    """Line feeds in each of the runs between the cuts."""
    with open(path, "rb") as file:
        return [_count(file, b"\n", a, b) for a, b in itertools.pairwise(cuts)]


def read_chunk(spec: Mapping[str, Any], items: Sequence[Any] | None) -> Iterator[Any]:
    """Give the records of one chunk as the script would have seen them."""
    kind = spec["kind"]
    records: Iterator[Any]
    if kind == "items":
        assert items is not None
        records = iter(items)
    elif kind == "range":
        records = iter([{"start": spec["start"], "end": spec["end"]}])
    else:
        text = _open_range(spec)
        if kind == "lines":
            records = iter(text)
        else:
            lines = _Guarded(text)
            records = lines.records(csv.reader(lines, **spec["csv"]))
            if kind == "dict-csv":
                records = iter(_DictRows(records, spec))
    for name, value in spec["wraps"]:
        if name == "enumerate":
            records = enumerate(records, value + spec["index"])
    return records


def _open_range(spec: Mapping[str, Any]) -> io.TextIOWrapper:
    start, end = spec["start"], spec["end"]
    encoding = "utf-8" if spec["encoding"] == "utf-8-sig" and start > 0 else spec["encoding"]
    with open(spec["path"], "rb", buffering=0) as file:
        descriptor = file.fileno()
        size = os.fstat(descriptor).st_size
        if size < end:
            raise Escape("the input file changed while it was read")
        content = bytearray()
        while len(content) < end - start:
            block = os.pread(descriptor, end - start - len(content), start + len(content))
            if not block:
                raise Escape("the input file changed while it was read")
            content += block
    return io.TextIOWrapper(io.BytesIO(content), encoding, spec["errors"], spec["newline"])


class _Guarded:
    """The lines of a chunk for a csv reader, noting whether it ended between two records."""

    def __init__(self, text: io.TextIOWrapper) -> None:
        self._lines = iter(text)
        self._asked_after_end = False

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        try:
            return next(self._lines)
        except StopIteration:
            self._asked_after_end = True
            raise

    def records(self, reader: Iterator[list[str]]) -> Iterator[list[str]]:
        """Records of the reader; a record that was closed only by the end of the chunk is refused."""
        for record in reader:
            if self._asked_after_end:
                raise Escape("a chunk ends inside a quoted record")
            yield record


class _DictRows:
    """`csv.DictReader`'s records, without its header."""

    def __init__(self, rows: Iterator[list[str]], spec: Mapping[str, Any]) -> None:
        self._rows = rows
        self._fields = spec["fields"]
        self._rest = spec["rest"]

    def __iter__(self) -> Iterator[dict[Any, Any]]:
        fields, (restkey, restval) = self._fields, self._rest
        width = len(fields)
        for row in self._rows:
            if not row:
                continue
            record = dict(zip(fields, row, strict=False))
            if len(row) > width:
                record[restkey] = row[width:]
            elif len(row) < width:
                for name in fields[len(row) :]:
                    record[name] = restval
            yield record


class Counting:
    """Records one by one, and how many there have been; those of a list in a row, as all of them will be taken."""

    def __init__(self, records: Any, items: Any = None) -> None:
        self._records = records
        self._are_counted = type(items) is list
        self.count = len(items) if self._are_counted else 0

    def __iter__(self) -> Any:
        return iter(self._records) if self._are_counted else self._one_by_one()

    def _one_by_one(self) -> Any:
        for count, record in enumerate(self._records, self.count + 1):
            self.count = count
            yield record
