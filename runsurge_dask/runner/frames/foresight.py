"""Questions that a script is about to ask, so that one pass over a file answers them all.

For example

    print(len(df))
    print(df["price"].sum(), df["price"].max())

asks three times; when the first question comes, the expressions of the following statements that only look at frames are tried
out. A question that such a trial comes to is noted and not answered, and the trial ends there; nothing it builds is left. Its answer is
remembered by what was asked. If the script then asks something else after all, an answer is wasted and nothing more.
"""

from __future__ import annotations

import ast
import itertools
import re
import warnings
from typing import TYPE_CHECKING, Any

from runsurge_dask.runner.frames.nodes import Node

if TYPE_CHECKING:
    import types
    from collections.abc import Iterator, Sequence

    from runsurge_dask.runner.frames.stage import FrameSource

Root = tuple[Node, tuple[Any, ...]]
SMALL_ANSWERS = frozenset({"reduce", "rows", "groups", "counts", "empty", "place", "distinct"})
"""What may be asked ahead of its time: nobody has to keep rows for it."""
MOST_STATEMENTS = 60
MOST_TRIALS = 80
PURE = ast.Name | ast.Constant | ast.Attribute | ast.Subscript | ast.Call | ast.keyword | ast.List | ast.Tuple | ast.BinOp | ast.Compare
OTHER = ast.UnaryOp | ast.expr_context | ast.operator | ast.cmpop | ast.unaryop | ast.Dict | ast.Slice


NAMELESS = frozenset({".columns", "select_dtypes", "dtypes", ".items(", ".keys(", "filterwarnings", "simplefilter", "catch_warnings"})
"""A script with such words may come to columns whose names it does not spell, or listens to what pandas says of any of them."""


class Foreseen(BaseException):  # the end of a trial, which no `except Exception` may stop
    """A trial has come to a question."""


def stop_trial(runtime: Any, roots: list[Root]) -> None:
    """Where an expression is only tried out, end the trial: it has come to these questions.

    Raises:
        Foreseen: so it is.
    """
    if getattr(runtime, "is_foreseeing", False):
        raise Foreseen(roots)


def to_take(source: FrameSource, columns: list[Any] | None) -> list[Any] | None:
    """The columns to read in the first pass: those asked for, and those that the script spells; None for all."""
    if columns is None or not source.words or any(word in source.words for word in NAMELESS):
        return None
    spelled = set(re.findall(r"\w+", source.words))
    seen = [name for name in source.node.meta.columns if spelled.issuperset(re.findall(r"\w+", str(name)))]
    return source.table.to_take({*columns, *seen})


def key_of(roots: Sequence[Root], kept: list[Any]) -> Any:
    """What tells one question from another; objects that only their identity tells apart are added to `kept`, to stay alive."""
    return tuple((_key(node, kept), _key(how, kept)) for node, how in roots)


def _key(value: Any, kept: list[Any]) -> Any:
    if isinstance(value, Node):
        if value.op in {"source", "held"} or value.value is not None:
            kept.append(value)
            return id(value)
        return value.op, _key(value.args, kept), _key(value.kwargs, kept)
    if type(value) in {list, tuple}:
        return type(value).__name__, tuple(_key(item, kept) for item in value)
    if type(value) is dict:
        return "dict", tuple((_key(key, kept), _key(item, kept)) for key, item in value.items())
    if type(value) in {int, float, str, bool, bytes, type(None)}:
        return type(value).__name__, repr(value)
    kept.append(value)
    return id(value)


def foresee(source: FrameSource, statements: Sequence[ast.stmt], frame: types.FrameType, asked: Any) -> list[list[Root]]:
    """The questions that these statements will ask of a source, as far as the text and the names of a frame tell; without `asked`."""
    found: dict[Any, list[Root]] = {asked: []}
    if "len" in frame.f_globals or "len" in frame.f_locals:
        return []  # not the built-in one
    names = {name for name, value in {**frame.f_globals, **frame.f_locals}.items() if _is_of(value, source)}
    for expression in itertools.islice(_expressions(statements, names), MOST_TRIALS):
        roots = _question(source, expression, frame)
        if roots and all(how[0] in SMALL_ANSWERS for _, how in roots):
            found.setdefault(key_of(roots, source.kept), roots)
    return [roots for roots in found.values() if roots]


def _is_of(value: Any, source: FrameSource) -> bool:
    from runsurge_dask.runner.frames.lazy import is_lazy, source_of

    return bool(is_lazy(value)) and source_of(value) is source


def _question(source: FrameSource, expression: ast.expr, frame: types.FrameType) -> list[Root]:
    """What an expression asks first; nothing if it does not ask."""
    code = compile(ast.Expression(expression), "<foresight>", "eval")
    runtime: Any = source.runtime
    runtime.is_foreseeing = True
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            eval(code, frame.f_globals, dict(frame.f_locals))  # noqa: S307 - an expression of the script that only looks at frames
    except Foreseen as question:
        roots: list[Root] = question.args[0]
        return roots
    except Exception:  # it will say so when the script comes there
        return []
    finally:
        runtime.is_foreseeing = False
    return []


def _expressions(statements: Sequence[ast.stmt], names: set[str]) -> Iterator[ast.expr]:
    """The largest calls over frames that have these names, until the text gives a name another meaning."""
    names = set(names)
    for statement in statements[:MOST_STATEMENTS]:
        values, targets = _parts(statement)
        for value in values:
            yield from _calls(value, names)
        for target in targets:
            names -= {node.id for node in ast.walk(target) if isinstance(node, ast.Name)}
        if not names:
            return


def _parts(statement: ast.stmt) -> tuple[list[ast.AST], list[ast.AST]]:
    """What a statement works out first of all, and what it binds or changes."""
    match statement:
        case ast.Assign(targets=targets, value=value):
            return [value], list(targets)
        case ast.AnnAssign(target=target, value=value) | ast.AugAssign(target=target, value=value):
            return [value] if value is not None else [], [target]
        case ast.Expr(value=value) | ast.Return(value=ast.expr() as value):
            return [value], []
        case ast.If(test=test) | ast.While(test=test):
            return [test], [node for node in ast.walk(statement) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]
        case ast.With(items=items, body=body):
            inner = [_parts(each) for each in body]
            bound = [item.optional_vars for item in items if item.optional_vars is not None]
            return [value for values, _ in inner for value in values], [*bound, *(target for _, targets in inner for target in targets)]
    return [], [node for node in ast.walk(statement) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]


def _calls(node: ast.AST, names: set[str]) -> Iterator[ast.expr]:
    """The largest calls, from the left to the right, that consist of nothing but frames, names and constants."""
    if isinstance(node, ast.Call | ast.Attribute) and _root_of(node) in names and _is_pure(node, names):
        yield node
        return
    for child in ast.iter_child_nodes(node):
        if not isinstance(node, ast.Lambda):
            yield from _calls(child, names)


def _is_pure(node: ast.AST, names: set[str]) -> bool:
    """Whether only methods of frames would be called, with values that are there."""
    for each in ast.walk(node):
        if not isinstance(each, PURE | OTHER):
            return False
        if isinstance(each, ast.Attribute | ast.Subscript) and _root_of(each) not in names:
            return False
        if isinstance(each, ast.Call) and not _is_pure_call(each, names):
            return False
    return True


def _is_pure_call(call: ast.Call, names: set[str]) -> bool:
    if isinstance(call.func, ast.Name):
        return call.func.id == "len"
    if any(keyword.arg in {None, "inplace"} for keyword in call.keywords):
        return False
    return isinstance(call.func, ast.Attribute) and _root_of(call.func) in names and call.func.attr not in UNTRIED


UNTRIED = frozenset(
    {
        "apply", "hist", "insert", "map", "pipe", "plot", "pop", "to_csv", "to_excel", "to_json", "to_parquet", "to_pickle", "to_sql",
        "transform",
    }
)  # fmt: skip
"""Methods that do something, or call the script's own functions."""


def _root_of(node: ast.AST) -> str:
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "len" and len(node.args) == 1:
        return _root_of(node.args[0])
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""
