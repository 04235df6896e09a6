"""Find the places where data may be cut, and prove what may be done there.

For each loop: what it carries from row to row must be an accumulator whose parts can be joined (`growth`); what it
changes around it must be one too; and nothing that the loop calls may look at an accumulator half way.
"""

from __future__ import annotations

import ast
from dataclasses import replace

from runsurge_dask.analysis.bodies import loop_code
from runsurge_dask.analysis.changes import changed_places
from runsurge_dask.analysis.divided import divided_code
from runsurge_dask.analysis.fission import Fission, divide
from runsurge_dask.analysis.growth import explain
from runsurge_dask.analysis.looking import looks_at_records
from runsurge_dask.analysis.names import bound_names, carried_reads, declared_names, own_nodes, parameter_names, read_names
from runsurge_dask.analysis.places import Growth
from runsurge_dask.analysis.refusals import refuse_frames, refuse_onlookers, refuse_payload_reads, refuse_shared_names, refuse_targets
from runsurge_dask.analysis.scopes import Scope, mentioned
from runsurge_dask.analysis.structure import is_structural, walk
from runsurge_dask.analysis.verdicts import Carried, Verdict
from runsurge_dask.runner.facts import GROWING_IN_PLACE, Accumulator, Merge, SiteFacts, SplitKind


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
    seen = [*body, ast.copy_location(ast.Expr(loop.iter), loop)]
    """A generator that feeds the loop runs between its rows."""
    refuse_frames(body, scope)
    assigned = bound_names([loop.target, *body])
    refuse_targets(loop)
    exposed = carried_reads(body, bound_names([loop.target]))
    yields = _yields(body)
    accumulators = []
    payload: set[str] = set()
    for name in sorted(exposed & assigned):
        accumulator = _explain((name,), loop, scope)
        if isinstance(accumulator, Growth):
            raise Carried(accumulator.trouble or loop, f"`{name}` carries a value from one row to the next")
        refuse_onlookers((name,), seen, scope)
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
        refuse_onlookers(place, seen, scope)
        accumulators.append(accumulator if len(place) == 1 else replace(accumulator, is_shared=True))
    accumulators.extend(shared)
    refuse_payload_reads(payload, body, accumulators)
    names = {a.place for a in accumulators if "." not in a.place}
    others = assigned - names
    refuse_shared_names(others, seen, scope)
    if yields:
        accumulators.append(Accumulator(place="", local="__rs_yields", merge=Merge.YIELD))
    free = read_names(body) - others - names
    live = scope.live_names(others - payload, loop)
    return Verdict(*_kind(loop, accumulators), accumulators, live, free)


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
        declared = declared_names(function.body)
        for name in sorted(declared & around & bound_names(function.body)):
            raise Carried(function, f"`{function.name}`, called here, sets `{name}` around it")
        for place in sorted(changed_places(function.body, (bound_names(function.body) | parameter_names(function.args)) - declared)):
            name = place[0]
            if name not in around or name in found or name in assigned:
                continue
            using = [s for f in functions if name in {n for n, o in scope.mentions.around.get(f.name, ()) if o in owners} for s in f.body]
            accumulator = _explain(place, loop, scope, using)
            if len(place) > 1 or isinstance(accumulator, Growth) or accumulator.merge not in _IN_PLACE:
                raise Carried(
                    function, f"`{function.name}`, called here, changes `{'.'.join(place)}`, and what that does depends on earlier rows"
                )
            found[name] = replace(accumulator, is_shared=True)
    return list(found.values())


_IN_PLACE = frozenset({Merge.APPEND, Merge.ADD, Merge.TREE, Merge.FIRST})


def _kind(loop: ast.For, accumulators: list[Accumulator]) -> tuple[SplitKind, str]:
    words = ", ".join(f"`{a.place or 'yield'}` grows by {a.merge}" for a in accumulators)
    merges = {a.merge for a in accumulators}
    if Merge.TREE in merges:
        kind = SplitKind.GROUP
    elif merges - {Merge.APPEND, Merge.STORE, Merge.YIELD, Merge.COUNT}:
        kind = SplitKind.REDUCE
    else:
        kind = SplitKind.HALO if _looks_at_neighbours(loop) else SplitKind.ROWS
    return kind, words or "each row stands alone"


def _looks_at_neighbours(loop: ast.For) -> bool:
    """Whether the body reads a list at the loop's index plus or minus a constant."""
    for node in (n for statement in loop.body for n in walk(statement)):
        match node:
            case ast.Subscript(
                value=ast.Name(),
                slice=ast.BinOp(left=ast.Name(id=name), op=ast.Add() | ast.Sub(), right=ast.Constant(value=int(step))),
                ctx=ast.Load(),
            ) if step and isinstance(loop.target, ast.Name) and name == loop.target.id:
                return True
    return False


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


def facts_of_loop(number: int, loop: ast.For, scope: Scope) -> tuple[SiteFacts, Fission | None]:
    """Everything a run needs to know of one loop, and how its body is divided, if it is."""
    verdict = classify_loop(loop, scope)
    facts = SiteFacts(
        site=number, file=scope.file, line=loop.lineno, form="for", kind=verdict.kind, reason=verdict.reason, label=label_of(loop)
    )
    compares = scope.mentions.compares_identity
    if verdict.kind is SplitKind.WHOLE or is_structural(loop.iter):
        return facts, None
    fission = divide(loop, scope, is_proved=verdict.kind is not SplitKind.FOLD and all(_is_known(a, scope) for a in verdict.accumulators))
    divided = None if fission is None else _divided_facts(facts, loop, fission, scope, compares=compares)
    if verdict.kind is SplitKind.FOLD:
        return divided or facts, fission
    return replace(
        facts,
        code=loop_code(loop, verdict, scope),
        free=tuple(sorted(verdict.free)),
        assigned=tuple(sorted(verdict.assigned)),
        accumulators=tuple(verdict.accumulators),
        is_indexed=any(a.merge is Merge.COUNT for a in verdict.accumulators),
        compares_identity=compares,
        looking=looks_at_records(loop, scope.mentions, verdict.accumulators),
        divided=divided,
    ), fission


def _is_known(fact: Accumulator, scope: Scope) -> bool:
    """Whether the text tells that a value is of a type whose parts can be joined."""
    return fact.merge not in GROWING_IN_PLACE or fact.merge is Merge.YIELD or scope.starts_as(tuple(fact.place.split("."))) in _JOINED_TYPES


_JOINED_TYPES = frozenset({"list", "dict", "set", "defaultdict", "Counter"})


def _divided_facts(facts: SiteFacts, loop: ast.For, fission: Fission, scope: Scope, *, compares: bool) -> SiteFacts:
    return replace(
        facts,
        reason=f"{facts.reason}; chunks do line {', '.join(map(str, fission.lines()))} ahead",
        code=divided_code(loop, fission, scope),
        free=tuple(sorted(fission.free)),
        assigned=tuple(sorted(fission.left)),
        accumulators=(Accumulator(place="", local="__rs_yields", merge=Merge.YIELD),),
        given=fission.given,
        rest=tuple(sorted(fission.rest)),
        makes_files=fission.makes_files,
        needs_generator=not any(fission.ahead),
        compares_identity=compares,
    )


def label_of(node: ast.AST) -> str:
    """How a report names this place: its first line."""
    return ast.unparse(node).splitlines()[0][:80]
