"""A small file made of pieces of a large one: whole records, from all over it, under the same header.

    station,celsius         station,celsius
    Oslo,1.5                Oslo,1.5            the header and the first records
    ...                     Quito,14.0          and some from further down, and further down again
    Riga,3.0                Riga,3.0

A sample from the head alone would not see the groups, the wide rows and the long texts that come later.
"""

from __future__ import annotations

import ast
import csv
import io
import itertools
import json
import os
import re
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Range = tuple[int, int]

PIECE_BYTES = 16 << 10
MOST_PIECES = 64
"""With so many places, groups that fill more than a few per cent of the file are met."""
WINDOW_BYTES = 64 << 10
WIDEST_RECORD_BYTES = 8 << 20
"""A text without an end of line in so many bytes is not cut."""
_TRIED_RECORDS = 30
"""Records after a place that show whether it is inside quotes."""
_COPY_BYTES = 256 << 10
_PACKED = (
    b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"PK\x03\x04", b"(\xb5/\xfd", b"ARROW1", b"SQLite format 3", b"\x80\x04", b"\x80\x05", b"\x89HDF",
)  # fmt: skip
"""How files begin whose parts are no files of the same kind."""


def cut_sample(path: str, wanted_bytes: int, target: BinaryIO) -> float:
    """Write about so many bytes of a file to the target; the share of its records that they are, 0 where it cannot be cut."""
    size = os.stat(path).st_size
    with io.FileIO(path) as file:
        head = file.read(WINDOW_BYTES)
        if head.startswith(_PACKED) or wanted_bytes >= size:
            return 0.0
        if head.startswith(b"PAR1"):
            return _cut_parquet(path, wanted_bytes / size, target)
        if head.startswith(b"\x93NUMPY"):
            return _cut_array(file, head, size, wanted_bytes, target)
        if b"\0" in head:
            return _cut_bytes(file, size, wanted_bytes, target)
        if head.lstrip().startswith(b"["):
            share = _cut_json(file, size, wanted_bytes, target)
            return share or (0.0 if _is_one_line(head) else _cut_text(file, head, size, wanted_bytes, target))
        return 0.0 if _is_json_object(head) else _cut_text(file, head, size, wanted_bytes, target)


def places(count: int, size: int, length: int) -> Iterator[int]:
    """Where pieces of one length begin that are spread evenly over a size, the first at its start and the last up to its end."""
    for number in range(count):
        yield (size - length) * number // max(1, count - 1)


def _piece_count(wanted_bytes: int) -> int:
    return max(2, min(MOST_PIECES, wanted_bytes // PIECE_BYTES))


def _copy(file: io.FileIO, start: int, end: int, target: BinaryIO) -> int:
    target.writelines(os.pread(file.fileno(), min(_COPY_BYTES, end - at), at) for at in range(start, end, _COPY_BYTES))
    return end - start


def _cut_text(file: io.FileIO, head: bytes, size: int, wanted_bytes: int, target: BinaryIO) -> float:
    """Lines; where there are quotes, records as the csv module sees them."""
    shape = _Shape(head)
    return _cut_between(file, size, wanted_bytes, target, lambda at: _record_start(file, at, size, shape))


def _cut_between(file: io.FileIO, size: int, wanted_bytes: int, target: BinaryIO, record_start: Callable[[int], int]) -> float:
    count = _piece_count(wanted_bytes)
    length = wanted_bytes // count
    written = last = 0
    for place in places(count, size, length):
        start = 0 if place == 0 else record_start(max(place, last))
        end = record_start(min(start + length, size))
        if end > start:
            written += _copy(file, start, end, target)
            last = end
    return written / size


class _Shape:
    """The delimiter and the number of fields of a table, as its first line has them."""

    def __init__(self, head: bytes) -> None:
        self.line = head.split(b"\n", 1)[0].decode("utf-8", "replace").rstrip("\r")
        self.delimiter = max(",;\t|", key=self.line.count)
        self.width = len(next(csv.reader([self.line], delimiter=self.delimiter), []))

    def agreement(self, text: str) -> float:
        """How many of the first records of a text have the width of the header."""
        lines = io.StringIO(text, newline="")
        try:
            records = list(itertools.islice(csv.reader(lines, delimiter=self.delimiter), _TRIED_RECORDS + 1))
        except csv.Error:
            return 0.0
        whole = records[:-1]
        return sum(len(record) == self.width for record in whole) / len(whole) if whole else 0.0


def _record_start(file: io.FileIO, at: int, size: int, shape: _Shape) -> int:
    """The first place at or after `at` where a record begins; the end of the file where there is none."""
    if at >= size:
        return size
    window_bytes = WINDOW_BYTES
    while True:
        window = os.pread(file.fileno(), window_bytes, at - 1)
        found = _start_in(window, shape)
        if found is not None:
            return at - 1 + found
        if at - 1 + window_bytes >= size or window_bytes >= WIDEST_RECORD_BYTES:
            return size
        window_bytes *= 4


def _start_in(window: bytes, shape: _Shape) -> int | None:
    if b'"' not in window or shape.width < 2:  # noqa: PLR2004 - prose, or a single column: quotes say nothing
        return window.find(b"\n") + 1 or None
    outside, inside = _line_end(window, is_inside=False), _line_end(window, is_inside=True)
    scores = [shape.agreement(window[at:].decode("utf-8", "replace")) if at is not None else -1.0 for at in (outside, inside)]
    return inside if scores[1] > scores[0] else outside


def _line_end(window: bytes, *, is_inside: bool) -> int | None:
    position = 0
    for line in window.splitlines(keepends=True):
        position += len(line)
        is_inside ^= bool(line.count(b'"') % 2)
        if not is_inside and line.endswith(b"\n"):
            return position
    return None


def _cut_bytes(file: io.FileIO, size: int, wanted_bytes: int, target: BinaryIO) -> float:
    """Bytes of no known form: an even fraction of them, so that arrays of rows that fill the file still fill the sample."""
    near = size / wanted_bytes
    divisors = [d for d in range(max(2, int(near / 2)), int(near * 2) + 1) if size % d == 0]
    if not divisors:
        return 0.0
    wanted_bytes = size // min(divisors, key=lambda d: abs(d - near))
    count = max(1, min(16, wanted_bytes // PIECE_BYTES))
    written = 0
    for number, place in enumerate(places(count, size, wanted_bytes // count)):
        length = wanted_bytes // count + (wanted_bytes % count if number == 0 else 0)
        written += _copy(file, place, place + length, target)
    return written / size


def _cut_array(file: io.FileIO, head: bytes, size: int, wanted_bytes: int, target: BinaryIO) -> float:
    """Rows of an `.npy` file in C order."""
    wide = head[6] > 1
    begin = (12 if wide else 10) + int.from_bytes(head[8 : 12 if wide else 10], "little")
    facts: dict[str, Any] = ast.literal_eval(head[12 if wide else 10 : begin].decode("latin-1"))
    rows = facts["shape"][0] if facts["shape"] else 0
    is_flat = len(facts["shape"]) == 1
    if rows < 2 or (facts["fortran_order"] and not is_flat) or "O" in str(facts["descr"]):  # noqa: PLR2004 - one row is not cut
        return 0.0
    row_bytes = (size - begin) // rows
    if not row_bytes:
        return 0.0
    kept = max(1, wanted_bytes // row_bytes)
    count = min(kept, _piece_count(wanted_bytes))
    length = kept // count
    facts["shape"] = (length * count, *facts["shape"][1:])
    text = repr(facts).encode("latin-1")
    text += b" " * (-(10 + len(text) + 1) % 64) + b"\n"
    target.write(b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text)
    for place in places(count, rows, length):
        _copy(file, begin + place * row_bytes, begin + (place + length) * row_bytes, target)
    return length * count / rows


def _is_one_line(head: bytes) -> bool:
    return head.count(b"\n") < 2  # noqa: PLR2004 - the one at the end


def _is_json_object(head: bytes) -> bool:
    """Whether the file is one JSON object and not a line of JSON after another."""
    line = head.lstrip().split(b"\n", 1)[0]
    if not line.startswith(b"{"):
        return False
    try:
        json.loads(line)
    except ValueError:
        return True
    return b"\n" not in head.strip()


def _cut_json(file: io.FileIO, size: int, wanted_bytes: int, target: BinaryIO) -> float:
    """Items of a JSON array whose items are all written alike."""
    window = os.pread(file.fileno(), 1 << 20, 0)
    text = window.decode("utf-8", "ignore")
    first = re.match(r"\s*\[\s*", text)
    try:
        item, end = json.JSONDecoder().raw_decode(text, first.end() if first else 0)
    except ValueError:
        return 0.0
    comma = re.match(r"\s*,\s*", text[end:])
    if first is None or comma is None or not isinstance(item, dict | list):
        return 0.0
    opener, closer = text[first.end()], text[end - 1]
    between = (closer + comma.group() + opener).encode()
    begin = len(text[: first.end()].encode())

    def item_start(at: int) -> int:
        if at <= begin:
            return begin
        while at < size:
            found = os.pread(file.fileno(), WINDOW_BYTES, at)
            place = found.find(between)
            while place >= 0:
                start = at + place + len(between) - 1
                if _is_alike(os.pread(file.fileno(), 1 << 20, start), item):
                    return start
                place = found.find(between, place + 1)
            at += WINDOW_BYTES - len(between)
        return size

    count = _piece_count(wanted_bytes)
    length = wanted_bytes // count
    written, last = 0, begin
    target.write(b"[")
    for place in places(count, size, length):
        start = item_start(max(place, last))
        end = item_start(start + length)
        if end >= size or end <= start:
            continue
        target.write(b"," if written else b"")
        written += _copy(file, start, end - len(between) + 2, target)
        last = end
    target.write(b"]")
    return written / size


def _is_alike(content: bytes, item: Any) -> bool:
    try:
        other, _ = json.JSONDecoder().raw_decode(content.decode("utf-8", "ignore"))
    except ValueError:
        return False
    if isinstance(item, dict):
        return isinstance(other, dict) and bool(item.keys() & other.keys() or not item)
    return isinstance(other, list)


def _cut_parquet(path: str, share: float, target: BinaryIO) -> float:
    """Rows from the start of row groups spread over the file, in groups of the same number of rows as far as they reach."""
    import pyarrow as pa
    from pyarrow.parquet.core import ParquetFile, ParquetWriter  # not by `pyarrow.parquet`, where stand-ins are

    with ParquetFile(path) as file:
        groups, rows = file.metadata.num_row_groups, file.metadata.num_rows
        if not groups or rows < 2:  # noqa: PLR2004 - one row is not cut
            return 0.0
        wanted = max(1, int(rows * share))
        picked = sorted({(groups - 1) * n // 7 for n in range(8)}) if groups > 1 else [0]
        each = max(1, wanted // len(picked))
        codec = file.metadata.row_group(0).column(0).compression if file.metadata.num_columns else "SNAPPY"
        written = 0
        writer = ParquetWriter(pa.PythonFile(target, mode="w"), file.schema_arrow, compression=codec)
        for group in picked:
            left = each
            for batch in file.iter_batches(batch_size=min(each, 1 << 16), row_groups=[group], use_threads=False):
                part = batch.slice(0, left)
                writer.write_batch(part)
                written, left = written + len(part), left - len(part)
                if left <= 0:
                    break
        writer.close()
    return float(written / rows)
