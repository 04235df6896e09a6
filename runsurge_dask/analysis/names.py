"""Which names a piece of code binds, reads, and reads before it binds them.

For example, in the body of a loop

    parts = line.split()        binds {parts}, reads {line}
    total = total + parts[0]    binds {total}, reads {total, parts}

`total` is read before it is bound: its value comes from the row before, so it is *carried*.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from runsurge_dask.analysis.structure import children, walk

if TYPE_CHECKING:
    from collections.abc import Iterable

SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)


def bound_names(nodes: Iterable[ast.AST]) -> set[str]:
    """Names that these statements bind in their own scope."""
    found: set[str] = set()
    waiting = list(nodes)
    while waiting:
        node = waiting.pop()
        match node:
            case ast.Name():
                if not isinstance(node.ctx, ast.Load):
                    found.add(node.id)
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                found.add(node.name)
                waiting += (*node.decorator_list, *_defaults(node))
            case ast.Lambda():
                pass  # its parameters are its own
            case ast.ListComp() | ast.SetComp() | ast.DictComp() | ast.GeneratorExp():
                found.update(inner.target.id for inner in walk(node) if isinstance(inner, ast.NamedExpr))
            case ast.Import() | ast.ImportFrom():
                found.update((alias.asname or alias.name).split(".")[0] for alias in node.names)
            case _:
                name = getattr(node, "name", None) or getattr(node, "rest", None)
                if name and isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar | ast.MatchMapping):
                    found.add(name)
                waiting += children(node)
    return found


def _defaults(node: ast.AST) -> list[ast.expr]:
    arguments = getattr(node, "args", None)
    if not isinstance(arguments, ast.arguments):
        return []
    return [*arguments.defaults, *(d for d in arguments.kw_defaults if d is not None)]


def read_names(nodes: Iterable[ast.AST]) -> set[str]:
    """Names read here that come from outside of these nodes' own inner scopes (functions, comprehensions)."""
    found: set[str] = set()
    for node in nodes:
        found |= _reads(node)
    return found


def _reads(node: ast.AST) -> set[str]:
    if isinstance(node, ast.Name):
        return {node.id} if isinstance(node.ctx, ast.Load | ast.Del) else set()
    if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name):
        return {node.target.id} | _reads(node.value)
    if isinstance(node, COMPREHENSIONS):
        return _comprehension_reads(node)
    if isinstance(node, ast.Lambda):
        return (_reads(node.body) - parameter_names(node.args)) | read_names(_defaults(node))
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        return function_reads(node) | read_names([*node.decorator_list, *_defaults(node)])
    return read_names(children(node))


def _comprehension_reads(node: ast.AST) -> set[str]:
    generators: list[ast.comprehension] = node.generators  # type: ignore[attr-defined]
    own: set[str] = set()
    found: set[str] = set()
    for generator in generators:
        found |= _reads(generator.iter) - own
        own |= bound_names([generator.target])
        found |= read_names(generator.ifs) - own
    parts = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]  # type: ignore[attr-defined]
    return found | (read_names(parts) - own)


def function_reads(node: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    """Names that a function reads from around it."""
    own = parameter_names(node.args) | bound_names(node.body)
    declared = declared_names(node.body)
    return (read_names(node.body) - (own - declared)) | (declared & (own | read_names(node.body)))


def called_name(node: ast.Call) -> str:
    """The simple name of what is called."""
    if isinstance(node.func, ast.Name):
        return node.func.id
    return node.func.attr if isinstance(node.func, ast.Attribute) else ""


def position_of(name: str) -> int:
    """Which argument of a consuming call is the iterable."""
    return 1 if name in {"nlargest", "nsmallest", "reduce"} else 0


def parameter_names(arguments: ast.arguments) -> set[str]:
    """Names of a function's parameters."""
    every = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    names = {argument.arg for argument in every}
    return names | {star.arg for star in (arguments.vararg, arguments.kwarg) if star is not None}


def own_nodes(nodes: Iterable[ast.AST]) -> list[ast.AST]:
    """All nodes of these statements that are not inside a nested function or class."""
    found = list(nodes)
    for node in found:  # which grows meanwhile
        if not isinstance(node, SCOPES):
            found += children(node)
    return found


def declared_names(body: Iterable[ast.AST]) -> set[str]:
    """Names that a function declares global or nonlocal."""
    waiting, found = list(body), set[str]()
    for node in waiting:  # which grows meanwhile
        if isinstance(node, ast.Global | ast.Nonlocal):
            found.update(node.names)
        elif not isinstance(node, SCOPES):
            waiting += [child for child in children(node) if isinstance(child, _HOLDING_STATEMENTS)]
    return found


_HOLDING_STATEMENTS = (ast.stmt, ast.ExceptHandler, ast.match_case)


Look = tuple[set[str], dict[str, tuple[int | None, int | None]]]
"""The names that a node reads, and where it binds names by `:=`."""
Seen = dict[int, tuple[ast.AST, Look]]
"""Looks by the id of their node, which must stay as it is; kept with it, so that the id stays its own."""


def carried_reads(body: list[ast.stmt], defined: set[str], seen: Seen | None = None) -> set[str]:
    """Names that the body may read before it has bound them in the same turn; `seen` saves looking at a node again."""
    flow = Flow(seen)
    flow.run(body, set(defined))
    return flow.exposed


class Flow:
    """Walks statements in order of execution; a state of None means that this point is not reached."""

    def __init__(self, seen: Seen | None = None) -> None:
        self.exposed: set[str] = set()
        self.seen = seen

    def read(self, state: set[str], *nodes: ast.AST | None) -> None:
        """Note what these expressions read of what is not bound yet."""
        for node in nodes:
            if node is not None:
                reads, given = self._look(node)
                self.exposed |= reads - state - {name for name, place in given.items() if _is_only_read_after(node, name, place)}
                state |= set(given)

    def _look(self, node: ast.AST) -> Look:
        known = None if self.seen is None else self.seen.get(id(node))
        if known is not None:
            return known[1]
        look = _reads(node), {n.target.id: (n.end_lineno, n.end_col_offset) for n in walk(node) if isinstance(n, ast.NamedExpr)}
        if self.seen is not None:
            self.seen[id(node)] = node, look
        return look

    def run(self, body: list[ast.stmt], state: set[str] | None) -> set[str] | None:
        """The names bound after these statements, whatever way was taken through them."""
        for statement in body:
            if state is None:
                return None
            state = self._step(statement, state)
        return state

    def _step(self, node: ast.stmt, state: set[str]) -> set[str] | None:  # noqa: C901, PLR0911, PLR0912 - one branch a statement form
        match node:
            case ast.If(test=test, body=body, orelse=orelse):
                self.read(state, test)
                return _meet(self.run(body, set(state)), self.run(orelse, set(state)))
            case (
                ast.For(target=target, iter=iterable, body=body, orelse=orelse)
                | ast.AsyncFor(target=target, iter=iterable, body=body, orelse=orelse)
            ):
                self.read(state, iterable, target)
                self.run(body, state | bound_names([target]))
                return self.run(orelse, set(state)) if orelse and not _breaks(body) else self._after_loop(orelse, state)
            case ast.While(test=test, body=body, orelse=orelse):
                self.read(state, test)
                self.run(body, set(state))
                return self._after_loop(orelse, state)
            case (
                ast.Try(body=body, handlers=handlers, orelse=orelse, finalbody=final)
                | ast.TryStar(body=body, handlers=handlers, orelse=orelse, finalbody=final)
            ):
                after = self.run([*body, *orelse], set(state))
                for handler in handlers:
                    self.read(state, handler.type)
                    caught = state | ({handler.name} if handler.name else set())
                    after = _meet(after, self.run(handler.body, caught))
                if final:
                    self.run(final, set(state))
                return None if after is None else after | bound_names(final)
            case ast.With(items=items, body=body) | ast.AsyncWith(items=items, body=body):
                for item in items:
                    self.read(state, item.context_expr)
                    if item.optional_vars is not None:
                        self.read(state, item.optional_vars)
                        state |= bound_names([item.optional_vars])
                return self.run(body, state)
            case ast.Match(subject=subject, cases=cases):
                return self._match(subject, cases, state)
            case ast.Continue() | ast.Break():
                return None
            case ast.Return(value=value):
                self.read(state, value)
                return None
            case ast.Raise(exc=error, cause=cause):
                self.read(state, error, cause)
                return None
            case ast.AugAssign(target=target, value=value):
                self.read(state, value, ast.Name(target.id, ast.Load()) if isinstance(target, ast.Name) else target)
                return state | bound_names([target])
            case ast.Assign(targets=targets, value=value):
                self.read(state, value, *targets)
                return state | bound_names(targets)
            case ast.Delete(targets=targets):
                self.read(state, *targets)
                return state - bound_names(targets)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                self.read(state | {name}, node)
                return state | {name}
        self.read(state, node)
        return state | bound_names([node])

    def _after_loop(self, orelse: list[ast.stmt], state: set[str]) -> set[str]:
        self.run(orelse, set(state))
        return state

    def _match(self, subject: ast.expr, cases: list[ast.match_case], state: set[str]) -> set[str] | None:
        self.read(state, subject)
        ends: list[set[str] | None] = []
        is_total = False
        for case in cases:
            inner = state | bound_names([case.pattern])
            self.read(inner, case.pattern, case.guard)
            ends.append(self.run(case.body, inner))
            is_total |= case.guard is None and isinstance(case.pattern, ast.MatchAs) and case.pattern.pattern is None
        if not is_total:
            ends.append(set(state))
        after = ends[0]
        for end in ends[1:]:
            after = _meet(after, end)
        return after


def _is_only_read_after(node: ast.AST, name: str, place: tuple[int | None, int | None]) -> bool:
    loads = [n for n in walk(node) if isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Load)]
    return all((n.lineno, n.col_offset) >= (place[0] or 0, place[1] or 0) for n in loads)


def _meet(one: set[str] | None, other: set[str] | None) -> set[str] | None:
    if one is None:
        return other
    return one if other is None else one & other


def _breaks(body: list[ast.stmt]) -> bool:
    return any(isinstance(node, ast.Break) for node in own_nodes(body))
