"""What a loop may not do if its data is to be cut.

    random.seed(row)          moves a generator that later rows draw from
    print(len(rows))          in a function called from the loop, looks at `rows` while it grows
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from runsurge_dask.analysis.names import bound_names
from runsurge_dask.analysis.places import place_of
from runsurge_dask.analysis.scopes import Scope, mentioned
from runsurge_dask.analysis.structure import walk
from runsurge_dask.analysis.verdicts import Carried
from runsurge_dask.knowledge.calls import CARRYING_CALLS, FRAME_CALLS, REACHING_CALLS, READING_METHODS, SEEDING_CALLS

if TYPE_CHECKING:
    from runsurge_dask.runner.facts import Accumulator


def _refuse_reaching_functions(body: list[ast.stmt], scope: Scope) -> None:
    spelled = {name for statement in body for name in mentioned(statement)}
    for name in sorted(scope.mentions.attributes(spelled) & REACHING_CALLS):
        raise Carried(body[0], f"a function called here may use `{name}`")
    if scope.mentions.asks_ids(body, spelled):
        raise Carried(body[0], "it asks for the ids of objects")


def refuse_frames(body: list[ast.stmt], scope: Scope) -> None:
    """Refuse what reaches around the body: its frame, a random generator, a reader, somebody else's list."""
    _refuse_reaching_functions(body, scope)
    for node in (n for statement in body for n in walk(statement)):
        match node:
            case ast.Await() | ast.AsyncFor() | ast.AsyncWith() | ast.YieldFrom():
                raise Carried(node, "asynchronous code runs as written")
            case ast.Call(func=ast.Name(id=name)) if name in FRAME_CALLS:
                raise Carried(node, f"`{name}()` sees or changes the frame it stands in")
            case ast.Call(func=ast.Name(id=name), args=[ast.Name() | ast.Attribute(), *_]) if name in CARRYING_CALLS:
                _refuse_if_outer(node.args[0], body, f"`{name}` changes `{ast.unparse(node.args[0])}`")
            case ast.Call(func=ast.Attribute(attr=name), args=[ast.Name() | ast.Attribute(), *_]) if name in CARRYING_CALLS - {"shuffle"}:
                _refuse_if_outer(node.args[0], body, f"`{name}` changes `{ast.unparse(node.args[0])}`")
            case ast.Call(func=ast.Attribute(attr=name, value=ast.Name() | ast.Attribute() as receiver)) if name in READING_METHODS:
                _refuse_if_outer(receiver, body, f"`{name}` moves `{ast.unparse(receiver)}`")
            case ast.Call(func=ast.Attribute(attr=name)) if name in SEEDING_CALLS:
                raise Carried(node, "a random generator is seeded here")
            case ast.Import() | ast.ImportFrom() if any(alias.name == "*" for alias in node.names):
                raise Carried(node, "a star import binds names that cannot be known")
            case ast.Name(id="__class__"):
                raise Carried(node, "it refers to its own class")


def _refuse_if_outer(node: ast.expr, body: list[ast.stmt], words: str) -> None:
    place = place_of(node)
    if place is not None and place[0] not in bound_names(body):
        raise Carried(node, words)


def refuse_targets(loop: ast.For) -> None:
    """Refuse a loop that binds an attribute or an item: `for self.row in data`."""
    for node in walk(loop.target):
        if isinstance(node, ast.Attribute | ast.Subscript):
            raise Carried(loop, "its target is an attribute or an item")


def refuse_onlookers(place: tuple[str, ...], body: list[ast.stmt], scope: Scope) -> None:
    """No function that the body may call may look at the accumulator."""
    spelled = {name for statement in body for name in mentioned(statement)}
    if len(place) == 1:
        if not scope.is_shared(place[0]):
            return
        if place[0] in scope.mentions.read_around(spelled, scope.owner):
            raise Carried(body[0], f"a function called here looks at `{place[0]}`, which grows")
        return
    if place[-1] in scope.mentions.attributes(spelled):
        raise Carried(body[0], f"a function called here looks at `{'.'.join(place)}`, which grows")
    root = place[0]
    bare = [n for s in body for n in walk(s) if isinstance(n, ast.Name) and n.id == root]
    dotted = {id(n.value) for s in body for n in walk(s) if isinstance(n, ast.Attribute)}
    if any(id(n) not in dotted for n in bare):
        raise Carried(body[0], f"`{root}`, part of which grows here, is handed on as a whole")


def refuse_payload_reads(payload: set[str], body: list[ast.stmt], accumulators: list[Accumulator]) -> None:
    """Refuse reading, or setting elsewhere, a name that is chosen together with an extreme."""
    names = {a.place for a in accumulators}
    for name in payload:
        if name in names or any(
            isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Load) for s in body for n in walk(s)
        ):
            raise Carried(body[0], f"`{name}` is chosen together with an extreme, and read again")
        stores = [n for s in body for n in walk(s) if isinstance(n, ast.Name) and n.id == name]
        if len(stores) != 1:
            raise Carried(body[0], f"`{name}` is set in more than one place")


def refuse_shared_names(names: set[str], body: list[ast.stmt], scope: Scope) -> None:
    """Refuse a body that sets names which the functions it calls read."""
    shared = {name for name in names if scope.is_shared(name)}
    if not shared:
        return
    spelled = {name for statement in body for name in mentioned(statement)}
    seen = shared & scope.mentions.read_around(spelled - shared, scope.owner)
    for name in sorted(seen):
        raise Carried(body[0], f"a function called here reads `{name}`, which each row sets")
