"""A script that holds more than it may is told so by a signal, and ends at the line where it stands."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import types

OUTGROWN_SIGNAL = getattr(signal, "SIGRTMIN", signal.SIGTERM) + 7
"""A number that scripts have no use for."""


class Outgrown(BaseException):
    """Raised in the script wherever it is."""


def listen() -> None:
    """Let the signal end the script."""
    signal.signal(OUTGROWN_SIGNAL, _end)


def _end(*_: Any) -> None:
    signal.signal(OUTGROWN_SIGNAL, signal.SIG_IGN)
    raise Outgrown


def line_of(trace: types.TracebackType | None, file: str) -> int:
    """The line of the script at which it stood; 0 if that is not known."""
    line = 0
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == file:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
