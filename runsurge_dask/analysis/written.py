"""What single statements and expressions become when a script is written anew (see `analysis.rewrite`)."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from runsurge_dask.analysis.arrays import runtime_call
from runsurge_dask.analysis.names import called_name, own_nodes
from runsurge_dask.analysis.spellings import listed_rows
from runsurge_dask.analysis.structure import copied, walk
from runsurge_dask.runner.facts import GROWING_IN_PLACE, SiteFacts, SplitKind

if TYPE_CHECKING:
    from runsurge_dask.analysis.scopes import Scope

GENERATOR_PREFIX = "__rs_g"


def generator_function(node: ast.GeneratorExp, name: str) -> ast.FunctionDef:
    """A generator expression as a function, whose loop can be a site."""
    body: ast.stmt = ast.Expr(ast.Yield(node.elt))
    for position, generator in reversed(list(enumerate(node.generators))):
        for test in reversed(generator.ifs):
            body = ast.If(test, [body], [])
        iterable = generator.iter if position else ast.Name("__rs_rows", ast.Load())
        body = ast.For(generator.target, iterable, [body], [])
    arguments = ast.arguments(posonlyargs=[], args=[ast.arg("__rs_rows")], kwonlyargs=[], kw_defaults=[], defaults=[])
    function = ast.FunctionDef(name, arguments, [body], [])
    for inner in walk(function):
        if isinstance(inner, ast.stmt | ast.expr | ast.arg) and not hasattr(inner, "lineno"):
            ast.copy_location(inner, node)
    return function


def no_site(number: int, node: ast.expr, scope: Scope) -> SiteFacts:
    """What is known of an expression that is never cut itself."""
    return SiteFacts(
        site=number, file=scope.file, line=node.lineno, form="genexp", kind=SplitKind.WHOLE, reason="it runs when its consumer asks",
        label=ast.unparse(node)[:80]
    )


def as_lambda(value: ast.expr, near: ast.AST) -> ast.expr:
    """A function of `__rs_it`, the records."""
    parameters = ast.arguments(posonlyargs=[], args=[ast.arg("__rs_it")], kwonlyargs=[], kw_defaults=[], defaults=[])
    return ast.copy_location(ast.Lambda(parameters, value), near)


def as_list(node: ast.expr) -> ast.expr:
    """An expression that is consumed lazily, as a list."""
    if isinstance(node, ast.ListComp | ast.SetComp | ast.DictComp) or (
        isinstance(node, ast.Call) and called_name(node) not in {"map", "filter"}
    ):
        return node
    return ast.copy_location(ast.Call(ast.copy_location(ast.Name("list", ast.Load()), node), [node], []), node)


def as_partial(node: ast.expr, form: str) -> ast.expr:
    """`max` or `min` in the form in which the values of chunks are compared."""
    assert isinstance(node, ast.Call)
    inner = copied(node)
    key = next((k.value for k in inner.keywords if k.arg == "key"), ast.copy_location(ast.Constant(None), node))
    return runtime_call("extreme", [ast.copy_location(ast.Name(form, ast.Load()), node), inner.args[0], key], node)


def may_be_kept(rows: ast.expr, followed: frozenset[str]) -> bool:
    """Whether what a loop goes through may be a list whose rows stay in files."""
    names = {node.id for node in walk(rows) if isinstance(node, ast.Name)}
    return bool(names & followed) or isinstance(rows, ast.Call)


def left_in_files(rows: ast.expr) -> ast.expr:
    """A slice for somebody who follows lists."""
    match rows:
        case ast.Call(func=ast.Attribute(value=ast.Name(id="__runsurge__"), attr="between") as function):
            function.attr = "part"
    return rows


def gone_through_by_hand(rows: ast.expr) -> ast.expr:
    """What the interpreter itself may iterate over: a list that is not all there, or what counts its rows, row by row."""
    match rows:
        case ast.Call(func=ast.Attribute(value=ast.Name(id="__runsurge__"), attr="part" | "counted")):
            return runtime_call("through", [rows], rows)
    return rows


def leave_in_files(written: list[ast.stmt]) -> None:
    """Let a statement that follows its list have a slice as it is."""
    match written:
        case [ast.Assign(value=value) | ast.AnnAssign(value=value) | ast.Return(value=value)] if value is not None:
            left_in_files(value)


def listed(rows: ast.expr) -> ast.expr:
    """`list(rows)`."""
    return ast.copy_location(ast.Call(ast.copy_location(ast.Name("list", ast.Load()), rows), [rows], []), rows)


def settling(name: str, near: ast.stmt) -> ast.stmt:
    """The statement that makes a list what the script takes it for."""
    variable = ast.copy_location(ast.Name(name, ast.Load()), near)
    return ast.copy_location(ast.Expr(runtime_call("settle", [variable], near)), near)


def leaves_from_else(loop: ast.For) -> bool:
    """Whether the `else` of a loop leaves a loop around it."""
    return any(isinstance(node, ast.Break | ast.Continue) for node in own_nodes(loop.orelse))


def opened_loop(node: ast.For, facts: SiteFacts) -> list[ast.stmt]:
    """The loop as shown in `runner.sites`."""
    name, values = f"__rs_s{facts.site}", f"__rs_v{facts.site}"
    bound = [
        *facts.assigned, *(a.place for a in facts.accumulators if a.place and "." not in a.place and a.merge not in GROWING_IN_PLACE),
        *(p for a in facts.accumulators for p in a.payload)
    ]
    lines = [f"{name} = __runsurge__.loop_{facts.site}(None)", "while True:", "    for _ in None:", "        pass", "    else:"]
    lines += [f"        if {name}.__class__ in __runsurge__.loops and {name}.pending:", f"            {values} = {name}.run()"]
    lines += [
        line for b in dict.fromkeys(bound) for line in (f"            if {b!r} in {values}:", f"                {b} = {values}[{b!r}]")
    ]
    if not facts.given and any(a.merge == "yield" for a in facts.accumulators):
        lines += [f"            yield from {name}.yields", f"            {name}.yields = []"]
    lines += [f"            {values} = None", "            continue", "        pass", "    break", f"{name} = None"]
    template = ast.parse("\n".join(lines)).body
    for statement in template:
        for inner in walk(statement):
            if hasattr(inner, "lineno"):
                ast.copy_location(inner, node)
                inner.end_lineno = inner.lineno  # type: ignore[attr-defined]
    opening, turns, closing = template
    assert isinstance(opening, ast.Assign)
    assert isinstance(turns, ast.While)
    call, inner_loop = opening.value, turns.body[0]
    assert isinstance(call, ast.Call)
    assert isinstance(inner_loop, ast.For)
    inner_loop.end_lineno, inner_loop.end_col_offset = node.end_lineno, node.end_col_offset
    call.args[0] = listed_rows(node.iter)
    inner_loop.target, inner_loop.body = node.target, node.body
    inner_loop.iter = ast.copy_location(ast.Name(name, ast.Load()), node.iter)
    inner_loop.orelse[1:] = node.orelse or [ast.copy_location(ast.Pass(), node)]
    return [opening, turns, closing]


def closed_at_last(opened: list[ast.stmt]) -> list[ast.stmt]:
    """A divided loop, whose chunks go on while its rest runs, told when it is left, whatever the way."""
    opening, turns, closing = opened
    assert isinstance(closing, ast.Assign)
    assert isinstance(closing.targets[0], ast.Name)
    close = ast.parse(f"{closing.targets[0].id}.close()").body[0]
    for node in walk(close):
        ast.copy_location(node, closing)
    return [opening, ast.copy_location(ast.Try([turns], [], [], [close]), turns), closing]


