"""Values that are equal to nothing, not even to themselves: tables and lists find them by their identity alone.

    missing = float("nan"); rows = [missing, 1.0, missing]
    Counter(rows)            {nan: 2, 1.0: 1}, for both are one object
    driver -> chunk          number 7, and what it looks like: the chunk has one object for it, wherever it stands
    chunk -> driver          number 7 again: the driver's own object; -1, -2, ...: objects that the chunk has made

A not-a-number that a library keeps (`math.nan`, the one that `json` gives for every `NaN`) goes by its place there.
"""

from __future__ import annotations

import itertools
import pickle
import sys
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from runsurge_dask.runner.constants import constant_at, is_library

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Reference = tuple[str, Any, bytes]
"""The mark, a number or a place, and what the value looks like, for one who does not know it."""
MARK = "unequal"
_PLAIN_KINDS = frozenset({float, complex, Decimal})
_NUMPY_KINDS = ("float16", "float32", "float64", "longdouble", "complex64", "complex128", "clongdouble", "datetime64", "timedelta64")


def unequal_kinds() -> frozenset[type]:
    """The types that have such values."""
    if "numpy" not in sys.modules:
        return _PLAIN_KINDS
    if not _kinds_with_numpy:
        numpy = sys.modules["numpy"]
        _kinds_with_numpy.append(_PLAIN_KINDS | {getattr(numpy, name) for name in _NUMPY_KINDS})
    return _kinds_with_numpy[0]


_kinds_with_numpy: list[frozenset[type]] = []


def is_unequal(value: Any) -> bool:
    """Whether a value of one of these types is such a value."""
    return value.is_nan() if type(value) is Decimal else bool(value != value)  # noqa: PLR0124 - that is how NaN shows


class Register:
    """The unequal values that two processes know by numbers: what one has sent or made, and what it got."""

    def __init__(self, numbers: Iterator[int], outer: Register | None = None) -> None:
        self._numbers = numbers
        self._outer = outer
        self._values: dict[int, Any] = {}
        self._known: dict[int, int] = {}
        """By the id of a value, which is held here, its number."""
        self.has_read = False
        """Whether some reference was read."""

    def reference(self, value: Any) -> Reference:
        """How the other process finds this value, or makes it the first time."""
        place = _place_of(value)
        if place is not None:
            return MARK, place, b""
        number = self._number_of(value)
        if number is None:
            number = next(self._numbers)
            self._note(number, value)
        return MARK, number, pickle.dumps(value)

    def _number_of(self, value: Any) -> int | None:
        found = self._known.get(id(value))
        return self._outer._number_of(value) if found is None and self._outer is not None else found  # noqa: SLF001 - one of its kind

    def value(self, reference: Reference) -> Any:
        """The value behind a reference: always the same object."""
        _, number, content = reference
        self.has_read = True
        if type(number) is not int:
            return constant_at(*number)
        found = self.find(number)
        if found is None:
            found = pickle.loads(content)  # noqa: S301 - between the processes of one run
            self._note(number, found)
        return found

    def find(self, number: int) -> Any:
        """The value with a number; None where it is not known."""
        found = self._values.get(number)
        return self._outer.find(number) if found is None and self._outer is not None else found

    def _note(self, number: int, value: Any) -> None:
        self._values[number] = value
        self._known[id(value)] = number

def sending(outer: Register | None = None) -> Register:
    """A register of the driver's."""
    return Register(_numbers, outer)


_numbers = itertools.count(1)


def answering(outer: Register | None = None) -> Register:
    """A register of a chunk's, whose own values have numbers that no driver gives."""
    return Register(itertools.count(-1, -1), outer)


class Sent:
    """What the driver has sent of one stage: around it, and with the rows of each chunk that is not joined yet."""

    def __init__(self) -> None:
        self.around = sending()
        self._rows: dict[int, Register] = {}
        """By the position after the last row of a chunk."""

    def rows(self, end: int) -> Register:
        """For the rows of a chunk that ends there."""
        return self._rows.setdefault(end, sending(self.around))

    def forget(self, end: int) -> None:
        """All chunks up to this position are joined."""
        for key in [key for key in self._rows if key <= end]:
            del self._rows[key]

    def answer(self) -> Callable[[Reference], Any]:
        """How to read one chunk's answer."""
        made = Register(_numbers)

        def find(reference: Reference) -> Any:
            number = reference[1]
            if type(number) is int and number > 0:
                return next(value for register in (self.around, *self._rows.values()) if (value := register.find(number)) is not None)
            return made.value(reference)

        return find


def as_identity(value: Any) -> Reference:
    """For a fingerprint: another such value in its place is another."""
    return MARK, id(value), b""


def _place_of(value: Any) -> tuple[str, str] | None:
    """Where a library keeps this very value; None if none does."""
    for module, attribute in _USUAL_PLACES:  # looking through all libraries takes 20 ms
        if value is getattr(sys.modules.get(module), attribute, None):
            return module, attribute
    return _places().get(id(value))


_USUAL_PLACES = (("numpy", "nan"), ("math", "nan"))


def _places() -> dict[int, tuple[str, str]]:
    """Where libraries keep such values, by their ids."""
    if _scanned[0] != len(sys.modules):
        _scanned[0] = len(sys.modules)
        _found.clear()
        for name, module in list(sys.modules.items()):
            if module is not None and getattr(module, "__spec__", None) is not None and is_library(module):
                _note_places(name, module)
    return _found


_scanned = [0]
_found: dict[int, tuple[str, str]] = {}


def _note_places(name: str, module: Any) -> None:
    for attribute, value in list(vars(module).items()):
        if type(value) in _PLAIN_KINDS and is_unequal(value):
            _found.setdefault(id(value), (name, attribute))
        elif isinstance(value, type) and value.__module__ == name:
            for inner, held in list(vars(value).items()):
                if type(held) in _PLAIN_KINDS and is_unequal(held):
                    _found.setdefault(id(held), (name, f"{attribute}.{inner}"))
