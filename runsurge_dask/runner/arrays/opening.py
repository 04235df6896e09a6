"""Calls that make an array whose rows each chunk can make for itself.

    np.load("raw.npy")   np.load("raw.npy", mmap_mode="r")   np.memmap("raw.dat", "f4", "r", shape=(9, 8))
    np.fromfile("raw.dat", "i2")   np.linspace(0, 1, 5001)   np.arange(1, 300)

Reading is put off only while nobody can change the file unseen: before the script opens it for writing, or starts another
process, everything that was made of it is worked out.
"""

from __future__ import annotations

import math
import os
import sys
from typing import TYPE_CHECKING, Any

import numpy as np

from runsurge_dask.runner.arrays.building import META_ROWS, wrap
from runsurge_dask.runner.arrays.lazy import MISSING
from runsurge_dask.runner.arrays.nodes import Rows, Step
from runsurge_dask.runner.arrays.origins import FileRows, counted_rows, file_rows, linear_rows
from runsurge_dask.runner.arrays.stage import FEWEST_ROWS
from runsurge_dask.runner.escape import Escape
from runsurge_dask.runner.frames.patch import RUNNING, WATCHED, is_writing
from runsurge_dask.runner.limits import spare_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

    from runsurge_dask.runner.arrays.room import Room

IN_MEMORY = 3
"""An array of so many times its size must not fit, or it is read at once, without a forced chunk count: NumPy is as fast as memory."""
_READ_ONLY = {"r", "c"}


def open_source(room: Room, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The expression of such a call; `MISSING` where NumPy has to do it at once."""
    if not room.is_open or room.site() is None:
        return MISSING
    openers: dict[Any, Callable[..., Any]] = {
        np.load: _load,
        np.memmap: _memmap,
        np.fromfile: _fromfile,
        np.linspace: _linspace,
        np.arange: _arange,
    }
    try:
        opener = openers.get(func)
        return MISSING if opener is None else opener(room, *args, **kwargs)
    except (TypeError, ValueError, OSError, Escape, ZeroDivisionError, OverflowError):
        return MISSING


def _load(room: Room, file: Any, mmap_mode: Any = None) -> Any:
    if not isinstance(file, str | os.PathLike):
        return MISSING
    if mmap_mode is not None:
        return _mapped(room, np.load(file, mmap_mode=mmap_mode)) if mmap_mode in _READ_ONLY else MISSING
    with open(file, "rb") as opened:
        version = np.lib.format.read_magic(opened)
        read_header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}[version]
        shape, is_fortran, dtype = read_header(opened)
        offset = opened.tell()
    if is_fortran and len(shape) > 1:
        return MISSING
    path = os.path.abspath(file)
    return _file_source(room, path, offset, dtype, shape, lambda: np.load(path))


def _memmap(room: Room, filename: Any, dtype: Any = np.uint8, mode: Any = "r+", offset: Any = 0, shape: Any = None) -> Any:
    if mode not in _READ_ONLY or not isinstance(filename, str | os.PathLike):
        return MISSING
    return _mapped(room, np.memmap(filename, dtype=dtype, mode=mode, offset=offset, shape=shape))


def _mapped(room: Room, mapped: Any) -> Any:
    if not isinstance(mapped, np.memmap) or not mapped.flags.c_contiguous or not isinstance(mapped.filename, str | os.PathLike):
        return mapped
    found = _file_source(room, os.fspath(mapped.filename), mapped.offset, mapped.dtype, mapped.shape, lambda: mapped, mapped)
    return mapped if found is MISSING else found


def _fromfile(room: Room, file: Any, dtype: Any = float, count: Any = -1, *, offset: Any = 0) -> Any:
    if not isinstance(file, str | os.PathLike) or type(count) is not int or type(offset) is not int or offset < 0:
        return MISSING
    path, kind = os.path.abspath(file), np.dtype(dtype)
    rows = (os.path.getsize(path) - offset) // kind.itemsize
    if count >= 0 and count > rows:
        return MISSING
    shape = (rows if count < 0 else count,)
    return _file_source(room, path, offset, kind, shape, lambda: np.fromfile(path, dtype, count, offset=offset))


def _file_source(
    room: Room, path: str, offset: int, dtype: Any, shape: tuple[int, ...], plainly: Callable[[], Any], mapped: Any = None
) -> Any:
    if not _is_worth(room, shape, dtype) or dtype.kind in "OSUmM":
        return MISSING
    reader = file_rows(path, offset, dtype, shape)
    if reader is None:
        return MISSING
    return _source(room, reader, shape[0], plainly, mapped)


def _is_worth(room: Room, shape: tuple[int, ...], dtype: Any) -> bool:
    if not shape or shape[0] < FEWEST_ROWS or not math.prod(shape):
        return False
    return room.is_forced or math.prod(shape) * dtype.itemsize * IN_MEMORY > spare_bytes()


def _source(room: Room, reader: Any, length: int, plainly: Callable[[], Any], mapped: Any = None) -> Any:
    step = Step("source", (reader,), rows=Rows(length))
    step.meta = reader.read(0, min(length, META_ROWS)).copy() if mapped is None else mapped[:META_ROWS]
    step.is_quiet = True
    step.plainly = plainly
    if isinstance(reader, FileRows):
        room.watched.add(reader.stamp[2:])
    return wrap(room, step)


def _linspace(room: Room, start: Any, stop: Any, num: Any = 50, endpoint: Any = True) -> Any:  # noqa: FBT002 - NumPy's own signature
    if type(num) is int and not _is_worth(room, (num,), np.dtype(float)):
        return MISSING
    found = linear_rows(start, stop, num, endpoint)
    if found is None:
        return MISSING
    return _source(room, found[0], found[1], lambda: np.linspace(start, stop, num, endpoint))


def _arange(room: Room, *bounds: Any, dtype: Any = None) -> Any:
    found = counted_rows(*bounds, dtype=dtype)
    if found is None or not _is_worth(room, (found[1],), found[0].dtype):
        return MISSING
    return _source(room, found[0], found[1], lambda: np.arange(*bounds, dtype=dtype))


def watch_files(room: Room) -> None:
    """Before the script changes a file that is still to be read, read it."""

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event not in WATCHED and event not in RUNNING:
            return
        if not room.watched or room.is_off or (event == "open" and not is_writing(arguments)):
            return
        names = [value for value in arguments if isinstance(value, str | bytes | os.PathLike)]
        if event in RUNNING or any(is_watched(room, name) for name in names):
            room.settle()

    sys.addaudithook(hook)


def is_watched(room: Room, path: Any) -> bool:
    """Whether this is a name of a file that is still to be read."""
    try:
        status = os.stat(path)
    except OSError:
        return False
    return (status.st_ino, status.st_dev) in room.watched
