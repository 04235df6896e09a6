r"""One look over the bytes of a chunk: can reading it raise, and how many rows has it?

For example, with three columns, `b'1,"a\nb",2\n3,,4\n'` has two rows; a row with four fields, an open quote at the end,
bytes that are no UTF-8 or a stray carriage return are refused: the whole file is then read by pandas, at its own line.
Only field counts, quotes and the encoding can make pandas' parser raise where no dtype is demanded.
"""

from __future__ import annotations

import codecs
import os
from typing import TYPE_CHECKING, Any

import numpy as np

from runsurge_dask.runner.escape import Escape

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

BLOCK_BYTES = 1 << 18
NEWLINE, RETURN, SPACE, TAB, QUOTE = 10, 13, 32, 9, 34


def read_range(path: str, start: int, end: int, stamp: tuple[int, ...]) -> bytes:
    """The bytes of a chunk.

    Raises:
        Escape: the file is no longer the one that was looked at.
    """
    with open(path, "rb", buffering=0) as file:
        status = os.fstat(file.fileno())
        content = os.pread(file.fileno(), end - start, start)
        while len(content) < end - start and (block := os.pread(file.fileno(), end - start - len(content), start + len(content))):
            content += block
    if stamp_of(status) != tuple(stamp) or len(content) != end - start:
        raise Escape("the input file changed while it was read")
    return content


class CheckedBytes:
    """The bytes of a chunk as a file for `read_csv`, after a head: looked at block by block, while the processor still has them.

    Raises:
        Escape: from `read`, where pandas might raise on the whole, or see other rows.
    """

    def __init__(self, path: str, span: tuple[int, int], *, head: bytes, stamp: tuple[int, ...], separator: str, encoding: str) -> None:
        self._position, self._end = span
        self._head = head
        self._separator = ord(separator)
        self._decoder = None if encoding == "latin-1" else codecs.getincrementaldecoder(encoding)()
        self._encoding = encoding
        self._last = b""
        self._is_plain = True
        self.separators = 0
        """So many were read."""
        self._descriptor = os.open(path, os.O_RDONLY)
        if stamp_of(os.fstat(self._descriptor)) != tuple(stamp):
            self.close()
            raise Escape("the input file changed while it was read")

    def __iter__(self) -> Iterator[bytes]:
        return iter(())

    def read(self, size: int = -1) -> bytes:
        """The head, or the next block."""
        del size
        if self._head:
            head, self._head = self._head, b""
            return head
        block = os.pread(self._descriptor, min(BLOCK_BYTES, self._end - self._position), self._position)
        if not block and self._position < self._end:
            raise Escape("the input file changed while it was read")
        self._position += len(block)
        self._check(block)
        return block

    def _check(self, block: bytes) -> None:
        if b"\0" in block:
            raise Escape("the file holds zero bytes")
        if b'"' in block:
            raise Escape("quotes where the first rows have none")
        if b"\r" in block or self._last == b"\r":
            joined = self._last + block + (b"" if self._position < self._end else b"\0")
            if joined[:-1].count(b"\r") != joined.count(b"\r\n"):
                raise Escape("a carriage return stands alone")
        self._last = block[-1:]
        if self._decoder is not None and not (self._is_plain and block.isascii()):
            try:
                self._decoder.decode(block, final=self._position >= self._end)
            except UnicodeDecodeError:
                raise Escape(f"the file is not {self._encoding}") from None
            self._is_plain = not self._decoder.getstate()[0]
        self.separators += int(np.count_nonzero(np.frombuffer(block, dtype=np.uint8) == self._separator))

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)


def stamp_of(status: os.stat_result) -> tuple[int, ...]:
    """What tells one state of a file from another."""
    return status.st_size, status.st_mtime_ns, status.st_ino, status.st_dev


def count_rows(content: bytes, separator: str, columns: int, encoding: str) -> int:
    """Rows in a chunk of whole records.

    Raises:
        Escape: pandas might raise on it, or see other rows.
    """
    if b"\0" in content:
        raise Escape("the file holds zero bytes")
    if encoding != "latin-1" and not content.isascii():
        _decode(content, encoding)
    if b"\r" in content and content.count(b"\r") != content.count(b"\r\n"):
        raise Escape("a carriage return stands alone")
    if b'"' in content:
        return _rows_of(content, separator, columns, has_quotes=True)
    return sum(_rows_of(block, separator, columns, has_quotes=False) for block in _blocks_of(content))


def _blocks_of(content: bytes) -> Iterator[memoryview]:
    """Whole lines, in pieces that stay in the processor's cache."""
    view, start = memoryview(content), 0
    while start < len(content):
        end = content.rfind(b"\n", start, start + BLOCK_BYTES) + 1 or content.find(b"\n", start) + 1 or len(content)
        yield view[start:end]
        start = end


def _rows_of(content: bytes | memoryview, separator: str, columns: int, *, has_quotes: bool) -> int:
    octets: NDArray[np.uint8] = np.frombuffer(content, dtype=np.uint8)
    ends = np.flatnonzero(octets == NEWLINE)
    separators = np.flatnonzero(octets == ord(separator))
    if has_quotes:
        ends, separators = _outside_quotes(octets, ends, separators, ord(separator))
    if len(octets) and (not len(ends) or ends[-1] != len(octets) - 1):
        ends = np.append(ends, len(octets))
    if _is_full_grid(ends, separators, columns):
        return len(ends)
    return _count(octets, ends, separators, columns)


def _is_full_grid(ends: Any, separators: Any, columns: int) -> bool:
    """Whether every line has all its fields, as nearly always."""
    if columns == 1 or len(separators) != (columns - 1) * len(ends):
        return False
    grid = separators.reshape(len(ends), columns - 1)
    return bool(np.all(grid[:, -1] < ends) and np.all(grid[1:, 0] > ends[:-1]))


def _decode(content: bytes, encoding: str) -> None:
    try:
        content.decode(encoding)
    except UnicodeDecodeError:
        raise Escape(f"the file is not {encoding}") from None


def _outside_quotes(octets: Any, ends: Any, separators: Any, separator: int) -> tuple[Any, Any]:
    quotes = np.flatnonzero(octets == QUOTE)
    if len(quotes) % 2:
        raise Escape("a chunk ends inside quotes")
    opening, closing = quotes[::2], quotes[1::2]
    before = octets[np.maximum(opening - 1, 0)]
    is_field_start = (opening == 0) | (before == separator) | (before == NEWLINE) | (before == QUOTE)
    follows = np.r_[False, opening[1:] == closing[:-1] + 1]
    if not np.all(is_field_start & ((before != QUOTE) | (opening == 0) | follows)):
        raise Escape("a quote stands inside a field")
    return ends[np.searchsorted(quotes, ends) % 2 == 0], separators[np.searchsorted(quotes, separators) % 2 == 0]


def _count(octets: Any, ends: Any, separators: Any, columns: int) -> int:
    starts = np.r_[0, ends[:-1] + 1] if len(ends) else ends
    lengths = ends - starts
    has_return = (lengths > 0) & (octets[np.maximum(ends - 1, 0)] == RETURN)
    is_blank = lengths - has_return <= 0
    first = octets[np.minimum(starts, max(len(octets) - 1, 0))] if len(octets) else octets
    if np.any(((first == SPACE) | (first == TAB)) & ~is_blank) and columns == 1:
        raise Escape("a line begins with white space")
    fields = np.diff(np.searchsorted(separators, np.r_[0, ends])) if len(ends) else lengths
    if np.any(fields > columns - 1):
        raise Escape("a row has more fields than the header")
    if columns > 1 and np.any((fields == 0) & ~is_blank & ((first == SPACE) | (first == TAB))):
        raise Escape("a line begins with white space")
    return int(len(ends) - np.count_nonzero(is_blank))
