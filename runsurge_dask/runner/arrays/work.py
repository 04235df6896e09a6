"""The chunk child's side: work out steps for some of the rows, block by block, and give parts of answers.

Blocks are small enough for the temporary arrays of a long expression to stay in the cache.
"""

from __future__ import annotations

import os
import pickle
from typing import TYPE_CHECKING, Any

import numpy as np

from runsurge_dask.runner import shadows
from runsurge_dask.runner.arrays.nodes import Evaluation
from runsurge_dask.runner.arrays.parts import give
from runsurge_dask.runner.arrays.sums import sum_of
from runsurge_dask.runner.escape import Escape
from runsurge_dask.runner.sinks import Journal

if TYPE_CHECKING:
    from collections.abc import Mapping

CODE = "from runsurge_dask.runner.arrays.work import run_job\n\ndef __rs_chunk__(records):\n    return run_job(__rs_job__, records)\n"
"""What a stage over arrays has in the place of a loop's body."""


def run_job(blob: bytes, records: Any) -> dict[str, Any]:
    """Do one job on the chunk that is the only record.

    Raises:
        Escape: only the whole can be right.
    """
    (chunk,) = records
    job = pickle.loads(blob)  # noqa: S301 - our own driver made it
    given = answer_chunk(job, chunk)
    records.count = chunk["end"] - chunk["start"]
    if Journal.current.entries:
        raise Escape("it warns")
    if shadows._State.files:  # noqa: SLF001 - a stage over arrays gives all or nothing
        raise Escape("it writes files")
    return {"given": given}


def answer_chunk(job: Mapping[str, Any], chunk: Mapping[str, Any]) -> list[Any]:
    """What the rows of a chunk give, in order."""
    with np.errstate(**job["errors"]):
        if job["how"] == ("tree",):
            return [_sum(job, chunk)]
        if job["into"] is not None:
            return _write(job, chunk)
        given = [part for start, end in _blocks(chunk, job["block"]) for part in _block(job, chunk["held"], start, end)]
    return [np.concatenate(given)] if job["how"] == ("keep",) and len(given) > 1 else given


def _write(job: Mapping[str, Any], chunk: Mapping[str, Any]) -> list[Any]:
    path, offset, row_bytes, dtype = job["into"]
    with shadows.writing_back(path) as file:
        for start, end in _blocks(chunk, job["block"]):
            (value,) = _block(job, chunk["held"], start, end)
            if value.dtype != dtype or value.nbytes != (end - start) * row_bytes:
                raise Escape("a chunk's rows are of another type than the first rows")
            bare: Any = np.ascontiguousarray(value).reshape(-1).view(np.uint8)
            content = memoryview(bare)
            place = offset + start * row_bytes
            while content:
                written = os.pwrite(file, content, place)
                content, place = content[written:], place + written
    return []


def _sum(job: Mapping[str, Any], chunk: Mapping[str, Any]) -> Any:
    width = job["width"]

    def read(start: int, end: int) -> Any:
        first, last = start // width, -(-end // width)
        rows = Evaluation(job["entries"], job["roots"], (first, last), chunk["held"]).run_all(job["roots"], (first, last))[0]
        return rows.reshape(-1)[start - first * width : end - first * width]

    start, count = chunk["span"]
    return sum_of(start, count, read, job["block"] * width)


def _blocks(chunk: Mapping[str, Any], size: int) -> list[tuple[int, int]]:
    return [(start, min(start + size, chunk["end"])) for start in range(chunk["start"], chunk["end"], size)]


def _block(job: Mapping[str, Any], held: Mapping[int, tuple[int, Any]], start: int, end: int) -> list[Any]:
    values = Evaluation(job["entries"], job["roots"], (start, end), held).run_all(job["roots"], (start, end))
    return [give(value, job["how"], start) for value in values]
