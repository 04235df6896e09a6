"""Partial answers of a chunk, and how they join to what pandas gives on the whole.

For example the sums of three chunks are put into a small frame with the columns' own types, and pandas' own `sum` over that
gives the answer with pandas' own types and names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from runsurge_dask.runner import shadows
from runsurge_dask.runner.escape import Escape
from runsurge_dask.runner.frames.lines import lines_of
from runsurge_dask.runner.frames.tables import SPREADS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

CANCELLATION = 1e-5
"""A sum of floats this much smaller than the sum of their sizes keeps too few digits to be told from one in another order."""
LEAST_SPREAD = 1e-5
"""A spread this much smaller than the values depends on how their mean was rounded."""
JOINED_BY = {
    "sum": "sum",
    "count": "sum",
    "size": "sum",
    "min": "min",
    "max": "max",
    "any": "any",
    "all": "all",
    "first": "first",
    "last": "last",
}
"""The operation that joins partial results of an operation."""


def way_of(how: tuple[Any, ...]) -> tuple[Any, ...]:
    """What a chunk does for a question: a mean needs what a sum needs."""
    return ("reduce", "sum", *how[2:]) if how[:2] == ("reduce", "mean") else how


def give(value: Any, how: tuple[Any, ...], chunk: Mapping[str, Any]) -> Any:
    """What one chunk sends back of one expression."""
    kind, *rest = how
    if kind == "keep":
        return value
    if kind == "labels":
        return np.asarray(value.index, dtype=np.int64)
    if kind == "empty":
        return value.iloc[:0]
    if kind == "rows":
        return len(value)
    if kind == "head":
        return value.head(*rest)
    if kind == "tail":
        return value.tail(*rest)
    return GIVERS[kind](value, *rest, chunk=chunk)


def _give_text(frame: Any, index_kind: str, arguments: dict[str, Any], folder: str, *, chunk: Mapping[str, Any]) -> str:
    """The lines of a chunk, in a file of the run's."""
    if index_kind == "rows" and arguments.get("index", True):
        frame = frame.set_axis(frame.index + chunk["offset"], axis=0)
    path = shadows.leave(folder, lines_of(frame, arguments))
    if not path:
        raise Escape("its lines have no place")
    return path


def _give_reduction(value: Any, name: str, kwargs: dict[str, Any], is_exact: bool, *, chunk: Mapping[str, Any]) -> Any:  # noqa: FBT001
    del chunk
    columns = value.to_frame() if isinstance(value, pd.Series) else value
    if name in {"sum", "mean"}:
        if kwargs.get("numeric_only"):
            columns = columns.select_dtypes(["number", "bool"])
        refuse_other(columns, "biuf")
        if is_exact and any(dtype.kind == "f" for dtype in columns.dtypes):
            raise Escape("the order of a sum of floats is to be kept")
        sizes = {place: float(columns.iloc[:, place].abs().sum()) for place, dtype in enumerate(columns.dtypes) if dtype.kind == "f"}
        totals = [columns.iloc[:, place].sum() for place in range(columns.shape[1])]
        return totals, columns.count().tolist(), sizes, list(columns.columns)
    if name in SPREADS:
        refuse_other(columns, "iuf")
        if is_exact:
            raise Escape("the order of a sum of floats is to be kept")
        return [_moments(columns.iloc[:, place]) for place in range(columns.shape[1])], list(columns.columns)
    if name in {"min", "max"}:
        return [getattr(columns.iloc[:, place], name)() for place in range(columns.shape[1])], list(columns.columns)
    if name == "count":
        return columns.count().tolist(), list(columns.columns)
    refuse_other(columns, "b")
    return [bool(getattr(columns.iloc[:, place], name)()) for place in range(columns.shape[1])], list(columns.columns)


def _moments(column: Any) -> tuple[int, float, float]:
    """Count, mean, and sum of squares about the mean."""
    number = int(column.count())
    return number, float(column.mean()) if number else 0.0, float(column.var(ddof=0)) * number if number else 0.0


def refuse_other(columns: Any, kinds: str) -> None:
    """Refuse columns of other kinds of types.

    Raises:
        Escape: there are such.
    """
    for dtype in columns.dtypes:
        if not isinstance(dtype, np.dtype) or dtype.kind not in kinds:
            raise Escape(f"a reduction of {dtype} values")


def join_reduction(name: str, meta: Any, given: list[Any]) -> Any:
    """The answer on the whole.

    Raises:
        Escape: the partial answers do not determine it.
    """
    is_series = isinstance(meta, pd.Series)
    columns = meta.to_frame() if is_series else meta
    labels = given[0][-1]
    columns = columns[labels] if not is_series else columns
    if name in {"sum", "mean"}:
        return _join_sums(name, given, is_series=is_series)
    if name in SPREADS:
        spreads = [_spread(name, [part[0][place] for part in given]) for place in range(len(labels))]
        return spreads[0] if is_series else pd.Series(spreads, index=pd.Index(labels), dtype="float64")
    small = {}
    for place in range(len(labels)):
        values = [part[0][place] for part in given]
        small[place] = pd.Series(values, dtype=_type_of(name, values, columns.iloc[:, place].dtype))
    return _apply(small, labels, JOINED_BY[name], is_series=is_series)


def _spread(name: str, moments: list[tuple[int, float, float]]) -> Any:
    number = sum(count for count, _, _ in moments)
    if number < 2:  # noqa: PLR2004 - a spread needs two values
        return np.float64("nan")
    mean = sum(count * part for count, part, _ in moments) / number
    squares = sum(part + count * (middle - mean) ** 2 for count, middle, part in moments)
    check_spread(squares / number, mean)
    variance = np.float64(squares / (number - 1))
    return np.sqrt(variance) if name == "std" else variance


def check_spread(variance: Any, mean: Any) -> None:
    """Refuse a spread that is much smaller than the values.

    Raises:
        Escape: so it is.
    """
    with np.errstate(invalid="ignore"):
        is_good = np.sqrt(np.asarray(variance, dtype=float)) > LEAST_SPREAD * np.abs(np.asarray(mean, dtype=float))
    if not np.all(is_good):
        raise Escape("a spread that is much smaller than its values")


def _type_of(name: str, values: list[Any], first: Any) -> Any:
    if name in {"count", "any", "all"}:
        return np.dtype("int64") if name == "count" else np.dtype(bool)
    return np.result_type(*values) if all(isinstance(value, np.number) for value in values) else first


def _apply(small: dict[int, Any], labels: list[Any], name: str, *, is_series: bool) -> Any:
    if is_series:
        return getattr(small[0], name)()
    frame = pd.DataFrame(small)
    frame.columns = pd.Index(labels)
    return getattr(frame, name)()


def _join_sums(name: str, given: list[Any], *, is_series: bool) -> Any:
    labels = given[0][-1]
    small, counts = {}, {}
    for place in range(len(labels)):
        total = [part[0][place] for part in given]
        if place in given[0][2]:
            check_cancellation(sum(total), sum(part[2][place] for part in given))
        small[place] = pd.Series(total, dtype=np.result_type(*total))
        counts[place] = pd.Series([part[1][place] for part in given])
    sums = _apply(small, labels, "sum", is_series=is_series)
    if name == "sum":
        return sums
    if is_series:
        number = counts[0].sum()
        return sums / number if number else np.nan
    return sums / _apply(counts, labels, "sum", is_series=False)


def check_cancellation(total: Any, size: Any) -> None:
    """Refuse a sum of floats that nearly cancels.

    Raises:
        Escape: so it is.
    """
    totals, sizes = np.abs(np.asarray(total, dtype=float)), np.asarray(size, dtype=float)
    with np.errstate(invalid="ignore"):
        is_bad = np.isfinite(sizes) & (totals < sizes * CANCELLATION)
    if np.any(is_bad):
        raise Escape("a sum of floats that nearly cancels")


def _give_counts(value: Any, is_dropping: bool, *, chunk: Mapping[str, Any]) -> Any:  # noqa: FBT001
    del chunk
    return value.value_counts(sort=False, dropna=is_dropping)


def _give_unique(value: Any, *, chunk: Mapping[str, Any]) -> Any:
    del chunk
    return pd.Series(value.unique())


def _give_extreme_place(value: Any, name: str, index_kind: str, *, chunk: Mapping[str, Any]) -> Any:
    values = value.dropna()
    if not len(values):
        return None
    label = getattr(values, name)()
    return values.loc[label], label + (chunk["offset"] if index_kind == "rows" else 0)


GIVERS: dict[str, Callable[..., Any]] = {
    "text": _give_text,
    "reduce": _give_reduction,
    "counts": _give_counts,
    "unique": _give_unique,
    "place": _give_extreme_place,
}
