"""Escape: a chunk met something that only the sequential run can do right.

It is not an error of the user's. Whatever the reason (an exception, a `break`, a write to somebody else's file, a value
that aliases another), the answer is the same: the chunk's result is thrown away, everything before it is kept, and the
driver runs the original statement from the first record of that chunk.
"""

from __future__ import annotations

from typing import Any

CARRIES = "it changes a value around it from row to row"


class Escape(BaseException):
    """Raised inside a chunk child; remembered, since user code may swallow it."""

    last: Escape | None = None

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        Escape.last = self


class CannotShip(Exception):  # noqa: N818 - a refusal, not an error
    """A value cannot leave its process, or must not."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Hidden:
    """Stands in a chunk for the collection that is being cut: the chunk has its own rows, and must not ask for all of them."""

    def _refuse(self, *_: object) -> Any:
        raise Escape("a chunk looks at the whole collection that it is a part of")

    __getattr__ = __iter__ = __len__ = __getitem__ = __setitem__ = __contains__ = __bool__ = __eq__ = __repr__ = __call__ = _refuse
    __hash__ = object.__hash__

    def __reduce__(self) -> Any:
        return Hidden, ()
