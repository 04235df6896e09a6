"""Other spellings of a `for` loop over data, made one."""

from __future__ import annotations

import ast

from runsurge_dask.analysis.structure import walk


def listed_rows(iterable: ast.expr) -> ast.expr:
    """Rows of a frame, one tuple each, as a list that can be cut: nobody else can see the iterator."""
    match iterable:
        case ast.Call(func=ast.Attribute(attr="itertuples" | "iterrows")):
            call = ast.Call(ast.copy_location(ast.Name("list", ast.Load()), iterable), [iterable], [])
            return ast.copy_location(call, iterable)
    return iterable


def yielding_loop(near: ast.stmt, iterable: ast.expr) -> ast.For:
    """`yield from xs` as a loop: nobody can send into a generator that only a loop reads."""
    loop = ast.parse("for __rs_y in None:\n    yield __rs_y").body[0]
    assert isinstance(loop, ast.For)
    for inner in walk(loop):
        if isinstance(inner, ast.stmt | ast.expr):
            ast.copy_location(inner, near)
    loop.iter = iterable
    return loop


def reading_loop(node: ast.While) -> ast.For | None:
    """`while True: line = f.readline(); if not line: break; ...` and `while line := f.readline(): ...` as loops over the file."""
    match node:
        case ast.While(test=ast.NamedExpr(target=target, value=reading), body=body, orelse=[]) if _is_readline(reading):
            rest = body
        case ast.While(
            test=ast.Constant(value=True | 1),
            body=[ast.Assign(targets=[ast.Name() as target], value=reading), ast.If(test=test, body=[ast.Break()], orelse=[]), *rest],
            orelse=[],
        ) if _is_readline(reading) and _is_empty_test(test, target.id):
            pass
        case _:
            return None
    if not rest:
        return None
    loop = ast.For(ast.Name(target.id, ast.Store()), _reader(reading), rest, [])
    end = ast.parse(f"{target.id} = ''").body[0]
    for inner in (loop, loop.target, *walk(end)):
        ast.copy_location(inner, node)
    loop.orelse = [end]
    return loop


def _is_readline(node: ast.expr) -> bool:
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return False
    return node.func.attr == "readline" and isinstance(node.func.value, ast.Name) and not node.args


def _reader(reading: ast.expr) -> ast.expr:
    assert isinstance(reading, ast.Call)
    assert isinstance(reading.func, ast.Attribute)
    return reading.func.value


def _is_empty_test(test: ast.expr, name: str) -> bool:
    return ast.unparse(test) in {f"not {name}", f"{name} == ''"}


def mapped_loop(node: ast.For, number: int) -> tuple[ast.stmt, ast.For] | None:
    """`for x in map(f, xs): ...` as a loop over `xs` that begins with `x = f(...)`, and `filter` likewise; None for any other loop."""
    match node.iter:
        case ast.Call(func=ast.Name(id="map" | "filter" as name), args=[function, iterable], keywords=[]) if not isinstance(
            iterable, ast.Starred
        ):
            pass
        case _:
            return None
    called, row = f"__rs_f{number}", f"__rs_m{number}"
    is_filter = name == "filter"
    if is_filter and isinstance(function, ast.Constant):
        begin = ast.parse(f"if not {row}:\n    continue\n_ = {row}").body
    elif is_filter:
        begin = ast.parse(f"if not {called}({row}):\n    continue\n_ = {row}").body
    else:
        begin = ast.parse(f"_ = {called}({row})").body
    taken = begin[-1]
    assert isinstance(taken, ast.Assign)
    for inner in (n for s in begin for n in walk(s)):
        ast.copy_location(inner, node.iter)
    taken.targets = [node.target]
    binding = ast.copy_location(ast.Assign([ast.copy_location(ast.Name(called, ast.Store()), function)], function), function)
    loop = ast.For(ast.copy_location(ast.Name(row, ast.Store()), node.target), iterable, [*begin, *node.body], node.orelse)
    return binding, ast.copy_location(loop, node)
