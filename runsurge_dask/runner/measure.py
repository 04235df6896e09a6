"""The most memory that a piece of code holds at once, as the kernel saw it.

    meter = Meter()
    meter.reset()
    rows = [line.split() for line in file]
    meter.peak_bytes() - before             what that statement needed, to the page

Linux keeps a high-water mark of resident pages; writing 5 to `clear_refs` sets it back to what is resident now. Elsewhere
`psutil` tells what is resident at the moment of asking, if it is installed: the mark is then that of the moments asked at.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import mmap
import os
import sys
import time
from typing import Any

IS_LINUX = sys.platform == "linux"
_STATUS_BYTES = 1 << 12
_MADV_POPULATE_READ = 22
"""Not in `mmap` yet; kernels before 5.14 refuse it, which only means that pages of code are counted when they are touched."""


class Meter:
    """Resident bytes of this process; files under /proc are opened once, so that it goes on working where none may be opened."""

    def __init__(self) -> None:
        self._status = os.open("/proc/self/status", os.O_RDONLY) if IS_LINUX else -1
        self._marks = os.open("/proc/self/clear_refs", os.O_WRONLY) if IS_LINUX else -1
        self._highest = 0

    def reset(self) -> None:
        """Let the high-water mark begin again at what is resident now."""
        self._highest = 0
        if IS_LINUX:
            os.pwrite(self._marks, b"5", 0)

    def peak_bytes(self) -> int:
        """The most bytes that were resident since the last reset."""
        return self._read(b"VmHWM:")

    def resident_bytes(self) -> int:
        """Bytes that are resident now."""
        return self._read(b"VmRSS:")

    def _read(self, field: bytes) -> int:
        if not IS_LINUX:
            self._highest = max(self._highest, now := _resident_elsewhere())
            return self._highest if field == b"VmHWM:" else now
        status = os.pread(self._status, _STATUS_BYTES, 0)
        return int(status[status.index(field) + len(field) :].split(None, 1)[0]) << 10


class WorkClock:
    """Seconds that pass for this process: those in which it waits for a processor that others have are left out."""

    def __init__(self) -> None:
        try:
            self._turns = os.open("/proc/self/schedstat", os.O_RDONLY)
        except OSError:  # not this kernel
            self._turns = -1

    def now(self) -> float:
        """Only differences say something."""
        if self._turns < 0:
            return time.perf_counter()
        return time.perf_counter() - int(os.pread(self._turns, 100, 0).split()[1]) / 1e9


def _resident_elsewhere() -> int:
    with contextlib.suppress(ImportError):
        return int(importlib.import_module("psutil").Process().memory_info().rss)
    return 0


def return_free_memory() -> None:
    """Give back what this process has freed, so that what it takes next is seen."""
    arrow: Any = sys.modules.get("pyarrow")
    with contextlib.suppress(Exception):
        if arrow is not None:
            arrow.default_memory_pool().release_unused()
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).malloc_trim(0)


def load_code_pages() -> None:
    """Make the code of all loaded libraries resident, as far as it is not yet.

    A forked process shares its data with its parent, but takes up pages of code one by one: those are no data of the script.
    """
    if not IS_LINUX:
        return
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/self/maps", encoding="utf-8", errors="replace") as maps:
        regions = [line.split(None, 5) for line in maps]
    for fields in regions:
        if len(fields) > 5 and ".so" in fields[5] and "r" in fields[1] and "w" not in fields[1]:  # noqa: PLR2004 - the sixth is the path
            start, end = (int(bound, 16) for bound in fields[0].split("-"))
            libc.madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), _MADV_POPULATE_READ)


def limit_memory(extra_bytes: int) -> None:
    """Let this process take at most so many private bytes more; a request beyond that is a `MemoryError` in it."""
    if not IS_LINUX:
        return
    import resource

    with open("/proc/self/statm", encoding="ascii") as file:
        data_bytes = int(file.read().split()[5]) * mmap.PAGESIZE
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = data_bytes + extra_bytes
    resource.setrlimit(resource.RLIMIT_DATA, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))
