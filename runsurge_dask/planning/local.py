"""A plan of what `run` does on one machine: the script in its own process, chunks at its sites, large lists and frames in files.

    rows = load(path)            cut at line 3: 480 MiB of rows stay in files
    for row in rows: ...         cut: 12 chunks read them there
    table = {r[0]: r for r ...}  whole: 310 MiB in the script's own process, beside what else lives there

Unlike the tasks of a fleet (`levels`), blocks share one process: what one of them keeps, the next ones have beside them. A run
measures before it cuts, and cuts again where it must, so this is what it is expected to do, and what it is made to do by a
plan that is handed back to it.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runsurge_contracts.plan import Basis, MergedBlock, Plan, Reason
from runsurge_contracts.scalars import format_bytes
from runsurge_dask.analysis.residence import Residence, main_sites, residences, sites_within
from runsurge_dask.estimation.fitting import MARGIN
from runsurge_dask.planning import refusals as words
from runsurge_dask.planning.arguments import defined_names, parallel_argument
from runsurge_dask.planning.chains import CHUNKS_PER_SLOT, CUT_SECONDS, SPLITTABLE
from runsurge_dask.planning.levels import CHUNKED, MERGED, WHOLE_PROGRAM, memory_in_order
from runsurge_dask.planning.local_stages import Decision, stages_of
from runsurge_dask.planning.peaks import chunk_count, chunk_peak_bytes
from runsurge_dask.planning.placement import place_tasks
from runsurge_dask.runner.facts import SplitKind
from runsurge_dask.runner.limits import LEAST_SHARE_BYTES, script_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runsurge_contracts.plan import Estimates, Footprint, Node
    from runsurge_dask.ir.program import Block, Program
    from runsurge_dask.planning.levels import PlanOptions
    from runsurge_dask.runner.facts import SiteFacts

PAGE_BYTES = 1 << 20
"""Of a list in files, what the script holds while it goes through it."""
NEXT_CUT_SECONDS = 0.05
"""What a further stage must save, once the first one has paid for the start."""
SENDING_SECONDS_A_BYTE = 8e-9
"""Rows of a list in memory are written, sent, read and compared: about so long for each byte that they hold."""
CHUNK_FACTOR = 1.3
"""A chunk holds its part of the text as it was read, and its results as they are sent, beside what the loop itself would hold."""
CHUNK_BYTES = 4 << 20
"""What its interpreter takes while it does nothing much."""
SCRIPT_BYTES = 10 << 20
"""The script's own process before it has any data: no part of the baseline, because it is there in every run."""
_PIECE_KINDS = frozenset({"for", "list"})


@dataclass(slots=True)
class _Walk:
    """The script's own process, from block to block."""

    program: Program
    kinds: Mapping[str, SplitKind]
    estimates: Estimates
    options: PlanOptions
    room_bytes: int
    """What there is for data: the script's, and that of the chunks that run at once."""
    spare_bytes: int
    """What the script's own process may hold before lists go to files."""
    wanted: Mapping[str, int]
    """By block, a number of chunks that somebody asked for; 1: none."""
    residence: Mapping[str, Residence]
    decisions: dict[str, Decision] = field(default_factory=dict)
    in_files: set[str] = field(default_factory=set)
    has_cut: bool = False

    def all(self) -> dict[str, Decision]:
        """Every block in the order of the script."""
        alive: Mapping[str, int] = {}
        definitions = defined_names(self.program.blocks)
        footprints = {each.block: each for each in self.estimates.footprints}
        for block in self.program.blocks:
            footprint = footprints[block.key]
            decision = self._decide(block, footprint, {**alive, **_sizes(footprint.needs)}, definitions)
            self.decisions[block.key] = decision
            self.has_cut |= decision.chunks > 1
            own = self.residence.get(block.key, Residence())
            made = set(footprint.makes) | own.settles
            self.in_files = (self.in_files - made) | set(decision.in_files)
            known = self.estimates.main_lines.get(block.key)
            alive = _sizes(known) if known is not None else {**alive, **_sizes(footprint.makes)}
        return self.decisions

    def _decide(self, block: Block, footprint: Footprint, alive: Mapping[str, int], definitions: frozenset[str]) -> Decision:
        own = self.residence.get(block.key, Residence())
        in_files = self.in_files - own.settles
        argument = parallel_argument(block, definitions)
        beside = sum(size for name, size in alive.items() if name not in in_files and name not in footprint.makes)
        filed = sum(size for name, size in _sizes(footprint.needs).items() if name in in_files)
        needed = sum(size for name, size in _sizes(footprint.needs).items() if name not in in_files)
        margin = MARGIN if footprint.basis is Basis.SAMPLES else 1.0
        held = max(needed, int(footprint.peak_bytes - filed * margin)) + min(filed, PAGE_BYTES)
        whole_bytes = max(held, beside - needed + held)
        sites = self._sites(block)
        wanted = self.wanted.get(block.key, 0)
        is_large = whole_bytes > self.spare_bytes
        reason = self._reason_to_cut(block, footprint, sites, argument, in_files, is_large=is_large)
        if wanted == 1 or (not wanted and not reason) or not sites:
            return self._whole(block, whole_bytes, sites)
        can_stay = self._can_stay(block, sites, own)
        stays = tuple(sorted(name for name in footprint.makes if name in can_stay))
        kept = sum(size for name, size in _sizes(footprint.makes).items() if name not in can_stay)
        script_bytes = beside + max(0, kept) + min(PAGE_BYTES, footprint.peak_bytes)
        shared = set(footprint.needs) - in_files - {argument} - set(footprint.makes)
        fixed = sum(footprint.needs[name].size_bytes for name in shared)
        return self._cut(block, footprint, reason or "it was asked for", script_bytes, fixed, stays, argument)

    def _whole(self, block: Block, whole_bytes: int, sites: Sequence[SiteFacts]) -> Decision:
        room = self.room_bytes + (0 if self.has_cut else self.options.chunk_overhead_bytes)
        refusal = words.refuse_script(block, whole_bytes, room) if whole_bytes > room else None
        lines = sorted({s.line for s in sites if s.line != block.first_line}) if sites else []
        inner = f"run measures line {lines[0]} in it and may cut that" if lines and self.kinds[block.key] not in SPLITTABLE else ""
        return Decision(chunks=1, script_bytes=whole_bytes, task_bytes=0, in_files=(), why=inner, refusal=refusal)

    def _cut(
        self, block: Block, footprint: Footprint, reason: str, script_bytes: int, fixed: int, stays: tuple[str, ...], argument: str
    ) -> Decision:
        room = (self.room_bytes - script_bytes) // self.options.workers
        share = min(room, self.options.task_bytes or room)
        known = footprint.needs.get(argument)
        most = known.length if known is not None and known.length else None
        refusal = None
        peak = max(fixed, int(CHUNK_FACTOR * footprint.peak_bytes))
        fixed += CHUNK_BYTES
        try:
            needed = chunk_count(peak, share, fixed)
        except ValueError:
            needed = 1
            refusal = (
                words.refuse_script(block, script_bytes, self.room_bytes) if script_bytes > self.room_bytes
                else words.refuse_chunk(block, fixed + 1, max(0, share))
            )  # fmt: skip
        wanted = self.wanted.get(block.key, 0) or self.options.chunks
        count = wanted or max(needed, min(self.options.workers * CHUNKS_PER_SLOT, most or needed * CHUNKS_PER_SLOT * self.options.workers))
        task_bytes = chunk_peak_bytes(max(peak, fixed), count, fixed)
        if refusal is None and (task_bytes > share or (most is not None and needed > most)):
            refusal = words.refuse_chunk(block, max(task_bytes, share + 1), share)
        return Decision(
            chunks=count, script_bytes=script_bytes, task_bytes=task_bytes, in_files=stays, why=reason, refusal=refusal
        )

    def _sites(self, block: Block) -> list[SiteFacts]:
        """Sites of a block that can be cut for it as a whole: it is one of them, or it gets its rows from one."""
        found = [s for s in sites_within(block, self.program) if s.code or s.form == "frame"]
        return found if self.kinds[block.key] is not SplitKind.FOLD else [s for s in found if s.line != block.first_line]

    def _can_stay(self, block: Block, sites: Sequence[SiteFacts], own: Residence) -> frozenset[str]:
        if _is_frame(sites, block):
            return frozenset(block.defs) if self.kinds[block.key] is SplitKind.ROWS else frozenset()
        return own.makes if any(s.kept for s in sites) else frozenset()

    def _reason_to_cut(
        self, block: Block, footprint: Footprint, sites: Sequence[SiteFacts], argument: str, in_files: set[str], *, is_large: bool
    ) -> str:
        """Why a run would cut this block; empty where it would not."""
        if self.options.level in {WHOLE_PROGRAM, MERGED} or not sites:
            return ""
        kind = self.kinds[block.key]
        if _is_frame(sites, block):
            return self._reason_for_frame(footprint, sites, in_files, kind, is_large=is_large)
        makes_kept = any(s.kept for s in sites)
        if kind not in SPLITTABLE or kind is SplitKind.FOLD:
            return self._large(is_large) if makes_kept and is_large else ""
        if self.options.level == CHUNKED or self.options.chunks:
            return "it was asked for"
        if is_large and (makes_kept or argument in in_files):
            return self._large(is_large)
        sent = footprint.needs.get(argument)
        sending = sent.size_bytes * SENDING_SECONDS_A_BYTE if sent is not None and argument not in in_files else 0.0
        saved = footprint.seconds * (1 - 1 / self.options.workers) - sending
        if saved > (NEXT_CUT_SECONDS if self.has_cut else CUT_SECONDS):
            return f"saves about {saved:.1f} s"
        return ""

    def _reason_for_frame(
        self, footprint: Footprint, sites: Sequence[SiteFacts], in_files: set[str], kind: SplitKind, *, is_large: bool
    ) -> str:
        if kind not in SPLITTABLE:
            return ""
        if set(footprint.needs) & in_files:
            return "its rows come from a frame that is read in chunks"
        is_read = not footprint.needs
        if is_large and is_read:
            return self._large(is_large)
        seconds = self.estimates.seconds * (1 - 1 / self.options.workers)
        if is_read and sites[0].is_slow and seconds > CUT_SECONDS:
            return f"calls your functions row by row: saves up to {seconds:.1f} s"
        return ""

    def _large(self, is_large: bool) -> str:  # noqa: FBT001 - what it is asked about
        assert is_large
        return f"its rows would take more than the {format_bytes(max(0, self.spare_bytes))} that the script's own process should hold"


def _is_frame(sites: Sequence[SiteFacts], block: Block) -> bool:
    return any(s.form == "frame" and s.line == block.first_line for s in sites)


def _sizes(variables: Mapping[str, object]) -> dict[str, int]:
    return {name: variable.size_bytes for name, variable in variables.items()}  # type: ignore[attr-defined]


def make_local_plan(
    program: Program, kinds: Mapping[str, SplitKind], estimates: Estimates, node: Node, options: PlanOptions,
    wanted: Mapping[str, int] | None = None,
) -> Plan:  # fmt: skip
    """What a run within this node's memory would do; `options.baseline_bytes` is what a run holds before any data.

    `wanted` are numbers of chunks by block that stand in a plan of the user's: all others then run as written.
    """
    residence = residences(program)
    own = local_kinds(program, kinds)
    baseline_bytes = estimates.baseline_bytes if options.baseline_bytes is None else options.baseline_bytes
    others_bytes = baseline_bytes - estimates.baseline_bytes + options.workers * LEAST_SHARE_BYTES
    room = node.memory_bytes - baseline_bytes - SCRIPT_BYTES
    decisions: Mapping[str, Decision] = {}
    if program.blocks and room > 0:
        asked = dict.fromkeys((block.key for block in program.blocks), 1) | dict(wanted) if wanted is not None else {}
        decisions = _Walk(
            program=program, kinds=own, estimates=estimates, options=options, room_bytes=room, wanted=asked, residence=residence,
            spare_bytes=max(0, script_bytes(node.memory_bytes, others_bytes) - estimates.baseline_bytes),
        ).all()  # fmt: skip
        refused = [each.refusal for each in decisions.values() if each.refusal is not None]
    else:
        refused = [words.refuse_limit(program.blocks[0], baseline_bytes + SCRIPT_BYTES, node.memory_bytes)] if program.blocks else []
    stages = stages_of(program, own, estimates, decisions) if decisions else []
    tasks, reservations = place_tasks(
        [] if refused else stages, {each.stage: 0 for each in stages}, [node], baseline_bytes=baseline_bytes, slots_per_node=options.workers
    )
    stage_of = {key: each for each in stages for key in each.blocks}
    return Plan(
        level=max((each.level for each in stages), default=WHOLE_PROGRAM), seconds=estimates.seconds, baseline_bytes=baseline_bytes,
        peak_bytes=estimates.peak_bytes or memory_in_order(program.blocks, estimates).program_peak_bytes(), nodes=(node,),
        merged=tuple(MergedBlock(index=n, blocks=s.blocks, peak_bytes=s.peak_bytes, node=node.name) for n, s in enumerate(stages, 1)),
        stages=tuple(stages), tasks=tasks, reservations=reservations, refusals=tuple(refused),
        reasons=tuple(Reason(block=key, stage=stage_of[key].stage, level=stage_of[key].level, why=d.why) for key, d in decisions.items()),
        in_files={key: each.in_files for key, each in decisions.items() if each.in_files}, task_bytes=options.task_bytes,
    )  # fmt: skip


def local_kinds(program: Program, kinds: Mapping[str, SplitKind]) -> dict[str, SplitKind]:
    """Kinds as a run has them: what gets its rows from a loop in a function is of that loop's kind; a `fold` runs in the script itself."""
    found: dict[str, SplitKind] = {}
    for block in program.blocks:
        kind = kinds.get(block.key, SplitKind.WHOLE)
        if kind is SplitKind.WHOLE:
            sites = sites_within(block, program)
            inner = [s for s in main_sites(block, program) if s.code and s.form in _PIECE_KINDS] if any(s.kept for s in sites) else []
            kind = inner[0].kind if inner else _kind_of_join(block, sites)
        found[block.key] = SplitKind.WHOLE if kind is SplitKind.FOLD else kind
    return found


def _kind_of_join(block: Block, sites: Sequence[SiteFacts]) -> SplitKind:
    """A frame joined with a small one keeps the order of its rows, and so may be cut."""
    calls = [n for n in ast.walk(ast.parse(block.statements[0])) if isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute)]
    joins = [call for call in calls if getattr(call.func, "attr", "") == "merge"]
    hows = [k.value for call in joins for k in call.keywords if k.arg == "how"]
    is_kept = all(isinstance(how, ast.Constant) and how.value in {"left", "inner"} for how in hows)
    return SplitKind.ROWS if joins and is_kept and _is_frame(sites, block) else SplitKind.WHOLE
