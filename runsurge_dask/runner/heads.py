"""The first records of a source, as written: what they cost, and whether to cut the rest."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING, Any

from runsurge_dask.runner.escape import CannotShip
from runsurge_dask.runner.files import underlying_file
from runsurge_dask.runner.kept import fits, kept_rows
from runsurge_dask.runner.limits import spare_bytes
from runsurge_dask.runner.packing import dump_items, returning_seconds
from runsurge_dask.runner.sources import Source, describe
from runsurge_dask.runner.specs import ROWS_WEIGHED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runsurge_dask.runner.facts import SiteFacts
    from runsurge_dask.runner.sites import Runtime

HEAD_SECONDS = 0.15
"""How long a block runs as written before it is judged: long enough to measure, short enough to lose nothing."""
HEAD_AGAIN_SECONDS = 0.02
"""The same for a block of which chunks have done the rest before."""
PREPARING_SECONDS = 0.02
"""While the cluster starts, the block goes on as written; so often it is asked whether that is done."""
SHIPPING_FACTOR = 4.0
"""Values are written, read, compared for changes and written again: each about as long as writing them once."""
LEAST_GAIN = 0.1
"""What saves less than this part of its time is better run as written."""
GROWTH = 100
"""Rows may hold so many times the bytes that they are read from, if somebody is unlucky."""
WATCHED_RECORDS = 2000
"""Rows that are made between two looks at what the script holds."""
DEAR = "what chunks would send back costs more than they would save"
TOKEN = object()
"""What a generator gives its consumer in place of a record, when its own loop is ready to be cut."""


class Head:
    """One pass over one source, up to the place from which it is cut."""

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
        return self.is_asked_for or self.runtime.is_forced(self.facts.site)

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
        deadline = clock() + (HEAD_AGAIN_SECONDS if self.facts.site in self.runtime.done_by_chunks else HEAD_SECONDS)
        for count, record in enumerate(records, 1):
            yield record
            if clock() >= deadline:
                self.taken = count
                is_worth_it = self._judge(clock() - self.begun)
                is_filling = self._may_grow_too_large() and not spare_bytes()
                if is_worth_it and not self.runtime.preparing.is_there() and not is_filling:
                    self.cut, deadline = None, clock() + PREPARING_SECONDS
                    continue
                if not is_worth_it:
                    if self._may_grow_too_large():
                        yield from self._watched(records)
                        return
                    source.let_go()
                    if is_kept:  # its rows need not come one by one now
                        del records
                        records = self.rest(count, count)
                    yield from records
                return

    def _may_grow_too_large(self) -> bool:
        """Whether the rows that this makes could become too many for memory, were each much larger than those so far."""
        source = self.known_source
        return bool(self.facts.kept) and source.is_file and (source.end - source.start) * GROWTH > spare_bytes()

    def _watched(self, records: Iterator[Any]) -> Iterator[Any]:
        """Go on as written, but let chunks do the rest as soon as the script has come to hold its share."""
        taken = 0
        while taken < WATCHED_RECORDS:
            taken = 0
            for record in itertools.islice(records, WATCHED_RECORDS):
                taken += 1
                yield record
            self.taken += taken
            file = underlying_file(self.iterable)
            position = file.byte_position() if file is not None else None
            if not spare_bytes() and position is not None and position < self.known_source.end:
                self.cut, self.is_too_large = position, True
                self.known_source.lines_from = position
                return
            taken = 0 if taken == WATCHED_RECORDS else WATCHED_RECORDS

    def _is_too_large(self) -> bool:
        """Whether the rows that this makes are better left in files, whatever the gain: they would be as large as what they are made of."""
        source = self.known_source
        if not self.facts.kept or (not source.is_file and kept_rows(source.items) is None):
            return False
        kept = kept_rows(source.items)
        return not fits(source.end - source.start if kept is None else kept.size)

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
        workers = self.runtime.options["workers"]
        seconds = returning_seconds(self.runtime, list(rows[-ROWS_WEIGHED:]), workers) * min(1.0, made / self.taken)
        return bool(seconds > self.seconds_per_record * (1 - 1 / workers) * (1 - LEAST_GAIN))

    def _shipping_seconds(self, cut: int, left: int) -> float:
        """What it costs to send the rest, measured on a few records; nothing where chunks read for themselves."""
        source = self.known_source
        if source.is_file or type(source.items) is range or kept_rows(source.items) is not None:
            return 0.0
        begun = time.perf_counter()
        try:
            dump_items(self.runtime, source.items[cut : cut + ROWS_WEIGHED])
        except CannotShip:
            return float("inf")
        return (time.perf_counter() - begun) / min(left, ROWS_WEIGHED) * left * SHIPPING_FACTOR

    def rest(self, cut: int, index: int) -> Iterator[Any]:
        """The plain records from this cut to the end, `index` of them having been given before."""
        source = self.known_source
        assert source.resume is not None
        is_read_again = self.is_decoding_error and cut > source.first
        records = source.reread(index) if is_read_again else source.resume(cut)
        return enumerate(records, source.wraps[0][1] + index) if source.wraps else iter(records)
