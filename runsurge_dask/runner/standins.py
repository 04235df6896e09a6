"""Objects that stand for a value that is not there yet; anything that needs the value asks here."""

from __future__ import annotations

from typing import Any, ClassVar


class StandIn:
    """Such an object."""

    __slots__ = ()
    kinds: ClassVar[set[type]] = set()

    def __init_subclass__(cls) -> None:
        StandIn.kinds.add(cls)

    def rs_real(self) -> Any:
        """The value, worked out once."""
        raise NotImplementedError


_KINDS = StandIn.kinds


def real(value: Any) -> Any:
    """The value that an object stands for; any other object as it is."""
    return value.rs_real() if type(value) in _KINDS else value


def is_stand_in(value: Any) -> bool:
    """Whether this object stands for a value, whatever it pretends to be."""
    return type(value) in _KINDS
