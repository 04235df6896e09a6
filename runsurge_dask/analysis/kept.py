"""Lists whose rows need not come back: which names hold a list that nobody else can reach, and where the list itself is needed.

    results = []
    for row in reader:
        results.append(f(row))              the rows stay where the chunks left them
    print(len(results))                     __runsurge__.count(results)
    for result in results:                  each chunk reads rows that some chunk left
        out.write(result)
    __runsurge__.settle(results)            written here: the next statement needs the list
    results.sort()

A name is followed only if every use of it in its scope is one of a few that keep no further reference to the list. Functions
of the module that only do such things with a parameter take a list as it is (`analysis.lists`).
"""

from __future__ import annotations

import ast
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runsurge_dask.analysis.names import SCOPES, bound_names, called_name, declared_names, own_nodes, read_names
from runsurge_dask.analysis.structure import children, walk

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

_THROUGH_BUILTINS = frozenset({"sum", "max", "min", "sorted", "any", "all", "list", "tuple", "set", "frozenset", "Counter"})
"""Functions that go once through what they are given, and keep no reference to it."""
_LOOKING_BUILTINS = _THROUGH_BUILTINS | {"len", "dict", "print", "str", "repr", "bool", "nlargest", "nsmallest", "mean", "fmean", "median"}
_LOOKING_METHODS = frozenset({
    "writerows", "writelines", "join", "dump", "dumps", "array", "asarray", "DataFrame", "Series", "mean", "fmean", "median",
    "stdev", "pstdev", "nlargest", "nsmallest"
})  # fmt: skip
"""Methods that keep no reference to a list that they are given."""
THROUGH_METHODS = frozenset({"writerows", "writelines", "join", "fmean", "nlargest", "nsmallest"})
"""Those that only go through it, where they are those of a file, a text, or a module of the standard library."""
_OWN_METHODS = frozenset({"append", "extend", "insert", "sort", "reverse", "index", "count", "clear", "remove", "pop", "copy"})
_GROWING = frozenset({"append", "extend"})
_RUNTIME = frozenset({"loop", "comp", "plain", "count", "settle", "item", "part", "between", "counted", "through", "taken", "has"})
"""What the rewritten script calls with a list that need not be all there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taking:
    """What a function of the module does with lists that it is given."""

    parameters: tuple[str, ...]
    """Those that have a position, in order."""
    taken: frozenset[str]
    """Those of which it keeps no reference."""
    light: frozenset[str]
    """Those of them that it only goes through, or asks for their length."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """What is known of the module's functions."""

    fresh: Mapping[str, tuple[bool, ...]] = field(default_factory=dict)
    """For each value that a function returns, whether it is a list that nobody else has."""
    takes: Mapping[str, Taking] = field(default_factory=dict)

    def taken_by(self, call: ast.Call, *, lightly: bool = False) -> list[ast.expr]:
        """Arguments of a call that the function keeps no reference to."""
        taking = self.takes.get(call.func.id) if isinstance(call.func, ast.Name) else None
        if taking is None:
            return []
        wanted = taking.light if lightly else taking.taken
        found = [value for name, value in zip(taking.parameters, call.args, strict=False) if name in wanted]
        return [*found, *(keyword.value for keyword in call.keywords if keyword.arg in wanted)]


def followed_names(scope: ast.Module | ast.FunctionDef, calls: Calls, *, parameters: frozenset[str] = frozenset()) -> frozenset[str]:
    """Names of lists that can be reached in this scope by this name only, or by the caller's."""
    body = scope.body
    statements = _statements(body)
    candidates = set(parameters)
    for _ in range(2):  # a slice of a slice
        candidates |= {name for statement in statements for name in made_names(statement, calls, candidates)}
    if not candidates:
        return frozenset()
    made = candidates - declared_names(body) - _names_of_inner_scopes(body)
    bound = [(_bound_here(statement), made_names(statement, calls, candidates)) for statement in statements]
    others = {name for names, lists in bound for name in names.difference(lists)}
    made -= others
    made -= {name for loop in walk(scope) if isinstance(loop, ast.For) for name in _names_in(loop.iter) & _grown_in(loop.body)}
    every = {each.arg for each in walk(scope.args) if isinstance(each, ast.arg)} if isinstance(scope, ast.FunctionDef) else set()
    made -= {name for _, lists in bound for name in lists if name in every}
    nodes = own_nodes(body)
    surely = _surely_bound(made - every, body, nodes, calls, candidates)
    made = {name for name in made if (name in parameters if name in every else name in surely)}
    harmless = {id(name) for node in nodes for name in _looked_at(node, calls)}
    return frozenset(made - {n.id for n in nodes if isinstance(n, ast.Name) and n.id in made and id(n) not in harmless})


def _statements(body: Iterable[ast.AST]) -> list[ast.stmt]:
    """All statements of a scope that are not inside of another."""
    found = list(body)
    for node in found:  # which grows meanwhile
        if not isinstance(node, SCOPES):
            found += [each for each in children(node) if isinstance(each, ast.stmt | ast.ExceptHandler | ast.match_case)]
    return [node for node in found if isinstance(node, ast.stmt)]


def is_made(value: ast.expr | None, calls: Calls, bases: Collection[str]) -> bool:
    """Whether an expression gives a list that nobody else has; a slice does where it is one of these."""
    match value:
        case ast.List(elts=[]) | ast.ListComp():
            return True
        case ast.Subscript(value=ast.Name(id=name), slice=ast.Slice(step=None)):
            return name in bases
        case ast.Call(func=ast.Name(id="list"), args=[] | [_], keywords=[]):
            return not any(isinstance(each, ast.Starred) for each in value.args)
        case ast.Call(func=ast.Name(id=name)):
            return calls.fresh.get(name) == (True,)
    return False


def made_names(statement: ast.stmt, calls: Calls, bases: Collection[str]) -> list[str]:
    """Names that a statement binds to lists that nobody else has."""
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)], value=value) | ast.AnnAssign(target=ast.Name(id=name), value=value):
            return [name] if is_made(value, calls, bases) else []
        case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Tuple(elts=values)) if len(targets) == len(values):
            return [t.id for t, value in zip(targets, values, strict=True) if isinstance(t, ast.Name) and is_made(value, calls, bases)]
        case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Call(func=ast.Name(id=name))):
            given = calls.fresh.get(name, ())
            pairs = zip(targets, given, strict=True) if len(given) == len(targets) else ()
            return [target.id for target, is_fresh in pairs if isinstance(target, ast.Name) and is_fresh]
    return []


def made_by_site(statement: ast.stmt, followed: Collection[str], *, gives_lists: bool) -> bool:
    """Whether a statement makes a list that is followed of a comprehension, or returns such a list to who follows it."""
    match statement:
        case ast.Assign(targets=[ast.Name(id=name)], value=value) | ast.AnnAssign(target=ast.Name(id=name), value=value):
            return name in followed and _is_site(value)
        case ast.Return(value=value):
            return gives_lists and _is_site(value)
    return False


def _is_site(value: ast.expr | None) -> bool:
    is_slice = isinstance(value, ast.Subscript) and isinstance(value.slice, ast.Slice)
    return is_slice or isinstance(value, ast.ListComp) or as_comprehension(value) is not None


def as_comprehension(value: ast.expr | None) -> ast.ListComp | None:
    """`list(csv.reader(f))` as a comprehension over the same rows; None for anything else."""
    match value:
        case ast.Call(func=ast.Name(id="list"), args=[ast.Call(func=ast.Attribute() | ast.Name()) as rows], keywords=[]):
            if called_name(rows) in {"map", "filter"}:
                return None  # the call of `list` stays, and takes all rows from its site
            found = ast.parse("[__rs_x for __rs_x in None]", mode="eval").body
            assert isinstance(found, ast.ListComp)
            for inner in walk(found):
                if isinstance(inner, ast.expr):
                    ast.copy_location(inner, value)
            found.generators[0].iter = rows
            return found
    return None


def _surely_bound(names: set[str], body: list[ast.stmt], nodes: Iterable[ast.AST], calls: Calls, bases: Collection[str]) -> set[str]:
    """Lists that are made in a suite before anything else in the scope mentions them, so that they may be asked for anywhere else."""
    if not names:
        return set()
    mentions = Counter(node.id for node in nodes if isinstance(node, ast.Name) and node.id in names)
    found: set[str] = set()
    for suite in map(_with_files_open, [body, *(suite for statement in _statements(body) for suite in _suites(statement))]):
        after: Counter[str] = Counter()
        first: dict[str, Counter[str]] = {}
        for each in reversed(suite):
            after = after + Counter(node.id for node in own_nodes([each]) if isinstance(node, ast.Name) and node.id in names)
            made = made_names(each, calls, bases) if isinstance(each, ast.stmt) else []
            first.update((name, after) for name in made if name in names)  # the earliest of several stays
        found |= {name for name, counted in first.items() if counted[name] == mentions[name]}
    return found


def _with_files_open(suite: list[ast.stmt]) -> list[ast.AST]:
    """The statements of a suite, with those for which files are opened among them: nothing skips these."""
    found: list[ast.AST] = []
    for statement in suite:
        if isinstance(statement, ast.With) and all(_is_opening(item.context_expr) for item in statement.items):
            found += [*statement.items, *_with_files_open(statement.body)]
        else:
            found.append(statement)
    return found


def _is_opening(value: ast.expr) -> bool:
    match value:
        case ast.Call(func=ast.Name(id="open") | ast.Attribute(attr="open")):
            return True
    return False


def _suites(statement: ast.stmt) -> list[list[ast.stmt]]:
    inner = [getattr(statement, each, None) for each in ("body", "orelse", "finalbody")]
    parts = [part.body for part in (*getattr(statement, "handlers", ()), *getattr(statement, "cases", ()))]
    return [suite for suite in (*inner, *parts) if isinstance(suite, list)]


def _bound_here(statement: ast.stmt) -> set[str]:
    """Names that a statement itself binds, and not one of the statements in it."""
    if isinstance(statement, ast.Delete):
        return set()
    if isinstance(statement, (*SCOPES, ast.Import, ast.ImportFrom)):
        return bound_names([statement])
    return bound_names([each for each in children(statement) if not isinstance(each, ast.stmt)])


def _names_of_inner_scopes(body: list[ast.stmt]) -> set[str]:
    """Names that functions, classes and generators inside read from around them: they may look at a list at any time."""
    nodes = [node for statement in body for node in walk(statement)]
    consumed = {id(each) for node in nodes if isinstance(node, ast.Call) for each in _looked_at(node, Calls())}
    return read_names(node for node in nodes if isinstance(node, (*SCOPES, ast.GeneratorExp)) and id(node) not in consumed)


def _names_in(node: ast.AST) -> set[str]:
    return {each.id for each in walk(node) if isinstance(each, ast.Name)}


def _grown_in(body: Iterable[ast.AST]) -> set[str]:
    """Names that code appends to."""
    found = set()
    for node in (each for statement in body for each in walk(statement)):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=attr)) if attr in _GROWING:
                found.add(name)
    return found


def _looked_at(node: ast.AST, calls: Calls) -> list[ast.expr]:  # noqa: C901, PLR0911 - a table of forms, one branch a row
    """Operands of a node that it uses without keeping them."""
    match node:
        case ast.Assign(targets=[ast.Name() as target]) | ast.AnnAssign(target=ast.Name() as target):
            return [target]
        case ast.Assign(targets=[ast.Tuple(elts=targets)]):
            return targets
        case ast.Delete(targets=targets):
            return targets
        case ast.For(iter=iterable) | ast.comprehension(iter=iterable):
            return [iterable, *(iterable.args if isinstance(iterable, ast.Call) and _calls(iterable, _ITERATED) else [])]
        case ast.Call() if _calls(node, _LOOKING_BUILTINS):
            return list(node.args)
        case ast.Call(func=ast.Name()):
            return calls.taken_by(node)
        case ast.Call(func=ast.Attribute(value=owner, attr=attr)) if attr in _LOOKING_METHODS | _OWN_METHODS:
            return [*([owner] if attr in _OWN_METHODS else []), *(node.args if attr in _LOOKING_METHODS else [])]
        case ast.Subscript(value=value, ctx=ast.Load()):
            return [value]
        case ast.Return(value=ast.expr() as value):
            return [value, *(value.elts if isinstance(value, ast.Tuple) else [])]
        case ast.Compare(left=left, comparators=comparators):
            return [left, *comparators]
        case ast.If(test=ast.Name() as test) | ast.UnaryOp(op=ast.Not(), operand=test) | ast.FormattedValue(value=test):
            return [test]
    return []


_ITERATED = frozenset({"enumerate", "reversed", "zip"})


def _calls(node: ast.Call, names: Iterable[str]) -> bool:
    return isinstance(node.func, ast.Name) and node.func.id in names and not any(isinstance(each, ast.Starred) for each in node.args)


def heads(statement: ast.stmt) -> list[ast.AST]:
    """The parts of a statement that are not statements themselves."""
    return [each for each in children(statement) if not isinstance(each, ast.stmt | ast.ExceptHandler | ast.match_case)]


def needing(statement: ast.stmt, names: Collection[str], calls: Calls, *, gives_lists: bool) -> set[str]:
    """Names whose list the head of a rewritten statement needs itself, and not only its length or its rows in order.

    `gives_lists`: what this scope returns goes to somebody who follows it.
    """
    if not names or isinstance(statement, SCOPES):
        return set()
    nodes = [each for part in heads(statement) for each in walk(part)]
    free = {id(each) for node in nodes for each in _handed_over(node, calls)}
    if gives_lists and isinstance(statement, ast.Return):
        free |= {id(each) for each in _looked_at(statement, calls)}
    loads = (node for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load))
    return {node.id for node in loads if node.id in names and id(node) not in free}


def _handed_over(node: ast.AST, calls: Calls) -> list[ast.expr]:
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name(id="__runsurge__"), attr=attr), args=arguments) if attr.split("_")[0] in _RUNTIME:
            return arguments
        case ast.Call(func=ast.Attribute(value=owner, attr=attr)) if attr in _GROWING:
            return [owner]
        case ast.Call(func=ast.Name()):
            return calls.taken_by(node)
    return []


def needed_within(loop: ast.For | ast.While, names: Collection[str], calls: Calls) -> set[str]:
    """Names whose list the body of a loop needs in each turn, so that it is better had before."""
    if not names:
        return set()
    statements = [each for suite in (loop.body, loop.orelse) for each in _statements(suite)]
    used = {name for statement in statements for name in heavy_uses(statement, calls)}
    loops = [node for node in statements if isinstance(node, ast.For)]
    made = {name for statement in statements for name in made_names(statement, calls, names)}
    return (used & set(names)) - made - {name for each in loops for name in _grown_in(each.body)}


def is_light(scope: ast.FunctionDef, name: str, calls: Calls) -> bool:
    """Whether a scope only goes through a list, or asks for its length."""
    return not any(name in heavy_uses(statement, calls) for statement in _statements(scope.body))


def heavy_uses(statement: ast.stmt, calls: Calls) -> set[str]:
    """Names that the head of a statement as written uses in another way than to go through them once or to ask for their length."""
    parts = heads(statement)
    free = {id(statement.iter)} if isinstance(statement, ast.For) else set()
    nodes = [node for part in parts for node in walk(part)]
    free |= {id(each) for node in nodes for each in _only_looked_through(node, calls)}
    return {n.id for n in nodes if isinstance(n, ast.Name) and id(n) not in free}


def _only_looked_through(node: ast.AST, calls: Calls) -> list[ast.expr]:
    match node:
        case ast.comprehension(iter=iterable):
            return [iterable]
        case ast.Call(func=ast.Name(id=name), args=[only]) if name == "len" or name in _THROUGH_BUILTINS:
            return [only]
        case ast.Call(func=ast.Name()):
            return calls.taken_by(node, lightly=True)
        case ast.Call(func=ast.Attribute(value=owner, attr=attr)) if attr in _GROWING:
            return [owner]
        case ast.Subscript(value=value, slice=place) if is_fixed(place):
            return [value]
    return []


def is_fixed(place: ast.expr) -> bool:
    """Whether this is a position that is spelled out, or a slice without a step."""
    match place:
        case ast.Constant(value=int()) | ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int())) | ast.Slice(step=None):
            return True
    return False


def gone_through(call: ast.Call) -> bool:
    """Whether a built-in only goes through its one argument."""
    return _calls(call, _THROUGH_BUILTINS) and len(call.args) == 1 and isinstance(call.args[0], ast.Name)
