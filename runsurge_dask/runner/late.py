"""Errors that come later than plain Python would raise them, and the places where they belong.

For example line 3 reads a file, and line 4 asks for a sum. The chunks that answer line 4 are the first to see the whole file, and
find a row with too many fields. Nothing that could be seen has happened in between, so the error is raised in line 4, and told
as the error of line 3 that it is.
"""

from __future__ import annotations

import types
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Place:
    """An instruction of the script."""

    code: types.CodeType
    call: int
    """The identity of the frame: one call of the code."""
    instruction: int
    line: int


_belong: dict[tuple[types.CodeType, int, int], Place] = {}
"""For an instruction of one call, at which an error was raised too late, where it belongs."""


def place_of(frame: types.FrameType | None, is_users: Callable[[types.FrameType], bool]) -> Place | None:
    """Where the script is, given a frame of ours that it has called."""
    while frame is not None and not is_users(frame):
        frame = frame.f_back
    return Place(frame.f_code, id(frame), frame.f_lasti, frame.f_lineno) if frame is not None else None


def note(now: Place | None, belongs: Place | None) -> None:
    """An error is about to be raised at one place that belongs to another, of the same call."""
    if now is not None and belongs is not None and (now.code, now.call) == (belongs.code, belongs.call):
        _belong[now.code, now.call, now.instruction] = belongs


def place_told(trace: types.TracebackType) -> Place | None:
    """Where an entry of a traceback belongs, if not where it is."""
    return _belong.get((trace.tb_frame.f_code, id(trace.tb_frame), trace.tb_lasti))


def corrected(trace: types.TracebackType) -> types.TracebackType:
    """An entry of a traceback as plain Python would have made it."""
    place = place_told(trace)
    return trace if place is None else types.TracebackType(trace.tb_next, trace.tb_frame, place.instruction, place.line)
