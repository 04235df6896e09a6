"""Calls on expressions: which of them make another one, which are answered by a stage, which are left to NumPy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from runsurge_dask.runner.arrays import tables
from runsurge_dask.runner.arrays.building import RefusedError, build, operand, rows_among
from runsurge_dask.runner.arrays.lazy import MISSING, LazyArray, all_real, usable
from runsurge_dask.runner.arrays.nodes import Rows, Step
from runsurge_dask.runner.standins import is_stand_in

if TYPE_CHECKING:
    from runsurge_dask.runner.arrays.room import Room

OPTIONS = frozenset(
    {
        "dtype", "axis", "decimals", "right", "side", "rtol", "atol", "equal_nan", "a_min", "a_max", "min", "max", "nan", "posinf",
        "neginf", "left", "invert", "ddof",
    }
)  # fmt: skip
"""Arguments that mean the same for some of the rows as for all."""
LONGEST_INTEGER = 8
_NAMES = {
    getattr(np, name): name
    for name in sorted(tables.ROW_FUNCTIONS | tables.ACROSS | tables.REDUCTIONS | tables.COUNTS | {"flatnonzero", "save"})
}


def elementwise(room: Room, op: str, inputs: tuple[Any, ...], kwargs: dict[str, Any], tables_at: tuple[int, ...] = ()) -> Any:
    """The expression of an operation that works element by element."""
    if not room.is_open:
        return MISSING
    rows = rows_among(value for place, value in enumerate(inputs) if place not in tables_at)
    if rows is None or not set(kwargs) <= OPTIONS:
        return MISSING
    try:
        depth = max(each.meta.ndim for each in map(_step, inputs) if each is not None)
        args = tuple(operand(room, value, rows, depth=depth, is_table=place in tables_at) for place, value in enumerate(inputs))
        named = {key: operand(room, value, rows, depth=depth) for key, value in kwargs.items()}
    except (RefusedError, ValueError):
        return MISSING
    steps = [value for value in args if isinstance(value, Step)]
    if any(isinstance(args[place], Step) for place in tables_at) or any(step.meta.ndim != depth for step in steps):
        return MISSING
    if _is_risky_power(op, args):
        return MISSING
    return build(room, op, args, named, rows=rows)


def _step(value: Any) -> Any:
    if not is_stand_in(value):
        return None
    found = usable(value)
    return found if isinstance(found, Step) else None


def _is_risky_power(op: str, args: tuple[Any, ...]) -> bool:
    """Integers to negative powers raise, and which powers are negative only the values say."""
    if op not in {"operator:pow", "numpy:power"}:
        return False
    kinds = [value.meta.dtype.kind if isinstance(value, Step) else np.asarray(value).dtype.kind for value in args[:2]]
    return set(kinds) <= set("biu") and not (type(args[1]) is int and args[1] >= 0)


def numpy_call(room: Room, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """A call of one of NumPy's functions."""
    name = _NAMES.get(func)
    if name is None or not room.is_open:
        return MISSING
    if name == "save":
        from runsurge_dask.runner.arrays import saving

        return saving.save(room, args, kwargs)
    if name in tables.COUNTS:
        from runsurge_dask.runner.arrays import answers

        return answers.counted(room, name, args, kwargs)
    if not args:
        return MISSING
    if name == "flatnonzero":
        return _positions(room, args, kwargs)
    if name == "diff":
        return _difference(room, args, kwargs)
    if name in tables.ROW_FUNCTIONS:
        return elementwise(room, f"numpy:{name}", args, kwargs, tables.WITH_TABLES.get(name, ()))
    return along_axis(room, f"numpy:{name}", args, kwargs)


def along_axis(room: Room, op: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """A reduction, over all rows or of each of them."""
    step = _step(args[0])
    if step is None or not room.is_open or not set(kwargs) <= OPTIONS or len(args) > 2:  # noqa: PLR2004 - the axis
        return MISSING
    if len(args) == 2:  # noqa: PLR2004 - as above
        kwargs = {"axis": args[1], **kwargs}
    name = op.partition(":")[2]
    axis = kwargs.get("axis", 0 if name == "cumsum" else None)
    if _is_inner(axis, step.meta.ndim):
        return _by_row(room, op, step, kwargs)
    if name not in tables.REDUCTIONS or set(kwargs) - {"axis", "ddof"} or not (axis is None or axis in {0, -step.meta.ndim}):
        return MISSING
    from runsurge_dask.runner.arrays import answers

    return answers.reduced(room, name.removeprefix("a") if name in {"amin", "amax"} else name, step, kwargs)


def _is_inner(axis: Any, depth: int) -> bool:
    wanted = axis if type(axis) is tuple else (axis,)
    return all(type(each) is int and each % depth > 0 and -depth <= each < depth for each in wanted)


def _by_row(room: Room, op: str, step: Step, kwargs: dict[str, Any]) -> Any:
    name = op.partition(":")[2]
    if step.meta.dtype == np.float16 or (step.meta.dtype.kind == "f" and "dtype" in kwargs) or not step.meta.flags.c_contiguous:
        return MISSING
    if name in {"mean", "std", "var"} and step.meta.dtype.kind in "iu" and step.meta.itemsize == LONGEST_INTEGER:
        return MISSING  # as floats they are rounded, in pieces that are not those of the whole
    if not step.meta.dtype.isnative or (name in {"cumsum", "median"} and step.meta.dtype.kind not in "iuf"):
        return MISSING
    return build(room, op, (step,), kwargs, rows=step.rows)


def _positions(room: Room, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    step = _step(args[0])
    if step is None or kwargs or len(args) != 1 or step.rows.is_filtered or step.meta.ndim != 1:
        return MISSING
    return build(room, "flatnonzero", (step,), rows=Rows(step.rows.length, is_filtered=True))


def _difference(room: Room, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    step = _step(args[0])
    if step is None or len(args) != 1 or not set(kwargs) <= {"axis"}:
        return MISSING
    axis = kwargs.get("axis", -1)
    if _is_inner(axis, step.meta.ndim):
        return _by_row(room, "numpy:diff", step, kwargs)
    if axis not in {0, -step.meta.ndim} or step.rows.is_filtered or step.meta.dtype.kind == "b":
        return MISSING
    array = args[0]
    return array[1:] - array[:-1]


class Method:
    """A method of an expression, not called yet."""

    def __init__(self, lazy: LazyArray, name: str) -> None:
        self.lazy = lazy
        self.name = name

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Another expression, an answer, or what NumPy's own method gives."""
        found = self._attempt(args, kwargs)
        if found is MISSING:
            plain = getattr(self.lazy.rs_real(), self.name)
            found = self.lazy._rs_room.plainly(plain, *all_real(args), **all_real(kwargs))  # noqa: SLF001 - one room
        return found

    def __getattr__(self, name: str) -> Any:
        return getattr(getattr(self.lazy.rs_real(), self.name), name)

    def _attempt(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        room = self.lazy._rs_room  # noqa: SLF001 - one room
        if self.name == "astype":
            wanted = (*args, *kwargs.values())
            return self._cast(wanted) if set(kwargs) <= {"dtype"} and _is_plain_type(self.lazy.dtype, wanted) else MISSING
        if self.name in {"clip", "round"} or (self.name == "copy" and not args and not kwargs):
            return elementwise(room, f"method:{self.name}", (self.lazy, *args), kwargs)
        if self.name == "copy":
            return MISSING
        return along_axis(room, f"method:{self.name}", (self.lazy, *args), kwargs)

    def _cast(self, args: tuple[Any, ...]) -> Any:
        step = _step(self.lazy)
        if step is None or not self.lazy._rs_room.is_open:  # noqa: SLF001 - one room
            return MISSING
        return build(self.lazy._rs_room, "method:astype", (step, np.dtype(args[0])), rows=step.rows)  # noqa: SLF001


def _is_plain_type(old: Any, args: tuple[Any, ...]) -> bool:
    if len(args) != 1:
        return False
    try:
        kind = np.dtype(args[0]).kind
    except TypeError:
        return False
    return kind in "biufc" or (kind in "mM" and old.kind in "iumM")


def count(lazy: LazyArray) -> int | None:
    """Rows of an expression, counted by a stage where they must be; None where that is left to NumPy."""
    step = _step(lazy)
    if step is None:
        return None
    if step.rows.count is None:
        from runsurge_dask.runner.arrays import stage

        given = stage.ask(lazy._rs_room, step, ("rows",)) if lazy._rs_room.is_open else None  # noqa: SLF001 - one room
        if given is None:
            return None
        step.rows.count = sum(given)
    known: int = step.rows.count
    return known


def length(lazy: LazyArray) -> int:
    """`len`."""
    found = count(lazy)
    return len(lazy.rs_real()) if found is None else found


def attribute(lazy: LazyArray, name: str) -> Any:
    """What is known of an array before it is there."""
    step = _step(lazy)
    if step is None:
        return getattr(lazy.rs_real(), name)
    meta = step.meta
    if name in {"dtype", "ndim", "itemsize"}:
        return getattr(meta, name)
    rows = count(lazy)
    if rows is None:
        return getattr(lazy.rs_real(), name)
    shape = (rows, *meta.shape[1:])
    if name == "shape":
        return shape
    size = int(np.prod(shape, dtype=object))
    return size if name == "size" else size * meta.itemsize
