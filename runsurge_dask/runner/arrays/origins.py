"""Where rows of an array come from: a file, or counting; each chunk makes its own.

For example rows 1000 to 2000 of `np.linspace(0, 1, 5001)` are `np.arange(1000, 2000) * step + 0.0`: the same operations
that `linspace` does to all of them, so the same bits.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from typing import Any

import numpy as np

from runsurge_dask.runner.escape import Escape
from runsurge_dask.runner.frames.scan import read_range, stamp_of

PROBE = 1000
"""So many of the first values are compared with NumPy's own."""


@dataclass(frozen=True, slots=True)
class FileRows:
    """Rows of one array in a file, as they lie there."""

    path: str
    offset: int
    dtype: Any
    shape: tuple[int, ...]
    stamp: tuple[int, ...]
    is_strict: bool = True

    def read(self, start: int, end: int) -> Any:
        """Some of the rows.

        Raises:
            Escape: the file is no longer the one that was looked at.
        """
        row = self.dtype.itemsize * math.prod(self.shape[1:])
        try:
            content = read_range(self.path, self.offset + start * row, self.offset + end * row, self.stamp)
        except OSError as error:
            raise Escape(f"the input file cannot be read again ({error})") from None
        return np.frombuffer(content, dtype=self.dtype).reshape(end - start, *self.shape[1:])


@dataclass(frozen=True, slots=True)
class LinearRows:
    """`np.linspace` of numbers."""

    start: float
    stop: float
    step: float
    count: int
    has_end: bool

    def read(self, start: int, end: int) -> Any:
        """Some of the values."""
        values = np.arange(start, end, dtype=float) * self.step + self.start
        if self.has_end and end == self.count and end > start:
            values[-1] = self.stop
        return values


@dataclass(frozen=True, slots=True)
class CountedRows:
    """`np.arange` of numbers."""

    start: Any
    step: Any
    dtype: Any

    def read(self, start: int, end: int) -> Any:
        """Some of the values."""
        if self.dtype.kind == "f":
            delta = (self.start + self.step) - self.start
            return self.start + np.arange(start, end, dtype=float) * delta
        return np.arange(self.start + start * self.step, self.start + end * self.step, self.step, dtype=self.dtype)


def linear_rows(start: Any, stop: Any, num: Any = 50, endpoint: Any = True) -> tuple[LinearRows, int] | None:  # noqa: FBT002 - NumPy's own signature
    """The rows of a call of `np.linspace`, and how many; None where it is left to NumPy."""
    if type(num) is not int or type(endpoint) is not bool or num < 2 or not all(type(value) in {int, float} for value in (start, stop)):  # noqa: PLR2004 - nothing to divide
        return None
    first, last = float(start), float(stop)
    step = (last - first) / (num - 1 if endpoint else num)
    if not step or not math.isfinite(step):
        return None
    rows = LinearRows(first, last, step, num, endpoint)
    few = min(num, PROBE)
    return (rows, num) if num > few or rows.read(0, num).tobytes() == np.linspace(start, stop, num, endpoint).tobytes() else None


def counted_rows(*bounds: Any, dtype: Any = None) -> tuple[CountedRows, int] | None:
    """The rows of a call of `np.arange`, and how many; None where it is left to NumPy."""
    if not 1 <= len(bounds) <= 3 or not all(type(value) in {int, float} for value in bounds):  # noqa: PLR2004 - as `range`
        return None
    start, stop, step = (0, bounds[0], 1) if len(bounds) == 1 else (*bounds, 1)[:3]
    if not step:
        return None
    kind = np.arange(start, start + 2 * step, step, dtype=dtype).dtype
    if all(type(value) is int for value in (start, stop, step)) and kind == np.dtype(np.int64):
        count = len(range(start, stop, step))
        return (CountedRows(start, step, kind), count) if max(abs(start), abs(stop)) < 1 << 62 else None
    if kind != np.dtype(float) or dtype is not None:
        return None
    count = math.ceil((float(stop) - float(start)) / float(step))
    rows = CountedRows(float(start), float(step), kind)
    own = np.arange(start, start + PROBE * step, step) if count > PROBE else np.arange(start, stop, step)
    few = min(count, PROBE // 2, len(own))
    return (rows, count) if few > 1 and rows.read(0, few).tobytes() == own[:few].tobytes() else None


def file_rows(path: Any, offset: int, dtype: Any, shape: tuple[int, ...]) -> FileRows | None:
    """The rows of an array in a file; None where it may change unseen, or is not all there."""
    name = os.path.abspath(path)
    try:
        status = os.stat(name)
    except OSError:
        return None
    if offset + dtype.itemsize * math.prod(shape) > status.st_size or dtype.hasobject or _is_being_written(status):
        return None
    return FileRows(name, offset, dtype, shape, stamp_of(status))


def _is_being_written(status: os.stat_result) -> bool:
    """Whether this process can change the file without opening it again."""
    for number in os.listdir("/proc/self/fd"):
        try:
            other = os.stat(f"/proc/self/fd/{number}")
            with open(f"/proc/self/fdinfo/{number}", encoding="ascii") as info:
                flags = int(next(line.split()[1] for line in info if line.startswith("flags:")), 8)
        except (OSError, StopIteration):
            continue
        if (other.st_ino, other.st_dev) == (status.st_ino, status.st_dev) and flags & (os.O_WRONLY | os.O_RDWR):
            return True
    device = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}"
    with open("/proc/self/maps", encoding="utf-8", errors="replace") as maps:
        for line in maps:
            fields = line.split(None, 5)
            if fields[4] == str(status.st_ino) and fields[3] == device and fields[1][1] == "w" and fields[1][3] == "s":
                return True
    return False
