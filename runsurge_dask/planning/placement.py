"""Tasks, nodes and waves: what may run at the same time, and where.

    nodes of 500 and 900 bytes, two independent stages of 400 bytes, a third of 600 after both

    wave 1: stage 1 on the node of 500, stage 2 on the node of 900        wave 2: stage 3 on the node of 900
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runsurge_contracts.plan import Reservation, Task, TaskType

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from runsurge_contracts.plan import Node, Stage


@dataclass(slots=True)
class Waves:
    """Bytes and tasks that each node has in each wave."""

    nodes: Sequence[Node]
    baseline_bytes: int
    slots_per_node: int
    reserved: dict[tuple[int, str], int] = field(default_factory=dict)
    taken: dict[tuple[int, str], int] = field(default_factory=dict)

    def place(self, needed_bytes: int, earliest: int) -> tuple[int, str]:
        """The first wave with room, and in it the smallest node that has it; the room is taken."""
        fitting = [node for node in self.nodes if node.memory_bytes - self.baseline_bytes >= needed_bytes]
        wave = earliest
        while True:
            for node in sorted(fitting, key=lambda each: each.memory_bytes):
                place = wave, node.name
                room = node.memory_bytes - self.baseline_bytes - self.reserved.get(place, 0)
                if room >= needed_bytes and self.taken.get(place, 0) < self.slots_per_node:
                    self.reserved[place] = self.reserved.get(place, 0) + needed_bytes
                    self.taken[place] = self.taken.get(place, 0) + 1
                    return place
            wave += 1


@dataclass(slots=True)
class _Ends:
    """Tasks so far, and those that end each stage."""

    waves: Waves
    tasks: list[Task] = field(default_factory=list)
    reservations: list[Reservation] = field(default_factory=list)
    last_of: dict[int, tuple[int, ...]] = field(default_factory=dict)

    def add(self, stage: Stage, kind: TaskType, needed_bytes: int, after: Iterable[int], chunk: int | None = None) -> int:
        needed = tuple(after)
        earliest = 1 + max((self.tasks[each - 1].wave for each in needed), default=0)
        wave, node = self.waves.place(needed_bytes, earliest)
        number = len(self.tasks) + 1
        seconds = 0.0 if kind is TaskType.AGGREGATOR else stage.seconds / stage.chunk_count
        self.tasks.append(Task(
            task_id=number, task_type=kind, stage=stage.stage, chunk_id=chunk, node=node, wave=wave, after=needed,
            estimated_seconds=seconds,
        ))  # fmt: skip
        self.reservations.append(Reservation(task_id=number, node=node, reserved_bytes=needed_bytes))
        return number


def place_tasks(
    stages: Sequence[Stage], results: Mapping[int, int], nodes: Sequence[Node], *, baseline_bytes: int, slots_per_node: int
) -> tuple[tuple[Task, ...], tuple[Reservation, ...]]:
    """The tasks of stages that fit a node, in an order in which they may run one by one; `results`: bytes that aggregators hold."""
    ends = _Ends(Waves(nodes, baseline_bytes, slots_per_node))
    for stage in stages:
        before = tuple(dict.fromkeys(task for each in stage.after for task in ends.last_of.get(each, ())))
        if stage.level < 3:  # noqa: PLR2004 - levels are known by their numbers
            kind = TaskType.WHOLE_PROGRAM if stage.level == 1 else TaskType.MERGED
            ends.last_of[stage.stage] = (ends.add(stage, kind, stage.task_peak_bytes, before),)
            continue
        chunks: list[int] = []
        for chunk in range(stage.chunk_count):
            carried = chunks[-1:] if stage.is_ordered else []
            chunks.append(ends.add(stage, TaskType.FUSED_PARALLEL, stage.task_peak_bytes, (*before, *carried), chunk))
        ends.last_of[stage.stage] = tuple(chunks)
        if stage.has_aggregator:
            ends.last_of[stage.stage] = (ends.add(stage, TaskType.AGGREGATOR, results[stage.stage], chunks),)
    return tuple(ends.tasks), tuple(ends.reservations)
