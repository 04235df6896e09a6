"""Decide the cuts of one source.

For example 80 MB of lines at a measured 0.1 us a byte are 8 s of work: on 2 workers they become 8 chunks of 10 MB, so that
the last chunk to end costs an eighth of the time and not a half.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runsurge_dask.runner import records

if TYPE_CHECKING:
    from collections.abc import Mapping

CHUNKS_PER_WORKER = 4
"""More even out unequal chunks, fewer save the fixed cost of a task (2 ms)."""
LARGEST_CHUNK_BYTES = 32 << 20
"""A chunk of text is held whole, as bytes and as objects; larger ones only cost memory."""
UNMEASURED_SECONDS_PER_UNIT = {"items": 2e-6, "bytes": 2e-8}
"""Assumed where a site could not be tried on its first records."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CutOptions:
    """What the user asked for."""

    workers: int
    chunks: int
    worth_seconds: float

    def __post_init__(self) -> None:
        if self.workers < 1 or self.chunks < 0:
            raise ValueError(f"{self.workers} workers, {self.chunks} chunks")


def propose_cuts(request: Mapping[str, Any], options: CutOptions) -> dict[str, Any]:
    """Answer a driver that asks how to cut: `cuts` (and `counts` of records before reading), or `plain` with the reason."""
    is_file = request["source"] != "items"
    size = request["end"] - request["start"]
    seconds = request["seconds_per_unit"]
    if not options.chunks and not request["is_asked_for"] and seconds is None:  # what was measured was judged where it was
        total = size * UNMEASURED_SECONDS_PER_UNIT["bytes" if is_file else "items"]
        if total * (1 - 1 / options.workers) < options.worth_seconds:
            return {"plain": f"about {total:.1f} s of work: cutting gains nothing"}
    chunks = options.chunks or _chunk_count(size, options.workers, is_file=is_file)
    if not is_file:
        return {"cuts": [request["start"] + cut for cut in records.cut_items(size, chunks)]}
    cuts = records.cut_file(request["path"], request["start"], request["end"], chunks, quote=request["quote"])
    answer: dict[str, Any] = {"cuts": cuts}
    if request["needs_index"]:
        answer["counts"] = records.count_lines(request["path"], cuts)
    return answer


def _chunk_count(size: int, workers: int, *, is_file: bool) -> int:
    wanted = workers * CHUNKS_PER_WORKER
    if is_file:
        return max(wanted, -(-size // LARGEST_CHUNK_BYTES))
    return min(wanted, size)
