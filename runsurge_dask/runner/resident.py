"""What processes hold, as Linux counts it; elsewhere nothing is known, and zero is said.

Resident bytes (RSS) count shared pages in every process that has them; the proportional set size (PSS) shares them out, so
that it may be summed.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys

_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE") if sys.platform == "linux" else 0
_RESET_PEAK = "5"
"""What `clear_refs` takes to forget the highest resident size so far."""


def resident_bytes(pid: int | str = "self") -> int:
    """What a process holds now; zero if it is gone."""
    with contextlib.suppress(OSError, ValueError, IndexError), open(f"/proc/{pid}/statm", "rb", buffering=0) as file:
        return int(file.read().split()[1]) * _PAGE_BYTES
    return 0


def proportional_bytes(pid: int | str = "self") -> int:
    """What a process holds now, pages that it shares counted in parts; zero if it is gone."""
    with contextlib.suppress(OSError, ValueError), open(f"/proc/{pid}/smaps_rollup", "rb") as file:
        return next((int(line.split()[1]) * 1024 for line in file if line.startswith(b"Pss:")), 0)
    return 0


def reset_peak() -> None:
    """Let this process's peak begin anew."""
    with contextlib.suppress(OSError), open("/proc/self/clear_refs", "w", encoding="ascii") as file:
        file.write(_RESET_PEAK)


def peak_resident_bytes() -> int:
    """The most that this process has held since its peak was reset."""
    with contextlib.suppress(OSError, ValueError), open("/proc/self/status", "rb") as file:
        return next((int(line.split()[1]) * 1024 for line in file if line.startswith(b"VmHWM:")), 0)
    return 0


def give_back() -> None:
    """Return freed pages to the system, as far as the C library keeps some; nothing elsewhere."""
    if _trim is not None:
        _trim(0)


def keep_freed() -> None:
    """Let the C library keep what is freed for what comes next; nothing elsewhere."""
    if _tune is not None:
        _tune(_MMAP_THRESHOLD, _LARGEST_THRESHOLD)
        _tune(_TRIM_THRESHOLD, _KEPT_BYTES)


_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_LARGEST_THRESHOLD = 32 << 20
_KEPT_BYTES = 1 << 30
_tune = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
_trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None


def available_bytes() -> int:
    """What the machine could give to new processes now, as the kernel reckons; zero if it does not say."""
    with contextlib.suppress(OSError, ValueError), open("/proc/meminfo", "rb") as file:
        return next((int(line.split()[1]) * 1024 for line in file if line.startswith(b"MemAvailable:")), 0)
    return 0
