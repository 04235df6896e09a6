"""Values made of nothing but numbers and texts in lists, tuples and dictionaries: the short way between driver and chunks.

Most rows and results are such; `marshal` writes them eight times as fast as a pickler that looks at every object. Everything
else goes through `codec`.
"""

from __future__ import annotations

import itertools
import marshal
import operator
import types
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ATOMIC = frozenset({int, float, str, bytes, bool, complex, type(None), type(Ellipsis), range})
_PLAIN_KINDS = frozenset({list, tuple, dict})
_DEEPEST = 20
_MARSHALLED, _PICKLED = b"M", b"P"


def _is_plain(values: Iterable[Any], known: Mapping[int, object], depth: int = _DEEPEST) -> bool:
    """Whether values are numbers and texts in lists, tuples and dictionaries that nobody else has: those need no look at each object."""
    values = list(values)
    every = set(map(type, values))
    kinds = every - ATOMIC
    if float in every:
        floats = [value for value in values if type(value) is float]
        if any(map(operator.ne, floats, floats)):  # not-a-numbers have identities
            return False
    if not kinds:
        return True
    if not depth or not kinds <= _PLAIN_KINDS:
        return False
    inner = [value for value in values if type(value) in _PLAIN_KINDS]
    if not known.keys().isdisjoint(map(id, inner)):
        return False
    within = itertools.chain.from_iterable(itertools.chain(v, v.values()) if type(v) is dict else v for v in inner)
    return _is_plain(within, known, depth - 1)


def dump_plain(value: object, known: Mapping[int, object] = types.MappingProxyType({})) -> bytes | None:
    """Write a value that is made of nothing but numbers and texts in lists, tuples and dictionaries, eight times as fast as pickle does."""
    if not _is_plain([value], known):
        return None
    try:
        return _MARSHALLED + marshal.dumps(value)  # type: ignore[arg-type]
    except ValueError:  # deeper than it goes, or a range
        return None


def load_plain(blob: bytes) -> Any:
    """The value, if it was written so; NotImplemented for a pickle."""
    return marshal.loads(memoryview(blob)[1:]) if blob[:1] == _MARSHALLED else NotImplemented  # noqa: S302 - our own child made it


def as_pickled(blob: bytes) -> bytes:
    """A pickle, marked as one."""
    return _PICKLED + blob
