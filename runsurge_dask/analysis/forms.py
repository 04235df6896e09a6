"""The forms by which one statement makes a value grow.

    total += x                        a sum
    d[key] = d.get(key, 0) + 1        a sum in a table
    best = max(best, x)               a maximum
    rows.append(x)                    a list that grows at its end
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from runsurge_dask.analysis.guards import events_of_test
from runsurge_dask.analysis.places import Event, Growth, as_load, has_mention, key_of, path_in, reads_of_own_item
from runsurge_dask.analysis.structure import walk
from runsurge_dask.runner.facts import Merge

if TYPE_CHECKING:
    from collections.abc import Iterator

_SUMS = {ast.Add: Merge.SUM, ast.Sub: Merge.SUM, ast.Mult: Merge.PRODUCT, ast.BitOr: Merge.OR, ast.BitAnd: Merge.AND, ast.BitXor: Merge.XOR}
_GROWING = {"append": Merge.APPEND, "extend": Merge.APPEND, "add": Merge.ADD}


def events_of(growth: Growth, statement: ast.stmt) -> Iterator[Event]:
    """What one statement explains of the place."""
    match statement:
        case ast.AugAssign():
            yield from _augmented(growth, statement)
        case ast.Assign(targets=[target]):
            yield from _assigned(growth, target, statement.value)
        case ast.AnnAssign(target=target, value=value) if value is not None:
            yield from _assigned(growth, target, value)
        case ast.Expr(value=ast.Call() as call):
            yield from _called(growth, call)
        case ast.If():
            yield from events_of_test(growth, statement)
        case ast.Try():
            yield from _tried(growth, statement)


def _augmented(growth: Growth, statement: ast.AugAssign) -> Iterator[Event]:
    merge = _SUMS.get(type(statement.op))
    path = path_in(growth, statement.target)
    if merge is None or path is None or has_mention(growth, statement.value):
        return
    if merge is Merge.OR and not path[0] and _is_set(statement.value):
        merge = Merge.ADD
    added = statement.value if isinstance(statement.op, ast.Add) else None
    yield _event(path, merge, is_in_place=True, added=added)


def _event(path: tuple[tuple[str | int, ...], list[ast.AST], ast.expr | None], merge: Merge, **more: object) -> Event:
    keys, nodes, first = path
    event = Event(list(nodes), keys, merge)
    event.first = first
    for name, value in more.items():
        setattr(event, name, value)
    return event


def _is_set(node: ast.expr) -> bool:
    return isinstance(node, ast.Set | ast.SetComp) or (isinstance(node, ast.Call) and getattr(node.func, "id", "") in {"set", "frozenset"})


def _assigned(growth: Growth, target: ast.expr, value: ast.expr) -> Iterator[Event]:
    path = path_in(growth, target)
    if path is None or path[2] is not None:
        return
    same = ast.dump(as_load(target))
    found: list[Event] = []
    if isinstance(value, ast.BinOp):
        found = list(_operated(growth, path, value, same))
    elif _is_extreme_of_two(value):
        assert isinstance(value, ast.Call)
        found = list(_extreme(growth, path, value, same))
    elif isinstance(value, ast.BoolOp) and not path[0] and ast.dump(value.values[0]) == same and not has_mention(growth, *value.values[1:]):
        found = [Event([*path[1], value.values[0]], (), Merge.BOOL_OR if isinstance(value.op, ast.Or) else Merge.BOOL_AND)]
    if not found and path[0]:
        own = reads_of_own_item(growth)
        if all(id(n) in own for n in walk(value) if growth.is_mention(n)):
            found = [Event(list(path[1]), path[0], Merge.STORE, first=value)]
    yield from found


def _is_extreme_of_two(value: ast.expr) -> bool:
    match value:
        case ast.Call(func=ast.Name(id="max" | "min"), args=[_, _], keywords=[]):
            return True
    return False


def _old_value(growth: Growth, node: ast.expr, same: str) -> tuple[list[ast.AST], ast.expr | None] | None:
    """The place's own value on the right-hand side: itself, or `d.get(key, first)`."""
    if ast.dump(as_load(node)) == same:
        found = path_in(growth, node)
        return (found[1], None) if found is not None else None
    match node:
        case ast.Call(func=ast.Attribute(value=table, attr="get"), args=[key, first], keywords=[]):
            as_item = ast.Subscript(table, key, ast.Load())
            if ast.dump(as_load(as_item)) == same and not has_mention(growth, first):
                found = path_in(growth, table)
                return (found[1], first) if found is not None else None
    return None


def _operated(
    growth: Growth, path: tuple[tuple[str | int, ...], list[ast.AST], ast.expr | None], value: ast.BinOp, same: str
) -> Iterator[Event]:
    merge = _SUMS.get(type(value.op))
    if merge is None:
        return
    leftmost: ast.expr = value
    others: list[ast.expr] = []
    while isinstance(leftmost, ast.BinOp) and _SUMS.get(type(leftmost.op)) is merge:
        others.append(leftmost.right)
        leftmost = leftmost.left
    old = _old_value(growth, leftmost, same)
    if old is not None and not has_mention(growth, *others):
        added = others[0] if len(others) == 1 and isinstance(value.op, ast.Add) else None
        yield Event([*path[1], *old[0]], path[0], merge, first=old[1], added=added)
        return
    is_commuting = isinstance(value.op, ast.Add | ast.Mult)
    old = _old_value(growth, value.right, same)
    if is_commuting and old is not None and not has_mention(growth, value.left):
        swapped = Merge.PREPEND if merge is Merge.SUM else merge
        if swapped is Merge.PREPEND and path[0]:
            return
        yield Event([*path[1], *old[0]], path[0], swapped, first=old[1])


def _extreme(
    growth: Growth, path: tuple[tuple[str | int, ...], list[ast.AST], ast.expr | None], value: ast.Call, same: str
) -> Iterator[Event]:
    assert isinstance(value.func, ast.Name)
    merge = Merge.MAX if value.func.id == "max" else Merge.MIN
    for position, argument in enumerate(value.args):
        old = _old_value(growth, argument, same)
        if old is not None and not has_mention(growth, value.args[1 - position]):
            if position:
                return  # `min(new, old)` takes a not-a-number and forgets it again
            yield Event([*path[1], *old[0]], path[0], merge, first=old[1], is_contribution=True, added=value.args[1])
            return


def _called(growth: Growth, call: ast.Call) -> Iterator[Event]:
    if not isinstance(call.func, ast.Attribute) or has_mention(growth, *call.args, *[k.value for k in call.keywords]):
        return
    method, receiver = call.func.attr, call.func.value
    path = path_in(growth, receiver)
    if path is None:
        return
    if method == "setdefault" and len(call.args) == 2 and not call.keywords:  # noqa: PLR2004 - a key and its first value
        yield Event(list(path[1]), (*path[0], key_of(call.args[0])), Merge.FIRST, first=call.args[1])
    elif method == "update" and not path[0]:
        merge = {"dict": Merge.STORE, "set": Merge.ADD, "Counter": Merge.SUM}.get(growth.starts_as)
        if merge is not None:
            yield _event(path, merge, keys=("*",) if merge is not Merge.ADD else ())
    elif method in _GROWING and not call.keywords and len(call.args) == 1:
        added = ast.List([call.args[0]], ast.Load()) if method == "append" else None
        yield _event(path, _GROWING[method], added=added)


def _tried(growth: Growth, statement: ast.Try) -> Iterator[Event]:
    """`try: d[key] += x` / `except KeyError: d[key] = x`."""
    match statement:
        case ast.Try(
            body=[ast.AugAssign() as update],
            handlers=[ast.ExceptHandler(type=ast.Name(id="KeyError"), name=None, body=[ast.Assign(targets=[target], value=value)])],
            orelse=[], finalbody=[]
        ):
            if ast.dump(as_load(update.target)) != ast.dump(as_load(target)) or has_mention(growth, value):
                return
            path = path_in(growth, target)
            if path is None or not path[0]:
                return
            for event in _augmented(growth, update):
                event.nodes += path[1]
                event.first, event.is_contribution = value, True
                yield event
