"""The rows that a chunk was given: what of them has it changed?

Rows that are plain lists or dictionaries of plain values may change: the driver does the same to its own. All others must be
after the chunk what they were before.
"""

from __future__ import annotations

import hashlib
import io
from typing import Any

from runsurge_dask.runner.codec import EnvironmentPickler
from runsurge_dask.runner.escape import Escape
from runsurge_dask.runner.plain import ATOMIC
from runsurge_dask.runner.sinks import SinkSet


class GivenRows:
    """Rows as they were before the chunk."""

    def __init__(self, items: Any) -> None:
        self._items = items
        self._copies = _flat_rows(items)
        self._fingerprint = b"" if self._copies is not None or _cannot_change(items) else _fingerprint(items)

    def changes(self, start: int) -> list[tuple[int, Any]]:
        """Rows that were changed since, as (position, new content); the first of them stands at `start`.

        Raises:
            Escape: rows were changed that the driver could not change alike.
        """
        if self._copies is not None:
            pairs = zip(self._copies, self._items, strict=True)
            return [(start + n, new.copy()) for n, (old, new) in enumerate(pairs) if not _is_same_row(old, new)]
        if self._fingerprint and _fingerprint(self._items) != self._fingerprint:
            raise Escape("it changes the rows it is given")
        return []


def _cannot_change(items: Any) -> bool:
    if items is None or type(items) is range:
        return True
    if not isinstance(items, list | tuple):
        return False
    return all(type(item) in ATOMIC or (type(item) is tuple and set(map(type, item)) <= ATOMIC) for item in items)


def _flat_rows(items: Any) -> list[Any] | None:
    """Copies of rows that are plain lists or dictionaries of plain values; None where they are anything else."""
    if not isinstance(items, list) or not items or not {type(item) for item in items} <= {dict, list}:
        return None
    if all(set(map(type, item.values() if type(item) is dict else item)) <= ATOMIC for item in items):
        return [item.copy() for item in items]
    return None


def _is_same_row(old: Any, new: Any) -> bool:
    if len(old) != len(new):
        return False
    if type(old) is dict:
        return all(a is c and old[a] is new[c] for a, c in zip(old, new, strict=True))
    return all(a is b for a, b in zip(old, new, strict=True))


def _fingerprint(value: Any) -> bytes:
    file = io.BytesIO()
    EnvironmentPickler(file, sinks=SinkSet(), plain_code={}, user_modules={}, settles_classes=True).dump(value)
    return hashlib.blake2b(file.getbuffer()).digest()
