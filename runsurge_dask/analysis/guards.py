"""The forms by which an `if` makes a value grow.

    if key not in d: d[key] = []        the first value of a key
    if new > best: best = new           an extreme, with what is set together with it
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from runsurge_dask.analysis.places import Event, Growth, as_load, has_mention, path_in, place_of
from runsurge_dask.analysis.structure import copied, walk
from runsurge_dask.runner.facts import Merge

if TYPE_CHECKING:
    from collections.abc import Iterator

_COMPARES = {ast.Gt: "gt", ast.GtE: "ge", ast.Lt: "lt", ast.LtE: "le"}
_FLIPPED = {"gt": "lt", "ge": "le", "lt": "gt", "le": "ge"}


def events_of_test(growth: Growth, statement: ast.If) -> Iterator[Event]:
    """`if key not in d: d[key] = first` in its variants, and `if new > best: best = new`."""
    once = _set_once(growth, statement)
    if once is not None:
        yield once
        return
    membership = _membership(growth, statement.test)
    if membership is not None:
        yield from _filled(growth, statement, *membership)
        return
    if not statement.orelse:
        yield from _selected(growth, statement)


def _set_once(growth: Growth, statement: ast.If) -> Event | None:
    """`if first is None: first = value`."""
    match statement:
        case ast.If(
            test=ast.Compare(left=old, ops=[ast.Is()], comparators=[ast.Constant(value=None)]),
            body=[ast.Assign(targets=[target], value=value)], orelse=[]
        ) if ast.dump(as_load(old)) == ast.dump(as_load(target)) and not has_mention(growth, value):
            path, again = path_in(growth, target), path_in(growth, old)
            if path is not None and again is not None and path[2] is None:
                return Event([*path[1], *again[1]], path[0], Merge.SET_ONCE)
    return None


def _membership(growth: Growth, test: ast.expr) -> tuple[str, list[ast.AST], bool] | None:
    match test:
        case ast.Compare(left=key, ops=[ast.In() | ast.NotIn() as operator], comparators=[table]):
            path = path_in(growth, table)
            if path is not None and path[2] is None and not has_mention(growth, key):
                item = ast.dump(as_load(ast.Subscript(table, key, ast.Load())))
                return item, path[1], isinstance(operator, ast.In)
    return None


def _filled(growth: Growth, statement: ast.If, item: str, nodes: list[ast.AST], is_in: bool) -> Iterator[Event]:  # noqa: FBT001
    missing, present = (statement.orelse, statement.body) if is_in else (statement.body, statement.orelse)
    if len(missing) != 1 or not isinstance(missing[0], ast.Assign) or len(missing[0].targets) != 1:
        return
    target, value = missing[0].targets[0], missing[0].value
    if ast.dump(as_load(target)) != item or has_mention(growth, value):
        return
    path = path_in(growth, target)
    if path is None:
        return
    is_contribution = len(present) == 1 and not isinstance(present[0], ast.If)
    yield Event([*nodes, *path[1]], path[0], Merge.FIRST, first=value, is_contribution=is_contribution)


def _selected(growth: Growth, statement: ast.If) -> Iterator[Event]:  # noqa: C901 - one proof, refused at each of its steps
    tests = statement.test.values if isinstance(statement.test, ast.BoolOp) and isinstance(statement.test.op, ast.Or) else [statement.test]
    assigns = list(_plain_assigns(statement.body))
    if not assigns or len(tests) > 2:  # noqa: PLR2004 - `best is None or x > best`
        return
    explained: list[ast.AST] = []
    membership = None
    if len(tests) == 2:  # noqa: PLR2004 - as above
        is_none = isinstance(tests[0], ast.Compare) and isinstance(tests[0].ops[0], ast.Is) and place_of(tests[0].left) == growth.place
        membership = _membership(growth, tests[0])
        if is_none:
            explained.append(tests[0].left)  # type: ignore[attr-defined]
        elif membership is not None and not membership[2]:
            explained.extend(membership[1])
        else:
            return
    compared = _compared(growth, tests[-1])
    if compared is None:
        return
    value, old, compare = compared
    mine = [(t, v) for t, v in assigns if (p := path_in(growth, t)) is not None and p[2] is None]
    if len(mine) != 1 or has_mention(growth, value, mine[0][1]):
        return
    key = _key_compared(growth, old, value, mine[0][1])
    old_mentions = [n for n in walk(old) if growth.is_mention(n)]
    target_path, old_path = path_in(growth, mine[0][0]), path_in(growth, old)
    if key is None or target_path is None:
        return
    if not key and (old_path is None or ast.dump(as_load(mine[0][0])) != ast.dump(as_load(old))):
        return
    explained += [*target_path[1], *old_mentions]
    if target_path[0]:
        if not key and len(assigns) == 1 and compare in {"gt", "lt"} and (membership is not None or growth.starts_as != ""):
            merge = Merge.MAX if compare == "gt" else Merge.MIN
            yield Event(explained, target_path[0], merge, first=value, is_contribution=True, added=value)
        return
    payload = [t.id for t, _ in assigns if isinstance(t, ast.Name) and t is not mine[0][0]]
    if len(payload) != len(assigns) - 1 or has_mention(growth, *[v for t, v in assigns if t is not mine[0][0]]):
        return
    yield Event(explained, (), Merge.SELECT, payload=tuple(payload), compare=compare, key=key)


def _key_compared(growth: Growth, old: ast.expr, value: ast.expr, stored: ast.expr) -> str | None:
    """"" where the stored value itself is compared, `len(longest)` where something of it is; None where neither holds."""
    if isinstance(value, ast.NamedExpr):
        value = ast.Name(value.target.id, ast.Load())
    if isinstance(stored, ast.NamedExpr):
        stored = ast.Name(stored.target.id, ast.Load())
    if ast.dump(as_load(stored)) == ast.dump(as_load(value)):
        return ""

    class Put(ast.NodeTransformer):
        def visit(self, node: ast.AST) -> Any:
            return copied(stored) if growth.is_mention(node) else super().generic_visit(node)

    put = _Looking().visit(Put().visit(copied(old)))
    return ast.unparse(old) if ast.dump(as_load(put)) == ast.dump(as_load(value)) else None


class _Looking(ast.NodeTransformer):
    """`(v, name)[0]` is `v`, and `{"loss": v, "at": x}["loss"]` is."""

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        self.generic_visit(node)
        match node:
            case ast.Subscript(value=ast.Tuple(elts=items) | ast.List(elts=items), slice=ast.Constant(value=int(place))):
                is_there = place < len(items) and not any(isinstance(each, ast.Starred) for each in items)
                return items[place] if is_there else node
            case ast.Subscript(value=ast.Dict(keys=keys, values=values), slice=ast.Constant(value=wanted)):
                found = [v for k, v in zip(keys, values, strict=True) if isinstance(k, ast.Constant) and k.value == wanted]
                return found[0] if len(found) == 1 and all(isinstance(k, ast.Constant) for k in keys) else node
        return node


def _plain_assigns(body: list[ast.stmt]) -> Iterator[tuple[ast.expr, ast.expr]]:
    pairs: list[tuple[ast.expr, ast.expr]] = []
    for statement in body:
        match statement:
            case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Tuple(elts=values)) if len(targets) == len(values):
                pairs.extend(zip(targets, values, strict=True))
            case ast.Assign(targets=[target], value=value):
                pairs.append((target, value))
            case _:
                return iter(())
    return iter(pairs)


def _compared(growth: Growth, test: ast.expr) -> tuple[ast.expr, ast.expr, str] | None:
    """`new > best` or `best < new` -> (new, best, "gt")."""
    if not isinstance(test, ast.Compare) or len(test.ops) != 1 or type(test.ops[0]) not in _COMPARES:
        return None
    compare = _COMPARES[type(test.ops[0])]
    left, right = test.left, test.comparators[0]
    if has_mention(growth, right) and not has_mention(growth, left):
        return left, right, compare
    if has_mention(growth, left) and not has_mention(growth, right):
        return right, left, _FLIPPED[compare]
    return None
