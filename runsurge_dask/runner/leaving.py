"""Rows that a chunk leaves in files for the chunks of a later stage, and finds there (see `runner.kept`)."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from runsurge_dask.runner import shadows
from runsurge_dask.runner.kept import SELECTED
from runsurge_dask.runner.pages import cannot_change, read_blob
from runsurge_dask.runner.plain import ATOMIC, are_flat, in_pieces, load_plain
from runsurge_dask.runner.sharing import reachable_mutables
from runsurge_dask.runner.snapshots import LOOKED_INTO, parts_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runsurge_dask.runner.facts import SiteFacts


def rows_left(places: list[list[Any] | None], sent: Any) -> tuple[list[Any], bool]:
    """Rows that chunks of another stage have left in files, and between them those that the driver had.

    And whether it is known of all of them that they hold nothing but numbers and texts.
    """
    lists = iter(sent)
    found: list[Any] = []
    is_flat = None not in places
    page: list[Any] = []
    last_read: list[Any] = []
    for place in places:
        if place is None:
            found += next(lists)
            continue
        *where, first, last, is_selection = place
        if where != last_read:  # of a page of which the driver has some rows there are several parts
            blob = read_blob(*where)
            is_flat = is_flat and are_flat(blob)
            page, last_read = load_plain(blob), where
        rows = [page[position] for position in next(lists)[first:last]] if is_selection else page[first:last]
        found += rows
    return found, is_flat


def leave_rows(
    outputs: list[Any], known: Mapping[int, object], *, facts: SiteFacts, folder: str, least_bytes: int, piece_bytes: int
) -> None:
    """Write rows of lists that nobody else reaches to files; `outputs` then says where they are.

    `facts` are those of the last block of the stage, whose outputs come last.
    """
    is_loop = facts.form == "for"
    places = [n for n, fact in enumerate(facts.accumulators) if fact.local in facts.kept] if is_loop else [-1] if facts.kept else []
    for n in places:
        holder = outputs[-1]["parts"] if is_loop else outputs
        rows = holder[n]
        positions = _positions(rows, known)
        if positions:
            holder[n] = SELECTED, positions
            continue
        pieces = in_pieces(rows, {} if cannot_change(rows) else known, piece_bytes) if rows else None
        if pieces is None or sum(len(blob) for blob, _ in pieces) < least_bytes:
            continue
        holder[n] = ()
        is_flat = all(are_flat(blob) for blob, _ in pieces)
        if _are_apart(rows, outputs, is_flat=is_flat) and (path := shadows.leave(folder, (blob for blob, _ in pieces))):
            rows = path, [(len(blob), count) for blob, count in pieces]
        holder[n] = rows


def _positions(rows: list[Any], known: Mapping[int, object]) -> list[int]:
    """Where the rows stand among those that the chunk was given, if all of them do, and it may show."""
    if not rows or set(map(type, rows)) <= ATOMIC or cannot_change(rows):
        return []
    found = [known.get(id(row)) for row in rows]
    places = [place for place in found if type(place) is tuple and place[0] == "item" and not place[2]]
    return [place[1] for place in places] if len(places) == len(rows) else []


def _are_apart(rows: list[Any], others: list[Any], *, is_flat: bool) -> bool:
    """Whether plain rows are no objects that other results hold, too; flat ones hold none that could be."""
    if cannot_change(rows):
        return True
    foreign = _changeable(others)
    if not foreign:
        return foreign is not None
    own = {id(row) for row in rows if type(row) not in ATOMIC} if is_flat else _changeable(rows)
    return own is not None and own.isdisjoint(foreign)


def _changeable(value: Any) -> set[int] | None:
    """Ids of what can change in a value; None if there is too much to look at."""
    found: set[int] = set()
    level = [value]
    while level:
        inner = [each for each in level if type(each) not in ATOMIC]
        if not set(map(type, inner)) <= LOOKED_INTO:
            return reachable_mutables([value])
        met = {id(each) for each in inner if type(each) is not tuple}
        if met & found:  # it may go round in a circle
            return reachable_mutables([value])
        found |= met
        level = list(itertools.chain.from_iterable(parts_of(each) for each in inner if not _holds_atoms(each)))
    return found


def _holds_atoms(value: Any) -> bool:
    """Whether there is nothing but numbers and texts in a list or a tuple."""
    return type(value) in {list, tuple} and ATOMIC.issuperset(map(type, value))
