"""How long a plan takes that runs nothing: a script of 300 lines and 20 blocks, in this process, without the interpreter's start.

    python -m benchmarks.planning          one row a shape of script: seconds of analysis, of rules, of the plan, together

Processor seconds, the best of five turns. The goal is 0.2 s for all of it.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from runsurge_contracts.plan import Node
from runsurge_dask.analysis.blocks import dependency_graph
from runsurge_dask.analysis.build import build_program
from runsurge_dask.estimation.estimate import estimate
from runsurge_dask.planning.kinds import block_kinds
from runsurge_dask.planning.levels import PlanOptions, make_plan
from runsurge_dask.planning.local import make_local_plan

if TYPE_CHECKING:
    from collections.abc import Callable

Result = TypeVar("Result")
TURNS = 5
GOAL_SECONDS = 0.2
FUNCTION = '''
def parse_{n}(line):
    """One record of kind {n}."""
    parts = line.rstrip().split(",")
    name = parts[0].strip()
    if not name:
        return None
    value = float(parts[{n} % 3 + 1])
    if value < 0:
        value = -value
        name = name.lower()
    elif value > 1000:
        value = 1000.0
    weight = value * {n} + len(name)
    return [name, value, weight]


def summarise_{n}(records):
    total = 0.0
    longest = ""
    by_name = {{}}
    for name, value, weight in records:
        total += value * weight
        if len(name) > len(longest):
            longest = name
        by_name[name] = by_name.get(name, 0) + 1
    return total, longest, by_name
'''
BLOCKS = "rows_{n} = [parse_{n}(line) for line in open('in.csv')]\nsummary_{n} = summarise_{n}(rows_{n})\n"
LAST = "with open('out.txt', 'w') as out:\n    for row in rows_0:\n        out.write(row[0] + '\\n')\nprint(summary_0, summary_1)\n"
MANY_SITES = "def work_{n}(xs):\n" + "".join(f"    y{k} = [x + {k} for x in xs]\n" for k in range(13)) + "    return y12\n"
SHAPES = {
    "functions with a loop each": "".join(FUNCTION.replace("{n}", str(n)).replace("{{", "{").replace("}}", "}") for n in range(10))
    + "".join(BLOCKS.replace("{n}", str(n)) for n in range(8)) + LAST,
    "a comprehension on every line": "".join(MANY_SITES.replace("{n}", str(n)) for n in range(19))
    + "".join(f"r{n} = work_{n}(list(range({n}00)))\n" for n in range(19)),
}  # fmt: skip


def main() -> None:
    """Print the table."""
    print("| script | lines | blocks | sites | analysis s | rules s | run plan s | fleet plan s | together s |")
    print("|---|---|---|---|---|---|---|---|---|")
    for label, source in SHAPES.items():
        print(row(label, source))


def row(label: str, source: str) -> str:
    """Measure one script."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "in.csv").write_text("name,1,2,3\n" * 100)
        path = str(Path(folder) / "script.py")
        analysis, program = best(lambda: build_program(source, path))
        rules, estimates = best(lambda: estimate(program, None, cwd=folder, is_static=True, uses_cache=False))
        kinds, node = block_kinds(program), Node(name="one", memory_bytes=512 << 20)
        options = PlanOptions(workers=2)
        local, _ = best(lambda: make_local_plan(program, kinds, estimates, node, options))
        graph = dependency_graph(program.blocks)
        fleet, _ = best(lambda: make_plan(program.blocks, graph, kinds, estimates, (node,), options))
    blocks = sum(not block.statements[0].startswith("def ") for block in program.blocks)
    numbers = " | ".join(f"{each:.3f}" for each in (analysis, rules, local, fleet, analysis + rules + local))
    return f"| {label} | {len(source.splitlines())} | {blocks} | {len(program.sites)} | {numbers} |"


def best(act: Callable[[], Result]) -> tuple[float, Result]:
    """The least processor seconds of several turns, and what it gave."""
    found = []
    for _ in range(TURNS):
        begun = time.process_time()
        result = act()
        found.append(time.process_time() - begun)
    return min(found), result


if __name__ == "__main__":
    main()
