"""Expressions over rows of arrays, and how they are worked out for some of the rows.

For example `y[1:] + y[:-1]` for rows 10 to 20 needs `y` for rows 10 to 21, once:

    demands     the sum: (10, 20)      y: (11, 21) and (10, 20), together (10, 21)
    values      y over (10, 21), then the sum of two views of it
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import numpy as np

from runsurge_dask.runner.frames.nodes import Node, all_nodes

if TYPE_CHECKING:
    import weakref
    from collections.abc import Callable, Mapping, Sequence

Interval = tuple[int, int]


class Rows:
    """Which rows an expression has: positions up to `length`, or those of them that a mask keeps."""

    __slots__ = ("count", "is_filtered", "length")

    def __init__(self, length: int, *, is_filtered: bool = False) -> None:
        self.length = length
        self.is_filtered = is_filtered
        self.count: int | None = None if is_filtered else length
        """Rows that there are, once known."""

    def agrees(self, other: Rows) -> bool:
        """Whether rows of both belong together, one to one."""
        return self is other or (self.length == other.length and not self.is_filtered and not other.is_filtered)


class Step(Node):
    """One operation over rows of arrays."""

    __slots__ = ("depth", "errors", "is_quiet", "is_view", "masked", "number", "owner", "place", "plainly", "real", "runs")

    def __init__(self, op: str, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None, *, rows: Rows, line: int = 0) -> None:
        super().__init__(op, args, kwargs, line=line)
        self.rows: Any = rows
        self.errors: dict[str, Any] = {}
        """NumPy's error settings where it was written."""
        self.is_quiet = False
        """It cannot warn, or has been worked out without a warning."""
        self.is_view = False
        """Its array lies in the memory of its first operand's."""
        self.masked: dict[int, Rows] = {}
        """The rows that this keeps as a mask."""
        self.number = 0
        self.depth = 0
        """The longest way down to a source."""
        self.place: tuple[str, int, dict[str, Any]] | None = None
        """File, line and names of the module where it was written."""
        self.owner: weakref.ref[Any] | None = None
        self.real: Any = None
        """The script's own array, from the moment it has got it; it may change it as it likes."""
        self.plainly: Callable[[], Any] | None = None
        """`source`: the script's own call."""
        self.runs = 0
        """Stages that have worked it out."""


class Ref:
    """The place of an operand in a flat list of steps."""

    __slots__ = ("index",)

    def __init__(self, index: int) -> None:
        self.index = index

    def __reduce__(self) -> Any:
        return Ref, (self.index,)


Entry = tuple[str, tuple[Any, ...], dict[str, Any], dict[str, Any]]


def flatten(roots: Sequence[Step]) -> tuple[list[Entry], list[int], list[Step]]:
    """Steps as a list, operands before what is made of them; where the roots are in it; and the steps themselves."""
    steps: list[Any] = all_nodes(list(roots))
    places = {id(step): place for place, step in enumerate(steps)}
    entries = [(step.op, _referred(step.args, places), _referred(step.kwargs, places), step.errors) for step in steps]
    return entries, [places[id(root)] for root in roots], steps


def _referred(value: Any, places: Mapping[int, int]) -> Any:
    if isinstance(value, Node):
        return Ref(places[id(value)])
    if type(value) in {list, tuple}:
        return type(value)(_referred(item, places) for item in value)
    if type(value) is dict:
        return {key: _referred(item, places) for key, item in value.items()}
    return value


def _refs_in(value: Any) -> list[int]:
    if type(value) is Ref:
        return [value.index]
    if type(value) in {list, tuple}:
        return [index for item in value for index in _refs_in(item)]
    if type(value) is dict:
        return _refs_in(list(value.values()))
    return []


def demands_of(entries: Sequence[Entry], roots: Sequence[int], wanted: Interval) -> list[list[Interval]]:
    """For each step the rows of it that are needed for these rows of the roots."""
    demands: list[list[Interval]] = [[] for _ in entries]
    for root in roots:
        demands[root] = [wanted]
    for place in range(len(entries) - 1, -1, -1):
        op, args, kwargs, _ = entries[place]
        demands[place] = _merged(demands[place])
        shift = args[1] if op == "slice" else 0
        for index in _refs_in((args, kwargs)):
            demands[index].extend((start + shift, end + shift) for start, end in demands[place])
    return demands


def _merged(intervals: list[Interval]) -> list[Interval]:
    merged: list[Interval] = []
    for start, end in sorted(intervals):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged


class Evaluation:
    """The values of a list of steps over some rows."""

    def __init__(self, entries: Sequence[Entry], roots: Sequence[int], wanted: Interval, held: Mapping[int, tuple[int, Any]]) -> None:
        self.entries = entries
        self.held = held
        self.demands = demands_of(entries, roots, wanted)
        self.values: list[dict[Interval, Any]] = [{} for _ in entries]
        self.left = [0] * len(entries)
        """How often each value is still needed."""
        for _, args, kwargs, _ in entries:
            for index in _refs_in((args, kwargs)):
                self.left[index] += 1
        for root in roots:
            self.left[root] += 1

    def run(self, place: int) -> None:
        """Work out one step whose operands are there."""
        op, args, kwargs, errors = self.entries[place]
        for start, end in self.demands[place]:
            with np.errstate(**errors):
                self.values[place][start, end] = self._value(op, args, kwargs, start, end)
        for index in _refs_in((args, kwargs)):
            self.left[index] -= 1
            if not self.left[index]:
                self.values[index].clear()

    def run_all(self, roots: Sequence[int], wanted: Interval) -> list[Any]:
        """The values of the roots."""
        for place in range(len(self.entries)):
            self.run(place)
        return [self.take(root, *wanted) for root in roots]

    def take(self, place: int, start: int, end: int) -> Any:
        """These rows of a step."""
        known = self.values[place]
        if (start, end) in known:
            return known[start, end]
        for (first, last), value in known.items():
            if first <= start and end <= last:
                return value[start - first : end - first]
        raise KeyError(f"rows {start} to {end} of step {place}")

    def _value(self, op: str, args: Any, kwargs: Any, start: int, end: int) -> Any:
        match op:
            case "source":
                return args[0].read(start, end)
            case "held":
                first, array = self.held[args[0]]
                return array[start - first : end - first]
            case "slice":
                return self.take(args[0].index, start + args[1], end + args[1])
            case "compress":
                return self._filled(args[0], start, end)[self._filled(args[1], start, end)]
            case "flatnonzero":
                piece = self.take(args[0].index, start, end)
                return np.flatnonzero(piece) + start
        return apply_step(op, self._filled(args, start, end), self._filled(kwargs, start, end))

    def _filled(self, value: Any, start: int, end: int) -> Any:
        if type(value) is Ref:
            return self.take(value.index, start, end)
        if type(value) in {list, tuple}:
            return type(value)(self._filled(item, start, end) for item in value)
        if type(value) is dict:
            return {key: self._filled(item, start, end) for key, item in value.items()}
        return value


def apply_step(op: str, args: Any, kwargs: Any) -> Any:
    """Do one operation with NumPy itself."""
    kind, _, name = op.partition(":")
    match kind:
        case "operator":
            return getattr(operator, name)(*args)
        case "method":
            return getattr(args[0], name)(*args[1:], **kwargs)
        case "numpy":
            return operator.attrgetter(name)(np)(*args, **kwargs)
    raise ValueError(op)
