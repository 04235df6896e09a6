"""The two halves of a divided loop as code: what chunks run, and what the driver runs with what they found."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from runsurge_dask.analysis.bodies import ChunkBody, compiled
from runsurge_dask.analysis.names import bound_names
from runsurge_dask.analysis.structure import copied, walk

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from runsurge_dask.analysis.fission import Fission
    from runsurge_dask.analysis.scopes import Scope


def divided_code(loop: ast.For, found: Fission, scope: Scope) -> bytes:
    """The part ahead as the chunk function `__rs_chunk__(records, starts)`, a generator of what the rest is given of each row."""
    template = ast.parse("def __rs_chunk__(__rs_it, __rs_starts):\n    for _ in __rs_it:\n        pass\n    return locals()")
    function = template.body[0]
    assert isinstance(function, ast.FunctionDef)
    new_loop = function.body[0]
    assert isinstance(new_loop, ast.For)
    new_loop.target = ChunkBody([], scope.class_name).visit(copied(loop.target))
    new_loop.body = list(_chunk_body(loop, found, scope))
    return compiled(template, loop, scope)


def _chunk_body(loop: ast.For, found: Fission, scope: Scope) -> Iterator[ast.stmt]:
    known = bound_names([loop.target])
    names = ChunkBody([], scope.class_name)
    given = tuple(map(names.mangled, found.given))
    for statement, is_ahead, is_guard, still in zip(found.body, found.ahead, found.guards, found.still, strict=True):
        if not is_ahead and not is_guard:
            continue
        if still is not None:
            yield from ast.parse(f"__rs_still__({', '.join(_tuple(map(names.mangled, part)) for part in still)})").body
        written = ChunkBody([], scope.class_name).visit(copied(statement))
        if is_guard:
            assert isinstance(written, ast.If)
            written.body[:0] = _given(given, set(map(names.mangled, known)))
        yield written
        known |= bound_names([statement])
    yield from _given(given, set(map(names.mangled, known)))


def _given(names: tuple[str, ...], known: set[str]) -> list[ast.stmt]:
    """What the rest is given of a row; None for what it will not ask for."""
    return ast.parse(f"yield {_tuple(name if name in known else 'None' for name in names)}").body


def _tuple(names: Iterable[str]) -> str:
    return f"({' '.join(f'{name},' for name in names)})"


def divided_body(loop: ast.For, groups: list[list[ast.stmt]], found: Fission, number: int) -> list[ast.stmt]:
    """The body as the driver runs it: from the rows themselves, or from what the chunks found in them.

    `groups` are the statements of the body, each as it has been rewritten.
    """
    row = f"__rs_r{number}"
    taken = ast.parse(f"{_tuple(found.given)} = {row}").body
    begin = ast.copy_location(ast.Assign([loop.target], ast.Name(row, ast.Load())), loop.target)
    written: list[ast.stmt] = []
    waiting: list[ast.stmt] = [begin]
    for group, is_ahead in zip(groups, found.of_loop(), strict=True):
        if is_ahead:
            waiting += group
            continue
        if waiting:
            written.append(_choice(number, taken if begin in waiting else [ast.Pass()], waiting))
            waiting = []
        written += group
    if waiting:
        written.append(_choice(number, taken if begin in waiting else [ast.Pass()], waiting))
    for node in (n for s in written for n in walk(s) if not hasattr(n, "lineno")):
        ast.copy_location(node, loop)
    for node in (n for s in taken for n in walk(s)):
        ast.copy_location(node, loop)
    return written


def is_ahead_of(number: int) -> str:
    """The expression that asks whether chunks ran ahead."""
    return f"__rs_s{number}.is_ahead"


def _choice(number: int, ready: list[ast.stmt], as_written: list[ast.stmt]) -> ast.If:
    return ast.If(ast.parse(is_ahead_of(number), mode="eval").body, ready, as_written)
