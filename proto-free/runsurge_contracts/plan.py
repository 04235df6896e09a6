"""A plan and what it stands on, as they leave the process: nodes, the memory and time that each block of a script needs, tasks.

All bytes are net of the baseline: what an interpreter with its imports holds before any data is no part of them.

    plan.json, abridged: a block of 9,738,272 bytes on a node of 8,000,000 runs in two chunks

    {"level": 3,
     "stages": [{"stage": 1, "level": 3, "blocks": ["rows:2"], "kind": "rows", "chunk_count": 2, ...}],
     "tasks": [{"task_id": 1, "task_type": "Fused Parallel", "stage": 1, "chunk_id": 0, ...},
               {"task_id": 2, "task_type": "Fused Parallel", "stage": 1, "chunk_id": 1, ...}, ...]}
"""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - schemas are made from these hints at run time
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from runsurge_contracts.json_form import from_json, to_json


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
    reads: Mapping[str, int] = field(default_factory=dict)
    """Files that the script was seen, or is expected, to read, with their bytes."""


class TaskType(StrEnum):
    """What a task does, by the name that `execution_plan.json` gives it."""

    WHOLE_PROGRAM = "Whole Program"
    """Level 1: every block, one after the other."""
    MERGED = "Merged Blocks"
    """Level 2: blocks that depend on each other and fit a node together."""
    FUSED_PARALLEL = "Fused Parallel"
    """Level 3: all blocks of a chain on one chunk."""
    AGGREGATOR = "Aggregator"
    """Level 3: joins what the chunks of a chain made, in the order of the data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MergedBlock:
    """Level 2: blocks merged while a node holds them; alone, and on no node, where even one block fits nowhere."""

    index: int
    """From 1, in the order of the script (of its first block)."""
    blocks: tuple[str, ...]
    peak_bytes: int
    node: str | None = None
    """The smallest node that fits; none: level 3, or a refusal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Blocks that run as one task, or as one task a chunk."""

    stage: int
    """From 1, in an order that respects dependencies."""
    level: int
    blocks: tuple[str, ...]
    """Keys, in the order of the script."""
    kind: str
    """The split kind of its last block where it is cut, else `whole`."""
    chunk_count: int = 1
    """The largest of `needed_chunks`, for all of them, unless the user asked for more."""
    needed_chunks: tuple[int, ...] = ()
    """For each block: into how many chunks it must be cut so that one fits the smallest node."""
    parallel_argument: str = ""
    """The variable whose items are cut; empty where nothing is."""
    peak_bytes: int
    """An upper bound for the whole stage, uncut."""
    task_peak_bytes: int
    """An upper bound for one of its tasks."""
    seconds: float = 0.0
    """Of the whole stage, one chunk after the other."""
    after: tuple[int, ...] = ()
    """Stages that must have ended before."""
    is_ordered: bool = False
    """Chunk after chunk, a state carried (`fold`)."""
    has_aggregator: bool = False
    line: int = 0
    """Of its first block, for who reads or edits a plan."""

    def __post_init__(self) -> None:
        if not 1 <= self.level <= _DEEPEST_LEVEL:
            raise ValueError(f"stage {self.stage}: there is no level {self.level}")
        if self.chunk_count < 1 or not self.blocks:
            raise ValueError(f"stage {self.stage}: {self.chunk_count} chunks of {len(self.blocks)} blocks")


_DEEPEST_LEVEL = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One stage on one chunk, on one node."""

    task_id: int
    """From 1, in the order in which tasks may be run one after the other."""
    task_type: TaskType
    stage: int
    chunk_id: int | None = None
    """From 0, in the order of the data; none where the stage is not cut, and of an aggregator."""
    node: str
    wave: int
    """From 1: tasks of one wave may run at the same time, and their reservations fit their nodes together."""
    after: tuple[int, ...] = ()
    """Tasks that must have ended before."""
    estimated_seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reservation:
    """Bytes set aside on a node for a task while it runs."""

    task_id: int
    node: str
    reserved_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A block that can run nowhere: where, both numbers, and what to do."""

    block: str
    line: int
    code: str
    """Stable: `whole-too-large`, `chunk-too-large`, `result-too-large`, `limit-below-baseline`, `level-too-low`."""
    needed_bytes: int
    available_bytes: int
    """What the node that it was held against has beyond the baseline."""
    what: str
    remedy: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why a block became what it became."""

    block: str
    stage: int
    """0 where it is refused."""
    level: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Every decision about a script before it runs."""

    level: int
    """1: the whole program in one task; 3: something is cut; 2: anything else."""
    peak_bytes: int
    """An upper bound for the whole program in one process."""
    seconds: float
    """Of the whole program in one process."""
    baseline_bytes: int
    """What every node holds before any data; the nodes' memory includes it."""
    nodes: tuple[Node, ...]
    merged: tuple[MergedBlock, ...]
    stages: tuple[Stage, ...]
    tasks: tuple[Task, ...]
    reservations: tuple[Reservation, ...]
    refusals: tuple[Refusal, ...] = ()
    reasons: tuple[Reason, ...] = ()
    in_files: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By block, of a run on one machine: variables that it makes whose rows stay in files, or in the file that they come from."""
    task_bytes: int | None = None
    """The most that one chunk may hold, if the user asked for that."""

    def as_json(self) -> dict[str, Any]:
        """Plain JSON values, as `schemas/plan.json` describes them."""
        plain = to_json(self)
        assert isinstance(plain, dict)
        return plain

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Plan:
        """A plan that was written by `as_json`, and perhaps edited since.

        Raises:
            FormError: a field is missing, unknown, or of another type; it says which.
        """
        return from_json(cls, values)
