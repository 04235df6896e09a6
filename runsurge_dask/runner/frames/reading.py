"""Which calls of `read_csv` can be read in chunks, and how one chunk is read.

For example `read_csv("sales.csv", sep=";", skiprows=2)`: the head is the first three lines; a chunk is the head followed by
the chunk's own lines, given to pandas with the user's own arguments. Columns whose type differs from chunk to chunk are read
again with the type that pandas gives the whole column, where that is certain.
"""

from __future__ import annotations

import io
import os
import time
import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd

from runsurge_dask.runner.escape import Escape
from runsurge_dask.runner.frames.column_types import check_pieces, check_types, report_types, widened_types
from runsurge_dask.runner.frames.scan import CheckedBytes, count_rows, read_range, stamp_of
from runsurge_dask.runner.frames.table import UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

META_ROWS = 60
WORK_SECONDS_PER_BYTE = 6e-8
"""What is done with a row after it is read costs more than reading it (20 ns a byte at most): writing it as text costs 75."""
HEAD_BYTES = 1 << 20
"""The first rows are taken from so many bytes."""
PIECES, PIECE_BYTES = 12, 1 << 16
"""So many pieces of so many bytes from all over the file are read to guess the types of its columns."""
SUPPORTED = frozenset(
    {
        "sep",
        "delimiter",
        "header",
        "names",
        "index_col",
        "usecols",
        "dtype",
        "skiprows",
        "na_values",
        "keep_default_na",
        "na_filter",
        "decimal",
        "thousands",
        "encoding",
        "parse_dates",
        "date_format",
        "low_memory",
        "engine",
    }
)
PLACED = frozenset({"usecols", "index_col", "names"})
"""With these a name of the frame may not be that of a field."""
SEPARATORS = frozenset({",", ";", "\t", "|", ":"})
ENCODINGS = {
    None: "utf-8",
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "UTF-8": "utf-8",
    "ascii": "ascii",
    "latin-1": "latin-1",
    "latin1": "latin-1",
    "iso-8859-1": "latin-1",
}
NUMBERS = frozenset({"int64", "int32", "int16", "int8", "float64", "float32", "int", "float"})
PACKED = (".gz", ".bz2", ".zip", ".xz", ".zst", ".tar", ".tgz")


@dataclass(slots=True)
class TextTable:
    """One CSV file and how the script reads it."""

    path: str
    arguments: dict[str, Any]
    head: bytes
    stamp: tuple[int, ...]
    separator: str
    encoding: str
    columns: int
    """Fields of a whole row."""
    forced: dict[str, str] = field(default_factory=dict)
    """Column types that hold for the whole file and not for every chunk."""
    fields: list[Any] = field(default_factory=list)
    """The columns in the file, in order."""
    pace: float = 0.0
    labels: list[Any] = field(default_factory=list)
    """The columns of the frame."""

    @property
    def index_kind(self) -> str:
        """Whether labels are row numbers; pandas may well make a range of an index column's values."""
        return "own" if self.arguments.get("index_col") is not None else "rows"

    def read(self, content: bytes, columns: Sequence[str] | None = None) -> pd.DataFrame:
        """The rows in these bytes; of some columns only, if so asked."""
        given: Any = io.BytesIO(self.head + content) if self.encoding == "latin-1" else _Given(self.head, content)
        return self._parse(given, columns)

    def _parse(self, given: Any, columns: Sequence[str] | None) -> pd.DataFrame:
        arguments = dict(self.arguments)
        if self.forced:
            arguments["dtype"] = {**(arguments.get("dtype") or {}), **self.forced}
        if columns is not None and not PLACED & set(arguments):
            arguments["usecols"] = [place for place, name in enumerate(self.fields) if name in columns] or [0]
            if isinstance(arguments.get("parse_dates"), list):
                arguments["parse_dates"] = [name for name in arguments["parse_dates"] if name in columns]
            if isinstance(arguments.get("dtype"), dict):
                arguments["dtype"] = {name: dtype for name, dtype in arguments["dtype"].items() if name in columns}
        frame: pd.DataFrame = pd.read_csv(given, **arguments)
        return frame

    def cut_request(self) -> dict[str, Any]:
        """How the file may be cut: between lines."""
        return {"source": "table", "start": len(self.head), "end": self.stamp[0], "path": self.path}

    @property
    def may_wait(self) -> bool:
        """Whether chunks can read it before anybody has looked it over: no quotes so far, and labels that are row numbers."""
        return self.index_kind == "rows" and self.encoding != "latin-1" and b'"' not in _sample_of(self.path, self.head, self.stamp)

    def to_take(self, columns: Collection[Any]) -> list[Any] | None:
        """The columns to read to be sure of these: those on whose values a demand is made, too; None for all."""
        given = self.arguments.get("dtype")
        if PLACED & set(self.arguments) or not (given is None or isinstance(given, dict)):
            return None
        dates = self.arguments.get("parse_dates")
        wanted = {*columns, *(given or ()), *(dates if isinstance(dates, list) else ())}
        return None if wanted >= set(self.labels) else [name for name in self.labels if name in wanted]

    def take(self, chunk: Mapping[str, Any], columns: Sequence[Any] | None) -> tuple[pd.DataFrame, dict[str, Any]]:
        """The rows of a chunk that nobody has looked over, and what `settle` wants to know of them; of columns as `to_take` says.

        Raises:
            Escape: reading the whole might raise, or see other rows.
        """
        span = chunk["start"], chunk["end"]
        read = None if columns is None else [name for name in self.labels if name in columns or name == self.labels[-1]]
        content = CheckedBytes(self.path, span, head=self.head, stamp=self.stamp, separator=self.separator, encoding=self.encoding)
        try:
            frame = self._parse(content, read)
        finally:
            content.close()
        if not isinstance(frame.index, pd.RangeIndex) or list(frame.columns) != (read or self.labels):
            raise Escape("a row has more fields than the header")
        if columns is not None:
            if not self._has_full_rows(content.separators, frame):
                count_rows(read_range(self.path, *span, self.stamp), self.separator, self.columns, self.encoding)
            if self.labels[-1] not in columns:  # it was read for what it says of the rows
                del frame[self.labels[-1]]
        return frame, report_types(self, frame)

    def _has_full_rows(self, separators: int, frame: pd.DataFrame) -> bool:
        """Whether no row is longer than the header: there are as many separators as full rows have, and no row lacks its last field."""
        last = frame[self.labels[-1]]
        if separators != (self.columns - 1) * len(frame) or last.isna().any():
            return False
        if self.arguments.get("keep_default_na", True) and self.arguments.get("na_filter", True):
            return True  # an empty field is a missing value
        return not (last.dtype == "str" and (last == "").any())

    def settle_cuts(self, cuts: Sequence[int], *, is_forced: bool) -> list[int]:
        """The cuts as they are."""
        del is_forced
        kept = sorted(set(cuts))
        return kept if len(kept) > 1 else [len(self.head), self.stamp[0]]

    def scan(self, chunk: Mapping[str, Any]) -> dict[str, Any]:
        """Look over the bytes of a chunk, and read them all once."""
        content = read_range(self.path, chunk["start"], chunk["end"], self.stamp)
        rows = count_rows(content, self.separator, self.columns, self.encoding)
        return {"rows": rows, "types": report_types(self, self.read(content)) if rows else {}}

    def settle(self, scans: Sequence[Mapping[str, Any]]) -> bool:
        """Compare the types that were inferred."""
        reports = [scan["types"] for scan in scans if scan["rows"]]
        if not reports:
            return False
        check_types(reports)
        widened = widened_types(self, reports)
        self.forced.update(widened)
        if "str" in widened.values():
            return True
        check_pieces(self, reports, [scan["rows"] for scan in scans if scan["rows"]])
        return False

    def first_rows(self, first: pd.DataFrame) -> pd.DataFrame:
        """Read anew where the whole has other types."""
        if not self.forced:
            return first
        return self.read(_sample_of(self.path, self.head, self.stamp)).iloc[: len(first)]

    def load(self, chunk: Mapping[str, Any], columns: Sequence[str] | None = None) -> pd.DataFrame:
        """The rows of a chunk."""
        return self.read(read_range(self.path, chunk["start"], chunk["end"], self.stamp), columns)


def open_table(path: Any, arguments: Mapping[str, Any]) -> tuple[TextTable, pd.DataFrame]:
    """The table of a call, with its first rows.

    Raises:
        UnsupportedError: the call must be left to pandas.
    """
    if not isinstance(path, str | os.PathLike) or not set(arguments) <= SUPPORTED:
        raise UnsupportedError("an argument of `read_csv`")
    name = os.path.abspath(os.fspath(path))
    if not os.path.isfile(name) or name.lower().endswith(PACKED):
        raise UnsupportedError("not a plain file")
    kept = {key: value for key, value in arguments.items() if key not in {"low_memory", "engine"}}
    separator, encoding = _plain_settings(arguments)
    head = _head_of(name, kept)
    stamp = stamp_of(os.stat(name))
    sample = _sample_of(name, head, stamp)
    if sample.count(b'"') % 2:
        raise UnsupportedError("quotes in the first rows")
    table = TextTable(name, kept, head, stamp, separator, encoding, 0)
    begun = time.perf_counter()
    first = _typed(table, _first_rows(table, sample), sample)
    table.pace = min((time.perf_counter() - begun) / (2 * HEAD_BYTES), 2e-8) + WORK_SECONDS_PER_BYTE
    return table, first


def _typed(table: TextTable, first: pd.DataFrame, sample: bytes) -> pd.DataFrame:
    """The first rows with the types of rows from all over the file: a gap further down makes floats of integers."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            typed = table.read(sample + _pieces_of(table, len(sample))).iloc[: len(first)]
    except Exception:  # what it is will be seen when the whole is looked over
        return first
    return typed if list(typed.columns) == list(first.columns) and typed.index.equals(first.index) else first


def _pieces_of(table: TextTable, known: int) -> bytes:
    """Whole lines from all over the rest of a file; none where quotes could hold line feeds."""
    start, end = len(table.head) + known, table.stamp[0]
    places = [start + (end - start) * n // PIECES for n in range(PIECES)] if end - start > PIECES * PIECE_BYTES else []
    pieces = []
    with open(table.path, "rb") as file:
        for place in places:
            file.seek(place)
            file.readline()
            piece = file.read(PIECE_BYTES)
            pieces.append(piece[: piece.rfind(b"\n") + 1])
    found = b"".join(pieces)
    return b"" if b'"' in found else found


class _Given:
    """Bytes as a file for `read_csv`, in the pieces that they are in: neither copied nor decoded twice."""

    def __init__(self, *pieces: bytes) -> None:
        self._pieces = [piece for piece in pieces if piece][::-1]

    def __iter__(self) -> Any:
        return iter(())

    def read(self, size: int = -1) -> bytes:
        """The next piece, whole."""
        del size
        return self._pieces.pop() if self._pieces else b""


def _sample_of(path: str, head: bytes, stamp: tuple[int, ...]) -> bytes:
    with open(path, "rb") as file:
        file.seek(len(head))
        sample = file.read(HEAD_BYTES)
    return sample if len(head) + len(sample) >= stamp[0] else sample[: sample.rfind(b"\n") + 1]


def _plain_settings(arguments: Mapping[str, Any]) -> tuple[str, str]:
    separator = arguments.get("sep", arguments.get("delimiter", ","))
    if separator not in SEPARATORS or arguments.get("engine") not in {None, "c"}:
        raise UnsupportedError("its separator or engine")
    if arguments.get("encoding") not in ENCODINGS:
        raise UnsupportedError("its encoding")
    if not _is_plain_dtype(arguments.get("dtype")):
        raise UnsupportedError("its column types")
    if arguments.get("header", 0) not in {0, None, "infer"} or type(arguments.get("skiprows", 0)) is not int:
        raise UnsupportedError("its header")
    if callable(arguments.get("usecols")) or arguments.get("index_col") is False or isinstance(arguments.get("index_col"), list | tuple):
        raise UnsupportedError("its columns")
    if not isinstance(arguments.get("parse_dates"), list | bool | None) or not isinstance(arguments.get("date_format"), str | None):
        raise UnsupportedError("its dates")
    return separator, ENCODINGS[arguments.get("encoding")]


def _is_plain_dtype(dtype: Any) -> bool:
    """Text and numbers; not categories, whose set belongs to the whole column."""
    if dtype is None:
        return True
    if type(dtype) is dict:
        return all(_is_plain_dtype(value) and value is not None for value in dtype.values())
    return dtype in {str, int, float} or (isinstance(dtype, str) and dtype in {"str", "string", *NUMBERS})


def _head_of(path: str, arguments: Mapping[str, Any]) -> bytes:
    has_header = arguments.get("header", "infer") is not None and not (
        arguments.get("header", "infer") == "infer" and arguments.get("names") is not None
    )
    with open(path, "rb") as file:
        lines = [file.readline() for _ in range(arguments.get("skiprows", 0) + has_header)]
        if any(not line.strip() or line.count(b'"') % 2 for line in lines):
            raise UnsupportedError("its first lines")
        return b"".join(lines)


def _first_rows(table: TextTable, sample: bytes) -> pd.DataFrame:
    arguments = table.arguments
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            wide = {key: value for key, value in arguments.items() if key not in {"usecols", "index_col", "parse_dates", "date_format"}}
            every = pd.read_csv(io.BytesIO(table.head + sample), **wide, nrows=META_ROWS)
            first = pd.read_csv(io.BytesIO(table.head + sample), **arguments, nrows=META_ROWS)
    except Exception as error:
        raise UnsupportedError(f"its first rows ({error})") from None
    if (
        not isinstance(every.index, pd.RangeIndex)
        or not len(every)
        or isinstance(first.columns, pd.MultiIndex)
        or not first.columns.is_unique
    ):
        raise UnsupportedError("its shape")
    table.columns, table.fields, table.labels = len(every.columns), list(every.columns), list(first.columns)
    _settle_dates(table, first, every)
    assert isinstance(first, pd.DataFrame)
    return first


def _settle_dates(table: TextTable, first: pd.DataFrame, every: pd.DataFrame) -> None:
    """Dates are read in the format that pandas would guess from the first value of the whole file."""
    if not table.arguments.get("parse_dates") or table.arguments.get("date_format") is not None:
        return
    wanted = table.arguments["parse_dates"]
    columns = [table.arguments.get("index_col")] if wanted is True else wanted
    formats = {}
    for column in columns:
        texts = every[column].dropna() if column in every.columns else every.iloc[:0, 0]
        if not len(texts) or texts.dtype != "str":
            raise UnsupportedError("a date column that does not begin with a date")
        guessed = pd.tseries.api.guess_datetime_format(texts.iloc[0])
        if not guessed:
            raise UnsupportedError("a date column without a format")
        formats[column] = guessed
    if len(set(formats.values())) > 1:
        raise UnsupportedError("date columns of several formats")
    with_format = {**table.arguments, "date_format": next(iter(formats.values()))}
    table.arguments = with_format
    if not all(dtype.kind == "M" for dtype in _dtypes_of(first, columns)):
        raise UnsupportedError("a date column that is no date")


def _dtypes_of(frame: pd.DataFrame, columns: list[Any]) -> list[Any]:
    return [frame[name].dtype if name in frame.columns else frame.index.dtype for name in columns]
