"""What of a loop that carries something may be done ahead, and what must wait for the row before."""

from __future__ import annotations

import ast

import pytest

from runsurge_dask.analysis.fission import divide
from runsurge_dask.analysis.scopes import Mentions, Scope

AROUND = """
import json, time
state = 1
ledger = Ledger()
rates = {"a": 1}
class Row:
    scale = 1
    def __init__(self, line):
        self.parts = line.split()
class Ledger:
    def __init__(self):
        self.seen = {}
    def post(self, row):
        self.seen[row] = len(self.seen)
def parse(line):
    return line.split()
def rescale(x):
    Row.scale = x
def note(x):
    rates["a"] = x
"""
AHEAD = {
    "row = parse(line)\nstate = state * 2 + len(row)": [2],
    "row = json.loads(line)\nif not row:\n    continue\nkey = row[0]\nledger.post(key)": [2, 3, 5],
    "n += 1\nrow = parse(line)\nstate = state + n * len(row) * state": [3],
    "n += 1\nrow = parse(line)\nif not row:\n    continue\nkey = row[0].lower()\nstate = state * n + len(key)": [3, 6],
    "ledger.post(json.loads(line))": [2],
    "state = state + len(parse(line)) * state": [2],
    "row = Row(line)\nledger.post(row)": [2],
    "row = parse(line)\nfor part in row:\n    state = state * 3 + len(part)": [2],
}
WAITS = {
    "it reads what is carried": "row = parse(line + str(state))\nstate = len(row)",
    "the rest binds a name that it reads": "key = str(state)\nstate = state + 1\nrow = parse(key)\nledger.post(row)",
    "it writes": "print(line)\nstate = state * 2 + 1",
    "it asks for the time": "now = time.time()\nstate = state * 2 + now",
    "it moves an iterator": "row = parse(next(other))\nstate = state * 2 + len(row)",
    "it looks at names": "row = parse(line)\nstate = state * 2 + len(locals())",
    "it gives rows": "row = parse(line)\nyield state\nstate = state * 2 + len(row)",
    "the rest changes the class": "row = Row(line)\nstate = state * 2 + 1\nrescale(state)\nledger.post(row.scale)",
    "the rest changes what it reads": "row = rates[line] * 2\nstate = state * 2 + row\nnote(state)",
    "only one of the ways binds it": "if line:\n    row = parse(line)\nstate = state * 2\nledger.post(row)",
    "nothing of it costs anything": "row = line\nstate = state * 2 + len(row)",
}


def lines_ahead(body: str) -> list[int] | None:
    """The lines of the body (its first is 2) that chunks would do."""
    text = "for line in lines:\n" + "".join(f"    {part}\n" for part in body.splitlines())
    tree = ast.parse(text + AROUND)
    mentions = Mentions()
    mentions.add(tree)
    loop = tree.body[0]
    assert isinstance(loop, ast.For)
    found = divide(loop, Scope(tree, "script.py", mentions), is_proved=False)
    return None if found is None else found.lines()


@pytest.mark.parametrize(("body", "lines"), AHEAD.items())
def test_what_looks_only_at_its_own_row_goes_ahead(body: str, lines: list[int]) -> None:
    assert lines_ahead(body) == lines


@pytest.mark.parametrize("body", WAITS.values(), ids=WAITS.keys())
def test_everything_else_waits(body: str) -> None:
    assert lines_ahead(body) is None
