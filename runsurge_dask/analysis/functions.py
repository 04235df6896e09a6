"""What a call of one of the script's own functions reads from around it, and what it may change.

    def keep(row, into):            reads {limit}, changes `into`
        if row[1] > limit:
            into.append(row)
            seen.add(row[0])        and `seen`, around it

    keep(row, rows)                 so this statement reads `limit`, and changes `rows` and `seen`
"""

from __future__ import annotations

import ast
import itertools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from runsurge_dask.analysis.names import bound_names, declared_names, function_reads, parameter_names
from runsurge_dask.analysis.structure import walk

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from runsurge_dask.ir.program import Effect

_CHANGING = frozenset({"append", "extend", "add", "update", "insert", "pop", "sort", "remove", "clear", "setdefault", "discard", "popitem"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """One function, with those that it calls."""

    parameters: tuple[str, ...]
    reads: frozenset[str]
    """Names around it."""
    changes: frozenset[str]
    """Its parameters, and names around it."""
    calls: frozenset[str]
    """Other functions of the module that it mentions, and those that they do."""
    effect: Effect
    """Of its own statements alone."""


def functions_of(tree: ast.Module, effect: Callable[[Sequence[ast.AST], Collection[str]], Effect]) -> dict[str, Function]:
    """Every function of a module by its name; of two with one name the last. `effect` says what nodes do besides computing."""
    nodes = {node.name: node for node in walk(tree) if isinstance(node, ast.FunctionDef)}
    direct = {name: function_reads(node) for name, node in nodes.items()}
    reached = {name: _reached(name, direct) for name in nodes}
    reads = {name: frozenset(itertools.chain.from_iterable(direct[each] for each in reached[name])) for name in nodes}
    found = {name: _alone(node, reads[name], reached[name], effect(walk(node), nodes)) for name, node in nodes.items()}
    for _ in range(len(nodes) if any(each.changes for each in found.values()) else 0):
        before = found
        found = {name: _with_calls(each, nodes[name], before) for name, each in before.items()}
        if found == before:
            break
    return found


def names_read(tree: ast.Module) -> dict[str, frozenset[str]]:
    """For each function of the module, the names that it reads from around it, also through functions that it calls."""
    functions = {s.name: s for s in walk(tree) if isinstance(s, ast.FunctionDef)}
    direct = {name: function_reads(node) for name, node in functions.items()}
    return {name: frozenset(itertools.chain.from_iterable(direct[each] for each in _reached(name, direct))) for name in functions}


def _reached(name: str, direct: Mapping[str, set[str]]) -> frozenset[str]:
    waiting, seen = [name], {name}
    for each in waiting:  # which grows meanwhile
        new = (direct[each] & direct.keys()) - seen
        seen |= new
        waiting += new
    return frozenset(seen)


def _alone(node: ast.FunctionDef, reads: frozenset[str], calls: frozenset[str], effect: Effect) -> Function:
    own = (bound_names(node.body) | parameter_names(node.args)) - declared_names(node.body)
    parameters = tuple(each.arg for each in (*node.args.posonlyargs, *node.args.args))
    changed = {name for statement in node.body for name in changed_names(statement)}
    set_around = declared_names(node.body) & bound_names(node.body)
    changes = frozenset((changed - (own - set(parameters))) | set_around)
    return Function(parameters=parameters, reads=reads, changes=changes, calls=calls, effect=effect)


def _with_calls(function: Function, node: ast.FunctionDef, known: Mapping[str, Function]) -> Function:
    own = (bound_names(node.body) | set(function.parameters)) - declared_names(node.body)
    around = {name for statement in node.body for name in changed_by_calls(statement, known)}
    return replace(function, changes=function.changes | (around - (own - set(function.parameters))))


def changed_by_calls(statement: ast.AST, functions: Mapping[str, Function]) -> set[str]:
    """Names whose values the functions that a statement calls may change: names around them, and what they are given."""
    found: set[str] = set()
    for node in walk(statement):
        if not isinstance(node, ast.Name) or node.id not in functions:
            continue
        function = functions[node.id]
        found |= function.changes - set(function.parameters)
    for call in walk(statement):
        match call:
            case ast.Call(func=ast.Name(id=name), args=arguments, keywords=keywords) if name in functions:
                function = functions[name]
                given = [*zip(function.parameters, arguments, strict=False), *((k.arg or "", k.value) for k in keywords)]
                found |= {root for parameter, value in given if parameter in function.changes for root in _roots(value)}
    return found


def changed_names(statement: ast.AST) -> set[str]:
    """Names whose values a statement changes in place, functions that it calls left aside."""
    return {root for node in walk(statement) for owner in _changed_owners(node) for root in _roots(owner)}


def _changed_owners(node: ast.AST) -> list[ast.expr]:
    match node:
        case ast.Subscript(value=owner, ctx=ast.Store() | ast.Del()) | ast.Attribute(value=owner, ctx=ast.Store() | ast.Del()):
            return [owner]
        case ast.Call(func=ast.Attribute(value=owner, attr=attr), keywords=keywords):
            in_place = any(k.arg == "inplace" and isinstance(k.value, ast.Constant) and k.value.value for k in keywords)
            return [owner] if in_place or attr in _CHANGING else []
    return []


def _roots(value: ast.expr) -> list[str]:
    while isinstance(value, ast.Subscript | ast.Attribute | ast.Call | ast.Starred):
        value = value.func if isinstance(value, ast.Call) else value.value
    return [value.id] if isinstance(value, ast.Name) else []
