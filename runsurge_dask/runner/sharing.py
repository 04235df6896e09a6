"""Which objects can be reached in two ways? Copies of them would no longer be one."""

from __future__ import annotations

import datetime as dt
import decimal
import fractions
import functools
import gc
import re
import types
from pathlib import PurePath
from typing import TYPE_CHECKING

from runsurge_dask.runner.codec import goes_by_name, is_array_like, is_library_class
from runsurge_dask.runner.plain import ATOMIC
from runsurge_dask.runner.standins import real

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_FROZEN = frozenset({
    types.MappingProxyType, types.GetSetDescriptorType, types.MemberDescriptorType, types.MethodDescriptorType,
    types.WrapperDescriptorType, property, types.CodeType
})
FIXED_VALUES = (re.Pattern, dt.date, dt.time, dt.timedelta, dt.tzinfo, decimal.Decimal, fractions.Fraction, PurePath)
_FIXED = (
    tuple, frozenset, types.FunctionType, types.CellType, type, types.MethodType, functools.partial, functools._lru_cache_wrapper,  # noqa: SLF001
    *FIXED_VALUES
)  # fmt: skip
"""What cannot be changed itself, whatever it holds."""
_REACHABLE_LIMIT = 200_000
"""More objects than this around a block are not searched for aliases: the block then runs whole."""


def reachable_mutables(  # noqa: C901 - one walk, with the kinds of objects it may pass by
    roots: Iterable[object], skipped: object = None, *, with_identities: bool = False, with_code: bool = True
) -> set[int] | None:
    """Ids of the mutable objects that user data reach from `roots`; None if there are too many to look at.

    `with_identities` adds what cannot change: tuples, dates, texts, for a script that asks whether two of them are one object.
    Library modules and classes are not entered: results cannot hold their inside by accident. `skipped` is not, either, nor
    are functions and classes of the script's without `with_code`.
    """
    found: set[int] = set()
    waiting, called = list(roots), list[object]()
    seen: set[int] = set()
    while waiting or called:
        is_called = not waiting
        obj = real((called if is_called else waiting).pop())
        kind = type(obj)
        if kind in ATOMIC or id(obj) in seen or obj is skipped:
            if (kind in {float, complex} and obj != obj) or (with_identities and has_identity(obj)):  # noqa: PLR0124 - not-a-numbers are told by identity
                found.add(id(obj))
            continue
        if (kind is list or kind is tuple) and set(map(type, obj)) <= ATOMIC and not with_identities:
            if kind is list:
                found.add(id(obj))
            continue
        seen.add(id(obj))
        if len(seen) > _REACHABLE_LIMIT:
            return None
        is_code = isinstance(obj, types.FunctionType | types.MethodType | type)
        if not with_code and is_code:
            continue
        if (isinstance(obj, types.ModuleType) and not is_beside_script(obj)) or kind in _FROZEN or is_library_class(obj):
            continue
        if isinstance(obj, types.FunctionType) and goes_by_name(obj):
            continue
        is_told_apart = (kind is types.FunctionType and not is_called) or (with_identities and isinstance(obj, (tuple, *FIXED_VALUES)))
        if not isinstance(obj, _FIXED) or is_told_apart:
            found.add(id(obj))
        for inner in _inner_values(obj):
            (called if is_code and type(inner) is types.FunctionType else waiting).append(inner)
    return found


def has_identity(value: object) -> bool:
    """Whether a plain value is an object of its own: Python has one object for each small number and each text of one letter."""
    kind = type(value)
    if kind is str or kind is bytes:
        return len(value) > 1  # type: ignore[arg-type]
    return kind is float or kind is complex or (kind is int and value not in _SMALL)


_SMALL = range(-5, 257)


def is_beside_script(module: types.ModuleType) -> bool:
    """Whether a module was written with the script."""
    return module.__name__ != "__main__" and (module.__spec__ is None or hasattr(module, "__runsurge__"))


def _inner_values(obj: object) -> Iterable[object]:
    if isinstance(obj, types.FunctionType):
        return function_values(obj)
    if isinstance(obj, type):
        return (*obj.__bases__, *(value for name, value in vars(obj).items() if name not in _NAMES_OF_CLASSES))
    if isinstance(obj, types.ModuleType):
        return [value for name, value in vars(obj).items() if not name.startswith("__")]
    if type(obj) is dict:
        return [*obj.values(), *(key for key in obj if type(key) not in ATOMIC)]
    return bases_of(obj) if is_array_like(obj) else gc.get_referents(obj)


def bases_of(array: object) -> Iterable[object]:
    """The arrays and buffers whose memory an array shows."""
    base = getattr(array, "base", None) if type(array).__module__ == "numpy" else None
    while base is not None:
        yield base
        base = getattr(base, "base", None)


_NAMES_OF_CLASSES = frozenset({"__module__", "__qualname__", "__doc__", "__slotnames__"})


def function_values(function: types.FunctionType) -> list[object]:
    """What a function can reach: defaults, closure, and the globals that its code spells."""
    spelled: set[str] = set()
    for code in _codes_in(function.__code__):
        spelled.update(code.co_names)
    values: list[object] = [function.__globals__[name] for name in spelled if name in function.__globals__]
    constants = unequal_constants(function.__code__)
    return [*values, *constants, function.__closure__, function.__defaults__, function.__kwdefaults__, *vars(function).values()]


def unequal_constants(code: types.CodeType) -> list[object]:
    """Not-a-numbers that stand in code, such as that of `1e999 - 1e999`: each process has its own."""
    constants = [constant for inner in _codes_in(code) for constant in inner.co_consts]
    while any(isinstance(constant, tuple | frozenset) for constant in constants):
        constants = [each for value in constants for each in (value if isinstance(value, tuple | frozenset) else (value,))]
    return [constant for constant in constants if type(constant) in {float, complex} and constant != constant]  # noqa: PLR0124


def _codes_in(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _codes_in(constant)
