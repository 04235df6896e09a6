"""What a statement of the small language reads, and which names may look different after it.

    rows = load(path)
    first = rows[0]
    first.append(1)        changes `first`, and `rows` that holds the same list, and whatever was made of either
    found = []
    for row in rows:
        found.append(row)  changes `found` alone: the rows in it stay as they are

Names are followed without regard to the order of statements, so that too many may be named, and never too few. A value may be
reached *exactly* (`a = b`), as a *part* (`a = b[0]`, `for a in b`, `a = f(b)`), or be *held* (`a = [b]`). Files and iterators are
left out: they move when they are used, but they are never stored, and what they give is new.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runsurge_dask.analysis.names import bound_names, function_reads, parameter_names, read_names
from runsurge_dask.analysis.structure import children, walk
from runsurge_dask.planning.tasks import words

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

Edges = dict[str, set[str]]
_FRESH_FORMS = (
    ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp, ast.Constant, ast.JoinedStr, ast.Compare, ast.BinOp, ast.UnaryOp,
)  # fmt: skip


@dataclass(slots=True)
class Summary:
    """What calling one function of the script may do."""

    reads: set[str] = field(default_factory=set)
    """Names around it that it, or what it calls, reads."""
    changes: set[str] = field(default_factory=set)
    """Its parameters, and names around it, whose values may look different afterwards."""
    writes: bool = False
    """It prints, or writes a file."""


@dataclass(slots=True)
class Flow:
    """How values get from name to name within one function or module."""

    summaries: Mapping[str, Summary]
    functions: Mapping[str, ast.FunctionDef]
    modules: frozenset[str]
    exact: Edges = field(default_factory=dict)
    part: Edges = field(default_factory=dict)
    held: Edges = field(default_factory=dict)
    tables: frozenset[str] = frozenset()
    """Names of tables whose entries are all made for them: `groups.setdefault(key, []).append(x)` changes `groups` alone."""

    # -- what a value may be, or hold ------------------------------------------------------------------------------------

    def exactly(self, value: ast.expr) -> set[str]:
        """Names whose very value this may be."""
        match value:
            case ast.Name(id=name):
                return {name}
            case ast.IfExp(body=one, orelse=other):
                return self.exactly(one) | self.exactly(other)
            case ast.BoolOp(values=values):
                return set().union(*map(self.exactly, values))
        return set()

    def parts(self, value: ast.expr) -> set[str]:
        """Names of which this may be a part, or the value itself."""
        match value:
            case ast.Name(id=name):
                return {name}
            case ast.Subscript(value=owner) | ast.Attribute(value=owner) | ast.Starred(value=owner):
                return self.parts(owner)
            case ast.IfExp(body=one, orelse=other):
                return self.parts(one) | self.parts(other)
            case ast.BoolOp(values=values):
                return set().union(*map(self.parts, values))
            case ast.Call(func=ast.Name(id=name)) if name in words.FRESH_CALLS:
                return set()
            case ast.Call(func=ast.Attribute(attr=method)) if method in words.TEXT_METHODS:
                return set()
        return set() if isinstance(value, _FRESH_FORMS) else self.contents(value)

    def contents(self, value: ast.AST) -> set[str]:
        """Names whose values, or parts of them, this may hold."""
        match value:
            case ast.Name(id=name):
                return {name} - self.modules
            case ast.JoinedStr() | ast.Compare() | ast.Constant():
                return set()
            case ast.Call(func=ast.Name(id=name)) if name in words.ATOMIC_CALLS:
                return set()
            case ast.Call(func=ast.Attribute(attr=method)) if method in words.TEXT_METHODS:
                return set()
            case ast.Call(func=ast.Name(id=name)) if name in self.functions:
                inner = set().union(*(self.contents(each) for each in _arguments(value)))
                return inner | self.summaries[name].reads
            case ast.Call(func=ast.Name()):
                return set().union(*(self.contents(each) for each in _arguments(value)))
            case ast.Dict(values=values):  # keys can be looked up by: they never change
                return set().union(*(self.contents(each) for each in values))
        return set().union(*(self.contents(each) for each in children(value)))

    # -- how names get their values ---------------------------------------------------------------------------------------

    def learn(self, nodes: Iterable[ast.AST]) -> Flow:
        """Take in every binding in these statements."""
        every = [node for each in nodes for node in walk(each) if not isinstance(node, ast.FunctionDef)]
        self.tables = self._tables(every)
        for node in every:
            for target, value in _bindings(node):
                self._bind(target, value)
        for root, value in (pair for node in every for pair in self._additions(node)):
            for owner in self._owners(root):
                self.held.setdefault(owner, set()).update(self.contents(value))
        return self

    def _owners(self, name: str) -> set[str]:
        """A name, and those that what it stands for may be a part of."""
        found = {name}
        while True:
            more = {each for one in found for each in self.part.get(one, set()) | self.exact.get(one, set())} - found
            if not more:
                return found
            found |= more

    def _bind(self, target: ast.expr, value: ast.expr) -> None:
        for name in (n.id for n in walk(target) if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load)):
            if isinstance(target, ast.Name):
                self.exact.setdefault(name, set()).update(self.exactly(value))
            self.part.setdefault(name, set()).update(self.parts(value) if isinstance(target, ast.Name) else self.contents(value))
            self.held.setdefault(name, set()).update(self.contents(value))

    def _additions(self, node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
        """Values that are put into what a name stands for."""
        match node:
            case ast.Assign(targets=targets, value=value):
                for target in (each for t in targets for each in walk(t) if isinstance(each, ast.Subscript)):
                    yield from ((name, value) for name in self.parts(target) if isinstance(target.ctx, ast.Store))
            case ast.AugAssign(target=target, value=value):
                yield from ((name, value) for name in self.parts(_as_read(target)))
            case ast.Call(func=ast.Attribute(value=owner, attr=method)) if method in words.CHANGING_METHODS:
                yield from ((name, each) for name in self.parts(owner) for each in _arguments(node))
            case ast.Call(func=ast.Name(id=name)) if name in self.functions and self.summaries[name].changes:
                given = set().union(*(self.contents(each) for each in _arguments(node))) | self.summaries[name].changes
                yield from ((name, each) for name in given for each in _arguments(node))

    def _tables(self, nodes: Iterable[ast.AST]) -> frozenset[str]:
        """Names that only ever stand for a table made here, whose entries are all made for it."""
        made: set[str] = set()
        others: set[str] = set()
        for node in nodes:
            for target, value in _bindings(node):
                names = {n.id for n in walk(target) if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load)}
                (made if isinstance(target, ast.Name) and _is_empty_table(value) else others).update(names)
            match node:
                case ast.Assign(targets=targets, value=value) if not _is_made_here(value):
                    others |= {n.id for t in targets for n in walk(t) if isinstance(n, ast.Name)}
                case ast.AugAssign(target=ast.Name(id=name)):
                    others.add(name)
                case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr=method), args=arguments):
                    is_made = method == "setdefault" and len(arguments) == 2 and _is_made_here(arguments[1])  # noqa: PLR2004 - key, entry
                    if method in words.CHANGING_METHODS and not is_made:
                        others.add(name)
        return frozenset(made - others)

    # -- what changes ------------------------------------------------------------------------------------------------------

    def changed_by(self, statements: Iterable[ast.AST]) -> set[str]:
        """Names whose values may look different after these statements, other than by being bound anew."""
        roots: set[tuple[str, bool]] = set()
        for node in (node for each in statements for node in walk(each)):
            match node:
                case ast.Assign(targets=targets):
                    stored = (t for each in targets for t in walk(each) if isinstance(t, ast.Subscript))
                    roots |= {root for each in stored if isinstance(each.ctx, ast.Store) for root in self._roots(each.value)}
                case ast.AugAssign(target=ast.Subscript() as target):
                    roots |= self._roots(target.value) | self._roots(_as_read(target))
                case ast.AugAssign(target=ast.Name(id=name)):
                    roots.add((name, False))
                case ast.Call(func=ast.Attribute(value=owner, attr=method)) if method in words.CHANGING_METHODS:
                    roots |= self._roots(owner)
                case ast.Call(func=ast.Name(id=name)):
                    roots |= self._changed_by_call(node, name)
        return self._reached(roots)

    def _changed_by_call(self, node: ast.Call, name: str) -> set[tuple[str, bool]]:
        if name in self.functions:
            summary, function = self.summaries[name], self.functions[name]
            own = [each.arg for each in (*function.args.posonlyargs, *function.args.args)]
            is_plain = len(node.args) == len(own) and not node.keywords and not any(isinstance(a, ast.Starred) for a in node.args)
            changed = {each for each in summary.changes if each not in parameter_names(function.args)}
            roots = {(each, True) for each in changed}
            for place, argument in enumerate(_arguments(node)):
                if summary.changes and (not is_plain or own[place] in summary.changes):
                    roots |= {(each, True) for each in self.contents(argument)}
            return roots
        return set()

    def _roots(self, owner: ast.expr) -> set[tuple[str, bool]]:
        """The names of what is changed, and whether it may be something inside of what they stand for."""
        match owner:
            case ast.Name(id=name):
                return {(name, False)}
            case ast.Subscript(value=ast.Name(id=name)) | ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="setdefault")):
                if name in self.tables:
                    return {(name, False)}
        return {(name, True) for name in self.parts(owner)}

    def _reached(self, roots: set[tuple[str, bool]]) -> set[str]:
        """Every name that may stand for, or hold, one of these values."""
        waiting, seen = list(roots), set(roots)
        while waiting:
            name, is_inside = waiting.pop()
            following = {(each, False) for each in self.exact.get(name, ())}
            following |= {(each, inside) for each in self.part.get(name, set()) - self.exact.get(name, set()) for inside in (False, True)}
            if is_inside:
                following |= {(each, inside) for each in self.held.get(name, ()) for inside in (False, True)}
            waiting += following - seen
            seen |= following
        names = {name for name, _ in seen}
        while True:
            more = {name for name, held in self.held.items() if held & names} - names
            if not more:
                return names
            names |= more


def summarize(functions: Mapping[str, ast.FunctionDef], modules: frozenset[str]) -> dict[str, Summary]:
    """What calling each function may do, through everything that it calls."""
    own = set(functions) | words.BUILTINS | words.EXCEPTIONS | modules
    summaries = {name: Summary(reads=function_reads(function) - own) for name, function in functions.items()}
    while True:
        before = [(set(each.reads), set(each.changes), each.writes) for each in summaries.values()]
        for name, function in functions.items():
            summary = summaries[name]
            for other in read_names(function.body) & set(functions):
                summary.reads |= summaries[other].reads
                summary.writes |= summaries[other].writes
            summary.writes |= writes(function.body)
            flow = Flow(summaries, functions, modules).learn(function.body)
            around = parameter_names(function.args) | (summary.reads - bound_names(function.body))
            summary.changes |= flow.changed_by(function.body) & around
        if before == [(each.reads, each.changes, each.writes) for each in summaries.values()]:
            return summaries


def writes(statements: Iterable[ast.AST]) -> bool:
    """Whether these statements themselves print or write a file."""
    for node in (node for each in statements for node in walk(each)):
        match node:
            case ast.Call(func=ast.Name(id="print" | "open")):
                return True
            case ast.Call(func=ast.Attribute(attr=method)) if method in words.WRITING_METHODS | words.WRITING_FUNCTIONS:
                return True
    return False


def _bindings(node: ast.AST) -> Iterator[tuple[ast.expr, ast.expr]]:
    match node:
        case ast.Assign(targets=targets, value=value):
            yield from ((target, value) for target in targets if not isinstance(target, ast.Subscript))
        case ast.AnnAssign(target=target, value=ast.expr() as value):
            yield target, value
        case ast.AugAssign(target=ast.Name() as target, value=value):
            yield target, ast.List([_as_read(target), value], ast.Load())
        case ast.For(target=target, iter=value) | ast.comprehension(target=target, iter=value):
            yield target, ast.Subscript(value, ast.Constant(0), ast.Load())
        case ast.withitem(optional_vars=ast.expr() as target, context_expr=value):
            yield target, value


def _as_read(target: ast.expr) -> ast.expr:
    """What an augmented assignment reads."""
    match target:
        case ast.Name(id=name):
            return ast.Name(name, ast.Load())
        case ast.Subscript(value=value, slice=index):
            return ast.Subscript(value, index, ast.Load())
    return target


def _arguments(node: ast.Call) -> list[ast.expr]:
    return [*node.args, *(keyword.value for keyword in node.keywords)]


def _is_empty_table(value: ast.expr) -> bool:
    match value:
        case ast.Dict(keys=[]) | ast.Call(func=ast.Name(id="dict"), args=[], keywords=[]):
            return True
        case ast.Call(func=ast.Name(id="defaultdict"), args=[ast.Name(id="int" | "float" | "list" | "dict" | "str")], keywords=[]):
            return True
        case ast.Call(func=ast.Name(id="Counter"), args=[], keywords=[]):
            return True
    return False


def _is_made_here(value: ast.expr) -> bool:
    """Whether this is a new object, or one that never changes, whatever it may hold."""
    match value:
        case ast.Call(func=ast.Name(id=name)):
            return name in words.FRESH_CALLS
    return isinstance(value, _FRESH_FORMS)
