"""What a plan stands on, as it leaves the process: nodes, and the memory and time that each block of a script needs.

All bytes are net of the baseline: what an interpreter with its imports holds before any data is no part of them.
"""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - schemas are made from these hints at run time
from dataclasses import dataclass, field
from enum import StrEnum


class Basis(StrEnum):
    """Where an estimate comes from."""

    STATIC = "static"
    """Rules about the calls in the text, and the sizes of the files that they read."""
    SAMPLES = "samples"
    """The block was run on samples of growing size."""
    EARLIER = "earlier"
    """An earlier run of the same block measured it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A machine with a RAM limit."""

    name: str
    memory_bytes: int
    """All that our processes there may hold together."""
    ip_address: str = "127.0.0.1"
    port: int = 0

    def __post_init__(self) -> None:
        if self.memory_bytes <= 0:
            raise ValueError(f"node {self.name}: memory of {self.memory_bytes} bytes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """One live variable: how many items it has (None where it has no length), and the bytes of everything that only it reaches."""

    length: int | None
    size_bytes: int

    def __post_init__(self) -> None:
        if self.size_bytes < 0:
            raise ValueError(f"a variable of {self.size_bytes} bytes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Footprint:
    """What one block needs while it runs on all of its data."""

    block: str
    """Its key, such as `numeric_data:1`."""
    needs: Mapping[str, Variable] = field(default_factory=dict)
    """Live variables that it reads."""
    makes: Mapping[str, Variable] = field(default_factory=dict)
    """Variables that it binds and somebody reads later."""
    function_bytes: int = 0
    """The highest line inside the functions that it calls: what they hold beyond their arguments."""
    peak_bytes: int
    """An upper bound of all that it holds at once: what it needs, what it makes, and what is in between."""
    seconds: float = 0.0
    basis: Basis = Basis.STATIC

    def __post_init__(self) -> None:
        if self.peak_bytes < max(0, *(each.size_bytes for each in (*self.needs.values(), *self.makes.values())), 0):
            raise ValueError(f"block {self.block}: a peak of {self.peak_bytes} bytes is below one of its variables")


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimates:
    """Everything that is known of a script's memory and time before it runs."""

    footprints: tuple[Footprint, ...]
    """One a block, in the order of the script."""
    main_lines: Mapping[str, Mapping[str, Variable]] = field(default_factory=dict)
    """By block key: every variable that is live after it, needed by it or not."""
    function_lines: Mapping[str, int] = field(default_factory=dict)
    """By `statement#block:call`: the bytes held at that line inside a called function (block and call are numbers from 1)."""
    peak_bytes: int = 0
    """An upper bound for the script run as a whole, in one process."""
    seconds: float = 0.0
    baseline_bytes: int = 0
    """Of one plain interpreter with the script's imports."""
