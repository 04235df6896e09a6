"""Script -> outcome, and script -> plan, as one short function each: read this first."""

from __future__ import annotations

import os
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runsurge_contracts.run import Decision, Outcome
from runsurge_dask.analysis.build import build_program, read_source
from runsurge_dask.execution.session import Progress, Session, Silent
from runsurge_dask.planning.cuts import CutOptions
from runsurge_dask.runner.host import ChildProcessHost
from runsurge_dask.runner.resident import available_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runsurge_contracts.plan import Node
    from runsurge_dask.ir.program import Program
    from runsurge_dask.planning.planned import PlannedScript
    from runsurge_dask.runner.early import EarlyRunner

WARM_MODULES = ("numpy", "pandas", "pyarrow")
"""Imported once in the runner where the script imports them; the rest is imported when the script does."""
REHEARSAL = "runsurge_dask.runner.frames.rehearsal"
"""Imported, too, where the script reads frames."""
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


def run_script(
    path: str, argv: Sequence[str] = (), options: RunOptions | None = None, progress: Progress | None = None,
    runner: EarlyRunner | None = None
) -> Outcome:
    """Run a script in parallel, leaving exactly what the sequential run leaves; on a `runner` that is there already, if one is.

    Raises:
        ScriptError: the script cannot be read or parsed.
        MemoryLimitError: it needs more than it may have.
    """
    options = options or RunOptions()
    begun = time.perf_counter()
    program = build_program(read_source(path), path)
    host = start_host(program, runner)
    try:
        cut_options = CutOptions(
            workers=options.workers or len(os.sched_getaffinity(0)),
            chunks=options.chunks,
            worth_seconds=options.worth_seconds,
            memory_bytes=options.memory_bytes or int(available_bytes() * FREE_SHARE),
        )
        session = Session(program=program, host=host, options=cut_options, exact=options.exact, argv=argv, progress=progress or Silent())
        status = session.run()
    finally:
        host.close()
    return Outcome(
        status=status,
        stages=tuple(session.stages),
        decisions=decide(program, session.notes),
        pattern=pattern_of(session),
        memory_bytes=cut_options.memory_bytes,
        peak_bytes=session.peak_bytes,
        elapsed_seconds=time.perf_counter() - begun,
    )


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


def plan_script(path: str, argv: Sequence[str], request: PlanRequest, progress: Callable[[str], None] | None = None) -> PlannedScript:
    """Estimate what every block of a script needs, and plan it for nodes with known memory.

    Raises:
        ScriptError: the script cannot be read or parsed.
        EstimateError: nothing can be said of a block.
    """
    from runsurge_dask.analysis.blocks import dependency_graph
    from runsurge_dask.estimation.estimate import estimate
    from runsurge_dask.planning.kinds import block_kinds
    from runsurge_dask.planning.levels import PlanOptions, make_plan  # loads networkx, which a run does without
    from runsurge_dask.planning.planned import PlannedScript

    program = build_program(read_source(path), path)
    host = None if request.is_static else start_host(program)
    try:
        estimates = estimate(program, host, argv=argv, cwd=os.getcwd(), is_static=request.is_static, progress=progress)
    finally:
        if host is not None:
            host.close()
    workers = request.workers or len(os.sched_getaffinity(0))
    options = PlanOptions(
        level=request.level, chunks=request.chunks, workers=workers, chunks_at_once=workers, task_bytes=request.task_bytes
    )
    kinds = block_kinds(program)
    plan = make_plan(program.blocks, dependency_graph(program.blocks), kinds, estimates, request.nodes, options)
    return PlannedScript(program=program, kinds=kinds, estimates=estimates, plan=plan)


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
