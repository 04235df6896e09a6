"""The rows that a chunk was given: what of them do its results hold, and what of them has it changed?

Lists, dictionaries and plain objects of the script's in rows may change: the driver does the same to its own. All else must be
after the chunk what it was before.
"""

from __future__ import annotations

import hashlib
import io
import types
import weakref
from typing import TYPE_CHECKING, Any

from runsurge_dask.runner.codec import EnvironmentPickler, is_array_like, is_library_class
from runsurge_dask.runner.escape import Escape
from runsurge_dask.runner.plain import ATOMIC, as_pickled, dump_plain
from runsurge_dask.runner.sharing import FIXED_VALUES, bases_of, has_identity, reachable_mutables
from runsurge_dask.runner.sinks import SinkSet
from runsurge_dask.runner.snapshots import Change, Snapshot
from runsurge_dask.runner.unequal import as_identity

if TYPE_CHECKING:
    from collections.abc import Callable

    from runsurge_dask.runner.unequal import Reference, Register


class GivenRows:
    """Rows as they were before the chunk."""

    def __init__(
        self, items: Any, start: int, *, with_identities: bool, may_be_unequal: bool = False, is_looked_at: bool = False,
        are_flat: bool = False
    ) -> None:
        self._items = items
        self._start = start
        rows = () if with_identities else items
        self._snapshot = Snapshot(rows, may_be_unequal=may_be_unequal, is_looked_at=is_looked_at, are_flat=are_flat)
        if self._snapshot.levels is None or with_identities:
            self._known = known_rows(items, start, with_identities=with_identities)
            self._contents = [] if items is None or type(items) is range else _contents_of(items)
            self._fingerprint = b"" if self._contents is not None else fingerprint(items, refer=as_identity)

    def known(self, results: Any) -> dict[int, object]:
        """Objects that were in the rows, and that results hold: by id, how the driver finds its own."""
        if hasattr(self, "_known"):
            return self._known
        held = self._snapshot.held_in(results)
        ways = self._snapshot.ways() if held is None else self._snapshot.ways_to(held) if held else {}
        return {key: ("item", self._start + position, path) for key, (position, path) in ways.items()}

    def changes(self) -> list[Change]:
        """What was changed since.

        Raises:
            Escape: rows were changed that the driver could not change alike.
        """
        if not hasattr(self, "_known"):
            return self._snapshot.changes(self._start)
        if self._contents is None:
            if fingerprint(self._items, refer=as_identity) != self._fingerprint:
                raise Escape("it changes the rows it is given")
            return []
        found: list[Change] = []
        for position, path, value, kind, old in self._contents:
            new = content_of(value)
            if type(value) is not kind or new is None:
                raise Escape("it changes the rows it is given")
            if not _is_same(old, new):
                found.append((self._start + position, path, new.copy()))
        return found


def content_of(value: Any) -> Any:
    """What a list, a dictionary or a plain object of the script's holds; None for anything else."""
    kind = type(value)
    if kind is dict or kind is list:
        return value
    return vars(value) if _is_plain_class(kind) else None


def change(value: Any, content: Any) -> None:
    """Let it hold this instead."""
    held = content_of(value)
    if type(held) is list:
        held[:] = content
    else:
        held.clear()
        held.update(content)


def inner_value(value: Any, key: Any) -> Any:
    """One step of the way into a row."""
    return value[key] if type(value) in {dict, list, tuple} else vars(value)[key]


def _is_plain_class(kind: type) -> bool:
    """Whether objects of a class are what their attributes are, and nothing sees those change."""
    known = _plain_classes.get(kind)
    if known is None:
        known = _plain_classes[kind] = kind is types.SimpleNamespace or _has_no_own_ways(kind)
    return known


_plain_classes: weakref.WeakKeyDictionary[type, bool] = weakref.WeakKeyDictionary()


def _has_no_own_ways(kind: type) -> bool:
    if not kind.__dictoffset__ or any(map(is_library_class, kind.__mro__[:-1])):
        return False
    return _OWN_WAYS.isdisjoint(name for base in kind.__mro__[:-1] for name in vars(base))


_OWN_WAYS = frozenset({"__setattr__", "__getattribute__", "__delattr__", "__slots__"})


def are_apart(items: Any) -> bool:
    """Whether everything in rows that can change is reached in one way only."""
    return _contents_of(items) is not None


def _contents_of(items: Any) -> list[tuple[int, tuple[Any, ...], Any, type, Any]] | None:
    """Everything in rows that can change, with a copy of what it holds; None where rows hold anything else."""
    if not isinstance(items, list | tuple):
        return None
    if set(map(type, items)) <= ATOMIC:
        return []
    found: list[tuple[int, tuple[Any, ...], Any, type, Any]] = []
    seen: set[int] = set()
    for position, item in enumerate(items):
        waiting: list[tuple[Any, tuple[Any, ...]]] = [(item, ())]
        while waiting:
            value, path = waiting.pop()
            kind = type(value)
            if kind in ATOMIC or isinstance(value, FIXED_VALUES):
                continue
            content = value if kind is tuple else content_of(value)
            if content is None or (id(value) in seen and kind is not tuple):
                return None
            seen.add(id(value))
            if kind is not tuple:
                found.append((position, path, value, kind, content.copy()))
            if set(map(type, content.values() if isinstance(content, dict) else content)) <= ATOMIC:
                continue
            inner = content.items() if isinstance(content, dict) else enumerate(content)
            waiting.extend((each, (*path, key)) for key, each in inner if type(each) not in ATOMIC)
    return found


def _is_same(old: Any, new: Any) -> bool:
    if len(old) != len(new):
        return False
    if type(old) is dict:
        return all(a is c and old[a] is new[c] for a, c in zip(old, new, strict=True))
    return all(a is b for a, b in zip(old, new, strict=True))


def fingerprint(value: Any, *, refer: Callable[[Any], Reference] | None = None) -> bytes:
    """A digest of a value of the script's; what it raises is what pickling raises."""
    return hashlib.blake2b(_dumped(value, refer)).digest()


def as_blob(rows: list[Any], unequal: Register) -> bytes | None:
    """Rows to be read by `load_items` as often as needed; None where they cannot be copied."""
    try:
        return dump_plain(rows) or as_pickled(_dumped(rows, unequal.reference))
    except Exception:
        return None


def _dumped(value: Any, refer: Callable[[Any], Reference] | None) -> bytes:
    file = io.BytesIO()
    EnvironmentPickler(file, sinks=SinkSet(), plain_code={}, user_modules={}, settles_classes=True, refer=refer).dump(value)
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
    elif kind is dict or _is_plain_class(kind):
        held = content_of(item)
        inner = list(held.items()) if with_identities or not set(map(type, held.values())) <= ATOMIC else []
    elif kind not in ATOMIC and not is_array_like(item):
        below = reachable_mutables([item], with_identities=with_identities)
        if below is None:
            raise Escape("its rows are too deep to tell whether results share them")
        known.update((key, None) for key in below if key != id(item))
    for key, value in inner:
        if type(value) not in ATOMIC or (with_identities and has_identity(value)):
            _know(value, position, (*path, key), known, with_identities=with_identities)
