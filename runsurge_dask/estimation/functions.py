"""Bytes at each line inside the functions that blocks call, on all of the data.

    {"rows = list(reader)#4:1": 812000000}      in the first function that block 4 calls
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from runsurge_dask.analysis.build import parse
from runsurge_dask.analysis.structure import walk

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runsurge_dask.estimation.samples import Sample
    from runsurge_dask.ir.program import Program


def function_lines(program: Program, traced: Sample | None, growth: Mapping[int, float]) -> dict[str, int]:
    """By `statement#block:call`: `call` numbers the functions that a block calls, in the order of their first calls."""
    if traced is None:
        return {}
    texts = _texts(parse(program.source, program.file))
    found: dict[str, int] = {}
    for block, call, _, line, held in sorted(traced.lines):
        key = f"{texts.get(line, f'line {line}')}#{block}:{call}"
        found[key] = max(found.get(key, 0), int(max(0, held) * growth.get(block, 1.0)))
    return found


def _texts(tree: ast.Module) -> dict[int, str]:
    """The first line of the statement that stands at each line."""
    found: dict[int, str] = {}
    for statement in sorted((node for node in walk(tree) if isinstance(node, ast.stmt)), key=lambda each: each.lineno):
        last = statement.lineno if hasattr(statement, "body") else statement.end_lineno or statement.lineno
        found.update(dict.fromkeys(range(statement.lineno, last + 1), ast.unparse(statement).splitlines()[0]))
    return found
