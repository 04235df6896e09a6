"""`pd.cut`, `pd.to_datetime` and `pd.to_numeric` of a lazy series, where no value changes what becomes of another.

For example `pd.cut(df.age, bins=[0, 18, 65])` looks at one row; with `bins=3` the edges come from all of them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from runsurge_dask.runner.frames.building import extend
from runsurge_dask.runner.frames.lazy import MISSING, LazySeries, as_pandas, is_lazy, node_of

NUMBERS = frozenset({"int64", "float64", "int32", "float32"})


def _cut(lazy: Any, bins: Any, **kwargs: Any) -> Any:
    if not set(kwargs) <= {"right", "labels", "include_lowest", "precision", "ordered"} or str(node_of(lazy).meta.dtype) not in NUMBERS:
        return MISSING
    edges = list(bins) if isinstance(bins, list | tuple | np.ndarray | range) else None
    labels = kwargs.get("labels")
    if edges is None or not all(isinstance(edge, int | float | np.number) for edge in edges):
        return MISSING
    if labels is not None and labels is not False and not (type(labels) is list and all(isinstance(label, str | int) for label in labels)):
        return MISSING
    return _call(lazy, "cut", (edges,), kwargs, now=False)


def _to_datetime(lazy: Any, **kwargs: Any) -> Any:
    """With a format; else the first value of the whole decides how the others are read."""
    text = kwargs.get("format")
    if not set(kwargs) <= {"format", "errors"} or str(node_of(lazy).meta.dtype) != "str":
        return MISSING
    if not isinstance(text, str) or "%" not in text or "%z" in text.lower() or kwargs.get("errors") not in {None, "raise", "coerce"}:
        return MISSING
    return _call(lazy, "to_datetime", (), kwargs, now=kwargs.get("errors") != "coerce")


def _to_numeric(lazy: Any, **kwargs: Any) -> Any:
    if not set(kwargs) <= {"errors"} or kwargs.get("errors") not in {None, "raise", "coerce"}:
        return MISSING
    if str(node_of(lazy).meta.dtype) not in {"str", *NUMBERS}:
        return MISSING
    return _call(lazy, "to_numeric", (), kwargs, now=kwargs.get("errors") != "coerce")


def _call(lazy: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], *, now: bool) -> Any:
    return extend(lazy, "call:pandas", (name, (lazy, *args), dict(kwargs)), now=now)


def _with_lazy(plain: Any, attempt: Any) -> Any:
    def function(*__rs_it: Any, **kwargs: Any) -> Any:
        if __rs_it and type(__rs_it[0]) is LazySeries and is_lazy(__rs_it[0]):
            try:
                found = attempt(*__rs_it, **kwargs)
            except TypeError:
                found = MISSING
            if found is not MISSING:
                return found
        return plain(*__rs_it, **kwargs)

    function.__name__ = function.__qualname__ = plain.__name__
    function.__doc__, function.__module__, function.__wrapped__ = plain.__doc__, plain.__module__, plain  # type: ignore[attr-defined]
    return as_pandas(function)


def install() -> None:
    """Let the functions look at lazy series first."""
    pd.cut = _with_lazy(pd.cut, _cut)
    pd.to_datetime = _with_lazy(pd.to_datetime, _to_datetime)
    pd.to_numeric = _with_lazy(pd.to_numeric, _to_numeric)
