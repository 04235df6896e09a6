"""What one run knows of its arrays: which are expressions still, and which of them might yet have warned.

NumPy warns at the statement that computes. An expression computes later: so at the first warning of any chunk, everything
that was written up to then is worked out here, in the order of the script, and each warning is given with its own line.
"""

from __future__ import annotations

import os
import sys
import warnings
import weakref
from typing import TYPE_CHECKING, Any

import numpy as np

from runsurge_dask.runner.arrays.listening import listening
from runsurge_dask.runner.arrays.nodes import Evaluation, Interval, Step, flatten
from runsurge_dask.runner.escape import Escape

if TYPE_CHECKING:
    import types

    from runsurge_dask.runner.facts import SiteFacts
    from runsurge_dask.runner.sites import Runtime

_OUR_FOLDER = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
MOST_UNSETTLED = 400
"""A script with more expressions that nobody has asked for is worked out as written."""


class Room:
    """The arrays of one run."""

    def __init__(self, runtime: Runtime, facts: dict[tuple[str, int], SiteFacts], lines: dict[tuple[str, int], int]) -> None:
        self.runtime = runtime
        self.facts = facts
        self.lines = lines
        self.is_off = False
        self.is_strict = False
        """The script writes to standard error itself: a warning may not come late."""
        self.is_exact = bool(runtime.options["exact"])
        """The last bits of sums are seen: in a file of bytes, or because somebody asked for them."""
        self.unsettled: list[Step] = []
        self.owners: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()
        self.steps = 0
        self.watched: set[tuple[int, ...]] = set()
        """Files that are still to be read, by their numbers: a file may have several names."""

    @property
    def is_open(self) -> bool:
        """Whether expressions are built at all just now."""
        return not self.is_off and not self.runtime.is_closed(-1)

    @property
    def is_forced(self) -> bool:
        """Whether this is cut without asking if that is worth it."""
        return bool(self.runtime.options["chunks"])

    def place(self) -> tuple[str, int, dict[str, Any]] | None:
        """File and line of the script that are running, and the names of the module."""
        frame: Any = sys._getframe(1)  # noqa: SLF001 - the line of the script that called us
        while frame is not None:
            place = (os.path.abspath(frame.f_code.co_filename), frame.f_lineno)
            if place in self.lines:
                return frame.f_code.co_filename, frame.f_lineno, frame.f_globals
            frame = frame.f_back
        return None

    def site(self) -> SiteFacts | None:
        """The site of the statement that is running."""
        place = self.place()
        if place is None:
            return None
        file = os.path.abspath(place[0])
        return self.facts.get((file, self.lines[file, place[1]]))

    def site_of(self, step: Step) -> SiteFacts | None:
        """The site of the statement that a step, or one below it, was written in."""
        if step.place is not None:
            return self.facts.get((os.path.abspath(step.place[0]), step.line))
        return next((found for found in map(self.site_of, step.below()) if found is not None), None)  # type: ignore[arg-type]

    def unsettled_before(self, step: Step) -> list[Step]:
        """What might have warned before a step that might warn itself."""
        if not any(not each.is_quiet for each in flatten([step])[2]):
            return []
        return [each for each in self.unsettled if each.number < step.number]

    def enter(self, step: Step) -> None:
        """Take note of a new step."""
        self.steps += 1
        step.number = self.steps
        if not step.is_quiet:
            self.unsettled.append(step)
            if len(self.unsettled) > MOST_UNSETTLED:
                self.settle()

    def note_settled(self, steps: list[Step]) -> None:
        """These were worked out, and gave no warning."""
        done = {id(step) for step in steps}
        for step in steps:
            step.is_quiet = True
        self.unsettled = [step for step in self.unsettled if id(step) not in done]

    def settle(self) -> None:
        """Work out as written what is there and what might still warn; from now on everything is."""
        if self.is_off:
            return
        self.is_off = True
        waiting, self.unsettled = self.unsettled, []
        living = [lazy._rs_step for lazy in list(self.owners.values())]  # noqa: SLF001 - one room
        self.work_out(list({id(step): step for step in (*waiting, *living) if not step.is_view}.values()))
        for step in living:
            real_of(self, step)

    def settle_warnings(self) -> None:
        """At the end of the script: what nobody has asked for might have warned."""
        if self.unsettled:
            self.settle()

    def work_out(self, wanted: list[Step], needed: Step | None = None) -> None:
        """Work out all rows of these steps, in the order of the script, with their warnings; living ones become plain arrays."""
        wanted = [step for step in wanted if step.real is None and step.value is None]
        if not wanted:
            return
        known = {id(step) for step in wanted}
        entries, roots, steps = flatten(wanted)
        evaluation = _Whole(entries, roots, (0, 0), self.held_of(steps))
        evaluation.demands = [[(0, step.rows.length)] for step in steps]
        for place in sorted(range(len(steps)), key=lambda place: steps[place].number):
            step = steps[place]
            with listening() as heard:
                if step.op == "source" and step.real is None:
                    evaluation.values[place][0, step.rows.length] = real_of(self, step)
                else:
                    self._run(evaluation, place)
            if id(step) in known:
                pass_on(heard, step.place)
                if step.real is None and (step is needed or (step.owner is not None and step.owner() is not None)):
                    self.give(step, evaluation.whole(place))
                evaluation.release(place)
        self.unsettled = [step for step in self.unsettled if id(step) not in known]

    @staticmethod
    def _run(evaluation: Evaluation, place: int) -> None:
        try:
            evaluation.run(place)
        except Escape as escape:
            raise OSError(escape.reason) from None

    def give(self, step: Step, array: Any) -> None:
        """Let the script have this array for a step."""
        step.real = as_own(step, array)
        step.rows.count = len(array)

    def held_of(self, steps: list[Step]) -> dict[int, tuple[int, Any]]:
        """The arrays of the script's own among the operands."""
        return {step.args[0]: (0, step.value) for step in steps if step.op == "held"}

    def plainly(self, function: Any, *args: Any, **kwargs: Any) -> Any:
        """Let NumPy do it now, as if the running line of the script had asked."""
        heard: list[warnings.WarningMessage] = []
        try:
            with listening() as heard:
                return function(*args, **kwargs)
        finally:
            if heard:
                pass_on(heard, self.place())

    def rows_of(self, step: Step, start: int, end: int) -> Any:
        """Some rows of a step, worked out here; None where that warns."""
        wanted: Interval = (start, end)
        entries, roots, steps = flatten([step])
        with listening() as heard:
            try:
                value = Evaluation(entries, roots, wanted, self.held_of(steps)).run_all(roots, wanted)[0]
            except Escape:
                return None
        return None if heard else value


def pass_on(heard: list[warnings.WarningMessage], place: tuple[str, int, dict[str, Any]] | None) -> None:
    """Give these warnings at their own places: a line of NumPy's, or of the script."""
    for each in heard:
        module = None if each.filename.startswith(_OUR_FOLDER) else _module_of(each.filename)
        if module is not None:
            registry = vars(module).setdefault("__warningregistry__", {})
            warnings.warn_explicit(each.message, each.category, each.filename, each.lineno, module.__name__, registry)
        elif place is not None:
            file, line, names = place
            registry = names.setdefault("__warningregistry__", {})
            warnings.warn_explicit(each.message, each.category, file, line, names.get("__name__"), registry)


def _module_of(file: str) -> types.ModuleType | None:
    """Whose file is the place of a warning: one of NumPy's, or the script's where it has been given its place already."""
    return next((module for module in list(sys.modules.values()) if getattr(module, "__file__", "") == file), None)


class _Whole(Evaluation):
    """All rows of all steps, as the script itself would have worked them out."""

    def whole(self, place: int) -> Any:
        """All rows of a step."""
        return next(iter(self.values[place].values()))

    def release(self, place: int) -> None:
        """A root that nobody else needs goes."""
        self.left[place] -= 1
        if self.left[place] <= 0:
            self.values[place].clear()


def real_of(room: Room, step: Step) -> Any:
    """The script's own array of a step."""
    if step.real is None:
        if step.op == "held":
            return step.value
        if step.value is not None:
            step.real = step.value
        elif step.is_view:
            step.real = _view(real_of(room, step.args[0]), step)
        elif step.op == "source":
            assert step.plainly is not None
            step.real = step.plainly()
        else:
            from runsurge_dask.runner.arrays.stage import whole_value

            whole_value(room, step)
        _show_views(room, step)
    return step.real


def lend(room: Room, step: Step) -> Any:
    """The array of a step for somebody who reads it and gives it back."""
    if step.real is not None:
        return step.real
    if step.is_view:
        return _view(lend(room, step.args[0]), step)
    if step.value is None:
        if step.op == "source":
            assert step.plainly is not None
            step.value = step.plainly()
        else:
            from runsurge_dask.runner.arrays.stage import whole_value

            whole_value(room, step)
            step.value, step.real = step.real, None
    return step.value


def _show_views(room: Room, step: Step) -> None:
    """Make living views of an array that the script now has: it may give it another shape."""
    for lazy in list(room.owners.values()):
        below: Any = lazy._rs_step  # noqa: SLF001 - one room
        while below.is_view and below.real is None and below is not step:
            below = below.args[0]
        if below is step:
            real_of(room, lazy._rs_step)  # noqa: SLF001 - one room


def _view(base: Any, step: Step) -> Any:
    if step.op == "slice":
        return base[step.args[1] : step.args[1] + step.rows.length]
    return base[step.args[1]]


def as_own(step: Step, array: Any) -> Any:
    """An array of the kind, and with the ownership of memory, that NumPy's own result has."""
    array = array if array.flags.writeable and array.flags.owndata else array.copy()
    if type(step.meta) is np.memmap:
        own = np.ndarray.__new__(np.memmap, array.shape, array.dtype)
        own[...] = array
        return own
    return array if step.meta.flags.owndata else array.view(np.ndarray)
