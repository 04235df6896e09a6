"""Row-wise methods that call the script's functions or may fail on a value: they run at their own line.

For example `df["n"].astype(int)` raises at the first text that is no number, and must do so where the script says it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from runsurge_dask.runner.frames.building import extend
from runsurge_dask.runner.frames.lazy import MISSING, LazyFrame, LazySeries, node_of

LARGEST_TABLE = 100_000
"""Entries of a table that is cheap to send with every chunk."""


def astype(lazy: Any, dtype: Any, **kwargs: Any) -> Any:
    """`astype`: at its own line, unless no value can fail."""
    if kwargs:
        return MISSING
    meta = node_of(lazy).meta
    pairs = (
        [(meta[name].dtype, wanted) for name, wanted in dtype.items() if name in meta]
        if isinstance(dtype, dict)
        else [(each, dtype) for each in (meta.dtypes if isinstance(meta, pd.DataFrame) else [meta.dtype])]
    )
    if any(str(wanted) in {"category", "object"} or wanted is object or isinstance(wanted, pd.CategoricalDtype) for _, wanted in pairs):
        return MISSING
    is_sure = all(_never_fails(old, wanted) for old, wanted in pairs)
    return extend(lazy, "method:astype", (dtype,), now=not is_sure)


def _never_fails(old: Any, wanted: Any) -> bool:
    if wanted is str or wanted == "str":
        return isinstance(old, np.dtype) and old.kind in "iub"
    try:
        new = np.dtype(wanted)
    except TypeError:
        return False
    return isinstance(old, np.dtype) and old.kind in "iubf" and (new.kind == "f" or (old.kind in "iub" and new.kind in "iub"))


def map_values(lazy: Any, arg: Any, *args: Any, **kwargs: Any) -> Any:
    """`map` by a table or a function, at its own line."""
    is_table = isinstance(lazy, LazySeries) and type(arg) is dict and not args and not kwargs
    if is_table and len(arg) < LARGEST_TABLE:
        return extend(lazy, "method:map", (dict(arg),), now=True)
    if callable(arg):
        return extend(lazy, "method:map", (arg, *args), kwargs, now=True, calls=True)
    return MISSING


def apply(lazy: Any, func: Any, *args: Any, **kwargs: Any) -> Any:
    """`apply` of a function to each value or row, at its own line."""
    if not callable(func) or (isinstance(lazy, LazyFrame) and kwargs.get("axis", 0) not in {1, "columns"}):
        return MISSING
    return extend(lazy, "method:apply", (func, *args), kwargs, now=True, calls=True)
