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
import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runsurge_dask.analysis.names import own_nodes
from runsurge_dask.runner.facts import Accumulator, Merge, Path

if TYPE_CHECKING:
    from collections.abc import Iterator

_SUMS = {ast.Add: Merge.SUM, ast.Sub: Merge.SUM, ast.Mult: Merge.PRODUCT, ast.BitOr: Merge.OR, ast.BitAnd: Merge.AND, ast.BitXor: Merge.XOR}
_COMPARES = {ast.Gt: "gt", ast.GtE: "ge", ast.Lt: "lt", ast.LtE: "le"}
_FLIPPED = {"gt": "lt", "ge": "le", "lt": "gt", "le": "ge"}


@dataclass(slots=True)
class Event:
    """One explained form: which mentions it explains, where in the place it acts, and how."""

    nodes: list[ast.AST]
    keys: tuple[str | int, ...]
    merge: Merge
    first: ast.expr | None = None
    """The value stored for a key that is not there yet."""
    is_alias: bool = False
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
        return [node for statement in self.body for node in ast.walk(statement) if self.is_mention(node)]


def place_of(node: ast.AST) -> tuple[str, ...] | None:
    """`self.rows` -> ("self", "rows"); None for anything that is not a plain dotted name."""
    if isinstance(node, ast.Name):
        return (node.id,)
    if isinstance(node, ast.Attribute):
        above = place_of(node.value)
        return None if above is None else (*above, node.attr)
    return None


def explain(growth: Growth) -> Accumulator | None:
    """Find the accumulator that a place is; None, with `growth.trouble` set, where it is carried."""
    _find_aliases(growth)
    for statement in growth.body:
        _collect(growth, statement)
    explained = {id(node) for event in growth.events for node in event.nodes}
    own = _reads_of_own_item(growth) - explained
    if own and growth.events:
        growth.events[0].reads_itself = True
        explained |= own
    for node in growth.mentions():
        if id(node) not in explained:
            growth.trouble = node
            return _counter(growth)
    return _combine(growth)


def _reads_of_own_item(growth: Growth) -> set[int]:
    """Mentions that only read the item at the loop's own position, in a loop over distinct positions."""
    found: set[int] = set()
    for node in (n for s in growth.body for n in ast.walk(s)):
        match node:
            case ast.Subscript(value=table, slice=ast.Name(id=name), ctx=ast.Load()) if growth.index and name == growth.index and place_of(table) == growth.place:
                found.add(id(table))
    return found


def _find_aliases(growth: Growth) -> None:
    """`cell = stats[key]`, bound once in the body, stands for that item from there on."""
    bound = [n.id for s in growth.body for n in ast.walk(s) if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load)]
    for node in (n for s in growth.body for n in ast.walk(s)):
        match node:
            case ast.Assign(targets=[ast.Name(id=name) as target], value=value) if bound.count(name) == 1:
                path = path_in(growth, value)
                if path is not None and path[0]:
                    growth.aliases[name] = path[0]
                    growth.events.append(Event([*path[1], target], path[0], Merge.FIRST, first=path[2], is_alias=True))


def _collect(growth: Growth, statement: ast.stmt) -> None:
    found = list(_events_of(growth, statement))
    if found:
        growth.events.extend(found)
        handled = {id(node) for event in found for node in event.nodes}
        if isinstance(statement, ast.If | ast.Try):
            for inner in _blocks_of(statement):
                for child in inner:
                    if not any(id(node) in handled for node in ast.walk(child)):
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


def _events_of(growth: Growth, statement: ast.stmt) -> Iterator[Event]:
    match statement:
        case ast.AugAssign():
            yield from _augmented(growth, statement)
        case ast.Assign(targets=[target]):
            yield from _assigned(growth, target, statement.value)
        case ast.AnnAssign(target=target, value=value) if value is not None:
            yield from _assigned(growth, target, value)
        case ast.Expr(value=ast.Call() as call):
            yield from _called(growth, call)
        case ast.If():
            yield from _guarded(growth, statement)
        case ast.Try():
            yield from _tried(growth, statement)


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
    if below is None or _mentions(growth, key) or isinstance(key, ast.Slice) or (first is not None and below[2] is not None):
        return None
    step: str | int = key.value if isinstance(key, ast.Constant) and type(key.value) in {str, int} else "*"
    return (*below[0], step), below[1], first if first is not None else below[2]


def _mentions(growth: Growth, *nodes: ast.AST | None) -> bool:
    return any(growth.is_mention(inner) for node in nodes if node is not None for inner in ast.walk(node))


def _augmented(growth: Growth, statement: ast.AugAssign) -> Iterator[Event]:
    merge = _SUMS.get(type(statement.op))
    path = path_in(growth, statement.target)
    if merge is None or path is None or _mentions(growth, statement.value):
        return
    if merge is Merge.OR and not path[0] and _is_set(statement.value):
        merge = Merge.ADD
    yield _event(path, merge, is_in_place=True)


def _event(path: tuple[tuple[str | int, ...], list[ast.AST], ast.expr | None], merge: Merge, **more: object) -> Event:
    keys, nodes, first = path
    event = Event(list(nodes), keys, merge)
    event.first = first
    for name, value in more.items():
        setattr(event, name, value)
    return event


def _is_set(node: ast.expr) -> bool:
    return isinstance(node, ast.Set | ast.SetComp) or (isinstance(node, ast.Call) and getattr(node.func, "id", "") in {"set", "frozenset"})


def _assigned(growth: Growth, target: ast.expr, value: ast.expr) -> Iterator[Event]:
    path = path_in(growth, target)
    if path is None or path[2] is not None:
        return
    same = ast.dump(_as_load(target))
    found: list[Event] = []
    if isinstance(value, ast.BinOp):
        found = list(_operated(growth, path, value, same))
    elif isinstance(value, ast.Call) and isinstance(value.func, ast.Name) and value.func.id in {"max", "min"} and len(value.args) == 2 and not value.keywords:
        found = list(_extreme(growth, path, value, same))
    elif isinstance(value, ast.BoolOp) and not path[0] and ast.dump(value.values[0]) == same and not _mentions(growth, *value.values[1:]):
        found = [Event([*path[1], value.values[0]], (), Merge.BOOL_OR if isinstance(value.op, ast.Or) else Merge.BOOL_AND)]
    if not found and path[0]:
        own = _reads_of_own_item(growth)
        if all(id(n) in own for n in ast.walk(value) if growth.is_mention(n)):
            found = [Event(list(path[1]), path[0], Merge.STORE, first=value)]
    yield from found


def _as_load(node: ast.expr) -> ast.expr:
    text = ast.unparse(node)
    return ast.parse(text, mode="eval").body


def _old_value(growth: Growth, node: ast.expr, same: str, path_keys: tuple[str | int, ...]) -> tuple[list[ast.AST], ast.expr | None] | None:
    """The place's own value on the right-hand side: itself, or `d.get(key, first)`."""
    if ast.dump(_as_load(node)) == same:
        found = path_in(growth, node)
        return (found[1], None) if found is not None else None
    match node:
        case ast.Call(func=ast.Attribute(value=table, attr="get"), args=[key, first], keywords=[]):
            as_item = ast.Subscript(table, key, ast.Load())
            if ast.dump(_as_load(as_item)) == same and not _mentions(growth, first):
                found = path_in(growth, table)
                return (found[1], first) if found is not None else None
    del path_keys
    return None


def _operated(growth: Growth, path: tuple[tuple[str | int, ...], list[ast.AST], ast.expr | None], value: ast.BinOp, same: str) -> Iterator[Event]:
    merge = _SUMS.get(type(value.op))
    if merge is None:
        return
    leftmost: ast.expr = value
    others: list[ast.expr] = []
    while isinstance(leftmost, ast.BinOp) and _SUMS.get(type(leftmost.op)) is merge:
        others.append(leftmost.right)
        leftmost = leftmost.left
    old = _old_value(growth, leftmost, same, path[0])
    if old is not None and not _mentions(growth, *others):
        yield Event([*path[1], *old[0]], path[0], merge, first=old[1])
        return
    is_commuting = isinstance(value.op, ast.Add | ast.Mult)
    old = _old_value(growth, value.right, same, path[0])
    if is_commuting and old is not None and not _mentions(growth, value.left):
        swapped = Merge.PREPEND if merge is Merge.SUM else merge
        if swapped is Merge.PREPEND and path[0]:
            return
        yield Event([*path[1], *old[0]], path[0], swapped, first=old[1])


def _extreme(growth: Growth, path: tuple[tuple[str | int, ...], list[ast.AST], ast.expr | None], value: ast.Call, same: str) -> Iterator[Event]:
    assert isinstance(value.func, ast.Name)
    merge = Merge.MAX if value.func.id == "max" else Merge.MIN
    for position, argument in enumerate(value.args):
        old = _old_value(growth, argument, same, path[0])
        if old is not None and not _mentions(growth, value.args[1 - position]):
            if path[0] and position:
                return
            yield Event([*path[1], *old[0]], path[0], merge, first=old[1], is_contribution=True, compare="new-first" if position else "")
            return


_GROWING = {"append": Merge.APPEND, "extend": Merge.APPEND, "add": Merge.ADD}


def _called(growth: Growth, call: ast.Call) -> Iterator[Event]:
    if not isinstance(call.func, ast.Attribute) or _mentions(growth, *call.args, *[k.value for k in call.keywords]):
        return
    method, receiver = call.func.attr, call.func.value
    path = path_in(growth, receiver)
    if path is None:
        return
    if method == "setdefault" and len(call.args) == 2 and not call.keywords:
        yield Event(list(path[1]), (*path[0], _key_of(call.args[0])), Merge.FIRST, first=call.args[1])
    elif method == "update" and not path[0]:
        merge = {"dict": Merge.STORE, "set": Merge.ADD, "Counter": Merge.SUM}.get(growth.starts_as)
        if merge is not None:
            yield _event(path, merge, keys=("*",) if merge is not Merge.ADD else ())
    elif method in _GROWING and not call.keywords and len(call.args) == 1:
        yield _event(path, _GROWING[method])


def _key_of(key: ast.expr) -> str | int:
    return key.value if isinstance(key, ast.Constant) and type(key.value) in {str, int} else "*"


def _guarded(growth: Growth, statement: ast.If) -> Iterator[Event]:
    """`if key not in d: d[key] = first` in its variants, and `if new > best: best = new`."""
    membership = _membership(growth, statement.test)
    if membership is not None:
        yield from _filled(growth, statement, *membership)
        return
    if not statement.orelse:
        yield from _selected(growth, statement)


def _membership(growth: Growth, test: ast.expr) -> tuple[str, list[ast.AST], bool] | None:
    match test:
        case ast.Compare(left=key, ops=[ast.In() | ast.NotIn() as operator], comparators=[table]):
            path = path_in(growth, table)
            if path is not None and path[2] is None and not _mentions(growth, key):
                item = ast.dump(_as_load(ast.Subscript(table, key, ast.Load())))
                return item, path[1], isinstance(operator, ast.In)
    return None


def _filled(growth: Growth, statement: ast.If, item: str, nodes: list[ast.AST], is_in: bool) -> Iterator[Event]:  # noqa: FBT001
    missing, present = (statement.orelse, statement.body) if is_in else (statement.body, statement.orelse)
    if len(missing) != 1 or not isinstance(missing[0], ast.Assign) or len(missing[0].targets) != 1:
        return
    target, value = missing[0].targets[0], missing[0].value
    if ast.dump(_as_load(target)) != item or _mentions(growth, value):
        return
    path = path_in(growth, target)
    if path is None:
        return
    yield Event([*nodes, *path[1]], path[0], Merge.FIRST, first=value, is_contribution=bool(present))


def _selected(growth: Growth, statement: ast.If) -> Iterator[Event]:
    tests = statement.test.values if isinstance(statement.test, ast.BoolOp) and isinstance(statement.test.op, ast.Or) else [statement.test]
    assigns = list(_plain_assigns(statement.body))
    if not assigns or len(tests) > 2:
        return
    explained: list[ast.AST] = []
    membership = None
    if len(tests) == 2:
        is_none = isinstance(tests[0], ast.Compare) and isinstance(tests[0].ops[0], ast.Is) and place_of(tests[0].left) == growth.place
        membership = _membership(growth, tests[0])
        if is_none:
            explained.append(tests[0].left)  # type: ignore[attr-defined]
        elif membership is not None and not membership[2]:
            explained.extend(membership[1])
        else:
            return
    compared = _compared(growth, tests[-1])
    if compared is None:
        return
    value, old, compare = compared
    mine = [(t, v) for t, v in assigns if (p := path_in(growth, t)) is not None and p[2] is None]
    if len(mine) != 1 or _mentions(growth, value, mine[0][1]):
        return
    key = _key_compared(growth, old, value, mine[0][1])
    old_mentions = [n for n in ast.walk(old) if growth.is_mention(n)]
    target_path, old_path = path_in(growth, mine[0][0]), path_in(growth, old)
    if key is None or target_path is None:
        return
    if not key and (old_path is None or ast.dump(_as_load(mine[0][0])) != ast.dump(_as_load(old))):
        return
    explained += [*target_path[1], *old_mentions]
    if target_path[0]:
        if not key and len(assigns) == 1 and compare in {"gt", "lt"} and (membership is not None or growth.starts_as != ""):
            merge = Merge.MAX if compare == "gt" else Merge.MIN
            yield Event(explained, target_path[0], merge, first=value, is_contribution=True)
        return
    payload = [t.id for t, _ in assigns if isinstance(t, ast.Name) and t is not mine[0][0]]
    if len(payload) != len(assigns) - 1 or _mentions(growth, *[v for t, v in assigns if t is not mine[0][0]]):
        return
    yield Event(explained, (), Merge.SELECT, payload=tuple(payload), compare=compare, key=key)


def _key_compared(growth: Growth, old: ast.expr, value: ast.expr, stored: ast.expr) -> str | None:
    """"" where the stored value itself is compared, `len(longest)` where something of it is; None where neither holds."""
    if isinstance(value, ast.NamedExpr):
        value = ast.Name(value.target.id, ast.Load())
    if isinstance(stored, ast.NamedExpr):
        stored = ast.Name(stored.target.id, ast.Load())
    if ast.dump(_as_load(stored)) == ast.dump(_as_load(value)):
        return ""

    class Put(ast.NodeTransformer):
        def visit(self, node: ast.AST) -> ast.AST:
            return copy.deepcopy(stored) if growth.is_mention(node) else super().generic_visit(node)

    put = Put().visit(copy.deepcopy(old))
    return ast.unparse(old) if ast.dump(_as_load(put)) == ast.dump(_as_load(value)) else None


def _plain_assigns(body: list[ast.stmt]) -> Iterator[tuple[ast.expr, ast.expr]]:
    pairs: list[tuple[ast.expr, ast.expr]] = []
    for statement in body:
        match statement:
            case ast.Assign(targets=[ast.Tuple(elts=targets)], value=ast.Tuple(elts=values)) if len(targets) == len(values):
                pairs.extend(zip(targets, values, strict=True))
            case ast.Assign(targets=[target], value=value):
                pairs.append((target, value))
            case _:
                return iter(())
    return iter(pairs)


def _compared(growth: Growth, test: ast.expr) -> tuple[ast.expr, ast.expr, str] | None:
    """`new > best` or `best < new` -> (new, best, "gt")."""
    if not isinstance(test, ast.Compare) or len(test.ops) != 1 or type(test.ops[0]) not in _COMPARES:
        return None
    compare = _COMPARES[type(test.ops[0])]
    left, right = test.left, test.comparators[0]
    if _mentions(growth, right) and not _mentions(growth, left):
        return left, right, compare
    if _mentions(growth, left) and not _mentions(growth, right):
        return right, left, _FLIPPED[compare]
    return None


def _tried(growth: Growth, statement: ast.Try) -> Iterator[Event]:
    """`try: d[key] += x` / `except KeyError: d[key] = x`."""
    match statement:
        case ast.Try(body=[ast.AugAssign() as update], handlers=[ast.ExceptHandler(type=ast.Name(id="KeyError"), name=None, body=[ast.Assign(targets=[target], value=value)])], orelse=[], finalbody=[]):
            if ast.dump(_as_load(update.target)) != ast.dump(_as_load(target)) or _mentions(growth, value):
                return
            path = path_in(growth, target)
            if path is None or not path[0]:
                return
            for event in _augmented(growth, update):
                event.nodes += path[1]
                event.first, event.is_contribution = value, True
                yield event


def _counter(growth: Growth) -> Accumulator | None:
    """`n += 1` once a row, whatever else reads `n`."""
    if len(growth.place) != 1:
        return None
    stores = [n for s in growth.body for n in ast.walk(s) if isinstance(n, ast.Name) and n.id == growth.place[0] and not isinstance(n.ctx, ast.Load)]
    for position, statement in enumerate(growth.body):
        match statement:
            case ast.AugAssign(target=ast.Name(id=name) as target, op=ast.Add() | ast.Sub(), value=ast.Constant(value=step)) if name == growth.place[0]:
                skips = any(isinstance(n, ast.Continue) for n in own_nodes(growth.body[:position]))
                if type(step) is not int or skips or [id(n) for n in stores] != [id(target)]:
                    return None
                growth.trouble = None
                growth.events.clear()
                sign = 1 if isinstance(statement.op, ast.Add) else -1
                return Accumulator(place=name, local=name, merge=Merge.COUNT, step=sign * step)
    return None


def _combine(growth: Growth) -> Accumulator | None:
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
        return Accumulator(place=place, local=local, merge=roots[0].merge, payload=roots[0].payload, compare=roots[0].compare, key=roots[0].key, is_in_place=all(e.is_in_place for e in roots))
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
    stores = [n for s in growth.body for n in ast.walk(s) if isinstance(n, ast.Subscript) and not isinstance(n.ctx, ast.Load) and place_of(n.value) == growth.place]
    nested = any(len(event.keys) != 1 for event in growth.events)
    return not nested and all(isinstance(n.slice, ast.Name) and n.slice.id == growth.index for n in stores)


def _table(growth: Growth, place: str, local: str) -> Accumulator | None:
    paths: dict[tuple[str | int, ...], Merge] = {}
    for event in growth.events:
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
    return Accumulator(place=place, local=local, merge=Merge.TREE, paths=found)


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
    return len(same) <= 1 and all(not p.keys for p in below)


def _agrees(path: tuple[str | int, ...], keys: tuple[str | int, ...]) -> bool:
    return len(path) >= len(keys) and all(a == b or "*" in {a, b} for a, b in zip(path, keys, strict=False))


_EMPTY_CALLS = frozenset({"dict", "list", "set", "Counter", "defaultdict", "int", "float", "OrderedDict"})


def is_neutral(value: ast.expr, paths: tuple[Path, ...]) -> bool:
    """Whether starting from this value changes nothing under these operations."""
    leaf = next((p.merge for p in paths if not p.keys), None)
    if leaf in {Merge.MAX, Merge.MIN}:
        return isinstance(value, ast.Constant | ast.UnaryOp) or (isinstance(value, ast.Call) and ast.unparse(value) in {"float('inf')", "float('-inf')"}) or ast.unparse(value) in {"math.inf", "-math.inf", "np.inf", "-np.inf"}
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


def _refuse(growth: Growth, events: list[Event]) -> None:
    growth.trouble = events[0].nodes[0] if events else None



