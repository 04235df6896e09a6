"""How the body of a loop makes a value grow: the proof that its parts can be joined.

A *place* is a name or a dotted name (`total`, `self.rows`). Every mention of the place in the body must be explained by a
form that only adds to it; one unexplained mention (a read, an alias, an unknown method) and the value is carried from row
to row. For example

    counts[word] = counts.get(word, 0) + 1       explains both mentions: a table of sums
    best = max(best, x)                          explains both mentions: a maximum
    if total > 10: ...                           explains nothing: `total` is carried
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from runsurge_dask.analysis.combining import combine
from runsurge_dask.analysis.forms import events_of
from runsurge_dask.analysis.names import own_nodes
from runsurge_dask.analysis.places import Event, Growth, path_in, reads_of_own_item
from runsurge_dask.analysis.structure import walk
from runsurge_dask.runner.facts import Accumulator, Merge

if TYPE_CHECKING:
    from collections.abc import Iterator


def explain(growth: Growth) -> Accumulator | None:
    """Find the accumulator that a place is; None, with `growth.trouble` set, where it is carried."""
    _find_aliases(growth)
    for statement in growth.body:
        _collect(growth, statement)
    explained = {id(node) for event in growth.events for node in event.nodes}
    own = reads_of_own_item(growth) - explained
    if own and growth.events:
        growth.events[0].reads_itself = True
        explained |= own
    for node in growth.mentions():
        if id(node) not in explained:
            growth.trouble = node
            return _counter(growth)
    return combine(growth)


def _find_aliases(growth: Growth) -> None:
    """`cell = stats[key]`, bound once in the body, stands for that item from there on; `node = node[key]` is no longer what it was."""
    bound = [n.id for s in growth.body for n in walk(s) if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load)]
    for node in (n for s in growth.body for n in walk(s)):
        match node:
            case ast.Assign(targets=[ast.Name(id=name) as target], value=value) if bound.count(name) == 1 and name != growth.place[0]:
                path = path_in(growth, value)
                if path is not None and path[0]:
                    growth.aliases[name] = path[0]
                    growth.events.append(Event([*path[1], target], path[0], Merge.FIRST, first=path[2], is_alias=True))


def _collect(growth: Growth, statement: ast.stmt) -> None:
    found = list(events_of(growth, statement))
    if found:
        growth.events.extend(found)
        handled = {id(node) for event in found for node in event.nodes}
        if isinstance(statement, ast.If | ast.Try):
            for inner in _blocks_of(statement):
                for child in inner:
                    if not any(id(node) in handled for node in walk(child)):
                        _collect(growth, child)
        return
    for inner in _blocks_of(statement):
        for child in inner:
            _collect(growth, child)


def _blocks_of(statement: ast.stmt) -> Iterator[list[ast.stmt]]:
    for name in ("body", "orelse", "finalbody"):
        block = getattr(statement, name, None)
        if isinstance(block, list) and not isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield block
    for part in (*getattr(statement, "handlers", ()), *getattr(statement, "cases", ())):
        yield part.body


def _counter(growth: Growth) -> Accumulator | None:
    """`n += 1` once a row, whatever else reads `n`."""
    if len(growth.place) != 1:
        return None
    stores = [
        n for s in growth.body for n in walk(s) if isinstance(n, ast.Name) and n.id == growth.place[0]
        and not isinstance(n.ctx, ast.Load)
    ]
    for position, statement in enumerate(growth.body):
        match statement:
            case ast.AugAssign(
                target=ast.Name(id=name) as target, op=ast.Add() | ast.Sub(), value=ast.Constant(value=step)
            ) if name == growth.place[0]:
                skips = any(isinstance(n, ast.Continue) for n in own_nodes(growth.body[:position]))
                if type(step) is not int or skips or [id(n) for n in stores] != [id(target)]:
                    return None
                growth.trouble = None
                growth.events.clear()
                sign = 1 if isinstance(statement.op, ast.Add) else -1
                return Accumulator(place=name, local=name, merge=Merge.COUNT, step=sign * step)
    return None
