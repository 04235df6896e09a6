"""What one block of rows gives of an expression; `answers` joins it."""

from __future__ import annotations

from typing import Any

import numpy as np


def give(value: Any, how: tuple[Any, ...], start: int) -> Any:
    """What one block of rows gives of an expression."""
    match how:
        case ("rows",):
            return len(value)
        case ("keep",):
            return value
        case ("histogram", args, kwargs):
            return np.histogram(value, *args, **kwargs)
        case ("bincount", args, kwargs):
            return np.bincount(value, *args, **kwargs)
        case ("reduce", name, axis):
            return _give(value, name, axis, start) if value.size else None
    raise ValueError(how)


def _give(value: Any, name: str, axis: Any, start: int) -> Any:
    if name in {"sum", "mean"}:
        if value.dtype.kind == "f":
            return value.sum(axis=axis), np.abs(value).sum(axis=axis), len(value)
        return value.sum(axis=axis), value.sum(axis=axis, dtype=float), len(value), np.abs(value.astype(float)).sum()
    if name in {"std", "var"}:
        mean = value.mean(axis=axis, dtype=float)
        count = value.size if axis is None else len(value)
        return count, mean, np.square(value - mean).sum(axis=axis)
    if name.startswith("arg"):
        place = int(getattr(value, name)())
        return value.reshape(-1)[place], start * value[0].size + place
    if name == "count_nonzero":
        return np.count_nonzero(value, axis=axis)
    return getattr(value, name)(axis=axis)
