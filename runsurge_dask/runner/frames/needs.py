"""Which columns of the file a stage needs: the others are not read.

For example `df[df.age > 9]["name"]` needs `age` and `name`. What is not known to look at some columns only needs all of them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pandas as pd

from runsurge_dask.runner.frames.nodes import Node

if TYPE_CHECKING:
    from collections.abc import Callable

PARTIAL = frozenset({"rows", "labels", "distinct"})
"""Answers that do not need every column of a frame."""
PASSING = frozenset(
    {"setitem", "setattr:columns", "delitem", "insert", "method:drop", "method:rename", "method:query", "method:reset_index", "bundle"}
)
"""Operations that hand the columns of a frame on, and look only at those that they spell."""
Needs = dict[int, set[Any]]
"""For each frame among the expressions, by id, the columns that are asked of it."""


def needed_columns(roots: list[tuple[Node, tuple[Any, ...]]], nodes: list[Node], source: Node) -> list[Any] | None:
    """The columns of the source, in order; None where all are needed."""
    needs: Needs = {}
    for root, how in roots:
        if how[0] == "groups" and root.op == "bundle":
            _ask_groups(root, how[1], needs)
        elif how[0] in PARTIAL:
            _ask(root, how[1] if how[0] == "distinct" else (), needs)
        else:
            _ask_all(root, needs)
    for node in reversed(nodes):
        _pass_on(node, needs)
    every = list(source.meta.columns)
    wanted = needs.get(id(source), set())
    return None if wanted >= set(every) else [name for name in every if name in wanted]


def looked_at(node: Node, every: list[Any]) -> list[Any]:
    """The columns of the source whose values an expression may fail on."""
    base = node.args[0] if node.args else None
    if not isinstance(base, Node) or not isinstance(base.meta, pd.DataFrame) or node.op in PASSING:
        return []
    if node.op not in {"getitem", "loc"}:
        return every
    key = node.args[1][1] if node.op == "loc" and isinstance(node.args[1], tuple) else node.args[1]
    names = [key] if isinstance(key, str) else key if isinstance(key, list) else []
    return [name for name in names if name in every]


def _ask(node: Any, names: Any, needs: Needs) -> None:
    if isinstance(node, Node):
        needs.setdefault(id(node), set()).update(names)


def _ask_all(node: Any, needs: Needs) -> None:
    if isinstance(node, Node):
        _ask(node, node.meta.columns if isinstance(node.meta, pd.DataFrame) else (), needs)


def _ask_groups(root: Node, wanted: list[tuple[Any, str]], needs: Needs) -> None:
    frame, keys = root.args
    _ask(frame, [name for name, _ in wanted if name is not None] + [key for key in keys if not isinstance(key, Node)], needs)
    for key in keys:
        _ask_all(key, needs)
    needs[id(root)] = set()


def _pass_on(node: Node, needs: Needs) -> None:
    """Say what this node needs of its operands, given what is needed of it."""
    if node.op == "bundle" and id(node) in needs:
        return
    base = node.args[0] if node.args else None
    names = None
    if isinstance(base, Node) and isinstance(base.meta, pd.DataFrame) and node.op in _RULES:
        names = _RULES[node.op](node, needs.get(id(node), set()), base)
    for operand in node.below():
        if operand is base and names is not None:
            _ask(base, names, needs)
        else:
            _ask_all(operand, needs)


def _of_getitem(node: Node, asked: set[Any], base: Node) -> Any:
    key = node.args[1]
    if isinstance(key, Node):
        return asked if key is not base else None
    return [key] if isinstance(key, str) else key


def _of_loc(node: Node, asked: set[Any], base: Node) -> Any:
    del base
    key = node.args[1]
    if isinstance(key, Node):
        return asked
    return [key[1]] if isinstance(key[1], str) else key[1]


def _of_setitem(node: Node, asked: set[Any], base: Node) -> Any:
    key, value = node.args[1], node.args[2]
    if not isinstance(key, str) or value is base:
        return None
    return asked if key in base.meta.columns else asked - {key}


def _of_dropna(node: Node, asked: set[Any], base: Node) -> Any:
    del base
    subset = node.kwargs.get("subset")
    if subset is None:
        return None
    return asked | ({subset} if isinstance(subset, str) else set(subset))


def _of_drop(node: Node, asked: set[Any], base: Node) -> Any:
    del base
    names = node.kwargs["columns"]
    return asked | ({names} if isinstance(names, str) else set(names))


def _of_rename(node: Node, asked: set[Any], base: Node) -> Any:
    mapper = node.kwargs["columns"]
    return {name for name in base.meta.columns if mapper.get(name, name) in asked}


def _of_reset(node: Node, asked: set[Any], base: Node) -> Any:
    del base
    return asked if node.kwargs == {"drop": True} else None


def _of_query(node: Node, asked: set[Any], base: Node) -> Any:
    text = node.args[1]
    if "`" in text:
        return None
    return asked | (set(re.findall(r"\w+", text)) & set(base.meta.columns))


def _of_merge(node: Node, asked: set[Any], base: Node) -> Any:
    """The keys, what is asked for, and what the other side has, too: it decides on the names."""
    keys = node.kwargs["on"] if "on" in node.kwargs else node.kwargs["left_on"]
    others = node.args[1].value.columns if node.args[1].value.ndim > 1 else [node.args[1].value.name]
    kept = {*asked, *others, *([keys] if isinstance(keys, str) else keys)}
    return {name for name in base.meta.columns if name in kept}


_RULES: dict[str, Callable[[Node, set[Any], Node], Any]] = {
    "getitem": _of_getitem,
    "loc": _of_loc,
    "setitem": _of_setitem,
    "method:dropna": _of_dropna,
    "method:drop": _of_drop,
    "method:rename": _of_rename,
    "method:reset_index": _of_reset,
    "method:query": _of_query,
    "merge": _of_merge,
    "join": _of_merge,
}
