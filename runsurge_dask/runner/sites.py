"""The driver's side of a site: decide, hand out, join in order, and go on as written where that is what is right.

The script that the driver runs has been rewritten at each site, so that

    for row in rows:            becomes         s = __runsurge__.loop(3, rows)
        out.append(f(row))                      while True:
                                                    for row in s:
                                                        out.append(f(row))
                                                    else:
                                                        if s.pending:
                                                            v = s.run()
                                                            if "row" in v: row = v["row"]
                                                            continue
                                                    break

`s` first gives the records one by one (to see whether the block is worth cutting), then nothing, then, after `s.run()`,
whatever the chunks could not do. The user's loop is there once, runs in its own frame, and is exact at every moment.
"""

from __future__ import annotations

import io
import itertools
import marshal
import os
import sys
import time
import warnings
from typing import TYPE_CHECKING, Any

from runsurge_dask.runner import wire
from runsurge_dask.runner.accumulators import join, starting_value
from runsurge_dask.runner.codec import PROTOCOL, EnvironmentPickler, load_results
from runsurge_dask.runner.commit import commit_files
from runsurge_dask.runner.escape import CannotShip, Escape
from runsurge_dask.runner.facts import Merge, SiteFacts
from runsurge_dask.runner.files import OutputFiles, SourceFile
from runsurge_dask.runner.reductions import REDUCTIONS
from runsurge_dask.runner.sinks import SinkSet
from runsurge_dask.runner.sources import Source, describe

if TYPE_CHECKING:
    import socket
    import types
    from collections.abc import Callable, Iterator, Mapping

HEAD_SECONDS = 0.15
"""How long a block runs as written before it is judged: long enough to measure, short enough to lose nothing."""
HEAD_STRIDE = 16
"""Records between two looks at the clock."""
FORCED_TURNS = 40
"""With a forced chunk count, how often one site is cut before it is left alone."""
TINY_CALLS = 30
TINY_SECONDS = 0.0005
"""A site that took less than this on average over so many calls is no longer looked at."""


class Runtime:
    """What the rewritten script calls; one a driver."""

    def __init__(self, channel: socket.socket, sites: Mapping[int, SiteFacts], options: Mapping[str, Any]) -> None:
        self.channel = channel
        self.sites = sites
        self.options = options
        self.plain_code: Mapping[tuple[str, str, int], types.CodeType] = {}
        self.user_modules: Mapping[str, types.ModuleType] = {}
        self.busy = False
        self.turns: dict[int, int] = {}
        self.spent: dict[int, float] = {}
        self.is_off: set[int] = set()
        self.seeded: bool = options["seeded"]

    def loop(self, site: int, iterable: Any) -> Any:
        """Open the site of a `for` loop."""
        if site in self.is_off or self.busy:
            return _Plain(iterable)
        facts = self.sites[site]
        if facts.kind == "whole" or facts.kind == "fold":
            return _Plain(iterable)
        return Loop(self, facts, iterable)

    def plain(self, iterable: Any) -> Any:
        """The iterable of a loop that is never cut, at the built-in speed."""
        return iterable.fast_lines() if type(iterable) is SourceFile else iterable

    def comp(self, site: int, iterable: Any, as_written: Callable[[Any], Any]) -> Any:
        """A comprehension, or a call that consumes one."""
        if site in self.is_off or self.busy:
            return as_written(iterable)
        return Expression(self, self.sites[site], as_written).evaluate(iterable)

    def note_turn(self, site: int, seconds: float) -> None:
        """Remember what one pass through a site cost, and stop looking at sites that cost nothing."""
        turns = self.turns[site] = self.turns.get(site, 0) + 1
        spent = self.spent[site] = self.spent.get(site, 0.0) + seconds
        limit = FORCED_TURNS if self.options["chunks"] else TINY_CALLS
        if turns >= limit and spent / turns < (TINY_SECONDS if not self.options["chunks"] else 1.0):
            self.is_off.add(site)

    def ask(self, header: wire.Header, blobs: list[bytes] | None = None) -> tuple[wire.Header, list[bytes]]:
        """One question to the client and its answer."""
        wire.send(self.channel, header, blobs or [])
        return wire.receive(self.channel)

    def tell(self, header: wire.Header) -> None:
        wire.send(self.channel, header)


class _Plain:
    """A site that runs as written."""

    __slots__ = ("iterable", "pending")

    def __init__(self, iterable: Any) -> None:
        self.iterable = iterable
        self.pending = False

    def __iter__(self) -> Any:
        iterable = self.iterable
        return iterable.fast_lines() if type(iterable) is SourceFile else iter(iterable)


class Cutting:
    """One pass over one source: the part that `for` loops and expressions share."""

    def __init__(self, runtime: Runtime, facts: SiteFacts, iterable: Any) -> None:
        self.runtime = runtime
        self.facts = facts
        self.iterable = iterable
        self.source = describe(iterable)
        self.taken = 0
        self.cut: int | None = None
        self.begun = time.perf_counter()
        self.seconds_per_unit: float | None = None
        self.is_complete = False

    @property
    def is_forced(self) -> bool:
        return bool(self.runtime.options["chunks"])

    def head(self) -> Iterator[Any]:
        """Records one by one, until the source ends or it is time to judge; then `self.cut` says where we are."""
        source = self.source
        assert source is not None
        assert source.resume is not None
        records = source.resume(0 if not source.is_file else source.start)
        if source.wraps:
            records = enumerate(records, source.wraps[0][1])
        if self.is_forced:
            self.cut = 0 if not source.is_file else source.start
            return
        clock = time.perf_counter
        deadline = clock() + HEAD_SECONDS
        for count, record in enumerate(records, 1):
            yield record
            if clock() >= deadline:
                self.taken = count
                if self.judge(clock() - self.begun):
                    return
                deadline = float("inf")

    def judge(self, seconds: float) -> bool:
        """Whether the rest is worth cutting; sets `cut`."""
        source = self.source
        assert source is not None
        if source.is_file:
            file = self._underlying_file()
            position = file.byte_position() if file is not None else None
            if position is None or position >= source.end:
                return False
            done, left, cut = position - source.start, source.end - position, position
        else:
            done, left, cut = self.taken, len(source.items) - self.taken, self.taken
        if not done or not left:
            return False
        self.seconds_per_unit = seconds / done
        if self.seconds_per_unit * left < self.runtime.options["worth_seconds"]:
            return False
        self.cut = cut
        return True

    def _underlying_file(self) -> SourceFile | None:
        inner = self.iterable
        while inner is not None and type(inner) is not SourceFile:
            if type(inner) is enumerate:
                inner = inner.__reduce__()[1][0]
            else:
                inner = getattr(inner, "iterable", None) or getattr(inner, "lines", None) or getattr(inner, "reader", None)
        return inner

    def rest(self, cut: int, index: int) -> Iterator[Any]:
        """The plain records from this cut to the end, `index` of them having been given before."""
        source = self.source
        assert source is not None
        assert source.resume is not None
        records = source.resume(cut)
        if source.wraps:
            return enumerate(records, source.wraps[0][1] + index)
        return iter(records)

    def hand_out(self, frame_names: Mapping[str, Any], accept: Callable[[Any, wire.Header], None], starts: dict[str, Any], stand_ins: dict[int, str]) -> Iterator[Any]:
        """Run the chunks from `self.cut` on, give each result to `accept` in order, and return what is left to do as written."""
        assert self.cut is not None
        runtime, source = self.runtime, self.source
        assert source is not None
        first, index = self.cut, self.taken
        nothing_done = lambda: self.rest(first, index)  # noqa: E731
        try:
            stage, sinks = self._stage_blob(frame_names, starts, stand_ins)
        except CannotShip as refusal:
            runtime.tell({"op": "decline", "site": self.facts.site, "reason": refusal.reason})
            return nothing_done()
        _flush_standard_streams()
        proposal, _ = runtime.ask(self._proposal(first))
        if "cuts" not in proposal:
            return nothing_done()
        cuts: list[int] = proposal["cuts"]
        try:
            specs, blobs = self._chunks(cuts, index, proposal)
        except CannotShip as refusal:
            runtime.tell({"op": "decline", "site": self.facts.site, "reason": refusal.reason})
            return nothing_done()
        wire.send(runtime.channel, {"op": "run", "site": self.facts.site, "specs": specs}, [stage, *blobs])
        return self._collect(cuts, specs, accept, sinks)

    def _collect(self, cuts: list[int], specs: list[wire.Header], accept: Callable[[Any, wire.Header], None], sinks: SinkSet) -> Iterator[Any]:
        channel, source = self.runtime.channel, self.source
        assert source is not None
        index = self.taken
        written: set[str] = set()
        for number in range(len(specs)):
            try:
                answer, results = wire.receive(channel)
            except BaseException:  # Ctrl-C while chunks run: the conversation must end in order before the script hears of it
                self._abandon(channel)
                raise
            if answer["status"] == "ok":
                try:
                    if index != specs[number]["index"] and (self.facts.is_indexed or source.wraps):
                        raise Escape("records could not be counted before reading")
                    if written.intersection(answer["files"]["read"]):
                        raise Escape("it reads a file that an earlier row wrote")
                    content = load_results(results[0], self._resolve)
                    accept(content["outputs"], answer)
                except Escape as escape:
                    answer = {"status": "escape", "reason": escape.reason}
                    wire.send(channel, {"op": "stop", "reason": escape.reason})
                else:
                    wire.send(channel, {"op": "next"})
            if answer["status"] == "escape":
                _drop_shadows(results, answer)
                wire.receive(channel)
                self._note_progress(index)
                return self.rest(cuts[number], index)
            sinks.replay(content["journal"])
            written |= commit_files(answer["files"]["written"])
            index += answer["records"]
        wire.receive(channel)
        self.is_complete = True
        self._note_progress(index)
        return self.rest(cuts[-1], index)

    def _abandon(self, channel: socket.socket) -> None:
        wire.send(channel, {"op": "stop", "reason": "interrupted"})
        while True:
            answer, results = wire.receive(channel)
            _drop_shadows(results, answer)
            if answer.get("event") == "done":
                return

    def _note_progress(self, index: int) -> None:
        bar = self.source.progress if self.source is not None else None
        if bar is not None:
            bar.update(index - bar.n)
            if self.source is not None and bar.total and bar.n >= bar.total:
                bar.close()

    def _resolve(self, reference: Any) -> object:
        source = self.source
        assert source is not None
        return source.items[reference[1]]

    def _proposal(self, first: int) -> wire.Header:
        source = self.source
        assert source is not None
        proposal: wire.Header = {
            "op": "propose",
            "site": self.facts.site,
            "source": source.kind,
            "seconds_per_unit": self.seconds_per_unit,
            "start": first,
            "needs_index": self.facts.is_indexed or bool(source.wraps),
        }
        if source.is_file:
            quote = source.csv_arguments["quotechar"] if source.csv_arguments and source.csv_arguments["quoting"] != 3 else None
            return {**proposal, "path": source.path, "end": source.end, "quote": quote}
        return {**proposal, "end": len(source.items)}

    def _chunks(self, cuts: list[int], index: int, proposal: wire.Header) -> tuple[list[wire.Header], list[bytes]]:
        source = self.source
        assert source is not None
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

    def _dump(self, value: Any, sinks: SinkSet | None = None, stand_ins: dict[int, str] | None = None) -> bytes:
        file = io.BytesIO()
        pickler = EnvironmentPickler(
            file,
            sinks=sinks or SinkSet(),
            plain_code=self.runtime.plain_code,
            user_modules=self.runtime.user_modules,
            stand_ins=stand_ins or {},
        )
        try:
            pickler.dump(value)
        except CannotShip:
            raise
        except Exception as error:
            raise CannotShip(f"a value around it cannot be copied to another process ({error})") from None
        return file.getvalue()

    def _stage_blob(self, names: Mapping[str, Any], starts: dict[str, Any], stand_ins: dict[int, str]) -> tuple[bytes, SinkSet]:
        sinks = SinkSet()
        environment = {name: names[name] for name in self.facts.free if name in names}
        for name, value in environment.items():
            if id(value) in stand_ins:
                raise CannotShip(f"`{name}` is another name for `{stand_ins[id(value)]}`, which grows here")
        content = {"facts": self.facts, "starts": self._dump(starts), "names": environment, "seeded": self.runtime.seeded}
        file = self._dump(content, sinks, stand_ins)
        if stand_ins and b"stand-in" in file:
            raise CannotShip("a value that grows here can be reached in another way, too")
        return marshal.dumps({"surroundings": surroundings(), "environment": file}, PROTOCOL - 1), sinks


def _flush_standard_streams() -> None:
    for stream in (sys.stdout, sys.stderr):
        stream.flush()


def _drop_shadows(results: list[bytes], answer: wire.Header) -> None:
    del results
    for _, _, shadow in answer.get("files", {}).get("written", []):
        os.remove(shadow)


def surroundings() -> dict[str, Any]:
    """What the script has set for its whole process, as plain values."""
    logging = sys.modules.get("logging")
    levels: dict[str, int] = {}
    if logging is not None:
        levels = {name: logger.level for name, logger in logging.root.manager.loggerDict.items() if hasattr(logger, "level")}
        levels[""] = logging.root.level
    return {
        "cwd": os.getcwd(),
        "environ": dict(os.environ),
        "argv": list(sys.argv),
        "path": [str(entry) for entry in sys.path],
        "recursion_limit": sys.getrecursionlimit(),
        "log_levels": levels,
        "log_disabled": logging.root.manager.disable if logging is not None else 0,
        "warning_filters": [(entry[0],) for entry in warnings.filters],
    }


class Loop(Cutting):
    """A `for` loop over something that may be cut."""

    def __init__(self, runtime: Runtime, facts: SiteFacts, iterable: Any) -> None:
        super().__init__(runtime, facts, iterable)
        self.pending = False
        self.yields: list[Any] = []
        if self.source is None:
            self._stream: Any = iterable.fast_lines() if type(iterable) is SourceFile else iter(iterable)
        else:
            self._stream = self._watched_head()

    def __iter__(self) -> Any:
        return self._stream

    def _watched_head(self) -> Iterator[Any]:
        yield from self.head()
        self.pending = self.cut is not None
        if not self.pending:
            self.runtime.note_turn(self.facts.site, time.perf_counter() - self.begun)

    def run(self) -> dict[str, Any]:
        """Run the chunks; returns the names to bind in the loop's frame."""
        self.pending = False
        frame = sys._getframe(1)  # noqa: SLF001 - the only way to the names around the loop
        names = {**frame.f_globals, **frame.f_locals}
        bound: dict[str, Any] = {}
        accumulators = self.facts.accumulators
        values: dict[str, Any] = {}
        begun = time.perf_counter()
        try:
            for fact in accumulators:
                values[fact.local] = self.yields if fact.merge is Merge.YIELD else _get_place(names, fact.place)
            starts = {fact.local: starting_value(fact, values[fact.local]) for fact in accumulators}
        except (CannotShip, KeyError, AttributeError) as refusal:
            self.runtime.tell({"op": "decline", "site": self.facts.site, "reason": str(refusal)})
            self._stream = self.rest(self.cut or 0, self.taken)
            return bound
        stand_ins = {id(values[f.local]): f.place for f in accumulators if type(values[f.local]) in _SHARED_TYPES or hasattr(values[f.local], "__dict__")}
        self.runtime.busy = True
        try:
            self._stream = self.hand_out(names, lambda outputs, _: self._accept(outputs, values, bound), starts, stand_ins)
        finally:
            self.runtime.busy = False
        for fact in accumulators:
            if "." in fact.place and fact.merge is not Merge.YIELD:
                _set_place(names, fact.place, values[fact.local])
            elif fact.merge is not Merge.YIELD:
                bound[fact.place] = values[fact.local]
        self.runtime.note_turn(self.facts.site, time.perf_counter() - begun)
        return bound

    def _accept(self, outputs: dict[str, Any], values: dict[str, Any], bound: dict[str, Any]) -> None:
        join_all(self.facts, outputs, values, bound, exact=self.runtime.options["exact"])
        bound.update(outputs["names"])


_SHARED_TYPES = frozenset({list, dict, set})


def join_all(facts: SiteFacts, outputs: dict[str, Any], values: dict[str, Any], bound: dict[str, Any], *, exact: bool) -> None:
    """Join one chunk's parts: first all that can be refused, then all that grows in place."""
    late: list[tuple[Any, Any]] = []
    early: dict[str, Any] = {}
    payload: dict[str, Any] = {}
    for fact, part in zip(facts.accumulators, outputs["parts"], strict=True):
        if fact.merge in {Merge.APPEND, Merge.ADD, Merge.FIRST, Merge.TREE, Merge.YIELD}:
            late.append((fact, part))
        elif fact.merge is Merge.STORE:
            late.insert(0, (fact, part))
        elif fact.merge is Merge.COUNT:
            early[fact.local] = part
        elif fact.merge is Merge.SELECT:
            _select(fact, values[fact.local], part, outputs["payload"], early, payload)
        else:
            early[fact.local] = join(fact, values[fact.local], part, exact=exact)
    for fact, part in late:
        values[fact.local] = join(fact, values[fact.local], part, exact=exact)
    values.update(early)
    bound.update(payload)


def _select(fact: Any, current: Any, part: Any, found: dict[str, Any], early: dict[str, Any], payload: dict[str, Any]) -> None:
    mine = {name: found[name] for name in fact.payload if name in found}
    if part is None or (not mine and fact.payload):
        early[fact.local] = current
        return
    if part != part:  # noqa: PLR0124 - that is how NaN shows
        raise Escape("not-a-number among the values compared")
    better = {"gt": lambda: part > current, "ge": lambda: part >= current, "lt": lambda: part < current, "le": lambda: part <= current}
    if current is None or better[fact.compare]():
        early[fact.local] = part
        payload.update(mine)
    else:
        early[fact.local] = current


def _get_place(names: Mapping[str, Any], place: str) -> Any:
    first, *rest = place.split(".")
    value = names[first]
    for name in rest:
        value = getattr(value, name)
    return value


def _set_place(names: Mapping[str, Any], place: str, value: Any) -> None:
    *above, last = place.split(".")
    setattr(_get_place(names, ".".join(above)), last, value)


class Expression(Cutting):
    """A comprehension or a consuming call."""

    def __init__(self, runtime: Runtime, facts: SiteFacts, as_written: Callable[[Any], Any]) -> None:
        self.runtime = runtime
        self.facts = facts
        self.as_written = as_written

    def evaluate(self, iterable: Any) -> Any:
        """The value of the expression."""
        super().__init__(self.runtime, self.facts, iterable)
        if self.source is None:
            return self.as_written(self.runtime.plain(iterable))
        reduction = REDUCTIONS[self.facts.form]
        parts: list[Any] = []
        if self.is_forced or not reduction.allows_head:
            self.cut = self.source.start if self.source.is_file else 0
        elif (early := self._run_head(parts)) is not None:
            return early[0]
        begun = time.perf_counter()
        first = self.cut

        def accept(part: Any, _: wire.Header) -> None:
            reduction.check(part, self.runtime.options["exact"])
            parts.append(part)

        self.runtime.busy = True
        try:
            rest = self.hand_out(_names_around(self.as_written), accept, {}, {})
        finally:
            self.runtime.busy = False
        self.runtime.note_turn(self.facts.site, time.perf_counter() - begun)
        if not reduction.allows_head and self.cut is not None and not self.is_complete:
            return self.as_written(self.rest(first or 0, 0))
        return reduction.finish(parts, rest, self.as_written)

    def _run_head(self, parts: list[Any]) -> tuple[Any] | None:
        """Run the first records as written; the value if that was all, or if the rest is not worth cutting."""
        try:
            value = self.as_written(self.head())
        except Exception:
            if self.cut is None:
                raise
            self.taken = 0
            self.cut = self.source.start if self.source is not None and self.source.is_file else 0
            return None
        if self.cut is None:
            self.runtime.note_turn(self.facts.site, time.perf_counter() - self.begun)
            return (value,)
        parts.append(value)
        return None


def _names_around(function: Any) -> dict[str, Any]:
    names = dict(function.__globals__)
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            names[name] = cell.cell_contents
        except ValueError:
            continue
    return names
