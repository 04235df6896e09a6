"""What statements read and change through the functions that they call."""

from __future__ import annotations

import ast

import pytest

from runsurge_dask.analysis.blocks import blocks_of, dependency_graph

GLOBAL = "seen = []\ndef note(x):\n    seen.append(x)\nnote(3)\nprint(seen)\n"
CASES: dict[str, tuple[str, dict[str, str]]] = {
    "a definition changes nothing": ("def f(x):\n    rows.append(x)\nrows = []\nprint(rows)", {"none:3": "rows:2"}),
    "what a function changes around it": (GLOBAL, {"none:4": "none:3", "none:3": "note:2 seen:1"}),
    "what it is given": ("def fill(into):\n    into.append(1)\nrows = []\nfill(rows)\nprint(rows)", {"none:4": "none:3"}),
    "by keyword": ("def fill(into):\n    into.append(1)\nrows = []\nfill(into=rows)\nprint(rows)", {"none:4": "none:3"}),
    "through another": (
        "def fill(into):\n    into.append(1)\ndef twice(them):\n    fill(them)\nrows = []\ntwice(rows)\nprint(rows)", {"none:5": "none:4"}
    ),
    "what it reads around it": ("def f(x):\n    return x * k\nk = 3\ny = f(2)", {"y:3": "f:1 k:2"}),
    "what it only has inside": ("def f(x):\n    rows = [x]\n    rows.append(2)\n    return rows\nrows = []\ny = f(2)", {"y:3": "f:1"}),
}  # fmt: skip


@pytest.mark.parametrize(("source", "after"), CASES.values(), ids=CASES)
def test_blocks_come_after_what_their_functions_need(source: str, after: dict[str, str]) -> None:
    graph = dependency_graph(tuple(blocks_of(ast.parse(source))))
    assert {key: set(after[key].split()) <= graph[key] for key in after} == dict.fromkeys(after, True)
    if "what it only has inside" in source:
        assert graph["y:3"] == {"f:1"}


@pytest.mark.parametrize(
    ("body", "effect"),
    [("open('a', 'w').write('x')", "writes"), ("return open('a').read()", "reads"), ("return 1", "pure"), ("exec('1')", "unknown")],
)
def test_a_statement_does_what_its_functions_do(body: str, effect: str) -> None:
    """A function that is called `run` is the script's own, and no program that is started."""
    source = f"def inner():\n    {body}\ndef run():\n    return inner()\nx = run()\n"
    assert [str(block.effect) for block in blocks_of(ast.parse(source))] == ["pure", "pure", effect]
