"""The chunk child's side: read the rows of a chunk, work out expressions on them, and give parts of answers."""

from __future__ import annotations

import pickle
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import pandas as pd

from runsurge_dask.runner import shadows
from runsurge_dask.runner.escape import Escape
from runsurge_dask.runner.frames import grouped, parts
from runsurge_dask.runner.frames.nodes import Node, evaluate
from runsurge_dask.runner.sinks import Journal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runsurge_dask.runner.frames.table import Table

CODE = "from runsurge_dask.runner.frames.work import run_job\n\ndef __rs_chunk__(records):\n    return run_job(__rs_job__, records)\n"
"""What a stage over a frame has in the place of a loop's body."""


def run_job(job: Mapping[str, Any], records: Any) -> dict[str, Any]:
    """Do one job on the chunk that is the only record.

    Raises:
        Escape: only the whole can be right.
    """
    (chunk,) = records
    table = job["table"]
    answer: dict[str, Any] = table.scan(chunk) if job["kind"] == "scan" else _work_out(job, chunk, table)
    records.count = answer["rows"]
    if Journal.current.entries:
        raise Escape("it writes or warns")
    if shadows._State.files:  # noqa: SLF001 - a frame stage gives all or nothing
        raise Escape("it writes files")
    return answer


def _work_out(job: Mapping[str, Any], chunk: Mapping[str, Any], table: Table) -> dict[str, Any]:
    begun = time.process_time()
    types: dict[str, Any] = {}
    if job["kind"] == "first":
        frame, types = table.take(chunk, job["taken"])
        chunk = {**chunk, "rows": len(frame)}
        if job["columns"] is not None:
            frame = frame.drop(columns=[name for name in frame.columns if name not in job["columns"]])  # which copies nothing
    else:
        frame = table.load(chunk, job["columns"])
    loaded = time.process_time()
    if len(frame) != chunk["rows"]:
        raise Escape("the rows were not those that were counted")
    known: dict[int, Any] = {id(job["source"]): frame}
    rows = len(frame)
    del frame
    if job["held"]:
        known.update(zip(map(id, job["held"]), pickle.loads(chunk["held"]), strict=True))  # noqa: S301 - our own driver made it
    shapes, given = _answers(job["nodes"], job["roots"], known, chunk)
    seconds = (loaded - begun, time.process_time() - loaded)
    return {"rows": rows, "shapes": shapes, "values": given, "seconds": seconds, "types": types}


def _answers(nodes: list[Node], roots: list[tuple[Node, tuple[Any, ...]]], known: dict[int, Any], chunk: Mapping[str, Any]) -> Any:
    """The shape of every expression, and what is asked of the roots; a value is dropped as soon as nothing more is made of it."""
    uses = Counter(id(inner) for node in nodes for inner in node.below())
    shapes: list[Any] = []
    given: list[Any] = [None] * len(roots)
    for node in nodes:
        value = evaluate([node], known)[0]
        shapes.append(shape_of(value))
        said: dict[str, Any] = {}
        for place, (root, how) in enumerate(roots):
            if root is node:
                way = parts.way_of(how)
                if repr(way) not in said:
                    said[repr(way)] = parts.give(value, way, chunk)
                given[place] = said[repr(way)]
        del value
        for inner in node.below():
            uses[id(inner)] -= 1
            if not uses[id(inner)]:
                del known[id(inner)]
        if not uses[id(node)]:
            del known[id(node)]
    return shapes, given


def shape_of(value: Any) -> Any:
    """What must be the same in every chunk: names, types and categories, as plain values."""
    if isinstance(value, pd.DataFrame):
        return ["frame", [(repr(name), _type_of(column)) for name, column in value.items()], _index_of(value)]
    if isinstance(value, pd.Series):
        return ["series", repr(value.name), _type_of(value), _index_of(value)]
    return [type(value).__name__, str(getattr(value, "dtype", ""))]


def _index_of(value: Any) -> Any:
    dtype = str(value.index.dtype)
    return [list(map(repr, value.index.names)), dtype]


def _type_of(column: Any) -> Any:
    if isinstance(column.dtype, pd.CategoricalDtype):
        return [str(column.dtype.categories.dtype), list(map(repr, column.dtype.categories)), bool(column.dtype.ordered)]
    return str(column.dtype)


__all__ = ["CODE", "Node", "grouped", "run_job", "shape_of"]
