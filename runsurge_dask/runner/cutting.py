"""Hand the rest of a source out in chunks, and join what comes back in the order of the data.

One stage may fuse several blocks: the loop of a generator, of the generator that consumes it, and of the code that consumes
that one run as one task per chunk. Each is an `Operation` here, innermost first.
"""

from __future__ import annotations

import functools
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from runsurge_dask.runner import wire
from runsurge_dask.runner.codec import load_items, load_results
from runsurge_dask.runner.commit import commit_files, drop_files, take_left
from runsurge_dask.runner.escape import CannotShip, Escape
from runsurge_dask.runner.files import OutputFiles, underlying_file
from runsurge_dask.runner.given import are_apart, change, inner_value
from runsurge_dask.runner.kept import SELECTED, fits, item, kept_rows, selected, settle
from runsurge_dask.runner.packing import dump_items, pack_stage
from runsurge_dask.runner.sources import Source, describe
from runsurge_dask.runner.specs import common_of, range_of, rows_of

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator, Mapping

    from runsurge_dask.runner.facts import SiteFacts
    from runsurge_dask.runner.sinks import SinkSet
    from runsurge_dask.runner.sites import Runtime
    from runsurge_dask.runner.snapshots import Change

HEAD_SECONDS = 0.15
"""How long a block runs as written before it is judged: long enough to measure, short enough to lose nothing."""
SHIPPING_SAMPLE = 64
SHIPPING_FACTOR = 4.0
"""Values are written, read, compared for changes and written again: each about as long as writing them once."""
READING_FACTOR = 2.0
"""Rows that come back are many, and new: they take twice as long as a few that are read in a row."""
LEAST_GAIN = 0.1
"""What saves less than this part of its time is better run as written."""
SAMPLE_ROWS = 24
SAMPLE_SECONDS = 0.02
"""A sample is worked out three times over before the first chunk, which others wait for."""
DEAR = "what chunks would send back costs more than they would save"
TOKEN = object()
"""What a generator gives its consumer in place of a record, when its own loop is ready to be cut."""


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


class Cutting:
    """One pass over one source: the part that loops and expressions share."""

    def __init__(self, runtime: Runtime, facts: SiteFacts, iterable: Any) -> None:
        self.runtime = runtime
        self.facts = facts
        self.iterable = iterable
        self.source = describe(iterable)
        self.inner: Any = None
        """The loop of the generator that is consumed here, once it is ready."""
        self.taken = 0
        self.cut: int | None = None
        self.begun = time.perf_counter()
        self.seconds_per_unit: float | None = None
        self.seconds_per_record: float | None = None
        self.is_decoding_error = False
        self.reached = self.last = 0, 0
        """The cut, and the number of records before it, up to which chunks have been joined; and those before the last chunk."""
        self.left: Iterator[Any] = iter(())
        self.escaped = ""
        """Why the last stage was broken off."""
        self.is_too_large = False
        """What this makes would not fit into memory."""
        self.is_asked_for = False
        """The script itself asks for this to run in parallel, and nothing of it may run in the driver."""
        if self.source is not None and self.source.kind == "stream" and facts.is_indexed:
            self.source.release()
            self.source = None

    @property
    def is_forced(self) -> bool:
        """Whether this is cut without asking if that is worth it."""
        return self.is_asked_for or bool(self.runtime.options["chunks"])

    @property
    def known_source(self) -> Source:
        """The source, where there is one."""
        assert self.source is not None
        return self.source

    def head(self) -> Iterator[Any]:
        """Records one by one, until the source ends or it is time to judge; then `self.cut` says where we are."""
        source = self.known_source
        if source.kind == "stream":
            yield from self._stream_head(source)
            return
        assert source.resume is not None
        self.is_too_large = self._is_too_large()
        if self.is_forced or self.is_too_large:
            self.cut = source.first
            return
        records = source.resume(source.first)
        if source.wraps:
            records = enumerate(records, source.wraps[0][1])
        is_kept = kept_rows(source.items) is not None
        clock = time.perf_counter
        deadline = clock() + HEAD_SECONDS
        for count, record in enumerate(records, 1):
            yield record
            if clock() >= deadline:
                self.taken = count
                if not self._judge(clock() - self.begun):
                    source.let_go()
                    if is_kept:  # its rows need not come one by one now
                        del records
                        records = self.rest(count, count)
                    yield from records
                return

    def _is_too_large(self) -> bool:
        """Whether the rows that this makes are better left in files, whatever the gain: they would be as large as what they are made of."""
        source = self.known_source
        if not self.facts.kept or (not source.is_file and kept_rows(source.items) is None):
            return False
        kept = kept_rows(source.items)
        return not fits(source.end - source.start if kept is None else kept.size)

    @property
    def is_through(self) -> bool:
        """Whether chunks have done all there was."""
        base = self.chain()[0]
        source = base.known_source
        return base.reached[0] == (source.end if source.is_file else source.size)

    def _stream_head(self, source: Source) -> Iterator[Any]:
        for record in source.generator:
            if record is TOKEN:
                self.inner = self.runtime.captured.pop(source.frame)
                self.cut = 0
                return
            self.taken += 1
            yield record
        self.runtime.captured.pop(source.frame, None)

    def _judge(self, seconds: float) -> bool:
        """Whether the rest is worth cutting; sets `cut`."""
        source = self.known_source
        if source.is_file:
            file = underlying_file(self.iterable)
            position = file.byte_position() if file is not None else None
            if position is None or position >= source.end:
                return False
            done, left, cut = position - source.start, source.end - position, position
            source.lines_from = position
        else:
            done, left, cut = self.taken, source.size - self.taken, self.taken
        if not done or not left:
            return False
        self.seconds_per_unit, self.seconds_per_record = seconds / done, seconds / self.taken
        saved = self.seconds_per_unit * left * (1 - 1 / self.runtime.options["workers"]) - self._shipping_seconds(cut, left)
        if not self.runtime.is_worth_it(self.facts.site, saved):
            return False
        self.cut = cut
        return True

    def are_results_dear(self, rows: Any, made: int) -> bool:
        """Whether sending back what chunks make of the rest would cost more than they save, judged by some rows that were made of the head.

        `made` is how many there were of them for the records taken so far.
        """
        if self.is_forced or self.is_too_large or not rows or not self.taken or self.seconds_per_record is None:
            return False
        few = list(rows[-SHIPPING_SAMPLE:])
        begun = time.perf_counter()
        try:
            blob = dump_items(self.runtime, few)
        except CannotShip:
            return False
        written = time.perf_counter()
        load_items(blob)
        writing, reading = written - begun, time.perf_counter() - written
        workers = self.runtime.options["workers"]
        per_record = min(1.0, made / self.taken) / len(few) * (writing / workers + reading * READING_FACTOR)
        return bool(per_record > self.seconds_per_record * (1 - 1 / workers) * (1 - LEAST_GAIN))

    def _shipping_seconds(self, cut: int, left: int) -> float:
        """What it costs to send the rest, measured on a few records; nothing where chunks read for themselves."""
        source = self.known_source
        if source.is_file or type(source.items) is range or kept_rows(source.items) is not None:
            return 0.0
        begun = time.perf_counter()
        try:
            dump_items(self.runtime, source.items[cut : cut + SHIPPING_SAMPLE])
        except CannotShip:
            return float("inf")
        return (time.perf_counter() - begun) / min(left, SHIPPING_SAMPLE) * left * SHIPPING_FACTOR

    def rest(self, cut: int, index: int) -> Iterator[Any]:
        """The plain records from this cut to the end, `index` of them having been given before."""
        source = self.known_source
        assert source.resume is not None
        is_read_again = self.is_decoding_error and cut > source.first
        records = source.reread(index) if is_read_again else source.resume(cut)
        return enumerate(records, source.wraps[0][1] + index) if source.wraps else iter(records)

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
        header = {"op": "run", "site": facts.site, "lines": lines, "common": common_of(self.known_source), "range": span, "sample": rows}
        wire.send(runtime.channel, header, [stage])
        yield from self._collect(operations, sinks, needs_index=needs_index)

    def _sample_rows(self) -> int:
        """How many of the first rows the proof is held against; none where the script's own pool has rows of unknown cost."""
        if self.is_asked_for and not self.runtime.options["chunks"]:
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
            content = load_results(results[0] if results else take_left(answer["left"]), self._resolve)
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


def abandon(channel: socket.socket) -> None:
    """End the conversation about a stage from our side."""
    wire.send(channel, {"op": "stop", "reason": "interrupted"})
    await_end(channel)


def await_end(channel: socket.socket) -> None:
    """Hear no more of a stage that is over."""
    while True:
        message, _ = wire.receive(channel)
        match message.get("event"):
            case "done":
                return
            case "rows":
                continue
        if message["status"] == "ok":
            drop_files(message["files"]["written"])
