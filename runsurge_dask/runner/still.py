"""What a row reads ahead of the part of a divided loop that carries: nothing that this part may still change."""

from __future__ import annotations

from typing import Any

from runsurge_dask.runner.escape import Escape
from runsurge_dask.runner.plain import ATOMIC
from runsurge_dask.runner.sharing import reachable_mutables


def require_still(read: tuple[Any, ...], held: tuple[Any, ...], looked_into: tuple[Any, ...]) -> None:
    """Escape unless what a row reads next is what it would have been after the part that carries has had the row."""
    if {type(value) for value in read} <= ATOMIC:
        return
    within = reachable_mutables([*held, *(value for value in looked_into if not _holds_plain_values(value))], with_code=False)
    own = reachable_mutables(read, with_code=False)
    if within is None or own is None or within & own:
        raise Escape("a row may be changed before all that can go ahead is done")


def _holds_plain_values(value: Any) -> bool:
    if type(value) in ATOMIC:
        return True
    if type(value) in {list, tuple, dict}:
        return set(map(type, value.values() if type(value) is dict else value)) <= ATOMIC
    if type(value).__module__ == "numpy":
        return not value.dtype.hasobject
    if "__getattribute__" in {name for kind in type(value).__mro__[:-1] for name in vars(kind)} or not hasattr(value, "__dict__"):
        return False
    return set(map(type, vars(value).values())) <= ATOMIC
