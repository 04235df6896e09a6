"""Objects of libraries that stand for themselves, and are told from all others by `is`.

    dataclasses.MISSING, an `object()` that a module keeps     pickled as the place where it is, never as a copy
    argparse.SUPPRESS                                          a text; whoever holds it cannot be copied
"""

from __future__ import annotations

import functools
import gc
import importlib
import sys
import types
from typing import Any

_PLAIN_KINDS = (int, float, complex, str, bytes, bytearray, list, tuple, dict, set, frozenset, type, types.ModuleType, types.FunctionType)


def place_of(obj: object) -> tuple[str, str] | None:
    """Module and name of an object without state that the module of its class keeps; None for any other."""
    kind = type(obj)
    if isinstance(obj, _PLAIN_KINDS) or kind not in _own_kinds(kind.__module__):
        return None
    if getattr(obj, "__dict__", None) or any(inner is not kind and inner != {} for inner in gc.get_referents(obj)):
        return None
    module = sys.modules[kind.__module__]
    return next(((module.__name__, name) for name, value in vars(module).items() if value is obj), None)


def constant_at(module: str, name: str) -> Any:
    """The object that is kept there."""
    return functools.reduce(getattr, name.split("."), importlib.import_module(module))


@functools.cache
def _own_kinds(name: str) -> frozenset[type]:
    """The classes of a library module's own of which it keeps objects."""
    module = sys.modules.get(name)
    if module is None or not is_library(module):
        return frozenset()
    return frozenset(type(value) for value in list(vars(module).values()) if type(value).__module__ == name)


def is_library(module: types.ModuleType) -> bool:
    """Whether a module is neither the script nor one beside it."""
    return module.__name__ != "__main__" and module.__spec__ is not None and not hasattr(module, "__runsurge__")


def holds_text_of_its_module(obj: object) -> bool:
    """Whether an object has an odd text of its class's module, such as `==SUPPRESS==`, that the module may know again by `is`."""
    texts = _odd_texts(type(obj).__module__)
    return bool(texts) and any(id(value) in texts for value in getattr(obj, "__dict__", {}).values())


@functools.cache
def _odd_texts(name: str) -> frozenset[int]:
    module = sys.modules.get(name)
    if module is None or name == "builtins" or not is_library(module):
        return frozenset()
    named = list(vars(module).items())
    return frozenset(id(v) for name, v in named if type(v) is str and len(v) > 1 and not name.startswith("__") and not v.isidentifier())
