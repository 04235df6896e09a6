"""The stages of a run on one machine, from what becomes of each block.

    rows = load(path)      17 chunks       stage 1, level 3
    n = len(rows)          as written      stage 2, level 2: the script's own process
    for row in rows: ...   31 chunks       stage 3, level 3, after 1 and 2
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import networkx as nx  # type: ignore[import-untyped]  # no stubs that follow its versions

from runsurge_contracts.plan import Stage
from runsurge_dask.analysis.blocks import dependency_graph
from runsurge_dask.planning.arguments import defined_names, parallel_argument
from runsurge_dask.planning.chains import Chain, find_runs, needs_joining
from runsurge_dask.planning.kinds import first_lines
from runsurge_dask.planning.levels import CHUNKED, MERGED, WHOLE_PROGRAM, with_effects_in_order
from runsurge_dask.planning.merging import quotient
from runsurge_dask.runner.facts import SplitKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runsurge_contracts.plan import Estimates, Refusal
    from runsurge_dask.ir.program import Program


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What becomes of one block."""

    chunks: int
    """1: it runs in the script's own process."""
    script_bytes: int
    """What that process holds at most while the block runs."""
    task_bytes: int
    """What one of its chunks holds."""
    in_files: tuple[str, ...]
    why: str
    refusal: Refusal | None = None


def stages_of(
    program: Program, kinds: Mapping[str, SplitKind], estimates: Estimates, decisions: Mapping[str, Decision]
) -> list[Stage]:
    """Blocks in the order of their dependence: those of the script's own process together, frames in one stage with what asks them."""
    cut = {key for key, each in decisions.items() if each.chunks > 1}
    if not cut:
        keys = tuple(block.key for block in program.blocks)
        return [_stage(1, WHOLE_PROGRAM, keys, program, kinds, estimates, decisions, ())] if keys else []
    edges = with_effects_in_order(program.blocks, dependency_graph(program.blocks))
    first = first_lines(program, "frame")
    frames = {block.key for block in program.blocks if block.key in cut and block.first_line in first}
    of_frames = {key: kinds[key] if key in frames else SplitKind.WHOLE for key in kinds}
    runs = find_runs(program.blocks, edges, of_frames, defined_names(program.blocks))
    group_of = {key: run[0] for run in runs for key in run}
    group_of = {block.key: group_of.get(block.key, block.key) for block in program.blocks}
    place = {block.key: number for number, block in enumerate(program.blocks)}
    graph = quotient(edges, group_of)
    order = list(nx.lexicographical_topological_sort(graph, key=lambda name: place[name]))
    members = {name: tuple(key for key in place if group_of[key] == name) for name in order}
    stages: list[Stage] = []
    number_of: dict[str, int] = {}
    for is_cut, names in itertools.groupby(order, key=lambda name: name in cut):
        for together in ([[name] for name in names] if is_cut else [list(names)]):
            keys = tuple(sorted((key for name in together for key in members[name]), key=place.__getitem__))
            number = len(stages) + 1
            number_of |= dict.fromkeys(keys, number)
            after = {number_of[each] for key in keys for each in edges[key] if number_of.get(each, number) != number}
            level = CHUNKED if is_cut else MERGED
            stages.append(_stage(number, level, keys, program, kinds, estimates, decisions, tuple(sorted(after))))
    return stages


def _stage(
    number: int, level: int, keys: tuple[str, ...], program: Program, kinds: Mapping[str, SplitKind], estimates: Estimates,
    decisions: Mapping[str, Decision], after: tuple[int, ...],
) -> Stage:  # fmt: skip
    blocks = {block.key: block for block in program.blocks}
    footprints = {each.block: each for each in estimates.footprints}
    peak = max(footprints[key].peak_bytes for key in keys)
    seconds = sum(footprints[key].seconds for key in keys)
    line = min(blocks[key].first_line for key in keys)
    if level < CHUNKED:
        held = max(decisions[key].script_bytes for key in keys)
        return Stage(
            stage=number, level=level, blocks=keys, kind=str(SplitKind.WHOLE), peak_bytes=held, task_peak_bytes=held, seconds=seconds,
            after=after, line=line,
        )  # fmt: skip
    count = max(decisions[key].chunks for key in keys)
    argument = parallel_argument(blocks[keys[0]], defined_names(program.blocks))
    chain = Chain(
        blocks=keys, kinds=tuple(kinds[key] for key in keys), argument=argument, is_for_speed=False, is_for_memory=False, seconds=0,
        saved_seconds=0,
    )  # fmt: skip
    return Stage(
        stage=number, level=CHUNKED, blocks=keys, kind=str(kinds[keys[-1]]), chunk_count=count,
        needed_chunks=tuple(decisions[key].chunks for key in keys), parallel_argument=argument, peak_bytes=peak,
        task_peak_bytes=max(decisions[key].task_bytes for key in keys), seconds=seconds, after=after, line=line,
        has_aggregator=needs_joining(chain, program.blocks),
    )  # fmt: skip
