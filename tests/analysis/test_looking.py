"""Code that is said to only look at its rows is run over flat rows of every kind: they must be what they were."""

from __future__ import annotations

import contextlib
import copy
import io
import textwrap
from typing import Any

import pytest

from runsurge_dask.analysis.build import build_program
from runsurge_dask.runner.facts import Looking

FUNCTIONS = """
import csv, heapq, io
from collections import Counter
from operator import itemgetter

LOW = 2
writer = csv.writer(io.StringIO())

def is_good(m):
    return LOW < m[2] and len(m) > 1

def deeper(m, low=1):
    if m[0] > low:
        return is_good(m)
    return [x for x in m][0]

def keeps(m):
    found = [m]
    found[0][1] = 77
    return 1

def gives(m):
    return m

def turns(m):
    m.reverse()
    return m[0]

def late(m):
    yield m

def peeks(m):
    locals()["m"].reverse()
    return m[0]
"""
LOOKS = [
    "for row in rows: total += row[1]",
    "for row in rows: out.append(row)",
    "for row in rows: out.append((row[0], row))",
    "for row in rows:\n    if is_good(row): out.append(deeper(row))",
    "for n, row in enumerate(rows): out.append((n, row[n % 3]))",
    "for a, b, c in rows:\n    total += b\n    out.append([a, c])",
    "for n, (a, b, c) in enumerate(rows): out.append(n * a)",
    "for row in rows:\n    a, *others = row\n    others.append(a)\n    out.append(others)",
    "for row in rows:\n    for x in row: total += x",
    "for row in rows:\n    for n, x in enumerate(row): total += n * x",
    "for row in rows:\n    few = row[:2]\n    few.append(3)\n    out.append(few)",
    "for row in rows:\n    many = [*row, 1]\n    many.sort()\n    out.append(many)",
    "for row in rows: out.append(f'{row} {len(row)} {max(row)}' + '%s' % str(row))",
    "for row in rows:\n    if row and not 5 in row: total += max(*row)",
    "for row in rows: writer.writerow(row)",
    "out = [row for row in rows if is_good(row)]",
    "out = [x * 2 for row in rows for x in row]",
    "out = [row for row in rows if row and row[0] > 3]",
    "out = {row[0]: row for row in rows}",
    "total = sum(row[1] ** 2 for row in rows)",
    "out = max(rows, key=lambda row: (row[2], row[0]))",
    "out = heapq.nlargest(3, rows, key=itemgetter(1))",
    "out = list(map(is_good, rows))",
    "out = list(filter(is_good, rows))",
    "out = Counter(row[1] % 3 for row in rows)",
]
CHANGES = [
    "for row in rows: row[1] += 1",
    "for row in rows: row += [1]",
    "for row in rows: row.append(1)",
    "for row in rows: del row[0]",
    "for row in rows: total += keeps(row)",
    "for row in rows: total += turns(row)",
    "for row in rows:\n    other = row\n    other[0] = 5",
    "for row in rows:\n    max(row, [])[0] = 5",
    "for row in rows:\n    sum([], row)[0] = 5",
    "for row in rows: total += peeks(row)",
    "for row in rows:\n    (row or [1])[0] = 5",
    "for row in rows:\n    gives(row)[0] = 5",
    "for row in rows:\n    for other in late(row): other[0] = 5",
    "for row in rows:\n    [other] = [row]\n    other[0] = 5",
    "for row in rows:\n    found = [each for each in [row]]\n    found[0][0] = 5",
    "for row in rows:\n    table = {1: row}\n    table[1][0] = 5",
    "for row in rows:\n    change = row.append\n    change(4)",
    "for row in rows:\n    (lambda: row)()[0] = 5",
    "for row in rows:\n    out.append(row)\n    out[-1][0] = 5",
    "for n, row in enumerate(rows): row[0] = n",
    "for pair in enumerate(rows): pair[1][0] = 5",
    "for row in rows:\n    row[0], x = 5, 6",
    "for row in rows:\n    for row[0] in [1, 2]: pass",
    "out = [turns(row) for row in rows]",
    "out = [row.pop() for row in rows]",
    "out = [gives(row).sort() for row in rows]",
    "out = list(map(turns, rows))",
    "out = list(filter(turns, rows))",
    "out = max(rows, key=turns)",
    "out = max(rows, key=lambda row: row.pop())",
]


def script(code: str) -> str:
    return f"{FUNCTIONS}\nrows = make()\ntotal = 0\nout = []\n{code}\n"


def looking(code: str, before: str = "") -> list[Looking]:
    program = build_program(before + script(code), "script.py")
    line = (before + script(code)).count("\n", 0, (before + script(code)).rindex(code)) + 1
    return [facts.looking for facts in program.sites if facts.line == line and facts.code]


def run(code: str, kind: Any) -> tuple[Any, Any]:
    made = [kind([n, n * 7 % 5, n % 3]) for n in range(1, 12)]
    before = copy.deepcopy(made)
    with contextlib.suppress(AttributeError, TypeError, KeyError), contextlib.redirect_stdout(io.StringIO()):
        exec(script(code), {"make": lambda: made})
    return before, made


@pytest.mark.parametrize("code", LOOKS)
def test_code_that_only_looks_is_known_and_does_only_look(code: str) -> None:
    found = looking(code)
    assert found[0] is (Looking.COUNTED if "enumerate(rows)" in code else Looking.RECORDS)
    for kind in (list, tuple, lambda row: dict(enumerate(row))):
        before, after = run(code, kind)
        assert [list(row.items()) if isinstance(row, dict) else list(row) for row in after] == [
            list(row.items()) if isinstance(row, dict) else list(row) for row in before
        ]


@pytest.mark.parametrize("code", CHANGES)
def test_code_that_changes_rows_is_never_said_to_only_look(code: str) -> None:
    before, after = run(code, list)
    assert before != after, "this was to be code that changes rows"
    assert set(looking(code)) <= {Looking.NOT}


@pytest.mark.parametrize(
    ("code", "before"),
    [
        ("total = sum(len(row) for row in rows)", "def len(row):\n    row.append(1)\n    return 1\n"),
        ("for row in rows: total += is_good(row)", "is_good = print\n"),
        ("for row in rows: total += is_good(row)", "def other(is_good): is_good([1])\n"),
        ("for row in rows: total += is_good(row)", "from helpers import *\n"),
        ("for row in rows: total += len(row)", "from helpers import *\n"),
        ("for row in rows: total += len(row)", "from helpers import length as len\n"),
        ("out = [row == [1] for row in rows]", "class A:\n    def __eq__(self, other): other.append(1)\n"),
        ("for row in rows: writer.writerow(row)", "class W:\n    def writerow(self, row): row.append(1)\n"),
        ("for row in rows: out.append(row.get(1))", "class W:\n    def get(self, row): row.append(1)\n"),
    ],
)
def test_names_that_the_script_has_taken_are_not_what_they_seem(code: str, before: str) -> None:
    assert set(looking(code, textwrap.dedent(before))) <= {Looking.NOT}
