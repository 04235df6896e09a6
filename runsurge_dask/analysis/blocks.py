"""The blocks of a script, with structure opened, and the data-dependency graph between them."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from runsurge_dask.analysis.functions import changed_by_calls, changed_names, functions_of
from runsurge_dask.analysis.names import bound_names, read_names
from runsurge_dask.analysis.structure import walk
from runsurge_dask.ir.program import Block, Effect
from runsurge_dask.knowledge.calls import WRITING_CALLS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from runsurge_dask.analysis.functions import Function

_READING_CALLS = frozenset({
    "open", "read", "readline", "readlines", "read_csv", "read_parquet", "load", "loadtxt", "glob", "listdir", "next", "read_text",
    "memmap", "iterdir"
})


def blocks_of(tree: ast.Module) -> Iterator[Block]:
    """Blocks in order; `with`, `if __name__ == ...`, and a called `main()` are looked into."""
    functions = {s.name: s for s in tree.body if isinstance(s, ast.FunctionDef)}
    known = functions_of(tree, _effect_of_calls)
    for counter, (statement, depth) in enumerate(_opened(tree.body, functions, 0, frozenset()), 1):
        yield _block(statement, counter, depth, {} if is_call_of(statement, functions) else known)


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
            case ast.Expr(value=ast.Call(func=ast.Name(id=name), args=[], keywords=[])) if name in functions and name not in inside:
                yield statement, depth
                yield from _opened(functions[name].body, functions, depth + 1, inside | {name})
            case _:
                yield statement, depth


def is_call_of(statement: ast.stmt, functions: Collection[str]) -> bool:
    """Whether a statement only calls one of these functions with nothing: its body stands for it."""
    match statement:
        case ast.Expr(value=ast.Call(func=ast.Name(id=name), args=[], keywords=[])):
            return name in functions
    return False


def _block(statement: ast.stmt, number: int, depth: int, functions: Mapping[str, Function]) -> Block:
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
        defs=frozenset(defs | _changed(statement, functions)),
        uses=frozenset(_read(statement, functions)),
        effect=_effect(statement, functions),
        depth=depth,
    )


def _changed(statement: ast.stmt, functions: Mapping[str, Function]) -> set[str]:
    """Names whose values the statement changes in place, itself or through functions; to define one changes nothing."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return set()
    return changed_names(statement) | changed_by_calls(statement, functions)


def _read(statement: ast.stmt, functions: Mapping[str, Function]) -> set[str]:
    """Names that the statement reads, itself or through functions."""
    names = read_names([statement])
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return names
    return names.union(*(functions[name].reads for name in names if name in functions))


def _effect(statement: ast.stmt, functions: Mapping[str, Function]) -> Effect:
    """What the statement does besides computing, itself or through functions that it mentions."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return Effect.PURE
    nodes = walk(statement)
    mentioned = {node.id for node in nodes if isinstance(node, ast.Name)} & functions.keys()
    reached = mentioned.union(*(functions[name].calls for name in mentioned))
    found = [_effect_of_calls(nodes, functions), *(functions[name].effect for name in reached)]
    return max(found, key=_BY_WEIGHT.index)


_BY_WEIGHT = (Effect.PURE, Effect.READS, Effect.WRITES, Effect.UNKNOWN)


def _effect_of_calls(nodes: Sequence[ast.AST], own: Collection[str]) -> Effect:
    names = set()
    for node in nodes:
        if isinstance(node, ast.Call) and getattr(node.func, "id", None) not in own:
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
