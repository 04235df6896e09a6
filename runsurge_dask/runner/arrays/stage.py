"""The driver's side: one expression and one question, over chunks of rows, all or nothing."""

from __future__ import annotations

import marshal
import math
import pickle
import time
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from runsurge_dask.runner.arrays.nodes import Step, demands_of, flatten
from runsurge_dask.runner.arrays.sums import joined, leaves_of, tree_of
from runsurge_dask.runner.arrays.work import CODE
from runsurge_dask.runner.conversation import Conversation
from runsurge_dask.runner.escape import CannotShip, Escape

if TYPE_CHECKING:
    from runsurge_dask.runner.arrays.nodes import Entry
    from runsurge_dask.runner.arrays.room import Room

BLOCK_BYTES = 1 << 18
"""Of the widest step: a few of them fit into the second cache of a core."""
SHIPPING_SECONDS_PER_BYTE = 2e-9
"""From a chunk child through its runner and the client to the driver."""
FEWEST_ROWS = 8
"""Fewer rows make no chunks."""
FREE_RUNS = 2
"""An expression that is asked about more often is worked out whole, and kept."""
_CODE = marshal.dumps(compile(CODE, "<array stage>", "exec"))


def whole_value(room: Room, step: Step) -> None:
    """Give a step its array: from the chunks, or as written."""
    if _is_small(step):
        rows = room.rows_of(step, 0, step.rows.length)
        if rows is not None:
            room.give(step, rows)
            return
    pieces = ask(room, step, ("keep",)) if room.is_open else None
    if pieces is not None:
        room.give(step, np.concatenate(pieces))
    if step.real is None:
        room.work_out([step], step)


def _is_small(step: Step) -> bool:
    """Whether so few rows are wanted that they are worked out here."""
    return not step.rows.is_filtered and step.rows.length < FEWEST_ROWS


def ask(room: Room, step: Step, how: tuple[Any, ...]) -> list[Any] | None:
    """What blocks of rows give of an expression, in order; None where NumPy has to do it."""
    facts = room.site()
    if facts is None:
        return None
    if not room.is_forced and step.runs >= FREE_RUNS and how != ("keep",):
        return None
    entries, roots, steps = flatten([step])
    block = _block_rows(steps)
    seconds = None if room.is_forced else _seconds_per_row(room, step, how, min(block, step.rows.length))
    request = {"op": "propose", "site": facts.site, "source": "items", "start": 0, "end": step.rows.length, "seconds_per_unit": seconds}
    proposal, _ = room.runtime.ask({**request, "needs_index": False, "is_asked_for": False})
    if "cuts" not in proposal:
        room.settle()
        return None
    held = room.held_of(steps)
    width, tree = math.prod(step.meta.shape[1:]), None
    if how == ("tree",):
        tree = tree_of(0, step.rows.length * width, len(proposal["cuts"]) - 1)
        spans = list(leaves_of(tree))
        chunks = [{**_chunk(entries, roots, held, a // width, -(-(a + n) // width)), "span": (a, n)} for a, n in spans]
    else:
        chunks = [_chunk(entries, roots, held, start, end) for start, end in pairwise(proposal["cuts"]) if end > start]
    job = {"entries": entries, "roots": roots, "how": how, "block": block, "width": width, "errors": np.geterr()}
    lines = sorted({each.line for each in steps if each.line} | {facts.line})
    room.runtime.busy = True
    try:
        answers = Conversation(room.runtime, facts).run(_CODE, pickle.dumps(job, 5), chunks, lines, lambda _: None)
    except (CannotShip, Escape) as refusal:
        room.runtime.tell({"op": "decline", "site": facts.site, "reason": refusal.reason})
        answers = None
    finally:
        room.runtime.busy = False
    if answers is None:
        room.settle()
        return None
    room.note_settled(steps)
    step.runs += 1
    given = [part for answer in answers for part in answer["given"]]
    return given if tree is None else [room.plainly(joined, tree, iter(given))]


def _block_rows(steps: list[Step]) -> int:
    widest = max(each.meta.nbytes // max(len(each.meta), 1) for each in steps)
    return int(max(1, BLOCK_BYTES // max(widest, 1)))


def _seconds_per_row(room: Room, step: Step, how: tuple[Any, ...], rows: int) -> float:
    """What one row costs here, less what sending it back would."""
    begun = time.perf_counter()
    value = room.rows_of(step, 0, rows)
    seconds = (time.perf_counter() - begun) / rows
    shipped = value.nbytes / rows if value is not None and how == ("keep",) else 0.0
    return max(0.0, seconds - shipped * SHIPPING_SECONDS_PER_BYTE)


def _chunk(entries: list[Entry], roots: list[int], held: dict[int, tuple[int, Any]], start: int, end: int) -> dict[str, Any]:
    demands = demands_of(entries, roots, (start, end))
    pieces = {}
    for (op, args, _, _), wanted in zip(entries, demands, strict=True):
        if op == "held":
            first, last = min(a for a, _ in wanted), max(b for _, b in wanted)
            pieces[args[0]] = (first, held[args[0]][1][first:last])
    return {"start": start, "end": end, "held": pieces}
