"""What a frame can be read from: a file that can be cut, looked over, and loaded in chunks.

`reading.TextTable` and `parquet.ParquetTable` are the two; a chunk is `{"start": ..., "end": ...}` in the table's own unit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    import pandas as pd

LARGEST_BYTES = 24 << 20
"""Of text in a chunk: what it needs is touched once and used again by the next, and the first touch of a page is what costs."""
IN_CHUNK = 10
"""Bytes that a chunk holds for each byte of text: the text twice, the frame, and what is made of it (measured 6 to 9)."""
SIZES = {"bytes_per_byte": IN_CHUNK, "largest_bytes": LARGEST_BYTES, "in_steps": True}


class UnsupportedError(Exception):
    """This call is left to pandas."""


class Table(Protocol):
    """One file and how the script reads it."""

    path: str
    stamp: tuple[int, ...]
    pace: float
    """Seconds of work in one unit."""
    @property
    def index_kind(self) -> str:
        """`rows` where labels are row numbers, `own` where they are data."""

    def cut_request(self) -> dict[str, Any]:
        """Where the file may be cut."""

    def settle_cuts(self, cuts: Sequence[int], *, is_forced: bool) -> list[int]:
        """The cuts, moved to where they cost least."""

    @property
    def may_wait(self) -> bool:
        """Whether chunks may `take` it before it was looked over."""

    def to_take(self, columns: Collection[Any]) -> list[Any] | None:
        """The columns that have to be taken to be sure of these; None for all."""

    def take(self, chunk: Mapping[str, Any], columns: Sequence[Any] | None) -> tuple[pd.DataFrame, dict[str, Any]]:
        """In a chunk child: the rows of a chunk that nobody has looked over, and the types of its columns.

        Raises:
            Escape: reading the whole might raise, or see other rows.
        """

    def scan(self, chunk: Mapping[str, Any]) -> dict[str, Any]:
        """In a chunk child: see that reading cannot raise, count the rows, and tell the types of the columns."""

    def settle(self, scans: Sequence[Mapping[str, Any]]) -> bool:
        """In the driver: compare what was seen of all chunks; whether they are to be scanned again, with wider types.

        Raises:
            Escape: chunks cannot be of one frame.
        """

    def first_rows(self, first: pd.DataFrame) -> pd.DataFrame:
        """In the driver: these rows, with the types of the whole."""

    def load(self, chunk: Mapping[str, Any], columns: Sequence[str] | None = None) -> pd.DataFrame:
        """In a chunk child: the rows."""
