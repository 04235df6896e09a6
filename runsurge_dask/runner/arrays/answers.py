"""Answers over all rows, joined from those of the chunks with NumPy's own operations and types.

For example a mean: every block of rows gives its sum, its number of rows and the sum of its sizes; the sums are added, and a
sum that nearly cancels is left to NumPy, since its last digits depend on the order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from runsurge_dask.runner.arrays import stage
from runsurge_dask.runner.arrays.building import build
from runsurge_dask.runner.arrays.lazy import MISSING, usable
from runsurge_dask.runner.arrays.nodes import Step
from runsurge_dask.runner.standins import is_stand_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from runsurge_dask.runner.arrays.room import Room

CANCELLATION = 1e-5
"""As in `frames.parts`."""
EVEN = 1e-10
"""A variance this much smaller than the square of the values is made of rounding errors."""
FEW_ELEMENTS = 2048
"""So few are sent and added here: NumPy's tree of sums has hardly a branch."""
SPREADS = frozenset({"std", "var"})
EXTREMES = frozenset({"min", "max", "argmin", "argmax"})


def reduced(room: Room, name: str, step: Step, kwargs: dict[str, Any]) -> Any:
    """A reduction over the rows."""
    axis = kwargs.get("axis") if step.meta.ndim > 1 else None
    kind = step.meta.dtype.kind
    if not _has_type(name, step.meta.dtype) or (name.startswith("arg") and (axis is not None and step.meta.ndim > 1)):
        return MISSING
    if name.startswith("arg") and (step.rows.is_filtered or step.meta[:1].size == 0):
        return MISSING
    ddof = kwargs.get("ddof", 0)
    if type(ddof) is not int or (ddof and name not in SPREADS):
        return MISSING
    if (kind == "f" and name in {"sum", "mean"}) or name in SPREADS:
        if axis is None and not step.rows.is_filtered:
            return _exact(room, name, step, ddof)
        if room.is_exact or step.meta.dtype != np.dtype(float):
            return MISSING
    over = None if axis is None else 0
    given = stage.ask(room, step, ("reduce", name, over))
    parts = [part for part in given or () if part is not None]
    if not parts or (type(step.meta) is np.memmap and over is not None):
        return MISSING
    joined = _JOIN[name](parts, over, ddof, step)
    if joined is MISSING:
        return MISSING
    return _as_numpy(joined, name, step, kwargs)


def _exact(room: Room, name: str, step: Step, ddof: int) -> Any:
    """A sum, mean, variance or deviation of all elements, by NumPy's own operations in NumPy's own order."""
    sum_ = _exact_sum(room, step)
    count = np.intp(step.rows.length * int(np.prod(step.meta.shape[1:])))
    if name == "sum" or sum_ is MISSING:
        return sum_
    mean = sum_.dtype.type(sum_ / count)
    if name == "mean":
        return mean
    if count <= ddof:
        return MISSING
    difference = build(room, "operator:sub", (step, mean), rows=step.rows)
    square = MISSING if difference is MISSING else build(room, "numpy:multiply", (usable(difference),) * 2, rows=step.rows)
    spread = MISSING if square is MISSING else _exact_sum(room, usable(square))
    if spread is MISSING:
        return MISSING
    variance = spread.dtype.type(spread / (count - ddof))
    return variance if name == "var" else variance.dtype.type(np.sqrt(variance))


def _exact_sum(room: Room, step: Step) -> Any:
    if step.meta.ndim > 1 and not step.meta.flags.c_contiguous:
        return MISSING
    if step.rows.length * int(np.prod(step.meta.shape[1:])) <= FEW_ELEMENTS:
        pieces = stage.ask(room, step, ("keep",))
        return MISSING if pieces is None else room.plainly(np.add.reduce, np.concatenate(pieces), axis=None)
    given = stage.ask(room, step, ("tree",))
    return MISSING if given is None else given[0]


def _has_type(name: str, dtype: Any) -> bool:
    kind = dtype.kind
    if not dtype.isnative:
        return False
    if name in {"any", "all", "count_nonzero"}:
        return kind in "biuf"
    if name in EXTREMES:
        return kind in "biufmM"
    if name == "prod":
        return kind in "biu"
    if name in SPREADS:
        return dtype in {np.dtype(float), np.dtype(np.float32)}
    return kind in "biu" or dtype in {np.dtype(float), np.dtype(np.float32)}


def _as_numpy(value: Any, name: str, step: Step, kwargs: dict[str, Any]) -> Any:
    """The answer with the type that NumPy's own has."""
    if name == "count_nonzero":
        return int(value) if np.ndim(value) == 0 else value
    own = getattr(np, name)(step.meta, **kwargs)
    if type(own) is not np.ndarray:
        return own.dtype.type(value) if own.dtype.kind not in "mM" else value
    return np.asarray(value, dtype=own.dtype)


def _join_sums(parts: list[Any], axis: Any, ddof: int, step: Step) -> Any:
    del axis, ddof
    if step.meta.dtype.kind != "f":
        return np.sum([part[0] for part in parts], axis=0, dtype=np.asarray(parts[0][0]).dtype)
    total = np.sum([part[0] for part in parts], axis=0)
    return MISSING if _cancels(total, np.sum([part[1] for part in parts], axis=0)) else total


def _cancels(total: Any, size: Any) -> bool:
    with np.errstate(invalid="ignore"):
        return not np.all(np.isfinite(size)) or bool(np.any(np.abs(total) < np.asarray(size) * CANCELLATION))


def _join_means(parts: list[Any], axis: Any, ddof: int, step: Step) -> Any:
    rows = sum(part[2] for part in parts)
    count = rows if axis is not None else rows * int(np.prod(step.meta.shape[1:]))
    if step.meta.dtype.kind == "f":
        total = _join_sums(parts, axis, ddof, step)
    elif sum(part[3] for part in parts) >= 2.0**53:
        return MISSING
    else:
        total = np.sum([part[1] for part in parts], axis=0)
    return MISSING if total is MISSING else total / count


def _join_spreads(parts: list[Any], axis: Any, ddof: int, step: Step) -> Any:
    del axis, step
    count, mean, spread = parts[0]
    for more, other, further in parts[1:]:
        difference = other - mean
        spread = spread + further + difference * difference * (count * more / (count + more))
        mean = mean + difference * (more / (count + more))
        count += more
    if count <= ddof or not np.all(np.isfinite(spread)) or np.any(spread / count <= EVEN * np.square(mean)):
        return MISSING
    return spread / (count - ddof)


def _join_deviations(parts: list[Any], axis: Any, ddof: int, step: Step) -> Any:
    variance = _join_spreads(parts, axis, ddof, step)
    return MISSING if variance is MISSING else np.sqrt(variance)


def _join_extremes(name: str) -> Callable[..., Any]:
    def join(parts: list[Any], axis: Any, ddof: int, step: Step) -> Any:
        del axis, ddof
        best = getattr(np, name)(np.array(parts), axis=0)
        is_signed = step.meta.dtype.kind == "f" and bool(np.any(best == 0))
        return MISSING if is_signed else best

    return join


def _join_places(name: str) -> Callable[..., Any]:
    def join(parts: list[Any], axis: Any, ddof: int, step: Step) -> Any:
        del axis, ddof, step
        return parts[int(getattr(np, name)(np.array([value for value, _ in parts])))][1]

    return join


def _join_by(name: str) -> Callable[..., Any]:
    def join(parts: list[Any], axis: Any, ddof: int, step: Step) -> Any:
        del axis, ddof, step
        given = np.array(parts)
        return getattr(np, name)(given, axis=0, dtype=given.dtype) if name in {"sum", "prod"} else getattr(np, name)(given, axis=0)

    return join


_JOIN: dict[str, Callable[..., Any]] = {
    "sum": _join_sums,
    "mean": _join_means,
    "var": _join_spreads,
    "std": _join_deviations,
    "min": _join_extremes("min"),
    "max": _join_extremes("max"),
    "argmin": _join_places("argmin"),
    "argmax": _join_places("argmax"),
    "any": _join_by("any"),
    "all": _join_by("all"),
    "prod": _join_by("prod"),
    "count_nonzero": _join_by("sum"),
}


def counted(room: Room, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """`histogram` with a range or edges of its own, and `bincount`."""
    if not args or not is_stand_in(args[0]):
        return MISSING
    step = usable(args[0])
    if not isinstance(step, Step) or not step.meta.dtype.isnative:
        return MISSING
    if name == "bincount":
        if set(kwargs) - {"minlength"} or len(args) > 1 or step.meta.dtype.kind not in "iub" or step.meta.ndim != 1:
            return MISSING
        given = stage.ask(room, step, ("bincount", (), kwargs))
        return MISSING if given is None else _padded(given)
    bins = args[1] if len(args) > 1 else kwargs.get("bins")
    bounds = args[2] if len(args) > 2 else kwargs.get("range")  # noqa: PLR2004 - NumPy's third argument
    is_fixed = isinstance(bins, np.ndarray | list | tuple) or (type(bins) is int and type(bounds) in {tuple, list})
    if not is_fixed or is_stand_in(bins) or set(kwargs) - {"bins", "range"} or len(args) > 3 or step.meta.dtype.kind not in "iuf":  # noqa: PLR2004
        return MISSING
    given = stage.ask(room, step, ("histogram", args[1:], kwargs))
    if given is None:
        return MISSING
    return np.sum([counts for counts, _ in given], axis=0, dtype=given[0][0].dtype), given[0][1].copy()


def _padded(given: list[Any]) -> Any:
    total = np.zeros(max(map(len, given)), dtype=given[0].dtype)
    for counts in given:
        total[: len(counts)] += counts
    return total
