"""What code changes around itself.

    rows.append(x); self.total += 1; table[k] = 2      changes `rows`, `self.total` and `table`
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from runsurge_dask.analysis.names import bound_names, declared_names, parameter_names
from runsurge_dask.analysis.places import place_of
from runsurge_dask.analysis.structure import walk
from runsurge_dask.knowledge.calls import MUTATORS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runsurge_dask.analysis.scopes import Scope


def changed_places(body: list[ast.stmt], assigned: set[str]) -> set[tuple[str, ...]]:
    """Places around the loop that statements of the body change."""
    found: set[tuple[str, ...]] = set()
    ways = dict(_ways_in(body))
    for node in (n for statement in body for n in walk(statement)):
        for target in _targets(node):
            place = _root_place(target)
            if place is not None and place[0] in assigned:
                place = ways.get(place[0])
            if place is not None and place[0] not in assigned:
                found.add(place)
    return found


def changes_somewhere(statement: ast.stmt) -> bool:
    """Whether a statement changes something that cannot be named: `(odd if n % 2 else even).append(n)`."""
    return any(_root_place(target) is None for node in walk(statement) for target in _targets(node))


def _ways_in(body: list[ast.stmt]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """`cell = table[key]`: changing `cell` changes `table`."""
    for node in (n for statement in body for n in walk(statement)):
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Subscript() | ast.Attribute() | ast.Call() as value):
                place = _root_place(value)
                if place is not None:
                    yield name, place


def changing_functions(spelled: set[str], scope: Scope) -> list[str]:
    """Functions that code spelling these names may call and that change values around themselves."""
    return [name for name in sorted(scope.mentions.reachable(spelled)) if _changed_around(name, scope)]


def names_changed_by(spelled: set[str], scope: Scope) -> set[str]:
    """Names around the functions that code spelling these names may call, whose values those functions change or set."""
    return {place for name in scope.mentions.reachable(spelled) for place in _changed_around(name, scope)}


def _changed_around(name: str, scope: Scope) -> set[str]:
    owners = {scope.owner, *(f.name for f in scope.outer), ""}
    around = {n for n, owner in scope.mentions.around.get(name, ()) if owner in owners}
    found: set[str] = set()
    for function in scope.mentions.bodies.get(name, ()):
        declared = declared_names(function.body)
        local = (bound_names(function.body) | parameter_names(function.args)) - declared
        found |= {place[0] for place in changed_places(function.body, local)} | (declared & bound_names(function.body))
    return found & around


def changed_by_calls(body: list[ast.stmt], assigned: set[str], scope: Scope) -> set[tuple[str, ...]]:
    """Places around the loop that functions of the user's change because they are given them: `ledger.post(row)`, `add(table, row)`."""
    found: set[tuple[str, ...]] = set()
    for node in (n for statement in body for n in walk(statement) if isinstance(n, ast.Call)):
        for given in _changed_arguments(node, scope, frozenset()):
            place = _root_place(given)
            if place is not None and place[0] not in assigned:
                found.add(place)
    return found


def _changed_arguments(call: ast.Call, scope: Scope, inside: frozenset[str]) -> Iterator[ast.expr]:
    """What a call of the user's own function or method is given and may change; a receiver is its first argument."""
    is_method = isinstance(call.func, ast.Attribute)
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    given = [*([call.func.value] if isinstance(call.func, ast.Attribute) else []), *call.args]
    for function in scope.mentions.bodies.get(name, ()):
        if name in inside:
            continue
        parameters = [argument.arg for argument in (*function.args.posonlyargs, *function.args.args)]
        changed = _changed_parameters(function, scope, inside | {name})
        offset = 0 if is_method or not parameters or parameters[0] != "self" else 1
        yield from (value for parameter, value in zip(parameters[offset:], given, strict=False) if parameter in changed)


def _changed_parameters(function: ast.FunctionDef | ast.AsyncFunctionDef, scope: Scope, inside: frozenset[str]) -> set[str]:
    parameters = parameter_names(function.args)
    local = bound_names(function.body) - parameters
    found = {place[0] for place in changed_places(function.body, local)}
    for node in (n for statement in function.body for n in walk(statement) if isinstance(n, ast.Call)):
        found |= {place[0] for given in _changed_arguments(node, scope, inside) if (place := _root_place(given)) is not None}
    return found & parameters


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
