"""Values as the rules see them: how many items, how many bytes each, and whether they are there at all or made one by one."""

from __future__ import annotations

import os
from dataclasses import dataclass

from runsurge_dask.knowledge.sizes import NUMBER_BYTES, STRING_BYTES

HEAD_BYTES = 64 << 10
"""Looked at of a text file, to know how long its lines are: reading data runs nothing of the script."""
SMALL_BYTES = 64.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """One value: `length` items of `item_bytes` each; one that is lazy holds none of them."""

    length: float | None = None
    item_bytes: float = 0.0
    own_bytes: float = SMALL_BYTES
    is_lazy: bool = False
    is_unbounded: bool = False
    number: float | None = None
    """Its value, where it is a number that the text shows."""
    text: str | None = None
    """Its value, where it is a string that the text shows."""
    path: str = ""
    """The file that it reads."""
    columns: int = 1

    @property
    def held_bytes(self) -> float:
        """What it holds."""
        return self.own_bytes + (0.0 if self.is_lazy else (self.length or 0.0) * self.item_bytes)


SCALAR = Thing(own_bytes=NUMBER_BYTES)


def larger(*things: Thing) -> Thing:
    """The one that holds, or would give, the most."""
    return max(things, key=lambda each: each.own_bytes + (each.length or 0) * max(1.0, each.item_bytes), default=SCALAR)


def file_at(path: str, cwd: str) -> Thing:
    """A file as an iterable of its lines; empty where there is none yet."""
    name = os.path.join(cwd, path)
    try:
        size = os.stat(name).st_size
        with open(name, "rb") as file:
            head = file.read(HEAD_BYTES)
    except (OSError, ValueError):
        return Thing(length=0.0, item_bytes=SMALL_BYTES, is_lazy=True, path=name)
    lines = head.count(b"\n") or 1
    line_bytes = max(1.0, len(head) / lines)
    first = head.split(b"\n", 1)[0].decode("utf-8", "replace")
    delimiter = max(",;\t|", key=first.count)
    columns = len(first.split(delimiter))
    if b"\0" in head:
        return Thing(length=size / SMALL_BYTES, item_bytes=SMALL_BYTES, is_lazy=True, path=name)
    return Thing(length=size / line_bytes, item_bytes=line_bytes + STRING_BYTES, is_lazy=True, path=name, columns=max(1, columns))


def file_bytes(path: str) -> float:
    """The size of a file; 0 where there is none."""
    try:
        return float(os.stat(path).st_size) if path else 0.0
    except OSError:
        return 0.0
