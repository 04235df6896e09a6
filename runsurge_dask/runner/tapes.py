"""What a chunk notes in place of growing a value: the driver does it again, in order.

    total += 0.1; total += 0.2      the tape [0.1, 0.2]
    seen.add("b"); seen.add("a")    the additions "b", "a"
    table[3] = "x"                  the store ((3,), "x")
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from runsurge_dask.runner.escape import Escape
from runsurge_dask.runner.facts import Accumulator, Merge

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Tape:
    """What the rows of a chunk add to a value, in order; whole numbers may already be added up."""

    values: Sequence[Any]
    is_added_up: bool = False


def compress(values: list[Any]) -> Tape:
    """Make a tape small where that changes nothing: integers and texts are added up, floats packed."""
    kinds = set(map(type, values))
    if kinds == {int}:
        return Tape([sum(values)], is_added_up=len(values) > 1)
    if kinds == {str}:
        return Tape(["".join(values)])
    if kinds == {float}:
        return Tape(array("d", values))
    return Tape(values)


def play(fact: Accumulator, current: Any, tape: Tape) -> Any:
    """Add what a chunk sent to the driver's value, one by one, exactly as the script would have.

    Raises:
        Escape: integers were added up, but the value so far is a float: that could round otherwise.
    """
    if tape.is_added_up and not isinstance(current, int):
        raise Escape("whole numbers are added to a float")
    if fact.merge is Merge.PRODUCT:
        for value in tape.values:
            current = current * value
    elif fact.merge is Merge.PREPEND:
        for value in tape.values:
            current = value + current
    elif fact.is_in_place:
        for value in tape.values:
            current += value
    else:
        for value in tape.values:
            current = current + value
    return current


class Additions:
    """A set in a chunk: what was added, in the order of first additions, so that the driver's set grows as it would have."""

    def __init__(self) -> None:
        self.found: dict[Any, None] = {}

    def add(self, item: Any) -> None:
        """As `set.add`."""
        self.found.setdefault(item)

    def update(self, *others: Any) -> None:
        """As `set.update`."""
        for other in others:
            for item in other:
                self.found.setdefault(item)

    def __ior__(self, other: Any) -> Self:
        self.update(other)
        return self


class Stores:
    """A table in a chunk that is only stored into: the stores, in order."""

    def __init__(self, length: int | None = None, above: tuple[Any, ...] = (), log: list[Any] | None = None, base: Any = None) -> None:
        self._length = length
        self._above = above
        self._base = base
        self._own: dict[Any, Any] = {}
        self.log: list[Any] = [] if log is None else log

    def __setitem__(self, key: Any, value: Any) -> None:
        if self._length is not None and type(key) is int and not -self._length <= key < self._length:
            raise Escape("a store outside the list")
        if type(key) is slice or (type(key) is tuple and any(type(each) is slice for each in key)):
            raise Escape("a store into a range of items")
        hash(key)
        self.log.append(((*self._above, key), value))
        if self._base is not None:
            self._own[key] = value

    def update(self, other: Any) -> None:
        """As `dict.update`."""
        for key in other:
            self[key] = other[key]

    def __getitem__(self, key: Any) -> Any:
        if self._base is not None:
            return self._own[key] if key in self._own else self._base[key]
        return Stores(None, (*self._above, key), self.log)
