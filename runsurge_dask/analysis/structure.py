"""What in a script is structure, and not data."""

from __future__ import annotations

import ast

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
