"""The data-dependency graph of blocks, on named shapes; and the names that loops carry."""

from __future__ import annotations

import ast
import time
from typing import TYPE_CHECKING

import pytest

from runsurge_dask.analysis.blocks import blocks_of, dependency_graph
from runsurge_dask.analysis.build import build_program
from runsurge_dask.analysis.names import bound_names, carried_reads, read_names

if TYPE_CHECKING:
    from pathlib import Path

SHAPES = {
    "none": ("a = 1\nb = 2\n", {"a": set(), "b": set()}),
    "chain": ("a = 1\nb = a\nc = b\n", {"a": set(), "b": {"a"}, "c": {"b"}}),
    "fork": ("a = 1\nb = a\nc = a\n", {"a": set(), "b": {"a"}, "c": {"a"}}),
    "join": ("b = 1\nc = 2\nd = b + c\n", {"b": set(), "c": set(), "d": {"b", "c"}}),
    "diamond": ("a = 1\nb = a\nc = a\nd = b + c\n", {"a": set(), "b": {"a"}, "c": {"a"}, "d": {"b", "c"}}),
    "loop": ("xs = [1]\nfor x in xs:\n    y = x\nz = y\n", {"xs": set(), "x": {"xs"}, "z": {"x"}}),
    "recursion": ("def f(n):\n    return n and f(n - 1)\nr = f(3)\n", {"f": set(), "r": {"f"}}),
    "change in place": ("a = []\nb = a\na.append(1)\nc = b\n", {"a": set(), "b": {"a"}, "c": {"b"}}),
}


@pytest.mark.parametrize(("source", "expected"), SHAPES.values(), ids=SHAPES)
def test_blocks_come_after_those_they_need(source: str, expected: dict[str, set[str]]) -> None:
    blocks = tuple(blocks_of(ast.parse(source)))
    graph = dependency_graph(blocks)
    by_name = {key.split(":")[0]: {before.split(":")[0] for before in after} for key, after in graph.items()}
    assert {name: by_name[name] for name in expected} == expected


def test_writes_keep_their_order() -> None:
    blocks = tuple(blocks_of(ast.parse("print(1)\nprint(2)\n")))
    assert dependency_graph(blocks) == {"none:1": frozenset(), "none:2": frozenset({"none:1"})}


def test_a_main_under_its_guard_is_opened() -> None:
    source = "def main():\n    a = 1\n    b = a\nif __name__ == '__main__':\n    main()\n"
    assert [block.key.split(":")[0] for block in blocks_of(ast.parse(source))] == ["main", "none", "a", "b"]


CARRIED = {
    "total = total + x": {"total"},
    "y = x\nz = y": set(),
    "if x:\n    y = 1\nz = y": {"y"},
    "if x:\n    continue\ny = 1\nz = y": set(),
    "for i in x:\n    last = i\nprint(last)": {"last"},
    "try:\n    y = int(x)\nexcept ValueError:\n    continue\nprint(y)": set(),
    "try:\n    y = int(x)\nexcept ValueError:\n    pass\nprint(y)": {"y"},
    "with open(x) as f:\n    y = f.read()\nprint(y)": set(),
    "match x:\n    case [a, b]:\n        y = a\n    case _:\n        y = 0\nprint(y)": set(),
    "del y": {"y"},
    "print((n := len(x)), n)": set(),
    "def f():\n    return y\ny = 1": {"y"},
    "ys = [y for y in x]\nprint(ys)": set(),
}


@pytest.mark.parametrize(("body", "carried"), CARRIED.items())
def test_what_a_row_reads_before_it_binds_it_is_carried(body: str, carried: set[str]) -> None:
    statements = ast.parse(body).body
    assert carried_reads(statements, {"x"}) & bound_names(statements) == carried


def test_reads_leave_out_what_is_bound_inside() -> None:
    node = ast.parse("lambda a: [b for b in c if a] + d").body
    assert read_names(node) == {"c", "d"}


def test_a_notebook_of_300_lines_is_analysed_at_once(tmp_path: Path) -> None:
    cell = "rows{0} = [parse(line) for line in open('f{0}.txt')]\ntotal{0} = 0\n"
    cell += "for row in rows{0}:\n    if row:\n        total{0} += row[0]\nprint(total{0})\n"
    source = "import json\ndef parse(line):\n    return json.loads(line)\n" + "".join(cell.format(i) for i in range(50))
    assert source.count("\n") > 300
    best = min(_seconds(source, str(tmp_path / "notebook.py")) for _ in range(3))
    print(f"300 lines analysed in {best * 1000:.0f} ms")  # noqa: T201 - a claim of benchmarks/, shown here, asserted nowhere
    assert len(build_program(source, str(tmp_path / "notebook.py")).sites) == 100


def _seconds(source: str, path: str) -> float:
    begun = time.perf_counter()
    build_program(source, path)
    return time.perf_counter() - begun
