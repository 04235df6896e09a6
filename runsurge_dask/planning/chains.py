"""Level 3: chains of blocks that are cut together, each chunk going through all of them in one task.

    b = f(a)        rows     needs 4 chunks
    c = g(b)        rows     needs 7
    t = sum(c)      reduce   needs 1

    one chain b, c, t of 7 chunks: 7 tasks, and one that joins the 7 parts of t
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import networkx as nx  # type: ignore[import-untyped]  # no stubs that follow its versions

from runsurge_dask.ir.program import Effect
from runsurge_dask.planning.arguments import defined_names, exposed_uses, parallel_argument
from runsurge_dask.planning.merging import quotient
from runsurge_dask.planning.peaks import Memory, chunk_count, chunk_peak_bytes
from runsurge_dask.runner.facts import SplitKind

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from runsurge_dask.ir.program import Block

SPLITTABLE = frozenset({SplitKind.ROWS, SplitKind.REDUCE, SplitKind.GROUP, SplitKind.HALO, SplitKind.FOLD})
STAYS_CUT = frozenset({SplitKind.ROWS})
"""Kinds whose result may stay in chunks for the blocks after it."""
CUT_SECONDS = 0.8
"""What cutting costs: imports and start-up of the first stage, measured at 0.4 to 0.6 s. A cut that saves less is not made."""
CHUNKS_PER_SLOT = 4
"""More even out unequal chunks, fewer save the fixed cost of a task."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """Blocks that are cut together."""

    blocks: tuple[str, ...]
    kinds: tuple[SplitKind, ...]
    argument: str
    """The variable that is cut; it is made outside of the chain."""
    is_for_speed: bool
    """Chosen because it saves time."""
    is_for_memory: bool
    """Chosen because one of its blocks fits no node."""
    seconds: float
    saved_seconds: float

    @property
    def is_ordered(self) -> bool:
        """Whether a state goes from chunk to chunk."""
        return SplitKind.FOLD in self.kinds


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """A chain with the number of its chunks."""

    needed: tuple[int, ...]
    """For each block of the chain."""
    count: int
    peak_bytes: int
    """Of one chunk."""


def find_chains(
    blocks: Sequence[Block], edges: Mapping[str, Collection[str]], kinds: Mapping[str, SplitKind], memory: Memory, *,
    largest_bytes: int, slots: int, is_forced: bool = False,
) -> list[Chain]:  # fmt: skip
    """Chains worth cutting: of blocks that are larger than the largest node, or whose cut saves time on so many slots; all if forced."""
    definitions = defined_names(blocks)
    by_key = {block.key: block for block in blocks}
    found = []
    for keys in find_runs(blocks, edges, kinds, definitions):
        seconds = sum(memory.footprints[key].seconds for key in keys if kinds[key] is not SplitKind.FOLD)
        saved = seconds * (1 - 1 / slots)
        is_for_speed = is_forced or saved > CUT_SECONDS
        large = [place for place, key in enumerate(keys) if memory.merged_peak_bytes([key]) > largest_bytes]
        if not is_for_speed and not large:
            continue
        kept = keys if is_for_speed else keys[large[0] : large[-1] + 1]
        found.append(Chain(
            blocks=tuple(kept), kinds=tuple(kinds[key] for key in kept), argument=parallel_argument(by_key[kept[0]], definitions),
            is_for_speed=is_for_speed, is_for_memory=bool(large), seconds=sum(memory.footprints[key].seconds for key in kept),
            saved_seconds=max(0.0, saved - CUT_SECONDS),
        ))  # fmt: skip
    return found


def find_runs(
    blocks: Sequence[Block], edges: Mapping[str, Collection[str]], kinds: Mapping[str, SplitKind], definitions: Collection[str]
) -> list[list[str]]:
    """The longest runs of blocks in which each cuts what an earlier one made, and nothing outside has to run in between."""
    runs: list[list[Block]] = []
    for block in blocks:
        if kinds.get(block.key, SplitKind.WHOLE) not in SPLITTABLE:
            continue
        for run in runs:
            if may_follow(block, run, edges, kinds, definitions):
                run.append(block)
                if not _make_cycle(runs, edges, blocks):
                    break
                run.pop()
        else:
            runs.append([block])
    return [[block.key for block in run] for run in runs]


def may_follow(
    block: Block, run: Sequence[Block], edges: Mapping[str, Collection[str]], kinds: Mapping[str, SplitKind], definitions: Collection[str]
) -> bool:
    """Whether a block may go through the chunks of a run: it cuts what is still in chunks, and needs nothing that is yet to be joined."""
    if kinds[block.key] is SplitKind.HALO:
        return False
    argument, uses = parallel_argument(block, definitions), exposed_uses(block)
    makers = {name: each for each in run for name in each.defs}  # the last of them counts
    source = makers.get(argument)
    if source is None or kinds[source.key] not in STAYS_CUT or source.key not in edges[block.key]:
        return False
    return not any(name in makers and name != argument for name in uses)


def _make_cycle(runs: Sequence[Sequence[Block]], edges: Mapping[str, Collection[str]], blocks: Sequence[Block]) -> bool:
    group_of = {block.key: block.key for block in blocks} | {block.key: f"run {run[0].key}" for run in runs for block in run}
    return not nx.is_directed_acyclic_graph(quotient(edges, group_of))


def fixed_bytes(key: str, chain: Chain, memory: Memory) -> int:
    """What every chunk of a block needs whole: live variables that are neither cut nor made by the chain."""
    made = {name for each in chain.blocks for name in memory.footprints[each].makes}
    needs = memory.footprints[key].needs
    return sum(variable.size_bytes for name, variable in needs.items() if name != chain.argument and name not in made)


def cut_chain(chain: Chain, memory: Memory, *, chunk_bytes: int, slots: int, wanted: int = 0, most: int | None = None) -> Cut:
    """How many chunks: for each block as many as make one fit, for the chain the most of these; more where that saves time.

    `wanted` is what the user asked for, `most` the number of items that there are to cut.

    Raises:
        ValueError: what every chunk of a block needs whole leaves no room for a chunk.
    """
    peaks = {key: (memory.merged_peak_bytes([key]), fixed_bytes(key, chain, memory)) for key in chain.blocks}
    needed = tuple(chunk_count(peak, chunk_bytes, fixed) for peak, fixed in peaks.values())
    extra = wanted or (slots * CHUNKS_PER_SLOT if chain.is_for_speed else 1)
    count = max(1, *needed, extra if most is None else min(extra, most))
    return Cut(needed=needed, count=count, peak_bytes=max(chunk_peak_bytes(peak, count, fixed) for peak, fixed in peaks.values()))


def largest_count(chain: Chain, memory: Memory) -> int | None:
    """How many items there are to cut, where that is known."""
    variable = memory.footprints[chain.blocks[0]].needs.get(chain.argument)
    return variable.length if variable else None


def names_used_after(keys: Collection[str], blocks: Sequence[Block]) -> frozenset[str]:
    """Names that these blocks bind or change and a block after their first one, not of them, reads."""
    made = {name for block in blocks if block.key in keys for name in block.defs}
    used: set[str] = set()
    begun = False
    for block in blocks:
        begun |= block.key in keys
        if begun and block.key not in keys:
            used |= exposed_uses(block) & made
    return frozenset(used)


def needs_joining(chain: Chain, blocks: Sequence[Block]) -> bool:
    """Whether an aggregator must follow: unless the chunks end in a file, and nobody reads what they made."""
    last = next(block for block in blocks if block.key == chain.blocks[-1])
    is_written = last.effect in {Effect.WRITES, Effect.UNKNOWN} and chain.kinds[-1] in STAYS_CUT
    return bool(names_used_after(chain.blocks, blocks)) or not is_written
