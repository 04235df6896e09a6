"""Arrays that are expressions until the script, or code that we do not know, wants to have them.

A `LazyArray` is no array and never pretends to C code that it is one: operators and the functions of `tables` make further
expressions of it, everything else is done with the plain array that it stands for.
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from runsurge_dask.runner.arrays import tables
from runsurge_dask.runner.arrays.room import Room, lend, real_of
from runsurge_dask.runner.standins import StandIn, real

if TYPE_CHECKING:
    from collections.abc import Callable

    from runsurge_dask.runner.arrays.nodes import Step

MISSING: Any = object()
"""No expression can stand for the answer: it is NumPy's turn."""


class LazyArray(StandIn):
    """An array that is not there yet."""

    __slots__ = ("__weakref__", "_rs_room", "_rs_step")
    __array_priority__ = 1e6
    __pandas_priority__: ClassVar[int] = 10_000
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, room: Room, step: Step) -> None:
        self._rs_room = room
        self._rs_step = step

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        return type(self._rs_step.meta)

    def rs_real(self) -> Any:
        """The plain array, the same one each time."""
        return real_of(self._rs_room, self._rs_step)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.array(self.rs_real(), dtype=dtype, copy=copy)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Any:
        from runsurge_dask.runner.arrays import calls

        name = ufunc.__name__
        if method == "__call__" and set(kwargs) <= {"dtype"} and name in tables.UFUNCS and getattr(np, name) is ufunc:
            found = calls.elementwise(self._rs_room, f"numpy:{name}", inputs, kwargs)
            if found is not MISSING:
                return found
        given, named = all_real(inputs), all_real(kwargs)
        return self._rs_room.plainly(getattr(ufunc, method), *given, **named)

    def __array_function__(self, func: Any, types: Any, args: Any, kwargs: Any) -> Any:
        from runsurge_dask.runner.arrays import calls

        del types
        found = calls.numpy_call(self._rs_room, func, args, kwargs)
        if found is not MISSING:
            return found
        is_reading = func.__name__ in tables.READING and getattr(np, func.__name__, None) is func and not set(kwargs) & tables.CHANGING
        given = (*lent(args[:2]), *all_real(args[2:])) if is_reading else all_real(args)
        named = lent(kwargs) if is_reading else all_real(kwargs)
        return self._rs_room.plainly(func, *given, **named)

    def __getattr__(self, name: str) -> Any:
        from runsurge_dask.runner.arrays import calls

        if name.startswith("_rs_"):
            raise AttributeError(name)
        if name in tables.METHODS:
            return calls.Method(self, name)
        return getattr(self.rs_real(), name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in {"_rs_room", "_rs_step"}:
            object.__setattr__(self, name, value)
        else:
            setattr(self.rs_real(), name, value)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return self.rs_real().__reduce_ex__(protocol)

    def __getitem__(self, key: Any) -> Any:
        from runsurge_dask.runner.arrays import indexing

        found = indexing.pick(self, key)
        return self._rs_room.plainly(operator.getitem, self.rs_real(), all_real(key)) if found is MISSING else found

    def __setitem__(self, key: Any, value: Any) -> None:
        self._rs_room.plainly(operator.setitem, self.rs_real(), all_real(key), real(value))

    def __delitem__(self, key: Any) -> None:
        del self.rs_real()[key]

    def __len__(self) -> int:
        from runsurge_dask.runner.arrays import calls

        return calls.length(self)

    def __sizeof__(self) -> int:
        return int(self.rs_real().__sizeof__())


def all_real(value: Any) -> Any:
    """An argument with plain arrays in the place of expressions."""
    if type(value) in {list, tuple}:
        return type(value)(map(all_real, value))
    if type(value) is dict:
        return {key: all_real(item) for key, item in value.items()}
    return real(value)


def lent(value: Any) -> Any:
    """The same for code that only reads them: they stay expressions."""
    if type(value) in {list, tuple}:
        return type(value)(map(lent, value))
    if type(value) is dict:
        return {key: lent(item) for key, item in value.items()}
    if type(value) is not LazyArray:
        return value
    step = usable(value)
    return lend(value._rs_room, step) if step is value._rs_step else step  # noqa: SLF001 - one room


def usable(lazy: LazyArray) -> Any:
    """The step behind it, or the plain array where the script has it already."""
    step: Any = lazy._rs_step  # noqa: SLF001 - one room
    below = step
    while below.is_view and below.real is None:
        below = below.args[0]
    return step if below.real is None else lazy.rs_real()


def _operation(name: str, *, is_turned: bool = False) -> Callable[..., Any]:
    def method(self: LazyArray, *others: Any) -> Any:
        from runsurge_dask.runner.arrays import calls

        operands = (*others, self) if is_turned else (self, *others)
        found = calls.elementwise(self._rs_room, f"operator:{name}", operands, {})
        return self._rs_room.plainly(getattr(operator, name), *map(real, operands)) if found is MISSING else found

    return method


def _in_place(name: str) -> Callable[..., Any]:
    def method(self: LazyArray, other: Any) -> Any:
        return self._rs_room.plainly(getattr(operator, name), self.rs_real(), real(other))

    return method


def _plain(name: str) -> Callable[..., Any]:
    def method(self: LazyArray, *args: Any, **kwargs: Any) -> Any:
        return self._rs_room.plainly(getattr(self.rs_real(), name), *args, **kwargs)

    return method


for _name in tables.BINARY:
    _bare = _name.rstrip("_")
    setattr(LazyArray, f"__{_bare}__", _operation(_name))
    setattr(LazyArray, f"__r{_bare}__", _operation(_name, is_turned=True))
    setattr(LazyArray, f"__i{_bare}__", _in_place(f"i{_bare}"))
for _name in tables.COMPARISONS + tables.UNARY:
    setattr(LazyArray, f"__{_name}__", _operation(_name))
for _name in ("matmul", "divmod"):
    for _form in (f"__{_name}__", f"__r{_name}__"):
        setattr(LazyArray, _form, _plain(_form))
for _name in (
    "__bool__", "__int__", "__float__", "__complex__", "__index__", "__iter__", "__contains__", "__repr__", "__str__", "__format__",
    "__copy__", "__deepcopy__",
):  # fmt: skip
    setattr(LazyArray, _name, _plain(_name))
for _name in tables.ATTRIBUTES:

    def _read(self: LazyArray, name: str = _name) -> Any:
        from runsurge_dask.runner.arrays import calls

        return calls.attribute(self, name)

    setattr(LazyArray, _name, property(_read))
