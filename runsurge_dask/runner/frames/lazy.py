"""Frames and series that are expressions until pandas, or the script, touches what is in them.

`LazyFrame` and `LazySeries` are real subclasses whose `_mgr` is a property: any code of pandas that is not intercepted reads
it, the value is worked out, and the object becomes a plain `DataFrame` or `Series` for good.
"""

from __future__ import annotations

import os
import sys
import warnings
import weakref
from typing import TYPE_CHECKING, Any

import pandas as pd

from runsurge_dask.runner import late
from runsurge_dask.runner.frames.needs import looked_at
from runsurge_dask.runner.frames.nodes import Node, Rowset, all_nodes, evaluate
from runsurge_dask.runner.frames.whole import join_pieces

if TYPE_CHECKING:
    import ast
    import types
    from collections.abc import Sequence

    from runsurge_dask.runner.facts import SiteFacts
    from runsurge_dask.runner.frames.stage import FrameSource

PANDAS_FILE = os.path.join(os.path.dirname(pd.__file__), "core", "frame.py")
_FLAGS: Any = type(pd.Series(dtype=float).flags)
MISSING: Any = object()
"""No chunk can give the answer: it is pandas' turn."""


class _Manager:
    """`_mgr` of a lazy object."""

    def __get__(self, owner: Any, kind: type | None = None) -> Any:
        if owner is None:
            return self
        return materialise(owner)._mgr  # noqa: SLF001 - the point at which pandas looks inside

    def __set__(self, owner: Any, manager: Any) -> None:
        materialise(owner)
        object.__setattr__(owner, "_mgr", manager)


class LazyFrame(pd.DataFrame):
    """A frame that is not there yet."""

    _mgr = _Manager()

    def __reduce_ex__(self, protocol: Any) -> Any:
        return materialise(self).__reduce_ex__(protocol)


class LazySeries(pd.Series):
    """A series that is not there yet."""

    _mgr = _Manager()

    def __reduce_ex__(self, protocol: Any) -> Any:
        return materialise(self).__reduce_ex__(protocol)


for _lazy, _plain in ((LazyFrame, pd.DataFrame), (LazySeries, pd.Series)):
    _lazy.__module__, _lazy.__name__, _lazy.__qualname__ = _plain.__module__, _plain.__name__, _plain.__qualname__

Lazy = LazyFrame | LazySeries


def is_lazy(value: Any) -> bool:
    """Whether this is an expression still; it is none any more once the script has named its labels."""
    if type(value) is not LazyFrame and type(value) is not LazySeries:
        return False
    lent = value.__dict__.get("_rs_lent")
    if lent and any(labels.names != names for labels, names in lent):
        materialise(value)
        return False
    return True


def lend(lazy: Any, labels: pd.Index) -> pd.Index:
    """Give the script labels of an expression, and remember them: it may give them a name."""
    lazy.__dict__.setdefault("_rs_lent", []).append((labels, list(labels.names)))
    return labels


def watch_groups(lazy: Any, groups: Any) -> None:
    """Remember a group-by of an expression: it is told when that becomes plain, by `groups.settle()`."""
    lazy.__dict__.setdefault("_rs_groups", weakref.WeakSet()).add(groups)


def may_change(lazy: Any) -> bool:
    """Whether nobody has looked at an expression in a way that pandas would remember."""
    return not lazy.__dict__.get("_rs_groups")


def node_of(value: Any) -> Node:
    """The expression behind a lazy object."""
    node: Node = object.__getattribute__(value, "_rs_node")
    return node


def source_of(value: Any) -> FrameSource:
    """The source behind a lazy object."""
    source: FrameSource = object.__getattribute__(value, "_rs_source")
    return source


def wrap(source: FrameSource, node: Node) -> Any:
    """The lazy object of an expression; its `meta` says which of the two it is."""
    kind = LazyFrame if isinstance(node.meta, pd.DataFrame) else LazySeries
    lazy: Any = object.__new__(kind)
    put = object.__setattr__
    put(lazy, "_rs_node", node)
    put(lazy, "_rs_source", source)
    put(lazy, "_attrs", {})
    put(lazy, "_flags", _FLAGS(lazy, allows_duplicate_labels=True))
    if kind is LazySeries:
        put(lazy, "_name", node.meta.name)
    return lazy


def change(lazy: Any, node: Node) -> None:
    """Let a lazy object stand for another expression from now on; all its names in the script see it."""
    object.__setattr__(lazy, "_rs_node", node)


def materialise(lazy: Any) -> Any:
    """Make a lazy object the plain one that it would have been."""
    if type(lazy) is not LazyFrame and type(lazy) is not LazySeries:
        return lazy
    value = whole_value(source_of(lazy), node_of(lazy)).copy(deep=False)
    lent, groups = lazy.__dict__.pop("_rs_lent", ()), list(lazy.__dict__.pop("_rs_groups", ()))
    object.__setattr__(lazy, "__class__", type(value))
    for name in ("_rs_node", "_rs_source"):
        object.__delattr__(lazy, name)
    object.__setattr__(lazy, "_mgr", value._mgr)  # noqa: SLF001 - the same point
    if isinstance(value, pd.Series):
        object.__setattr__(lazy, "_name", value.name)
    for labels, names in lent:
        if labels.names != names:
            axis = "index" if len(labels) == len(lazy.index) and labels.equals(lazy.index) else "columns"
            setattr(lazy, axis, getattr(lazy, axis).set_names(labels.names))
    for each in groups:
        each.settle()
    return lazy


def whole_value(source: FrameSource, node: Node) -> Any:
    """The value of an expression on the whole file: from the chunks, or else by pandas."""
    if node.value is None:
        if source.node.value is None and not _has_labels_of_its_own(node):
            assert node.rows is not None
            origin = node.rows.origin
            counted = [(origin.node, ("rows",))] if origin.node is not None and node.rows.index == "rows" else []
            given = source.run(None, [(node, ("keep",)), *_trail(node), *counted], not_line=current_line(source))
            if given is not None:
                if counted:
                    origin.lengths = given.pop()
                _note_lengths(node, given[0])
                node.value = join_pieces(given[0], node.rows, given[1:])
        if node.value is None:
            node.value = source.plain_value(node)
    return node.value


def _has_labels_of_its_own(node: Node) -> bool:
    """Whether labels put together from pieces could be told from pandas' own, which makes ranges of integers where it can."""
    assert node.rows is not None
    return _is_numbered(node) and (node.meta.index.dtype != "int64" or not node.rows.origin.makes_ranges or node.rows.origin.node is None)


def _is_numbered(node: Node) -> bool:
    assert node.rows is not None
    return node.rows.index == "own" and bool(pd.api.types.is_integer_dtype(node.meta.index.dtype))


def _trail(node: Node) -> list[tuple[Node, tuple[Any, ...]]]:
    assert node.rows is not None
    steps = [(step, ("labels",)) for step in node.rows.filters()]
    if _is_numbered(node):
        assert node.rows.origin.node is not None
        return [(node.rows.origin.node, ("labels",)), *steps]
    return steps if node.rows.index == "rows" else []


def _note_lengths(node: Node, pieces: list[Any]) -> None:
    assert node.rows is not None
    node.rows.lengths = [len(piece) for piece in pieces]


def derive(
    source: FrameSource, op: str, args: tuple[Any, ...], kwargs: dict[str, Any] | None = None, *, rows: Rowset, is_filter: bool = False
) -> Node | None:
    """A new expression, if it works on the first rows, and on each half of them as on both."""
    node = Node(op, args, kwargs, rows=rows, line=current_line(source))
    if source.is_settled and not source.is_certain(looked_at(node, list(source.node.meta.columns))):
        return None
    try:
        node.meta = first_rows_of(node, is_filter=is_filter)
    except Exception:
        return None
    if node.meta is None:
        return None
    if not source.is_settled and not getattr(source.runtime, "is_foreseeing", False):
        source.built.append((node, current_place(source)))
    return node


def first_rows_of(node: Node, *, is_filter: bool | None = None) -> Any:
    """The value of an expression on the first rows; None where it is not the same for each half of them as for both.

    Raises:
        Exception: what it raises on them.
    """
    inner = list(node.below())
    base = next((each for each in inner if each.rows is not None), None)
    if is_filter is None:
        is_filter = base is not None and node.rows is not base.rows
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        meta = evaluate([node], {id(each): each.meta for each in inner})[0]
        if not isinstance(meta, pd.DataFrame | pd.Series) or base is None:
            return None
        if not is_filter and not meta.index.equals(base.meta.index):
            return None
        half = len(base.meta) // 2
        parts = (slice(None, half), slice(half, None)) if half else ()
        halves = [evaluate([node], {id(each): _rows_of(each.meta, part) for each in inner})[0] for part in parts]
        if halves and all(map(len, halves)) and not _is_same(meta, halves):
            return None
    return None if isinstance(meta, pd.DataFrame) and not meta.columns.is_unique else meta


def _rows_of(value: Any, part: slice) -> Any:
    return value.iloc[part] if isinstance(value, pd.DataFrame | pd.Series) else value[part]


def _is_same(whole: Any, halves: list[Any]) -> bool:
    joined = pd.concat(halves)
    if isinstance(whole, pd.DataFrame):
        return len(whole.columns) == len(joined.columns) and joined.reset_index(drop=True).astype(object).equals(
            whole.reset_index(drop=True).astype(object)
        )
    return bool(joined.reset_index(drop=True).astype(object).equals(whole.reset_index(drop=True).astype(object)))


def hold(source: FrameSource, node: Node, pieces: list[Any]) -> Node | None:
    """An expression whose value on each chunk was worked out at its own line."""
    assert node.rows is not None
    node.rows.lengths = [len(piece) for piece in pieces]
    base = next(node.below(), None)
    held = Node("held", rows=node.rows, line=node.line)
    held.pieces = pieces
    wanted = len(base.meta) if base is not None else 0
    held.meta = first_of(pieces, wanted)
    if base is not None and not held.meta.index.equals(base.meta.index):
        return None
    del source
    return held


def first_of(pieces: list[Any], wanted: int) -> Any:
    """The first rows over all pieces."""
    if len(pieces[0]) >= wanted:
        return pieces[0].iloc[:wanted]
    return pd.concat(pieces, ignore_index=True).iloc[:wanted]


def current_line(source: FrameSource) -> int:
    """The first line of the statement of the script that is running."""
    place = _user_place(source)
    return place[1] if place else 0


def current_place(source: FrameSource) -> late.Place | None:
    """The instruction of the script that is running."""
    lines: dict[tuple[str, int], int] = source.runtime.first_lines  # type: ignore[attr-defined]
    return late.place_of(sys._getframe(1), lambda frame: (os.path.abspath(frame.f_code.co_filename), frame.f_lineno) in lines)  # noqa: SLF001


def following_statements(source: FrameSource) -> tuple[Sequence[ast.stmt], types.FrameType | None]:
    """The statement that is running and those after it in its body, and the frame that runs them."""
    lines: dict[tuple[str, int], int] = source.runtime.first_lines  # type: ignore[attr-defined]
    frame: types.FrameType | None = sys._getframe(1)  # noqa: SLF001 - the line of the script that called us
    while frame is not None:
        place = (os.path.abspath(frame.f_code.co_filename), frame.f_lineno)
        if place in lines:
            bodies: dict[tuple[str, int], Sequence[ast.stmt]] = source.runtime.bodies  # type: ignore[attr-defined]
            return bodies.get((place[0], lines[place]), ()), frame
        frame = frame.f_back
    return (), None


def current_facts(source: FrameSource) -> SiteFacts | None:
    """The site of the statement that is running, if it is one."""
    place = _user_place(source)
    sites: dict[tuple[str, int], SiteFacts] = source.runtime.frame_sites  # type: ignore[attr-defined]
    return sites.get(place) if place else None


def _user_place(source: FrameSource) -> tuple[str, int] | None:
    first_lines: dict[tuple[str, int], int] = source.runtime.first_lines  # type: ignore[attr-defined]
    frame = sys._getframe(1)  # noqa: SLF001 - the line of the script that called us
    while frame is not None:
        place = (os.path.abspath(frame.f_code.co_filename), frame.f_lineno)
        if place in first_lines:
            return place[0], first_lines[place]
        frame = frame.f_back  # type: ignore[assignment]
    return None


def as_pandas(function: Any) -> Any:
    """Let a wrapper count as pandas' own code where warnings look for the line of the script."""
    function.__code__ = function.__code__.replace(co_filename=PANDAS_FILE)
    return function


__all__ = [
    "LazyFrame",
    "LazySeries",
    "all_nodes",
    "change",
    "derive",
    "hold",
    "is_lazy",
    "materialise",
    "node_of",
    "source_of",
    "whole_value",
    "wrap",
]
