"""Small planning problems as text: one block a line, with what it needs, makes and holds, and the plan in the same way.

    b = f(a) | rows | peak 900 | needs a 400 | makes b 100 | calls 200 | takes 3.5

are a block `b:1` of kind `rows` with its footprint: 200 bytes inside the function, 3.5 seconds.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runsurge_contracts.plan import Estimates, Footprint, Node, Plan, Variable
from runsurge_dask.analysis.blocks import blocks_of, dependency_graph
from runsurge_dask.planning.levels import PlanOptions, make_plan
from runsurge_dask.runner.facts import SplitKind

if TYPE_CHECKING:
    from runsurge_dask.ir.program import Block


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What `make_plan` is given."""

    blocks: tuple[Block, ...]
    edges: dict[str, frozenset[str]]
    kinds: dict[str, SplitKind]
    estimates: Estimates

    def plan(self, *memories: int, options: PlanOptions | None = None) -> Plan:
        return make_plan(self.blocks, self.edges, self.kinds, self.estimates, nodes_of(*memories), options)


def nodes_of(*memories: int) -> tuple[Node, ...]:
    """Nodes `n1`, `n2` and so on."""
    return tuple(Node(name=f"n{number}", memory_bytes=memory) for number, memory in enumerate(memories, 1))


def read_problem(text: str) -> Problem:
    """The blocks, kinds and footprints of a text."""
    lines = [[part.strip() for part in line.split("|")] for line in text.strip().splitlines()]
    blocks = tuple(blocks_of(ast.parse("\n".join(line[0] for line in lines))))
    kinds, footprints = {}, []
    for block, line in zip(blocks, lines, strict=True):
        words = dict(part.partition(" ")[::2] for part in line[2:])
        kinds[block.key] = SplitKind(line[1])
        footprints.append(Footprint(
            block=block.key, needs=_variables(words.get("needs", "")), makes=_variables(words.get("makes", "")),
            function_bytes=int(words.get("calls", 0)), peak_bytes=int(words.get("peak", 0)), seconds=float(words.get("takes", 0)),
        ))  # fmt: skip
    return Problem(blocks=blocks, edges=dependency_graph(blocks), kinds=kinds, estimates=Estimates(footprints=tuple(footprints)))


def _variables(text: str) -> dict[str, Variable]:
    found = {}
    for part in filter(None, text.split(", ")):
        name, size, *length = part.split(" ")
        found[name] = Variable(size_bytes=int(size), length=int(length[0]) if length else None)
    return found


def shown(plan: Plan) -> list[str]:
    """The tasks of a plan, one line each."""
    stage_of = {each.stage: each for each in plan.stages}
    return [
        f"{task.wave} {task.node} {task.task_type}"
        + (f" {task.chunk_id}" if task.chunk_id is not None else "")
        + ": " + " ".join(stage_of[task.stage].blocks)
        for task in plan.tasks
    ]  # fmt: skip
