"""A plan with its memory and time, as text that is read in a minute, and as JSON.

    edges.py as it is    641 MiB, 13.8 s
    with 160 MiB         level 3, chunks at 3 of 15 statements, 2 at once: the script itself up to 18 MiB, a chunk up to 19 MiB
    reads                edges.in (28.6 MiB)

    line  statement                 kind      needs  seconds  level  chunks  what happens
      37  rows = load(sys.argv[1])  rows  535.5 MiB      1.1      3      29  cut at line 10; `rows` stays in files
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from runsurge_contracts.json_form import to_json
from runsurge_contracts.plan import Basis
from runsurge_contracts.scalars import format_bytes
from runsurge_dask.analysis.residence import main_sites, sites_within
from runsurge_dask.planning.chains import CUT_SECONDS
from runsurge_dask.planning.levels import CHUNKED, MERGED, WHOLE_PROGRAM
from runsurge_dask.planning.local import SCRIPT_BYTES
from runsurge_dask.planning.planned import digest_of
from runsurge_dask.report import WITHOUT_SITE, count_of, one_line, plan_as_json, shorten, table
from runsurge_dask.runner.facts import SplitKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from runsurge_contracts.plan import Footprint, Plan, Reason, Stage
    from runsurge_dask.ir.program import Block
    from runsurge_dask.planning.planned import PlannedScript

TRIVIAL_BYTES = 4 << 20
TRIVIAL_SHARE = 0.05
"""Of what the script holds as it is."""
TRIVIAL_SECONDS = 0.05
"""Statements that are not cut, and stay below these, are told of together."""
LEAST_TOLD_SECONDS = 0.1
STATEMENT_WIDTH = 40
FULL = {"rows": "each row stands alone", "reduce": "partial results are joined", "group": "partial groups are joined"}
HEADER = ("line", "statement", "kind", "needs", "seconds", "level", "chunks")


def render_memory_plan(found: PlannedScript) -> str:
    """What every block needs, at which level it runs and what happens to it; why; and what of it all would not fit."""
    return "\n".join((*_head(found), "", *_table(found), *_because(found), *_refusals(found.plan)))


def _head(found: PlannedScript) -> Iterator[str]:
    plan, name = found.plan, os.path.basename(found.program.file)
    lines = [(f"{name} as it is", f"{format_bytes(plan.peak_bytes)} beside its interpreter, {_seconds(plan.seconds)}{_basis(found)}")]
    if found.is_local:
        lines.append((f"with {format_bytes(plan.nodes[0].memory_bytes)}", _local_summary(found)))
    else:
        lines.append(("on these nodes", _fleet_summary(found)))
        lines += [(node.name, f"{format_bytes(node.memory_bytes)}{_tasks_of(plan, node.name)}") for node in plan.nodes]
    reads = sorted(found.estimates.reads.items(), key=lambda item: -item[1])
    if reads:
        told = [f"{os.path.relpath(path) if os.path.isabs(path) else path} ({format_bytes(size)})" for path, size in reads[:4]]
        lines.append(("reads", ", ".join(told) + (f" and {len(reads) - 4} more" if len(reads) > 4 else "")))  # noqa: PLR2004 - a line of them
    width = max(len(label) for label, _ in lines)
    yield from (f"{label.ljust(width)}  {text}" for label, text in lines)


def _basis(found: PlannedScript) -> str:
    counts = {basis: sum(each.basis is basis for each in found.estimates.footprints) for basis in Basis}
    if counts[Basis.EARLIER]:
        return f" (from an earlier run: {count_of(counts[Basis.EARLIER], 'statement')})"
    if not counts[Basis.SAMPLES]:
        return " (by rules alone: nothing was run)"
    return " (from samples)" if not _is_partly_static(found) else " (from samples, and by rules where they did not reach)"


def _is_partly_static(found: PlannedScript) -> bool:
    return any(
        each.basis is Basis.STATIC and not _is_remark(block)
        for block, each in zip(found.program.blocks, found.estimates.footprints, strict=True)
    )


def _is_remark(block: Block) -> bool:
    return block.statements[0][:1] in {'"', "'"}


def _local_summary(found: PlannedScript) -> str:
    plan = found.plan
    if any(refusal.code == "limit-below-baseline" for refusal in plan.refusals):
        return "too little for the processes of a run"
    chunked = [stage for stage in plan.stages if stage.level == CHUNKED]
    room = plan.nodes[0].memory_bytes - plan.baseline_bytes - SCRIPT_BYTES
    held = f"{format_bytes(room)} of it for data"
    if not chunked:
        if plan.seconds * (1 - 1 / found.workers) <= CUT_SECONDS:
            return "level 1: nothing is cut, all of it takes less than a cut costs"
        return f"level 1: nothing is cut, no cut would save the {CUT_SECONDS} s that the first one costs"
    blocks = sum(len(stage.blocks) for stage in chunked)
    script = max((stage.task_peak_bytes for stage in plan.stages if stage.level != CHUNKED), default=0)
    chunk = max(stage.task_peak_bytes for stage in chunked)
    return (
        f"level 3: chunks at {blocks} of {count_of(len(found.program.blocks), 'statement')}, {found.workers} at once, "
        f"{_seconds(planned_seconds(found))}; {held}:\n"
        f"{' ' * 4}the script itself holds up to {format_bytes(script)}, a chunk up to {format_bytes(chunk)}"
    )


def planned_seconds(found: PlannedScript) -> float:
    """What the plan is expected to take: what is cut on all slots, the rest one after the other."""
    cut = sum(stage.seconds for stage in found.plan.stages if stage.level == CHUNKED and not stage.is_ordered)
    slots = max(1, found.workers * (1 if found.is_local else len(found.plan.nodes)))
    return found.plan.seconds - cut + cut / slots + (CUT_SECONDS if cut else 0.0)


def _fleet_summary(found: PlannedScript) -> str:
    plan = found.plan
    names = {WHOLE_PROGRAM: "the whole program in one task", MERGED: "merged blocks", CHUNKED: "chunks where something is cut"}
    waves = max((task.wave for task in plan.tasks), default=0)
    return (
        f"level {plan.level}: {names[plan.level]}; {count_of(len(plan.tasks), 'task')} in {count_of(len(plan.stages), 'stage')} and "
        f"{count_of(waves, 'wave')}, {found.workers} at once on each node; baseline {format_bytes(plan.baseline_bytes)}"
    )


def _tasks_of(plan: Plan, node: str) -> str:
    number = sum(task.node == node for task in plan.tasks)
    return f": {count_of(number, 'task')}" if number else ": no task"


def _table(found: PlannedScript) -> Iterator[str]:
    stage_of = {key: stage for stage in found.plan.stages for key in stage.blocks}
    footprints = {footprint.block: footprint for footprint in found.estimates.footprints}
    refused = {refusal.block for refusal in found.plan.refusals}
    header = (*HEADER, "what happens") if found.is_local else (*HEADER, "where")
    rows: list[tuple[str, ...]] = []
    trivial: list[Block] = []
    for block in found.program.blocks:
        stage, footprint = stage_of.get(block.key), footprints[block.key]
        if block.key not in refused and _is_trivial(stage, footprint, found.plan.peak_bytes):
            trivial.append(block)
            continue
        rows.append(_row(found, block, stage, footprint, is_refused=block.key in refused))
    if trivial:
        label = f"{count_of(len(trivial), 'other statement')}"
        peak = max(footprints[block.key].peak_bytes for block in trivial)
        seconds = sum(footprints[block.key].seconds for block in trivial)
        rows.append(("", label, "", format_bytes(peak), f"{seconds:.2f}", "", "", "as written"))
    yield from table(header, rows, texts=("statement", "kind", header[-1]))


def _is_trivial(stage: Stage | None, footprint: Footprint, peak_bytes: int) -> bool:
    is_cut = stage is not None and stage.level == CHUNKED
    return not is_cut and footprint.peak_bytes < max(TRIVIAL_BYTES, TRIVIAL_SHARE * peak_bytes) and footprint.seconds < TRIVIAL_SECONDS


def _row(found: PlannedScript, block: Block, stage: Stage | None, footprint: Footprint, *, is_refused: bool) -> tuple[str, ...]:
    is_cut = stage is not None and stage.level == CHUNKED
    kind = stage.kind if stage is not None and is_cut and len(stage.blocks) == 1 else str(found.kinds[block.key])
    happens = _happens(found, block, is_cut=is_cut) if found.is_local else _where(found.plan, stage)
    level, chunks = ("-", "-") if stage is None else (str(stage.level), str(stage.chunk_count) if is_cut else "-")
    return (
        str(block.first_line), shorten(block.statements[0], STATEMENT_WIDTH), kind, format_bytes(footprint.peak_bytes),
        f"{footprint.seconds:.2f}", level, chunks, "too large, see below" if is_refused else happens,
    )  # fmt: skip


def _happens(found: PlannedScript, block: Block, *, is_cut: bool) -> str:
    stays = found.plan.in_files.get(block.key, ())
    names = ", ".join(f"`{name}`" for name in stays)
    files = f"{names} {'stay' if len(stays) > 1 else 'stays'} in files" if stays else ""
    if not is_cut:
        return "as written"
    sites = [s for s in sites_within(block, found.program) if s.code or s.form == "frame"]
    if any(site.form == "frame" and site.line == block.first_line for site in sites):
        return f"{names} {'are' if len(stays) > 1 else 'is'} read in chunks when asked for" if stays else "asked of chunks of the file"
    first = main_sites(block, found.program)[0]
    inner = "" if block.first_line <= first.line <= block.last_line else f"cut at line {first.line}"
    return "; ".join(filter(None, (inner or "cut", files)))


def _where(plan: Plan, stage: Stage | None) -> str:
    if stage is None:
        return ""
    nodes = sorted({task.node for task in plan.tasks if task.stage == stage.stage})
    waves = sorted({task.wave for task in plan.tasks if task.stage == stage.stage})
    when = f"wave {waves[0]}" + (f" to {waves[-1]}" if len(waves) > 1 else "") if waves else ""
    return f"{', '.join(nodes)}; {when}, stage {stage.stage}"


def _because(found: PlannedScript) -> Iterator[str]:
    """By line, the proof of each cut and what speaks for it; and why statements that take long are not cut."""
    lines = []
    reasons = {reason.block: reason for reason in found.plan.reasons}
    cut = {key for stage in found.plan.stages if stage.level == CHUNKED for key in stage.blocks}
    footprints = {footprint.block: footprint for footprint in found.estimates.footprints}
    said: set[str] = set()
    for block in found.program.blocks:
        reason = reasons.get(block.key)
        if block.key in cut and reason is not None:
            text = f"{_proof(found, block)}; {reason.why}" if reason.why else _proof(found, block)
        elif footprints[block.key].seconds > CUT_SECONDS or _may_be_cut(reason, footprints[block.key], found):
            text = f"not cut: {_why_not(found, block)}{'; ' + reason.why if reason is not None and reason.why and found.is_local else ''}"
        else:
            continue
        if text not in said:
            lines.append(f"  line {block.first_line}: {one_line(text)}")
        said.add(text)
    if lines:
        yield from ("", "because", *lines)


def _may_be_cut(reason: Reason | None, footprint: Footprint, found: PlannedScript) -> bool:
    return found.is_local and reason is not None and bool(reason.why) and footprint.seconds > TRIVIAL_SECONDS


def _proof(found: PlannedScript, block: Block) -> str:
    own = main_sites(block, found.program)
    if not own:
        return FULL.get(str(found.kinds[block.key]), str(found.kinds[block.key]))
    return own[0].reason if own[0].line == block.first_line else f"line {own[0].line}: {own[0].reason}"


def _why_not(found: PlannedScript, block: Block) -> str:
    if found.kinds[block.key] is SplitKind.WHOLE or found.kinds[block.key] is SplitKind.FOLD:
        sites = [s for s in sites_within(block, found.program) if s.line == block.first_line]
        return sites[0].reason if sites else WITHOUT_SITE[str(block.effect)]
    return "it would save less than it costs"


def _refusals(plan: Plan) -> Iterator[str]:
    if plan.refusals:
        yield ""
        yield "too large" if plan.refusals[0].code == "limit-below-baseline" else "too large, as far as the estimates can tell"
    for refusal in plan.refusals:
        yield f"  line {refusal.line}: {refusal.what}. {refusal.remedy} [{refusal.code}]"


def _seconds(seconds: float) -> str:
    return f"about {seconds:.1f} s" if seconds >= LEAST_TOLD_SECONDS else f"less than {LEAST_TOLD_SECONDS} s"


def memory_plan_as_json(found: PlannedScript) -> Mapping[str, Any]:
    """The same for machines: the plan, which may be edited and handed back, and the estimates that it stands on."""
    return {
        **plan_as_json(found.program), "source": digest_of(found.program.source), "is_local": found.is_local, "workers": found.workers,
        "plan": found.plan.as_json(), "estimates": to_json(found.estimates),
    }  # fmt: skip

