"""Values between driver and chunk children: cloudpickle with our rules on top. The only door to cloudpickle.

Out (driver -> child, `dump_environment`): user functions and classes by value, in the form they have in the source;
files that are being written become sinks; whatever is tied to this process (an open file for reading, a lock, a generator)
cannot leave it, and the block runs whole.

Back (child -> driver, `dump_results`): values are copies, so anything that the driver would see as *the same object*
as one it already has must come back as a reference, or not at all.
"""

from __future__ import annotations

import copyreg
import datetime as dt
import decimal
import fractions
import functools
import gc
import io
import mmap
import pickle
import re
import sys
import types
import weakref
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from cloudpickle import cloudpickle

from runsurge_dask.runner.escape import CannotShip, Escape, Hidden
from runsurge_dask.runner.plain import ATOMIC, as_pickled, dump_plain, load_plain
from runsurge_dask.runner.sinks import CaptureSink, SinkSet
from runsurge_dask.runner.standins import real

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

PROTOCOL = 5
HIDDEN = "#hidden"
"""The stand-in of the collection that is being cut."""
_FROZEN = frozenset({
    types.MappingProxyType, types.GetSetDescriptorType, types.MemberDescriptorType, types.MethodDescriptorType,
    types.WrapperDescriptorType, property, types.CodeType
})
_FIXED_VALUES = (re.Pattern, dt.date, dt.time, dt.timedelta, dt.tzinfo, decimal.Decimal, fractions.Fraction, PurePath)
_FIXED = (
    tuple, frozenset, types.FunctionType, types.CellType, type, types.MethodType, functools.partial, functools._lru_cache_wrapper,  # noqa: SLF001
    *_FIXED_VALUES
)  # fmt: skip
"""What cannot be changed itself, whatever it holds."""
_REACHABLE_LIMIT = 200_000
"""More objects than this around a block are not searched for aliases: the block then runs whole."""


class EnvironmentPickler(cloudpickle.Pickler):  # type: ignore[misc]
    """What a chunk child needs of the driver's state."""

    def __init__(
        self,
        file: io.BytesIO,
        *,
        sinks: SinkSet,
        plain_code: Mapping[tuple[str, str, int], types.CodeType],
        user_modules: Mapping[str, types.ModuleType],
        stand_ins: Mapping[int, str] = types.MappingProxyType({}),
        settles_classes: bool = False,
        caches_are_seen: bool = False,
    ) -> None:
        super().__init__(file, protocol=PROTOCOL)
        self._sinks = sinks
        self._plain_code = plain_code
        self._user_modules = user_modules
        self._stand_ins = stand_ins
        self._settles_classes = settles_classes
        self._caches_are_seen = caches_are_seen
        self._met: list[str] = []
        if stand_ins:
            self.persistent_id = self._stand_in_id

    def _stand_in_id(self, obj: object) -> object:
        obj = real(obj)
        if id(obj) not in self._stand_ins:
            return None
        local = self._stand_ins[id(obj)]
        self._met.append(local)
        if not local or (local.startswith("__rs_") and self._met.count(local) > 1 and not self._settles_classes):
            raise CannotShip("a value that grows here can be reached in another way, too")
        return ("stand-in", local)

    def reducer_override(self, obj: Any) -> Any:
        """How an object of the script leaves the driver, where pickling it as usual would not do."""
        if self._settles_classes and isinstance(obj, type):
            copyreg._slotnames(obj)  # type: ignore[attr-defined]  # noqa: SLF001 - pickling an instance would add this later
        if isinstance(obj, io.IOBase):
            return CaptureSink, (self._sinks.index_of(obj),)
        if isinstance(obj, CaptureSink):
            return CaptureSink, (obj.index,)
        if isinstance(obj, types.ModuleType) and obj.__name__ in self._user_modules:
            return types.ModuleType, (obj.__name__,), {k: v for k, v in vars(obj).items() if not _is_machinery(k)}, None, None, _fill_module
        if isinstance(obj, functools._lru_cache_wrapper):  # noqa: SLF001 - no public name for the type
            if self._caches_are_seen:
                raise CannotShip("the script looks into a cache")
            return _rebuild_lru_cache, (obj.__wrapped__, obj.cache_parameters())
        if isinstance(obj, types.GeneratorType):
            raise CannotShip("a generator is tied to its process")
        if _pickles_in_its_own_way(type(obj)):
            raise CannotShip("a value around it says itself what of it is copied")
        if type(obj).__name__ == "memmap" and is_array_like(obj) and obj.mode == "r" and isinstance(obj.base, mmap.mmap):
            order = "C" if obj.flags.c_contiguous else "F"
            return type(obj), (obj.filename, obj.dtype, "r", obj.offset, obj.shape, order)
        return super().reducer_override(obj)

    def _dynamic_function_reduce(self, func: types.FunctionType) -> Any:
        plain = self._plain_code.get((func.__code__.co_filename, func.__code__.co_name, func.__code__.co_firstlineno))
        if plain is None:
            return super()._dynamic_function_reduce(func)
        return super()._dynamic_function_reduce(_with_code(func, plain))


class EnvironmentUnpickler(pickle.Unpickler):
    """The child's side: stand-ins become the chunk's own accumulators."""

    def __init__(self, file: io.BytesIO, stand_ins: dict[str, Any]) -> None:
        super().__init__(file)
        self._stand_ins = stand_ins

    def persistent_load(self, pid: Any) -> object:
        """A stand-in becomes the chunk's own object."""
        return Hidden() if pid[1] == HIDDEN else self._stand_ins[pid[1]]


class ResultPickler(cloudpickle.Pickler):  # type: ignore[misc]
    """What a chunk sends back; `known` maps the id of an object the driver has to how it finds it, or to None (refuse)."""

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file, protocol=PROTOCOL)

    def reducer_override(self, obj: Any) -> Any:
        """How a result leaves the chunk, where pickling it as usual would not do."""
        if isinstance(obj, type) and obj in cloudpickle._DYNAMIC_CLASS_TRACKER_BY_CLASS:  # noqa: SLF001
            return _class_by_tracker, (cloudpickle._DYNAMIC_CLASS_TRACKER_BY_CLASS[obj],)  # noqa: SLF001
        if isinstance(obj, CaptureSink):
            raise Escape("a result holds an open file")
        if isinstance(obj, types.GeneratorType | io.IOBase):
            raise Escape("a result is tied to its process")
        if isinstance(obj, BaseException) and (obj.__traceback__ or obj.__cause__ or obj.__context__):
            raise Escape("a result is an exception that was raised")
        if _pickles_in_its_own_way(type(obj)):
            raise Escape("a result says itself what of it is copied")
        reduced = super().reducer_override(obj)
        if isinstance(obj, types.FunctionType | type) and reduced is not NotImplemented:
            raise Escape("a result holds a function or class of the script")
        return reduced


def _pickles_in_its_own_way(kind: type) -> bool:
    """Whether a class of the script's own decides what of its objects is pickled."""
    known = _own_ways.get(kind)
    if known is None:
        known = _own_ways[kind] = _has_own_ways(kind)
    return known


_own_ways: weakref.WeakKeyDictionary[type, bool] = weakref.WeakKeyDictionary()


def _has_own_ways(kind: type) -> bool:
    return any(
        name in vars(base) and getattr(vars(base)[name], "__module__", "") == base.__module__
        for base in kind.__mro__
        if base in cloudpickle._DYNAMIC_CLASS_TRACKER_BY_CLASS  # noqa: SLF001
        or base.__module__ == "__main__"
        or getattr(sys.modules.get(base.__module__), "__runsurge__", None) is not None
        for name in _OWN_WAYS
    )


_OWN_WAYS = frozenset({"__getstate__", "__setstate__", "__reduce__", "__reduce_ex__", "__getnewargs__", "__getnewargs_ex__"})


def _has_another_order(found: Any) -> bool:
    """Whether a set made anew from this one gives its elements in another order: that shows how it grew."""
    if all(type(element) is str for element in found):
        return False  # the order of texts differs from run to run
    again: set[Any] = set()
    for element in found:
        again.add(element)
    return list(again) != list(found)


class _AliasingResultPickler(ResultPickler):
    def __init__(self, file: io.BytesIO, known: Mapping[int, object]) -> None:
        super().__init__(file)
        self._known = known

    def persistent_id(self, obj: object) -> object:
        kind = type(obj)
        if kind is str or kind is int:
            return None
        if id(obj) in self._known:
            reference = self._known[id(obj)]
            if reference is None:
                raise Escape("a result shares a mutable object with the rest of the program")
            return reference
        if kind in {set, frozenset} and _has_another_order(obj):
            raise Escape("a result is a set whose order shows how it grew")
        base = getattr(obj, "base", None) if kind.__module__ == "numpy" else None
        while base is not None:
            if id(base) in self._known and base.flags.writeable:
                raise Escape("a result is a view of an array around it")
            base = getattr(base, "base", None)
        return None


def dump_results(value: object, known: Mapping[int, object] = types.MappingProxyType({})) -> bytes:
    """Write what a chunk found.

    Raises:
        Escape: it holds something that a copy cannot stand for.
    """
    plain = dump_plain(value, known)
    if plain is not None:
        return plain
    file = io.BytesIO()
    try:
        _AliasingResultPickler(file, known).dump(value)
    except Escape:
        raise
    except Exception as error:
        raise Escape(f"a result cannot be copied: {error}") from None
    return as_pickled(file.getvalue())


def load_results(blob: bytes, resolve: Callable[[Any], object] | None = None) -> Any:
    """Read results in the process that owns the script's state."""

    def own(reference: Any) -> object:
        if reference[0] == "nan":
            return sys.modules[reference[1]].nan
        if resolve is None:
            raise pickle.UnpicklingError(f"nobody knows {reference}")
        return resolve(reference)

    was_collecting = gc.isenabled()
    gc.disable()  # it would look at each new object many times, and find nothing to collect
    try:
        plain = load_plain(blob)
        if plain is not NotImplemented:
            return plain
        unpickler = pickle.Unpickler(io.BytesIO(memoryview(blob)[1:]))
        unpickler.persistent_load = own  # type: ignore[method-assign]
        return unpickler.load()
    finally:
        if was_collecting:
            gc.enable()


def load_items(blob: bytes) -> Any:
    """The rows that were sent to a chunk."""
    plain = load_plain(blob)
    return EnvironmentUnpickler(io.BytesIO(memoryview(blob)[1:]), {}).load() if plain is NotImplemented else plain


def reachable_mutables(  # noqa: C901, PLR0912 - one walk, with the kinds of objects it may pass by
    roots: Iterable[object], skipped: object = None, *, with_tuples: bool = False, with_code: bool = True
) -> set[int] | None:
    """Ids of the mutable objects that user data reach from `roots`; None if there are too many to look at.

    Library modules and classes are not entered: results cannot hold their inside by accident. `skipped` is not, either, nor
    are functions and classes of the script's without `with_code`.
    """
    found: set[int] = set()
    waiting = list(roots)
    seen: set[int] = set()
    while waiting:
        obj = real(waiting.pop())
        kind = type(obj)
        if kind in ATOMIC or id(obj) in seen or obj is skipped:
            if kind is float and obj != obj:  # noqa: PLR0124 - a not-a-number is in a list only if it is the very object
                found.add(id(obj))
            continue
        if (kind is list or kind is tuple) and set(map(type, obj)) <= ATOMIC:
            if kind is list or with_tuples:
                found.add(id(obj))
            continue
        seen.add(id(obj))
        if len(seen) > _REACHABLE_LIMIT:
            return None
        if not with_code and isinstance(obj, types.FunctionType | types.MethodType | type):
            continue
        if isinstance(obj, types.ModuleType) or kind in _FROZEN or _is_library_class(obj):
            continue
        if isinstance(obj, types.FunctionType) and cloudpickle._should_pickle_by_reference(obj):  # noqa: SLF001
            continue
        if not isinstance(obj, _FIXED) or (with_tuples and isinstance(obj, _FIXED_VALUES)):
            found.add(id(obj))
        if isinstance(obj, types.FunctionType):
            waiting.extend(function_values(obj))
        elif isinstance(obj, type):
            waiting.extend((*obj.__bases__, *vars(obj).values()))
        elif not is_array_like(obj):
            waiting.extend(gc.get_referents(obj))
    return found


def function_values(function: types.FunctionType) -> list[object]:
    """What a function can reach: defaults, closure, and the globals that its code spells."""
    spelled: set[str] = set()
    codes = [function.__code__]
    while codes:
        code = codes.pop()
        spelled.update(code.co_names)
        codes.extend(constant for constant in code.co_consts if isinstance(constant, types.CodeType))
    values: list[object] = [function.__globals__[name] for name in spelled if name in function.__globals__]
    return [*values, function.__closure__, function.__defaults__, function.__kwdefaults__, *vars(function).values()]


def is_array_like(obj: object) -> bool:
    """Arrays and frames: what is inside of them is never shared as an object (pandas copies on write)."""
    return type(obj).__module__.split(".")[0] in {"numpy", "pandas"}


def _is_library_class(obj: object) -> bool:
    return isinstance(obj, type) and obj not in cloudpickle._DYNAMIC_CLASS_TRACKER_BY_CLASS  # noqa: SLF001


def _with_code(func: types.FunctionType, code: types.CodeType) -> types.FunctionType:
    clone = types.FunctionType(code, func.__globals__, func.__name__, func.__defaults__, func.__closure__)
    clone.__kwdefaults__ = func.__kwdefaults__
    clone.__dict__.update(func.__dict__)
    clone.__annotations__ = func.__annotations__
    clone.__qualname__ = func.__qualname__
    clone.__module__ = func.__module__
    clone.__doc__ = func.__doc__
    return clone


def _is_machinery(name: str) -> bool:
    return name in {"__builtins__", "__loader__", "__spec__", "__cached__", "__runsurge__"}


def _fill_module(module: types.ModuleType, content: dict[str, object]) -> None:
    vars(module).update(content)
    sys.modules.setdefault(module.__name__, module)


def _rebuild_lru_cache(function: Callable[..., Any], parameters: dict[str, Any]) -> Any:
    """A cache of a chunk's own, which remembers what it holds: rows that share an object of it share it with rows of other chunks."""

    @functools.wraps(function)
    def noted(*args: Any, **kwargs: Any) -> Any:
        value = function(*args, **kwargs)
        if type(value) not in ATOMIC:
            cached_values.append(value)
        return value

    return functools.lru_cache(**parameters)(noted)


cached_values: list[Any] = []
"""What caches of the script's functions hold in this chunk child."""


def _class_by_tracker(tracker: str) -> type:
    return cloudpickle._DYNAMIC_CLASS_TRACKER_BY_ID[tracker]  # type: ignore[no-any-return]  # noqa: SLF001
