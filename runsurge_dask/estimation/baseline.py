"""What one interpreter with a script's imports holds before it has any data.

    Baseline.begin({"csv", "pandas"})   starts `python -c "import csv, pandas"` while samples run
    .bytes()                            106 MB

Only modules of the standard library and the large ones of the table are imported for it: others are the user's to start.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from typing import TYPE_CHECKING

from runsurge_dask.knowledge.sizes import IMPORT_BYTES, INTERPRETER_BYTES, TOUCHED_BYTES

if TYPE_CHECKING:
    from collections.abc import Collection

_LONGEST_SECONDS = 10.0
_TELL = "import sys; print(max(int(line.split()[1]) for line in open('/proc/self/status') if line.startswith(('VmRSS', 'VmHWM'))))"
_QUIET = frozenset({"antigravity", "this", "idlelib", "turtle", "turtledemo", "tkinter", "__main__"})
"""Modules that show something when they are imported."""


class Baseline:
    """A plain interpreter that imports what the script imports, and says what it then holds."""

    def __init__(self, process: subprocess.Popen[str] | None, guess_bytes: int, touched_bytes: int = 0) -> None:
        self._process = process
        self._touched_bytes = touched_bytes
        self._guess_bytes = guess_bytes

    @staticmethod
    def by_rule(imports: Collection[str]) -> int:
        """From the table alone, without starting anything."""
        return INTERPRETER_BYTES + sum(IMPORT_BYTES.get(name, 0) for name in imports) + _touched(imports)

    @classmethod
    def begin(cls, imports: Collection[str]) -> Baseline:
        """Start to measure."""
        guess = cls.by_rule(imports)
        if sys.platform != "linux":
            return cls(None, guess)
        wanted = sorted(name for name in imports if name in IMPORT_BYTES or name in sys.stdlib_module_names - _QUIET)
        code = "".join(f"try: import {name}\nexcept ImportError: pass\n" for name in wanted) + _TELL
        process = subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        return cls(process, guess, _touched(imports))

    def bytes(self) -> int:
        """What it came to; the table's sum where it could not be measured."""
        if self._process is None:
            return self._guess_bytes
        try:
            told, _ = self._process.communicate(timeout=_LONGEST_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
            return self._guess_bytes
        with contextlib.suppress(ValueError):
            return (int(told) << 10) + self._touched_bytes
        return self._guess_bytes


def _touched(imports: Collection[str]) -> int:
    return sum(TOUCHED_BYTES.get(name, 0) for name in imports)
