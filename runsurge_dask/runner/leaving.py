"""Rows that a chunk leaves in files for the chunks of a later stage, and finds there (see `runner.kept`)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runsurge_dask.runner import shadows
from runsurge_dask.runner.pages import read_page
from runsurge_dask.runner.plain import ATOMIC, in_pieces
from runsurge_dask.runner.sharing import reachable_mutables

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runsurge_dask.runner.facts import SiteFacts


def rows_left(places: list[list[Any] | None], sent: Any) -> list[Any]:
    """Rows that chunks of another stage have left in files, and between them those that the driver had."""
    lists = iter(sent)
    return [row for place in places for row in (next(lists) if place is None else _rows_of_page(*place))]


def _rows_of_page(path: str, offset: int, size: int, first: int, last: int) -> list[Any]:
    rows = read_page(path, offset, size)
    return rows if first == 0 and last == len(rows) else rows[first:last]


def leave_rows(outputs: list[Any], known: Mapping[int, object], *, facts: SiteFacts, folder: str, least_bytes: int) -> None:
    """Write rows of lists that nobody else reaches to files; `outputs` then says where they are.

    `facts` are those of the last block of the stage, whose outputs come last.
    """
    is_loop = facts.form == "for"
    places = [n for n, fact in enumerate(facts.accumulators) if fact.local in facts.kept] if is_loop else [-1] if facts.kept else []
    for n in places:
        holder = outputs[-1]["parts"] if is_loop else outputs
        rows = holder[n]
        pieces = in_pieces(rows, known) if rows else None
        if pieces is None or sum(len(blob) for blob, _ in pieces) < least_bytes:
            continue
        holder[n] = ()
        if _are_apart(rows, outputs) and (path := shadows.leave(folder, (blob for blob, _ in pieces))):
            rows = path, [(len(blob), count) for blob, count in pieces]
        holder[n] = rows


def _are_apart(rows: list[Any], others: list[Any]) -> bool:
    """Whether rows are no objects that other results hold, too."""
    if set(map(type, rows)) <= ATOMIC:
        return True
    own, foreign = reachable_mutables(rows), reachable_mutables(others)
    return own is not None and foreign is not None and not own & foreign
