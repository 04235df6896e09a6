"""Lists whose rows need not come back: which names hold a list that nobody else can reach, and where the list itself is needed.

    results = []
    for row in reader:
        results.append(f(row))              the rows stay where the chunks left them
    print(len(results))                     __runsurge__.count(results)
    for result in results:                  each chunk reads rows that some chunk left
        out.write(result)
    __runsurge__.settle(results)            written here: the next statement needs the list
    results.sort()

A name is followed only if every use of it in its scope is one of a few that keep no further reference to the list.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from runsurge_dask.analysis.names import SCOPES, bound_names, declared_names
from runsurge_dask.analysis.structure import children, walk

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

Followed = dict[int, frozenset[str]]
"""By the id of a function or module, the names that are followed in it."""
_LOOKING_BUILTINS = frozenset({
    "len", "sum", "max", "min", "sorted", "any", "all", "list", "tuple", "set", "dict", "print", "str", "repr", "bool", "Counter"
})  # fmt: skip
"""Functions that keep no reference to a list that they are given."""
_LOOKING_METHODS = frozenset({
    "writerows", "writelines", "join", "dump", "dumps", "array", "asarray", "DataFrame", "Series", "mean", "fmean", "median",
    "stdev", "pstdev"
})  # fmt: skip
_OWN_METHODS = frozenset({"append", "extend", "insert", "sort", "reverse", "index", "count", "clear", "remove", "pop", "copy"})


def followed_names(scope: ast.Module | ast.FunctionDef) -> frozenset[str]:
    """Names of lists that can be reached in this scope by this name only."""
    body = scope.body
    candidates = {name for statement in _statements(body) for name in _made_list(statement)}
    if not candidates:
        return frozenset()
    made = candidates - declared_names(body) - _names_of_inner_scopes(body)
    others = {name for statement in _statements(body) if not _made_list(statement) for name in _bound_here(statement)}
    made -= others
    made -= {name for loop in walk(scope) if isinstance(loop, ast.For) for name in _names_in(loop.iter) & _grown_in(loop.body)}
    made = {name for name in made if _is_surely_bound(name, body)}
    if isinstance(scope, ast.FunctionDef):
        made -= {each.arg for each in walk(scope.args) if isinstance(each, ast.arg)}
    harmless = {id(name) for node in walk(scope) for name in _looked_at(node)}
    return frozenset(made - {n.id for n in walk(scope) if isinstance(n, ast.Name) and n.id in made and id(n) not in harmless})


def _statements(body: Iterable[ast.AST]) -> list[ast.stmt]:
    """All statements of a scope that are not inside of another."""
    found = list(body)
    for node in found:  # which grows meanwhile
        if not isinstance(node, SCOPES):
            found += [each for each in children(node) if isinstance(each, ast.stmt | ast.ExceptHandler | ast.match_case)]
    return [node for node in found if isinstance(node, ast.stmt)]


def _made_list(statement: ast.stmt) -> list[str]:
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)], value=ast.List(elts=[]) | ast.ListComp()):
            return [name]
        case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call(func=ast.Name(id="list"), args=[], keywords=[])):
            return [name]
    return []


def made_by_comprehension(statement: ast.stmt) -> str:
    """The name of a list that a statement makes of a comprehension; empty for any other statement."""
    return _made_list(statement)[0] if _made_list(statement) and isinstance(statement.value, ast.ListComp) else ""  # type: ignore[attr-defined]


def _is_surely_bound(name: str, body: list[ast.stmt]) -> bool:
    """Whether a list is made in a suite before anything else in the scope mentions it, so that it may be asked for anywhere else."""
    mentions = _mentions(name, body)
    suites = [body, *(suite for statement in _statements(body) for suite in _suites(statement))]
    for suite in suites:
        first = next((n for n, statement in enumerate(suite) if _made_list(statement) == [name]), None)
        if first is not None and _mentions(name, suite[first:]) == mentions:
            return True
    return False


def _mentions(name: str, body: Iterable[ast.AST]) -> int:
    return sum(isinstance(node, ast.Name) and node.id == name for statement in body for node in walk(statement))


def _suites(statement: ast.stmt) -> list[list[ast.stmt]]:
    inner = [getattr(statement, each, None) for each in ("body", "orelse", "finalbody")]
    parts = [part.body for part in (*getattr(statement, "handlers", ()), *getattr(statement, "cases", ()))]
    return [suite for suite in (*inner, *parts) if isinstance(suite, list)]


def _bound_here(statement: ast.stmt) -> set[str]:
    """Names that a statement itself binds, and not one of the statements in it."""
    if isinstance(statement, (*SCOPES, ast.Import, ast.ImportFrom)):
        return bound_names([statement])
    return bound_names([each for each in children(statement) if not isinstance(each, ast.stmt)])


def _names_of_inner_scopes(body: list[ast.stmt]) -> set[str]:
    """Names that functions, classes and generators inside mention: they may look at a list at any time."""
    consumed = {id(each) for statement in body for node in walk(statement) if isinstance(node, ast.Call) for each in _looked_at(node)}
    inner = (*SCOPES, ast.GeneratorExp)
    nodes = (node for statement in body for node in walk(statement) if isinstance(node, inner) and id(node) not in consumed)
    return {name for node in nodes for name in _names_in(node)}


def _names_in(node: ast.AST) -> set[str]:
    return {each.id for each in walk(node) if isinstance(each, ast.Name)}


def _grown_in(body: Iterable[ast.AST]) -> set[str]:
    """Names that code appends to."""
    found = set()
    for node in (each for statement in body for each in walk(statement)):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="append")):
                found.add(name)
    return found


def _looked_at(node: ast.AST) -> list[ast.expr]:
    """Operands of a node that it uses without keeping them."""
    match node:
        case ast.Assign(targets=[ast.Name() as target]):
            return [target]
        case ast.For(iter=iterable) | ast.comprehension(iter=iterable):
            return [iterable, *(iterable.args if isinstance(iterable, ast.Call) and _calls(iterable, {"enumerate", "reversed"}) else [])]
        case ast.Call() if _calls(node, _LOOKING_BUILTINS):
            return list(node.args)
        case ast.Call(func=ast.Attribute(value=owner, attr=attr)) if attr in _LOOKING_METHODS | _OWN_METHODS:
            return [*([owner] if attr in _OWN_METHODS else []), *(node.args if attr in _LOOKING_METHODS else [])]
        case ast.Subscript(value=value, ctx=ast.Load()):
            return [value]
        case ast.Return(value=ast.expr() as value):
            return [value]
        case ast.Compare(left=left, comparators=comparators):
            return [left, *comparators]
        case ast.If(test=ast.Name() as test) | ast.UnaryOp(op=ast.Not(), operand=test) | ast.FormattedValue(value=test):
            return [test]
    return []


def _calls(node: ast.Call, names: Iterable[str]) -> bool:
    return isinstance(node.func, ast.Name) and node.func.id in names and not any(isinstance(each, ast.Starred) for each in node.args)


def heads(statement: ast.stmt) -> list[ast.AST]:
    """The parts of a statement that are not statements themselves."""
    return [each for each in children(statement) if not isinstance(each, ast.stmt | ast.ExceptHandler | ast.match_case)]


def needing(statement: ast.stmt, names: Collection[str]) -> set[str]:
    """Names whose list the head of a rewritten statement needs itself, and not only its length or its rows in order."""
    if not names or isinstance(statement, SCOPES):
        return set()
    nodes = [each for part in heads(statement) for each in walk(part)]
    free = {id(each) for node in nodes for each in _handed_over(node)}
    loads = (node for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load))
    return {node.id for node in loads if node.id in names and id(node) not in free}


def _handed_over(node: ast.AST) -> list[ast.expr]:
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name(id="__runsurge__"), attr="loop" | "comp" | "count" | "settle"), args=arguments):
            return arguments
    return []


def needed_within(loop: ast.For | ast.While, names: Collection[str]) -> set[str]:
    """Names whose list the body of a loop needs in each turn, so that it is better had before."""
    inner = [loop.body, loop.orelse]
    statements = [each for suite in inner for each in _statements(suite)]
    used: set[str] = set()
    for statement in statements:
        parts = heads(statement)
        free = {id(statement.iter)} if isinstance(statement, ast.For) else set()
        free |= {id(each) for part in parts for node in walk(part) for each in _only_looked_through(node)}
        used |= {n.id for part in parts for n in walk(part) if isinstance(n, ast.Name) and id(n) not in free}
    loops = [node for node in statements if isinstance(node, ast.For)]
    made = {name for statement in statements for name in _made_list(statement)}
    return (used & set(names)) - made - {name for each in loops for name in _grown_in(each.body)}


def _only_looked_through(node: ast.AST) -> list[ast.expr]:
    match node:
        case ast.comprehension(iter=iterable):
            return [iterable]
        case ast.Call(func=ast.Name(id="len"), args=[only]):
            return [only]
    return []
