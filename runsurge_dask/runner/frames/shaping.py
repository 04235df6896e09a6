"""Methods that give a lazy frame other columns, other labels, or fewer rows.

For example `df.dropna(subset=["price"]).reset_index(drop=True)` keeps some rows and counts them anew.
"""

from __future__ import annotations

from typing import Any

from runsurge_dask.runner.frames.building import extend, filtered
from runsurge_dask.runner.frames.lazy import MISSING, LazySeries, node_of


def rename(lazy: Any, *args: Any, **kwargs: Any) -> Any:
    """`rename` of columns, or of a series."""
    if isinstance(lazy, LazySeries):
        if len(args) == 1 and isinstance(args[0], str) and not kwargs:
            return extend(lazy, "method:rename", args)
        return MISSING
    if args or set(kwargs) != {"columns"}:
        return MISSING
    mapper = kwargs["columns"]
    if callable(mapper):
        mapper = {name: mapper(name) for name in node_of(lazy).meta.columns}
    if type(mapper) is not dict:
        return MISSING
    return extend(lazy, "method:rename", (), {"columns": mapper})


def drop(lazy: Any, *args: Any, **kwargs: Any) -> Any:
    """`drop` of columns."""
    if args and kwargs == {"axis": 1} and len(args) == 1:
        kwargs, args = {"columns": args[0]}, ()
    if args or set(kwargs) != {"columns"} or isinstance(lazy, LazySeries):
        return MISSING
    return extend(lazy, "method:drop", (), kwargs)


def dropna(lazy: Any, **kwargs: Any) -> Any:
    """`dropna`, of rows."""
    if not set(kwargs) <= {"subset", "how", "thresh"}:
        return MISSING
    return filtered(lazy, "method:dropna", (), kwargs)


def reset_index(lazy: Any, **kwargs: Any) -> Any:
    """`reset_index` where the labels are to go, or are data."""
    rows = node_of(lazy).rows
    assert rows is not None
    is_dropped = kwargs == {"drop": True}
    if not is_dropped and (kwargs or rows.index != "own" or isinstance(lazy, LazySeries)):
        return MISSING
    return filtered(lazy, "method:reset_index", (), kwargs, is_fresh=True)


def set_index(lazy: Any, keys: Any, **kwargs: Any) -> Any:
    """`set_index` by one column."""
    if kwargs or not isinstance(keys, str) or keys not in node_of(lazy).meta.columns:
        return MISSING
    return filtered(lazy, "method:set_index", (keys,), is_fresh=True, index="own")
