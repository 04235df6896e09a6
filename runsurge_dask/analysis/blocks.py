"""The blocks of a script, with structure opened, and the data-dependency graph between them."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from runsurge_dask.analysis.names import bound_names, read_names
from runsurge_dask.analysis.structure import walk
from runsurge_dask.ir.program import Block, Effect
from runsurge_dask.knowledge.calls import WRITING_CALLS

if TYPE_CHECKING:
    from collections.abc import Iterator

_READING_CALLS = frozenset({
    "open", "read", "readline", "readlines", "read_csv", "read_parquet", "load", "loadtxt", "glob", "listdir", "next", "read_text",
    "memmap", "iterdir"
})


def blocks_of(tree: ast.Module) -> Iterator[Block]:
    """Blocks in order; `with`, `if __name__ == ...`, and a called `main()` are looked into."""
    functions = {s.name: s for s in tree.body if isinstance(s, ast.FunctionDef)}
    for counter, (statement, depth) in enumerate(_opened(tree.body, functions, 0, frozenset()), 1):
        yield _block(statement, counter, depth)


def _opened(
    body: list[ast.stmt], functions: dict[str, ast.FunctionDef], depth: int, inside: frozenset[str]
) -> Iterator[tuple[ast.stmt, int]]:
    for statement in body:
        match statement:
            case ast.With(body=inner):
                head = ast.With(statement.items, [ast.copy_location(ast.Pass(), statement)])
                yield ast.copy_location(head, statement), depth
                yield from _opened(inner, functions, depth + 1, inside)
            case ast.If(test=ast.Compare(left=ast.Name(id="__name__")), body=inner):
                yield from _opened(inner, functions, depth + 1, inside)
            case ast.Expr(value=ast.Call(func=ast.Name(id=name), args=[])) if name in functions and name not in inside:
                yield statement, depth
                yield from _opened(functions[name].body, functions, depth + 1, inside | {name})
            case _:
                yield statement, depth


def _block(statement: ast.stmt, number: int, depth: int) -> Block:
    defs = bound_names([statement])
    name = min(defs, default="none") if len(defs) != 1 else next(iter(defs))
    last = statement.end_lineno or statement.lineno
    if isinstance(statement, ast.With):
        last = max(item.context_expr.end_lineno or statement.lineno for item in statement.items)
    return Block(
        key=f"{name}:{number}",
        statements=(ast.unparse(statement),),
        first_line=statement.lineno,
        last_line=max(last, statement.lineno),
        defs=frozenset(defs | _changed(statement)),
        uses=frozenset(read_names([statement])),
        effect=_effect(statement),
        depth=depth,
    )


def _changed(statement: ast.stmt) -> set[str]:
    """Names whose values the statement changes in place."""
    found: set[str] = set()
    for node in walk(statement):
        root: ast.AST | None = None
        if isinstance(node, ast.Subscript | ast.Attribute) and not isinstance(node.ctx, ast.Load):
            root = node.value
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            in_place = any(k.arg == "inplace" and isinstance(k.value, ast.Constant) and k.value.value for k in node.keywords)
            changing = {"append", "extend", "add", "update", "insert", "pop", "sort", "remove", "clear"}
            root = node.func.value if in_place or node.func.attr in changing else None
        while isinstance(root, ast.Subscript | ast.Attribute):
            root = root.value
        if isinstance(root, ast.Name):
            found.add(root.id)
    return found


def _effect(statement: ast.stmt) -> Effect:
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return Effect.PURE
    names = set()
    for node in walk(statement):
        if isinstance(node, ast.Call):
            names.add(node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", ""))
            if names & {"exec", "eval", "system", "run", "Popen"}:
                return Effect.UNKNOWN
            mode = node.args[1] if len(node.args) > 1 else next((k.value for k in node.keywords if k.arg == "mode"), None)
            if getattr(node.func, "id", "") == "open" and isinstance(mode, ast.Constant) and set(str(mode.value)) & set("wax+"):
                return Effect.WRITES
    if names & WRITING_CALLS:
        return Effect.WRITES
    return Effect.READS if names & _READING_CALLS else Effect.PURE


def dependency_graph(blocks: tuple[Block, ...]) -> dict[str, frozenset[str]]:
    """For each block's key, the keys of the earlier blocks it must come after: by a name, or by an effect."""
    edges: dict[str, frozenset[str]] = {}
    last_def: dict[str, str] = {}
    last_uses: dict[str, set[str]] = {}
    last_effect: str | None = None
    for block in blocks:
        before = {last_def[name] for name in block.uses | block.defs if name in last_def}
        before |= {key for name in block.defs for key in last_uses.get(name, ())}
        if block.effect in {Effect.WRITES, Effect.UNKNOWN}:
            before |= {last_effect} if last_effect else set()
            last_effect = block.key
        edges[block.key] = frozenset(before - {block.key})
        for name in block.uses:
            last_uses.setdefault(name, set()).add(block.key)
        for name in block.defs:
            last_def[name], last_uses[name] = block.key, set()
    return edges
