"""Classes of ours whose objects stand for those of another class, as far as a script can ask.

    type(f)                          <class '_io.TextIOWrapper'>
    type(f) == io.TextIOWrapper      True, and it is the same key of a table
    f.__class__ is io.TextIOWrapper  True
    type(f) is io.TextIOWrapper      False: no class is another
"""

from __future__ import annotations

from typing import Any


class Posing(type):
    """The class of such a class."""

    poses_as: type

    def __eq__(cls, other: object) -> bool:
        return other is cls or other is cls.poses_as or (isinstance(other, Posing) and other.poses_as is cls.poses_as)

    def __hash__(cls) -> int:
        return hash(cls.poses_as)


def posing(kind: type) -> Any:
    """Give a class the name of another."""

    def named(cls: Any) -> Any:
        cls.poses_as = kind
        cls.__name__, cls.__qualname__, cls.__module__ = kind.__name__, kind.__qualname__, kind.__module__
        return cls

    return named


def class_of(kind: type) -> type:
    """The class that a script takes this one for."""
    return kind.poses_as if isinstance(kind, Posing) else kind
