"""The script with a mark before each block, so that a profile child can tell what each of them held.

    rows = []                   __runsurge__.begin(1)
    for line in file:           rows = []
        rows.append(line)       __runsurge__.begin(2)
                                for line, __rs_turn in __runsurge__.turns(file):
                                    rows.append(line)

Blocks are numbered as `Program.blocks` has them; lines stay what they are.
"""

from __future__ import annotations

import ast
import marshal
import os
from typing import TYPE_CHECKING

from runsurge_dask.analysis.build import parse
from runsurge_dask.analysis.names import COMPREHENSIONS, SCOPES
from runsurge_dask.analysis.structure import children, walk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runsurge_dask.ir.program import Program

_TURN = "__rs_turn"


def instrument(program: Program) -> bytes:
    """The marshalled code of the script with its marks.

    Raises:
        ScriptError: the text is no Python.
    """
    tree = parse(program.source, program.file)
    numbers = numbers_of(tree)
    _count_turns(tree)
    for suite in _marked_suites(tree, numbers):
        suite[:] = [each for statement in suite for each in _with_mark(statement, numbers)]
    ast.fix_missing_locations(tree)
    return marshal.dumps(compile(tree, os.path.abspath(program.file), "exec", dont_inherit=True))


def numbers_of(tree: ast.Module) -> dict[int, list[int]]:
    """By the id of a statement, the numbers of its blocks; a function that is called twice has two for each of its statements."""
    functions = {s.name: s for s in tree.body if isinstance(s, ast.FunctionDef)}
    numbers: dict[int, list[int]] = {}
    for number, statement in enumerate(opened(tree.body, functions, frozenset()), 1):
        numbers.setdefault(id(statement), []).append(number)
    return numbers


def opened(body: list[ast.stmt], functions: dict[str, ast.FunctionDef], inside: frozenset[str]) -> Iterator[ast.stmt]:
    """The statements that are blocks, in the order of `analysis.blocks`."""
    for statement in body:
        match statement:
            case ast.With(body=inner):
                yield statement
                yield from opened(inner, functions, inside)
            case ast.If(test=ast.Compare(left=ast.Name(id="__name__")), body=inner):
                yield from opened(inner, functions, inside)
            case ast.Expr(value=ast.Call(func=ast.Name(id=name), args=[], keywords=[])) if name in functions and name not in inside:
                yield statement
                yield from opened(functions[name].body, functions, inside | {name})
            case _:
                yield statement


def _marked_suites(tree: ast.Module, numbers: dict[int, list[int]]) -> list[list[ast.stmt]]:
    suites = [getattr(node, "body", None) for node in walk(tree)]
    return [suite for suite in suites if isinstance(suite, list) and any(id(statement) in numbers for statement in suite)]


def _with_mark(statement: ast.stmt, numbers: dict[int, list[int]]) -> list[ast.stmt]:
    if id(statement) not in numbers or _must_come_first(statement):
        return [statement]
    call = _call("begin", [ast.Constant(number) for number in numbers[id(statement)]])
    return [ast.copy_location(ast.Expr(call), statement), statement]


def _must_come_first(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.ImportFrom):
        return statement.module == "__future__"
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _call(method: str, arguments: list[ast.expr]) -> ast.Call:
    return ast.Call(ast.Attribute(ast.Name("__runsurge__", ast.Load()), method, ast.Load()), arguments, [])


def _count_turns(tree: ast.Module) -> None:
    """Count the turns of the outermost loops, at the top level and in functions."""
    scopes: list[ast.AST] = [tree, *(node for node in walk(tree) if isinstance(node, ast.FunctionDef))]
    called_in_loops = _called_in_loops(tree)
    for scope in scopes:
        if isinstance(scope, ast.FunctionDef) and scope.name in called_in_loops:
            continue
        for loop in _outermost_loops(scope):
            clause = loop.generators[0] if isinstance(loop, COMPREHENSIONS) else loop
            assert isinstance(clause, ast.For | ast.comprehension)
            target = ast.Tuple([clause.target, ast.Name(_TURN, ast.Store())], ast.Store())
            clause.target = ast.copy_location(target, clause.target)
            clause.iter = ast.copy_location(_call("turns", [clause.iter]), clause.iter)


def _outermost_loops(scope: ast.AST) -> list[ast.AST]:
    found: list[ast.AST] = []
    waiting = children(scope)
    for node in waiting:  # which grows meanwhile
        if isinstance(node, SCOPES):
            continue
        if isinstance(node, ast.For) or (isinstance(node, COMPREHENSIONS) and not node.generators[0].is_async):
            found.append(node)
        else:
            waiting += children(node)
    return found


def _called_in_loops(tree: ast.Module) -> set[str]:
    loops = (node for node in walk(tree) if isinstance(node, (ast.For, ast.While, *COMPREHENSIONS)))
    calls = (node for loop in loops for node in walk(loop) if isinstance(node, ast.Call))
    direct = {node.func.id for node in calls if isinstance(node.func, ast.Name)}
    functions = {s.name: s for s in walk(tree) if isinstance(s, ast.FunctionDef)}
    waiting = list(direct & functions.keys())
    for name in waiting:  # which grows meanwhile
        inner = {n.func.id for n in walk(functions[name]) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}
        waiting += (inner & functions.keys()) - set(waiting)
    return set(waiting)
