"""Plan -> the Python script of each task, to be run one after the other by plain `python`.

    script.py in 2 chunks      task_1_merged_script.py        imports, reads the header, stores it in data/header_1.pkl
                               task_2_fused_script.py         chunk 0: loads, works through its half, stores data/rows_2_chunk_0.pkl
                               task_3_fused_script.py         chunk 1
                               task_4_aggregator_script.py    joins the halves in order, stores data/rows_4.pkl
                               task_5_merged_script.py        the rest

Every script repeats the imports and functions of the whole. Together they leave the same files and the same text. A script that
uses anything outside the small language of `tasks.language` is one task: its own text.
"""

from __future__ import annotations

import ast
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runsurge_contracts.plan import TaskType
from runsurge_dask.planning.tasks.language import Outside, why_outside
from runsurge_dask.planning.tasks.rendering import Data, Frame, aggregator_text, chunk_text, merged_text
from runsurge_dask.planning.tasks.splitting import Group, Piece, find_piece, group_at
from runsurge_dask.planning.tasks.units import Script, Unit, read_script, storable_breaks

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from runsurge_contracts.plan import Plan
    from runsurge_dask.ir.program import Program

WORDS = {
    TaskType.WHOLE_PROGRAM: "whole", TaskType.MERGED: "merged", TaskType.FUSED_PARALLEL: "fused", TaskType.AGGREGATOR: "aggregator",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskScript:
    """One task as a file that plain Python runs."""

    task_id: int
    """From 1, in the order in which the scripts are to be run."""
    task_type: TaskType
    chunk_id: int | None
    blocks: tuple[str, ...]
    """Keys of the blocks that it runs: the fused stages."""
    node: str | None
    needs: tuple[str, ...]
    """Data ids: `data/<data id>.pkl`."""
    makes: tuple[tuple[str, str], ...]
    """Pairs of a data id and the variable in it."""
    text: str

    @property
    def file_name(self) -> str:
        """Such as `task_88_fused_script.py`."""
        return f"task_{self.task_id}_{WORDS[self.task_type]}_script.py"


def make_scripts(program: Program, plan: Plan) -> tuple[TaskScript, ...]:
    """The task scripts of a plan, in the order in which they are to be run.

    They follow the plan as far as their answer is proved to be the same: blocks that share what cannot be stored stay in one
    task, and what is not proved to be cut exactly runs whole.
    """
    tree = ast.parse(program.source)
    if plan.level > 1 and not why_outside(tree) and not program.entry and not program.modules:
        try:
            return _Writer(program, plan, read_script(tree)).write()
        except (Outside, ValueError):  # a text that cannot be written back from its tree
            pass
    return (_whole(program, plan),)


def why_one_task(program: Program) -> str:
    """Why a script is written as one task whatever the plan; empty if it may be several."""
    if program.modules or program.entry:
        return "it has modules beside it" if program.modules else f"it only defines `{program.entry}`"
    tree = ast.parse(program.source)
    try:
        why = why_outside(tree)
        if not why:
            read_script(tree)
    except Outside as reason:
        return str(reason)
    return why


def _whole(program: Program, plan: Plan) -> TaskScript:
    call = f'\n\nif __name__ == "__main__":\n    {program.entry}()\n' if program.entry == "main" else ""
    return TaskScript(
        task_id=1, task_type=TaskType.WHOLE_PROGRAM, chunk_id=None, blocks=tuple(block.key for block in program.blocks),
        node=max(plan.nodes, key=lambda node: node.memory_bytes).name if plan.level > 1 and plan.nodes else _first_node(plan), needs=(),
        makes=(), text=program.source + call,
    )  # fmt: skip


def _first_node(plan: Plan) -> str | None:
    return plan.tasks[0].node if plan.tasks else None


@dataclass(slots=True)
class _Span:
    """Units that become one task, or one group."""

    first: int
    last: int
    stage: int
    group: Group | None = None


class _Writer:
    """Writes the scripts of one plan, numbering tasks and following which task stored a variable last."""

    def __init__(self, program: Program, plan: Plan, script: Script) -> None:
        self.program, self.plan, self.script = program, plan, script
        self.units = script.units
        self.frame = Frame(script=script, file=os.path.basename(program.file))
        self.stages = {stage.stage: stage for stage in plan.stages}
        self.stage_of = [self._stage_of(unit) for unit in self.units]
        self.stored: dict[str, str] = {}
        self.done: list[TaskScript] = []

    def write(self) -> tuple[TaskScript, ...]:
        spans = self._spans()
        if len(spans) == 1 and spans[0].group is None:
            return (_whole(self.program, self.plan),)
        for span in spans:
            if span.group is None:
                self._write_merged(span)
            else:
                self._write_group(span, span.group)
        return tuple(self.done)

    # -- where tasks begin -------------------------------------------------------------------------------------------------

    def _stage_of(self, unit: Unit) -> int:
        """The stage of a unit's blocks: the one that is cut, else the last."""
        first, last = unit.node.lineno, unit.node.end_lineno or unit.node.lineno
        keys = {block.key for block in self.program.blocks if first <= block.first_line <= last}
        found = [stage for stage in self.plan.stages if keys & set(stage.blocks)]
        cut = [stage.stage for stage in found if stage.chunk_count > 1]
        return max(cut or [stage.stage for stage in found], default=0)

    def _spans(self) -> list[_Span]:
        may_begin = storable_breaks(self.script)
        pieces = [self._piece(place) for place in range(len(self.units))]
        spans: list[_Span] = []
        place = 0
        while place < len(self.units):
            group = group_at(place, pieces, self.units) if may_begin[place] else None
            last = group.last if group else place
            is_closed = last + 1 == len(self.units) or may_begin[last + 1]
            if group is not None and is_closed and (spans == [] or may_begin[place]):
                spans.append(_Span(place, last, max(self.stage_of[place : last + 1]), group))
                place = last + 1
                continue
            stage = self.stage_of[place]
            joins = spans and spans[-1].group is None and (spans[-1].stage == stage or not may_begin[place] or self.units[place].is_initial)
            if joins:
                spans[-1].last, spans[-1].stage = place, max(spans[-1].stage, stage)
            else:
                spans.append(_Span(place, place, stage))
            place += 1
        return spans

    def _piece(self, place: int) -> Piece | None:
        stage = self.stages.get(self.stage_of[place])
        if stage is None or stage.chunk_count < 2 or stage.is_ordered:  # noqa: PLR2004 - one chunk is no cut
            return None
        before = {name for unit in self.units[:place] for name in unit.binds}
        later = {name for unit in self.units[place + 1 :] for name in unit.reads}
        return find_piece(self.units[place], self.script, self.program, before, later)

    # -- tasks -------------------------------------------------------------------------------------------------------------

    def _write_merged(self, span: _Span) -> None:
        units, rest = self.units[span.first : span.last + 1], self.units[span.last + 1 :]
        loads = self._loads(units)
        number = len(self.done) + 1
        own = {name for unit in units for name in unit.binds | unit.changes}
        stores = {name: f"{name}_{number}" for name in sorted(own & self._wanted(rest) & (set(loads) | _bound(units)))}
        data = Data(loads=loads, stores=stores, rest_loads=self._rest_loads(units, rest))
        text = merged_text(self.frame, units, rest, data, title=_title(units), is_first=number == 1)
        self._add(TaskType.MERGED, units, span.stage, None, loads.values(), stores, text)
        self.stored |= stores

    def _write_group(self, span: _Span, group: Group) -> None:
        units, rest = self.units[span.first : span.last + 1], self.units[span.last + 1 :]
        count = next(stage.chunk_count for stage in self.plan.stages if stage.stage == self._cut_stage(span))
        loads = self._loads(units)
        begin = len(self.done) + 1
        used = self._wanted(rest)
        kept = [name for name in group.joinings if name in used] or [next(iter(group.joinings))]
        parts: dict[str, list[str]] = {name: [] for name in kept}
        for chunk in range(count):
            number = len(self.done) + 1
            stores = {name: f"{name}_{begin}_chunk_{chunk}" for name in kept}
            text = chunk_text(
                self.frame, group, title=f"chunk {chunk} of {count} of {_title(units)}", is_first=number == 1, chunk=chunk, count=count,
                loads=loads, stores=stores,
            )  # fmt: skip
            self._add(TaskType.FUSED_PARALLEL, units, self._cut_stage(span), chunk, loads.values(), stores, text)
            for name, data_id in stores.items():
                parts[name].append(data_id)
        number = len(self.done) + 1
        bound = set(group.joinings) | {name for unit in group.initial for name in unit.binds}
        bound |= {name for piece in group.pieces if piece.prologue for name in piece.unit.binds}
        stores = {name: f"{name}_{number}" for name in sorted(bound & used)}
        data = Data(loads=loads, stores=stores, rest_loads=self._rest_loads(units, rest))
        text = aggregator_text(self.frame, group, units, rest, data, title=f"the {count} parts of {_title(units)} joined", parts=parts)
        needs = [*(data_id for ids in parts.values() for data_id in ids), *loads.values()]
        self._add(TaskType.AGGREGATOR, units, self._cut_stage(span), None, needs, stores, text)
        self.stored |= stores

    def _cut_stage(self, span: _Span) -> int:
        """The stage of a group: the first of its units that is cut."""
        cut = [number for number in self.stage_of[span.first : span.last + 1] if self.stages[number].chunk_count > 1]
        return cut[0]

    def _loads(self, units: Sequence[Unit]) -> dict[str, str]:
        """Variables that these units touch and an earlier task stored."""
        touched = {name for unit in units for name in unit.touches}
        return {name: data_id for name, data_id in sorted(self.stored.items()) if name in touched}

    def _rest_loads(self, units: Sequence[Unit], rest: Sequence[Unit]) -> dict[str, str]:
        """What the rest of the script needs beyond what this task has, if it has to run the rest itself."""
        here = set(self._loads(units)) | _bound(units)
        wanted = {name for unit in rest for name in unit.touches}
        return {name: data_id for name, data_id in sorted(self.stored.items()) if name in wanted - here}

    def _wanted(self, rest: Sequence[Unit]) -> set[str]:
        return {name for unit in rest for name in unit.reads | unit.changes}

    def _add(
        self, kind: TaskType, units: Sequence[Unit], stage: int, chunk: int | None, needs: Iterable[str], stores: Mapping[str, str],
        text: str,
    ) -> None:  # fmt: skip
        own = [(unit.node.lineno, unit.node.end_lineno or unit.node.lineno) for unit in units]
        keys = [block.key for block in self.program.blocks if any(first <= block.first_line <= last for first, last in own)]
        self.done.append(TaskScript(
            task_id=len(self.done) + 1, task_type=kind, chunk_id=chunk, blocks=tuple(keys), node=self._node(stage, chunk),
            needs=tuple(dict.fromkeys(needs)), makes=tuple((data_id, name) for name, data_id in stores.items()), text=text,
        ))  # fmt: skip

    def _node(self, stage: int, chunk: int | None) -> str | None:
        tasks = [task for task in self.plan.tasks if task.stage == stage]
        same = [task for task in tasks if task.chunk_id == chunk]
        return (same or tasks)[-1].node if tasks else None


def _bound(units: Sequence[Unit]) -> set[str]:
    return {name for unit in units for name in unit.binds}


def _title(units: Sequence[Unit]) -> str:
    first, last = min(unit.node.lineno for unit in units), max(unit.node.end_lineno or 0 for unit in units)
    return f"line {first}" if first == last else f"lines {first} to {last}"

