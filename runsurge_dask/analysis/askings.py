"""Does a script only ask small things of the frames that it reads? Then it pays to read them in chunks, whatever their size in memory.

For example

    sales = pd.read_csv("sales.csv")                       a frame
    large = sales[sales["units"] > 20]                     a frame
    print(len(large), large["net"].sum())                  small answers
    table = sales.groupby("shop")["net"].mean()            a small answer
    print(table.sort_values().head(3))                     what is done with a small answer does not matter

    print(sales.sort_values("net").head(3))                all rows are needed at once: pandas itself is as fast
"""

from __future__ import annotations

import ast
from enum import IntEnum

from runsurge_dask.analysis.structure import children, walk
from runsurge_dask.knowledge import frames as knowledge
from runsurge_dask.runner.frames.tables import GROUP_REDUCTIONS


class Value(IntEnum):
    """What an expression may be; of two, the larger is what may be worse."""

    OTHER = 0
    """Nothing of a frame, or a small answer."""
    FRAME = 1
    """Rows of a file: an expression that stays one, or a group-by of it."""
    WHOLE = 2
    """Rows of a file that somebody needs at once."""


BUILDING = (knowledge.ROWS - {"apply", "map", "pipe", "to_csv"}) | {"groupby", "round", "copy"}
ANSWERS = knowledge.REDUCE | {"value_counts", "agg", "aggregate", "to_csv"} | GROUP_REDUCTIONS
FUNCTIONS = frozenset({"len"})
BUILDING_FUNCTIONS = frozenset({"to_datetime", "to_numeric", "cut", "where", "log", "sqrt", "exp", "log1p", "abs"})


def asks_small(tree: ast.Module) -> bool:
    """Whether no statement needs all rows of a frame that was read, as far as the text tells."""
    scopes: list[ast.Module | ast.FunctionDef] = [tree, *(node for node in walk(tree) if isinstance(node, ast.FunctionDef))]
    return all(_Scope(scope).is_small() for scope in scopes)


class _Scope:
    """One function, or the module, whose names may stand for frames."""

    def __init__(self, scope: ast.Module | ast.FunctionDef) -> None:
        self.nodes = [node for statement in scope.body for node in _within(statement)]
        self.names: dict[str, Value] = {}

    def is_small(self) -> bool:
        while True:
            before = dict(self.names)
            for node in self.nodes:
                if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign) and node.value is not None:
                    value = self.value_of(node.value)
                    for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
                        self._bind(target, value)
            if self.names == before:
                break
        return Value.WHOLE not in self.names.values() and all(map(self._is_small, self.nodes))

    def _bind(self, target: ast.expr, value: Value) -> None:
        if isinstance(target, ast.Name):
            self.names[target.id] = max(value, self.names.get(target.id, Value.OTHER))
        elif value is not Value.OTHER and not (
            isinstance(target, ast.Subscript | ast.Attribute) and self.value_of(target.value) is Value.FRAME
        ):
            self.names[""] = Value.WHOLE  # it goes where it cannot be followed

    def _is_small(self, node: ast.AST) -> bool:
        match node:
            case ast.Expr(value=value) | ast.If(test=value) | ast.While(test=value):
                return self.value_of(value) is not Value.WHOLE
            case ast.Return(value=ast.expr() as value) | ast.For(iter=value):
                return self.value_of(value) is Value.OTHER
            case ast.With(items=items):
                return all(self.value_of(item.context_expr) is Value.OTHER for item in items)
            case ast.Assert() | ast.Raise() | ast.Delete():
                return all(self.value_of(child) is not Value.WHOLE for child in children(node) if isinstance(child, ast.expr))
        return True

    def value_of(self, node: ast.AST) -> Value:
        """What an expression may be."""
        match node:
            case ast.Name(id=name):
                return self.names.get(name, Value.OTHER)
            case ast.Call():
                return self._of_call(node)
            case ast.Attribute(value=inner, attr=name):
                value = self.value_of(inner)
                if value is not Value.FRAME:
                    return value
                if name in ANSWERS or name in {"columns", "name"}:
                    return Value.OTHER
                return Value.WHOLE if name in knowledge.WHOLE else Value.FRAME
            case ast.Subscript(value=inner, slice=index):
                return max(self.value_of(inner), self._whole_only(index))
            case ast.BinOp() | ast.Compare() | ast.UnaryOp() | ast.BoolOp() | ast.IfExp():
                return max((self.value_of(child) for child in children(node)), default=Value.OTHER)
        inner_values = [self.value_of(child) for child in children(node) if isinstance(child, ast.expr | ast.keyword | ast.comprehension)]
        return Value.OTHER if all(value is Value.OTHER for value in inner_values) else Value.WHOLE

    def _whole_only(self, node: ast.AST) -> Value:
        return Value.WHOLE if self.value_of(node) is Value.WHOLE else Value.OTHER

    def _of_call(self, call: ast.Call) -> Value:
        given = [self.value_of(value) for value in [*call.args, *(keyword.value for keyword in call.keywords)]]
        worst = max(given, default=Value.OTHER)
        function = call.func
        if isinstance(function, ast.Attribute):
            if function.attr in knowledge.READERS:
                return Value.FRAME
            owner = self.value_of(function.value)
            if owner is Value.FRAME:
                return self._of_method(call, function, worst)
            if owner is Value.OTHER and function.attr in BUILDING_FUNCTIONS:
                return worst
            worst = max(worst, owner)
        if isinstance(function, ast.Name) and function.id in FUNCTIONS:
            return Value.OTHER if worst is not Value.WHOLE else worst
        return Value.OTHER if worst is Value.OTHER else Value.WHOLE

    def _of_method(self, call: ast.Call, function: ast.Attribute, worst: Value) -> Value:
        is_accessor = isinstance(function.value, ast.Attribute) and function.value.attr in {"str", "dt"}
        is_across = any(keyword.arg == "axis" for keyword in call.keywords)
        if worst is Value.WHOLE or any(isinstance(node, ast.Lambda) for value in call.args for node in walk(value)):
            return Value.WHOLE
        if is_accessor or is_across or (function.attr in BUILDING and function.attr not in ANSWERS):
            return Value.FRAME
        return Value.OTHER if function.attr in ANSWERS else Value.WHOLE


def _within(node: ast.AST) -> list[ast.AST]:
    """A statement and all below it, but not the bodies of functions and classes."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return []
    found = [node]
    for child in children(node):
        found += _within(child) if isinstance(child, ast.stmt | ast.excepthandler | ast.match_case) else []
    return found
