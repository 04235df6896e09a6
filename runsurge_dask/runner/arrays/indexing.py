"""Square brackets on expressions.

    y[1:]           the same array, one row on       y[mask]     the rows that are kept, in order
    a[:, 2]         a column                         y[17]       one number, worked out here
    events["t"]     a field                          else        the plain array's
"""

from __future__ import annotations

from typing import Any

import numpy as np

from runsurge_dask.runner.arrays.building import RefusedError, build, operand
from runsurge_dask.runner.arrays.lazy import MISSING, LazyArray, lent, usable
from runsurge_dask.runner.arrays.nodes import Rows, Step
from runsurge_dask.runner.standins import is_stand_in


def pick(lazy: LazyArray, key: Any) -> Any:
    """What `lazy[key]` is; `MISSING` where it is left to NumPy."""
    room = lazy._rs_room  # noqa: SLF001 - one room
    step = usable(lazy)
    if not isinstance(step, Step) or not room.is_open:
        return MISSING
    if type(key) is slice:
        return _sliced(lazy, step, key)
    if type(key) is str and step.meta.dtype.names and key in step.meta.dtype.names:
        return build(room, "operator:getitem", (step, key), rows=step.rows, is_view=True)
    if type(key) is tuple and key and type(key[0]) is slice:
        inner = lazy if key[0] == slice(None) else _sliced(lazy, step, key[0])
        if inner is MISSING or not all(each is None or type(each) in {int, slice} for each in key[1:]):
            return MISSING
        return build(room, "operator:getitem", (usable(inner), (slice(None), *key[1:])), rows=usable(inner).rows, is_view=True)
    if type(key) is np.ndarray or is_stand_in(key):
        return _masked(lazy, step, key)
    return _element(lazy, step, key)


def _sliced(lazy: LazyArray, step: Step, key: slice) -> Any:
    if step.rows.is_filtered or key.step not in {None, 1}:
        return MISSING
    try:
        start, stop, _ = key.indices(step.rows.length)
    except TypeError:
        return MISSING
    if stop <= start:
        return MISSING
    return build(lazy._rs_room, "slice", (step, start), rows=Rows(stop - start), is_view=True)  # noqa: SLF001 - one room


def _masked(lazy: LazyArray, step: Step, key: Any) -> Any:
    room = lazy._rs_room  # noqa: SLF001 - one room
    if key.dtype != bool or step.rows.is_filtered or not 1 <= key.ndim <= step.meta.ndim or key.shape[1:] != step.meta.shape[1 : key.ndim]:
        return MISSING
    try:
        mask = operand(room, key, step.rows, depth=key.ndim)
    except RefusedError:
        return MISSING
    if not isinstance(mask, Step):
        return MISSING
    rows = mask.masked.setdefault(key.ndim, Rows(step.rows.length, is_filtered=True))
    return build(room, "compress", (step, mask), rows=rows)


def _element(lazy: LazyArray, step: Step, key: Any) -> Any:
    """One number; a row would be a view."""
    keys = key if type(key) is tuple else (key,)
    if step.rows.is_filtered or len(keys) != step.meta.ndim:
        return MISSING
    if not all(isinstance(each, int | np.integer) and type(each) is not bool for each in keys):
        return MISSING
    place = int(keys[0])
    if step.meta.dtype.names or not -step.rows.length <= place < step.rows.length:
        return MISSING
    place %= step.rows.length
    rows = lazy._rs_room.rows_of(step, place, place + 1)  # noqa: SLF001 - one room
    return MISSING if rows is None else rows[(0, *keys[1:])]


FEW_BYTES = 1 << 20
"""Small enough to be worked out here more than once."""


def few_rows(lazy: LazyArray) -> Any:
    """An array of this value, which need not be the script's own where it is small."""
    step = usable(lazy)
    if not isinstance(step, Step) or step.rows.is_filtered or type(step.meta) is not np.ndarray or step.value is not None:
        return lent(lazy)
    if step.meta.nbytes // max(len(step.meta), 1) * step.rows.length > FEW_BYTES:
        return lent(lazy)
    rows = lazy._rs_room.rows_of(step, 0, step.rows.length)  # noqa: SLF001 - one room
    return lent(lazy) if rows is None else rows
