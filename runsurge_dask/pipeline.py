"""Script -> outcome, and script -> plan, as one short function each: read this first."""

from __future__ import annotations

import os
import secrets
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from runsurge_contracts.run import Asked, Decision, Outcome
from runsurge_contracts.scalars import format_bytes
from runsurge_dask.analysis.build import build_program, read_source
from runsurge_dask.errors import MemoryLimitError
from runsurge_dask.execution.memory import chunk_overhead_bytes, overhead_bytes
from runsurge_dask.execution.session import Progress, Session, Silent
from runsurge_dask.planning.cuts import CutOptions
from runsurge_dask.runner.early import WARM_MODULES
from runsurge_dask.runner.host import ChildProcessHost
from runsurge_dask.runner.limits import LEAST_SHARE_BYTES
from runsurge_dask.runner.resident import available_bytes, resident_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from runsurge_contracts.plan import Node, Plan
    from runsurge_dask.ir.program import Program
    from runsurge_dask.planning.manual import PlanFile
    from runsurge_dask.planning.planned import PlannedScript
    from runsurge_dask.runner.early import EarlyRunner

THIS_MACHINE = "this machine"
"""The name of the only node of a local plan."""
REHEARSAL = "runsurge_dask.runner.frames.rehearsal"
"""Imported, too, where the script reads frames."""
LARGE_FRAME_BYTES = 500_000_000
"""Of a text that is read in chunks where only small things are asked of it: pandas loads while the cluster starts."""
FREE_SHARE = 0.8
"""Of the memory that is free when a run starts: the rest is for what others do meanwhile."""
WORTH_SECONDS = 0.8
"""A cut that would save less is not made: the first stage of a run costs 0.5 s of imports and start-up."""



@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """What the user may choose of a run."""

    workers: int = 0
    """0: one a core."""
    chunks: int = 0
    """0: as many as pay; else every site is cut into so many, whatever the gain."""
    exact: bool = False
    memory_bytes: int = 0
    """What all processes of the run may hold together; 0: most of what is free now."""
    worth_seconds: float = WORTH_SECONDS
    level: int | None = None
    """1 and 2: nothing is cut; 3: everything that may be; none: what pays or would not fit."""
    task_bytes: int = 0
    """The most that one chunk may hold; 0: its share of what there is."""
    plan: str = ""
    """A file with a plan that was edited (`planning.manual`)."""
    at: tuple[str, ...] = ()
    """Numbers of chunks by line, such as `40=9`."""
    uses_cache: bool = True
    """What is measured is kept for later estimates."""


def run_script(
    path: str, argv: Sequence[str] = (), options: RunOptions | None = None, progress: Progress | None = None,
    runner: EarlyRunner | None = None
) -> Outcome:
    """Run a script in parallel, leaving exactly what the sequential run leaves; on a `runner` that is there already, if one is.

    Raises:
        ScriptError: the script cannot be read or parsed.
        PlanError: a plan that was given is none for this script and this limit.
        MemoryLimitError: it needs more than it may have.
    """
    options = options or RunOptions()
    begun = time.perf_counter()
    program = build_program(read_source(path), path)
    given, asked = read_what_was_asked(program, options)
    host = start_host(program, runner)
    try:
        cut_options = CutOptions(
            workers=options.workers or len(os.sched_getaffinity(0)),
            chunks=options.chunks,
            worth_seconds=options.worth_seconds,
            memory_bytes=options.memory_bytes or int(available_bytes() * FREE_SHARE),
            level=options.level,
            task_bytes=options.task_bytes,
            sites=asked,
        )
        if given is not None:
            cut_options = with_plan(cut_options, given, program, host, argv)
        session = Session(program=program, host=host, options=cut_options, exact=options.exact, argv=argv, progress=progress or Silent())
        session.starts_early = reads_large_frames(program, argv)
        status = session.run()
    finally:
        host.close()
    if options.uses_cache and not status:
        remember_stages(program, session, argv)
    return Outcome(
        status=status,
        stages=tuple(session.stages),
        decisions=decide(program, session.notes),
        asked=compare_with_asked(program, cut_options.sites, session),
        pattern=pattern_of(session),
        memory_bytes=cut_options.memory_bytes,
        peak_bytes=session.peak_bytes,
        elapsed_seconds=time.perf_counter() - begun,
    )


def remember_stages(program: Program, session: Session, argv: Sequence[str]) -> None:
    """Keep what the chunks of whole blocks held and took, for the next estimate of this script."""
    complete = [stage for stage in session.stages if stage.is_split and not stage.note]
    if not complete:
        return
    from runsurge_dask.analysis.residence import main_sites  # few runs have anything to remember
    from runsurge_dask.estimation.calibration import Measured, remember

    measured = {}
    for block in program.blocks:
        site = next((each.site for each in main_sites(block, program)), 0)
        tasks = [task for stage in complete if stage.site == site for task in stage.tasks if not task.is_outgrown]
        if tasks and len({stage.stage for stage in complete if stage.site == site}) == 1:
            measured[block.key] = Measured(peak_bytes=sum(task.peak_bytes for task in tasks), seconds=sum(task.seconds for task in tasks))
    if measured:
        remember(program, measured, inputs=sorted(session.inputs), argv=argv, cwd=session.cwd)


def read_what_was_asked(program: Program, options: RunOptions) -> tuple[PlanFile | None, Mapping[int, int]]:
    """A plan, and numbers of chunks by site; before anything is started.

    Raises:
        PlanError: the one is none for this script, or the other may not be.
    """
    if not options.plan and not options.at:
        return None, {}
    from runsurge_dask.planning.manual import read_plan, sites_at_lines  # loads the planner: few runs need it

    return read_plan(options.plan, program) if options.plan else None, sites_at_lines(options.at, program)


def with_plan(options: CutOptions, given: PlanFile, program: Program, host: ChildProcessHost, argv: Sequence[str]) -> CutOptions:
    """What a plan asks for, held against the script and the limit of this run; what was asked for by line goes before it.

    Raises:
        PlanError: it could be wrong, or needs more than there is.
    """
    from runsurge_contracts.plan import Node
    from runsurge_dask.estimation.estimate import estimate
    from runsurge_dask.planning.kinds import block_kinds
    from runsurge_dask.planning.levels import PlanOptions
    from runsurge_dask.planning.manual import check_plan, sites_of_plan

    estimates = given.estimates or estimate(program, None, argv=argv, cwd=os.getcwd(), is_static=True)
    node = Node(name=THIS_MACHINE, memory_bytes=options.memory_bytes)
    task_bytes = options.task_bytes or given.plan.task_bytes or None
    plan_options = PlanOptions(
        workers=options.workers, chunks_at_once=options.workers, task_bytes=task_bytes,
        baseline_bytes=overhead_bytes(options.memory_bytes, options.workers, resident_bytes(host.pid)),
        chunk_overhead_bytes=chunk_overhead_bytes(options.workers, resident_bytes(host.pid)),
    )  # fmt: skip
    plan = check_plan(given, program, block_kinds(program), estimates, node, plan_options)
    return replace(options, sites={**sites_of_plan(plan, program), **options.sites}, task_bytes=task_bytes or 0)


def compare_with_asked(program: Program, asked: Mapping[int, int], session: Session) -> tuple[Asked, ...]:
    """For every site of which a number of chunks was asked for, what was done; those that were left as written are told by line."""
    found = []
    for site, count in sorted(asked.items()):
        facts = program.sites[site - 1]
        stages = [stage for stage in session.stages if facts.line in {stage.line, *stage.lines} and stage.accepted]
        done = sum(stage.accepted for stage in stages)
        note = session.notes.get(site, "") if count > 1 and done < count else ""
        if not note and count > 1 and not done:
            note = "the script did not come there, or there was nothing to cut"
        if count > 1 or done:
            found.append(Asked(line=facts.line, label=facts.label, asked_chunks=count, done_chunks=done, note=note))
    return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRequest:
    """What the user may ask of a plan."""

    nodes: tuple[Node, ...]
    workers: int = 0
    """0: one a core."""
    chunks: int = 0
    level: int | None = None
    task_bytes: int | None = None
    is_static: bool = False
    """Run nothing of the script: only rules say what it needs."""
    uses_cache: bool = True
    """What earlier runs measured goes before samples."""
    is_local: bool = False
    """Plan what `run` does on this machine, whose only node this is, instead of tasks for a fleet."""


def plan_script(path: str, argv: Sequence[str], request: PlanRequest, progress: Callable[[str], None] | None = None) -> PlannedScript:
    """Estimate what every block of a script needs, and plan it for nodes with known memory.

    Raises:
        ScriptError: the script cannot be read or parsed.
        EstimateError: nothing can be said of a block.
        MemoryLimitError: the limit is below what a run holds before any data.
    """
    from runsurge_dask.analysis.blocks import dependency_graph
    from runsurge_dask.estimation.estimate import estimate
    from runsurge_dask.planning.kinds import block_kinds
    from runsurge_dask.planning.levels import PlanOptions, make_plan  # loads networkx, which a run does without
    from runsurge_dask.planning.local import make_local_plan
    from runsurge_dask.planning.planned import PlannedScript

    program = build_program(read_source(path), path)
    workers = request.workers or len(os.sched_getaffinity(0))
    host = None if request.is_static else start_host(program)
    try:
        estimates = estimate(
            program, host, argv=argv, cwd=os.getcwd(), is_static=request.is_static, uses_cache=request.uses_cache, progress=progress
        )
        runner_bytes = resident_bytes(host.pid) if host is not None else estimates.baseline_bytes
        options = PlanOptions(
            level=request.level, chunks=request.chunks, workers=workers, chunks_at_once=workers, task_bytes=request.task_bytes,
            chunk_overhead_bytes=chunk_overhead_bytes(workers, runner_bytes),
            baseline_bytes=overhead_bytes(request.nodes[0].memory_bytes, workers, runner_bytes) if request.is_local else None,
        )  # fmt: skip
    finally:
        if host is not None:
            host.close()
    kinds = block_kinds(program)
    if request.is_local:
        plan = make_local_plan(program, kinds, estimates, request.nodes[0], options)
        require_room(plan)
    else:
        plan = make_plan(program.blocks, dependency_graph(program.blocks), kinds, estimates, request.nodes, options)
    return PlannedScript(program=program, kinds=kinds, estimates=estimates, plan=plan, workers=workers, is_local=request.is_local)


def require_room(plan: Plan) -> None:
    """Pass over a plan for a limit that leaves something for data.

    Raises:
        MemoryLimitError: it is below what a run holds before any data; in the words of the run itself.
    """
    for refusal in plan.refusals:
        if refusal.code == "limit-below-baseline":
            what = f"{format_bytes(refusal.available_bytes)} are less than what the processes of a run hold before any data"
            remedy = f"Give at least {format_bytes(refusal.needed_bytes + LEAST_SHARE_BYTES)}."
            raise MemoryLimitError("--memory", what, remedy=remedy, code=refusal.code)


def reads_large_frames(program: Program, argv: Sequence[str]) -> bool:
    """Whether the script is sure to read a large file in chunks, if a path that it names, or is given, is the one that it reads."""
    reads = [facts for facts in program.sites if facts.form == "frame" and facts.may_wait and facts.is_small]
    paths = [*argv, *(facts.reads for facts in reads)] if reads else []
    return any(path and os.path.isfile(path) and os.path.getsize(path) >= LARGE_FRAME_BYTES for path in paths)


def start_host(program: Program, runner: EarlyRunner | None = None) -> ChildProcessHost:
    """The runner on this machine, with what the script imports loaded."""
    warm = [name for name in WARM_MODULES if name in program.imports]
    if any(facts.form == "frame" for facts in program.sites):
        warm.append(REHEARSAL)
    if runner is not None:
        return ChildProcessHost.of_early(runner, warm)
    environment = dict(os.environ)
    seed = environment.get("PYTHONHASHSEED") or "random"
    hash_seed = seed if seed != "random" else str(secrets.randbelow(2**32 - 1) + 1)
    return ChildProcessHost.start(warm=warm, environment=environment, hash_seed=hash_seed)


def decide(program: Program, notes: dict[int, str]) -> tuple[Decision, ...]:
    """Every site with its kind and the reason for what became of it."""
    return tuple(
        Decision(
            line=facts.line, file=facts.file, label=facts.label, kind=str(facts.kind), reason=facts.reason, note=notes.get(facts.site, "")
        )
        for facts in program.sites
    )


def pattern_of(session: Session) -> str:
    """The parallel pattern that the run turned out to be, by the name that textbooks give it."""
    kinds = [stage.kind for stage in session.stages if stage.is_split]
    if not kinds:
        return "sequential"
    lines = {stage.site for stage in session.stages if stage.is_split}
    if len(kinds) > len(lines):
        return "driver"
    reduces = any(kind in {"reduce", "group"} for kind in kinds)
    if len(lines) > 1:
        return "pipeline" if not reduces else "scatter-gather"
    return "map-reduce" if reduces else "map"
