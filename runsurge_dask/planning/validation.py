"""Hold a plan that a user wrote or edited against the script, its memory and the nodes (manual mode).

    runsurge plan script.py --json > plan.json      edit chunk counts, nodes, reservations
    runsurge run script.py --plan plan.json         refused by name where it could be wrong or too large

What a plan says of peaks and seconds is not believed: only its decisions are read, and held against the estimates.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from runsurge_contracts.plan import TaskType
from runsurge_contracts.scalars import format_bytes
from runsurge_dask.analysis.blocks import dependency_graph
from runsurge_dask.planning.arguments import defined_names, parallel_argument
from runsurge_dask.planning.chains import SPLITTABLE, Chain, fixed_bytes, may_follow, needs_joining
from runsurge_dask.planning.levels import CHUNKED, WHOLE_PROGRAM, memory_in_order, result_bytes_of, with_effects_in_order
from runsurge_dask.planning.peaks import Memory, chunk_peak_bytes
from runsurge_dask.planning.placement import place_tasks
from runsurge_dask.planning.refusals import PlanError, require_runnable
from runsurge_dask.runner.facts import SplitKind

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from runsurge_contracts.plan import Estimates, Node, Plan, Stage, Task
    from runsurge_dask.ir.program import Block

CODE = "wrong-plan"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Script:
    """What a plan is held against."""

    blocks: tuple[Block, ...]
    kinds: Mapping[str, SplitKind]
    edges: Mapping[str, Collection[str]]
    memory: Memory
    peak_bytes: int
    nodes: Mapping[str, Node]
    baseline_bytes: int

    def block(self, key: str) -> Block:
        return next(block for block in self.blocks if block.key == key)


def validate_plan(
    plan: Plan, blocks: Sequence[Block], kinds: Mapping[str, SplitKind], estimates: Estimates, nodes: Sequence[Node],
    baseline_bytes: int | None = None,
) -> None:  # fmt: skip
    """Pass over a plan that gives the right answer within every limit.

    Raises:
        PlanError: it splits what may not be split, drops or doubles a block or a task, breaks the order of dependencies, or
            exceeds a limit; where, and what to do.
    """
    require_runnable(plan)
    script = _script(blocks, kinds, estimates, nodes, baseline_bytes)
    _check_nodes(plan, script)
    _check_blocks(plan, script)
    _check_order(plan, script)
    for stage in plan.stages:
        _check_stage(stage, script)
        _check_tasks_of(stage, plan)
    _check_order_of_tasks(plan)
    _check_reservations(plan, script)


def validate_stages(plan: Plan, blocks: Sequence[Block], kinds: Mapping[str, SplitKind], estimates: Estimates) -> None:
    """Pass over a plan whose stages give the right answer, whatever they need.

    Raises:
        PlanError: as `validate_plan`, but for limits, tasks and reservations.
    """
    script = _script(blocks, kinds, estimates, plan.nodes, None)
    _check_blocks(plan, script)
    _check_order(plan, script)
    for stage in plan.stages:
        _check_stage(stage, script)


def with_tasks(
    plan: Plan, blocks: Sequence[Block], estimates: Estimates, nodes: Sequence[Node], *, workers: int = 1, baseline_bytes: int | None = None
) -> Plan:
    """The plan with tasks and reservations made anew from its stages: for a user who edited only those.

    Raises:
        PlanError: a stage needs more than the largest node has, or is no stage of this script.
    """
    script = _script(blocks, {}, estimates, nodes, baseline_bytes)
    _check_blocks(plan, script)
    most = max(node.memory_bytes for node in nodes) - script.baseline_bytes
    stages, results = [], {}
    for number, stage in enumerate(plan.stages, 1):
        if stage.stage != number or not all(0 < each < number for each in stage.after):
            raise _error(_line(stage, script), f"stage {stage.stage} stands in place {number}", "Number stages from 1, in their order.")
        peak_bytes = _task_peak_bytes(stage, script)
        results[number] = result_bytes_of(stage.blocks, blocks, script.memory, stage.chunk_count)
        needed = max(peak_bytes, results[number] if stage.has_aggregator else 0)
        if needed > most:
            what = f"stage {number} needs {format_bytes(needed)} for a task; the largest node has {format_bytes(most)}"
            raise _error(_line(stage, script), what, "Give it more chunks, or raise --memory.")
        stages.append(replace(stage, task_peak_bytes=peak_bytes))
    tasks, reservations = place_tasks(
        stages, results, nodes, baseline_bytes=script.baseline_bytes, slots_per_node=workers
    )
    return replace(
        plan, stages=tuple(stages), tasks=tasks, reservations=reservations, nodes=tuple(nodes), baseline_bytes=script.baseline_bytes
    )


def _script(
    blocks: Sequence[Block], kinds: Mapping[str, SplitKind], estimates: Estimates, nodes: Sequence[Node], baseline_bytes: int | None
) -> _Script:
    memory = memory_in_order(blocks, estimates)
    return _Script(
        blocks=tuple(blocks), kinds=kinds, edges=with_effects_in_order(blocks, dependency_graph(tuple(blocks))), memory=memory,
        peak_bytes=estimates.peak_bytes or memory.program_peak_bytes(), nodes={node.name: node for node in nodes},
        baseline_bytes=estimates.baseline_bytes if baseline_bytes is None else baseline_bytes,
    )  # fmt: skip


def _error(where: str, what: str, remedy: str) -> PlanError:
    return PlanError(where, what, remedy=remedy, code=CODE)


def _line(stage: Stage, script: _Script) -> str:
    return f"line {script.block(stage.blocks[0]).first_line}"


def _check_nodes(plan: Plan, script: _Script) -> None:
    for node in plan.nodes:
        real = script.nodes.get(node.name)
        if real is None:
            raise _error("nodes", f"there is no node {node.name!r}", f"There are {', '.join(script.nodes)}.")
        if node.memory_bytes > real.memory_bytes:
            what = f"node {node.name!r} has {format_bytes(real.memory_bytes)}, not {format_bytes(node.memory_bytes)}"
            raise _error("nodes", what, "Plan with what it has.")


def _check_blocks(plan: Plan, script: _Script) -> None:
    known = [block.key for block in script.blocks]
    seen: dict[str, int] = {}
    for stage in plan.stages:
        for key in stage.blocks:
            if key not in known:
                raise _error(f"stage {stage.stage}", f"the script has no block {key!r}", "Make the plan anew: the script was changed.")
            if key in seen:
                first = script.block(key).first_line
                raise _error(f"line {first}", f"block {key!r} stands in stages {seen[key]} and {stage.stage}", "Keep it in one.")
            seen[key] = stage.stage
    for block in script.blocks:
        if block.key not in seen:
            raise _error(f"line {block.first_line}", f"block {block.key!r} is in no stage", "Every block must run once.")


def _check_order(plan: Plan, script: _Script) -> None:
    numbers = [stage.stage for stage in plan.stages]
    if numbers != list(range(1, len(numbers) + 1)):
        raise _error("stages", f"they are numbered {numbers}", "Number stages from 1, in their order.")
    place = {block.key: number for number, block in enumerate(script.blocks)}
    stage_of = {key: stage for stage in plan.stages for key in stage.blocks}
    before: dict[int, set[int]] = {}
    for stage in plan.stages:
        if not all(0 < each < stage.stage for each in stage.after):
            raise _error(_line(stage, script), f"stage {stage.stage} comes after {list(stage.after)}", "Name stages that stand before it.")
        before[stage.stage] = set(stage.after).union(*(before[each] for each in stage.after))
        if sorted(stage.blocks, key=place.__getitem__) != list(stage.blocks):
            raise _error(_line(stage, script), f"blocks of stage {stage.stage} are not in the order of the script", "Put them in order.")
    for key, earlier in script.edges.items():
        for each in sorted(earlier, key=place.__getitem__):
            needed, own = stage_of[each].stage, stage_of[key].stage
            if needed != own and needed not in before[own]:
                what = f"block {key!r} needs {each!r}, but stage {own} does not come after stage {needed}"
                raise _error(f"line {script.block(key).first_line}", what, f"Put {needed} into `after` of stage {own}.")


def _check_stage(stage: Stage, script: _Script) -> None:
    """A stage may be cut only as the analysis proved."""
    if stage.level == WHOLE_PROGRAM and len(stage.blocks) < len(script.blocks):
        raise _error(_line(stage, script), f"stage {stage.stage} is at level 1 without every block", "Level 1 is the whole program.")
    if stage.level < CHUNKED:
        if stage.chunk_count > 1 or stage.has_aggregator:
            raise _error(_line(stage, script), f"stage {stage.stage} is cut at level {stage.level}", "Only stages of level 3 are cut.")
        return
    _check_fusion([script.block(key) for key in stage.blocks], script)
    chain = _chain(stage, script)
    argument = parallel_argument(script.block(stage.blocks[0]), defined_names(script.blocks))
    if stage.parallel_argument != argument:
        what = f"stage {stage.stage} cuts {stage.parallel_argument!r}, its blocks work through {argument!r}"
        raise _error(_line(stage, script), what, f"Write {argument!r}.")
    if chain.is_ordered and not stage.is_ordered:
        raise _error(_line(stage, script), f"stage {stage.stage} is a fold: its chunks come one after the other", "Set is_ordered.")
    if needs_joining(chain, script.blocks) and not stage.has_aggregator:
        raise _error(_line(stage, script), f"what stage {stage.stage} makes is used whole", "Set has_aggregator.")


def _check_fusion(blocks: Sequence[Block], script: _Script) -> None:
    """Every block may be cut, and each cuts what the one before it made in chunks."""
    definitions = defined_names(script.blocks)
    for block in blocks:
        kind = script.kinds.get(block.key, SplitKind.WHOLE)
        if kind not in SPLITTABLE:
            what = f"block {block.key!r} is `{kind}`: it may not be cut"
            raise _error(f"line {block.first_line}", what, "Put it into a stage of level 2.")
    for place, other in enumerate(blocks[1:], 1):
        if not may_follow(other, blocks[:place], script.edges, script.kinds, definitions):
            what = f"block {other.key!r} does not cut what {blocks[place - 1].key!r} made in chunks"
            raise _error(f"line {other.first_line}", what, "Put it into a stage of its own.")


def _chain(stage: Stage, script: _Script) -> Chain:
    kinds = tuple(script.kinds.get(key, SplitKind.WHOLE) for key in stage.blocks)
    return Chain(
        blocks=stage.blocks, kinds=kinds, argument=stage.parallel_argument, is_for_speed=False, is_for_memory=False, seconds=0,
        saved_seconds=0,
    )  # fmt: skip


def _task_peak_bytes(stage: Stage, script: _Script) -> int:
    """What one of its tasks holds by the estimates, whatever the plan says."""
    if stage.level == WHOLE_PROGRAM:
        return script.peak_bytes
    if stage.level < CHUNKED:
        return script.memory.merged_peak_bytes(stage.blocks)
    chain = _chain(stage, script)
    return max(
        chunk_peak_bytes(script.memory.merged_peak_bytes([key]), stage.chunk_count, fixed_bytes(key, chain, script.memory))
        for key in stage.blocks
    )


def _check_tasks_of(stage: Stage, plan: Plan) -> None:
    """One task a chunk, and one aggregator where there is one."""
    tasks = [task for task in plan.tasks if task.stage == stage.stage]
    wanted: list[tuple[TaskType, int | None]]
    if stage.level < CHUNKED:
        wanted = [(TaskType.WHOLE_PROGRAM if stage.level == WHOLE_PROGRAM else TaskType.MERGED, None)]
    else:
        wanted = [(TaskType.FUSED_PARALLEL, chunk) for chunk in range(stage.chunk_count)]
        wanted += [(TaskType.AGGREGATOR, None)] if stage.has_aggregator else []
    found = [(task.task_type, task.chunk_id) for task in tasks]
    for each in wanted:
        if found.count(each) != 1:
            chunk = "" if each[1] is None else f" of chunk {each[1]}"
            what = f"it has {found.count(each)} tasks {each[0]!s}{chunk}, not one"
            raise _error(f"stage {stage.stage}", what, "Write one, or leave `tasks` empty: they are made anew.")
    if len(found) > len(wanted):
        raise _error(f"stage {stage.stage}", f"it has {len(found)} tasks, not {len(wanted)}", "Remove those that are too many.")


def _check_order_of_tasks(plan: Plan) -> None:
    numbers = [task.task_id for task in plan.tasks]
    if numbers != list(range(1, len(numbers) + 1)):
        raise _error("tasks", "they are not numbered from 1, in their order", "Number them so.")
    stages = {stage.stage: stage for stage in plan.stages}
    before: dict[int, set[int]] = {}
    for task in plan.tasks:
        if task.stage not in stages:
            raise _error(f"task {task.task_id}", f"there is no stage {task.stage}", "Name a stage of the plan.")
        if not all(0 < each < task.task_id for each in task.after):
            raise _error(f"task {task.task_id}", f"it comes after {list(task.after)}", "Name tasks that stand before it.")
        before[task.task_id] = set(task.after).union(*(before[each] for each in task.after))
        needed = {other.task_id for other in plan.tasks if _must_end_before(other, task, stages[task.stage])}
        for each in sorted(needed - before[task.task_id]):
            raise _error(f"task {task.task_id}", f"it does not wait for task {each}", f"Put {each} into its `after`.")
        for each in task.after:
            if plan.tasks[each - 1].wave >= task.wave:
                raise _error(f"task {task.task_id}", f"its wave {task.wave} does not come after that of task {each}", "Raise its wave.")


def _must_end_before(other: Task, task: Task, stage: Stage) -> bool:
    if other.stage in stage.after:
        return True
    if other.stage != task.stage or other.task_id == task.task_id or other.chunk_id is None:
        return False
    return task.chunk_id is None or (stage.is_ordered and other.chunk_id < task.chunk_id)


def _check_reservations(plan: Plan, script: _Script) -> None:
    stages = {stage.stage: stage for stage in plan.stages}
    reserved = {each.task_id: each for each in plan.reservations}
    if sorted(each.task_id for each in plan.reservations) != [task.task_id for task in plan.tasks]:
        raise _error("reservations", "there is not one for each task", "Write one a task, or leave `tasks` empty.")
    used: dict[tuple[int, str], int] = {}
    for task in plan.tasks:
        own, stage = reserved[task.task_id], stages[task.stage]
        if task.node not in script.nodes or own.node != task.node:
            what = f"it runs on {task.node!r} and is reserved on {own.node!r}"
            raise _error(f"task {task.task_id}", what, "Name one node that there is.")
        needed = _task_peak_bytes(stage, script)
        if task.task_type is TaskType.AGGREGATOR:
            needed = result_bytes_of(stage.blocks, script.blocks, script.memory, stage.chunk_count)
        if own.reserved_bytes < needed:
            what = f"it needs {format_bytes(needed)}; {format_bytes(own.reserved_bytes)} are reserved"
            raise _error(f"task {task.task_id}, {_line(stage, script)}", what, "Reserve more, or give its stage more chunks.")
        place = task.wave, task.node
        used[place] = used.get(place, 0) + own.reserved_bytes
        limit = script.nodes[task.node].memory_bytes - script.baseline_bytes
        if used[place] > limit:
            held = format_bytes(used[place])
            what = f"in wave {task.wave} {held} are reserved on {task.node!r}, which has {format_bytes(limit)} for tasks"
            raise _error(f"task {task.task_id}, {_line(stage, script)}", what, "Put it into a later wave, or give its stage more chunks.")
