"""What is known of the module's own functions where lists are followed through their calls.

    def load(path):                      `load` gives a list that nobody else has
        rows = []
        for line in open(path): rows.append(parse(line))
        return rows

    def total(rows):                     `total` only goes through `rows`
        return sum(row.price for row in rows)

    rows = load("a.csv")                 so `rows` can be followed here, and handed to `total` as it is
    print(total(rows))
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from runsurge_dask.analysis import kept
from runsurge_dask.analysis.names import bound_names, own_nodes
from runsurge_dask.analysis.structure import walk

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROUNDS = 3
"""How deep lists are followed through functions that call each other."""


def follow_calls(tree: ast.Module) -> kept.Calls:
    """What each function of a module gives and takes."""
    functions = _plain_functions(tree)
    if not functions:
        return kept.Calls()
    called = _calls_of(tree, functions)
    found = kept.Calls()
    for _ in range(ROUNDS):
        before = found
        takes = _takings(functions, before, _passed(tree, functions, called, before))
        fresh = {name: given for name, function in functions.items() if any(given := _given(function, takes, before))}
        found = _accepted(tree, functions, called, kept.Calls(fresh=fresh, takes=takes))
        if found == before:
            break
    return found


def _plain_functions(tree: ast.Module) -> dict[str, ast.FunctionDef]:
    """Functions of the module that are only ever called, under their own name."""
    named = [s for s in tree.body if isinstance(s, ast.FunctionDef) and not s.decorator_list and not s.args.vararg and not s.args.kwarg]
    bound = [name for s in tree.body for name in bound_names([s])]
    nodes = walk(tree)
    called = {id(n.func) for n in nodes if isinstance(n, ast.Call) and not any(isinstance(a, ast.Starred) for a in n.args)}
    taken = {n.id for n in nodes if isinstance(n, ast.Name) and (not isinstance(n.ctx, ast.Load) or id(n) not in called)}
    taken |= {n.arg for n in nodes if isinstance(n, ast.arg)}
    return {s.name: s for s in named if s.name not in taken and bound.count(s.name) == 1 and not _is_lazy(s)}


def _is_lazy(function: ast.FunctionDef) -> bool:
    return any(isinstance(node, ast.Yield | ast.YieldFrom) for node in own_nodes(function.body))


def _calls_of(tree: ast.Module, functions: Mapping[str, ast.FunctionDef]) -> dict[str, list[ast.Call]]:
    found: dict[str, list[ast.Call]] = {name: [] for name in functions}
    for node in walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in found:
            found[node.func.id].append(node)
    return found


def parameters_of(function: ast.FunctionDef) -> tuple[str, ...]:
    """Names of the parameters that have a position, in order."""
    return tuple(each.arg for each in (*function.args.posonlyargs, *function.args.args))


def _passed(
    tree: ast.Module, functions: Mapping[str, ast.FunctionDef], called: Mapping[str, list[ast.Call]], calls: kept.Calls
) -> dict[str, frozenset[str]]:
    """For each function the parameters to which somebody passes what may be a list that is followed."""
    statements = [node for node in walk(tree) if isinstance(node, ast.stmt)]
    lists = {name for statement in statements for name in kept.made_names(statement, calls, ())}
    lists |= {name for statement in statements for name in kept.made_names(statement, calls, lists)}
    found: dict[str, frozenset[str]] = dict.fromkeys(functions, frozenset())
    for _ in range(ROUNDS):
        for name, function in functions.items():
            passed = [pair for call in called[name] for pair in _arguments(call, parameters_of(function))]
            found[name] = frozenset(parameter for parameter, value in passed if _may_be_list(value, lists, calls))
            lists |= found[name]
    return found


def _arguments(call: ast.Call, parameters: tuple[str, ...]) -> list[tuple[str, ast.expr]]:
    return [*zip(parameters, call.args, strict=False), *((k.arg, k.value) for k in call.keywords if k.arg)]


def _may_be_list(value: ast.expr, lists: set[str], calls: kept.Calls) -> bool:
    return value.id in lists if isinstance(value, ast.Name) else kept.is_made(value, calls, lists)


def _takings(
    functions: Mapping[str, ast.FunctionDef], calls: kept.Calls, passed: Mapping[str, frozenset[str]]
) -> dict[str, kept.Taking]:
    takes: dict[str, kept.Taking] = {}
    for name, function in functions.items():
        parameters = parameters_of(function)
        taken = kept.followed_names(function, calls, parameters=passed[name]) & passed[name] if passed[name] else frozenset()
        if taken:
            light = frozenset(each for each in taken if kept.is_light(function, each, calls))
            takes[name] = kept.Taking(parameters=parameters, taken=taken, light=light)
    return takes


def _given(function: ast.FunctionDef, takes: Mapping[str, kept.Taking], calls: kept.Calls) -> tuple[bool, ...]:
    """For each value that a function returns, whether it is a list that nobody else has; one value for a plain return."""
    followed = followed_in(function, kept.Calls(fresh=calls.fresh, takes=takes)) - set(parameters_of(function))
    returns = [node.value for node in own_nodes(function.body) if isinstance(node, ast.Return)]
    shapes = [_shape(value, followed, calls) for value in returns]
    return shapes[0] if shapes and all(shape == shapes[0] for shape in shapes) else ()


def followed_in(function: ast.FunctionDef, calls: kept.Calls) -> frozenset[str]:
    """Names that are followed in a function of the module, parameters among them."""
    taking = calls.takes.get(function.name)
    return kept.followed_names(function, calls, parameters=taking.taken if taking is not None else frozenset())


def _shape(value: ast.expr | None, followed: frozenset[str], calls: kept.Calls) -> tuple[bool, ...]:
    parts = value.elts if isinstance(value, ast.Tuple) else [value]
    names = [part.id for part in parts if isinstance(part, ast.Name)]
    alone = {name for name in names if name in followed and names.count(name) == 1}
    return tuple(kept.is_made(part, calls, followed) or (isinstance(part, ast.Name) and part.id in alone) for part in parts)


def _accepted(
    tree: ast.Module, functions: Mapping[str, ast.FunctionDef], called: Mapping[str, list[ast.Call]], calls: kept.Calls
) -> kept.Calls:
    """Leave out functions whose lists somebody takes who does not follow them."""
    while True:
        scopes: list[tuple[list[ast.stmt], frozenset[str], str]] = [(tree.body, kept.followed_names(tree, calls), "")]
        scopes += [(function.body, followed_in(function, calls), name) for name, function in functions.items()]
        good = {id(value) for body, followed, name in scopes for value in _followed_values(body, followed, name, calls)}
        fresh = {name: given for name, given in calls.fresh.items() if all(id(call) in good for call in called[name])}
        if fresh.keys() == calls.fresh.keys():
            return calls
        calls = kept.Calls(fresh=fresh, takes=calls.takes)


def _followed_values(body: list[ast.stmt], followed: frozenset[str], name: str, calls: kept.Calls) -> Iterator[ast.expr]:
    """Expressions whose lists a scope follows."""
    for node in own_nodes(body):
        match node:
            case ast.Assign(targets=[ast.Name(id=target)], value=value) | ast.AnnAssign(target=ast.Name(id=target), value=value):
                if target in followed and value is not None:
                    yield value
            case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Call(func=ast.Name(id=function)) as value):
                given = calls.fresh.get(function, ())
                names = [t.id if isinstance(t, ast.Name) else "" for t in targets]
                if len(given) == len(names) and all(each in followed for each, is_fresh in zip(names, given, strict=True) if is_fresh):
                    yield value
            case ast.For(iter=iterable) | ast.comprehension(iter=iterable):
                yield iterable
            case ast.Call():
                yield from calls.taken_by(node)
            case ast.Return(value=ast.expr() as value) if calls.fresh.get(name) == (True,):
                yield value
