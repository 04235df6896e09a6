"""A loop whose body is divided (`analysis.fission`): chunks run ahead, and the rest goes on row by row in the script's own frame.

    chunk 1 done -> the rest over its rows | chunk 2 done meanwhile -> the rest over its rows | ...

The conversation about the stage stays open while the rest runs, so no other site may be cut inside of it. However the loop
is left (`break`, `return`, an exception), its source then stands where the plain loop would have left it.
"""

from __future__ import annotations

import gc
import itertools
import sys
import time
import types
from typing import TYPE_CHECKING, Any

from runsurge_dask.runner.codec import is_array_like, load_items
from runsurge_dask.runner.escape import CARRIES, CannotShip
from runsurge_dask.runner.facts import Merge
from runsurge_dask.runner.files import SourceFile
from runsurge_dask.runner.heads import LEAST_GAIN
from runsurge_dask.runner.loops import Loop, names_in
from runsurge_dask.runner.packing import dump_items
from runsurge_dask.runner.plain import ATOMIC
from runsurge_dask.runner.sharing import reachable_mutables
from runsurge_dask.runner.sources import SEQUENCES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from runsurge_dask.runner import wire
    from runsurge_dask.runner.facts import SiteFacts
    from runsurge_dask.runner.sites import Runtime

ROWS_TRIED = 100
"""Copies of one row that are written and read to see what that costs: a fraction of a millisecond."""
ROW_SECONDS = 2.5e-6
"""What a row costs in a divided loop beside its own work and its sending: counted, gathered, looked at, handed on (measured)."""


class DividedLoop(Loop):
    """The object that stands for the iterable of such a loop."""

    def __init__(self, runtime: Runtime, facts: SiteFacts, iterable: Any) -> None:
        super().__init__(runtime, facts, iterable)
        if facts.needs_generator and (self.source is None or self.source.kind != "stream"):
            self.source, self._stream = None, iterable.fast_lines() if type(iterable) is SourceFile else iter(iterable)
        self.is_ahead = False
        """Whether the records are what the chunks found, for the rest of the body only."""
        self._stage: Any = None
        self._reached = 0
        """Records of this chunk up to the row that the rest has."""
        self._answer: wire.Header = {}
        self._begun = 0.0

    def run(self) -> dict[str, Any]:
        """Take the next chunk, or what is left to do as written; returns the names that the chunk before it left."""
        if self._stage is None:
            frame = sys._getframe(1)  # noqa: SLF001 - the only way to the names around the loop
            self.names = names_in(frame)
            if self.facts.divided is not None and not self._carries():
                return self.bound
            try:
                self._refuse_dear_rows()
                operation = self.prepare()
                self._refuse_common_state()
            except (CannotShip, KeyError, AttributeError) as refusal:
                self.decline(str(refusal))
                return self.bound
            self._stage = self.hand_out_by_chunks(operation)
        elif not self._is_gaining():
            self._stage.close()
            self.runtime.tell({"op": "decline", "site": self.facts.site, "reason": "chunks gain too little of its time"})
            self.left = self.go_on_from(self.chain()[0].reached)
        names, self.bound = self.bound, {}
        answer = next(self._stage, None)
        self._begun = time.perf_counter()
        if answer is None:
            self.is_ahead = self.pending = False
            self._stream, self.names = self.left, {}
        else:
            self.is_ahead, self._answer = True, answer
            self._stream = self._rows(self.yields[:])
            self.yields.clear()
        return names

    def _carries(self) -> bool:
        """Try the loop as one that carries nothing; if a chunk finds that it does, go on as a divided one from there."""
        try:
            operation = self.prepare()
        except (CannotShip, KeyError, AttributeError) as refusal:
            self.escaped = str(refusal)
        else:
            self._stream = self.hand_out(operation)
            self.write_places()
            if self.escaped != CARRIES or self.inner is not None:
                self.pending = False
                return False
            self.cut, self.taken = self.reached
            self.names = {**self.names, **self.bound}
        assert self.facts.divided is not None
        self.facts = self.facts.divided
        return True

    def _refuse_dear_rows(self) -> None:
        """Refuse, from the row at hand, where sending back what chunks find would cost more than they could save.

        All cores share what was there to do before and what sending costs; a row is written, read, and looked at in between.
        """
        base = self.chain()[0]
        if self.is_forced or base.seconds_per_record is None:
            return
        row = dump_items(self.runtime, tuple(self.names.get(name) for name in self.facts.given))
        rows = [load_items(row) for _ in range(ROWS_TRIED)]
        begun = time.perf_counter()
        load_items(dump_items(self.runtime, rows))
        sending = (time.perf_counter() - begun) / ROWS_TRIED + ROW_SECONDS
        if (base.seconds_per_record + sending) / self.runtime.options["workers"] > base.seconds_per_record * (1 - LEAST_GAIN):
            raise CannotShip("what chunks would send back of each row costs more than they would save")

    def _rows(self, rows: list[Any]) -> Iterator[Any]:
        for self._reached, row in rows:
            yield row

    def _is_gaining(self) -> bool:
        """Whether the chunk before saved time: the rest takes what it takes, and all cores share what there is to do."""
        base = self.chain()[0]
        if self.is_forced or base.seconds_per_unit is None:
            return True
        unit = 0 if base.known_source.is_file else 1
        as_written = base.seconds_per_unit * (base.reached[unit] - base.last[unit])
        rest = time.perf_counter() - self._begun
        shared = (rest + self._answer["seconds"]) / self.runtime.options["workers"]
        return bool(max(rest, shared) < as_written * (1 - LEAST_GAIN))

    def close(self) -> None:
        """The loop is left: end the stage, and put the source where the plain loop would have left it."""
        if not self.is_ahead:
            return
        self.is_ahead = False
        self._stage.close()
        for _ in itertools.islice(self.go_on_from(self.chain()[0].last), self._reached):
            pass

    def _refuse_common_state(self) -> None:
        """Refuse where the rest could reach, and so change, what the chunks read ahead of it."""
        links = self.chain()
        for link in links[:-1]:
            if any(fact.merge is not Merge.YIELD for fact in link.facts.accumulators):
                raise CannotShip("a generator counts something while its consumer carries something")
        around = [value for link in links[:-1] for value in _values(link.operation.names, link.facts.free)]  # type: ignore[attr-defined]
        source = links[0].known_source
        kinds = [] if source.is_file or type(source.items) is range or is_array_like(source.items) else set(map(type, source.items))
        ahead = reachable_mutables([*around, *_values(self.names, self.facts.free), *kinds])
        rest = reachable_mutables(_values(self.names, self.facts.rest))
        if ahead is None or rest is None:
            raise CannotShip("too many objects around it to tell whether its parts share them")
        if ahead & rest:
            raise CannotShip("the part that carries can reach what the part ahead reads")
        if any(_moving_parts(link.iterable) & rest for link in links):
            raise CannotShip("the part that carries may move what the loop goes through")
        if not source.is_file and type(source.items) is not range:
            self._refuse_common_rows(source.items, rest)

    def _refuse_common_rows(self, items: Any, rest: set[int]) -> None:
        """Refuse rows that share an object with each other, or with what the rest can reach."""
        if is_array_like(items) or set(map(type, items)) <= ATOMIC:
            return
        met: set[int] = set(rest)
        for row in items:
            own = reachable_mutables([row], with_code=False)
            if own is None or own & met:
                raise CannotShip("its rows share an object that the part that carries may change")
            met |= own


def _values(names: Mapping[str, Any], wanted: Iterable[str]) -> list[Any]:
    return [names[name] for name in wanted if name in names]


def _moving_parts(iterable: Any) -> set[int]:
    """What stands somewhere in the data, and would move: an iterator, a reader and its file, a generator (but not all that it can see)."""
    if type(iterable) in SEQUENCES:
        return set() if type(iterable) in {tuple, range, str, frozenset} else {id(iterable), *map(id, gc.get_referents(iterable)[:1])}
    if isinstance(iterable, types.GeneratorType):
        return {id(iterable)}
    return reachable_mutables([iterable]) or {id(iterable)}
