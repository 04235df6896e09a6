"""New expressions out of old ones, tried on the first rows before they are believed.

For example `gain * (raw - dark)` with `raw` of 10,000 rows of 8, and `gain` and `dark` of 8: on the first 64 rows NumPy says
what comes out, and pieces of those rows must give the pieces of it. Where it raises, the script's own line will.
"""

from __future__ import annotations

import os
import weakref
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from runsurge_dask.runner.arrays import tables
from runsurge_dask.runner.arrays.lazy import MISSING, LazyArray, usable
from runsurge_dask.runner.arrays.listening import listening
from runsurge_dask.runner.arrays.nodes import Evaluation, Rows, Step, flatten
from runsurge_dask.runner.standins import is_stand_in

if TYPE_CHECKING:
    from runsurge_dask.runner.arrays.room import Room

META_ROWS = 64
DEEPEST = 100
"""An expression that grows in every turn of a loop would be worked out from its beginning each time."""
LARGEST_TABLE_BYTES = 8 << 20
"""What every chunk gets a copy of."""
PLAIN = (int, float, bool, complex, np.generic, type(None), str, type, np.dtype)
MODES = {"ignore", "warn"}


class RefusedError(Exception):
    """An operand that a chunk cannot have."""


def rows_among(values: Any) -> Rows | None:
    """The rows of the first expression among these operands."""
    for value in values:
        if is_stand_in(value):
            found = usable(value)
            if isinstance(found, Step):
                return found.rows  # type: ignore[no-any-return]
        elif type(value) in {list, tuple}:
            rows = rows_among(value)
            if rows is not None:
                return rows
    return None


def operand(room: Room, value: Any, rows: Rows, *, depth: int, is_table: bool = False) -> Any:
    """What stands for an operand in a step; `depth` is the number of axes of the result.

    Raises:
        RefusedError: its rows are not those of the others, or it can change unseen.
    """
    if is_stand_in(value):
        value = usable(value)
        if isinstance(value, Step):
            if not value.rows.agrees(rows):
                raise RefusedError
            return value
    if isinstance(value, PLAIN):
        return value
    if type(value) in {list, tuple}:
        return type(value)(operand(room, item, rows, depth=depth, is_table=is_table) for item in value)
    if type(value) is not np.ndarray or value.dtype.kind in tables.NEVER_CUT_KINDS:
        raise RefusedError
    return _array(room, value, rows, depth=depth, is_table=is_table)


def _array(room: Room, value: Any, rows: Rows, *, depth: int, is_table: bool) -> Any:
    if is_table or value.ndim < depth or value.ndim == 0 or (value.ndim == depth and value.shape[0] == 1):
        if value.nbytes > LARGEST_TABLE_BYTES:
            raise RefusedError
        return value.copy()
    if value.ndim != depth or rows.is_filtered or value.shape[0] != rows.length:
        raise RefusedError
    if not room.is_forced and value.nbytes > LARGEST_TABLE_BYTES:
        raise RefusedError
    return held(room, value, rows)


def held(room: Room, array: Any, rows: Rows) -> Step:
    """Rows of an array of the script's own, as they are now."""
    step = Step("held", (room.steps + 1,), rows=rows)
    step.value = array.copy()
    step.meta = step.value[:META_ROWS]
    step.is_quiet = True
    room.enter(step)
    return step


def build(room: Room, op: str, args: tuple[Any, ...], kwargs: dict[str, Any] | None = None, *, rows: Rows, is_view: bool = False) -> Any:
    """The expression of an operation whose operands are already steps; `MISSING` where NumPy has to do it at once."""
    step = Step(op, args, kwargs, rows=rows)
    with listening():
        try:
            step.meta = _tried(step)
        except Exception:
            return MISSING
    operands: Any = list(step.below())
    step.depth = 1 + max(each.depth for each in operands)
    if step.meta is None or step.depth > DEEPEST:
        return MISSING
    step.is_view = is_view
    if any(np.may_share_memory(step.meta, each.meta) for each in operands) != is_view:
        return MISSING
    if not is_view and not step.meta.flags.c_contiguous:
        return MISSING
    is_whole = op in tables.QUIET_ON_INTEGERS and step.meta.dtype.kind in "biu"
    step.is_quiet = is_view or is_whole or op in tables.QUIET or _is_quiet_cast(step, operands)
    errors = np.geterr()
    if not step.is_quiet:
        if room.is_strict or not set(errors.values()) <= MODES:
            return MISSING
        step.errors = dict(errors)
    return wrap(room, step)


def wrap(room: Room, step: Step) -> LazyArray:
    """The object that the script gets for a step."""
    step.place = room.place()
    step.line = room.lines[os.path.abspath(step.place[0]), step.place[1]] if step.place else 0
    room.enter(step)
    lazy = LazyArray(room, step)
    step.owner = weakref.ref(lazy)
    room.owners[step.number] = lazy
    return lazy


def _is_quiet_cast(step: Step, operands: list[Step]) -> bool:
    if step.op != "method:astype":
        return False
    old, new = operands[0].meta.dtype, step.meta.dtype
    return bool(np.can_cast(old, new, "safe") or (old.kind in "biu" and new.kind in "biuf" and new != np.float16))


def _tried(step: Step) -> Any:
    """The value on the first rows, if it has their number and its pieces are those of the pieces; else None."""
    operands: Any = list(step.below())
    metas = {id(each): each.meta for each in operands}
    count = min(META_ROWS, step.rows.length)
    if step.op == "slice":
        return operands[0].meta[:count]
    if step.op == "flatnonzero":
        return np.arange(count)
    if step.op == "compress":
        return _compressed(operands[0].meta, operands[1].meta, count)
    if any(len(each.meta) < count for each in operands):
        return None
    value = _applied(step, {key: meta[:count] for key, meta in metas.items()})
    if not _is_array(value) or len(value) != count:
        return None
    cuts = sorted({0, min(1, count), count // 2, count})
    pieces = [_applied(step, {key: meta[start:end] for key, meta in metas.items()}) for start, end in pairwise(cuts)]
    joined = np.concatenate(pieces)
    if joined.dtype != value.dtype or joined.shape != value.shape or np.asarray(joined).tobytes() != np.asarray(value).tobytes():
        return None
    return value


def _compressed(array: Any, mask: Any, count: int) -> Any:
    """As if the mask kept everything: what a step is tried on later must have rows."""
    kept = array[np.ones(mask.shape, dtype=bool)]
    if mask.ndim == 1:
        return kept
    return kept[:count].copy() if type(kept) is np.ndarray and kept.flags.owndata else None


def _is_array(value: Any) -> bool:
    return type(value) in {np.ndarray, np.memmap} and value.ndim > 0 and value.dtype.kind in "biufcmM"


def _applied(step: Step, metas: dict[int, Any]) -> Any:
    operands: Any = list(dict.fromkeys(step.below()))
    leaves = [Step("held", (place,), rows=step.rows) for place in range(len(operands))]
    swapped = {id(old): new for old, new in zip(operands, leaves, strict=True)}
    copy = Step(step.op, _swapped(step.args, swapped), _swapped(step.kwargs, swapped), rows=step.rows)
    entries, roots, steps = flatten([copy])
    arrays = {leaf.args[0]: (0, metas[id(old)]) for old, leaf in zip(operands, leaves, strict=True)}
    del steps
    count = len(next(iter(arrays.values()))[1]) if arrays else 0
    return Evaluation(entries, roots, (0, count), arrays).run_all(roots, (0, count))[0]


def _swapped(value: Any, swapped: dict[int, Step]) -> Any:
    if isinstance(value, Step):
        return swapped[id(value)]
    if type(value) in {list, tuple}:
        return type(value)(_swapped(item, swapped) for item in value)
    if type(value) is dict:
        return {key: _swapped(item, swapped) for key, item in value.items()}
    return value
