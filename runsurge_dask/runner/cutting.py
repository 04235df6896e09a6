"""Hand the rest of a source out in chunks, and join what comes back in the order of the data.

One stage may fuse several blocks: the loop of a generator, of the generator that consumes it, and of the code that consumes
that one run as one task per chunk. Each is an `Operation` here, innermost first.
"""

from __future__ import annotations

import functools
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from runsurge_dask.runner import wire
from runsurge_dask.runner.codec import load_results
from runsurge_dask.runner.commit import commit_files, drop_files, take_left
from runsurge_dask.runner.escape import CannotShip, Escape
from runsurge_dask.runner.files import OutputFiles
from runsurge_dask.runner.given import are_apart, change, inner_value
from runsurge_dask.runner.heads import Head
from runsurge_dask.runner.kept import SELECTED, item, kept_rows, selected, settle
from runsurge_dask.runner.packing import pack_stage
from runsurge_dask.runner.specs import common_of, range_of, rows_of
from runsurge_dask.runner.stopping import abandon, await_end
from runsurge_dask.runner.unequal import Sent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from runsurge_dask.runner.facts import SiteFacts
    from runsurge_dask.runner.sinks import SinkSet
    from runsurge_dask.runner.snapshots import Change

SAMPLE_ROWS = 24
SAMPLE_SECONDS = 0.02
"""A sample is worked out three times over before the first chunk, which others wait for."""


@dataclass(slots=True)
class Operation:
    """One block of a stage: its proof, the names around it, and where its results go."""

    facts: SiteFacts
    names: Mapping[str, Any]
    plan: Callable[[Any], Callable[[], None]]
    """Look at one chunk's outputs (refusing by `Escape`), and return the deed that joins them."""
    starts: dict[str, Any] = field(default_factory=dict)
    grown: dict[int, tuple[str, bool]] = field(default_factory=dict)
    """By the id of an accumulator's object: its local name, and whether other code may reach it."""


class Cutting(Head):
    """One pass over one source: the part that loops and expressions share."""

    @property
    def is_through(self) -> bool:
        """Whether chunks have done all there was."""
        base = self.chain()[0]
        source = base.known_source
        return base.reached[0] == (source.end if source.is_file else source.size)

    def chain(self) -> list[Cutting]:
        """The cuttings fused here, innermost first; the innermost one has the source with records."""
        return [*(self.inner.chain() if self.inner is not None else ()), self]

    def hand_out(self, operation: Operation) -> Iterator[Any]:
        """Run the chunks from the cut on, join their results, and return what is left to do as written."""
        for _ in self.hand_out_by_chunks(operation):
            pass
        return self.left

    def hand_out_by_chunks(self, operation: Operation) -> Iterator[wire.Header]:
        """The same, pausing after each chunk that was joined; `self.left` is what is left at the end."""
        links = self.chain()
        base = links[0]
        operations = [*(link.operation for link in links[:-1]), operation]  # type: ignore[attr-defined]
        base.reached = base.last = base.cut or 0, base.taken
        self.runtime.busy = True
        try:
            yield from base.hand_out_chunks(operations, self)
        except CannotShip as refusal:
            self.runtime.tell({"op": "decline", "site": self.facts.site, "reason": refusal.reason})
        finally:
            self.runtime.busy = False
            if base.source is not None and (found := kept_rows(base.source.items)) is not None:
                found.is_read = False
        self.left = self.go_on_from(base.reached)

    def go_on_from(self, reached: tuple[int, int]) -> Iterator[Any]:
        """What is left to do as written from this cut and number of records on."""
        links = self.chain()
        for link in links[:-1]:
            link.go_on(reached)  # type: ignore[attr-defined]
        return self.rest(*reached) if links[0] is self else iter(self.known_source.generator)

    def hand_out_chunks(self, operations: list[Operation], consumer: Cutting) -> Iterator[wire.Header]:
        """The conversation about one stage, pausing after each accepted chunk; moves `self.reached` on.

        Raises:
            CannotShip: nothing was handed out.
        """
        runtime, facts = self.runtime, consumer.facts
        runtime.sent = Sent()
        stage, sinks = pack_stage(runtime, self.known_source, self.iterable, operations)
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        needs_index = any(o.facts.is_indexed for o in operations) or bool(self.known_source.wraps)
        span = range_of(runtime, self.known_source, self.reached, needs_index=needs_index)
        is_asked_for = self.is_asked_for or self.is_too_large
        about = {"op": "judge", "site": facts.site, "seconds_per_unit": self.seconds_per_unit, "is_asked_for": is_asked_for}
        if runtime.ask({**span, **about})[0]["plain"]:
            return
        rows = self._sample_rows() if facts.site not in runtime.sampled else 0
        if rows:
            runtime.sampled.add(facts.site)
        runtime.has_run_stages = True
        found = kept_rows(self.known_source.items)
        if found is not None:
            found.is_read = True
        lines = [o.facts.line for o in operations]
        header = {"op": "run", "site": facts.site, "lines": lines, "common": common_of(self.known_source), "sample": rows}
        header["range"] = {**span, "seconds_per_unit": self.seconds_per_unit}
        wire.send(runtime.channel, header, [stage])
        yield from self._collect(operations, sinks, needs_index=needs_index)

    def _sample_rows(self) -> int:
        """How many of the first rows the proof is held against; none where the script's own pool has rows of unknown cost."""
        if self.is_asked_for and not self.runtime.is_forced(self.facts.site):
            return 0
        return SAMPLE_ROWS if not self.seconds_per_record else min(SAMPLE_ROWS, int(SAMPLE_SECONDS / self.seconds_per_record))

    def _collect(self, operations: list[Operation], sinks: SinkSet, *, needs_index: bool) -> Iterator[wire.Header]:
        """Give out rows, and accept answers in order, pausing after each."""
        channel = self.runtime.channel
        index = self.taken
        written: set[str] = set()
        while True:
            try:
                answer, results = self._next_answer()
            except BaseException:  # Ctrl-C while chunks run: the conversation must end in order before the script hears of it
                abandon(channel)
                raise
            if answer["status"] == "done":
                self._note_progress(index)
                self.runtime.done_by_chunks.add(self.facts.site)
                return
            try:
                if needs_index and answer["status"] == "ok" and index != answer["index"]:
                    raise Escape("records could not be counted before reading")
                content, deeds = self._look_at(answer, results, operations, written)
            except Escape as escape:
                self._break_off(answer, escape.reason, index)
                return
            wire.send(channel, {"op": "next"})
            self._change_items(content["changed"])
            for deed in deeds:
                deed()
            sinks.replay(content["journal"])
            written |= commit_files(answer["files"]["written"])
            index += answer["records"]
            self.runtime.sent.forget(answer["end"])
            self.last, self.reached = self.reached, (answer["end"], index)
            try:
                yield answer
            except GeneratorExit:  # the rest of a divided loop has left it
                abandon(channel)
                raise

    def _next_answer(self) -> tuple[wire.Header, list[bytes]]:
        """The next chunk's answer; until it comes, the client may ask for rows."""
        channel = self.runtime.channel
        while True:
            message, blobs = wire.receive(channel)
            if message.get("event") != "rows":
                return message, blobs
            try:
                spec, blob = rows_of(self.runtime, self.known_source, message["start"], message["end"])
            except CannotShip as refusal:
                wire.send(channel, {"op": "rows", "refused": refusal.reason})
            else:
                wire.send(channel, {"op": "rows", "spec": spec}, [blob])

    def _look_at(
        self, answer: wire.Header, results: list[bytes], operations: list[Operation], written: set[str]
    ) -> tuple[Any, list[Callable[[], None]]]:
        """What a chunk found, and the deeds that join it.

        Raises:
            Escape: it cannot be used.
        """
        if answer["status"] != "ok":
            raise Escape(answer["reason"])
        read, facts = set(answer["files"]["read"]), operations[-1].facts
        own = {self.known_source.path}
        may_be_written = facts.given and facts.makes_files and (read - own or OutputFiles.current.has(read))
        if written & read or may_be_written or any(path in read for path, _ in OutputFiles.current.paths()):
            raise Escape("it reads a file that an earlier row wrote, or may write")
        try:
            content = load_results(results[0] if results else take_left(answer["left"]), self._resolve, self.runtime.sent.answer())
        except Exception as error:  # a class of the script's whose objects cannot be made anew
            raise Escape(f"a result cannot be made anew here ({error})") from None
        self._find_selected(content["outputs"], operations[-1].facts)
        deeds = [operation.plan(part) for operation, part in zip(operations, content["outputs"], strict=True)]
        self._check_changes(content["changed"])
        return content, deeds

    def _find_selected(self, outputs: list[Any], facts: SiteFacts) -> None:
        """Put rows that chunks have named by their positions in place of those."""
        if not facts.kept:
            return
        is_loop = facts.form == "for"
        holder = outputs[-1]["parts"] if is_loop else outputs
        places = [n for n, fact in enumerate(facts.accumulators) if fact.local in facts.kept] if is_loop else [-1]
        for n in places:
            if type(holder[n]) is tuple and holder[n][:1] == (SELECTED,):
                holder[n] = selected(self.known_source.items, holder[n][1])

    def _break_off(self, answer: wire.Header, reason: str, index: int) -> None:
        """End a stage at a chunk that cannot be used."""
        channel = self.runtime.channel
        if answer["status"] == "ok":
            drop_files(answer["files"]["written"])
            wire.send(channel, {"op": "stop", "reason": reason})
        await_end(channel)
        self.runtime.done_by_chunks.discard(self.facts.site)
        self._note_progress(index)
        self.escaped = reason
        Escape.last = None  # it would keep what was tried alive
        self.is_decoding_error = reason.startswith("UnicodeDecodeError")

    def _note_progress(self, index: int) -> None:
        bar = self.known_source.progress
        if bar is not None:
            bar.update(index - bar.n)
            if bar.total and bar.n >= bar.total:
                bar.close()

    def _resolve(self, reference: Any) -> object:
        """The driver's own object behind a reference in a result."""
        _, position, path = reference
        value = item(self.known_source.items, position)
        for key in path:
            value = inner_value(value, key)
        return value

    def _check_changes(self, changed: list[Change]) -> None:
        if changed and not self.are_apart:
            raise Escape("it changes rows that stand in the data more than once")

    @functools.cached_property
    def are_apart(self) -> bool:
        """Whether no two rows hold the same object."""
        return are_apart(settle(self.known_source.items))

    def _change_items(self, changed: list[Change]) -> None:
        """Do to the driver's rows what the chunk did to its copies of them."""
        found = [self._resolve(("item", position, path)) for position, path, _ in changed]
        for value, (_, _, content) in zip(found, changed, strict=True):
            change(value, content)
