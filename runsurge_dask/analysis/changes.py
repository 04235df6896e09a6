"""What code changes around itself.

    rows.append(x); self.total += 1; table[k] = 2      changes `rows`, `self.total` and `table`
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from runsurge_dask.analysis.names import bound_names, own_nodes, parameter_names
from runsurge_dask.analysis.places import place_of
from runsurge_dask.knowledge.calls import MUTATORS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runsurge_dask.analysis.scopes import Scope


def changed_places(body: list[ast.stmt], assigned: set[str]) -> set[tuple[str, ...]]:
    """Places around the loop that statements of the body change."""
    found: set[tuple[str, ...]] = set()
    for node in (n for statement in body for n in ast.walk(statement)):
        for target in _targets(node):
            place = _root_place(target)
            if place is not None and place[0] not in assigned:
                found.add(place)
    return found


def changing_functions(spelled: set[str], scope: Scope) -> list[str]:
    """Functions that code spelling these names may call and that change values around themselves."""
    found = []
    owners = {scope.owner, *(f.name for f in scope.outer), ""}
    for name in sorted(scope.mentions.reachable(spelled)):
        for function in scope.mentions.bodies.get(name, ()):
            around = {n for n, owner in scope.mentions.around.get(name, ()) if owner in owners}
            declared = {n for node in own_nodes(function.body) if isinstance(node, ast.Global | ast.Nonlocal) for n in node.names}
            local = (bound_names(function.body) | parameter_names(function.args)) - declared
            changed = {place[0] for place in changed_places(function.body, local)} | (declared & bound_names(function.body))
            if changed & around:
                found.append(name)
    return found


def _targets(node: ast.AST) -> Iterator[ast.expr]:
    match node:
        case ast.Attribute(ctx=ast.Store() | ast.Del()):
            yield node
        case ast.Subscript(ctx=ast.Store() | ast.Del(), value=value):
            yield value
        case ast.Call(func=ast.Attribute(value=receiver, attr=name)) if name in MUTATORS:
            yield receiver


def _root_place(node: ast.expr) -> tuple[str, ...] | None:
    while True:
        place = place_of(node)
        if place is not None:
            return place
        match node:
            case ast.Subscript(value=inner) | ast.Attribute(value=inner):
                node = inner
            case ast.Call(func=ast.Attribute(value=inner, attr="setdefault" | "get")):
                node = inner
            case _:
                return None
