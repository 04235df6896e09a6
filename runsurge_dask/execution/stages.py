"""One stage from its first cut to its last answer.

    driver: run         what is common to all chunks, and the range to cut
    we:     rows 0 99   "give me these rows"; not where chunks read a file themselves
    we:     answer      of the first chunk that is not joined yet
    driver: next        joined; or `stop`, with the reason

Only a few chunks are ahead of the driver at any time: what they found waits for it, and a slow sink holds the readers back. A
chunk that outgrew what there was for it was killed alone; it is cut in two and runs again.
"""

from __future__ import annotations

import contextlib
import os
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from runsurge_contracts.run import TaskReport
from runsurge_dask.planning.cuts import AHEAD_PER_WORKER, TIGHT_AHEAD_PER_WORKER, CutOptions, Cutter
from runsurge_dask.runner import records, wire

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence

    from runsurge_dask.execution.cluster import EmbeddedCluster
    from runsurge_dask.execution.memory import MemoryWatch
    from runsurge_dask.lowering.graph import LoweredStage
    from runsurge_dask.runner.slots import RunnerSlot


AT_ONCE_PER_SLOT = 2
"""Chunks that a slot is given at a time: more would be bound to one slot while another may have nothing to do."""


@dataclass(slots=True, eq=False)
class Chunk:
    """One chunk on its way; `future` is None while its rows are awaited."""

    start: int
    end: int
    spec: wire.Header
    blob: bytes | None = b""
    """Its rows; None where the driver has to be asked for them, or a slot has them."""
    future: Any = None
    estimated_seconds: float = 0.0


class Supply(Protocol):
    """Where the chunks of a stage come from."""

    seconds_per_unit: float
    """What a byte or a row took in the script itself; 0 where that was not measured."""

    @property
    def is_through(self) -> bool:
        """Whether there are no more."""

    @property
    def is_tight(self) -> bool:
        """Whether memory says how large they are."""

    def next_chunk(self, share_bytes: int) -> Chunk:
        """The next one, in the order of the data, to hold at most `share_bytes` (0: as much as it wants)."""

    def parts_of(self, chunk: Chunk) -> list[Chunk]:
        """A chunk that needed too much, in smaller ones; empty where that cannot be."""

    def note(self, chunk: Chunk, peak_bytes: int, left_bytes: int = 0) -> None:
        """Learn what a chunk held, and what the one before it had left in its process."""

    def share_done(self, chunk: Chunk) -> float:
        """How much of the stage is done when this chunk and all before it are."""


class Listed:
    """Chunks that the driver has made itself, each with its rows."""

    def __init__(self, specs: Sequence[wire.Header], blobs: Sequence[bytes]) -> None:
        self._waiting = deque(zip(specs, blobs, strict=True))
        self._end = max((spec["end"] for spec in specs), default=0)
        self._largest = 0
        self.seconds_per_unit = 0.0

    @property
    def is_through(self) -> bool:
        """Whether there are no more."""
        return not self._waiting

    is_tight = False

    def next_chunk(self, share_bytes: int) -> Chunk:
        """The next one, as it was given."""
        spec, blob = self._waiting.popleft()
        spec = {**spec, "reserved": self._largest or share_bytes}
        return Chunk(spec["start"], spec["end"], spec, blob)

    def parts_of(self, chunk: Chunk) -> list[Chunk]:
        """Only the driver could cut it."""
        del chunk
        return []

    def note(self, chunk: Chunk, peak_bytes: int, left_bytes: int = 0) -> None:
        """Expect the same of the next."""
        del chunk, left_bytes
        self._largest = max(self._largest, peak_bytes)

    def share_done(self, chunk: Chunk) -> float:
        """By their number."""
        return chunk.end / self._end if self._end else 1.0


class Ranged:
    """Chunks that are cut from a source as there is room for them."""

    def __init__(self, header: wire.Header, options: CutOptions) -> None:
        self._cutter = Cutter(header["range"], options)
        self._common: wire.Header = header["common"]
        self._begin: int = header["range"]["start"]
        self._index: int = header["range"]["index"]
        self._counts_lines = self._cutter.is_file and header["range"]["needs_index"]
        self._first = {"sample": header["sample"]} if header["sample"] else {}
        self.seconds_per_unit: float = header["range"].get("seconds_per_unit") or 0.0

    @property
    def is_through(self) -> bool:
        """Whether all of the source is cut."""
        return self._cutter.is_through

    @property
    def is_tight(self) -> bool:
        """Whether memory says how large they are."""
        return self._cutter.is_tight

    def next_chunk(self, share_bytes: int) -> Chunk:
        """Cut the next one."""
        share = self._cutter.share_now(share_bytes)
        chunk = self._chunk(*self._cutter.cut(share), share)
        chunk.spec |= self._first
        self._first = {}
        return chunk

    def _chunk(self, start: int, end: int, share_bytes: int) -> Chunk:
        reserved = self._cutter.reservation_bytes(end - start, share_bytes)
        spec = {**self._common, "start": start, "end": end, "index": self._index, "reserved": reserved}
        if self._counts_lines:
            self._index += records.count_lines(self._cutter.path, [start, end])[0]
        elif not self._cutter.is_file:
            self._index += end - start
        return Chunk(start, end, spec, b"" if self._cutter.is_file else None)

    def parts_of(self, chunk: Chunk) -> list[Chunk]:
        """Both halves of it; its index is counted anew."""
        halves = self._cutter.halves(chunk.start, chunk.end)
        if len(halves) < 2:  # noqa: PLR2004 - a single record
            return []
        self._index, after = chunk.spec["index"], self._index
        parts = [self._chunk(start, end, chunk.spec["reserved"]) for start, end in halves]
        self._index = after
        if "sample" in chunk.spec:
            parts[0].spec["sample"] = chunk.spec["sample"]
        return parts

    def note(self, chunk: Chunk, peak_bytes: int, left_bytes: int = 0) -> None:
        """Let the next ones be as large as this one says."""
        self._cutter.note(chunk.end - chunk.start, peak_bytes, left_bytes)

    def share_done(self, chunk: Chunk) -> float:
        """By bytes, or by rows."""
        return (chunk.end - self._begin) / (self._cutter.end - self._begin) if self._cutter.end > self._begin else 1.0


@dataclass(slots=True)
class Tally:
    """What came of a stage."""

    chunks: int = 0
    accepted: int = 0
    records: int = 0
    peak_bytes: int = 0
    note: str = ""
    tasks: list[TaskReport] = field(default_factory=list)
    last_words: wire.Header = field(default_factory=dict)
    """The driver ended while the stage was under way."""


class StageRun:
    """The conversation with the driver about one stage."""

    def __init__(
        self, channel: socket.socket, cluster: EmbeddedCluster, watch: MemoryWatch, lowered: LoweredStage, supply: Supply,
        advance: Callable[[float], None]
    ) -> None:
        self.channel = channel
        self.cluster = cluster
        self.watch = watch
        self.lowered = lowered
        self.supply = supply
        self.advance = advance
        self.tally = Tally()
        self._waiting: deque[Chunk] = deque()
        self._asked: deque[Chunk] = deque()
        """Chunks whose rows the driver has been asked for, in the order of the questions."""
        self._given: dict[RunnerSlot, list[Any]] = {slot: [] for slot in cluster.slots}
        """The futures of chunks that a slot has, or is to have next."""

    def deliver(self) -> Tally:
        """Give the driver the answers in order, one for each time it asks for more."""
        shared = self.cluster.submit(self.lowered.shared_graph(), [self.lowered.shared])
        try:
            while self._fill():
                if not self._deliver_first():
                    break
        finally:
            left = self.cluster.stop(self.lowered.digest, [chunk.future for chunk in self._waiting if chunk.future is not None])
            for future in shared:
                future.release()
            for path in left:
                with contextlib.suppress(OSError):
                    os.remove(path)  # an accepted one is in its place by now
        with contextlib.suppress(OSError):  # a driver that is gone needs no answer
            wire.send(self.channel, {"event": "done", "status": "done"})
        return self.tally

    def _fill(self) -> bool:
        """Cut while there is room; whether any chunk is on its way."""
        active = self.watch.active_slots
        ahead = TIGHT_AHEAD_PER_WORKER if self.supply.is_tight else AHEAD_PER_WORKER
        room = ahead * active if active > 1 else 1
        while len(self._waiting) < room and not self.supply.is_through:
            chunk = self.supply.next_chunk(self.watch.share_bytes())
            self.tally.chunks += 1
            self._waiting.append(chunk)
            self._ask(chunk)
        self._feed()
        return bool(self._waiting)

    def _feed(self) -> None:
        """Give chunks to slots, in the order of the data: one to run, and one that is there when that is done."""
        for futures in self._given.values():
            futures[:] = [future for future in futures if not future.done()]
        for chunk in [each for each in self._waiting if each.future is None and each.blob is not None]:
            slot, futures = min(self._given.items(), key=lambda given: len(given[1]))
            if len(futures) >= AT_ONCE_PER_SLOT:
                return
            chunk.estimated_seconds = self._expected_seconds(chunk)
            graph, key = self.lowered.chunk_graph(chunk.spec, chunk.blob or b"")
            [chunk.future] = self.cluster.submit(graph, [key], slot)
            chunk.blob = None
            futures.append(chunk.future)

    def _ask(self, chunk: Chunk) -> None:
        """Ask for its rows, if it does not have them."""
        if chunk.blob is None:
            self._asked.append(chunk)
            wire.send(self.channel, {"event": "rows", "start": chunk.start, "end": chunk.end})

    def _deliver_first(self) -> bool:
        """Wait for the first chunk and hand its answer over; whether to go on."""
        chunk = self._waiting[0]
        answer, results = self._next_answer(chunk)
        if answer.get("outgrown_bytes") and self._cut_smaller(chunk, answer["outgrown_bytes"]):
            return True
        self._waiting.popleft()
        if chunk.future is not None:
            chunk.future.release()
        if self.tally.last_words:
            return False
        span = {"start": chunk.start, "end": chunk.end, "index": chunk.spec["index"]}
        wire.send(self.channel, {**answer, **span}, results)
        del results
        if answer["status"] != "ok":
            self.tally.note = answer["reason"]
            while self._asked and not self.tally.last_words:  # it answers what it was asked before it sees that this is the end
                self._hear(wire.receive(self.channel))
            return False
        reply = self._reply()
        if reply["op"] == "stop":
            self.tally.note = reply["reason"]
            return False
        self._count(chunk, answer)
        return True

    def _cut_smaller(self, chunk: Chunk, held_bytes: int) -> bool:
        self.supply.note(chunk, held_bytes)
        parts = self.supply.parts_of(chunk)
        if not parts:
            return False
        self._waiting.popleft()
        self.tally.chunks += len(parts) - 1
        self._report(chunk, held_bytes, 0.0, is_outgrown=True)
        for part in reversed(parts):
            self._waiting.appendleft(part)
        for part in parts:
            self._ask(part)
        return True

    def _next_answer(self, chunk: Chunk) -> tuple[wire.Header, list[bytes]]:
        """Wait for one chunk, giving out rows and noticing a driver that stops or dies meanwhile.

        Raises:
            EOFError: the driver is gone.
        """
        while chunk.future is None or not chunk.future.done():
            self._feed()
            reply = self._hear(wire.receive(self.channel)) if self.cluster.hears_driver(self.channel) else None
            if reply is not None:
                if reply["op"] != "stop":  # it says good-bye
                    self.tally.last_words = reply
                self._asked.clear()
                return {"status": "escape", "reason": reply.get("reason", "the script ended")}, []
        answer: tuple[wire.Header, list[bytes]] = chunk.future.result()
        return answer

    def _hear(self, message: tuple[wire.Header, list[bytes]]) -> wire.Header | None:
        """Take rows that we have asked for; anything else is a reply."""
        header, blobs = message
        if header["op"] != "rows":
            return header
        chunk = self._asked.popleft()
        if "refused" in header:
            graph, key = self.lowered.refusal_graph(header["refused"])
            [chunk.future] = self.cluster.submit(graph, [key])
        else:
            chunk.spec |= header["spec"]
            chunk.blob = blobs[0]
            self._feed()
        return None

    def _reply(self) -> wire.Header:
        while True:
            reply = self._hear(wire.receive(self.channel))
            if reply is not None:
                return reply

    def _count(self, chunk: Chunk, answer: wire.Header) -> None:
        self.tally.accepted += 1
        self.tally.records += answer["records"]
        self.tally.peak_bytes = max(self.tally.peak_bytes, answer["peak_resident_bytes"])
        self.supply.note(chunk, answer["net_peak_bytes"], answer["left_bytes"])
        self._report(chunk, answer["net_peak_bytes"], answer["seconds"])
        self.advance(self.supply.share_done(chunk))

    def _report(self, chunk: Chunk, peak_bytes: int, seconds: float, *, is_outgrown: bool = False) -> None:
        self.tally.tasks.append(
            TaskReport(
                start=chunk.start, end=chunk.end, reserved_bytes=chunk.spec["reserved"], peak_bytes=peak_bytes, seconds=seconds,
                is_outgrown=is_outgrown, estimated_seconds=chunk.estimated_seconds,
            )
        )  # fmt: skip

    def _expected_seconds(self, chunk: Chunk) -> float:
        """By the chunks that are done, or before there are any by what the script itself needed."""
        done = [task for task in self.tally.tasks if not task.is_outgrown]
        units = sum(task.end - task.start for task in done)
        pace = sum(task.seconds for task in done) / units if units else self.supply.seconds_per_unit
        return pace * (chunk.end - chunk.start)
