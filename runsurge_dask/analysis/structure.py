"""Trees and their parts; what in a script is structure, and not data.

`walk` and `copied` do what `ast.walk` and `copy.deepcopy` do, three times as fast: analysis does little else.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Collection

Node = TypeVar("Node", bound=ast.AST)
_WITHOUT_NODES = frozenset({
    "ctx", "id", "attr", "kind", "type_comment", "name", "arg", "module", "level", "conversion", "simple", "is_async", "op", "rest",
    "kwd_attrs", "tag"
})  # fmt: skip
"""Fields that hold texts and numbers, or a node that only names a context or an operator."""
_INNER: dict[type, tuple[str, ...]] = {
    kind: tuple(name for name in kind._fields if name not in _WITHOUT_NODES)
    for kind in vars(ast).values()
    if isinstance(kind, type) and issubclass(kind, ast.AST)
}
_INNER.update({ast.Constant: (), ast.Global: (), ast.Nonlocal: ()})


def walk(root: ast.AST) -> list[ast.AST]:
    """A node and all below it, level by level; without contexts (`Load`) and operators (`Add`)."""
    nodes = [root]
    for node in nodes:  # which grows meanwhile
        _add_children(node, nodes)
    return nodes


def children(node: ast.AST) -> list[ast.AST]:
    """The nodes right below one, in order; without contexts and operators."""
    found: list[ast.AST] = []
    _add_children(node, found)
    return found


def _add_children(node: ast.AST, found: list[ast.AST]) -> None:
    names = _INNER[type(node)]
    if not names:
        return
    held = node.__dict__
    for name in names:
        value: Any = held.get(name)
        if type(value) is list:
            for each in value:  # no comprehension: most lists are short, and this runs a hundred thousand times
                if type(each) in _INNER:
                    found.append(each)  # noqa: PERF401
        elif type(value) in _INNER:
            found.append(value)


def copied(node: Node, kept: Collection[ast.AST] = ()) -> Node:
    """A tree of its own, with the very nodes in it that are to be kept."""
    if kept and any(node is each for each in kept):
        return node
    other = type(node).__new__(type(node))
    for name, value in node.__dict__.items():
        if type(value) is list:
            setattr(other, name, [copied(each, kept) if type(each) in _INNER else each for each in value])
        else:
            setattr(other, name, copied(value, kept) if type(value) in _INNER else value)
    return other


FEW = 8
"""A loop over a display of at most this many constants is structure, not data."""


def is_structural(iterable: ast.expr) -> bool:
    """Whether this iterates over a few things spelled out in the script."""
    if isinstance(iterable, ast.List | ast.Tuple | ast.Set):
        return len(iterable.elts) <= FEW
    match iterable:
        case ast.Call(func=ast.Name(id="range"), args=[ast.Constant(value=int(stop))]):
            return stop <= FEW
        case ast.Call(func=ast.Name(id="enumerate" | "sorted" | "reversed" | "list" | "tuple"), args=[inner, *_]):
            return is_structural(inner)
        case ast.Call(func=ast.Name(id="zip"), args=[*inner]) if inner:
            return any(is_structural(part) for part in inner)
    return False
