"""Expressions over the rows of one source, as they are built in the driver and worked out in a chunk child.

For example `df[df.price > 5]` is

    Node("getitem", (source, Node("operator:gt", (Node("getitem", (source, "price")), 5))))

and the same `evaluate` gives its value on the whole frame, on one chunk, or on the first few rows.
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Rowset:
    """Which rows of the source an expression has, in order: operands of one operation must agree on it."""

    __slots__ = ("index", "lengths", "makes_ranges", "node", "origin", "parent")

    def __init__(self, parent: Rowset | None, index: str, node: Node | None = None, *, is_fresh: bool = False) -> None:
        self.parent = parent
        self.index = index
        """`rows`: labels are positions in `origin`; `own`: labels are data."""
        self.origin: Rowset = self if is_fresh or parent is None else parent.origin
        """The rows whose labels were made by counting them."""
        self.node = node
        """The filter that made it out of `parent`."""
        self.lengths: list[int] | None = None
        """Rows in each chunk, once known."""
        self.makes_ranges = False
        """Labels of the script's own that are evenly spaced integers become a range."""

    def filters(self) -> list[Node]:
        """The filters between the origin and these rows, first one first."""
        found: list[Node] = []
        rowset: Rowset = self
        while rowset is not self.origin and rowset.node is not None and rowset.parent is not None:
            found.append(rowset.node)
            rowset = rowset.parent
        return found[::-1]

    @property
    def is_of_source(self) -> bool:
        """Whether labels are row numbers of the file."""
        return self.index == "rows" and self.origin.parent is None


class Node:
    """One operation; `args` and `kwargs` may hold other nodes, at any depth of lists, tuples and dictionaries."""

    __slots__ = ("args", "kwargs", "line", "meta", "op", "pieces", "rows", "value")

    def __init__(
        self, op: str, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None, *, rows: Rowset | None = None, line: int = 0
    ) -> None:
        self.op = op
        self.args = args
        self.kwargs = kwargs or {}
        self.rows = rows
        self.line = line
        self.meta: Any = None
        """The value on the first rows of the source."""
        self.value: Any = None
        """The value on the whole, once somebody needed it."""
        self.pieces: list[Any] | None = None
        """`held`: the value on each chunk, worked out at its own line."""

    def __reduce__(self) -> Any:
        return Node, (self.op, self.args, self.kwargs)

    def below(self) -> Iterator[Node]:
        """Nodes that this one is made of."""
        yield from _nodes_in(self.args)
        yield from _nodes_in(self.kwargs)


class Broadcast:
    """A small table that every chunk has as a whole."""

    __slots__ = ("is_wide", "value")

    def __init__(self, value: Any) -> None:
        self.value = value
        self.is_wide = False
        """Some row of the whole finds nothing in it: its columns have the types that can say so."""

    def widened_types(self, left: Any) -> dict[Any, tuple[Any, Any]]:
        """For each column that only this table can give: its type, and that which it has where something is missing."""
        frame = self.value.to_frame("") if self.value.ndim == 1 else self.value
        taken = left.columns if left.ndim > 1 else ()
        return {
            name: (frame[name].dtype, frame[name].iloc[:0].reset_index(drop=True).reindex([0]).dtype)
            for name in frame.columns
            if name not in taken
        }

    def widen(self, left: Any, joined: Any) -> Any:
        """A join of a part of the rows with the types of the whole."""
        if not self.is_wide:
            return joined
        types = self.widened_types(left)
        if joined.ndim == 1:
            return joined.astype(types[""][1])
        return joined.astype({name: new for name, (old, new) in types.items() if name in joined.columns and new != old})


def _nodes_in(value: Any) -> Iterator[Node]:
    if isinstance(value, Node):
        yield value
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _nodes_in(item)
    elif isinstance(value, dict):
        yield from _nodes_in(list(value.values()))


def all_nodes(roots: list[Node]) -> list[Node]:
    """Every node under these, each once, operands before what is made of them; nodes with a value are leaves."""
    order: list[Node] = []
    seen: set[int] = set()
    waiting: list[tuple[Node, bool]] = [(root, False) for root in reversed(roots)]
    while waiting:
        node, is_done = waiting.pop()
        if is_done:
            order.append(node)
        elif id(node) not in seen:
            seen.add(id(node))
            waiting.append((node, True))
            waiting.extend((inner, False) for inner in node.below())
    return order


def evaluate(roots: list[Node], known: dict[int, Any], look: Callable[[Node, Any], None] | None = None) -> list[Any]:
    """The values of these expressions, given those of the nodes in `known` (by id), which grows."""
    waiting = list(reversed(roots))
    while waiting:
        node = waiting[-1]
        if id(node) in known:
            waiting.pop()
            continue
        missing = [inner for inner in node.below() if id(inner) not in known]
        if missing:
            waiting.extend(missing)
            continue
        value = known[id(node)] = apply_operation(node.op, _filled(node.args, known), _filled(node.kwargs, known))
        if look is not None:
            look(node, value)
        waiting.pop()
    return [known[id(root)] for root in roots]


def _filled(value: Any, known: dict[int, Any]) -> Any:
    if isinstance(value, Node):
        return known[id(value)]
    if type(value) in {list, tuple}:
        return type(value)(_filled(item, known) for item in value)
    if type(value) is dict:
        return {key: _filled(item, known) for key, item in value.items()}
    return value


def apply_operation(op: str, args: Any, kwargs: Any) -> Any:
    """Do one operation with pandas itself."""
    kind, _, name = op.partition(":")
    if kind in {"method", "attribute"}:
        value = args[0]
        for part in name.split("."):
            value = getattr(value, part)
        return value(*args[1:], **kwargs) if kind == "method" else value
    return _KINDS[kind](name, args, kwargs)


def _operator(name: str, args: Any, kwargs: Any) -> Any:
    return getattr(operator, name)(*args, **kwargs)


def _reflected(name: str, args: Any, kwargs: Any) -> Any:
    return getattr(operator, name)(args[1], args[0], **kwargs)


def _getitem(name: str, args: Any, kwargs: Any) -> Any:
    del name, kwargs
    return args[0][args[1]]


def _loc(name: str, args: Any, kwargs: Any) -> Any:
    del name, kwargs
    return args[0].loc[args[1]]


def _setitem(name: str, args: Any, kwargs: Any) -> Any:
    del name, kwargs
    changed = args[0].copy(deep=False)
    changed[args[1]] = args[2]
    return changed


def _setloc(name: str, args: Any, kwargs: Any) -> Any:
    del name, kwargs
    changed = args[0].copy(deep=False)
    changed.loc[args[1]] = args[2]
    return changed


def _insert(name: str, args: Any, kwargs: Any) -> Any:
    del name
    changed = args[0].copy(deep=False)
    changed.insert(*args[1:], **kwargs)
    return changed


def _setattr(name: str, args: Any, kwargs: Any) -> Any:
    del kwargs
    changed = args[0].copy(deep=False)
    setattr(changed, name, args[1])
    return changed


def _delitem(name: str, args: Any, kwargs: Any) -> Any:
    del name, kwargs
    changed = args[0].copy(deep=False)
    del changed[args[1]]
    return changed


def _call(name: str, args: Any, kwargs: Any) -> Any:
    """A function of a library: its name, arguments and keywords follow the object that the call is about."""
    import numpy as np
    import pandas as pd

    del kwargs
    _, function, given, named = args
    return getattr(np if name == "numpy" else pd, function)(*given, **named)


def _bundle(name: str, args: Any, kwargs: Any) -> Any:
    """Several values, for a part of an answer that needs them all."""
    del name, kwargs
    return args


def _joined(name: str, args: Any, kwargs: Any) -> Any:
    """A part of the rows with the whole of a small table."""
    del name
    left, table = args
    if "on" in kwargs and "how" not in kwargs:
        return table.widen(left, left.join(table.value, **kwargs))
    return table.widen(left, left.merge(table.value, **kwargs))


def _mapped(name: str, args: Any, kwargs: Any) -> Any:
    del name, kwargs
    return args[1].widen(args[0], args[0].map(args[1].value))


def _isin(name: str, args: Any, kwargs: Any) -> Any:
    del name, kwargs
    return args[0].isin(args[1].value)


_KINDS: dict[str, Callable[[str, Any, Any], Any]] = {
    "operator": _operator,
    "reflected": _reflected,
    "getitem": _getitem,
    "loc": _loc,
    "setitem": _setitem,
    "setloc": _setloc,
    "insert": _insert,
    "setattr": _setattr,
    "delitem": _delitem,
    "call": _call,
    "bundle": _bundle,
    "merge": _joined,
    "join": _joined,
    "map": _mapped,
    "isin": _isin,
}
