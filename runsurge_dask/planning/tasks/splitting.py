"""Which units can be cut into chunks by task scripts, and how their parts join to exactly what the whole would have made.

    rows = []                                       initial
    with open("in.csv") as f:                       a file's records, counted first, then taken from one place to another
        for line in f: rows.append(line.split())    rows: parts are appended in order
    counts = {}                                     initial
    for row in rows:                                goes through the rows of its own chunk
        counts[row[0]] = counts.get(row[0], 0) + 1  counts: parts are merged key by key

Together they are one group: one task a chunk, and one that joins. What cannot be joined exactly (sums of floats by key, say)
is found out when it is joined, and then the statements run as written.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from runsurge_dask.analysis.names import bound_names
from runsurge_dask.analysis.structure import children, walk
from runsurge_dask.planning.kinds import called_loop, is_fresh
from runsurge_dask.planning.tasks.flow import writes
from runsurge_dask.runner.facts import Merge, SplitKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from runsurge_dask.ir.program import Program
    from runsurge_dask.planning.tasks.units import Script, Unit
    from runsurge_dask.runner.facts import Accumulator, SiteFacts


class Joining(StrEnum):
    """How a chunk's part of a value joins the value so far."""

    EXTEND = "extend"
    """A list: its items come after those of earlier chunks."""
    REPLAY = "replay"
    """A sum: what is added, one after the other, as the loop would have added it."""
    MERGE = "merge"
    """A table: whole numbers and texts are added, lists extended, tables merged."""
    STORE = "store"
    """A table: later chunks replace earlier values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One unit that can be cut."""

    unit: Unit
    loop: ast.For | ast.ListComp
    """The loop of the unit, or of the function that it calls."""
    iterable: ast.expr
    """What is gone through, as the unit spells it."""
    joinings: dict[str, Joining]
    """By the name that grows."""
    initial: dict[str, ast.expr]
    """What a name begins as, where the unit itself says so."""
    function: ast.FunctionDef | None = None
    """The function that the unit calls, where that holds the loop."""
    opening: ast.With | None = None
    """The `with` around the loop."""
    prologue: tuple[ast.stmt, ...] = ()
    """Statements of the `with` before the loop."""


def find_piece(unit: Unit, script: Script, program: Program, before: set[str], later_reads: set[str]) -> Piece | None:
    """The piece that a unit is, if its parts can be joined exactly.

    `before` are names bound by earlier units, `later_reads` those that later ones read.
    """
    piece = _shape(unit, script, program)
    if piece is None or unit.changes & before - set(piece.joinings):
        return None
    kept = set(piece.joinings) | (bound_names(piece.prologue) if piece.prologue else set())
    left = set(unit.binds) - kept
    if left & later_reads or (piece.opening is None and unit.writes):
        return None
    reading = [piece.loop, *piece.prologue]
    called = {n.id for each in reading for n in walk(each) if isinstance(n, ast.Name)} & set(script.functions)
    if writes(reading) or any(script.flow.summaries[name].writes for name in called):
        return None
    return piece


def _shape(unit: Unit, script: Script, program: Program) -> Piece | None:
    match unit.node:
        case ast.For() as loop:
            return _loop(unit, loop, program)
        case ast.With(items=items, body=[*prologue, ast.For() as loop]):
            reads = all(isinstance(i.context_expr, ast.Call) and len(i.context_expr.args) == 1 for i in items)  # no mode: for reading
            modes = any(k.arg == "mode" for i in items if isinstance(i.context_expr, ast.Call) for k in i.context_expr.keywords)
            if reads and not modes and all(isinstance(each, ast.Assign | ast.Expr) for each in prologue):
                return _loop(unit, loop, program, opening=unit.node, prologue=tuple(prologue))
        case ast.Assign(targets=[ast.Name(id=name)], value=ast.ListComp() as value):
            facts = _site(program, "list", value.lineno)
            if facts is not None and facts.kind is SplitKind.ROWS and not any(each.is_async for each in value.generators):
                return Piece(
                    unit=unit, loop=value, iterable=value.generators[0].iter, joinings={name: Joining.EXTEND},
                    initial={name: ast.List([], ast.Load())},
                )  # fmt: skip
        case ast.Assign(targets=[ast.Name(id=name)], value=ast.Call(func=ast.Name(id=called), args=arguments)) as node:
            inner = called_loop(node, script.functions)
            simple = all(isinstance(each, ast.Name | ast.Constant) for each in arguments[1:])
            if inner is not None and simple:
                return _call(unit, name, script.functions[called], inner, arguments[0], program)
    return None


def _loop(
    unit: Unit, loop: ast.For, program: Program, opening: ast.With | None = None, prologue: tuple[ast.stmt, ...] = ()
) -> Piece | None:
    joinings = _joinings(loop, program)
    if joinings is None:
        return None
    return Piece(
        unit=unit, loop=loop, iterable=loop.iter, joinings=joinings, initial={}, opening=opening, prologue=prologue,
    )  # fmt: skip


def _call(unit: Unit, name: str, function: ast.FunctionDef, loop: ast.For, iterable: ast.expr, program: Program) -> Piece | None:
    joinings = _joinings(loop, program)
    result = function.body[-1]
    assert isinstance(result, ast.Return)
    assert isinstance(result.value, ast.Name)
    if joinings is None or set(joinings) != {result.value.id}:
        return None
    initial = next(
        each.value for each in function.body if isinstance(each, ast.Assign) and _is_target(each, result.value.id)
    )
    return Piece(
        unit=unit, loop=loop, iterable=iterable, joinings={name: joinings[result.value.id]}, initial={name: initial}, function=function,
    )  # fmt: skip


def _is_target(node: ast.Assign, name: str) -> bool:
    return isinstance(node.targets[0], ast.Name) and node.targets[0].id == name


def _site(program: Program, form: str, line: int) -> SiteFacts | None:
    found = [each for each in program.sites if each.file == program.file and each.line == line and each.form == form]
    return found[0] if len(found) == 1 else None


def _joinings(loop: ast.For, program: Program) -> dict[str, Joining] | None:
    """How everything that a loop makes grow is joined; none where something of it could not be joined exactly."""
    facts = _site(program, "for", loop.lineno)
    if facts is None or facts.kind not in {SplitKind.ROWS, SplitKind.REDUCE, SplitKind.GROUP} or not facts.accumulators:
        return None
    if loop.orelse or facts.is_indexed or facts.given or any(_breaks(loop.body)):
        return None
    found = {each.place: _joining(each, loop) for each in facts.accumulators}
    return None if None in found.values() else {name: how for name, how in found.items() if how is not None}


def _joining(fact: Accumulator, loop: ast.For) -> Joining | None:
    if "." in fact.place or fact.is_shared or fact.reads_itself:
        return None
    match fact.merge:
        case Merge.APPEND:
            return Joining.EXTEND
        case Merge.SUM if _is_only_added_to(fact.place, loop):
            return Joining.REPLAY
        case Merge.STORE:
            return Joining.STORE
        case Merge.TREE if all(path.merge in {Merge.SUM, Merge.APPEND} for path in fact.paths):
            return Joining.MERGE
    return None


def _is_only_added_to(name: str, loop: ast.For) -> bool:
    """Whether a loop mentions a name in `name += ...` only."""
    additions = {
        id(each.target) for each in walk(loop) if isinstance(each, ast.AugAssign) and isinstance(each.op, ast.Add)
        and isinstance(each.target, ast.Name) and each.target.id == name
    }  # fmt: skip
    mentions = {id(each) for each in walk(loop) if isinstance(each, ast.Name) and each.id == name}
    return bool(additions) and mentions == additions


def _breaks(body: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """Statements that leave this loop early."""
    for node in body:
        if isinstance(node, ast.Break | ast.Return):
            yield node
        elif isinstance(node, ast.For | ast.While):
            yield from (each for each in walk(node) if isinstance(each, ast.Return))
        else:
            yield from _breaks(children(node))


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Units that are cut together: pieces, and what binds their names to something empty."""

    first: int
    last: int
    pieces: tuple[Piece, ...]
    initial: tuple[Unit, ...]
    sources: tuple[str, ...]
    """For each piece: the list of an earlier one whose part it goes through; empty: it takes its chunk of its own iterable."""

    @property
    def joinings(self) -> dict[str, Joining]:
        """Everything that grows."""
        return {name: how for piece in self.pieces for name, how in piece.joinings.items()}


def group_at(first: int, pieces: Sequence[Piece | None], units: Sequence[Unit]) -> Group | None:
    """The longest group that begins with a unit."""
    initial: list[Unit] = []
    found: list[Piece] = []
    sources: list[str] = []
    last = first
    for place in range(first, len(units)):
        unit, piece = units[place], pieces[place]
        if piece is None and unit.is_initial and not unit.binds & {name for each in found for name in each.unit.reads | each.unit.binds}:
            initial.append(unit)
            continue
        source = None if piece is None else _source(piece, found, initial)
        if piece is None or source is None:
            break
        found.append(piece)
        sources.append(source)
        last = place
    if not found:
        return None
    inside = units[first : last + 1]
    kept = tuple(unit for unit in initial if any(unit is each for each in inside))
    return Group(first=first, last=last, pieces=tuple(found), initial=kept, sources=tuple(sources))


def _source(piece: Piece, earlier: Sequence[Piece], initial: Sequence[Unit]) -> str | None:
    """What a piece goes through within a group: a list made in chunks, or (empty) its own iterable; none where it does not belong."""
    made = {name: how for each in earlier for name, how in each.joinings.items()}
    others = {name for each in earlier for name in each.unit.binds}
    empty = {name for unit in initial for name in unit.binds} | set(piece.initial)
    empty |= {name for each in piece.prologue for name in _initial_names(each)}
    if set(piece.joinings) & (set(made) | others) or not set(piece.joinings) <= empty:
        return None
    source = piece.iterable.id if isinstance(piece.iterable, ast.Name) and piece.iterable.id in made else ""
    if source and (made[source] is not Joining.EXTEND or piece.opening is not None):
        return None
    uses = piece.unit.reads - set(piece.joinings) - {source}
    if source:
        mentions = [node for node in walk(piece.unit.node) if isinstance(node, ast.Name) and node.id == source]
        if len(mentions) != 1:
            return None
    return None if uses & (set(made) | others | (empty - set(piece.joinings))) else source


def _initial_names(node: ast.stmt) -> set[str]:
    match node:
        case ast.Assign(targets=[ast.Name(id=name)], value=value) if is_fresh(value):
            return {name}
    return set()
