"""A comprehension, or a call that consumes one, over something that may be cut."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING, Any

from runsurge_dask.runner.cutting import Cutting, Operation
from runsurge_dask.runner.escape import Escape
from runsurge_dask.runner.files import SourceFile
from runsurge_dask.runner.heads import DEAR
from runsurge_dask.runner.kept import through
from runsurge_dask.runner.reductions import NOTHING, REDUCTIONS

if TYPE_CHECKING:
    from collections.abc import Callable

    from runsurge_dask.runner.facts import SiteFacts
    from runsurge_dask.runner.sites import Runtime


class Expression(Cutting):
    """One evaluation of such an expression."""

    def __init__(
        self, runtime: Runtime, facts: SiteFacts, iterable: Any, as_written: Callable[[Any], Any],
        partial: Callable[[Any], Any] | None = None
    ) -> None:
        super().__init__(runtime, facts, iterable)
        self.as_written = as_written
        self.partial = partial or as_written
        """Its value over some of the records, in the form in which parts are joined."""
        self.reduction = REDUCTIONS[facts.form]
        self.parts: list[Any] = []
        self.names: dict[str, Any] | None = None
        """The names around it, where they are not those of `as_written`."""

    def evaluate(self) -> Any:
        """The value of the expression."""
        if self.source is None:
            iterable = self.iterable
            return self.as_written(iterable.fast_lines() if type(iterable) is SourceFile else through(iterable))
        self._take(self.head())
        if self.cut is None:
            self.runtime.note_turn(self.facts.site, time.perf_counter() - self.begun)
            return self._finished()
        made = self.parts[-1] if self.facts.form == "list" and self.parts else []
        if self.are_results_dear(made, len(made)):
            self.runtime.tell({"op": "decline", "site": self.facts.site, "reason": DEAR})
            self._take(self.rest(self.cut, self.taken))
            return self._finished()
        begun = time.perf_counter()
        rest = self.hand_out(Operation(self.facts, _names_around(self.as_written) if self.names is None else self.names, self._plan))
        self.runtime.note_turn(self.facts.site, time.perf_counter() - begun)
        self._take(rest)
        return self._finished()

    def _take(self, records: Any) -> None:
        """Go through records as written."""
        if any(self.reduction.is_settled(part) for part in self.parts):
            return
        if self.facts.form in {"max", "min"} and any(self.parts):
            self._take_one_by_one(records)
        else:
            self.parts.append(self.partial(records))

    def _take_one_by_one(self, records: Any) -> None:
        """Go on from an extreme: a not-a-number never replaces it, wherever it stands."""
        taken = _OneByOne(records)
        while True:
            part = self.partial(taken)
            if not taken.is_given:
                return
            if all(key == key for key, _ in part):  # noqa: PLR0124 - that is how NaN shows
                self.parts.append(part)

    def _finished(self) -> Any:
        value = self.reduction.finish(self.parts)
        if self.reduction.is_chosen_again:
            return self.as_written(value)
        return self.as_written(iter(())) if value is NOTHING else value

    def _plan(self, part: Any) -> Callable[[], None]:
        self.reduction.check(part, self.parts)
        if self.reduction.is_settled(part):
            raise Escape("the answer is known before the end")
        return lambda: self.parts.append(part)


def _names_around(function: Any) -> dict[str, Any]:
    names = dict(function.__globals__)
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            names[name] = cell.cell_contents
        except ValueError:
            continue
    return names


class _OneByOne:
    """Gives one record each time it is gone through; it is pulled where the script's own code asks for it."""

    def __init__(self, records: Any) -> None:
        self.records = iter(records)
        self.is_given = False

    def __iter__(self) -> Any:
        self.is_given = False
        for record in itertools.islice(self.records, 1):
            self.is_given = True
            yield record
