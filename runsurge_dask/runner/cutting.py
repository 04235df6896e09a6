"""Hand the rest of a source out in chunks, and join what comes back in the order of the data.

One stage may fuse several blocks: the loop of a generator, of the generator that consumes it, and of the code that consumes
that one run as one task per chunk. Each is an `Operation` here, innermost first.
"""

from __future__ import annotations

import gc
import io
import itertools
import marshal
import pickle
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from runsurge_dask.runner import wire
from runsurge_dask.runner.codec import HIDDEN, EnvironmentPickler, load_results, reachable_mutables
from runsurge_dask.runner.commit import commit_files, drop_files
from runsurge_dask.runner.escape import CannotShip, Escape
from runsurge_dask.runner.files import underlying_file
from runsurge_dask.runner.sinks import SinkSet
from runsurge_dask.runner.sources import Source, describe
from runsurge_dask.runner.standins import real
from runsurge_dask.runner.surroundings import surroundings

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator, Mapping

    from runsurge_dask.runner.facts import SiteFacts
    from runsurge_dask.runner.sites import Runtime

HEAD_SECONDS = 0.15
"""How long a block runs as written before it is judged: long enough to measure, short enough to lose nothing."""
SHIPPING_SAMPLE = 64
SHIPPING_FACTOR = 4.0
"""Values are written, read, compared for changes and written again: each about as long as writing them once."""
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
        self.is_complete = False
        self.is_decoding_error = False
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
        if self.is_forced:
            self.cut = source.first
            return
        records = source.resume(source.first)
        if source.wraps:
            records = enumerate(records, source.wraps[0][1])
        clock = time.perf_counter
        deadline = clock() + HEAD_SECONDS
        for count, record in enumerate(records, 1):
            yield record
            if clock() >= deadline:
                self.taken = count
                if self._judge(clock() - self.begun):
                    return
                deadline = float("inf")

    def _stream_head(self, source: Source) -> Iterator[Any]:
        for item in source.generator:
            if item is TOKEN:
                self.inner = self.runtime.captured.pop(source.frame)
                self.cut = 0
                return
            self.taken += 1
            yield item
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
            done, left, cut = self.taken, len(source.items) - self.taken, self.taken
        if not done or not left:
            return False
        self.seconds_per_unit = seconds / done
        gain = self.seconds_per_unit * left - self._shipping_seconds(cut, left)
        if gain < self.runtime.options["worth_seconds"]:
            return False
        self.cut = cut
        return True

    def _shipping_seconds(self, cut: int, left: int) -> float:
        """What it costs to send the rest, measured on a few records; nothing where chunks read for themselves."""
        source = self.known_source
        if source.is_file or type(source.items) is range:
            return 0.0
        begun = time.perf_counter()
        try:
            self._dump(source.items[cut : cut + SHIPPING_SAMPLE])
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
        links = self.chain()
        base = links[0]
        operations = [*(link.operation for link in links[:-1]), operation]  # type: ignore[attr-defined]
        first, index = base.cut or 0, base.taken
        self.runtime.busy = True
        try:
            reached = base.hand_out_chunks(operations, self, first, index)
        except CannotShip as refusal:
            self.runtime.tell({"op": "decline", "site": self.facts.site, "reason": refusal.reason})
            reached = (first, index)
        finally:
            self.runtime.busy = False
        for link in links[:-1]:
            link.go_on(reached)  # type: ignore[attr-defined]
        return base.rest(*reached) if base is self else iter(self.known_source.generator)

    def hand_out_chunks(self, operations: list[Operation], consumer: Cutting, first: int, index: int) -> tuple[int, int]:
        """The conversation about one stage; returns the cut, and the number of records before it, that were reached.

        Raises:
            CannotShip: nothing was handed out.
        """
        runtime, facts = self.runtime, consumer.facts
        stage, sinks = self._stage_blob(operations, is_lonely=any(a.merge == "yield" for a in facts.accumulators))
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        needs_index = any(o.facts.is_indexed for o in operations) or bool(self.known_source.wraps)
        proposal, _ = runtime.ask(self._proposal(facts.site, first, needs_index=needs_index))
        if "cuts" not in proposal:
            return first, index
        cuts: list[int] = proposal["cuts"]
        specs, blobs = self._chunks(cuts, index, proposal)
        wire.send(
            runtime.channel, {"op": "run", "site": facts.site, "specs": specs, "lines": [o.facts.line for o in operations]},
            [stage, *blobs]
        )
        number, index = self._collect(specs, operations, sinks, needs_index=needs_index)
        consumer.is_complete = number == len(specs)
        return cuts[number], index

    def _collect(self, specs: list[wire.Header], operations: list[Operation], sinks: SinkSet, *, needs_index: bool) -> tuple[int, int]:
        """Accept answers in order; returns how many chunks were accepted and how many records they held."""
        channel = self.runtime.channel
        index = self.taken
        written: set[str] = set()
        for number, spec in enumerate(specs):
            try:
                answer, results = wire.receive(channel)
            except BaseException:  # Ctrl-C while chunks run: the conversation must end in order before the script hears of it
                abandon(channel)
                raise
            if answer["status"] == "ok":
                try:
                    if needs_index and index != spec["index"]:
                        raise Escape("records could not be counted before reading")
                    if written.intersection(answer["files"]["read"]):
                        raise Escape("it reads a file that an earlier row wrote")
                    content = load_results(results[0], self._resolve)
                    deeds = [operation.plan(part) for operation, part in zip(operations, content["outputs"], strict=True)]
                    self._check_changes(content["changed"])
                except Escape as escape:
                    drop_files(answer["files"]["written"])
                    answer = {"status": "escape", "reason": escape.reason}
                    wire.send(channel, {"op": "stop", "reason": escape.reason})
                else:
                    wire.send(channel, {"op": "next"})
            if answer["status"] == "escape":
                wire.receive(channel)
                self._note_progress(index)
                self.is_decoding_error = answer["reason"].startswith("UnicodeDecodeError")
                return number, index
            self._change_items(content["changed"])
            for deed in deeds:
                deed()
            sinks.replay(content["journal"])
            written |= commit_files(answer["files"]["written"])
            index += answer["records"]
        wire.receive(channel)
        self._note_progress(index)
        return len(specs), index

    def _note_progress(self, index: int) -> None:
        bar = self.known_source.progress
        if bar is not None:
            bar.update(index - bar.n)
            if bar.total and bar.n >= bar.total:
                bar.close()

    def _resolve(self, reference: Any) -> object:
        """The driver's own object behind a reference in a result."""
        _, position, path = reference
        value = self.known_source.items[position]
        for key in path:
            value = value[key]
        return value

    def _check_changes(self, changed: list[tuple[int, Any]]) -> None:
        items = self.known_source.items
        if changed and len(set(map(id, items))) != len(items):
            raise Escape("it changes rows that stand in the data more than once")

    def _change_items(self, changed: list[tuple[int, Any]]) -> None:
        """Do to the driver's rows what the chunk did to its copies of them."""
        for position, content in changed:
            item = self.known_source.items[position]
            if type(item) is dict:
                item.clear()
                item.update(content)
            else:
                item[:] = content

    def _proposal(self, site: int, first: int, *, needs_index: bool) -> wire.Header:
        source = self.known_source
        proposal: wire.Header = {
            "op": "propose", "site": site, "source": source.kind, "start": first,
            "seconds_per_unit": self.seconds_per_unit, "needs_index": needs_index,
            "is_asked_for": self.is_asked_for,
        }  # fmt: skip
        if source.is_file:
            quote = source.csv_arguments["quotechar"] if source.csv_arguments and source.csv_arguments["quoting"] != 3 else None  # noqa: PLR2004 - csv.QUOTE_NONE
            return {**proposal, "path": source.path, "end": source.end, "quote": quote}
        return {**proposal, "end": len(source.items)}

    def _chunks(self, cuts: list[int], index: int, proposal: wire.Header) -> tuple[list[wire.Header], list[bytes]]:
        source = self.known_source
        specs: list[wire.Header] = []
        blobs: list[bytes] = []
        counts = proposal.get("counts")
        for number, (start, end) in enumerate(itertools.pairwise(cuts)):
            spec: wire.Header = {"kind": source.kind, "start": start, "end": end, "index": index, "wraps": source.wraps}
            if source.is_file:
                spec |= {
                    "path": source.path, "encoding": source.encoding, "errors": source.errors, "newline": source.newline,
                    "csv": source.csv_arguments, "fields": source.fields, "rest": source.rest,
                }  # fmt: skip
                blobs.append(b"")
                index += counts[number] if counts else 0
            else:
                blobs.append(self._dump(source.items[start:end]))
                index += end - start
            specs.append(spec)
        return specs, blobs

    def _dump(self, value: Any, sinks: SinkSet | None = None, stand_ins: Mapping[int, str] | None = None) -> bytes:
        file = io.BytesIO()
        pickler = EnvironmentPickler(
            file,
            sinks=sinks or SinkSet(),
            plain_code=self.runtime.plain_code,
            user_modules=self.runtime.user_modules,
            stand_ins=stand_ins or {},
            caches_are_seen=self.runtime.options["caches_are_seen"],
        )
        try:
            pickler.dump(value)
        except CannotShip:
            raise
        except Exception as error:
            raise CannotShip(f"a value around it cannot be copied to another process ({error})") from None
        return file.getvalue()

    def _stage_blob(self, operations: list[Operation], *, is_lonely: bool) -> tuple[bytes, SinkSet]:
        sinks = SinkSet()
        grown = {key: entry for operation in operations for key, entry in operation.grown.items()}
        parts: list[tuple[SiteFacts, bytes]] = []
        environments: list[Mapping[str, Any]] = []
        data: list[Any] = []
        for operation in operations:
            names = {name: real(operation.names[name]) for name in operation.facts.free if name in operation.names}
            for name, value in names.items():
                if id(value) in grown and not grown[id(value)][1]:
                    raise CannotShip(f"`{name}` is another name for `{grown[id(value)][0]}`, which grows here")
            data.extend(names.values())
            parts.append((operation.facts, self._dump(operation.starts)))
            environments.append(names)
        stand_ins = {key: local for key, (local, is_shared) in grown.items() if is_shared}
        refused = {key: "" for key, (_, is_shared) in grown.items() if not is_shared}
        source = self.known_source
        if source.kind == "items" and type(source.items) in {list, tuple} and not any(value is source.items for value in data):
            stand_ins.setdefault(id(source.items), HIDDEN)
        environment = self._dump(environments, sinks, {**stand_ins, **refused})
        compares = any(operation.facts.compares_identity for operation in operations)
        self._refuse_common_objects(data, set(grown), with_tuples=compares)
        outer = {
            "surroundings": surroundings(),
            "seeded": self.runtime.options["seeded"],
            "lonely": is_lonely,
            "operations": pickle.dumps(parts),
            "environment": environment,
        }
        return marshal.dumps(outer), sinks

    def _refuse_common_objects(self, data: list[Any], grown: set[int], *, with_tuples: bool) -> None:
        """Rows and the values around the block must have no mutable object in common: their copies would not."""
        if grown and _holds(self.iterable, grown, depth=4):
            raise CannotShip("it grows what it iterates over")
        if self.known_source.is_file or type(self.known_source.items) is range:
            return
        around = reachable_mutables(data, skipped=self.known_source.items, with_tuples=with_tuples)
        if around is None:
            raise CannotShip("too many objects around it to tell whether rows share them")
        if not around and not grown:
            return
        own = reachable_mutables(self.known_source.items, with_tuples=with_tuples)
        if own is None or own & (around | grown):
            raise CannotShip("its rows share a mutable object with the values around it")


def _holds(iterable: Any, wanted: set[int], *, depth: int) -> bool:
    if id(iterable) in wanted:
        return True
    is_view = type(iterable).__module__ == "builtins" and type(iterable) not in {list, tuple, dict, set, str, range}
    return bool(depth) and is_view and any(_holds(inner, wanted, depth=depth - 1) for inner in gc.get_referents(iterable))


def abandon(channel: socket.socket) -> None:
    """End the conversation about a stage from our side."""
    wire.send(channel, {"op": "stop", "reason": "interrupted"})
    while True:
        answer, _ = wire.receive(channel)
        if answer.get("event") == "done":
            return
        if answer["status"] == "ok":
            drop_files(answer["files"]["written"])
