"""Blocks, their memory and the nodes -> a plan: one level after the other.

    one block of 9,738,272 bytes, kind `rows`, one node of 8,000,000 bytes

    level 1   the program needs 9,738,272 bytes: no node holds it
    level 2   no block can be merged, and this one fits no node
    level 3   ceil(9,738,272 / 8,000,000) = 2 chunks: two tasks, and one that joins what they made
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import networkx as nx  # type: ignore[import-untyped]  # no stubs that follow its versions

from runsurge_contracts.plan import MergedBlock, Plan, Reason, Refusal, Stage
from runsurge_contracts.scalars import format_bytes
from runsurge_dask.ir.program import Effect
from runsurge_dask.planning import refusals as words
from runsurge_dask.planning.chains import (
    SPLITTABLE,
    Chain,
    cut_chain,
    find_chains,
    fixed_bytes,
    largest_count,
    names_used_after,
    needs_joining,
)
from runsurge_dask.planning.merging import Group, merge_blocks, place_groups, quotient, smallest_fitting
from runsurge_dask.planning.peaks import Memory, memory_of
from runsurge_dask.planning.placement import place_tasks
from runsurge_dask.runner.facts import SplitKind

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from runsurge_contracts.plan import Estimates, Node
    from runsurge_dask.ir.program import Block

WHOLE_PROGRAM, MERGED, CHUNKED = 1, 2, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanOptions:
    """What the user may ask of a plan."""

    level: int | None = None
    """Only this level: 1 and 2 cut nothing; 3 cuts every chain that may be cut."""
    chunks: int = 0
    """At least so many chunks for every chain, each of which is then cut; 0: as many as fit or pay."""
    workers: int = 1
    """Tasks at once on each node."""
    chunks_at_once: int = 1
    """So many chunks must fit the smallest node together."""
    task_bytes: int | None = None
    """The most that one chunk may hold; none: what the smallest node has beyond the baseline."""
    chunk_overhead_bytes: int = 0
    """The part of the baseline that is there only where something is cut."""
    baseline_bytes: int | None = None
    """What our processes hold on every node before any data; none: as estimated."""

    def __post_init__(self) -> None:
        if self.level not in {None, WHOLE_PROGRAM, MERGED, CHUNKED}:
            raise ValueError(f"there is no level {self.level}")
        if self.workers < 1 or self.chunks < 0 or self.chunks_at_once < 1 or (self.task_bytes or 1) < 1:
            raise ValueError(f"{self.workers} workers, {self.chunks} chunks, {self.chunks_at_once} at once, {self.task_bytes} bytes a task")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Problem:
    """Everything that a decision looks at."""

    blocks: tuple[Block, ...]
    edges: Mapping[str, Collection[str]]
    kinds: Mapping[str, SplitKind]
    memory: Memory
    nodes: tuple[Node, ...]
    options: PlanOptions
    baseline_bytes: int
    peak_bytes: int
    seconds: float

    @property
    def largest_bytes(self) -> int:
        return max(node.memory_bytes for node in self.nodes) - self.baseline_bytes

    @property
    def slots(self) -> int:
        return self.options.workers * sum(node.memory_bytes > self.baseline_bytes for node in self.nodes)

    def block(self, key: str) -> Block:
        return next(block for block in self.blocks if block.key == key)


def make_plan(
    blocks: Sequence[Block], edges: Mapping[str, Collection[str]], kinds: Mapping[str, SplitKind], estimates: Estimates,
    nodes: Sequence[Node], options: PlanOptions | None = None,
) -> Plan:  # fmt: skip
    """Decide level, chunks, placement and reservations of every block; what can run nowhere stands in `refusals`.

    `edges` are the keys that each block comes after; a block without a kind is `whole`. See `refusals.require_runnable`.

    Raises:
        ValueError: there is no node, two of one name, or a block without a footprint.
    """
    problem = _state(blocks, edges, kinds, estimates, nodes, options or PlanOptions())
    if not problem.blocks:
        return _assemble(problem, [], [], [])
    if problem.largest_bytes <= 0:
        largest = max(node.memory_bytes for node in nodes)
        return _assemble(problem, [], [], [words.refuse_limit(problem.blocks[0], problem.baseline_bytes, largest)])
    level = problem.options.level
    is_forced = level == CHUNKED or bool(problem.options.chunks)
    chains = [] if level in {WHOLE_PROGRAM, MERGED} else find_chains(
        problem.blocks, problem.edges, problem.kinds, problem.memory, largest_bytes=problem.largest_bytes, slots=problem.slots,
        is_forced=is_forced,
    )  # fmt: skip
    fits_whole = smallest_fitting(problem.nodes, problem.peak_bytes, problem.baseline_bytes) is not None
    pays = any(chain.is_for_speed for chain in chains)
    if level == WHOLE_PROGRAM or (level is None and fits_whole and not pays):
        return _plan_whole(problem, fits_whole=fits_whole)
    return _plan_parts(problem, chains)


def _state(
    blocks: Sequence[Block], edges: Mapping[str, Collection[str]], kinds: Mapping[str, SplitKind], estimates: Estimates,
    nodes: Sequence[Node], options: PlanOptions,
) -> _Problem:  # fmt: skip
    if not nodes or len({node.name for node in nodes}) < len(nodes):
        raise ValueError(f"no nodes, or two of one name: {[node.name for node in nodes]}")
    memory = memory_in_order(blocks, estimates)
    baseline_bytes = estimates.baseline_bytes if options.baseline_bytes is None else options.baseline_bytes
    return _Problem(
        blocks=tuple(blocks), edges=with_effects_in_order(blocks, edges), kinds=kinds, memory=memory, nodes=tuple(nodes), options=options,
        baseline_bytes=baseline_bytes, peak_bytes=estimates.peak_bytes or memory.program_peak_bytes(),
        seconds=estimates.seconds or sum(each.seconds for each in estimates.footprints),
    )  # fmt: skip


def memory_in_order(blocks: Sequence[Block], estimates: Estimates) -> Memory:
    """The memory of these blocks, in their order.

    Raises:
        ValueError: one of them has no footprint.
    """
    of_block = {each.block: each for each in estimates.footprints}
    missing = [block.key for block in blocks if block.key not in of_block]
    if missing:
        raise ValueError(f"blocks without a footprint: {', '.join(missing)}")
    return memory_of(replace(estimates, footprints=tuple(of_block[block.key] for block in blocks)))


def with_effects_in_order(blocks: Sequence[Block], edges: Mapping[str, Collection[str]]) -> dict[str, frozenset[str]]:
    """The edges, and between blocks that read the world and blocks that change it: they may mean the same file."""
    found: dict[str, frozenset[str]] = {}
    changed: str | None = None
    read: set[str] = set()
    for block in blocks:
        before = set(edges.get(block.key, ()))
        if block.effect is not Effect.PURE and changed is not None:
            before.add(changed)
        if block.effect in {Effect.WRITES, Effect.UNKNOWN}:
            before |= read
            changed, read = block.key, set()
        elif block.effect is Effect.READS:
            read.add(block.key)
        found[block.key] = frozenset(before)
    return found


def _plan_whole(problem: _Problem, *, fits_whole: bool) -> Plan:
    """Level 1: every block in one task on the smallest node that holds the program."""
    node = smallest_fitting(problem.nodes, problem.peak_bytes, problem.baseline_bytes)
    keys = tuple(block.key for block in problem.blocks)
    merged = [MergedBlock(index=1, blocks=keys, peak_bytes=problem.peak_bytes, node=node.name if node else None)]
    if not fits_whole:
        largest = max(problem.blocks, key=lambda block: problem.memory.merged_peak_bytes([block.key]))
        return _assemble(problem, merged, [], [words.refuse_level(largest, problem.peak_bytes, problem.largest_bytes, WHOLE_PROGRAM)])
    assert node is not None
    stage = Stage(
        stage=1, level=WHOLE_PROGRAM, blocks=keys, kind=str(SplitKind.WHOLE), peak_bytes=problem.peak_bytes,
        task_peak_bytes=problem.peak_bytes, seconds=problem.seconds,
    )  # fmt: skip
    needs = f"the program needs {format_bytes(problem.peak_bytes)} beyond the baseline: `{node.name}` is the smallest node that holds it"
    return _assemble(problem, merged, [stage], [], dict.fromkeys(keys, f"{needs}{_why_not_cut(problem)}"))


def _why_not_cut(problem: _Problem) -> str:
    splittable = [key for key, kind in problem.kinds.items() if kind in SPLITTABLE and key in problem.memory.footprints]
    if not splittable:
        return "; nothing of it can be cut"
    seconds = sum(problem.memory.footprints[key].seconds for key in splittable)
    return f"; cutting its {seconds:.1f} s of splittable work in {problem.slots} would not save the time that it costs"


def _plan_parts(problem: _Problem, chains: Sequence[Chain]) -> Plan:
    """Levels 2 and 3: chains are cut, the rest is merged as far as nodes hold it."""
    groups = merge_blocks(
        problem.edges, problem.memory, problem.nodes, problem.baseline_bytes, apart=[chain.blocks for chain in chains]
    )
    ordered = _in_order_of_dependence(problem, groups)
    chain_of = {chain.blocks: chain for chain in chains}
    alone = [single for group in groups for single in ([(key,) for key in group] if group in chain_of else [group])]
    merged = place_groups(alone, problem.memory, problem.nodes, problem.baseline_bytes)
    stages: list[Stage] = []
    refused: list[Refusal] = []
    reasons: dict[str, str] = {}
    numbers: dict[Group, int] = {}
    for group, before in ordered:
        number = len(stages) + 1
        after = tuple(sorted(numbers[each] for each in before if each in numbers))
        if group in chain_of:
            made: Stage | Refusal = _chunked_stage(problem, chain_of[group], number, after)
        else:
            made = _merged_stage(problem, group, number, after)
        if isinstance(made, Refusal):
            refused.append(made)
            continue
        stages.append(made)
        numbers[group] = number
        reasons |= dict.fromkeys(group, _why(problem, made, chain_of.get(group)))
    return _assemble(problem, merged, stages, refused, reasons)


def _in_order_of_dependence(problem: _Problem, groups: Sequence[Group]) -> list[tuple[Group, list[Group]]]:
    """Each group with those that it depends on, in the order of the script as far as dependencies let it."""
    group_of = {key: group[0] for group in groups for key in group}
    by_first = {group[0]: group for group in groups}
    place = {key: number for number, key in enumerate(problem.memory.footprints)}
    graph = quotient(problem.edges, group_of)
    order = nx.lexicographical_topological_sort(graph, key=lambda first: place[first])
    return [(by_first[first], [by_first[each] for each in graph.predecessors(first)]) for first in order]


def _merged_stage(problem: _Problem, group: Group, number: int, after: tuple[int, ...]) -> Stage | Refusal:
    """Level 2: one task; refused where not even one block fits a node."""
    peak_bytes = problem.memory.merged_peak_bytes(group)
    if smallest_fitting(problem.nodes, peak_bytes, problem.baseline_bytes) is None:
        block = problem.block(group[0])
        kind = problem.kinds.get(block.key, SplitKind.WHOLE)
        if problem.options.level is not None and kind in SPLITTABLE:
            return words.refuse_level(block, peak_bytes, problem.largest_bytes, problem.options.level)
        return words.refuse_whole(block, peak_bytes, problem.largest_bytes)
    return Stage(
        stage=number, level=MERGED, blocks=group, kind=str(SplitKind.WHOLE), peak_bytes=peak_bytes, task_peak_bytes=peak_bytes,
        seconds=sum(problem.memory.footprints[key].seconds for key in group), after=after,
    )  # fmt: skip


def _chunked_stage(problem: _Problem, chain: Chain, number: int, after: tuple[int, ...]) -> Stage | Refusal:
    """Level 3: one task a chunk, cut for the smallest node that can hold a chunk at all."""
    most = largest_count(chain, problem.memory)
    usable = sorted(node.memory_bytes - problem.baseline_bytes for node in problem.nodes if node.memory_bytes > problem.baseline_bytes)
    for node_bytes in usable:
        chunk_bytes = min(node_bytes // problem.options.chunks_at_once, problem.options.task_bytes or node_bytes)
        try:
            cut = cut_chain(
                chain, problem.memory, chunk_bytes=chunk_bytes, slots=problem.slots, wanted=problem.options.chunks, most=most
            )
        except ValueError:
            continue
        if most is None or max(cut.needed) <= max(most, 1):
            break
    else:
        heaviest = max(chain.blocks, key=lambda key: fixed_bytes(key, chain, problem.memory))
        smallest = fixed_bytes(heaviest, chain, problem.memory) + problem.memory.merged_peak_bytes([heaviest]) // max(1, most or 1)
        return words.refuse_chunk(problem.block(heaviest), smallest, chunk_bytes)
    result_bytes = result_bytes_of(chain.blocks, problem.blocks, problem.memory, cut.count)
    has_aggregator = needs_joining(chain, problem.blocks)
    if has_aggregator and result_bytes > problem.largest_bytes:
        return words.refuse_result(problem.block(chain.blocks[-1]), result_bytes, problem.largest_bytes)
    return Stage(
        stage=number, level=CHUNKED, blocks=chain.blocks, kind=str(chain.kinds[-1]), chunk_count=cut.count, needed_chunks=cut.needed,
        parallel_argument=chain.argument, peak_bytes=problem.memory.merged_peak_bytes(chain.blocks), task_peak_bytes=cut.peak_bytes,
        seconds=chain.seconds, after=after, is_ordered=chain.is_ordered, has_aggregator=has_aggregator,
    )  # fmt: skip


def result_bytes_of(keys: Sequence[str], blocks: Sequence[Block], memory: Memory, count: int) -> int:
    """What joining a chain's parts holds: the variables that are used whole, and one part of them beside."""
    own = set(keys)
    used = names_used_after(keys, blocks) or set(memory.footprints[keys[-1]].makes)
    made = {name: each.size_bytes for key in memory.in_order(own) for name, each in memory.footprints[key].makes.items() if name in used}
    whole = sum(made.values())
    return whole - (-whole // count)


def _why(problem: _Problem, stage: Stage, chain: Chain | None) -> str:
    if chain is None:
        alone = "alone" if len(stage.blocks) == 1 else "merged with the blocks that it depends on"
        return f"{alone}: {format_bytes(stage.peak_bytes)} fits a node"
    if chain.is_for_memory:
        largest = max(chain.blocks, key=lambda key: problem.memory.merged_peak_bytes([key]))
        peak, room = problem.memory.merged_peak_bytes([largest]), problem.largest_bytes
        why = f"{words.quoted(problem.block(largest))} needs {format_bytes(peak)}, the largest node has {format_bytes(room)}"
    else:
        why = f"cutting saves about {chain.saved_seconds:.1f} s" if chain.saved_seconds else "it was asked for"
    return f"{why}: {stage.chunk_count} chunks of at most {format_bytes(stage.task_peak_bytes)}"


def _assemble(
    problem: _Problem, merged: Sequence[MergedBlock], stages: Sequence[Stage], refused: Sequence[Refusal],
    reasons: Mapping[str, str] | None = None,
) -> Plan:  # fmt: skip
    results = {each.stage: result_bytes_of(each.blocks, problem.blocks, problem.memory, each.chunk_count) for each in stages}
    tasks, reservations = place_tasks(
        stages, results, problem.nodes, baseline_bytes=problem.baseline_bytes, slots_per_node=problem.options.workers
    )
    stage_of = {key: each for each in stages for key in each.blocks}
    told = [
        Reason(block=key, stage=stage_of[key].stage, level=stage_of[key].level, why=(reasons or {}).get(key, ""))
        for key in problem.memory.footprints if key in stage_of
    ]  # fmt: skip
    told += [Reason(block=each.block, stage=0, level=CHUNKED, why=each.what) for each in refused]
    return Plan(
        level=max((each.level for each in stages), default=WHOLE_PROGRAM), peak_bytes=problem.peak_bytes, seconds=problem.seconds,
        baseline_bytes=problem.baseline_bytes, nodes=problem.nodes, merged=tuple(merged), stages=tuple(stages), tasks=tasks,
        reservations=reservations, refusals=tuple(refused), reasons=tuple(told),
    )  # fmt: skip
