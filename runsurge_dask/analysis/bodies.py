"""The body of a loop as a chunk runs it.

    for x in data: total += x        becomes
    def __rs_chunk__(__rs_it, __rs_starts):
        total = __rs_starts['total']
        for x in __rs_it: total.append(x)
        return locals()
"""

from __future__ import annotations

import ast
import marshal
import os
from typing import TYPE_CHECKING

from runsurge_dask.analysis.places import place_of
from runsurge_dask.analysis.structure import copied, walk
from runsurge_dask.runner.facts import TAPED, Accumulator, Merge

if TYPE_CHECKING:
    from runsurge_dask.analysis.scopes import Scope
    from runsurge_dask.analysis.verdicts import Verdict


def loop_code(loop: ast.For, verdict: Verdict, scope: Scope) -> bytes:
    """The loop as the chunk function `__rs_chunk__(records, starts)`."""
    body = [ChunkBody(verdict.accumulators, scope.class_name).visit(copied(s)) for s in loop.body]
    flat = [s for entry in body for s in _listed(entry)] or [ast.Pass()]
    target = ChunkBody(verdict.accumulators, scope.class_name).visit(copied(loop.target))
    template = ast.parse("def __rs_chunk__(__rs_it, __rs_starts):\n    for _ in __rs_it:\n        pass\n    return locals()")
    function = template.body[0]
    assert isinstance(function, ast.FunctionDef)
    new_loop = function.body[0]
    assert isinstance(new_loop, ast.For)
    new_loop.target, new_loop.body = target, flat
    lines = [f"{a.local} = __rs_starts[{a.local!r}]" for a in verdict.accumulators if a.merge is not Merge.YIELD]
    keyed = [a for a in verdict.accumulators if a.key]
    keys = {
        a.local: ast.unparse(ChunkBody(verdict.accumulators, scope.class_name).visit(ast.parse(a.key, mode="eval").body)) for a in keyed
    }
    lines += [f"__rs_from_{local} = None if {local} is None else {key}" for local, key in keys.items()]
    function.body[:0] = ast.parse("\n".join(lines)).body
    function.body[-1:-1] = ast.parse("\n".join(f"__rs_to_{local} = None if {local} is None else {key}" for local, key in keys.items())).body
    return compiled(template, loop, scope)


def compiled(template: ast.Module, near: ast.AST, scope: Scope) -> bytes:
    """The code of a chunk function, marshalled; what we added to it stands on the line of the loop."""
    for node in walk(template):
        if not hasattr(node, "lineno") and isinstance(
            node, ast.stmt | ast.expr | ast.excepthandler | ast.arg | ast.keyword | ast.alias | ast.pattern
        ):
            ast.copy_location(node, near)
    ast.fix_missing_locations(template)
    return marshal.dumps(compile(template, os.path.abspath(scope.file), "exec", dont_inherit=True))


class ChunkBody(ast.NodeTransformer):
    """The body as a chunk runs it: leaving the loop early is an escape, dotted accumulators are local names."""

    def __init__(self, accumulators: list[Accumulator], class_name: str) -> None:
        self.places = {a.place: a.local for a in accumulators if "." in a.place}
        self.tapes = {a.place: a.local for a in accumulators if a.merge in TAPED}
        self.class_name = class_name.lstrip("_")
        self.depth = 0

    def visit_For(self, node: ast.For | ast.While) -> ast.AST:
        """Leaving an inner loop early is its own affair."""
        self.depth += 1
        node.body = [s for child in node.body for s in _listed(self.visit(child))] or [ast.Pass()]
        self.depth -= 1
        for name in ("target", "iter", "test"):
            if hasattr(node, name):
                setattr(node, name, self.visit(getattr(node, name)))
        node.orelse = [s for child in node.orelse for s in _listed(self.visit(child))]
        return node

    visit_While = visit_For

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.Lambda) -> ast.AST:
        """What a function inside the body returns is its own affair."""
        depth, self.depth = self.depth, -1
        self.generic_visit(node)
        self.depth = depth
        return node

    visit_Lambda = visit_FunctionDef

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        """`total += x` goes on the tape."""
        tape = self.tapes.get(".".join(place_of(node.target) or ()))
        if tape is None:
            return self.generic_visit(node)
        value = self.visit(node.value)
        return _taped(tape, ast.UnaryOp(ast.USub(), value) if isinstance(node.op, ast.Sub) else value, node)

    def visit_Assign(self, node: ast.Assign) -> ast.AST:
        """`total = total + x` in its variants."""
        tape = self.tapes.get(".".join(place_of(node.targets[0]) or ())) if len(node.targets) == 1 else None
        if tape is None:
            return self.generic_visit(node)
        calls = [_taped(tape, self.visit(part), node) for part in _added_parts(node.value, place_of(node.targets[0]))]
        return calls if len(calls) > 1 else calls[0]  # type: ignore[return-value]

    def visit_Break(self, node: ast.Break) -> ast.AST:
        """Leaving the loop itself is an escape."""
        return node if self.depth else ast.copy_location(_escape("the loop is left early"), node)

    def visit_Return(self, node: ast.Return) -> ast.AST:
        """Returning from the loop is an escape."""
        return self.generic_visit(node) if self.depth < 0 else ast.copy_location(_escape("the function returns from the loop"), node)

    def visit_Global(self, node: ast.Global | ast.Nonlocal) -> ast.AST:
        """In the chunk function the names are its own."""
        return ast.copy_location(ast.Pass(), node) if self.depth >= 0 else node

    visit_Nonlocal = visit_Global

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        """`self.rows`, where it grows, is a local name."""
        place = place_of(node)
        local = self.places.get(".".join(place)) if place is not None else None
        if local is not None:
            return ast.copy_location(ast.Name(local, node.ctx), node)
        self.generic_visit(node)
        node.attr = self.mangled(node.attr)
        return node

    def visit_Name(self, node: ast.Name) -> ast.AST:
        """A name in a class, as the compiler would spell it."""
        node.id = self.mangled(node.id)
        return node

    def mangled(self, name: str) -> str:
        """Private names of a class, as the compiler would spell them."""
        is_private = name.startswith("__") and not name.endswith("__") and not name.startswith("__rs_")
        return f"_{self.class_name}{name}" if self.class_name and is_private else name


def _listed(node: object) -> list[ast.stmt]:
    return node if isinstance(node, list) else [] if node is None else [node]  # type: ignore[list-item]


def _taped(tape: str, value: ast.expr, near: ast.AST) -> ast.stmt:
    """`total += x` in a chunk: note `x`; the driver adds it, in order."""
    call = ast.Call(ast.Attribute(ast.Name(tape, ast.Load()), "append", ast.Load()), [value], [])
    statement = ast.Expr(call)
    for node in (statement, call, call.func, call.func.value):  # type: ignore[attr-defined]
        ast.copy_location(node, near)
    return statement


def _factors(value: ast.BinOp, place: tuple[str, ...] | None) -> list[ast.expr]:
    if place_of(value.right) == place:
        return [value.left]
    parts: list[ast.expr] = []
    left: ast.expr = value
    while isinstance(left, ast.BinOp) and isinstance(left.op, ast.Mult):
        parts.append(left.right)
        left = left.left
    return parts[::-1]


def _added_parts(value: ast.expr, place: tuple[str, ...] | None) -> list[ast.expr]:
    """`total + a - b` -> [a, -b]: what is added to the leftmost operand, in order."""
    parts: list[ast.expr] = []
    if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Mult):
        return _factors(value, place)
    if isinstance(value, ast.BinOp) and place_of(value.right) == place:
        return [value.left]
    while isinstance(value, ast.BinOp) and isinstance(value.op, ast.Add | ast.Sub):
        right = value.right
        parts.append(ast.copy_location(ast.UnaryOp(ast.USub(), right), right) if isinstance(value.op, ast.Sub) else right)
        value = value.left
    return parts[::-1]


def _escape(words: str) -> ast.stmt:
    return ast.parse(f"raise __rs_Escape__({words!r})").body[0]
