"""A place in a loop body, and what points into it.

    stats[key]["n"]     points into `stats` with the keys ("*", "n")
    cell = stats[key]   makes `cell` another way into it
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runsurge_dask.analysis.structure import walk

if TYPE_CHECKING:
    from runsurge_dask.runner.facts import Merge


@dataclass(slots=True)
class Event:
    """One explained form: which mentions it explains, where in the place it acts, and how."""

    nodes: list[ast.AST]
    keys: tuple[str | int, ...]
    merge: Merge
    first: ast.expr | None = None
    """The value stored for a key that is not there yet."""
    is_alias: bool = False
    added: ast.expr | None = None
    """What a row adds, where that is one expression."""
    is_contribution: bool = False
    """That value is a row's own part, not a neutral beginning."""
    payload: tuple[str, ...] = ()
    compare: str = ""
    key: str = ""
    """`SELECT`: what is compared, where it is not the value itself: `len(longest)`."""
    reads_itself: bool = False
    is_in_place: bool = False
    step: int | float = 0


@dataclass(slots=True)
class Growth:
    """What is known of one place in one loop body."""

    place: tuple[str, ...]
    body: list[ast.stmt]
    starts_as: str = ""
    """How the place was first made, where that can be seen: `set`, `dict`, `Counter`, `list`, ..."""
    index: str = ""
    """The target of a loop over distinct positions: reading the place there reads what the row itself may change."""
    events: list[Event] = field(default_factory=list)
    aliases: dict[str, tuple[str | int, ...]] = field(default_factory=dict)
    """Names that stand for an item of the place: `cell = stats[key]`."""
    trouble: ast.AST | None = None

    def is_mention(self, node: ast.AST) -> bool:
        """Whether an expression is this place, or stands for an item of it."""
        return place_of(node) == self.place or (isinstance(node, ast.Name) and node.id in self.aliases)

    def mentions(self) -> list[ast.AST]:
        """Every expression in the body that is this place or stands for an item of it."""
        return [node for statement in self.body for node in walk(statement) if self.is_mention(node)]


def place_of(node: ast.AST) -> tuple[str, ...] | None:
    """`self.rows` -> ("self", "rows"); None for anything that is not a plain dotted name."""
    if isinstance(node, ast.Name):
        return (node.id,)
    if isinstance(node, ast.Attribute):
        above = place_of(node.value)
        return None if above is None else (*above, node.attr)
    return None


def path_in(growth: Growth, node: ast.AST) -> tuple[tuple[str | int, ...], list[ast.AST], ast.expr | None] | None:
    """Where in the place an expression points: keys, the mention it explains, and a `setdefault` value on the way."""
    if place_of(node) == growth.place:
        return (), [node], None
    if isinstance(node, ast.Name) and node.id in growth.aliases:
        return growth.aliases[node.id], [node], None
    inner: ast.expr
    key: ast.expr
    first: ast.expr | None = None
    match node:
        case ast.Subscript(value=inner, slice=key):
            pass
        case ast.Call(func=ast.Attribute(value=inner, attr="setdefault"), args=[key, first], keywords=[]):
            pass
        case _:
            return None
    below = path_in(growth, inner)
    if below is None or has_mention(growth, key) or isinstance(key, ast.Slice) or (first is not None and below[2] is not None):
        return None
    return (*below[0], key_of(key)), below[1], first if first is not None else below[2]


def has_mention(growth: Growth, *nodes: ast.AST | None) -> bool:
    """Whether any of these expressions mentions the place."""
    return any(growth.is_mention(inner) for node in nodes if node is not None for inner in walk(node))


def reads_of_own_item(growth: Growth) -> set[int]:
    """Mentions that only read the item at the loop's own position, in a loop over distinct positions."""
    found: set[int] = set()
    for node in (n for s in growth.body for n in walk(s)):
        match node:
            case ast.Subscript(
                value=table, slice=ast.Name(id=name), ctx=ast.Load()
            ) if growth.index and name == growth.index and place_of(table) == growth.place:
                found.add(id(table))
    return found


def as_load(node: ast.expr) -> ast.expr:
    """The same expression as one that is read: a target and its value on the right then compare alike."""
    text = ast.unparse(node)
    return ast.parse(text, mode="eval").body


def key_of(key: ast.expr) -> str | int:
    """`d["n"]` -> "n", `d[word]` -> "*": the step that an item takes into a table."""
    if isinstance(key, ast.Constant) and isinstance(key.value, str | int) and not isinstance(key.value, bool):
        return key.value
    return "*"
