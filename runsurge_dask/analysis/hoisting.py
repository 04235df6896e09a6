"""Calls inside the statements of a loop that carries something, which could be made ahead of them.

    ledger.post(json.loads(line))     is analysed as     __rs_h0 = json.loads(line)
                                                         ledger.post(__rs_h0)

so that fission may find the first of the two free of what the second carries. Only calls that are made whatever happens
before them in the statement are taken, and only those that may cost something.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from runsurge_dask.analysis.names import COMPREHENSIONS
from runsurge_dask.analysis.structure import children, copied, walk
from runsurge_dask.knowledge.calls import CLOCK_CALLS, LOOKING_CALLS, LOOKING_METHODS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from collections.abc import Set as AbstractSet

    from runsurge_dask.analysis.scopes import Scope


def candidates(statement: ast.stmt, scope: Scope, carrying: AbstractSet[int]) -> list[ast.Call]:
    """The outermost calls of a statement that are made in any case, and that may cost something.

    `carrying` holds the ids of calls that must stay where they are; what they are given may still go ahead.
    """
    match statement:
        case ast.Expr(value=value) | ast.AugAssign(value=value) | ast.If(test=value) | ast.Match(subject=value):
            roots = [value]
        case ast.Assign(targets=targets, value=value):
            roots = [value, *targets]
        case _:
            return []
    return [call for root in roots for call in _calls(root, scope, carrying)]


def _calls(node: ast.AST, scope: Scope, carrying: AbstractSet[int]) -> Iterator[ast.Call]:
    if isinstance(node, ast.Call) and id(node) not in carrying and _costs(node, scope):
        yield node
        return
    yield from (call for child in _parts_in_any_case(node) for call in _calls(child, scope, carrying))


def _parts_in_any_case(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.Lambda() | ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
            return
        case ast.IfExp(test=test):
            yield test
        case ast.BoolOp(values=[first, *_]):
            yield first
        case ast.Compare(left=left, comparators=[right, *_]):
            yield from (left, right)
        case _:
            yield from children(node)


def _costs(call: ast.Call, scope: Scope) -> bool:
    """Whether a call runs code of the user's or of a library, or goes through rows of its own."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if name in scope.mentions.bodies or name in scope.mentions.classes:
        return True
    if any(isinstance(argument, COMPREHENSIONS) for argument in call.args):
        return True
    match call.func:
        case ast.Attribute(value=ast.Name(id=module)):
            return module in scope.mentions.imported and name not in LOOKING_CALLS | LOOKING_METHODS | CLOCK_CALLS
    return False



class _Naming(ast.NodeTransformer):
    def __init__(self, names: Mapping[int, str]) -> None:
        self.names = names

    def visit_Call(self, node: ast.Call) -> Any:
        name = self.names.get(id(node))
        return self.generic_visit(node) if name is None else ast.copy_location(self.put(name, node), node)

    def put(self, name: str, node: ast.Call) -> ast.expr:
        del node
        return ast.Name(name, ast.Load())


class _Choosing(_Naming):
    def __init__(self, names: Mapping[int, str], is_ahead: str) -> None:
        super().__init__(names)
        self.is_ahead = is_ahead

    def put(self, name: str, node: ast.Call) -> ast.expr:
        choice = ast.IfExp(ast.parse(self.is_ahead, mode="eval").body, ast.Name(name, ast.Load()), node)
        for inner in (*walk(choice.test), choice.body):
            ast.copy_location(inner, node)
        return choice


def with_named_calls(statement: ast.stmt, names: Mapping[int, str]) -> list[ast.stmt]:
    """`h = call` for each of the named calls of a statement, and the statement with the names in their place."""
    calls = [node for node in walk(statement) if id(node) in names]
    if not calls:
        return [statement]
    named: list[ast.stmt] = []
    for call in calls:
        assert isinstance(call, ast.expr)
        assign = ast.Assign([ast.Name(names[id(call)], ast.Store())], call)
        named.append(ast.copy_location(assign, call))
        ast.copy_location(assign.targets[0], call)
    return [*named, _Naming(names).visit(copied(statement, kept=calls))]  # they are found in the copy by what they are


def choose_calls(statements: list[ast.stmt], names: Mapping[int, str], is_ahead: str) -> list[ast.stmt]:
    """The statements with each named call made a choice: its name where the chunks ran ahead, else the call itself."""
    return [_Choosing(names, is_ahead).visit(statement) for statement in statements]
