"""The rows that a chunk was given: what of them do its results hold, and what of them has it changed?

Rows that are plain lists or dictionaries of plain values may change: the driver does the same to its own. All others must be
after the chunk what they were before.
"""

from __future__ import annotations

import hashlib
import io
from typing import Any

from runsurge_dask.runner.codec import EnvironmentPickler, is_array_like
from runsurge_dask.runner.escape import Escape
from runsurge_dask.runner.plain import ATOMIC, as_pickled, dump_plain
from runsurge_dask.runner.sharing import bases_of, has_identity, reachable_mutables
from runsurge_dask.runner.sinks import SinkSet


class GivenRows:
    """Rows as they were before the chunk."""

    def __init__(self, items: Any) -> None:
        self._items = items
        self._copies = _flat_rows(items)
        self._fingerprint = b"" if self._copies is not None or _cannot_change(items) else fingerprint(items)

    def changes(self, start: int) -> list[tuple[int, Any]]:
        """Rows that were changed since, as (position, new content); the first of them stands at `start`.

        Raises:
            Escape: rows were changed that the driver could not change alike.
        """
        if self._copies is not None:
            pairs = zip(self._copies, self._items, strict=True)
            return [(start + n, new.copy()) for n, (old, new) in enumerate(pairs) if not _is_same_row(old, new)]
        if self._fingerprint and fingerprint(self._items) != self._fingerprint:
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


def fingerprint(value: Any) -> bytes:
    """A digest of a value of the script's; what it raises is what pickling raises."""
    return hashlib.blake2b(_dumped(value)).digest()


def as_blob(rows: list[Any]) -> bytes | None:
    """Rows to be read by `load_items` as often as needed; None where they cannot be copied."""
    try:
        return dump_plain(rows) or as_pickled(_dumped(rows))
    except Exception:
        return None


def _dumped(value: Any) -> bytes:
    file = io.BytesIO()
    EnvironmentPickler(file, sinks=SinkSet(), plain_code={}, user_modules={}, settles_classes=True).dump(value)
    return file.getvalue()


def known_rows(items: Any, start: int, *, with_identities: bool) -> dict[int, object]:
    """Objects in rows that the driver has, too: by id, how it finds them, or None where a result must not hold them.

    Raises:
        Escape: there are too many.
    """
    known: dict[int, object] = {}
    if type(items).__module__ == "numpy":
        known.update((id(array), None) for array in (items, *bases_of(items)))
    if isinstance(items, list | tuple) and (with_identities or not set(map(type, items)) <= ATOMIC):
        for position, item in enumerate(items):
            if type(item) not in ATOMIC or (with_identities and has_identity(item)):
                _know(item, start + position, (), known, with_identities=with_identities)
    return known


def _know(item: Any, position: int, path: tuple[Any, ...], known: dict[int, object], *, with_identities: bool) -> None:
    """Note a row and the containers in it, with the way to each."""
    if known.get(id(item)) is not None:
        return
    kind = type(item)
    known[id(item)] = ("item", position, path)
    inner: list[tuple[Any, Any]] = []
    if kind in {list, tuple}:
        inner = list(enumerate(item)) if with_identities or not set(map(type, item)) <= ATOMIC else []
    elif kind is dict:
        inner = list(item.items()) if with_identities or not set(map(type, item.values())) <= ATOMIC else []
    elif kind not in ATOMIC and not is_array_like(item):
        below = reachable_mutables([item], with_identities=with_identities)
        if below is None:
            raise Escape("its rows are too deep to tell whether results share them")
        known.update((key, None) for key in below if key != id(item))
    for key, value in inner:
        if type(value) not in ATOMIC or (with_identities and has_identity(value)):
            _know(value, position, (*path, key), known, with_identities=with_identities)
