"""The split kind of each block: that of the site which *is* its statement.

    for row in rows: total += row[1]        reduce: the loop is the block
    shapes = reshape_rows(rows)             rows: a function that is nothing but such a loop
    top = sorted([f(x) for x in xs])[:3]    whole: the comprehension is cut when it runs, but its list is needed at once
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from runsurge_dask.runner.facts import SplitKind

if TYPE_CHECKING:
    from runsurge_dask.ir.program import Block, Program
    from runsurge_dask.runner.facts import SiteFacts


def block_kinds(program: Program) -> dict[str, SplitKind]:
    """By key, the kind of every block; `whole` where no site says more."""
    functions = {each.name: each for each in ast.parse(program.source).body if isinstance(each, ast.FunctionDef)}
    kinds = {}
    for block in program.blocks:
        facts = site_of(block, program, functions)
        kinds[block.key] = facts.kind if facts is not None else SplitKind.WHOLE
    return kinds


def site_of(block: Block, program: Program, functions: dict[str, ast.FunctionDef]) -> SiteFacts | None:
    """The site that a block's statement is, be it in a function that the statement only calls."""
    statement = ast.parse(block.statements[0]).body[0]
    loop = called_loop(statement, functions)
    if loop is not None:
        return _site_at(program, {"for"}, loop.lineno, loop.lineno)
    return _site_at(program, _forms(statement), block.first_line, block.first_line if isinstance(statement, ast.For) else block.last_line)


def first_lines(program: Program, form: str) -> frozenset[int]:
    """Lines of the script at which sites of a form begin."""
    return frozenset(facts.line for facts in program.sites if facts.file == program.file and facts.form == form)


def _site_at(program: Program, forms: set[str], first: int, last: int) -> SiteFacts | None:
    """The only site in these lines, if it has one of these forms."""
    sites = [s for s in program.sites if s.file == program.file and first <= s.line <= last and s.form != "genexp"]
    return sites[0] if len(sites) == 1 and sites[0].form in forms else None


def _forms(statement: ast.stmt) -> set[str]:
    """Forms of sites that this statement would be as a whole."""
    match statement:
        case ast.For():
            return {"for"}
        case ast.Assign(value=value) | ast.AnnAssign(value=ast.expr() as value) | ast.Expr(value=value):
            return {"frame", "array", *_forms_of_value(value)}
    return set()


def _forms_of_value(value: ast.expr) -> set[str]:
    match value:
        case ast.ListComp():
            return {"list"}
        case ast.SetComp():
            return {"set"}
        case ast.DictComp():
            return {"dict"}
        case ast.Call(func=ast.Name(id=name)):
            return {name}
        case ast.Call(func=ast.Attribute()):
            return {"pool"}
    return set()


def called_loop(statement: ast.stmt, functions: dict[str, ast.FunctionDef]) -> ast.For | None:
    """The loop of `y = f(x)` where f is nothing but a loop over x: fresh containers, the loop, `return` of one of them."""
    match statement:
        case ast.Assign(targets=[ast.Name()], value=ast.Call(func=ast.Name(id=name), args=arguments, keywords=[])) if name in functions:
            function = functions[name]
        case _:
            return None
    parameters = function.args
    plain = not (parameters.vararg or parameters.kwarg or parameters.kwonlyargs or parameters.defaults or function.decorator_list)
    if not plain or len(arguments) != len(parameters.args):
        return None
    body = [each for each in function.body if not _is_remark(each)]
    match body:
        case [*initial, ast.For(orelse=[]) as loop, ast.Return(value=ast.Name(id=result))]:
            made = {target.id for each in initial for target in _fresh_targets(each)}
            if result in made and all(_fresh_targets(each) for each in initial) and _is_only_argument(loop, function, arguments):
                return loop
    return None


def _is_only_argument(loop: ast.For, function: ast.FunctionDef, arguments: list[ast.expr]) -> bool:
    """Whether the loop goes through the first parameter, and nothing else looks at it."""
    names = [each.arg for each in function.args.args]
    match loop.iter:
        case ast.Name(id=name) if names and name == names[0]:
            mentions = [node for node in ast.walk(function) if isinstance(node, ast.Name) and node.id == name]
            return len(mentions) == 1 and not any(isinstance(each, ast.Starred) for each in arguments)
    return False


def _is_remark(statement: ast.stmt) -> bool:
    """A docstring, or a hint such as `aggregation = "s:result"`."""
    match statement:
        case ast.Expr(value=ast.Constant()):
            return True
        case ast.Assign(targets=[ast.Name(id="aggregation")], value=ast.Constant()):
            return True
    return False


def _fresh_targets(statement: ast.stmt) -> list[ast.Name]:
    """The name that is bound to something new and empty, or to a zero."""
    match statement:
        case ast.Assign(targets=[ast.Name() as target], value=value) if is_fresh(value):
            return [target]
    return []


def is_fresh(value: ast.expr) -> bool:
    """Whether this makes something new and empty, or a zero."""
    match value:
        case ast.List(elts=[]) | ast.Dict(keys=[]):
            return True
        case ast.Constant(value=constant):
            return type(constant) in {int, float} and constant == 0 and str(constant) in {"0", "0.0"}
        case ast.Call(func=ast.Name(id="list" | "dict"), args=[], keywords=[]):
            return True
    return False
