"""Groups of a chunk, and how the groups of all chunks join.

For example the mean by shop: each chunk gives a row a shop with sum and count, and pandas groups these rows again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from runsurge_dask.runner.escape import Escape
from runsurge_dask.runner.frames.parts import GIVERS, JOINED_BY, check_cancellation, check_spread, refuse_other
from runsurge_dask.runner.frames.tables import SPREADS

if TYPE_CHECKING:
    from collections.abc import Mapping


def give_groups(bundle: Any, wanted: list[tuple[Any, str]], is_dropping: bool, is_exact: bool, *, chunk: Mapping[str, Any]) -> Any:  # noqa: FBT001
    """One row a group: the keys, then for each wanted (column, operation) the columns that join to it.

    Raises:
        Escape: of values whose parts do not join.
    """
    del chunk
    frame, keys = bundle
    key_names = [f"k{n}" for n in range(len(keys))]
    content = {name: frame[key] if not isinstance(key, pd.Series) else key for name, key in zip(key_names, keys, strict=True)}
    for column in content.values():
        if isinstance(column.dtype, pd.CategoricalDtype) or str(column.dtype) == "object":
            raise Escape("its keys are of a type whose order is not certain")
    steps: dict[str, tuple[str, str]] = {}
    sources: dict[tuple[Any, bool], str] = {}
    for place, (column, operation) in enumerate(wanted):
        if operation == "size":
            steps[f"v{place}"] = key_names[0], "size"
            continue
        values = frame[column]
        _check_values(values, operation, is_exact=is_exact)
        for letter, step in _steps_of(operation, values).items():
            if step == "count" and not values.hasnans:
                steps[f"{letter}{place}"] = key_names[0], "size"
                continue
            source = sources.setdefault((column, letter == "a" and bool(values.min() < 0)), f"c{len(sources)}")
            if source not in content:
                content[source] = values.abs() if letter == "a" else values
            steps[f"{letter}{place}"] = source, step
    grouped = pd.DataFrame(content, copy=False).groupby(key_names, sort=False, dropna=is_dropping)
    worked_out = {(source, step): _step(grouped, source, step) for source, step in dict.fromkeys(steps.values())}
    return pd.DataFrame({name: worked_out[way] for name, way in steps.items()}).reset_index()


def _step(grouped: Any, source: str, step: str) -> Any:
    if step == "size":
        return grouped.size()
    return getattr(grouped[source], step)(**({"ddof": 0} if step == "var" else {}))


def _check_values(values: Any, operation: str, *, is_exact: bool) -> None:
    if operation in {"sum", "mean", *SPREADS}:
        refuse_other(values.to_frame(), "biuf" if operation == "sum" else "iuf")
        if is_exact and (values.dtype.kind == "f" or operation in SPREADS):
            raise Escape("the order of a sum of floats is to be kept")
    elif isinstance(values.dtype, pd.CategoricalDtype) or str(values.dtype) == "object":
        raise Escape("it aggregates values of mixed types")


def _steps_of(operation: str, values: Any) -> dict[str, str]:
    """What a chunk works out for an operation: `v` the values' own part, `a` their sizes, `n` how many, `q` their spread."""
    if operation in SPREADS:
        return {"q": "var", "v": "mean", "n": "count"}
    sizes = {"a": "sum"} if operation in {"sum", "mean"} and values.dtype.kind == "f" else {}
    if operation == "mean":
        return {**sizes, "v": "sum", "n": "count"}
    return {**sizes, "v": operation}


def give_distinct(value: Any, names: list[Any], *, chunk: Mapping[str, Any]) -> Any:
    """The rows of these columns, each once.

    Raises:
        Escape: their values may differ and be equal.
    """
    del chunk
    if any(str(dtype) == "object" or isinstance(dtype, pd.CategoricalDtype) for dtype in value[names].dtypes):
        raise Escape("values of a type whose order is not certain")
    return value[names].drop_duplicates()


def join_groups(given: list[Any], keys: int, wanted: list[tuple[Any, str]], *, is_sorted: bool, is_dropping: bool) -> list[Any]:
    """For each wanted (column, operation) the series over all groups, in pandas' order of groups.

    Raises:
        Escape: a sum of floats that nearly cancels.
    """
    table = pd.concat(given, ignore_index=True)
    names = [f"k{n}" for n in range(keys)]
    grouped = table.groupby(names if keys > 1 else names[0], sort=is_sorted, dropna=is_dropping)
    found = []
    for place, (_, operation) in enumerate(wanted):
        if operation in SPREADS:
            found.append(_grouped_spread(operation, table, names, place, is_sorted=is_sorted, is_dropping=is_dropping))
            continue
        values = getattr(grouped[f"v{place}"], "sum" if operation == "mean" else JOINED_BY[operation])()
        if f"a{place}" in table:
            check_cancellation(values, grouped[f"a{place}"].sum())
        if operation == "mean":
            values = values / grouped[f"n{place}"].sum()
        found.append(values)
    return found


def _grouped_spread(name: str, table: Any, keys: list[str], place: int, *, is_sorted: bool, is_dropping: bool) -> Any:
    number, middle = table[f"n{place}"], table[f"v{place}"].fillna(0.0)
    small = pd.DataFrame({**{key: table[key] for key in keys}, "n": number, "s": number * middle})
    by: Any = keys if len(keys) > 1 else keys[0]
    total = small.groupby(by, sort=is_sorted, dropna=is_dropping)[["n", "s"]].transform("sum")
    mean = total["s"] / total["n"].where(total["n"] > 0)
    small["q"] = (table[f"q{place}"] * number).fillna(0.0) + number * (middle - mean.fillna(0.0)) ** 2
    joined = small.groupby(by, sort=is_sorted, dropna=is_dropping)[["n", "s", "q"]].sum()
    several = joined[joined["n"] > 1]
    check_spread(several["q"] / several["n"], several["s"] / several["n"])
    variance = joined["q"] / (joined["n"] - 1).where(joined["n"] > 1)
    return np.sqrt(variance) if name == "std" else variance


GIVERS.update({"groups": give_groups, "distinct": give_distinct})
