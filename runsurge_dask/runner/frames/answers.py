"""Questions to a lazy object whose answer is small: reductions, lengths, first rows, counts.

Each is one stage; where the parts do not determine the answer, the object becomes plain and pandas answers.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from runsurge_dask.runner.escape import Escape
from runsurge_dask.runner.frames import parts, tables
from runsurge_dask.runner.frames.building import is_open
from runsurge_dask.runner.frames.lazy import MISSING, LazyFrame, LazySeries, current_facts, node_of, source_of
from runsurge_dask.runner.frames.methods import install_method, install_property


def ask(lazy: Any, how: tuple[Any, ...]) -> list[Any] | None:
    """What each chunk gives of a lazy object."""
    if not is_open(lazy):
        return None
    source = source_of(lazy)
    given = source.run(current_facts(source), [(node_of(lazy), how)])
    return None if given is None else given[0]


def is_exact(lazy: Any) -> bool:
    """Whether sums of floats must be added in the order of the rows."""
    return bool(source_of(lazy).runtime.options["exact"])


def _reduction(name: str) -> Any:
    def attempt(lazy: Any, *args: Any, **kwargs: Any) -> Any:
        if (
            kwargs.get("axis") in {1, "columns"}
            and isinstance(lazy, LazyFrame)
            and not args
            and name in {"sum", "mean", "min", "max", "any", "all", "count"}
        ):
            from runsurge_dask.runner.frames.methods import across

            return across(name)(lazy, **kwargs)
        if args or not set(kwargs) <= {"numeric_only"} or (kwargs and (isinstance(lazy, LazySeries) or name not in {"sum", "mean"})):
            return MISSING
        meta = node_of(lazy).meta
        if not has_types(meta, name, kwargs):
            return MISSING
        given = ask(lazy, ("reduce", name, kwargs, is_exact(lazy)))
        if given is None:
            return MISSING
        try:
            return parts.join_reduction(name, meta, given)
        except (Escape, TypeError, ValueError):
            return MISSING

    return attempt


def has_types(meta: Any, name: str, kwargs: Any) -> bool:
    """Whether a reduction of columns of these types can be joined."""
    if kwargs.get("numeric_only"):
        return True
    dtypes = list(meta.dtypes) if isinstance(meta, pd.DataFrame) else [meta.dtype]
    if name == "count":
        return True
    if name in {"sum", "mean"}:
        return all(str(dtype) in {"int64", "float64", "bool", "int32", "int16", "int8", "float32"} for dtype in dtypes) and not any(
            str(dtype) == "float32" for dtype in dtypes
        )
    if name in tables.SPREADS:
        return all(str(dtype) in {"int64", "float64"} for dtype in dtypes)
    if name in {"min", "max"}:
        return all(
            str(dtype) in {"int64", "float64", "int32", "int16", "int8"}
            or (isinstance(meta, pd.Series) and (str(dtype) == "str" or dtype.kind == "M"))
            for dtype in dtypes
        )
    return all(str(dtype) == "bool" for dtype in dtypes)


def _length(lazy: Any) -> Any:
    rows, source = node_of(lazy).rows, source_of(lazy)
    assert rows is not None
    if not is_open(lazy):
        return MISSING
    if rows.lengths is None:
        rows.lengths = ask(lazy, ("rows",))
    if rows.lengths is None:
        return MISSING
    del source
    return sum(rows.lengths)


def _shape(lazy: Any) -> Any:
    length = _length(lazy)
    if length is MISSING:
        return MISSING
    return (length, len(node_of(lazy).meta.columns)) if isinstance(lazy, LazyFrame) else (length,)


def _is_empty(lazy: Any) -> Any:
    shape = _shape(lazy)
    return MISSING if shape is MISSING else 0 in shape


def _size(lazy: Any) -> Any:
    shape = _shape(lazy)
    return MISSING if shape is MISSING else shape[0] * (shape[1] if len(shape) > 1 else 1)


def _edge(name: str) -> Any:
    def attempt(lazy: Any, n: Any = 5) -> Any:
        rows = node_of(lazy).rows
        assert rows is not None
        if type(n) is not int or n < 0 or rows.parent is not None or rows.index != "rows":
            return MISSING
        given = ask(lazy, (name, n))
        if given is None:
            return MISSING
        whole = getattr(pd.concat(given, ignore_index=True), name)(n)
        total = source_of(lazy).total
        whole.index = getattr(pd.Series(0, index=pd.RangeIndex(total)), name)(n).index
        return whole

    return attempt


def _types(lazy: Any) -> Any:
    given = ask(lazy, ("empty",))
    return MISSING if given is None else given[0].dtypes


def _type(lazy: Any) -> Any:
    given = ask(lazy, ("empty",))
    return MISSING if given is None else given[0].dtype


def _value_counts(lazy: Any, **kwargs: Any) -> Any:
    if not set(kwargs) <= {"dropna", "sort", "ascending"} or not _has_plain_type(lazy):
        return MISSING
    given = ask(lazy, ("counts", kwargs.get("dropna", True)))
    if given is None:
        return MISSING
    joined = pd.concat(given)
    counts = joined.groupby(level=0, sort=False, dropna=False).sum()
    counts.index.name, counts.name = given[0].index.name, given[0].name
    counts.index = counts.index.astype(given[0].index.dtype)
    if kwargs.get("sort", True):
        counts = counts.sort_values(ascending=kwargs.get("ascending", False), kind="stable")
    return counts


def _has_plain_type(lazy: Any) -> bool:
    return str(node_of(lazy).meta.dtype) in {"str", "int64", "float64", "bool"}


def _uniques(lazy: Any) -> Any:
    if not _has_plain_type(lazy):
        return None
    given = ask(lazy, ("unique",))
    return None if given is None else pd.concat(given, ignore_index=True)


def _unique(lazy: Any) -> Any:
    found = _uniques(lazy)
    return MISSING if found is None else found.unique()


def _nunique(lazy: Any, dropna: bool = True) -> Any:  # noqa: FBT001, FBT002 - pandas' own signature
    found = _uniques(lazy)
    return MISSING if found is None else found.nunique(dropna=dropna)


def _place(name: str) -> Any:
    def attempt(lazy: Any) -> Any:
        rows = node_of(lazy).rows
        assert rows is not None
        if not rows.is_of_source or str(node_of(lazy).meta.dtype) not in {"int64", "float64"}:
            return MISSING
        given = ask(lazy, ("place", name, rows.index))
        found = [pair for pair in given or [] if pair is not None]
        if not found or len(found) != len(given or []):
            return MISSING
        best = found[0]
        for pair in found[1:]:
            if pair[0] > best[0] if name == "idxmax" else pair[0] < best[0]:
                best = pair
        return best[1]

    return attempt


def install() -> None:
    """Give the classes their answers."""
    for kind in (LazyFrame, LazySeries):
        for name in tables.REDUCTIONS:
            install_method(kind, name, _reduction(name))
        install_method(kind, "__len__", _length)
        install_method(kind, "head", _edge("head"))
        install_method(kind, "tail", _edge("tail"))
        for name, read in (("shape", _shape), ("empty", _is_empty), ("size", _size)):
            install_property(kind, name, read)
    install_property(LazyFrame, "dtypes", _types)
    install_property(LazySeries, "dtype", _type)
    install_property(LazySeries, "dtypes", _type)
    for name, attempt in (
        ("value_counts", _value_counts),
        ("unique", _unique),
        ("nunique", _nunique),
        ("idxmax", _place("idxmax")),
        ("idxmin", _place("idxmin")),
    ):
        install_method(LazySeries, name, attempt)
