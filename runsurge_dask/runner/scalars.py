"""Values without inner structure: numbers, texts, arrays; how the parts of two chunks make one."""

from __future__ import annotations

import operator
from collections import Counter
from typing import TYPE_CHECKING, Any

from runsurge_dask.runner.escape import CannotShip, Escape
from runsurge_dask.runner.facts import Accumulator, Merge

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_EXACT_NUMBERS = (int, bool)
_FLOATS = (float, complex)
_ARRAY_TYPES = frozenset({"float64", "int64", "int32", "int16", "int8", "uint8", "uint16", "uint32", "uint64", "complex128", "bool"})
"""Element types whose sums do not depend on the order, or only in the last bits of a 64-bit float."""


def join_scalar(fact: Accumulator, current: Any, part: Any) -> Any:
    """Join for values without inner structure."""
    if fact.merge is Merge.SUM:
        if type(current).__module__ == "numpy" and bool(getattr(current, "ndim", 0)):
            current += part
            return current
        return current + part
    if fact.merge is Merge.PRODUCT:
        return current * part
    if fact.merge in {Merge.MAX, Merge.MIN}:
        return _extreme(fact, current, part)
    if fact.merge is Merge.SET_ONCE:
        return part if current is None else current
    operations: Mapping[Merge, Callable[[Any, Any], Any]] = {
        Merge.OR: operator.or_,
        Merge.AND: operator.and_,
        Merge.XOR: operator.xor,
        Merge.BOOL_OR: lambda a, b: a or b,
        Merge.BOOL_AND: lambda a, b: a and b,
    }
    refuse_unless(
        isinstance(part, int | set | frozenset) or part is None or fact.merge in {Merge.BOOL_OR, Merge.BOOL_AND}, "bits of this type"
    )
    return operations[fact.merge](current, part)


def check_sum(part: Any, *, exact: bool) -> None:
    """Refuse sums whose result depends on the order beyond the last bits (and, with `exact`, at all)."""
    kind = type(part)
    if kind in _EXACT_NUMBERS or kind in {str, bytes, tuple, list}:
        return
    if kind in _FLOATS or kind.__name__ == "float64":
        refuse_unless(not exact, "sums of floats depend on their order, and --exact was asked for")
        return
    if kind.__module__ == "numpy" and hasattr(part, "dtype") and str(part.dtype) in _ARRAY_TYPES:
        refuse_unless(not (exact and part.dtype.kind in "fc"), "sums of floats depend on their order, and --exact was asked for")
        return
    if kind.__name__ == "Fraction" and kind.__module__ == "fractions":
        return
    if kind.__name__ == "Counter":
        return
    raise Escape(f"sums of {kind.__name__} cannot be joined")


def _extreme(fact: Accumulator, current: Any, part: Any) -> Any:
    refuse_unless(part == part, "not-a-number among the values compared")  # noqa: PLR0124 - that is how NaN shows
    return max(current, part) if fact.merge is Merge.MAX else min(current, part)


def neutral_sum(current: Any, fact: Accumulator) -> Any:
    """The value of this type that changes nothing when it is added.

    Raises:
        CannotShip: sums of this type cannot be joined.
    """
    kind = type(current)
    if kind is bool:
        return 0
    if kind in {int, float, complex, str, bytes, tuple, list, Counter}:
        return kind()
    if kind.__module__ == "numpy" and hasattr(current, "dtype"):
        require(str(current.dtype) in _ARRAY_TYPES, fact, current)
        return current * 0 if not getattr(current, "ndim", 0) else _zeros_like(current)
    if kind.__name__ == "Fraction":
        return 0
    require(current=current, fact=fact, holds=False)
    return None


def _zeros_like(array: Any) -> Any:
    zeros = array.copy()
    zeros[...] = 0
    return zeros


def require(holds: bool, fact: Accumulator, current: Any) -> None:  # noqa: FBT001
    """Refuse, before anything is handed out, a value whose parts cannot be joined.

    Raises:
        CannotShip: it does not hold.
    """
    if not holds:
        raise CannotShip(f"`{fact.place}` is a {type(current).__name__}, whose parts cannot be joined")


def refuse_unless(holds: bool, reason: str) -> None:  # noqa: FBT001
    """Refuse a chunk's part.

    Raises:
        Escape: it does not hold.
    """
    if not holds:
        raise Escape(reason)
