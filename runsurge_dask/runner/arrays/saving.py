"""`np.save` of an expression: every chunk writes its rows at their place in the file, which nobody sees before it is whole."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any

import numpy as np

from runsurge_dask.runner.arrays import stage
from runsurge_dask.runner.arrays.lazy import MISSING, usable
from runsurge_dask.runner.arrays.nodes import Step
from runsurge_dask.runner.arrays.opening import is_watched
from runsurge_dask.runner.frames.writing import is_plain_place, put_in_place
from runsurge_dask.runner.standins import is_stand_in

if TYPE_CHECKING:
    from runsurge_dask.runner.arrays.room import Room

SMALLEST_BYTES = 1 << 16
"""Smaller arrays are sent to the driver."""


def save(room: Room, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What `np.save(path, array)` gives; `MISSING` where NumPy has to do it."""
    if kwargs or len(args) != 2 or type(args[0]) is not str or not is_stand_in(args[1]):  # noqa: PLR2004 - path and array
        return MISSING
    step = usable(args[1])
    path = os.path.abspath(args[0] if args[0].endswith(".npy") else args[0] + ".npy")
    if not isinstance(step, Step) or step.rows.is_filtered or step.value is not None or is_watched(room, path) or not is_plain_place(path):
        return MISSING
    shape = (step.rows.length, *step.meta.shape[1:])
    if stage.bytes_of(step) < SMALLEST_BYTES or not room.is_open:
        return MISSING
    shadow = os.path.join(os.path.dirname(path), f".{os.path.basename(path)}.{os.getpid()}.runsurge")
    try:
        with open(shadow, "wb") as file:
            header = {"descr": np.lib.format.dtype_to_descr(step.meta.dtype), "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(file, header)
            offset = file.tell()
        if stage.ask(room, step, ("keep",), (shadow, offset)) is None:
            os.remove(shadow)
            return MISSING
        put_in_place(shadow, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.remove(shadow)
        raise
    return None
