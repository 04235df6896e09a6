"""A stage that gives all or nothing: every chunk answers, or the driver works the whole out as written.

Expressions over frames and arrays run in such stages. The job is one value, sent once to each child; every chunk is one more.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from runsurge_dask.runner import wire
from runsurge_dask.runner.codec import load_results
from runsurge_dask.runner.commit import drop_files, take_left
from runsurge_dask.runner.cutting import Cutting, Operation
from runsurge_dask.runner.escape import Escape
from runsurge_dask.runner.packing import dump_items, pack_stage
from runsurge_dask.runner.sources import Source
from runsurge_dask.runner.stopping import abandon
from runsurge_dask.runner.unequal import Sent

if TYPE_CHECKING:
    from collections.abc import Callable

    from runsurge_dask.runner.facts import SiteFacts
    from runsurge_dask.runner.sites import Runtime


class OutgrownChunk(Exception):  # noqa: N818 - a question to cut again, not an error
    """A chunk needed more memory than there was."""


class Conversation(Cutting):
    """One conversation with the client about chunks that all give an answer, or none does."""

    def __init__(self, runtime: Runtime, facts: SiteFacts) -> None:
        super().__init__(runtime, facts, None)
        self.source = Source("items", items=[])

    def run(
        self, code: bytes, job: Any, chunks: list[Any], lines: list[int], accept: Callable[[list[Any]], None], *, is_used: bool = True
    ) -> list[Any]:
        """The answers of all chunks.

        Raises:
            Escape: one of them could not, or `accept` refused them.
            OutgrownChunk: one of them needed more memory than there was.
            CannotShip: nothing was handed out.
        """
        specs = [{"kind": "items", "start": n, "end": n + 1, "index": n, "wraps": []} for n in range(len(chunks))]
        return [answer for answer, _ in self._run(code, job, {"specs": specs, "is_used": is_used}, chunks, lines, accept)]

    def run_over(
        self, code: bytes, job: Any, span: wire.Header, lines: list[int], accept: Callable[[list[Any]], None]
    ) -> list[tuple[Any, tuple[int, int]]]:
        """The same of a range of a file that is cut on the way: every answer, and the start and end of its chunk.

        Raises:
            Escape: one of them could not, or `accept` refused them.
            OutgrownChunk: one of them needed more memory than there was.
            CannotShip: nothing was handed out.
        """
        about = {"range": {**span, "index": 0, "needs_index": False}, "common": {"kind": "range", "wraps": []}, "sample": 0}
        return self._run(code, job, about, [], lines, accept)

    def _run(
        self, code: bytes, job: Any, about: wire.Header, chunks: list[Any], lines: list[int], accept: Callable[[list[Any]], None]
    ) -> list[tuple[Any, tuple[int, int]]]:
        facts = replace(self.facts, code=code, free=("__rs_job__",), form="frame")
        operation = Operation(facts, {"__rs_job__": job}, _nothing)
        sent = self.runtime.sent = Sent()
        blob, _ = pack_stage(self.runtime, self.known_source, self.iterable, [operation])
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        sent_chunks = [dump_items(self.runtime, [chunk], sent.around) for chunk in chunks]
        header = {"op": "run", "site": self.facts.site, "lines": lines, "is_atomic": True, **about}
        wire.send(self.runtime.channel, header, [blob, *sent_chunks])
        return self._answers(accept)

    def _answers(self, accept: Callable[[list[Any]], None]) -> list[tuple[Any, tuple[int, int]]]:
        channel = self.runtime.channel
        found: list[Any] = []
        spans: list[tuple[int, int]] = []
        try:
            while True:
                answer, results = wire.receive(channel)
                if answer["status"] == "done":
                    return list(zip(found, spans, strict=True))
                if answer["status"] != "ok":
                    wire.receive(channel)
                    raise OutgrownChunk(answer["reason"]) if "outgrown_bytes" in answer else Escape(answer["reason"])
                try:
                    result = results[0] if results else take_left(answer["left"])
                    found.append(load_results(result, find_unequal=self.runtime.sent.answer())["outputs"][0])
                    spans.append((answer["start"], answer["end"]))
                    accept(found)
                except Escape as escape:
                    drop_files(answer["files"]["written"])
                    wire.send(channel, {"op": "stop", "reason": escape.reason})
                    wire.receive(channel)
                    raise
                wire.send(channel, {"op": "next"})
        except KeyboardInterrupt:
            abandon(channel)
            raise


def _nothing(outputs: Any) -> Any:
    return outputs
