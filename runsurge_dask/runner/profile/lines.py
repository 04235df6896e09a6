"""What is held at each line inside the functions that a block calls.

    def load(path):                     load, called first in block 4:
        rows = open(path).readlines()       rows = open(path).readlines()   1,200,000
        return [parse(r) for r in rows]     return [parse(r) for r in rows] 3,400,000

Bytes are those resident beyond what was resident when the function was called; of several calls the highest counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import types

    from runsurge_dask.runner.measure import Meter

MOST_CALLS = 20
"""Calls of one function in one block that are followed: the later ones do what the first did."""
ALWAYS_LOOKED = 2_000
"""Steps of one call that are looked at one by one; after that every 64th."""


class LineTracer:
    """Follows the lines of functions of one file."""

    def __init__(self, meter: Meter, path: str) -> None:
        self.meter = meter
        self.path = path
        self.block = 0
        self.calls: dict[tuple[int, types.CodeType], int] = {}
        self.numbers: dict[tuple[int, types.CodeType], int] = {}
        self.bytes_at: dict[tuple[int, types.CodeType, int], int] = {}

    def begin(self, block: int) -> None:
        """From here on calls belong to this block."""
        self.block = block

    def trace(self, frame: types.FrameType, event: str, _: Any) -> Any:
        """What `sys.settrace` calls when a function is entered."""
        code = frame.f_code
        if event != "call" or code.co_filename != self.path or code.co_name.startswith("<"):
            return None
        key = self.block, code
        self.numbers.setdefault(key, 1 + sum(block == self.block for block, _ in self.numbers))
        self.calls[key] = self.calls.get(key, 0) + 1
        return self._within(key) if self.calls[key] <= MOST_CALLS else None

    def _within(self, key: tuple[int, types.CodeType]) -> Any:
        start = self.meter.resident_bytes()
        last, steps = 0, 0

        def step(frame: types.FrameType, event: str, _: Any) -> Any:
            nonlocal last, steps
            steps += 1
            if last and (steps < ALWAYS_LOOKED or not steps % 64 or event == "return"):
                place = (*key, last)
                held = self.meter.resident_bytes() - start
                self.bytes_at[place] = max(self.bytes_at.get(place, 0), held)
            last = frame.f_lineno
            return step

        return step

    def found(self) -> list[list[Any]]:
        """Block, number of the function in it, its name, line, bytes."""
        return [[block, self.numbers[block, code], code.co_name, line, held] for (block, code, line), held in self.bytes_at.items()]
