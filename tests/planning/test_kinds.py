"""The kind of each block, what it cuts, and what it needs by the older platform's keys."""

from __future__ import annotations

import ast

import pytest

from runsurge_dask.analysis.blocks import blocks_of
from runsurge_dask.analysis.build import build_program
from runsurge_dask.planning.arguments import defined_names, parallel_argument
from runsurge_dask.planning.artefacts import needed_keys
from runsurge_dask.planning.kinds import block_kinds

LOOP = "def f(rows):\n    out = []\n    for row in rows:\n        out.append(row + 1)\n    return out\n"
KINDS = {
    "a loop": ("rows = [3] * 99\nout = []\nfor row in rows:\n    out.append(row)\nprint(out)\n", "row", "rows"),
    "a sum": ("rows = [3] * 99\nt = 0\nfor row in rows:\n    t += row\nprint(t)\n", "row", "reduce"),
    "a comprehension": ("rows = [3] * 99\nys = [row + 1 for row in rows]\nprint(ys)\n", "ys", "rows"),
    "a comprehension inside of something": ("rows = [3] * 99\nys = sorted([row + 1 for row in rows])[:3]\nprint(ys)\n", "ys", "whole"),
    "a function that is such a loop": (LOOP + "y = f([3] * 99)\nprint(y)\n", "y", "rows"),
    "a function that does more": (LOOP.replace("return out", "return out[1:]") + "y = f([3] * 99)\nprint(y)\n", "y", "whole"),
    "a function that looks at all rows": (LOOP.replace("row + 1", "row + len(rows)") + "y = f([3] * 99)\nprint(y)\n", "y", "whole"),
    "a print": ("x = 1\nprint(x)\n", "none", "whole"),
}


@pytest.mark.parametrize(("source", "name", "kind"), KINDS.values(), ids=KINDS)
def test_a_block_is_of_the_kind_of_the_site_that_it_is(source: str, name: str, kind: str) -> None:
    kinds = block_kinds(build_program(source, "script.py"))
    assert next(found for key, found in kinds.items() if key.startswith(f"{name}:")) == kind


ARGUMENTS = {
    "for row in enumerate(rows):\n    pass": "rows",
    "sizes = [len(p) for p in paths]": "paths",
    "reshaped = reshape_rows(numeric, 3)": "numeric",
    "kept = frame[frame.a > 3]": "frame",
    "means = np.mean(table)": "table",
    "found = list(map(clean, words))": "words",
    "x = 1": "",
}


@pytest.mark.parametrize(("statement", "argument"), ARGUMENTS.items())
def test_what_is_cut_is_what_a_block_goes_through(statement: str, argument: str) -> None:
    blocks = tuple(blocks_of(ast.parse(f"import numpy as np\ndef clean(word):\n    return word\n{statement}\n")))
    builtins = {"enumerate", "len", "list", "map"}
    assert parallel_argument(blocks[2], defined_names(blocks) | builtins) == argument


def test_keys_name_what_a_block_needs_and_the_block_that_made_it() -> None:
    blocks = tuple(blocks_of(ast.parse("numeric_data = to_numbers(data)\nreshaped_data = reshape_rows(numeric_data)\n")))
    assert [needed_keys([block], blocks) for block in blocks] == [["data:none"], ["numeric_data:1"]]
