"""Which reads of frames may wait: nothing can be seen to happen between the read and the first question to what was read.

For example

    sales = pd.read_csv("sales.csv")           may wait: the next statements only build expressions,
    large = sales[sales["units"] > 20]
    print(len(large))                          and here a question comes before anything is printed

    sales = pd.read_csv("sales.csv")           may not: the text would be there before an error of the read
    print("read")
    print(len(sales))

A file whose read may wait is looked over by the chunks that answer the first question, and not in a pass of its own. If it then
turns out that the read, or an expression, must raise, nothing has happened yet that plain Python would not have done.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from runsurge_dask.analysis.structure import children, walk
from runsurge_dask.knowledge import frames as knowledge

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

BUILDING = knowledge.ROWS - {"to_csv", "columns"} | {"groupby", "round"}
"""Calls on a frame that only give an expression, or ask."""
ASKING = knowledge.REDUCE | {"value_counts", "agg", "aggregate", "to_csv", "describe", "values", "to_numpy", "tolist", "iloc", "apply"}
"""What cannot be answered without a look at the whole file."""
ACCESSORS = frozenset({"str", "dt"})
OTHER_PARTS = frozenset(
    {
        "T", "array", "at", "attrs", "axes", "cat", "columns", "flags", "hasnans", "iat", "index", "is_monotonic_decreasing",
        "is_monotonic_increasing", "is_unique", "name", "nbytes", "ndim", "plot", "sparse", "style",
    }
)  # fmt: skip
"""Properties of a frame or a series that are no rows of it: what is asked of them may be known without the file."""
OPERATIONS = ast.Attribute | ast.Subscript | ast.BinOp | ast.Compare | ast.UnaryOp | ast.List | ast.Tuple | ast.Dict | ast.Slice
BUILDING_FUNCTIONS = frozenset({"to_datetime", "to_numeric", "cut"})


def waiting_reads(tree: ast.Module, names: set[str]) -> set[int]:
    """The ids of the reading statements that may wait; `names` are those that may stand for frames."""
    found: set[int] = set()
    if any("len" in {getattr(node, "id", ""), getattr(node, "name", "")} and not _is_load(node) for node in walk(tree)):
        return found  # not the built-in one
    for body in _straight_bodies(tree):
        for place, statement in enumerate(body):
            if isinstance(statement, ast.Assign) and _is_read(statement) and _Wait(statement, names).ends_well(body[place + 1 :]):
                found.add(id(statement))
    return found


def _is_load(node: ast.AST) -> bool:
    return isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)


def _straight_bodies(tree: ast.Module) -> Iterator[Sequence[ast.stmt]]:
    """Lists of statements outside of `try` and `with`: who catches an error there would see which names are bound."""
    waiting: list[Sequence[ast.stmt]] = [tree.body]
    while waiting:
        body = waiting.pop()
        yield body
        for statement in body:
            if isinstance(statement, ast.FunctionDef | ast.If | ast.For | ast.While):
                waiting.append(statement.body)
            if isinstance(statement, ast.If):
                waiting.append(statement.orelse)


def _is_read(statement: ast.stmt) -> bool:
    """`df = pd.read_csv(path, ...)`, of arguments that do nothing."""
    if not isinstance(statement, ast.Assign) or len(statement.targets) != 1 or not isinstance(statement.targets[0], ast.Name):
        return False
    call = statement.value
    if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute) or not isinstance(call.func.value, ast.Name):
        return False
    return call.func.attr in knowledge.READERS


def _root(node: ast.AST) -> str:
    """The name whose rows a chain of attributes, items and calls is about."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        if isinstance(node, ast.Attribute) and node.attr in OTHER_PARTS:
            return ""
        node = node.func if isinstance(node, ast.Call) else node.value
    if isinstance(node, ast.BinOp):
        return _root(node.left) or _root(node.right)
    if isinstance(node, ast.Compare):
        return _root(node.left) or _root(node.comparators[0])
    return _root(node.operand) if isinstance(node, ast.UnaryOp) else node.id if isinstance(node, ast.Name) else ""


class _Wait:
    """One read, and the names that stand for something made of it."""

    def __init__(self, read: ast.Assign, names: set[str]) -> None:
        self.names = names
        self.own = {target.id for target in read.targets if isinstance(target, ast.Name)}

    def ends_well(self, statements: Sequence[ast.stmt]) -> bool:
        """Whether a question to the read comes before anything that could be seen from outside."""
        for statement in statements:
            verdict = self._verdict(statement)
            if verdict is not None:
                return verdict
        return False

    def _verdict(self, statement: ast.stmt) -> bool | None:
        """True: a question comes first; False: something else may; None: nothing of either kind."""
        match statement:
            case ast.Pass():
                return None
            case ast.Assign() | ast.AnnAssign() | ast.AugAssign() | ast.Expr():
                return self._of_simple(statement)
            case ast.If(test=value) | ast.While(test=value) | ast.For(iter=value) | ast.Return(value=ast.expr() as value):
                return next(self._deeds(value), False)
        return False

    def _of_simple(self, statement: ast.Assign | ast.AnnAssign | ast.AugAssign | ast.Expr) -> bool | None:
        value = statement.value
        if _is_read(statement) and isinstance(value, ast.Call):
            given = [*value.args, *(keyword.value for keyword in value.keywords)]
            first = next((deed for each in given for deed in self._deeds(each)), None)
        else:
            first = next(self._deeds(value), None) if value is not None else None
        if first is not None or isinstance(statement, ast.Expr):
            return first
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        if not all(isinstance(target, ast.Name) or _root(target) in self.names for target in targets):
            return False
        bound = {target.id for target in targets if isinstance(target, ast.Name)}
        if value is not None and any(isinstance(each, ast.Name) and each.id in self.own for each in walk(value)):
            self.own |= bound
        elif bound & self.own:
            return False
        return None

    def _deeds(self, node: ast.AST) -> Iterator[bool]:
        """In the order of evaluation: True for each question to the read, False for whatever may be seen or may raise by itself."""
        if isinstance(node, ast.Constant | ast.Name | ast.cmpop):
            return
        if isinstance(node, ast.Call):
            yield from self._of_call(node)
            return
        if isinstance(node, OPERATIONS):
            for child in children(node):
                yield from self._deeds(child)
            if isinstance(node, ast.Attribute) and node.attr in ASKING and _root(node) in self.own:
                yield True
            elif not self._is_harmless(node):
                yield False
            return
        if isinstance(node, ast.JoinedStr | ast.FormattedValue):
            for child in children(node):
                yield from self._deeds(child)
        yield False

    def _is_harmless(self, node: ast.AST) -> bool:
        """An operation on a frame, or on plain numbers that cannot fail."""
        if isinstance(node, ast.List | ast.Tuple | ast.Dict | ast.Slice):
            return True
        if isinstance(node, ast.Attribute | ast.Subscript):
            return _root(node) in self.names
        inner = walk(node)
        if all(isinstance(each, ast.Constant | ast.UnaryOp | ast.BinOp) for each in inner):
            return not any(isinstance(each, ast.BinOp) and not isinstance(each.op, ast.Add | ast.Sub | ast.Mult) for each in inner)
        return any(isinstance(each, ast.Name) and each.id in self.names for each in inner)

    def _of_call(self, call: ast.Call) -> Iterator[bool]:
        function, given = call.func, [*call.args, *(keyword.value for keyword in call.keywords)]
        for value in [*([function.value] if isinstance(function, ast.Attribute) else []), *given]:
            yield from self._deeds(value)
        if isinstance(function, ast.Attribute) and _root(function) in self.names:
            yield from self._of_method(call, function)
        elif isinstance(function, ast.Name) and function.id == "len" and len(given) == 1 and _root(given[0]) in self.own:
            yield True
        elif not isinstance(function, ast.Attribute) or function.attr not in BUILDING_FUNCTIONS:
            yield False

    def _of_method(self, call: ast.Call, function: ast.Attribute) -> list[bool]:
        is_accessor = isinstance(function.value, ast.Attribute) and function.value.attr in ACCESSORS
        is_across = any(keyword.arg == "axis" for keyword in call.keywords)
        if function.attr in ASKING and not is_accessor and not is_across:
            return [_root(function) in self.own]
        return [] if is_accessor or is_across or function.attr in BUILDING else [False]
