"""The driver's side: one expression and one question, over chunks of rows, all or nothing."""

from __future__ import annotations

import marshal
import math
import os
import pickle
import tempfile
import time
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from runsurge_dask.runner.arrays.listening import listening
from runsurge_dask.runner.arrays.nodes import Step, demands_of, flatten
from runsurge_dask.runner.arrays.sums import joined, leaves_of, tree_of
from runsurge_dask.runner.arrays.work import CODE, answer_chunk
from runsurge_dask.runner.conversation import Conversation, OutgrownChunk
from runsurge_dask.runner.escape import CannotShip, Escape

if TYPE_CHECKING:
    from runsurge_dask.runner.arrays.room import Room
    from runsurge_dask.runner.facts import SiteFacts

BLOCK_BYTES = 1 << 18
"""Of the widest step: a few of them fit into the second cache of a core."""
WHOLE_FACTOR = 2.0
"""Whole temporary arrays leave the cache and need new pages: measured 2.7 for a sum of exponentials over 160 MB."""
FEWEST_ROWS = 8
"""Fewer rows make no chunks."""
SMALLEST_FILE_BYTES = 1 << 16
SHARED_FOLDER = "/dev/shm"  # noqa: S108 - files there are memory
FREE_RUNS = 1
"""An expression that is asked about more often is worked out whole, and kept."""
_CODE = marshal.dumps(compile(CODE, "<array stage>", "exec"))


def whole_value(room: Room, step: Step) -> None:
    """Give a step its array: from the chunks, or as written."""
    if _is_small(step):
        rows = room.rows_of(step, 0, step.rows.length)
        if rows is not None:
            room.give(step, rows)
            return
    if room.is_open:
        kept = _through_file(room, step) if _is_large(step) else _sent(room, step)
        if kept is not None:
            room.give(step, kept)
    if step.real is None:
        room.work_out([*room.unsettled_before(step), step], step)


def _sent(room: Room, step: Step) -> Any:
    pieces = ask(room, step, ("keep",))
    return None if pieces is None else np.concatenate(pieces)


def _is_large(step: Step) -> bool:
    return not step.rows.is_filtered and bytes_of(step) >= SMALLEST_FILE_BYTES and os.path.isdir(SHARED_FOLDER)


def _through_file(room: Room, step: Step) -> Any:
    """The rows, which the chunks leave in memory that has a name."""
    number, path = tempfile.mkstemp(prefix="runsurge-", dir=SHARED_FOLDER)
    try:
        if ask(room, step, ("keep",), (path, 0)) is None:
            return None
        array = np.empty((step.rows.length, *step.meta.shape[1:]), dtype=step.meta.dtype)
        with open(number, "rb", closefd=False) as file:
            bare: Any = array.reshape(-1).view(np.uint8)
            file.readinto(bare)
        return array
    finally:
        os.close(number)
        os.remove(path)


def bytes_of(step: Step) -> int:
    """The size of its array, if no row is left out."""
    return int(step.meta.nbytes // max(len(step.meta), 1) * step.rows.length)


def _is_small(step: Step) -> bool:
    """Whether so few rows are wanted that they are worked out here."""
    return not step.rows.is_filtered and step.rows.length < FEWEST_ROWS


def ask(room: Room, step: Step, how: tuple[Any, ...], into: tuple[str, int] | None = None) -> list[Any] | None:
    """What blocks of rows give of an expression, in order; None where NumPy has to do it.

    `into` is a file, and the offset at which its rows begin, into which the chunks write them.
    """
    facts = room.site() or room.site_of(step)
    if facts is None:
        return None
    if not room.is_forced and step.value is not None:
        return None
    if not room.is_forced and step.runs >= FREE_RUNS and how != ("keep",):
        return None
    entries, roots, steps = flatten([step])
    block = _block_rows(steps)
    seconds = None if room.is_forced else _seconds_per_row(room, step, min(block, step.rows.length))
    request = {"op": "propose", "site": facts.site, "source": "items", "start": 0, "end": step.rows.length, "seconds_per_unit": seconds}
    proposal, _ = room.runtime.ask({**request, "needs_index": False, "is_asked_for": False})
    job = {"entries": entries, "roots": roots, "how": how, "block": block, "width": math.prod(step.meta.shape[1:]), "errors": np.geterr()}
    job["into"] = None if into is None else (*into, bytes_of(step) // step.rows.length, step.meta.dtype)
    tree = tree_of(0, step.rows.length * job["width"], len(proposal.get("cuts", (0, 1))) - 1) if how == ("tree",) else None
    if "cuts" in proposal:
        given = _in_chunks(room, facts, job, steps, tree, proposal["cuts"])
    else:
        given = _here(job, _chunks(room, job, steps, tree, [0, step.rows.length]))
    if given is None:
        room.settle()
        return None
    seen = demands_of(entries, roots, (0, step.rows.length))
    room.note_settled([each for each, wanted in zip(steps, seen, strict=True) if wanted == [(0, each.rows.length)]])
    step.runs += 1
    return given if tree is None else [room.plainly(joined, tree, iter(given))]


def _chunks(room: Room, job: dict[str, Any], steps: list[Step], tree: Any, cuts: list[int]) -> list[dict[str, Any]]:
    held, width = room.held_of(steps), job["width"]
    if tree is None:
        return [_chunk(job, held, start, end) for start, end in pairwise(cuts) if end > start]
    return [{**_chunk(job, held, a // width, -(-(a + n) // width)), "span": (a, n)} for a, n in leaves_of(tree)]


def _in_chunks(room: Room, facts: SiteFacts, job: dict[str, Any], steps: list[Step], tree: Any, cuts: list[int]) -> list[Any] | None:
    lines = sorted({each.line for each in steps if each.line} | {facts.line})
    reason = "one of its chunks needs more memory than there is"
    room.runtime.busy = True
    try:
        for _ in range(MOST_HALVINGS):
            chunks = _chunks(room, job, steps, tree, cuts)
            try:
                answers = Conversation(room.runtime, facts).run(_CODE, pickle.dumps(job, 5), chunks, lines, lambda _: None)
            except OutgrownChunk:
                if tree is not None:  # its sums are cut where NumPy's own are
                    break
                cuts = [*(place for a, b in pairwise(cuts) for place in (a, (a + b) // 2)), cuts[-1]]
            else:
                return [part for answer in answers for part in answer["given"]]
    except (CannotShip, Escape) as refusal:
        reason = refusal.reason
    finally:
        room.runtime.busy = False
    room.runtime.tell({"op": "decline", "site": facts.site, "reason": reason})
    return None


MOST_HALVINGS = 8
"""A chunk that was cut so often and still is too large is no question of its size."""


def _here(job: dict[str, Any], chunks: list[dict[str, Any]]) -> list[Any] | None:
    """The same work in this process: block by block it is quicker than with whole temporary arrays."""
    with listening() as heard:
        try:
            given = [part for chunk in chunks for part in answer_chunk(job, chunk)]
        except (Exception, Escape):
            return None
    return None if heard else given


def _block_rows(steps: list[Step]) -> int:
    widest = max(each.meta.nbytes // max(len(each.meta), 1) for each in steps)
    return int(max(1, BLOCK_BYTES // max(widest, 1)))


def _seconds_per_row(room: Room, step: Step, rows: int) -> float:
    """What one row would cost if the script's own temporary arrays were made of it."""
    begun = time.perf_counter()
    room.rows_of(step, 0, rows)
    return (time.perf_counter() - begun) / rows * WHOLE_FACTOR


def _chunk(job: dict[str, Any], held: dict[int, tuple[int, Any]], start: int, end: int) -> dict[str, Any]:
    demands = demands_of(job["entries"], job["roots"], (start, end))
    pieces = {}
    for (op, args, _, _), wanted in zip(job["entries"], demands, strict=True):
        if op == "held":
            first, last = min(a for a, _ in wanted), max(b for _, b in wanted)
            pieces[args[0]] = (first, held[args[0]][1][first:last])
    return {"start": start, "end": end, "held": pieces}
