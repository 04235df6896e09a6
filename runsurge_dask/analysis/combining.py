"""One accumulator from all the events of a place, if they agree.

    d.setdefault(k, []).append(x)       first values and appends below one key: a table of lists
    total += x   and   total *= y       disagree: carried
"""

from __future__ import annotations

import ast

from runsurge_dask.analysis.places import Event, Growth, place_of
from runsurge_dask.analysis.structure import walk
from runsurge_dask.runner.facts import Accumulator, Merge, Path


def combine(growth: Growth) -> Accumulator | None:
    """One accumulator from all events of a place, if they agree."""
    place, events = ".".join(growth.place), growth.events
    local = growth.place[0] if len(growth.place) == 1 else "__rs_" + "_".join(growth.place)
    events = [event for event in events if not event.is_alias] or events
    kinds = {event.merge for event in events}
    roots = [event for event in events if not event.keys]
    if not events or (roots and len(roots) != len(events)):
        return _refuse(growth, events)
    if roots:
        if len(kinds) != 1 or (Merge.SELECT in kinds and len(roots) != 1):
            return _refuse(growth, events)
        compares = {event.compare for event in roots}
        if len(compares) != 1:
            return _refuse(growth, events)
        return Accumulator(
            place=place, local=local, merge=roots[0].merge, payload=roots[0].payload, compare=roots[0].compare, key=roots[0].key,
            is_in_place=all(e.is_in_place for e in roots)
        )
    if kinds == {Merge.STORE}:
        own = any(event.reads_itself for event in events)
        if own and not _stores_own_items(growth):
            return _refuse(growth, events)
        return Accumulator(place=place, local=local, merge=Merge.STORE, reads_itself=own)
    if kinds == {Merge.FIRST} and all(len(event.keys) == 1 for event in events) and len(events) == 1 and not events[0].is_contribution:
        return Accumulator(place=place, local=local, merge=Merge.FIRST)
    return _table(growth, place, local)


def _stores_own_items(growth: Growth) -> bool:
    """Whether every store is to the item at the loop's own position."""
    stores = [
        n for s in growth.body for n in walk(s) if isinstance(n, ast.Subscript) and not isinstance(n.ctx, ast.Load)
        and place_of(n.value) == growth.place
    ]
    nested = any(len(event.keys) != 1 for event in growth.events)
    return not nested and all(isinstance(n.slice, ast.Name) and n.slice.id == growth.index for n in stores)


def _table(growth: Growth, place: str, local: str) -> Accumulator | None:
    paths: dict[tuple[str | int, ...], Merge] = {}
    for event in growth.events:
        if event.merge is Merge.STORE and _is_stored_in_every_row(growth, event):
            event.merge, event.first = Merge.LAST, None
        if event.merge in {Merge.FIRST, Merge.STORE}:
            continue
        if event.merge in {Merge.PREPEND, Merge.SELECT, Merge.COUNT} or paths.setdefault(event.keys, event.merge) is not event.merge:
            return _refuse(growth, [event])
    found = tuple(Path(keys=keys, merge=merge) for keys, merge in paths.items())
    if not _prefix_free(found):
        return _refuse(growth, growth.events)
    for event in growth.events:
        if event.merge is Merge.STORE:
            return _refuse(growth, [event])
        if event.first is not None and not _first_is_sound(event, found, growth.events):
            return _refuse(growth, [event])
    makes_entries = any(event.first is not None and event.merge is Merge.FIRST for event in growth.events)
    return Accumulator(place=place, local=local, merge=Merge.TREE, paths=found, makes_entries=makes_entries)


def _is_stored_in_every_row(growth: Growth, event: Event) -> bool:
    """Whether a row that touches an entry always stores this item of it: the entry has one name, and nothing leaves before the store."""
    if len(growth.aliases) != 1 or len(event.keys) < 2 or event.keys[-1] == "*":  # noqa: PLR2004 - an entry, and an item of it
        return False
    names = [n for s in growth.body for n in walk(s) if place_of(n) == growth.place]
    own = [position for position, s in enumerate(growth.body) if any(n is event.nodes[0] for n in walk(s))]
    first = [position for position, s in enumerate(growth.body) if any(growth.is_mention(n) for n in walk(s))]
    is_plain = bool(own) and isinstance(growth.body[own[0]], ast.Assign)
    leaves = (ast.Continue, ast.Break, ast.Return)
    return len(names) == 1 and is_plain and not any(isinstance(n, leaves) for s in growth.body[first[0] : own[0]] for n in walk(s))


def _prefix_free(paths: tuple[Path, ...]) -> bool:
    def covers(one: tuple[str | int, ...], other: tuple[str | int, ...]) -> bool:
        return len(one) < len(other) and all(a == b or "*" in {a, b} for a, b in zip(one, other, strict=False))

    return bool(paths) and not any(covers(a.keys, b.keys) for a in paths for b in paths)


def _first_is_sound(event: Event, paths: tuple[Path, ...], events: list[Event]) -> bool:
    """Whether the value stored for a new key may be stored anew in every chunk."""
    below = tuple(Path(keys=p.keys[len(event.keys) :], merge=p.merge) for p in paths if _agrees(p.keys, event.keys))
    assert event.first is not None
    if not below:
        return False
    if is_neutral(event.first, below):
        return True
    if not event.is_contribution:
        return False
    same = [other for other in events if other.keys[: len(event.keys)] == event.keys and other.merge is not Merge.FIRST]
    if len(same) != 1 or any(p.keys for p in below):
        return False
    added = same[0].added
    return added is not None and ast.dump(added) == ast.dump(event.first)


def _agrees(path: tuple[str | int, ...], keys: tuple[str | int, ...]) -> bool:
    return len(path) >= len(keys) and all(a == b or "*" in {a, b} for a, b in zip(path, keys, strict=False))


_EMPTY_CALLS = frozenset({"dict", "list", "set", "Counter", "defaultdict", "int", "float", "OrderedDict"})


def is_neutral(value: ast.expr, paths: tuple[Path, ...]) -> bool:
    """Whether starting from this value changes nothing under these operations."""
    leaf = next((p.merge for p in paths if not p.keys), None)
    if leaf in {Merge.MAX, Merge.MIN}:
        return (
            isinstance(value, ast.Constant | ast.UnaryOp)
            or (isinstance(value, ast.Call) and ast.unparse(value) in {"float('inf')", "float('-inf')"})
            or ast.unparse(value) in {"math.inf", "-math.inf", "np.inf", "-np.inf"}
        )
    match value:
        case ast.Constant(value=constant):
            if leaf is Merge.SUM:
                return constant in (0, "", b"") and not isinstance(constant, bool)
            return leaf is Merge.PRODUCT and type(constant) in {int, float} and constant == 1
        case ast.List(elts=[]) | ast.Dict(keys=[]) | ast.Tuple(elts=[]):
            return leaf is None or leaf in {Merge.APPEND, Merge.SUM}
        case ast.Call(func=function, args=arguments) if ast.unparse(function).split(".")[-1] in _EMPTY_CALLS:
            is_factory = ast.unparse(function).split(".")[-1] == "defaultdict"
            return not arguments or (is_factory and len(arguments) == 1)
        case ast.List(elts=elements):
            return all(is_neutral(e, _below(paths, i)) for i, e in enumerate(elements))
        case ast.Dict(keys=keys, values=values):
            return all(isinstance(k, ast.Constant) and is_neutral(v, _below(paths, k.value)) for k, v in zip(keys, values, strict=True))
        case ast.BinOp(left=ast.List(elts=[element]), op=ast.Mult()):
            return is_neutral(element, _below(paths, 0))
    return False


def _below(paths: tuple[Path, ...], key: object) -> tuple[Path, ...]:
    exact = [p for p in paths if p.keys and p.keys[0] == key]
    chosen = exact or [p for p in paths if p.keys and p.keys[0] == "*"]
    return tuple(Path(keys=p.keys[1:], merge=p.merge) for p in chosen)


def _refuse(growth: Growth, events: list[Event]) -> Accumulator | None:
    growth.trouble = events[0].nodes[0] if events else None
    return None
