"""Level 2: merge blocks that depend on each other while a node holds them together, then take the smallest node that does.

    nodes of 500 and 900 bytes       a -> b -> c, peaks 300, 200, 450; a and b together 400; all three 950

    {a, b} on the node of 500;  c on the node of 500
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import networkx as nx  # type: ignore[import-untyped]  # no stubs that follow its versions

from runsurge_contracts.plan import MergedBlock

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from runsurge_contracts.plan import Node
    from runsurge_dask.planning.peaks import Memory

Group = tuple[str, ...]
"""Keys of blocks that run together, in the order of the script."""


def smallest_fitting(nodes: Sequence[Node], peak_bytes: int, baseline_bytes: int) -> Node | None:
    """The node with the least memory that holds so much beyond the baseline; of equals the first."""
    fitting = [node for node in nodes if node.memory_bytes - baseline_bytes >= peak_bytes]
    return min(fitting, key=lambda node: node.memory_bytes, default=None)


def merge_blocks(
    edges: Mapping[str, Collection[str]], memory: Memory, nodes: Sequence[Node], baseline_bytes: int, apart: Collection[Group] = ()
) -> list[Group]:
    """Groups of blocks, in the order of their first ones; groups that are given apart stay as they are.

    A block joins all groups that it depends on, or else the nearest one of them that has room, as long as nothing outside would
    have to run in between.
    """
    members: dict[str, list[str]] = {group[0]: list(group) for group in apart}
    group_of = {key: group[0] for group in apart for key in group}
    fixed = set(members)
    for key in memory.footprints:
        if key in group_of:
            continue
        group_of[key], members[key] = key, [key]
        for wanted in _choices(key, edges, group_of, memory, fixed):
            together = memory.in_order([each for group in wanted for each in members[group]] + [key])
            peak_bytes = memory.merged_peak_bytes(together)
            if smallest_fitting(nodes, peak_bytes, baseline_bytes) and not _makes_cycle(together, edges, group_of):
                for group in (*wanted, key):
                    del members[group]
                members[together[0]] = together
                group_of |= dict.fromkeys(together, together[0])
                break
    order = {key: place for place, key in enumerate(memory.footprints)}
    return sorted((tuple(group) for group in members.values()), key=lambda group: order[group[0]])


def _choices(
    key: str, edges: Mapping[str, Collection[str]], group_of: Mapping[str, str], memory: Memory, fixed: Collection[str]
) -> Iterator[tuple[str, ...]]:
    """Sets of groups that a block might join: all that it depends on, then each alone, the nearest first."""
    before = memory.in_order(edges.get(key, ()))
    nearest = list(dict.fromkeys(group_of[each] for each in reversed(before) if group_of[each] not in fixed))
    if len(nearest) > 1:
        yield tuple(nearest)
    yield from ((group,) for group in nearest)


def _makes_cycle(together: Collection[str], edges: Mapping[str, Collection[str]], group_of: Mapping[str, str]) -> bool:
    """Whether something outside would have to run after one of these blocks and before another."""
    merged = dict(group_of) | dict.fromkeys(together, "merged")
    return not nx.is_directed_acyclic_graph(quotient(edges, merged))


def quotient(edges: Mapping[str, Collection[str]], group_of: Mapping[str, str]) -> nx.DiGraph:
    """The graph of groups: an edge from each group to those that depend on it; blocks without a group are left out."""
    graph = nx.DiGraph()
    graph.add_nodes_from(dict.fromkeys(group_of.values()))
    for key, before in edges.items():
        pairs = ((group_of[each], group_of[key]) for each in before if each in group_of and key in group_of)
        graph.add_edges_from((one, other) for one, other in pairs if one != other)
    return graph


def place_groups(groups: Iterable[Group], memory: Memory, nodes: Sequence[Node], baseline_bytes: int) -> tuple[MergedBlock, ...]:
    """Each group with its peak and the smallest node that holds it, if there is one."""
    found = []
    for index, group in enumerate(groups, 1):
        peak_bytes = memory.merged_peak_bytes(group)
        node = smallest_fitting(nodes, peak_bytes, baseline_bytes)
        found.append(MergedBlock(index=index, blocks=group, peak_bytes=peak_bytes, node=node.name if node else None))
    return tuple(found)
