"""What chunks found, seen to be of one kind.

For example a column that one chunk finds to be whole numbers and another to be floats is no column of the whole.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from runsurge_dask.runner.escape import Escape
from runsurge_dask.runner.frames.joining import is_wider

if TYPE_CHECKING:
    from runsurge_dask.runner.frames.nodes import Node

PLACED_ANSWERS = frozenset({"place", "labels", "keep"})
"""These need to know which rows of the file a chunk has, or make so much that a second try would be dear."""


def _has_names(shape: Any, meta: Any, *, some: bool) -> bool:
    """Whether a result has the columns that the script was told of, or some of them."""
    if shape is None or not isinstance(meta, pd.DataFrame) or shape[0] != "frame":
        return True
    names, told = [name for name, _ in shape[1]], [repr(name) for name in meta.columns]
    return set(names) <= set(told) if some else names == told


def check_results(shapes: list[Any], nodes: list[Node], complete: set[int] | None) -> None:
    """See that results are what the script was told of; all columns are there of the `complete` only, or of every one.

    Raises:
        Escape: they are not.
    """
    for shape, node in zip(shapes, nodes, strict=True):
        if not _has_names(shape, node.meta, some=complete is not None and id(node) not in complete):
            raise Escape("the columns of a result are not those of its first rows")
        if not _has_counted_labels(shape, node):
            raise Escape("the labels of a result are not numbers of rows")


def _has_counted_labels(shape: Any, node: Node) -> bool:
    """Whether labels that we are to count anew are such: joins of nothing have those of the other side."""
    if shape is None or node.rows is None or node.rows.index != "rows" or shape[0] not in {"frame", "series"}:
        return True
    return bool(shape[-1] == [["None"], "int64"])


def wider_joins(nodes: list[Node], shapes: list[list[Any]]) -> list[Node]:
    """The first expression on whose type chunks disagree, if it is a join that has to have other types on the whole."""
    for place, node in enumerate(nodes):
        found = [of_chunk[place] for of_chunk in shapes]
        if any(shape != found[0] for shape in found):
            return [node] if is_wider(node, found) else []
    return []


def is_placed(root: tuple[Node, tuple[Any, ...]]) -> bool:
    """Whether the answer depends on which rows of the file a chunk has."""
    kind, *rest = root[1]
    return kind in PLACED_ANSWERS or (kind == "text" and rest[0] == "rows" and rest[1].get("index", True))


def types_of(frame: Any) -> list[str]:
    """The types of the columns of a frame, by their names."""
    return [str(dtype) for dtype in frame.dtypes]
