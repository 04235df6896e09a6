"""What a value weighs: the bytes of everything that only it reaches, in bounded time.

    weigh([["a", "b"]] * 1000)      one inner list, two strings: counted once
    weigh(frame)                    its columns and its index, not the library around them

Long collections are weighed by some of their items, spread evenly. How many different objects the items not looked at would
add is estimated from those met only once and those met twice (Chao's estimator), so a million references to the same ten
strings weigh ten strings.
"""

from __future__ import annotations

import collections
import itertools
import sys
import types
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MOST_ITEMS = 400
"""Items of one collection that are looked at: beyond that the mean weight of an item hardly changes."""
MOST_VISITS = 30_000
"""Objects of one variable that are looked at; about 30 ms."""
_GOLDEN = 0.6180339887498949
"""Steps of an even spread that never fall into the period of the data."""
_SHARED = (
    type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType, types.MethodType, types.CodeType, types.FrameType,
    types.GeneratorType, property, staticmethod, classmethod,
)  # fmt: skip
_LEAVES = (int, float, complex, str, bytes, bytearray, bool, type(None), range)


def length_of(value: Any) -> int | None:
    """How many items a value has; None where it has no length, or asking fails."""
    if isinstance(value, type):
        return None
    try:
        return len(value)
    except Exception:
        return None


def weigh(value: Any) -> int:
    """Bytes of a value and of everything that it reaches, shared objects counted once.

    As the allocator hands them out: in steps of 16.
    """
    scale = _Scale()
    scale.put(value)
    return scale.total_bytes()


def table_bytes(value: Any) -> int:
    """Bytes of the hash table of a dictionary or set, without what is in it; 0 for anything else."""
    return sys.getsizeof(value) if isinstance(value, dict | set | frozenset) else 0


def is_data(name: str, value: Any) -> bool:
    """Whether a name holds data: no module, function or class, and nothing of the interpreter's own."""
    return not name.startswith("__") and not isinstance(value, _SHARED)


class _Kind:
    """Objects of one type: those met so far, and how many there would be."""

    __slots__ = ("bytes_by_id", "visits", "weights")

    def __init__(self) -> None:
        self.bytes_by_id: dict[int, float] = {}
        self.visits: dict[int, int] = {}
        self.weights: dict[int, float] = {}


class _Scale:
    def __init__(self) -> None:
        self.kinds: dict[type, _Kind] = {}
        self.buffers: dict[int, float] = {}
        self.visits_left = MOST_VISITS

    def put(self, root: Any) -> None:
        level: list[tuple[Any, float]] = [(root, 1.0)]
        while level and self.visits_left > 0:
            below: list[tuple[Any, float]] = []
            for value, weight in self._new_in(level):
                kind = self.kinds[type(value)]
                stands_for = weight if kind.visits[id(value)] == 1 else 1.0
                own, inner = self._look(value)
                kind.weights[id(value)], kind.bytes_by_id[id(value)] = weight, own
                below.extend((each, stands_for * share) for each, share in inner)
            level = below

    def _new_in(self, level: list[tuple[Any, float]]) -> list[tuple[Any, float]]:
        """Count the visits of one level, before going below it: what is met twice is shared, and so is all that it reaches."""
        found: list[tuple[Any, float]] = []
        for value, weight in level[: self.visits_left]:
            if value is None or isinstance(value, _SHARED):
                continue
            kind = self.kinds.setdefault(type(value), _Kind())
            kind.visits[id(value)] = kind.visits.get(id(value), 0) + 1
            if kind.visits[id(value)] == 1:
                found.append((value, weight))
        self.visits_left -= len(level)
        return found

    def total_bytes(self) -> int:
        return int(sum(map(_bytes_of_kind, self.kinds.values())))

    def _look(self, value: Any) -> tuple[float, Iterable[tuple[Any, float]]]:
        """Its own bytes, and what it reaches, each with the number of items it stands for."""
        if isinstance(value, _LEAVES):
            return _own_bytes(value), ()
        if type(value).__module__.partition(".")[0] == "numpy" and hasattr(value, "nbytes"):
            return self._array(value)
        if type(value).__module__.partition(".")[0] == "pandas":
            return _frame_bytes(value), ()
        if type(value).__module__.partition(".")[0] == "pyarrow" and hasattr(value, "nbytes"):
            return float(value.nbytes), ()
        return _own_bytes(value), _inner(value)

    def _array(self, array: Any) -> tuple[float, Iterable[tuple[Any, float]]]:
        """A view weighs what it keeps alive: the array behind it, once."""
        base = getattr(array, "base", None)
        if base is not None and hasattr(base, "nbytes") and type(base).__module__.partition(".")[0] == "numpy":
            return 128.0, [(base, 1.0)]
        own = 128.0 + float(array.nbytes)
        if getattr(array, "dtype", None) is not None and array.dtype == object:
            return own, _some(array.reshape(-1), array.size)
        return own, ()


def _bytes_of_kind(kind: _Kind) -> float:
    once = [key for key, count in kind.visits.items() if count == 1]
    repeated = sum(kind.bytes_by_id[key] for key, count in kind.visits.items() if count > 1)
    if not once:
        return repeated
    single = sum(kind.bytes_by_id[key] * kind.weights[key] for key in once)
    twice = sum(count == 2 for count in kind.visits.values())  # noqa: PLR2004 - met twice
    if not twice:
        return single + repeated
    unseen = len(once) ** 2 / (2 * twice)
    mean = sum(kind.bytes_by_id[key] for key in once) / len(once)
    return min(single, mean * (len(once) + unseen)) + repeated


def _own_bytes(value: Any) -> float:
    try:
        return float(sys.getsizeof(value) + 15 & ~15)
    except Exception:
        return 64.0


def _inner(value: Any) -> Iterator[tuple[Any, float]]:
    if isinstance(value, dict):
        for key, item in _some_pairs(value):
            yield key, _share(len(value))
            yield item, _share(len(value))
    elif isinstance(value, list | tuple):
        yield from _some(value, len(value))
    elif isinstance(value, set | frozenset | collections.deque):
        step = max(1, len(value) // MOST_ITEMS)
        picked = list(itertools.islice(value, 0, None, step))
        yield from ((each, len(value) / len(picked)) for each in picked)
    attributes = getattr(value, "__dict__", None)
    if isinstance(attributes, dict):
        yield attributes, 1.0
    for slot in _slots(type(value)):
        try:
            yield getattr(value, slot), 1.0
        except Exception:  # noqa: S112 - a slot without a value weighs nothing
            continue


def _slots(kind: type) -> list[str]:
    found: list[str] = []
    for each in kind.__mro__:
        names = each.__dict__.get("__slots__", ())
        found += [names] if isinstance(names, str) else list(names)
    return [name for name in found if name not in {"__dict__", "__weakref__"}]


def _share(length: int) -> float:
    return max(1, length // MOST_ITEMS) if length > MOST_ITEMS else 1.0


def _some_pairs(table: dict[Any, Any]) -> list[tuple[Any, Any]]:
    return list(itertools.islice(table.items(), 0, None, int(_share(len(table)))))


def _some(items: Any, length: int) -> Iterator[tuple[Any, float]]:
    if length <= MOST_ITEMS:
        yield from ((each, 1.0) for each in items)
        return
    for number in range(MOST_ITEMS):
        place = (number + number * _GOLDEN % 1) * length / MOST_ITEMS
        yield items[min(length - 1, int(place))], length / MOST_ITEMS


def _frame_bytes(value: Any) -> float:
    """A frame, series or index: its buffers, and the objects in columns of objects."""
    try:
        if hasattr(value, "dtypes") and hasattr(value, "columns"):
            return _frame_bytes(value.index) + sum(_column_bytes(value.iloc[:, n]) for n in range(value.shape[1]))
        if hasattr(value, "memory_usage"):
            return _column_bytes(value) + (_frame_bytes(value.index) if hasattr(value, "index") else 0.0)
        if hasattr(value, "obj"):  # a grouping keeps its frame, and a code and a place for each row
            return _frame_bytes(value.obj) + 16.0 * len(value.obj)
    except Exception:
        return _own_bytes(value)
    return _own_bytes(value)


def _column_bytes(column: Any) -> float:
    values = getattr(column, "array", column)
    own = float(getattr(values, "nbytes", 0))
    if str(getattr(column, "dtype", "")) != "object":
        return own
    picked = list(_some(values, len(values)))
    scale = _Scale()
    for each, weight in picked:
        inner = _Scale()
        inner.put(each)
        kind = scale.kinds.setdefault(type(each), _Kind())
        kind.visits[id(each)] = kind.visits.get(id(each), 0) + 1
        kind.weights[id(each)], kind.bytes_by_id[id(each)] = weight, float(inner.total_bytes())
    return own + scale.total_bytes()
