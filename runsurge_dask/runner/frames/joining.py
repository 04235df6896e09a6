"""`merge`, `join` and `map` with a small table: every chunk has the whole of it.

For example `sales.merge(products, on="sku", how="left")`: each chunk of `sales` is merged by pandas itself. Rows come in the
order of the left side for `left` and `inner`, so the pieces put together are the whole. Columns of the right side whose type
changes where something is missing have the changed type in every chunk once one chunk misses something.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from runsurge_dask.runner.frames.building import extend, filtered
from runsurge_dask.runner.frames.conversions import map_values
from runsurge_dask.runner.frames.lazy import MISSING, LazyFrame, LazySeries, as_pandas, is_lazy, materialise, node_of, source_of
from runsurge_dask.runner.frames.methods import install_method
from runsurge_dask.runner.frames.nodes import Broadcast, Node

MOST_ROWS = 200_000
MOST_BYTES = 32 << 20
"""A table of this size is sent to every chunk; a larger one is joined by pandas."""
SETTINGS = frozenset({"how", "on", "left_on", "right_on", "right_index", "left_index", "suffixes", "validate", "indicator", "sort"})
VALIDATIONS = frozenset({None, "m:1", "many_to_one", "m:m", "many_to_many"})
"""What holds of the right side alone holds in each chunk."""


def broadcast(value: Any, lazy: Any) -> Broadcast | None:
    """A plain small table as every chunk of a lazy object may have it; None where it is anything else."""
    if value is lazy:
        return None
    if is_lazy(value):
        table = source_of(value)
        if not table.settle() or table.total > MOST_ROWS:
            return None
        materialise(value)
    if type(value) not in {pd.DataFrame, pd.Series} or len(value) > MOST_ROWS:
        return None
    dtypes = [value.index.dtype, *(value.dtypes if isinstance(value, pd.DataFrame) else [value.dtype])]
    if isinstance(value.index, pd.MultiIndex) or any(str(dtype) == "object" or not _is_known(dtype) for dtype in dtypes):
        return None
    if isinstance(value, pd.DataFrame) and not (value.columns.is_unique and all(isinstance(name, str) for name in value.columns)):
        return None
    used = value.memory_usage()
    if (used if isinstance(used, int) else int(used.sum())) > MOST_BYTES or value.attrs:
        return None
    return Broadcast(value.copy(deep=False))


def _is_known(dtype: Any) -> bool:
    return isinstance(dtype, np.dtype | pd.CategoricalDtype | pd.StringDtype) or str(dtype) == "boolean" or str(dtype).startswith("Int")


def _merge(left: Any, right: Any, how: Any = "inner", on: Any = None, **kwargs: Any) -> Any:
    """`DataFrame.merge`, for the calls that keep the order of the left rows."""
    if not isinstance(left, LazyFrame) or not _keeps_left_order(left, how, on, kwargs):
        return MISSING
    table = broadcast(right, left)
    others = on if on is not None else kwargs.get("right_on")
    keys = on if on is not None else kwargs["left_on"]
    by_index = bool(kwargs.get("right_index"))
    if table is None or not isinstance(table.value, pd.DataFrame) or not _same_types(left, keys, table.value, others, by_index=by_index):
        return MISSING
    named = {"how": how, **({"on": on} if on is not None else {}), **kwargs}
    if not by_index:
        return filtered(left, "merge", (table,), named, is_fresh=True)
    if not table.value.index.is_unique or on is not None or "right_on" in kwargs:
        return MISSING
    return extend(left, "merge", (table,), named) if how == "left" else filtered(left, "merge", (table,), named)


def _keeps_left_order(left: Any, how: Any, on: Any, kwargs: dict[str, Any]) -> bool:
    if not set(kwargs) <= SETTINGS or how not in {"left", "inner"} or kwargs.get("validate") not in VALIDATIONS:
        return False
    if kwargs.get("left_index") or kwargs.get("sort") or (on is not None) == (kwargs.get("left_on") is not None):
        return False
    keys = on if on is not None else kwargs["left_on"]
    return _are_names(keys, node_of(left).meta) and _are_names(kwargs.get("right_on", on or []), None)


def _are_names(names: Any, meta: Any) -> bool:
    listed = [names] if isinstance(names, str) else names
    return type(listed) is list and all(isinstance(name, str) and (meta is None or name in meta.columns) for name in listed)


def _same_types(left: Any, keys: Any, right: pd.DataFrame, others: Any, *, by_index: bool) -> bool:
    """Whether keys are of one kind on both sides, so that nothing has to be converted for the whole of them."""
    meta = node_of(left).meta
    ours = [meta[name].dtype for name in ([keys] if isinstance(keys, str) else keys)]
    if by_index:
        theirs = [right.index.dtype]
    else:
        names = [others] if isinstance(others, str) else others
        if not names or not set(names) <= set(right.columns):
            return False
        theirs = [right[name].dtype for name in names]
    return len(ours) == len(theirs) and all(_is_pair(one, other) for one, other in zip(ours, theirs, strict=True))


def _is_pair(one: Any, other: Any) -> bool:
    if isinstance(one, pd.StringDtype) and isinstance(other, pd.StringDtype):
        return True
    if isinstance(one, np.dtype) and isinstance(other, np.dtype):
        return (one.kind == other.kind and one.kind in "iubf") or one == other
    return False


def _join(left: Any, other: Any, on: Any = None, how: Any = "left", **kwargs: Any) -> Any:
    """`DataFrame.join` of a column with the labels of a small table."""
    if kwargs or how != "left" or not isinstance(on, str) or not isinstance(left, LazyFrame) or on not in node_of(left).meta.columns:
        return MISSING
    table = broadcast(other, left)
    if table is None or not table.value.index.is_unique or not _is_pair(node_of(left).meta[on].dtype, table.value.index.dtype):
        return MISSING
    return extend(left, "join", (table,), {"on": on})


def _isin(lazy: Any, values: Any) -> Any:
    """`isin` of another column of the script, or of a plain collection."""
    if isinstance(values, pd.Series):
        table = broadcast(values, lazy)
        return MISSING if table is None else extend(lazy, "isin", (table,))
    return extend(lazy, "method:isin", (list(values) if isinstance(values, pd.Index | np.ndarray) else values,))


def _map(lazy: Any, arg: Any, *args: Any, **kwargs: Any) -> Any:
    """`Series.map` by a small series with labels of one kind, each once."""
    if not isinstance(arg, pd.Series) or args or kwargs:
        return map_values(lazy, arg, *args, **kwargs)
    table = broadcast(arg, lazy)
    if table is None or not isinstance(table.value, pd.Series) or not table.value.index.is_unique:
        return MISSING
    if not _is_pair(node_of(lazy).meta.dtype, table.value.index.dtype):
        return MISSING
    return extend(lazy, "map", (table,))


def _merge_function(plain: Any) -> Any:
    def merge(*__rs_it: Any, **kwargs: Any) -> Any:
        if len(__rs_it) > 1 and type(__rs_it[0]) is LazyFrame and is_lazy(__rs_it[0]):
            found = _merge(*__rs_it, **kwargs)
            if found is not MISSING:
                return found
        return plain(*__rs_it, **kwargs)

    merge.__doc__, merge.__module__, merge.__wrapped__ = plain.__doc__, plain.__module__, plain  # type: ignore[attr-defined]
    return as_pandas(merge)


def is_wider(node: Node, shapes: list[Any]) -> bool:
    """Whether chunks of a join differ only in columns that change their type where something is missing; they change everywhere then.

    `shapes` are those of this node in the chunks so far.
    """
    table = next((each for each in node.args if isinstance(each, Broadcast)), None)
    if table is None or table.is_wide or node.kwargs.get("how", "left") != "left" or node.op == "isin":
        return False
    columns = [_columns_of(shape) for shape in shapes]
    if any(list(each) != list(columns[0]) or shape[-1] != shapes[0][-1] for each, shape in zip(columns, shapes, strict=True)):
        return False
    types = {repr(name): pair for name, pair in table.widened_types(node.args[0].meta).items()}
    for name in columns[0]:
        found = {repr(each[name]) for each in columns}
        if len(found) > 1 and (name not in types or found != {repr(str(each)) for each in types[name]}):
            return False
    table.is_wide = True
    return True


def _columns_of(shape: Any) -> dict[str, Any]:
    return dict(shape[1]) if shape[0] == "frame" else {"": shape[2]}


def install() -> None:
    """Give lazy frames their joins."""
    install_method(LazyFrame, "merge", _merge)
    install_method(LazyFrame, "join", _join)
    install_method(LazySeries, "isin", _isin)
    install_method(LazySeries, "map", _map)
    pd.merge = _merge_function(pd.merge)
