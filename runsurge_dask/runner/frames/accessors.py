"""`.str`, `.dt` and `.loc` of lazy objects, and NumPy functions that take them.

For example `df.name.str.lower()` is one expression, and `df.loc[df.age > 9, "band"] = 2` another.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from runsurge_dask.runner.frames import tables
from runsurge_dask.runner.frames.building import extend, filtered
from runsurge_dask.runner.frames.lazy import MISSING, LazyFrame, LazySeries, change, is_lazy, materialise, may_change, node_of
from runsurge_dask.runner.frames.methods import install_property, numpy_call

WHERE_FUNCTIONS = frozenset({"where", "select", "isclose"})


class _Accessor:
    def __init__(self, series: LazySeries) -> None:
        self._series = series

    def _plain(self) -> Any:
        return getattr(materialise(self._series), self._name)

    _name = ""

    def __dir__(self) -> Any:
        return dir(self._plain())

    def _call(self, name: str, *args: Any, **kwargs: Any) -> Any:
        if is_lazy(self._series):
            found = extend(self._series, f"method:{self._name}.{name}", args, kwargs)
            if found is not MISSING:
                return found
        return getattr(self._plain(), name)(*args, **kwargs)


class LazyStrings(_Accessor):
    """`series.str`."""

    _name = "str"

    def __getattr__(self, name: str) -> Any:
        if name not in tables.STRING_ROWS:
            return getattr(self._plain(), name)

        def method(__rs_it: Any = None, /, *args: Any, **kwargs: Any) -> Any:
            return self._call(name, *(() if __rs_it is _NOTHING else (__rs_it,)), *args, **kwargs)

        return lambda *args, **kwargs: method(*(args or (_NOTHING,)), **kwargs)

    def __getitem__(self, key: Any) -> Any:
        return self._call("__getitem__", key)


class LazyDates(_Accessor):
    """`series.dt`."""

    _name = "dt"

    def __getattr__(self, name: str) -> Any:
        if name in tables.DATE_ATTRIBUTES and is_lazy(self._series):
            found = extend(self._series, f"attribute:dt.{name}", ())
            if found is not MISSING:
                return found
        if name in tables.DATE_METHODS:
            return lambda *args, **kwargs: self._call(name, *args, **kwargs)
        return getattr(self._plain(), name)


_NOTHING = object()


class LazyLoc:
    """`frame.loc`."""

    def __init__(self, owner: Any) -> None:
        self._owner = owner

    def __getattr__(self, name: str) -> Any:
        return getattr(materialise(self._owner).loc, name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Pandas' own, of the whole."""
        return materialise(self._owner).loc(*args, **kwargs)

    def __getitem__(self, key: Any) -> Any:
        owner = self._owner
        if is_lazy(owner):
            found = _read(owner, key)
            if found is not MISSING:
                return found
        return materialise(owner).loc[key]

    def __setitem__(self, key: Any, value: Any) -> None:
        owner = self._owner
        if (
            is_lazy(owner)
            and isinstance(owner, LazyFrame)
            and type(key) is tuple
            and len(key) == 2  # noqa: PLR2004 - rows and columns
            and _fits(owner, key[1], value)
            and _is_mask(key[0])
            and may_change(owner)
        ):
            found = extend(owner, "setloc", (key, value))
            if found is not MISSING:
                change(owner, node_of(found))
                return
        materialise(owner).loc[key] = value

    def __delitem__(self, key: Any) -> None:
        del materialise(self._owner).loc[key]


def _is_mask(value: Any) -> bool:
    return isinstance(value, LazySeries) and is_lazy(value) and node_of(value).meta.dtype == bool


def _read(owner: Any, key: Any) -> Any:
    if _is_mask(key):
        return filtered(owner, "loc", (key,))
    if type(key) is not tuple or len(key) != 2 or not isinstance(owner, LazyFrame):  # noqa: PLR2004 - rows and columns
        return MISSING
    rows, columns = key
    if not isinstance(columns, str) and not (type(columns) is list and all(isinstance(name, str) for name in columns)):
        return MISSING
    if _is_mask(rows):
        return filtered(owner, "loc", ((rows, columns),))
    if isinstance(rows, slice) and rows == slice(None):
        return extend(owner, "getitem", (columns,))
    return MISSING


def _fits(owner: Any, column: Any, value: Any) -> bool:
    """Whether the value goes into the column without changing its type, or failing."""
    meta = node_of(owner).meta
    if not isinstance(column, str) or column not in meta.columns:
        return False
    dtype = meta[column].dtype
    if str(dtype) == "str":
        return isinstance(value, str)
    if not isinstance(dtype, np.dtype):
        return False
    if dtype.kind == "b":
        return isinstance(value, bool)
    if dtype == np.dtype("int64"):
        return type(value) is int and abs(value) < 1 << 62
    return dtype == np.dtype("float64") and type(value) in {int, float}


def _array_function(self: Any, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
    del types
    if func.__module__ == "numpy" and func.__name__ in WHERE_FUNCTIONS and (func.__name__ != "where" or len(args) == 3) and is_lazy(self):  # noqa: PLR2004 - condition and both values
        found = numpy_call(self, func.__name__, args, kwargs, now=True)
        if found is not MISSING:
            return found
    for value in _lazies(args) + _lazies(list(kwargs.values())):
        materialise(value)
    return func(*args, **kwargs)


def _lazies(value: Any) -> list[Any]:
    if is_lazy(value):
        return [value]
    if isinstance(value, list | tuple):
        return [lazy for item in value for lazy in _lazies(item)]
    return []


def install() -> None:
    """Give the classes their accessors."""
    install_property(LazySeries, "str", lambda lazy: LazyStrings(lazy) if _is_text(lazy) else MISSING)
    install_property(LazySeries, "dt", lambda lazy: LazyDates(lazy) if node_of(lazy).meta.dtype.kind in "mM" else MISSING)
    for kind in (LazyFrame, LazySeries):
        install_property(kind, "loc", LazyLoc)
        setattr(kind, "__array_function__", _array_function)  # noqa: B010 - no attribute that type checkers know


def _is_text(lazy: Any) -> bool:
    dtype = node_of(lazy).meta.dtype
    return str(dtype) == "str" or (str(dtype) == "object" and isinstance(node_of(lazy).meta, pd.Series))
