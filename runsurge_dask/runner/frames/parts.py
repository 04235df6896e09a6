"""Partial answers of a chunk, and how they join to what pandas gives on the whole.

For example the sums of three chunks are put into a small frame with the columns' own types, and pandas' own `sum` over that
gives the answer with pandas' own types and names.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from runsurge_dask.runner.escape import Escape

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

CANCELLATION = 1e-5
"""A sum of floats this much smaller than the sum of their sizes keeps too few digits to be told from one in another order."""
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
    return _GIVERS[kind](value, *rest, chunk=chunk)


def _give_text(frame: Any, index_kind: str, arguments: dict[str, Any], *, chunk: Mapping[str, Any]) -> bytes:
    if index_kind == "rows" and arguments.get("index", True):
        frame = frame.set_axis(frame.index + chunk["offset"], axis=0)
    text = io.StringIO(newline="")
    frame.to_csv(text, **{**arguments, "header": False})
    return text.getvalue().encode(arguments.get("encoding") or "utf-8")


def _give_reduction(value: Any, name: str, kwargs: dict[str, Any], is_exact: bool, *, chunk: Mapping[str, Any]) -> Any:  # noqa: FBT001
    del chunk
    columns = value.to_frame() if isinstance(value, pd.Series) else value
    if name in {"sum", "mean"}:
        if kwargs.get("numeric_only"):
            columns = columns.select_dtypes(["number", "bool"])
        _refuse_other(columns, "biuf")
        if is_exact and any(dtype.kind == "f" for dtype in columns.dtypes):
            raise Escape("the order of a sum of floats is to be kept")
        sizes = {place: float(columns.iloc[:, place].abs().sum()) for place, dtype in enumerate(columns.dtypes) if dtype.kind == "f"}
        totals = [columns.iloc[:, place].sum() for place in range(columns.shape[1])]
        return totals, columns.count().tolist(), sizes, list(columns.columns)
    if name in {"min", "max"}:
        return [getattr(columns.iloc[:, place], name)() for place in range(columns.shape[1])], list(columns.columns)
    if name == "count":
        return columns.count().tolist(), list(columns.columns)
    _refuse_other(columns, "b")
    return [bool(getattr(columns.iloc[:, place], name)()) for place in range(columns.shape[1])], list(columns.columns)


def _refuse_other(columns: Any, kinds: str) -> None:
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
    small = {}
    for place in range(len(labels)):
        values = [part[0][place] for part in given]
        small[place] = pd.Series(values, dtype=_type_of(name, values, columns.iloc[:, place].dtype))
    return _apply(small, labels, JOINED_BY[name], is_series=is_series)


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


def _give_groups(bundle: Any, wanted: list[tuple[Any, str]], is_dropping: bool, is_exact: bool, *, chunk: Mapping[str, Any]) -> Any:  # noqa: FBT001
    """One row a group: the keys, then for each wanted (column, operation) the columns that join to it."""
    del chunk
    frame, keys = bundle
    key_names = [f"k{n}" for n in range(len(keys))]
    content = {name: frame[key] if not isinstance(key, pd.Series) else key for name, key in zip(key_names, keys, strict=True)}
    for column in content.values():
        if isinstance(column.dtype, pd.CategoricalDtype) or column.dtype == object:
            raise Escape("its keys are of a type whose order is not certain")
    steps: dict[str, tuple[Any, str]] = {}
    for place, (column, operation) in enumerate(wanted):
        if operation == "size":
            content[f"v{place}"], steps[f"v{place}"] = pd.Series(1, index=frame.index), ("", "sum")
            continue
        values = frame[column]
        if operation in {"sum", "mean"}:
            _refuse_other(values.to_frame(), "biuf" if operation == "sum" else "iuf")
            if values.dtype.kind == "f":
                if is_exact:
                    raise Escape("the order of a sum of floats is to be kept")
                content[f"a{place}"], steps[f"a{place}"] = values.abs(), ("", "sum")
        elif isinstance(values.dtype, pd.CategoricalDtype) or values.dtype == object:
            raise Escape("it aggregates values of mixed types")
        content[f"v{place}"] = values
        steps[f"v{place}"] = ("", "sum" if operation == "mean" else operation)
        if operation == "mean":
            content[f"n{place}"], steps[f"n{place}"] = values, ("", "count")
    table = pd.DataFrame(content)
    grouped = table.groupby(key_names, sort=False, dropna=is_dropping)
    return pd.DataFrame({name: getattr(grouped[name], operation)() for name, (_, operation) in steps.items()}).reset_index()


def join_groups(given: list[Any], keys: int, wanted: list[tuple[Any, str]], *, is_sorted: bool, is_dropping: bool) -> list[Any]:
    """For each wanted (column, operation) the series over all groups, in pandas' order of groups.

    Raises:
        Escape: a sum of floats that nearly cancels.
    """
    table = pd.concat(given, ignore_index=True)
    names = [f"k{n}" for n in range(keys)]
    grouped = table.groupby(names if keys > 1 else names[0], sort=is_sorted, dropna=is_dropping)
    found = []
    for place, (_, operation) in enumerate(wanted):
        values = getattr(grouped[f"v{place}"], "sum" if operation == "mean" else JOINED_BY[operation])()
        if f"a{place}" in table:
            check_cancellation(values, grouped[f"a{place}"].sum())
        if operation == "mean":
            values = values / grouped[f"n{place}"].sum()
        found.append(values)
    return found


_GIVERS: dict[str, Callable[..., Any]] = {
    "text": _give_text,
    "reduce": _give_reduction,
    "counts": _give_counts,
    "unique": _give_unique,
    "place": _give_extreme_place,
    "groups": _give_groups,
}
