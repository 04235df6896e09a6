"""Find the places where data may be cut, and prove what may be done there.

For each loop: what it carries from row to row must be an accumulator whose parts can be joined (`growth`); what it
changes around it must be one too; and nothing that the loop calls may look at an accumulator half way.
"""

from __future__ import annotations

import ast
import copy
import marshal
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from runsurge_dask.analysis.growth import Growth, explain, place_of
from runsurge_dask.analysis.names import bound_names, carried_reads, own_nodes, parameter_names, read_names
from runsurge_dask.analysis.scopes import Scope, mentioned
from runsurge_dask.knowledge.calls import CARRYING_CALLS, FRAME_CALLS, MUTATORS, READING_METHODS, SEEDING_CALLS
from runsurge_dask.runner.facts import TAPED, Accumulator, Merge, SiteFacts, SplitKind

if TYPE_CHECKING:
    from collections.abc import Iterator

FEW = 8
"""A loop over a display of at most this many constants is structure, not data."""


@dataclass(slots=True)
class Verdict:
    """What is known of one site before its code is made."""

    kind: SplitKind
    reason: str
    accumulators: list[Accumulator] = field(default_factory=list)
    assigned: set[str] = field(default_factory=set)
    free: set[str] = field(default_factory=set)
    halo: tuple[tuple[str, int, int], ...] = ()


class Carried(Exception):  # noqa: N818 - it ends a proof, it is no error
    """The proof fails here."""

    def __init__(self, node: ast.AST | None, words: str) -> None:
        super().__init__(words)
        line = getattr(node, "lineno", None)
        self.reason = f"line {line}: {words}" if line else words


def classify_loop(loop: ast.For, scope: Scope) -> Verdict:
    """The kind of one `for` loop, with its proof or the first thing that stands in the way."""
    try:
        return _prove_loop(loop, scope)
    except Carried as failure:
        return Verdict(SplitKind.FOLD, failure.reason)


def _prove_loop(loop: ast.For, scope: Scope) -> Verdict:
    body = loop.body
    if is_structural(loop.iter):
        raise Carried(loop, "a loop over a few constants is structure, not data")
    refuse_frames(body, scope)
    assigned = bound_names([loop.target, *body])
    _refuse_targets(loop, assigned)
    exposed = carried_reads(body, bound_names([loop.target]))
    yields = _yields(body)
    accumulators = []
    payload: set[str] = set()
    for name in sorted(exposed & assigned):
        accumulator = _explain((name,), loop, scope)
        if isinstance(accumulator, Growth):
            raise Carried(accumulator.trouble or loop, f"`{name}` carries a value from one row to the next")
        _refuse_onlookers((name,), body, scope)
        accumulators.append(accumulator)
        payload |= set(accumulator.payload)
    shared = _shared_growth(loop, scope, assigned)
    shared_places = {(a.place,) for a in shared}
    for place in sorted(changed_places(body, assigned)):
        if place in shared_places:
            continue
        accumulator = _explain(place, loop, scope)
        if isinstance(accumulator, Growth):
            raise Carried(accumulator.trouble or loop, f"`{'.'.join(place)}` is changed, and what the change does depends on earlier rows")
        _refuse_onlookers(place, body, scope)
        accumulators.append(accumulator if len(place) == 1 else replace(accumulator, is_shared=True))
    accumulators.extend(shared)
    _refuse_payload_reads(payload, body, accumulators)
    names = {a.place for a in accumulators if "." not in a.place}
    others = assigned - names
    _refuse_shared_names(others, body, scope)
    if yields:
        accumulators.append(Accumulator(place="", local="__rs_yields", merge=Merge.YIELD))
    free = read_names(body) - others - names
    live = _live_names(others - payload, loop, scope)
    return Verdict(*_kind(loop, accumulators), accumulators, live, free, _halo(loop))


def is_structural(iterable: ast.expr) -> bool:
    """Whether this iterates over a few things spelled out in the script."""
    if isinstance(iterable, ast.List | ast.Tuple | ast.Set):
        return len(iterable.elts) <= FEW
    match iterable:
        case ast.Call(func=ast.Name(id="range"), args=[ast.Constant(value=int(stop))]):
            return stop <= FEW
        case ast.Call(func=ast.Name(id="enumerate" | "sorted" | "reversed" | "list" | "tuple"), args=[inner, *_]):
            return is_structural(inner)
        case ast.Call(func=ast.Name(id="zip"), args=[*inner]) if inner:
            return any(is_structural(part) for part in inner)
    return False


def _explain(place: tuple[str, ...], loop: ast.For, scope: Scope, more: list[ast.stmt] | None = None) -> Accumulator | Growth:
    counts = isinstance(loop.iter, ast.Call) and isinstance(loop.iter.func, ast.Name) and loop.iter.func.id == "range"
    index = loop.target.id if counts and isinstance(loop.target, ast.Name) else ""
    growth = Growth(place=place, body=[*loop.body, *(more or [])], starts_as=scope.starts_as(place), index=index)
    return explain(growth) or growth


def _shared_growth(loop: ast.For, scope: Scope, assigned: set[str]) -> list[Accumulator]:
    """Accumulators around the loop that the functions it calls make grow: `def keep(x): kept.append(x)`."""
    spelled = {name for statement in loop.body for name in mentioned(statement)}
    reachable = scope.mentions.reachable(spelled)
    functions = [f for name in sorted(reachable) for f in scope.mentions.bodies.get(name, ())]
    owners = {scope.owner, *(f.name for f in scope.outer), ""}
    found: dict[str, Accumulator] = {}
    for function in functions:
        around = {name for name, owner in scope.mentions.around.get(function.name, ()) if owner in owners}
        declared = {n for node in own_nodes(function.body) if isinstance(node, ast.Global | ast.Nonlocal) for n in node.names}
        for name in sorted(declared & around & bound_names(function.body)):
            raise Carried(function, f"`{function.name}`, called here, sets `{name}` around it")
        for place in sorted(changed_places(function.body, (bound_names(function.body) | parameter_names(function.args)) - declared)):
            name = place[0]
            if name not in around or name in found or name in assigned:
                continue
            using = [s for f in functions if name in {n for n, o in scope.mentions.around.get(f.name, ()) if o in owners} for s in f.body]
            accumulator = _explain(place, loop, scope, using)
            if len(place) > 1 or isinstance(accumulator, Growth) or accumulator.merge not in _IN_PLACE:
                raise Carried(function, f"`{function.name}`, called here, changes `{'.'.join(place)}`, and what that does depends on earlier rows")
            found[name] = replace(accumulator, is_shared=True)
    return list(found.values())


def changing_functions(spelled: set[str], scope: Scope) -> list[str]:
    """Functions that code spelling these names may call and that change values around themselves."""
    found = []
    owners = {scope.owner, *(f.name for f in scope.outer), ""}
    for name in sorted(scope.mentions.reachable(spelled)):
        for function in scope.mentions.bodies.get(name, ()):
            around = {n for n, owner in scope.mentions.around.get(name, ()) if owner in owners}
            declared = {n for node in own_nodes(function.body) if isinstance(node, ast.Global | ast.Nonlocal) for n in node.names}
            local = (bound_names(function.body) | parameter_names(function.args)) - declared
            changed = {place[0] for place in changed_places(function.body, local)} | (declared & bound_names(function.body))
            if changed & around:
                found.append(name)
    return found


_IN_PLACE = frozenset({Merge.APPEND, Merge.ADD, Merge.TREE, Merge.FIRST})


def _kind(loop: ast.For, accumulators: list[Accumulator]) -> tuple[SplitKind, str]:
    words = ", ".join(f"`{a.place or 'yield'}` grows by {a.merge}" for a in accumulators)
    merges = {a.merge for a in accumulators}
    if Merge.TREE in merges:
        kind = SplitKind.GROUP
    elif merges - {Merge.APPEND, Merge.STORE, Merge.YIELD, Merge.COUNT}:
        kind = SplitKind.REDUCE
    else:
        kind = SplitKind.HALO if _halo(loop) else SplitKind.ROWS
    return kind, words or "each row stands alone"


def _halo(loop: ast.For) -> tuple[tuple[str, int, int], ...]:
    """Lists that the body reads only at the loop's index plus or minus constants."""
    if not isinstance(loop.target, ast.Name):
        return ()
    index = loop.target.id
    reach: dict[str, set[int]] = {}
    for node in (n for statement in loop.body for n in ast.walk(statement)):
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name) and isinstance(node.ctx, ast.Load):
            offset = _offset(node.slice, index)
            if offset is not None:
                reach.setdefault(node.value.id, set()).add(offset)
    return tuple((name, min(found), max(found)) for name, found in sorted(reach.items()) if found - {0})


def _offset(key: ast.expr, index: str) -> int | None:
    match key:
        case ast.Name(id=name) if name == index:
            return 0
        case ast.BinOp(left=ast.Name(id=name), op=ast.Add() | ast.Sub() as op, right=ast.Constant(value=int(step))) if name == index:
            return step if isinstance(op, ast.Add) else -step
    return None


def refuse_frames(body: list[ast.stmt], scope: Scope) -> None:
    for node in (n for statement in body for n in ast.walk(statement)):
        match node:
            case ast.Await() | ast.AsyncFor() | ast.AsyncWith() | ast.YieldFrom():
                raise Carried(node, "asynchronous code runs as written")
            case ast.Call(func=ast.Name(id=name)) if name in FRAME_CALLS:
                raise Carried(node, f"`{name}()` sees or changes the frame it stands in")
            case ast.Call(func=ast.Name(id=name), args=[ast.Name() | ast.Attribute(), *_]) if name in CARRYING_CALLS:
                _refuse_if_outer(node.args[0], body, f"`{name}` changes `{ast.unparse(node.args[0])}`")  # type: ignore[attr-defined]
            case ast.Call(func=ast.Attribute(attr=name), args=[ast.Name() | ast.Attribute(), *_]) if name in CARRYING_CALLS - {"shuffle"}:
                _refuse_if_outer(node.args[0], body, f"`{name}` changes `{ast.unparse(node.args[0])}`")  # type: ignore[attr-defined]
            case ast.Call(func=ast.Attribute(attr=name, value=ast.Name() | ast.Attribute() as receiver)) if name in READING_METHODS:
                _refuse_if_outer(receiver, body, f"`{name}` moves `{ast.unparse(receiver)}`")
            case ast.Call(func=ast.Attribute(attr=name)) if name in SEEDING_CALLS:
                raise Carried(node, "a random generator is seeded here")
            case ast.Import() | ast.ImportFrom() if any(alias.name == "*" for alias in node.names):
                raise Carried(node, "a star import binds names that cannot be known")
            case ast.Name(id="__class__"):
                raise Carried(node, "it refers to its own class")
    del scope


def _refuse_if_outer(node: ast.expr, body: list[ast.stmt], words: str) -> None:
    place = place_of(node)
    if place is not None and place[0] not in bound_names(body):
        raise Carried(node, words)


def _refuse_targets(loop: ast.For, assigned: set[str]) -> None:
    del assigned
    for node in ast.walk(loop.target):
        if isinstance(node, ast.Attribute | ast.Subscript):
            raise Carried(loop, "its target is an attribute or an item")


def _yields(body: list[ast.stmt]) -> bool:
    found = False
    statements = [node for node in own_nodes(body) if isinstance(node, ast.Expr) and isinstance(node.value, ast.Yield)]
    allowed = {id(statement.value) for statement in statements}
    for node in own_nodes(body):
        if isinstance(node, ast.Yield):
            if id(node) not in allowed:
                raise Carried(node, "the value of a `yield` comes from outside")
            found = True
    return found


def changed_places(body: list[ast.stmt], assigned: set[str]) -> set[tuple[str, ...]]:
    """Places around the loop that statements of the body change."""
    found: set[tuple[str, ...]] = set()
    for node in (n for statement in body for n in ast.walk(statement)):
        for target in _targets(node):
            place = _root_place(target)
            if place is not None and place[0] not in assigned:
                found.add(place)
    return found


def _targets(node: ast.AST) -> Iterator[ast.expr]:
    match node:
        case ast.Attribute(ctx=ast.Store() | ast.Del()):
            yield node
        case ast.Subscript(ctx=ast.Store() | ast.Del(), value=value):
            yield value
        case ast.Call(func=ast.Attribute(value=receiver, attr=name)) if name in MUTATORS:
            yield receiver


def _root_place(node: ast.expr) -> tuple[str, ...] | None:
    while True:
        place = place_of(node)
        if place is not None:
            return place
        match node:
            case ast.Subscript(value=inner) | ast.Call(func=ast.Attribute(value=inner, attr="setdefault" | "get")) | ast.Attribute(value=inner):
                node = inner
            case _:
                return None


def _refuse_onlookers(place: tuple[str, ...], body: list[ast.stmt], scope: Scope) -> None:
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
    bare = [n for s in body for n in ast.walk(s) if isinstance(n, ast.Name) and n.id == root]
    dotted = {id(n.value) for s in body for n in ast.walk(s) if isinstance(n, ast.Attribute)}
    if any(id(n) not in dotted for n in bare):
        raise Carried(body[0], f"`{root}`, part of which grows here, is handed on as a whole")


def _refuse_payload_reads(payload: set[str], body: list[ast.stmt], accumulators: list[Accumulator]) -> None:
    names = {a.place for a in accumulators}
    for name in payload:
        if name in names or any(isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Load) for s in body for n in ast.walk(s)):
            raise Carried(body[0], f"`{name}` is chosen together with an extreme, and read again")
        stores = [n for s in body for n in ast.walk(s) if isinstance(n, ast.Name) and n.id == name]
        if len(stores) != 1:
            raise Carried(body[0], f"`{name}` is set in more than one place")


def _refuse_shared_names(names: set[str], body: list[ast.stmt], scope: Scope) -> None:
    shared = {name for name in names if scope.is_shared(name)}
    if not shared:
        return
    spelled = {name for statement in body for name in mentioned(statement)}
    seen = shared & scope.mentions.read_around(spelled - shared, scope.owner)
    for name in sorted(seen):
        raise Carried(body[0], f"a function called here reads `{name}`, which each row sets")


def _live_names(names: set[str], loop: ast.For, scope: Scope) -> set[str]:
    """Those of the names that somebody may still read after the loop."""
    if any(isinstance(n, ast.Call) and isinstance(n.func, ast.Name) and n.func.id in FRAME_CALLS for n in ast.walk(scope.tree)):
        return names
    after = scope.live_after(loop)
    if after is None:
        return names
    after |= carried_reads(loop.orelse, set())
    around = {name for uses in scope.mentions.around.values() for name, owner in uses if owner in {scope.owner, ""}}
    return {name for name in names if name in after or (scope.is_shared(name) and name in around)}


def loop_code(loop: ast.For, verdict: Verdict, scope: Scope) -> bytes:
    """The loop as the chunk function `__rs_chunk__(records, starts)`."""
    body = [ChunkBody(verdict.accumulators, scope.class_name).visit(copy.deepcopy(s)) for s in loop.body]
    flat = [s for entry in body for s in _listed(entry)] or [ast.Pass()]
    target = ChunkBody(verdict.accumulators, scope.class_name).visit(copy.deepcopy(loop.target))
    template = ast.parse("def __rs_chunk__(__rs_it, __rs_starts):\n    for _ in __rs_it:\n        pass\n    return locals()")
    function = template.body[0]
    assert isinstance(function, ast.FunctionDef)
    new_loop = function.body[0]
    assert isinstance(new_loop, ast.For)
    new_loop.target, new_loop.body = target, flat
    lines = [f"{a.local} = __rs_starts[{a.local!r}]" for a in verdict.accumulators if a.merge is not Merge.YIELD]
    keyed = [a for a in verdict.accumulators if a.key]
    keys = {a.local: ast.unparse(ChunkBody(verdict.accumulators, scope.class_name).visit(ast.parse(a.key, mode="eval").body)) for a in keyed}
    lines += [f"__rs_from_{local} = None if {local} is None else {key}" for local, key in keys.items()]
    function.body[:0] = ast.parse("\n".join(lines)).body
    function.body[-1:-1] = ast.parse("\n".join(f"__rs_to_{local} = None if {local} is None else {key}" for local, key in keys.items())).body
    return compiled(template, loop, scope)


def compiled(template: ast.Module, near: ast.AST, scope: Scope) -> bytes:
    for node in ast.walk(template):
        if not hasattr(node, "lineno") and isinstance(node, ast.stmt | ast.expr | ast.excepthandler | ast.arg | ast.keyword | ast.alias | ast.pattern):
            ast.copy_location(node, near)
    ast.fix_missing_locations(template)
    return marshal.dumps(compile(template, scope.file, "exec", dont_inherit=True))


class ChunkBody(ast.NodeTransformer):
    """The body as a chunk runs it: leaving the loop early is an escape, dotted accumulators are local names."""

    def __init__(self, accumulators: list[Accumulator], class_name: str) -> None:
        self.places = {a.place: a.local for a in accumulators if "." in a.place}
        self.tapes = {a.place: a.local for a in accumulators if a.merge in TAPED}
        self.class_name = class_name.lstrip("_")
        self.depth = 0

    def visit_For(self, node: ast.For | ast.While) -> ast.AST:
        self.depth += 1
        node.body = [s for child in node.body for s in _listed(self.visit(child))] or [ast.Pass()]
        self.depth -= 1
        for name in ("target", "iter", "test"):
            if hasattr(node, name):
                setattr(node, name, self.visit(getattr(node, name)))
        node.orelse = [s for child in node.orelse for s in _listed(self.visit(child))]
        return node

    visit_While = visit_For  # type: ignore[assignment]

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.Lambda) -> ast.AST:
        depth, self.depth = self.depth, -1
        self.generic_visit(node)
        self.depth = depth
        return node

    visit_Lambda = visit_FunctionDef  # type: ignore[assignment]

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        tape = self.tapes.get(".".join(place_of(node.target) or ()))
        if tape is None:
            return self.generic_visit(node)
        value = self.visit(node.value)
        return _taped(tape, ast.UnaryOp(ast.USub(), value) if isinstance(node.op, ast.Sub) else value, node)

    def visit_Assign(self, node: ast.Assign) -> ast.AST:
        """`total = total + x` in its variants."""
        tape = self.tapes.get(".".join(place_of(node.targets[0]) or ())) if len(node.targets) == 1 else None
        if tape is None:
            return self.generic_visit(node)
        calls = [_taped(tape, self.visit(part), node) for part in _added_parts(node.value, place_of(node.targets[0]))]
        return calls if len(calls) > 1 else calls[0]  # type: ignore[return-value]

    def visit_Break(self, node: ast.Break) -> ast.AST:
        return node if self.depth else ast.copy_location(_escape("the loop is left early"), node)

    def visit_Return(self, node: ast.Return) -> ast.AST:
        return self.generic_visit(node) if self.depth < 0 else ast.copy_location(_escape("the function returns from the loop"), node)

    def visit_Global(self, node: ast.Global | ast.Nonlocal) -> ast.AST:
        return ast.copy_location(ast.Pass(), node) if self.depth >= 0 else node

    visit_Nonlocal = visit_Global

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        place = place_of(node)
        local = self.places.get(".".join(place)) if place is not None else None
        if local is not None:
            return ast.copy_location(ast.Name(local, node.ctx), node)
        self.generic_visit(node)
        node.attr = self.mangled(node.attr)
        return node

    def visit_Name(self, node: ast.Name) -> ast.AST:
        node.id = self.mangled(node.id)
        return node

    def mangled(self, name: str) -> str:
        """Private names of a class, as the compiler would spell them."""
        is_private = name.startswith("__") and not name.endswith("__") and not name.startswith("__rs_")
        return f"_{self.class_name}{name}" if self.class_name and is_private else name


def _listed(node: object) -> list[ast.stmt]:
    return node if isinstance(node, list) else [] if node is None else [node]  # type: ignore[list-item]


def _taped(tape: str, value: ast.expr, near: ast.AST) -> ast.stmt:
    """`total += x` in a chunk: note `x`; the driver adds it, in order."""
    call = ast.Call(ast.Attribute(ast.Name(tape, ast.Load()), "append", ast.Load()), [value], [])
    statement = ast.Expr(call)
    for node in (statement, call, call.func, call.func.value):  # type: ignore[attr-defined]
        ast.copy_location(node, near)
    return statement


def _factors(value: ast.BinOp, place: tuple[str, ...] | None) -> list[ast.expr]:
    if place_of(value.right) == place:
        return [value.left]
    parts: list[ast.expr] = []
    left: ast.expr = value
    while isinstance(left, ast.BinOp) and isinstance(left.op, ast.Mult):
        parts.append(left.right)
        left = left.left
    return parts[::-1]


def _added_parts(value: ast.expr, place: tuple[str, ...] | None) -> list[ast.expr]:
    """`total + a - b` -> [a, -b]: what is added to the leftmost operand, in order."""
    parts: list[ast.expr] = []
    if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Mult):
        return _factors(value, place)
    if isinstance(value, ast.BinOp) and place_of(value.right) == place:
        return [value.left]
    while isinstance(value, ast.BinOp) and isinstance(value.op, ast.Add | ast.Sub):
        right = value.right
        parts.append(ast.copy_location(ast.UnaryOp(ast.USub(), right), right) if isinstance(value.op, ast.Sub) else right)
        value = value.left
    return parts[::-1]


def _escape(words: str) -> ast.stmt:
    return ast.parse(f"raise __rs_Escape__({words!r})").body[0]


def facts_of_loop(number: int, loop: ast.For, scope: Scope) -> SiteFacts:
    """Everything a run needs to know of one loop."""
    verdict = classify_loop(loop, scope)
    facts = SiteFacts(site=number, file=scope.file, line=loop.lineno, form="for", kind=verdict.kind, reason=verdict.reason, label=label_of(loop))
    if verdict.kind in {SplitKind.FOLD, SplitKind.WHOLE}:
        return facts
    return replace(
        facts,
        code=loop_code(loop, verdict, scope),
        free=tuple(sorted(verdict.free)),
        assigned=tuple(sorted(verdict.assigned)),
        accumulators=tuple(verdict.accumulators),
        is_indexed=any(a.merge is Merge.COUNT for a in verdict.accumulators),
        halo=verdict.halo,
        compares_identity=scope.mentions.compares_identity(list(loop.body), {name for s in loop.body for name in mentioned(s)}),
    )


def label_of(node: ast.AST) -> str:
    return ast.unparse(node).splitlines()[0][:80]
