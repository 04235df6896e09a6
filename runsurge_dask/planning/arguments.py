"""Which variable of a block is cut: the one whose items it works through.

    for row in enumerate(rows):            rows
    sizes = [len(p) for p in paths]        paths
    reshaped = reshape_rows(numeric, 3)    numeric
    kept = frame[frame.a > 3]              frame
"""

from __future__ import annotations

import ast
from functools import cache
from typing import TYPE_CHECKING

from runsurge_dask.analysis.names import carried_reads
from runsurge_dask.analysis.structure import children, walk

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from runsurge_dask.ir.program import Block


def parallel_argument(block: Block, definitions: Collection[str] = ()) -> str:
    """The variable that a cut of this block would cut, and never a function or module; empty where it reads none."""
    uses = exposed_uses(block)
    names = [name for name in _candidates(block.statements[0]) if name in uses] if block.statements else []
    variables = [name for name in names if name not in definitions]
    return variables[0] if variables else min(uses - set(definitions), default="")


def exposed_uses(block: Block) -> frozenset[str]:
    """Names that a block reads before it binds them itself: the target of its own loop is none."""
    if not block.statements:
        return block.uses
    exposed = _exposed(block.statements[0])
    return block.uses if exposed is None else block.uses & exposed


@cache
def _exposed(statement: str) -> frozenset[str] | None:
    try:
        return frozenset(carried_reads(ast.parse(statement).body, set()))
    except SyntaxError:
        return None


def defined_names(blocks: Iterable[Block]) -> frozenset[str]:
    """Names of functions, classes and modules: code, and no data."""
    return frozenset(name for block in blocks if is_definition(block) for name in block.defs)


def is_definition(block: Block) -> bool:
    """Whether a block only defines or imports."""
    return bool(block.statements) and _is_definition(block.statements[0])


@cache
def _is_definition(statement: str) -> bool:
    try:
        body = ast.parse(statement).body
    except SyntaxError:
        return False
    return bool(body) and isinstance(body[0], ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Import | ast.ImportFrom)


@cache
def _candidates(statement: str) -> tuple[str, ...]:
    try:
        body = ast.parse(statement).body
    except SyntaxError:
        return ()
    return tuple(_names(_worked_through(body[0]))) if body else ()


def _worked_through(statement: ast.stmt) -> ast.AST:
    if isinstance(statement, ast.For):
        return statement.iter
    comprehensions = [n for n in walk(statement) if isinstance(n, ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp)]
    if comprehensions:
        return comprehensions[0].generators[0].iter
    value = getattr(statement, "value", None)
    return value if isinstance(value, ast.AST) else statement


def _names(node: ast.AST) -> list[str]:
    """Names read, in the order of the text, but for functions that are only called."""
    if isinstance(node, ast.Name):
        return [node.id]
    inner = [child for child in children(node) if not (isinstance(node, ast.Call) and child is node.func and isinstance(child, ast.Name))]
    return [name for child in inner for name in _names(child)]
