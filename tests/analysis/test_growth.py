"""How values may grow over the rows of a loop: forms that are proved, and forms that must not be."""

from __future__ import annotations

import ast

import pytest

from runsurge_dask.analysis.growth import explain
from runsurge_dask.analysis.places import Growth

PROVED = {
    "c[w] = c.get(w, 0) + 1": "tree",
    "c[w] += 1": "tree",
    "if w not in c:\n    c[w] = 0\nc[w] += 1": "tree",
    "if w in c:\n    c[w] += v\nelse:\n    c[w] = v": "tree",
    "try:\n    c[w] += v\nexcept KeyError:\n    c[w] = v": "tree",
    "c.setdefault(w, []).append(v)": "tree",
    "cell = c.setdefault(w, [0, 0])\ncell[0] += 1\ncell[1] += v": "tree",
    "c[w][0] += 1\nc[w][1] += v": "tree",
    "if w not in c or v > c[w]:\n    c[w] = v": "tree",
    "c[w] = max(c.get(w, 0), v)": "tree",
    "c[w] = v": "store",
    "c[y][x] = v": "store",
    "if w not in c:\n    c[w] = v": "first",
    "c.append(v)": "append",
    "if v:\n    c.append(v)\nelse:\n    c.extend([v, v])": "append",
    "c.add(v)": "add",
    "c |= {v}": "add",
    "c += v": "sum",
    "c -= v": "sum",
    "c = c + v - w": "sum",
    "c = v + c": "prepend",
    "c *= v": "product",
    "c = max(c, v)": "max",
    "if v > c:\n    c = v": "select",
    "if c is None or v < c:\n    c = v\n    where = w": "select",
    "if len(v) > len(c):\n    c = v": "select",
    "if (n := len(v)) > c:\n    c = n": "select",
    "c = c or v": "bool_or",
    "c += 1\nprint(c)": "count",
}
NOT_PROVED = [
    "c[w] = c.get(w, 5) + 1",
    "if w not in c:\n    c[w] = v\nc[w] += v",
    "c[w] = c[v]",
    "c += c",
    "c = c * 2 + v",
    "c = v - c",
    "if v:\n    c += 1\nprint(c)",
    "if not v:\n    continue\nc += 1\nprint(c)",
    "c.append(len(c))",
    "c.append(v)\nprint(c)",
    "c.append(v)\nd = c",
    "c.insert(0, v)",
    "c = min(v, c)",
    "c.pop()",
    "if v > c:\n    c = v\nelse:\n    c = w",
    "if v > c:\n    c = w",
    "if v > c + 1:\n    c = v",
    "c[w] += 1\nif len(c) > 10:\n    print(w)",
    "c[w] += 1\nc[w] *= 2",
    "c[w] = v\nc[w] += 1",
    "c = v if v > 3 else c",
    "del c[w]",
    "if w in c:\n    print(w)\nc[w] = v",
]


@pytest.mark.parametrize(("body", "merge"), PROVED.items())
def test_a_form_that_only_adds_is_proved(body: str, merge: str) -> None:
    accumulator = explain(Growth(place=("c",), body=ast.parse(body).body))
    assert accumulator is not None
    assert accumulator.merge == merge


@pytest.mark.parametrize("body", NOT_PROVED)
def test_a_form_that_looks_back_is_not_proved(body: str) -> None:
    assert explain(Growth(place=("c",), body=ast.parse(f"for _ in x:\n{_indented(body)}").body[0].body)) is None  # type: ignore[attr-defined]


def _indented(text: str) -> str:
    return "\n".join("    " + line for line in text.splitlines())
