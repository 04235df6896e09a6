"""Sums of floats, to the last bit as NumPy gives them.

NumPy adds the elements of a contiguous array pairwise: halves of halves, down to 128 elements, each half but the last cut
to a multiple of eight. So where chunks are cut at such halves, adding their sums along the same tree is the same sum:

    1,000 elements    (0, 496) + (496, 504)    ((0, 248) + (248, 248)) + (496, 504)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SMALLEST_LEAF = 128
"""NumPy's own: fewer elements are added otherwise."""

Tree = Any
"""A leaf (start, count), or a list of two trees."""


def halves(start: int, count: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """The two parts that NumPy adds by themselves."""
    half = count // 2
    half -= half % 8
    return (start, half), (start + half, count - half)


def tree_of(start: int, count: int, leaves: int) -> Tree:
    """About so many parts of a sum."""
    if leaves < 2 or count <= SMALLEST_LEAF:  # noqa: PLR2004 - no halves
        return (start, count)
    left, right = halves(start, count)
    return [tree_of(*left, (leaves + 1) // 2), tree_of(*right, leaves // 2)]


def leaves_of(tree: Tree) -> Iterator[tuple[int, int]]:
    """The parts, in order."""
    if isinstance(tree, tuple):
        yield tree
    else:
        for each in tree:
            yield from leaves_of(each)


def joined(tree: Tree, sums: Iterator[Any]) -> Any:
    """The sum of the whole, given those of the parts in order."""
    if isinstance(tree, tuple):
        return next(sums)
    left = joined(tree[0], sums)
    return left + joined(tree[1], sums)


def sum_of(start: int, count: int, read: Callable[[int, int], Any], largest: int) -> Any:
    """The sum of these elements, read in pieces."""
    if count <= max(largest, SMALLEST_LEAF):
        return np.add.reduce(read(start, start + count))
    left, right = halves(start, count)
    return sum_of(*left, read, largest) + sum_of(*right, read, largest)
