"""Which calls of `read_parquet` can be read in chunks, and how one chunk is read.

For example a file of two groups of 1,000 rows, cut at row 500: chunk 0 is the first half of group 0; chunk 1 is the rest of it
and group 1. The look over the file decodes every group once, so that reading cannot fail later, and counts what is missing:
integers of which some are missing are floats in every chunk, as they are in the whole.
"""

from __future__ import annotations

import importlib
import json
import os
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pandas as pd

from runsurge_dask.runner.escape import Escape
from runsurge_dask.runner.frames.scan import stamp_of
from runsurge_dask.runner.frames.table import UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

META_ROWS = 60
SECONDS_PER_BYTE = 4e-8
"""Work on a byte of decoded columns, reading it included."""
ENGINES = frozenset({None, "auto", "pyarrow"})


@dataclass(slots=True)
class ParquetTable:
    """One Parquet file and how the script reads it."""

    path: str
    stamp: tuple[int, ...]
    columns: list[str]
    """The columns of the frame."""
    labels: list[str]
    """The column that becomes the index, if one does."""
    bounds: list[int]
    """The first row of each group, and the number of rows."""
    pace: float
    """Seconds a row."""
    floats: list[str] = field(default_factory=list)
    """Columns of integers of which some are missing."""
    categories: dict[str, list[str]] = field(default_factory=dict)

    @property
    def index_kind(self) -> str:
        """Whether labels are row numbers."""
        return "own" if self.labels else "rows"

    def cut_request(self) -> dict[str, Any]:
        """How the file may be cut."""
        return {"source": "items", "start": 0, "end": self.bounds[-1], "path": self.path}

    def settle_cuts(self, cuts: Sequence[int], *, is_forced: bool) -> list[int]:
        """Cuts at which little is decoded twice: between groups, or in the middle of one."""
        if is_forced:
            return sorted(set(cuts))
        places = sorted({*self.bounds, *((a + b) // 2 for a, b in pairwise(self.bounds))})
        return sorted({0, self.bounds[-1], *(min(places, key=lambda place: abs(place - cut)) for cut in cuts)})

    @property
    def may_wait(self) -> bool:
        """Its types are known from its footer, but a page that cannot be read is only found by reading it."""
        return False

    def to_take(self, columns: Collection[Any]) -> list[Any] | None:
        """Never asked for."""
        raise NotImplementedError

    def take(self, chunk: Mapping[str, Any], columns: Sequence[Any] | None) -> tuple[pd.DataFrame, dict[str, Any]]:
        """Never asked for."""
        raise NotImplementedError

    def scan(self, chunk: Mapping[str, Any]) -> dict[str, Any]:
        """Decode the groups that begin in this chunk.

        Raises:
            Escape: that fails.
        """
        groups = [n for n, bound in enumerate(self.bounds[:-1]) if chunk["start"] <= bound < chunk["end"]]
        facts: dict[str, Any] = {"rows": chunk["end"] - chunk["start"], "nulls": {}, "categories": None}
        for group in groups:
            decoded = self._decode([group], self.columns)
            for name in decoded.column_names:
                facts["nulls"][name] = facts["nulls"].get(name, 0) + decoded[name].null_count
            found = _categories_of(decoded.select(list(self.categories)).to_pandas()) if self.categories else {}
            if facts["categories"] not in (None, found):
                raise Escape("the groups of the file hold other categories")
            facts["categories"] = found
        return facts

    def settle(self, scans: Sequence[Mapping[str, Any]]) -> bool:
        """Take over what was seen of all chunks: types come from the file.

        Raises:
            Escape: columns are not the same everywhere.
        """
        if any(scan["categories"] not in (None, self.categories) for scan in scans):
            raise Escape("the groups of the file hold other categories")
        missing = {name for scan in scans for name, count in scan["nulls"].items() if count}
        self.floats = [name for name in self.columns if name in missing]
        return False

    def first_rows(self, first: pd.DataFrame) -> pd.DataFrame:
        """With missing values, integers are floats."""
        return self._widened(first)

    def load(self, chunk: Mapping[str, Any], columns: Sequence[str] | None = None) -> pd.DataFrame:
        """The rows of a chunk; of some columns only, if so asked."""
        start, end = chunk["start"], chunk["end"]
        groups = [n for n, (a, b) in enumerate(pairwise(self.bounds)) if a < end and b > start]
        wanted = self.columns if columns is None else [name for name in self.columns if name in columns]
        decoded = self._decode(groups, wanted)
        frame = self._widened(_to_pandas(decoded.slice(start - self.bounds[groups[0]], end - start)))
        if any(str(dtype) == "object" for dtype in (frame.index.dtype, *frame.dtypes)):
            raise Escape("a column is of mixed values")
        return frame

    def _decode(self, groups: list[int], columns: list[str]) -> Any:
        import pyarrow as pa
        import pyarrow.parquet as pq

        try:
            with open(self.path, "rb") as file:
                if stamp_of(os.fstat(file.fileno())) != tuple(self.stamp):
                    raise Escape("the input file changed while it was read")
                opened = pq.ParquetFile(file)
                order = [*columns, *(name for name in self.labels if name not in columns)]
                return opened.read_row_groups(groups, columns=order, use_threads=False, use_pandas_metadata=True).select(order)
        except (OSError, pa.ArrowException) as error:
            raise Escape(f"the file cannot be read: {error}") from None

    def _widened(self, frame: pd.DataFrame) -> pd.DataFrame:
        for name in self.floats:
            if name in frame.columns and getattr(frame[name].dtype, "kind", "O") in "iu" and not isinstance(
                frame[name].dtype, pd.api.extensions.ExtensionDtype
            ):
                frame[name] = frame[name].astype("float64")
        return frame


def open_table(path: Any, arguments: Mapping[str, Any]) -> tuple[ParquetTable, pd.DataFrame]:
    """The table of a call, with its first rows.

    Raises:
        UnsupportedError: the call must be left to pandas.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    chosen = arguments.get("columns")
    engine = arguments.get("engine")
    if not set(arguments) <= {"columns", "engine"} or engine not in ENGINES or pd.get_option("io.parquet.engine") == "fastparquet":
        raise UnsupportedError("an argument of `read_parquet`")
    name = os.path.abspath(os.fspath(path))
    if not os.path.isfile(name):
        raise UnsupportedError("not a plain file")
    try:
        with open(name, "rb") as file:
            stamp = stamp_of(os.fstat(file.fileno()))
            opened = pq.ParquetFile(file)
            schema, metadata = opened.schema_arrow, opened.metadata
            columns, labels = _columns_of(schema, metadata.num_rows, chosen)
            bounds = [0]
            for group in range(metadata.num_row_groups):
                bounds.append(bounds[-1] + metadata.row_group(group).num_rows)
            order = [*columns, *(label for label in labels if label not in columns)]
            batch = next(opened.iter_batches(batch_size=META_ROWS, columns=order, use_threads=False, use_pandas_metadata=True))
            first = _to_pandas(pa.Table.from_batches([batch]).select(order))
    except (pa.ArrowException, OSError, StopIteration) as error:
        raise UnsupportedError(f"its first rows ({error})") from None
    size = sum(metadata.row_group(n).total_byte_size for n in range(metadata.num_row_groups)) * len(order) / max(len(schema.names), 1)
    table = ParquetTable(name, stamp, columns, labels, bounds, size * SECONDS_PER_BYTE / bounds[-1])
    table.categories = _categories_of(first)
    _check_first_rows(first, columns, labels)
    return table, first


def _columns_of(schema: Any, rows: int, chosen: Any) -> tuple[list[str], list[str]]:
    """The columns of the frame, and the one that is its index."""
    described = json.loads((schema.metadata or {}).get(b"pandas", b"{}"))
    if b"PANDAS_ATTRS" in (schema.metadata or {}) or not rows or len(set(schema.names)) != len(schema.names):
        raise UnsupportedError("its shape")
    labels: list[str] = []
    for each in described.get("index_columns", []):
        if isinstance(each, str):
            labels.append(each)
        elif (each.get("start"), each.get("step"), each.get("stop"), each.get("name")) != (0, 1, rows, None):
            raise UnsupportedError("its index")
    if len(labels) > 1 or not set(labels) <= set(schema.names):
        raise UnsupportedError("its index")
    every = [name for name in schema.names if name not in labels]
    if chosen is not None and (type(chosen) is not list or not chosen or len(set(map(str, chosen))) < len(chosen)):
        raise UnsupportedError("its columns")
    if not set(chosen or ()) <= set(every):
        raise UnsupportedError("its columns")
    return (list(chosen) if chosen is not None else every), labels


def _check_first_rows(first: pd.DataFrame, columns: list[str], labels: list[str]) -> None:
    if list(first.columns) != columns or first.columns.name is not None or not len(first):
        raise UnsupportedError("its columns")
    if isinstance(first.index, pd.MultiIndex) or (not labels and not isinstance(first.index, pd.RangeIndex)):
        raise UnsupportedError("its index")
    if any(str(dtype) == "object" for dtype in [*first.dtypes, first.index.dtype]) or isinstance(first.index.dtype, pd.CategoricalDtype):
        raise UnsupportedError("a column of mixed values")


def _to_pandas(decoded: Any) -> pd.DataFrame:
    convert: Any = importlib.import_module("pandas.io._util").arrow_table_to_pandas
    frame: pd.DataFrame = convert(decoded)
    return frame


def _categories_of(frame: pd.DataFrame) -> dict[str, list[str]]:
    return {
        str(name): [str(column.dtype.categories.dtype), *map(repr, column.dtype.categories)]
        for name, column in frame.items()
        if isinstance(column.dtype, pd.CategoricalDtype)
    }


