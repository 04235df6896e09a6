"""What a frame can be read from: a file that can be cut, looked over, and loaded in chunks.

`reading.TextTable` and `parquet.ParquetTable` are the two; a chunk is `{"start": ..., "end": ...}` in the table's own unit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd


class UnsupportedError(Exception):
    """This call is left to pandas."""


class Table(Protocol):
    """One file and how the script reads it."""

    path: str
    stamp: tuple[int, ...]
    pace: float
    """Seconds of work in one unit."""
    forced: dict[str, str]
    """Column types that hold for the whole file and not for every chunk."""

    has_types: bool
    """The file says what types its columns have."""

    @property
    def index_kind(self) -> str:
        """`rows` where labels are row numbers, `own` where they are data."""

    def cut_request(self) -> dict[str, Any]:
        """Where the file may be cut."""

    def settle_cuts(self, cuts: Sequence[int], *, is_forced: bool) -> list[int]:
        """The cuts, moved to where they cost least."""

    def scan(self, chunk: Mapping[str, Any]) -> dict[str, Any]:
        """In a chunk child: see that reading cannot raise, and count the rows."""

    def keep(self, scans: Sequence[Mapping[str, Any]], first: pd.DataFrame) -> pd.DataFrame:
        """In the driver: take over what was seen; returns the first rows, with the types that are certain now."""

    def load(self, chunk: Mapping[str, Any], columns: Sequence[str] | None = None) -> pd.DataFrame:
        """In a chunk child: the rows."""

    def report(self, frame: pd.DataFrame, *, is_settled: bool) -> dict[str, Any]:
        """In a chunk child: what the driver has to know of the columns' types."""

    def check(self, reports: list[dict[str, Any]], rows: list[int], *, is_last: bool) -> dict[str, str]:
        """In the driver: raise `Escape` where chunks cannot be of one column; returns types to read them with again."""
