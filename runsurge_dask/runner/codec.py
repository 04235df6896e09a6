"""Values between driver and chunk children: cloudpickle with our rules on top. The only door to cloudpickle.

Out (driver -> child, `dump_environment`): user functions and classes by value, in the form they have in the source;
files that are being written become sinks; whatever is tied to this process (an open file for reading, a lock, a generator)
cannot leave it, and the block runs whole.

Back (child -> driver, `dump_results`): values are copies, so anything that the driver would see as *the same object*
as one it already has must come back as a reference, or not at all.
"""

from __future__ import annotations

import contextlib
import copyreg
import functools
import gc
import io
import mmap
import pickle
import sys
import types
import weakref
from typing import TYPE_CHECKING, Any

from cloudpickle import cloudpickle

from runsurge_dask.runner.constants import constant_at, holds_text_of_its_module, place_of
from runsurge_dask.runner.escape import CannotShip, Escape, Hidden
from runsurge_dask.runner.plain import ATOMIC, as_pickled, dump_plain, load_plain
from runsurge_dask.runner.posing import class_of
from runsurge_dask.runner.sinks import SinkSet, is_sink, sink_like
from runsurge_dask.runner.standins import real
from runsurge_dask.runner.unequal import MARK, Reference, Register, answering, is_unequal, sending, unequal_kinds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

PROTOCOL = 5
HIDDEN = "#hidden"
"""The stand-in of the collection that is being cut."""


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
        refer: Callable[[Any], Reference] | None = None,
    ) -> None:
        super().__init__(file, protocol=PROTOCOL)
        self._sinks = sinks
        self._plain_code = plain_code
        self._user_modules = user_modules
        self._stand_ins = stand_ins
        self._settles_classes = settles_classes
        self._caches_are_seen = caches_are_seen
        self._met: list[str] = []
        self._refer = refer
        self._unequal = unequal_kinds() if refer is not None else frozenset()
        if stand_ins:
            self.persistent_id = self._stand_in_id
        elif refer is not None:
            self.persistent_id = self._unequal_id

    def _unequal_id(self, obj: object) -> object:
        return self._refer(obj) if type(obj) in self._unequal and is_unequal(obj) else None  # type: ignore[misc]

    def _stand_in_id(self, obj: object) -> object:
        if type(obj) in self._unequal:
            return self._unequal_id(obj)
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
        if is_sink(obj):
            return obj.__reduce__()
        if isinstance(obj, io.IOBase):
            return sink_like, (class_of(type(obj)), self._sinks.index_of(obj))
        if isinstance(obj, types.GeneratorType):
            raise CannotShip("a generator is tied to its process")
        if _pickles_in_its_own_way(type(obj)) or holds_text_of_its_module(obj):
            raise CannotShip("a value around it says itself what of it is copied")
        reduced = self._reduce_unlike_pickle(obj)
        return super().reducer_override(obj) if reduced is None else reduced

    def _reduce_unlike_pickle(self, obj: Any) -> Any:
        if isinstance(obj, types.ModuleType) and obj.__name__ in self._user_modules:
            return types.ModuleType, (obj.__name__,), {k: v for k, v in vars(obj).items() if not _is_machinery(k)}, None, None, _fill_module
        if isinstance(obj, functools._lru_cache_wrapper):  # noqa: SLF001 - no public name for the type
            if self._caches_are_seen:
                raise CannotShip("the script looks into a cache")
            return _rebuild_lru_cache, (obj.__wrapped__, obj.cache_parameters())
        if (place := place_of(obj)) is not None:
            return constant_at, place
        if type(obj).__name__ == "memmap" and is_array_like(obj) and obj.mode == "r" and isinstance(obj.base, mmap.mmap):
            order = "C" if obj.flags.c_contiguous else "F"
            return type(obj), (obj.filename, obj.dtype, "r", obj.offset, obj.shape, order)
        return None

    def _dynamic_function_reduce(self, func: types.FunctionType) -> Any:
        plain = self._plain_code.get((func.__code__.co_filename, func.__code__.co_name, func.__code__.co_firstlineno))
        if plain is None:
            return super()._dynamic_function_reduce(func)
        return super()._dynamic_function_reduce(_with_code(func, plain))


class EnvironmentUnpickler(pickle.Unpickler):
    """The child's side: stand-ins become the chunk's own accumulators."""

    def __init__(self, file: io.BytesIO, stand_ins: dict[str, Any], unequal: Register) -> None:
        super().__init__(file)
        self._stand_ins = stand_ins
        self._unequal = unequal

    def persistent_load(self, pid: Any) -> object:
        """A stand-in becomes the chunk's own object."""
        if pid[0] == MARK:
            return self._unequal.value(pid)
        return Hidden() if pid[1] == HIDDEN else self._stand_ins[pid[1]]


class ResultPickler(cloudpickle.Pickler):  # type: ignore[misc]
    """What a chunk sends back; `known` maps the id of an object the driver has to how it finds it, or to None (refuse)."""

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file, protocol=PROTOCOL)

    def reducer_override(self, obj: Any) -> Any:
        """How a result leaves the chunk, where pickling it as usual would not do."""
        if isinstance(obj, type) and obj in cloudpickle._DYNAMIC_CLASS_TRACKER_BY_CLASS:  # noqa: SLF001
            return _class_by_tracker, (cloudpickle._DYNAMIC_CLASS_TRACKER_BY_CLASS[obj],)  # noqa: SLF001
        if is_sink(obj):
            raise Escape("a result holds an open file")
        if isinstance(obj, types.GeneratorType | io.IOBase):
            raise Escape("a result is tied to its process")
        if isinstance(obj, BaseException) and (obj.__traceback__ or obj.__cause__ or obj.__context__):
            raise Escape("a result is an exception that was raised")
        if (place := place_of(obj)) is not None:
            return constant_at, place
        if _pickles_in_its_own_way(type(obj)) or holds_text_of_its_module(obj):
            raise Escape("a result says itself what of it is copied")
        reduced = super().reducer_override(obj)
        is_own = isinstance(obj, types.FunctionType) or (isinstance(obj, type) and not is_library_class(obj))
        if is_own and reduced is not NotImplemented:
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
    def __init__(self, file: io.BytesIO, known: Mapping[int, object], unequal: Register, *, with_identities: bool) -> None:
        super().__init__(file)
        self._known = known
        self._with_identities = with_identities
        self._unequal = unequal
        self._kinds = unequal_kinds()

    def persistent_id(self, obj: Any) -> object:
        kind = type(obj)
        if kind in self._kinds and is_unequal(obj):
            return self._unequal_id(obj)
        if (kind is str or kind is int) and not self._with_identities:
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
            if id(base) in self._known and getattr(base, "flags", obj.flags).writeable:
                raise Escape("a result is a view of an array around it")
            base = getattr(base, "base", None)
        return None

    def _unequal_id(self, obj: Any) -> object:
        reference = self._unequal.reference(obj)
        if type(reference[1]) is int and reference[1] < 0 and id(obj) in self._known:
            if self._known[id(obj)] is None:
                raise Escape("a result shares a not-a-number with the rest of the program")
            return self._known[id(obj)]
        return reference


def dump_results(
    value: object, known: Mapping[int, object] = types.MappingProxyType({}), unequal: Register | None = None, *,
    with_identities: bool = False
) -> bytes:
    """Write what a chunk found; `with_identities` looks at texts, too, as `sharing.reachable_mutables` does.

    Raises:
        Escape: it holds something that a copy cannot stand for.
    """
    plain = None if with_identities else dump_plain(value, known)
    if plain is not None:
        return plain
    file = io.BytesIO()
    try:
        _AliasingResultPickler(file, known, unequal or answering(), with_identities=with_identities).dump(value)
    except Escape:
        raise
    except Exception as error:
        raise Escape(f"a result cannot be copied: {error}") from None
    return as_pickled(file.getvalue())


def load_results(
    blob: bytes, resolve: Callable[[Any], object] | None = None, find_unequal: Callable[[Reference], object] | None = None
) -> Any:
    """Read results in the process that owns the script's state."""
    find = find_unequal or sending().value

    def own(reference: Any) -> object:
        if reference[0] == MARK:
            return find(reference)
        if resolve is None:
            raise pickle.UnpicklingError(f"nobody knows {reference}")
        return resolve(reference)

    with not_collecting():
        plain = load_plain(blob)
        if plain is not NotImplemented:
            return plain
        unpickler = pickle.Unpickler(io.BytesIO(memoryview(blob)[1:]))
        unpickler.persistent_load = own  # type: ignore[method-assign]
        return unpickler.load()


@contextlib.contextmanager
def not_collecting() -> Iterator[None]:
    """While many objects are made: the collector would look at each many times, and find nothing."""
    was_collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_collecting:
            gc.enable()


def load_items(blob: bytes, unequal: Register | None = None) -> Any:
    """The rows that were sent to a chunk."""
    plain = load_plain(blob)
    if plain is not NotImplemented:
        return plain
    return EnvironmentUnpickler(io.BytesIO(memoryview(blob)[1:]), {}, unequal or answering()).load()


def is_library_class(obj: object) -> bool:
    """Whether this is a class that no code of the script's has made."""
    return isinstance(obj, type) and obj not in cloudpickle._DYNAMIC_CLASS_TRACKER_BY_CLASS  # noqa: SLF001


def goes_by_name(function: types.FunctionType) -> bool:
    """Whether a function is found by its name in the other process."""
    return bool(cloudpickle._should_pickle_by_reference(function))  # noqa: SLF001


def is_array_like(obj: object) -> bool:
    """Arrays and frames: what is inside of them is never shared as an object (pandas copies on write)."""
    return type(obj).__module__.split(".")[0] in {"numpy", "pandas"}


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
        if type(value) not in ATOMIC or value != value:  # noqa: PLR0124 - not-a-numbers are told by identity
            cached_values.append(value)
        return value

    return functools.lru_cache(**parameters)(noted)


cached_values: list[Any] = []
"""What caches of the script's functions hold in this chunk child."""


def _class_by_tracker(tracker: str) -> type:
    return cloudpickle._DYNAMIC_CLASS_TRACKER_BY_ID[tracker]  # type: ignore[no-any-return]  # noqa: SLF001
