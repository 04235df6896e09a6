"""`agg` of a lazy frame or series: every reduction of every column in one stage, laid out as pandas lays it out.

For example `df[["price", "units"]].agg(["min", "mean"])` asks each chunk for four parts.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from runsurge_dask.runner.escape import Escape
from runsurge_dask.runner.frames import parts, tables
from runsurge_dask.runner.frames.answers import has_types, is_exact
from runsurge_dask.runner.frames.building import extend, is_open
from runsurge_dask.runner.frames.lazy import MISSING, LazyFrame, LazySeries, current_facts, is_lazy, materialise, node_of, source_of
from runsurge_dask.runner.frames.methods import install_method

NAMES = tables.REDUCTIONS - {"any", "all"}


def _agg(lazy: Any, func: Any = None, *args: Any, **kwargs: Any) -> Any:
    """`agg` by names of reductions: a list of them, or a table of columns."""
    if args or kwargs or not is_open(lazy):
        return MISSING
    if isinstance(func, str):
        return getattr(lazy, func)() if func in NAMES else MISSING
    meta = node_of(lazy).meta
    if isinstance(lazy, LazySeries):
        found = _asked(lazy, {meta.name: func}) if _are_names(func) else None
        return MISSING if found is None else found[meta.name]
    if _are_names(func):
        found = _asked(lazy, dict.fromkeys(meta.columns, func))
        return MISSING if found is None else pd.concat(list(found.values()), keys=list(found), axis=1, sort=False)
    if type(func) is not dict or not func or not set(func) <= set(meta.columns):
        return MISSING
    if all(isinstance(name, str) and name in NAMES for name in func.values()):
        found = _asked(lazy, {column: [name] for column, name in func.items()})
        return MISSING if found is None else pd.Series([values.iloc[0] for values in found.values()], index=pd.Index(list(found)))
    wanted = {column: [names] if isinstance(names, str) else names for column, names in func.items()}
    if not all(map(_are_names, wanted.values())):
        return MISSING
    found = _asked(lazy, wanted)
    return MISSING if found is None else pd.concat(found, axis=1)


def _are_names(func: Any) -> bool:
    if type(func) is not list or not func:
        return False
    return all(isinstance(name, str) and name in NAMES for name in func) and len(set(func)) == len(func)


def _asked(lazy: Any, wanted: dict[Any, list[str]]) -> dict[Any, Any] | None:
    """For each column the series of its reductions, as pandas makes it."""
    columns = {name: lazy if isinstance(lazy, LazySeries) else extend(lazy, "getitem", (name,)) for name in wanted}
    if any(not is_lazy(column) or isinstance(column, LazyFrame) for column in columns.values()):
        return None
    pairs = [(name, operation) for name, operations in wanted.items() for operation in operations]
    if not all(has_types(node_of(columns[name]).meta, operation, {}) for name, operation in pairs):
        return None
    source = source_of(lazy)
    roots: list[Any] = [(node_of(columns[name]), ("reduce", operation, {}, is_exact(lazy))) for name, operation in pairs]
    given = source.run(current_facts(source), roots)
    if given is None:
        return None
    found: dict[Any, list[Any]] = {name: [] for name in wanted}
    try:
        for (name, operation), of_chunks in zip(pairs, given, strict=True):
            found[name].append(parts.join_reduction(operation, node_of(columns[name]).meta, of_chunks))
    except (Escape, TypeError, ValueError):
        return None
    return {name: pd.Series(values, index=wanted[name], name=name) for name, values in found.items()}


def _of_copy(name: str) -> Any:
    """A summary that needs all values: pandas gives it for the numeric columns, and the frame itself stays lazy."""

    def attempt(lazy: Any, *args: Any, **kwargs: Any) -> Any:
        meta = node_of(lazy).meta
        if name != "describe" and not kwargs.get("numeric_only"):
            return MISSING
        numbers = list(meta.select_dtypes("number").columns)
        if "include" in kwargs or "exclude" in kwargs or not is_open(lazy) or not numbers or len(numbers) == len(meta.columns):
            return MISSING
        if any(not isinstance(dtype, np.dtype | pd.StringDtype) or dtype.kind in "mMb" for dtype in meta.dtypes):
            return MISSING
        return getattr(materialise(lazy[numbers]), name)(*args, **kwargs)

    return attempt


def install() -> None:
    """Give the classes their summaries."""
    for kind in (LazyFrame, LazySeries):
        install_method(kind, "agg", _agg)
        install_method(kind, "aggregate", _agg)
    for name in ("describe", "median", "quantile"):
        install_method(LazyFrame, name, _of_copy(name))
