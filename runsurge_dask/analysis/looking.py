"""Code that only looks at the rows it is given: no row whose parts are numbers and texts is another one afterwards.

    for row in table:                           it looks at `row`
        total += row[2]
    [m for m in readings if is_good(m)]         so does this, if `is_good` only looks at its parameter
    for row in table: row.sort()                this does not
    for row in table: keep(row)                 nor does this, if `keep` puts it into a list that somebody may change

Nothing need then be compared afterwards: that would take longer than most such loops. What is proved holds for flat rows only
(numbers, texts, and lists, tuples and dictionaries of these), whose parts may go anywhere; whoever runs the code sees to that.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from runsurge_dask.analysis.names import COMPREHENSIONS, called_name, position_of
from runsurge_dask.analysis.structure import walk
from runsurge_dask.knowledge.calls import FRAME_CALLS
from runsurge_dask.runner.facts import Accumulator, Looking, Merge

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from runsurge_dask.analysis.scopes import Mentions

_BUILTINS = frozenset({"len", "sum", "min", "max", "any", "all", "sorted", "list", "set", "frozenset", "dict", "str", "repr", "print"})
"""Functions that keep no reference to a flat row, and do not change it."""
_WALKING = frozenset({"enumerate", "zip", "reversed"})
_METHODS = frozenset({"get", "index", "count"})
"""Methods of lists, tuples and dictionaries that give a part, or a number."""
_WRITING = frozenset({"writerow", "join"})
"""Methods of the standard library that write a row, or join its parts."""
_COMPARISONS = frozenset({"__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__", "__contains__", "__hash__"})
_GATHERING = frozenset({"list", "max", "min", "nlargest", "nsmallest", "sorted", "any", "all", "Counter", "set", "sum"})
"""Consumers that do nothing to the records of a comprehension but to compare, count, add or gather them."""
_OF_LIBRARY = frozenset({"nlargest", "nsmallest", "Counter", "itemgetter"})
"""Those of such names that have to be imported."""


def looks_at_records(node: ast.For | ast.expr, mentions: Mentions, accumulators: Iterable[Accumulator] = ()) -> Looking:
    """Whether a loop, or an expression that consumes records, only looks at these."""
    code = _Code(mentions, frozenset(a.place for a in accumulators if a.merge is Merge.APPEND))
    if isinstance(node, ast.For):
        names, looking = _record_names(node.target, node.iter)
        return looking if code.looks(node.body, names, may_give=True) else Looking.NOT
    return code.looks_within(node)


def _record_names(target: ast.expr, iterable: ast.expr) -> tuple[set[str], Looking]:
    """Names that stand for whole records, where each is counted or not."""
    match iterable, target:
        case ast.Call(func=ast.Name(id="enumerate")), ast.Tuple(elts=[ast.Name(), row]):
            return _names_of(row), Looking.COUNTED
        case ast.Call(func=ast.Name(id="enumerate")), _:
            return set(), Looking.NOT
    return _names_of(target), Looking.RECORDS


def _names_of(target: ast.expr) -> set[str]:
    """The name of a row; what a row is taken apart into are its parts."""
    return {target.id} if isinstance(target, ast.Name) else set()


class _Code:
    """Code of the script's, and how it may treat a row."""

    def __init__(self, mentions: Mentions, appended: Collection[str] = ()) -> None:
        self._mentions = mentions
        self._appended = appended
        self._inside: set[str] = set()
        self._compares = _COMPARISONS.isdisjoint(mentions.bodies)

    def looks_within(self, node: ast.expr) -> Looking:
        """The same for an expression as `analysis.expressions` takes it."""
        if isinstance(node, COMPREHENSIONS):
            return self._looks_in_comprehension(node)
        if not isinstance(node, ast.Call) or not self._is_builtin(node.func, _GATHERING | {"map", "filter"}):
            return Looking.NOT
        keys = [keyword.value for keyword in node.keywords if keyword.arg == "key"]
        if not all(map(self._is_looking_function, keys)) or any(keyword.arg not in {"key", "default"} for keyword in node.keywords):
            return Looking.NOT
        match called_name(node), node.args:
            case "map" | "filter", [function, ast.Name()]:
                return Looking.RECORDS if self._is_looking_function(function) else Looking.NOT
            case name, arguments if len(arguments) == position_of(name) + 1:
                return Looking.RECORDS if isinstance(arguments[-1], ast.Name) else self.looks_within(arguments[-1])
        return Looking.NOT

    def _looks_in_comprehension(self, node: ast.expr) -> Looking:
        assert isinstance(node, COMPREHENSIONS)
        first, *others = node.generators
        if isinstance(first.iter, COMPREHENSIONS) or (isinstance(first.iter, ast.Call) and called_name(first.iter) in {"map", "filter"}):
            return Looking.NOT
        names, looking = _record_names(first.target, first.iter)
        given = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
        parts: list[ast.AST] = [*first.ifs, *others, *given]
        tested = [value for test in first.ifs for value in _tested(test)]
        return looking if self.looks(parts, names, gives=[*given, *tested]) else Looking.NOT

    def looks(
        self, code: Collection[ast.AST], names: Collection[str], *, may_give: bool = False, gives: Iterable[ast.expr] = ()
    ) -> bool:
        """Whether it only looks at the values of some names; `may_give`: it may hand them to whoever gets its results, too."""
        nodes = [node for part in code for node in walk(part)]
        free = {id(each) for value in gives for each in _held_by(value)}
        free |= {id(each) for node in nodes for each in self._looked_at(node)}
        if may_give:
            free |= {id(each) for node in nodes for value in self._given(node) for each in _held_by(value)}
        changed = {id(node.target) for node in nodes if isinstance(node, ast.AugAssign)}
        found = [node for node in nodes if isinstance(node, ast.Name) and node.id in names]
        return all(id(node) in free if isinstance(node.ctx, ast.Load) else id(node) not in changed for node in found)

    def _given(self, node: ast.AST) -> list[ast.expr]:
        """Operands that a loop hands to whoever gets its results."""
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="append"), args=[value]) if name in self._appended:
                return [value]
            case ast.Expr(value=ast.Yield(value=ast.expr() as value)):
                return [value]
        return []

    def _looked_at(self, node: ast.AST) -> Iterable[ast.expr]:  # noqa: C901, PLR0911 - a table of forms, one branch a row
        """Operands of a node that it neither changes nor keeps."""
        match node:
            case ast.Subscript(value=value, ctx=ast.Load()) | ast.FormattedValue(value=value) | ast.Starred(value=value, ctx=ast.Load()):
                return [value]
            case ast.Assign(targets=[ast.Tuple() | ast.List()], value=value):
                return [value]
            case ast.For(iter=iterable) | ast.comprehension(iter=iterable):
                inner = iterable.args if isinstance(iterable, ast.Call) and self._is_builtin(iterable.func, _WALKING) else []
                return [iterable, *inner, *(each for test in getattr(node, "ifs", ()) for each in _tested(test))]
            case ast.If(test=test) | ast.IfExp(test=test) | ast.While(test=test) | ast.UnaryOp(op=ast.Not(), operand=test):
                return _tested(test)
            case ast.Compare(left=left, comparators=comparators) if self._compares:
                return [left, *comparators]
            case ast.BinOp(left=ast.Constant(value=str()), op=ast.Mod(), right=right):
                return [right]
            case ast.Dict(keys=keys, values=values):
                return [value for key, value in zip(keys, values, strict=True) if key is None]
            case ast.Call(func=ast.Name(id="min" | "max" | "sum"), args=[_, _, *_]):
                return []  # what they give may be one of these
            case ast.Call(func=ast.Name(id=name)):
                return node.args if self._is_builtin(node.func, _BUILTINS) else self._taken_by(name, node.args)
            case ast.Call(func=ast.Attribute(value=owner, attr=attr)) if attr in _METHODS | _WRITING and attr not in self._mentions.bodies:
                return [*([owner] if attr in _METHODS else []), *(node.args if attr in _WRITING else [])]
        return []

    def _is_builtin(self, function: ast.expr, names: Collection[str]) -> bool:
        """Whether a function is one of these, of Python's own or its library's."""
        name = function.id if isinstance(function, ast.Name) else function.attr if isinstance(function, ast.Attribute) else ""
        mentions = self._mentions
        is_taken = name in mentions.bound or name in mentions.bodies or name in mentions.classes or "*" in mentions.imported
        return name in names and not is_taken and (name in _OF_LIBRARY or name not in mentions.imported)

    def _is_looking_function(self, function: ast.expr) -> bool:
        """Whether a function with one parameter only looks at what it is given."""
        match function:
            case ast.Lambda(args=ast.arguments(posonlyargs=[], args=[ast.arg(arg=name)], vararg=None, kwonlyargs=[], kwarg=None)):
                return self.looks([function.body], {name})
            case ast.Name(id=name):
                return self._is_builtin(function, _BUILTINS) or list(self._taken_by(name, [function])) == [function]
            case ast.Call(args=[*positions]):
                return self._is_builtin(function.func, {"itemgetter"}) and all(isinstance(each, ast.Constant) for each in positions)
            case ast.Constant(value=None):
                return True
        return False

    def _taken_by(self, name: str, given: list[ast.expr]) -> list[ast.expr]:
        """What a function of the script's own is given and only looks at."""
        mentions = self._mentions
        bodies = mentions.bodies.get(name, [])
        taken = mentions.bound | mentions.imported | mentions.classes
        is_certain = len(bodies) == 1 and name not in taken and "*" not in mentions.imported
        if not is_certain or name in self._inside or any(isinstance(each, ast.Starred) for each in given):
            return []
        [function] = bodies
        if isinstance(function, ast.AsyncFunctionDef) or function.decorator_list or not FRAME_CALLS.isdisjoint(mentions.table[name]):
            return []
        self._inside.add(name)
        parameters = [each.arg for each in (*function.args.posonlyargs, *function.args.args)]
        found = [value for parameter, value in zip(parameters, given, strict=False) if self.looks(function.body, {parameter})]
        self._inside.discard(name)
        return found


def _tested(test: ast.expr) -> list[ast.expr]:
    """Values of which a test only asks whether they are true."""
    return [each for value in test.values for each in _tested(value)] if isinstance(test, ast.BoolOp) else [test]


def _held_by(value: ast.expr) -> Iterator[ast.expr]:
    """A value, and what is in it where it is a display of values."""
    yield value
    inner: list[ast.expr] = []
    match value:
        case ast.Tuple(elts=inner) | ast.List(elts=inner) | ast.Dict(values=inner):
            pass
        case ast.IfExp(body=body, orelse=orelse):
            inner = [body, orelse]
    for each in inner:
        yield from _held_by(each)
