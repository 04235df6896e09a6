"""Values made of nothing but numbers and texts in lists, tuples and dictionaries: the short way between driver and chunks.

Most rows and results are such; `marshal` writes them eight times as fast as a pickler that looks at every object. Everything
else goes through `codec`.
"""

from __future__ import annotations

import functools
import itertools
import marshal
import operator
import types
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

ATOMIC = frozenset({int, float, str, bytes, bool, complex, type(None), type(Ellipsis), range})
PLAIN_KINDS = frozenset({list, tuple, dict})
_KNOWN_KINDS = ATOMIC | PLAIN_KINDS
_UNEQUAL_KINDS = frozenset({float, complex})
_DEEPEST = 20
_MARSHALLED, _FLAT, _PICKLED = b"M", b"F", b"P"
_OF_FLAT_ROWS = 2
"""The depth of a list of rows that hold nothing but numbers and texts."""


def _depth(value: Any, known: Mapping[int, object]) -> int | None:
    """How deep lists, tuples and dictionaries in a value go; None where it holds other objects than numbers and texts, or known ones.

    They are passed by at the speed of C, a level at a time; lists of their levels are only made of those that hold others.
    """
    level = functools.partial(iter, [value])
    for depth in range(_DEEPEST):
        kinds = set(map(type, level()))
        if kinds <= ATOMIC:
            is_equal = kinds.isdisjoint(_UNEQUAL_KINDS) or not any(map(operator.ne, level(), level()))
            return depth if is_equal else None
        if not kinds <= _KNOWN_KINDS or any(_holds_unequal(level(), kind) for kind in kinds & _UNEQUAL_KINDS):
            return None
        inner = [value for value in level() if type(value) in PLAIN_KINDS]
        if not known.keys().isdisjoint(map(id, inner)):
            return None
        level = functools.partial(_within, inner, has_dictionaries=dict in kinds)
    return None


def _holds_unequal(values: Iterable[Any], kind: type) -> bool:
    """Whether there are not-a-numbers among values, which have identities."""
    numbers = [value for value in values if type(value) is kind]
    return any(map(operator.ne, numbers, numbers))


def _within(containers: list[Any], *, has_dictionaries: bool) -> Iterator[Any]:
    if not has_dictionaries:
        return itertools.chain.from_iterable(containers)
    return itertools.chain.from_iterable(itertools.chain(v, v.values()) if type(v) is dict else v for v in containers)


def dump_plain(value: object, known: Mapping[int, object] = types.MappingProxyType({})) -> bytes | None:
    """Write a value that is made of nothing but numbers and texts in lists, tuples and dictionaries, eight times as fast as pickle does."""
    depth = _depth(value, known)
    if depth is None:
        return None
    try:
        return (_FLAT if depth <= _OF_FLAT_ROWS else _MARSHALLED) + marshal.dumps(value)  # type: ignore[arg-type]
    except ValueError:  # deeper than it goes, or a range
        return None


PIECE_BYTES = 1 << 18
"""Whoever reads one row of a blob has all of it in memory."""


def in_pieces(rows: list[Any], known: Mapping[int, object], piece_bytes: int = PIECE_BYTES) -> list[tuple[bytes, int]] | None:
    """Rows written as by `dump_plain`, so many in each of several blobs of about so many bytes; None where they cannot be.

    Rows that share a list or a dictionary with each other stay in one blob.
    """
    first = dump_plain(rows[:FIRST_ROWS], known)
    if first is None:
        return None
    step = max(1, int(piece_bytes * min(len(rows), FIRST_ROWS) / len(first)))
    if len(rows) <= max(step, FIRST_ROWS):
        blob = first if len(rows) <= FIRST_ROWS else dump_plain(rows, known)
        return None if blob is None else [(blob, len(rows))]
    pieces: list[tuple[bytes, int]] = []
    for start in range(0, len(rows), step):
        few = rows[start : start + step]
        blob = dump_plain(few, known)
        if blob is None:
            return None
        pieces.append((blob, len(few)))
    if _are_distinct(rows, are_flat=all(are_flat(blob) for blob, _ in pieces)):
        return pieces
    blob = dump_plain(rows, known)
    return None if blob is None else [(blob, len(rows))]


FIRST_ROWS = 64


def _are_distinct(rows: list[Any], *, are_flat: bool) -> bool:
    """Whether no list or dictionary in plain rows is there twice; flat ones hold none themselves."""
    count, seen = 0, set[int]()
    level = functools.partial(iter, rows)
    while not (kinds := set(map(type, level()))) <= ATOMIC:
        inner = [value for value in level() if type(value) in PLAIN_KINDS]
        changing = [value for value in inner if type(value) is not tuple]
        count += len(changing)
        seen.update(map(id, changing))
        if count != len(seen):
            return False
        if are_flat:
            return True
        level = functools.partial(_within, inner, has_dictionaries=dict in kinds)
    return True


def load_plain(blob: bytes) -> Any:
    """The value, if it was written so; NotImplemented for a pickle."""
    return NotImplemented if blob[:1] == _PICKLED else marshal.loads(memoryview(blob)[1:])  # noqa: S302 - our own child made it


def are_flat(blob: bytes) -> bool:
    """Whether the rows that were written hold nothing but numbers and texts."""
    return blob[:1] == _FLAT


def as_pickled(blob: bytes) -> bytes:
    """A pickle, marked as one."""
    return _PICKLED + blob
