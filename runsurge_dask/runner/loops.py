"""A `for` loop over something that may be cut."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

from runsurge_dask.runner.accumulators import check_join, join, starting_value
from runsurge_dask.runner.cutting import Cutting, Operation
from runsurge_dask.runner.escape import CannotShip
from runsurge_dask.runner.facts import GROWING_IN_PLACE, Accumulator, Merge, SiteFacts
from runsurge_dask.runner.files import SourceFile
from runsurge_dask.runner.heads import DEAR, TOKEN
from runsurge_dask.runner.kept import through
from runsurge_dask.runner.selecting import select
from runsurge_dask.runner.standins import real
from runsurge_dask.runner.tables import table_ids

if TYPE_CHECKING:
    import types
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from runsurge_dask.runner.sites import Runtime

_LATE = frozenset({Merge.APPEND, Merge.ADD, Merge.FIRST, Merge.TREE, Merge.YIELD})
"""These grow in place and cannot refuse; they come after all that can."""


class Loop(Cutting):
    """The object that stands for the iterable in a rewritten loop (see `runner.sites`)."""

    def __init__(self, runtime: Runtime, facts: SiteFacts, iterable: Any) -> None:
        super().__init__(runtime, facts, iterable)
        self.pending = False
        self.yields: list[Any] = []
        self.values: dict[str, Any] = {}
        self.bound: dict[str, Any] = {}
        self.operation: Operation | None = None
        self._after: Iterator[Any] = iter(())
        self.names: Mapping[str, Any] = {}
        """What the names around the loop stood for when its chunks were handed out."""
        self._frame = id(sys._getframe(2))  # noqa: SLF001 - the frame of the loop tells whether a consumer waits for it
        self._stream: Any = None
        """What is given next; the head is not kept, or a loop that is left would keep itself and what it goes through alive."""
        if self.source is None:
            self._stream = iterable.fast_lines() if type(iterable) is SourceFile else iter(through(iterable))

    def __iter__(self) -> Any:
        return self._watched_head() if self._stream is None else self._stream

    def _watched_head(self) -> Iterator[Any]:
        yield from self.head()
        self.pending = self.cut is not None
        if not self.pending:
            self.runtime.note_turn(self.facts.site, time.perf_counter() - self.begun)

    def run(self) -> dict[str, Any]:
        """Run the chunks, or let the consumer of this generator do it; returns the names to bind in the loop's frame."""
        if self.operation is not None:
            self.pending = False
            self._stream = self._after
            self.write_places()
            self.names, self.operation = {}, None
            return self.bound
        frame = sys._getframe(1)  # noqa: SLF001 - the only way to the names around the loop
        self.names = names_in(frame)
        yields = any(fact.merge is Merge.YIELD for fact in self.facts.accumulators)
        is_awaited = yields and self._frame in self.runtime.captured
        if yields and not is_awaited:
            self.decline("its consumer takes its rows one by one, and may change what it reads")
            return {}
        try:
            operation = self.prepare()
        except (CannotShip, KeyError, AttributeError) as refusal:
            self.decline(str(refusal))
            return {}
        grown = [self.values[f.local] for f in accumulators_of(self.facts) if type(self.values[f.local]) is list]
        if self.inner is None and any(self.are_results_dear(rows, len(rows)) for rows in grown):
            self.decline(DEAR)
            return {}
        if is_awaited:
            self.operation = operation
            self.runtime.captured[self._frame] = self
            self.yields, self._stream = [TOKEN], iter(())
            return {}
        begun = time.perf_counter()
        self.pending = False
        self._stream = self.hand_out(operation)
        self.write_places()
        self.names = {}
        self.runtime.note_turn(self.facts.site, time.perf_counter() - begun)
        return self.bound

    def decline(self, reason: str) -> None:
        """Go on as written from where the head stopped."""
        self.runtime.tell({"op": "decline", "site": self.facts.site, "reason": reason})
        self.runtime.captured.pop(self._frame, None)
        self.pending = False
        self._decline_inner()

    def go_on(self, reached: tuple[int, int]) -> None:
        """The consumer has come this far; what is left is given as written."""
        self.yields = []
        after = self.rest(*reached) if self.inner is None else iter(self.known_source.generator)
        if self.pending and self.operation is not None:
            self._after = after  # its own frame takes over what the chunks found first
        else:
            self._stream = after

    def _decline_inner(self) -> None:
        links = self.chain()
        base = links[0]
        reached = (base.cut or 0, base.taken)
        for link in links[:-1]:
            link.go_on(reached)  # type: ignore[attr-defined]
        self.go_on(reached)

    def prepare(self) -> Operation:
        """What this loop adds to a stage.

        Raises:
            CannotShip: its chunks could not be joined.
        """
        accumulators = self.facts.accumulators
        for fact in accumulators:
            self.values[fact.local] = self.yields if fact.merge is Merge.YIELD else _get_place(self.names, fact.place)
        _refuse_aliases(accumulators, self.values)
        starts = {fact.local: starting_value(fact, self.values[fact.local]) for fact in accumulators}
        grown = {id(self.values[f.local]): (f.local, f.is_shared) for f in accumulators if _is_container(self.values[f.local])}
        return Operation(self.facts, self.names, self._plan, starts, grown)

    def write_places(self) -> None:
        """Bind what grew, as the loop would have."""
        for fact in self.facts.accumulators:
            if fact.merge is Merge.YIELD:
                continue
            if "." in fact.place:
                _set_place(self.names, fact.place, self.values[fact.local])
            elif fact.merge not in GROWING_IN_PLACE:
                self.bound[fact.place] = self.values[fact.local]

    def _plan(self, outputs: dict[str, Any]) -> Callable[[], None]:
        """Check one chunk's parts; the deed joins them."""
        exact = self.runtime.options["exact"]
        late: list[tuple[Any, Any]] = []
        early: dict[str, Any] = {}
        payload: dict[str, Any] = {}
        for fact, part in zip(self.facts.accumulators, outputs["parts"], strict=True):
            if fact.merge in _LATE:
                check_join(fact, self.values[fact.local], part, exact=exact)
                late.append((fact, part))
            elif fact.merge is Merge.STORE:
                check_join(fact, self.values[fact.local], part, exact=exact)
                late.insert(0, (fact, part))
            elif fact.merge is Merge.COUNT:
                early[fact.local] = part
            elif fact.merge is Merge.SELECT:
                select(fact, self.values, part, outputs["payload"], early, payload)
            else:
                check_join(fact, self.values[fact.local], part, exact=exact)

        def deed() -> None:
            for fact, part in late:
                self.values[fact.local] = join(fact, self.values[fact.local], part, exact=exact)
            for fact, part in zip(self.facts.accumulators, outputs["parts"], strict=True):
                if fact.merge not in _LATE | {Merge.STORE, Merge.COUNT, Merge.SELECT}:
                    self.values[fact.local] = join(fact, self.values[fact.local], part, exact=exact)
            self.values.update(early)
            self.bound.update(outputs["names"])
            self.bound.update(payload)

        return deed


def accumulators_of(facts: SiteFacts) -> list[Accumulator]:
    """Lists that grow row by row."""
    return [fact for fact in facts.accumulators if fact.merge is Merge.APPEND]


_OURS = ("__rs_s", "__rs_v", "__rs_r")
"""Names of what the rewritten script keeps for us; a loop that held them would hold itself."""


def names_in(frame: types.FrameType) -> dict[str, Any]:
    """The script's names in a frame, without ours."""
    return {name: value for name, value in {**frame.f_globals, **frame.f_locals}.items() if not name.startswith(_OURS)}


def _refuse_aliases(accumulators: Iterable[Accumulator], values: Mapping[str, Any]) -> None:
    """Refuse values that grow under two names, or inside of each other: their parts would be joined in the wrong order."""
    met: set[int] = set()
    for fact in accumulators:
        value = values[fact.local]
        if fact.merge in GROWING_IN_PLACE and _is_container(value):
            own = list(table_ids(value, fact.paths)) if fact.merge is Merge.TREE else [id(value)]
            if met & set(own) or len(set(own)) != len(own):
                raise CannotShip(f"what grows as `{fact.place}` can be reached in another way, too")
            met |= set(own)


def _is_container(value: Any) -> bool:
    return type(value) in {list, dict, set} or hasattr(value, "__dict__") or type(value).__module__ in {"numpy", "collections"}


def _get_place(names: Mapping[str, Any], place: str) -> Any:
    first, *rest = place.split(".")
    value = real(names[first])
    for name in rest:
        value = getattr(value, name)
    return value


def _set_place(names: Mapping[str, Any], place: str, value: Any) -> None:
    *above, last = place.split(".")
    owner = _get_place(names, ".".join(above))
    if getattr(owner, last, None) is not value:
        setattr(owner, last, value)
