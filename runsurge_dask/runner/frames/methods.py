"""What a lazy frame or series does itself: row-wise methods, operators, and changes in place.

Each wrapper tries to build an expression; where it cannot, the object becomes plain and pandas' own method runs.
"""

from __future__ import annotations

import os
import sys
import warnings
from typing import Any

import numpy as np
import pandas as pd
from pandas.compat._constants import REF_COUNT, REF_COUNT_METHOD  # type: ignore[import-not-found]
from pandas.errors import ChainedAssignmentError  # type: ignore[attr-defined]
from pandas.errors.cow import _chained_assignment_method_msg, _chained_assignment_msg  # type: ignore[import-not-found]

from runsurge_dask.runner.frames import tables
from runsurge_dask.runner.frames.building import extend, filtered, from_outside, is_open
from runsurge_dask.runner.frames.conversions import apply, astype, map_values
from runsurge_dask.runner.frames.lazy import (
    MISSING,
    LazyFrame,
    LazySeries,
    as_pandas,
    change,
    is_lazy,
    lend,
    materialise,
    may_change,
    node_of,
    source_of,
    wrap,
)
from runsurge_dask.runner.frames.nodes import Node
from runsurge_dask.runner.frames.shaping import drop, dropna, rename, reset_index, set_index

IN_PLACE = frozenset({"drop", "dropna", "fillna", "rename", "reset_index", "set_index"})
PANDAS_FOLDER = os.path.dirname(pd.__file__) + os.sep


def install_method(kind: type, name: str, attempt: Any) -> None:
    """Let `kind.name` try this first, and be pandas' own method otherwise."""
    plain = getattr(kind.__mro__[1], name)
    is_setting = name == "__setitem__"

    def method(__rs_it: Any, /, *args: Any, **kwargs: Any) -> Any:
        is_held = sys.getrefcount(__rs_it) > (REF_COUNT if is_setting else REF_COUNT_METHOD)
        if is_lazy(__rs_it):
            caller = sys._getframe(1)  # noqa: SLF001 - who asks
            if not is_held and (is_setting or kwargs.get("inplace") is True) and not _is_library(caller):
                return _in_vain(plain, __rs_it, args, kwargs)
            if name in IN_PLACE and kwargs.get("inplace") is True and may_change(__rs_it) and _has_name(__rs_it, caller):
                others = {key: value for key, value in kwargs.items() if key != "inplace"}
                changed = attempt(__rs_it, *args, **others)
                if is_lazy(changed):
                    _in_place(plain, node_of(__rs_it).meta.copy(), args, kwargs)  # for what pandas has to say about it
                    change(__rs_it, node_of(changed))
                    return None
            found = MISSING if _is_library(caller) else attempt(__rs_it, *args, **kwargs)
            if found is not MISSING:
                return found
            materialise(__rs_it)
        if name == "query":
            kwargs["level"] = kwargs.get("level", 0) + 1  # it looks for `@name` in its caller: one further up
        if "inplace" in kwargs:
            return _in_place(plain, __rs_it, args, kwargs)
        return plain(__rs_it, *args, **kwargs)

    method.__name__, method.__qualname__, method.__doc__ = name, f"{kind.__name__}.{name}", plain.__doc__
    setattr(kind, name, as_pandas(method))


def _in_vain(plain: Any, owner: Any, args: Any, kwargs: Any) -> Any:
    """Change what nobody holds: pandas counts references to warn of that, and would count ours."""
    message = _chained_assignment_method_msg if kwargs else _chained_assignment_msg
    warnings.warn(message, ChainedAssignmentError, stacklevel=3)
    return _in_place(plain, materialise(owner), args, kwargs)


def _has_name(lazy: Any, frame: Any) -> bool:
    """Whether a frame is a variable of the script: of others pandas may say that changing them in place is in vain."""
    return isinstance(lazy, LazyFrame) and any(value is lazy for names in (frame.f_locals, frame.f_globals) for value in names.values())


def _is_library(frame: Any) -> bool:
    """Whether pandas itself asks: it is about to look at the data, so it is given them."""
    return bool(frame.f_code.co_filename.startswith(PANDAS_FOLDER))


def _in_place(plain: Any, owner: Any, args: Any, kwargs: Any) -> Any:
    """Pandas warns of `inplace` at a fixed distance in frames, of which our wrapper is one more."""
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        result = plain(owner, *args, **kwargs)
    for each in heard:
        if issubclass(each.category, ChainedAssignmentError):
            continue
        warnings.warn(each.message, each.category, stacklevel=3)
    return result


def install_property(kind: type, name: str, read: Any, write: Any = None) -> None:
    """Let an attribute be answered without the data."""

    def getter(__rs_it: Any, /) -> Any:
        if is_lazy(__rs_it):
            found = MISSING if _is_library(sys._getframe(1)) else read(__rs_it)  # noqa: SLF001 - who asks
            if found is not MISSING:
                return found
            materialise(__rs_it)
        return getattr(__rs_it, name)

    def setter(__rs_it: Any, /, value: Any) -> None:
        if is_lazy(__rs_it):
            if write is not None and write(__rs_it, value) is not MISSING:
                return
            materialise(__rs_it)
        setattr(__rs_it, name, value)

    setattr(kind, name, property(as_pandas(getter), as_pandas(setter)))


def rows_method(name: str) -> Any:
    """A method over the same rows that cannot fail."""

    def attempt(lazy: Any, *args: Any, **kwargs: Any) -> Any:
        if "inplace" in kwargs or not _is_safe(lazy):
            return MISSING
        return extend(lazy, f"method:{name}", args, kwargs)

    return attempt


def _is_safe(*values: Any) -> bool:
    """Only columns of types on which an operation cannot fail for one value and work for another."""
    for value in values:
        if is_lazy(value):
            meta = node_of(value).meta
            dtypes = list(meta.dtypes) if isinstance(meta, pd.DataFrame) else [meta.dtype]
            if any(
                str(dtype) == "object" or str(dtype) in {"datetime64[ns]", "timedelta64[ns]"} or isinstance(dtype, pd.CategoricalDtype)
                for dtype in dtypes
            ):
                return False
    return True


def _is_scalar(value: Any) -> bool:
    return bool(pd.api.types.is_scalar(value))


def operator_method(name: str, *, is_reflected: bool = False) -> Any:
    """`+`, `<` and their kind, with a scalar or an expression over the same rows."""
    op = f"{'reflected' if is_reflected else 'operator'}:{name}"

    def attempt(lazy: Any, other: Any) -> Any:
        if not (_is_scalar(other) or is_lazy(other)):
            return MISSING
        if not _is_safe(lazy, other):
            return extend(lazy, op, (other,), now=True)
        return extend(lazy, op, (other,))

    return attempt


def _unary(name: str) -> Any:
    def attempt(lazy: Any) -> Any:
        return extend(lazy, f"operator:{name}", ()) if _is_safe(lazy) else MISSING

    return attempt


def _flexible(name: str) -> Any:
    def attempt(lazy: Any, other: Any, **kwargs: Any) -> Any:
        if not (_is_scalar(other) or is_lazy(other)) or not set(kwargs) <= {"fill_value"} or not _is_safe(lazy, other):
            return MISSING
        return extend(lazy, f"method:{name}", (other,), kwargs)

    return attempt


def _getitem(lazy: Any, key: Any) -> Any:
    if isinstance(key, LazySeries):
        if node_of(key).meta.dtype != bool:
            return MISSING
        return filtered(lazy, "getitem", (key,))
    if isinstance(lazy, LazySeries):
        return MISSING
    if isinstance(key, pd.Index):
        key = list(key)
    if isinstance(key, str) or (isinstance(key, list) and all(isinstance(name, str) for name in key)):
        return extend(lazy, "getitem", (key,))
    return MISSING


def _attribute(lazy: Any, name: str) -> Any:
    if not name.startswith(("__", "_rs_")) and name in node_of(lazy).meta.columns:
        return _getitem(lazy, name)
    return MISSING


def _setitem(lazy: Any, key: Any, value: Any) -> Any:
    if isinstance(lazy, LazySeries):
        return MISSING
    if not isinstance(key, str) and not (isinstance(key, list) and isinstance(value, LazyFrame)):
        return MISSING
    value = from_outside(lazy, value)
    if isinstance(value, list | tuple | dict | set | range) or callable(value):
        return MISSING
    changed = extend(lazy, "setitem", (key, value))
    if changed is not MISSING and isinstance(value, Node):
        node_of(changed).line = 0  # what the statement worked out, it worked out on the whole
    return _changed(lazy, changed)


def _changed(lazy: Any, other: Any) -> Any:
    if other is MISSING or not may_change(lazy):
        return MISSING
    change(lazy, node_of(other))
    return None


def _delitem(lazy: Any, key: Any) -> Any:
    return _changed(lazy, extend(lazy, "delitem", (key,)))


def _insert(lazy: Any, loc: int, column: Any, value: Any, **kwargs: Any) -> Any:
    value = from_outside(lazy, value)
    if isinstance(value, list | tuple | dict | set | range):
        return MISSING
    return _changed(lazy, extend(lazy, "insert", (loc, column, value), kwargs))


def _pop(lazy: Any, item: Any) -> Any:
    column = _getitem(lazy, item)
    if column is MISSING or _delitem(lazy, item) is MISSING:
        return MISSING
    return column


def _assign(lazy: Any, **columns: Any) -> Any:
    changed = wrap(source_of(lazy), node_of(lazy))
    for name, value in columns.items():
        changed[name] = value(changed) if callable(value) and not is_lazy(value) else value
    return changed


def _copy(lazy: Any, deep: bool = True) -> Any:  # noqa: FBT001, FBT002 - pandas' own signature
    del deep
    return wrap(source_of(lazy), node_of(lazy))


def _fillna(lazy: Any, *args: Any, **kwargs: Any) -> Any:
    if not _is_safe(lazy) or "inplace" in kwargs:
        return MISSING
    values = [*args, *kwargs.values()]
    fits = all(_fits(node_of(lazy).meta, each) for value in values for each in (value.values() if type(value) is dict else [value]))
    return extend(lazy, "method:fillna", args, kwargs, now=not fits)


def _fits(meta: Any, value: Any) -> bool:
    """Whether columns of one kind take a value of this kind without a word."""
    kinds = {dtype.kind for dtype in (meta.dtypes if isinstance(meta, pd.DataFrame) else [meta.dtype])}
    return kinds <= set("iuf") if type(value) in {int, float} else type(value) is str and kinds <= {"T", "O", "U"}


def _query(lazy: Any, expr: Any, **kwargs: Any) -> Any:
    if kwargs or not isinstance(expr, str) or isinstance(lazy, LazySeries) or not _is_safe(lazy):
        return MISSING
    names = _spelled(expr)
    frame = sys._getframe(2)  # noqa: SLF001 - the script's own frame: attempt <- wrapper <- script
    scope = {**frame.f_globals, **frame.f_locals}
    given = {name: scope[name] for name in names if name in scope}
    return filtered(lazy, "method:query", (expr,), {"local_dict": given, "global_dict": {}})


def _spelled(expr: str) -> set[str]:
    import re

    return set(re.findall(r"@([A-Za-z_]\w*)", expr))


def across(name: str) -> Any:
    """Reductions over the columns of each row are row-wise."""

    def attempt(lazy: Any, *args: Any, **kwargs: Any) -> Any:
        if args or kwargs.get("axis") not in {1, "columns"} or not _is_safe(lazy):
            return MISSING
        return extend(lazy, f"method:{name}", (), kwargs)

    return attempt


def _columns(lazy: Any) -> Any:
    return lend(lazy, node_of(lazy).meta.columns.view())


def _set_columns(lazy: Any, labels: Any) -> Any:
    if not isinstance(labels, list | pd.Index) or not all(isinstance(name, str) for name in labels):
        return MISSING
    return _changed(lazy, extend(lazy, "setattr:columns", (list(labels),)))


def _setattr(lazy: Any, name: str, value: Any) -> Any:
    if isinstance(lazy, LazySeries):
        return _set_name(lazy, value) if name == "name" else MISSING
    if name == "columns":
        return _set_columns(lazy, value)
    return _setitem(lazy, name, value) if name in node_of(lazy).meta.columns and not hasattr(pd.DataFrame, name) else MISSING


def _name(lazy: Any) -> Any:
    return node_of(lazy).meta.name


def _set_name(lazy: Any, name: Any) -> Any:
    return _changed(lazy, extend(lazy, "setattr:name", (name,)))


def _index(lazy: Any) -> Any:
    rows = node_of(lazy).rows
    assert rows is not None
    if rows.parent is None and rows.index == "rows" and is_open(lazy) and source_of(lazy).settle():
        return lend(lazy, pd.RangeIndex(source_of(lazy).total))
    return MISSING


def _ufunc(lazy: Any, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
    name = ufunc.__name__
    if method != "__call__" or kwargs or getattr(np, name, None) is not ufunc:
        return MISSING
    if not all(_is_scalar(value) or is_lazy(value) for value in inputs) or len([value for value in inputs if is_lazy(value)]) > 2:  # noqa: PLR2004 - at most two operands
        return MISSING
    if name not in tables.QUIET_FUNCTIONS | tables.LOUD_FUNCTIONS or not _is_safe(*inputs):
        return MISSING
    return numpy_call(lazy, name, inputs, {}, now=name in tables.LOUD_FUNCTIONS)


def numpy_call(lazy: Any, name: str, inputs: tuple[Any, ...], kwargs: dict[str, Any], *, now: bool) -> Any:
    """A NumPy function of expressions over the same rows."""
    return extend(lazy, "call:numpy", (name, inputs, kwargs), now=now)


def _plain_methods() -> list[tuple[type, str, Any]]:
    found: list[tuple[type, str, Any]] = []
    found += [(LazySeries, name, rows_method(name)) for name in tables.SERIES_ROWS - {"fillna"}]
    found += [(LazyFrame, name, rows_method(name)) for name in tables.FRAME_ROWS - {"fillna"}]
    for kind in (LazyFrame, LazySeries):
        for name in tables.ARITHMETIC:
            found += [(kind, f"__{name}__", operator_method(name)), (kind, f"__r{name}__", operator_method(name, is_reflected=True))]
        found += [(kind, f"__{name}__", operator_method(name)) for name in tables.COMPARISON]
        found += [(kind, f"__{name.rstrip('_')}__", operator_method(name)) for name in tables.LOGICAL]
        found += [(kind, f"__{name}__", _unary(name)) for name in ("neg", "invert", "abs")]
        found += [(kind, name, _flexible(name)) for name in tables.FLEXIBLE]
        found += [
            (kind, "__getitem__", _getitem),
            (kind, "__setitem__", _setitem),
            (kind, "copy", _copy),
            (kind, "rename", rename),
            (kind, "drop", drop),
            (kind, "dropna", dropna),
            (kind, "fillna", _fillna),
            (kind, "reset_index", reset_index),
            (kind, "astype", astype),
            (kind, "map", map_values),
            (kind, "apply", apply),
            (kind, "__array_ufunc__", _ufunc),
        ]
    found += [
        (LazyFrame, "__delitem__", _delitem),
        (LazyFrame, "insert", _insert),
        (LazyFrame, "pop", _pop),
        (LazyFrame, "assign", _assign),
        (LazyFrame, "query", _query),
        (LazyFrame, "set_index", set_index),
    ]
    return found


def install() -> None:
    """Give both classes their methods."""
    for kind, name, attempt in _plain_methods():
        install_method(kind, name, attempt)
    install_method(LazyFrame, "__getattr__", _attribute)
    install_property(LazyFrame, "columns", _columns, _set_columns)
    install_property(LazySeries, "name", _name, _set_name)
    for kind in (LazyFrame, LazySeries):
        install_method(kind, "__setattr__", _setattr)
        install_property(kind, "index", _index)
        install_property(kind, "attrs", lambda _: MISSING)
