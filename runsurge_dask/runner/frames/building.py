"""From a call on a lazy object to the expression that it stands for, or to nothing where pandas must do it.

For example `df.price * 2` becomes `Node("operator:mul", (price, 2))`; `df.price * other_frame.rate` does not: the rows of two
sources are paired by label, which needs both as a whole.
"""

from __future__ import annotations

import datetime as dt
import decimal
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from runsurge_dask.runner.frames.lazy import MISSING, current_facts, derive, hold, is_lazy, node_of, source_of, wrap
from runsurge_dask.runner.frames.nodes import Broadcast, Node, Rowset

if TYPE_CHECKING:
    from runsurge_dask.runner.frames.stage import FrameSource

PLAIN = (
    int,
    float,
    str,
    bytes,
    bool,
    complex,
    type(None),
    np.generic,
    dt.date,
    dt.timedelta,
    dt.time,
    decimal.Decimal,
    range,
    slice,
    pd.Timestamp,
    pd.Timedelta,
    type(pd.NA),
    type(pd.NaT),
    type,
    np.dtype,
    Broadcast,
)
DEEPEST = 4


class RefusedError(Exception):
    """An argument that a chunk cannot have."""


def operands(value: Any, rows: Rowset, source: FrameSource, *, calls: bool = False, depth: int = DEEPEST) -> Any:
    """An argument with nodes in the place of lazy objects, and copies of its containers.

    Raises:
        Refused: it belongs to other rows, or its meaning might depend on the whole.
    """
    if is_lazy(value):
        node = node_of(value)
        if node.rows is not rows or source_of(value) is not source:
            raise RefusedError
        return node
    if isinstance(value, (Node, *PLAIN)):
        return value
    if depth and type(value) in {list, tuple, set, frozenset}:
        return type(value)(operands(item, rows, source, calls=calls, depth=depth - 1) for item in value)
    if depth and type(value) is dict:
        return {key: operands(item, rows, source, calls=calls, depth=depth - 1) for key, item in value.items()}
    if calls and callable(value):
        return value
    raise RefusedError


def is_open(lazy: Any) -> bool:
    """Whether expressions are built at all just now."""
    runtime = source_of(lazy).runtime
    return not runtime.is_closed(source_of(lazy).facts.site)


def extend(
    lazy: Any, op: str, args: tuple[Any, ...], kwargs: dict[str, Any] | None = None, *, now: bool = False, calls: bool = False
) -> Any:
    """The lazy object of an operation over the same rows; `MISSING` where pandas has to do it.

    With `now` the operation may raise, and is done in a stage at once.
    """
    node = _node(lazy, op, args, kwargs, is_blind=now, calls=calls)
    if node is None:
        return MISSING
    return done_now(lazy, node) if now else wrap(source_of(lazy), node)


def _node(lazy: Any, op: str, args: tuple[Any, ...], kwargs: dict[str, Any] | None, *, is_blind: bool, calls: bool) -> Node | None:
    if not is_open(lazy):
        return None
    source, base = source_of(lazy), node_of(lazy)
    assert base.rows is not None
    try:
        given = (base, *operands(args, base.rows, source, calls=calls))
        named = operands(kwargs or {}, base.rows, source, calls=calls)
    except RefusedError:
        return None
    if is_blind:
        from runsurge_dask.runner.frames.lazy import current_line

        return Node(op, given, named, rows=base.rows, line=current_line(source))
    return derive(source, op, given, named, rows=base.rows)


def done_now(lazy: Any, node: Node) -> Any:
    """Work an expression out at this line; the result is a lazy object that needs nothing more of it."""
    source = source_of(lazy)
    given = source.run(current_facts(source), [(node, ("keep",))])
    if given is None:
        return MISSING
    pieces = given[0]
    if isinstance(pieces[0], np.ndarray):
        return np.concatenate(pieces)
    if not isinstance(pieces[0], pd.DataFrame | pd.Series):
        return MISSING
    held = hold(source, node, pieces)
    return MISSING if held is None else wrap(source, held)


def filtered(
    lazy: Any, op: str, args: tuple[Any, ...], kwargs: dict[str, Any] | None = None, *, is_fresh: bool = False, index: str = "rows"
) -> Any:
    """The lazy object of an operation that keeps some of the rows, in order; with fresh labels of this kind, if so."""
    if not is_open(lazy):
        return MISSING
    source, base = source_of(lazy), node_of(lazy)
    assert base.rows is not None
    rows = Rowset(base.rows, index if is_fresh else base.rows.index, is_fresh=is_fresh)
    rows.makes_ranges = is_fresh and index == "own"
    try:
        node = derive(
            source, op, (base, *operands(args, base.rows, source)), operands(kwargs or {}, base.rows, source), rows=rows, is_filter=True
        )
    except RefusedError:
        return MISSING
    if node is None:
        return MISSING
    rows.node = node
    return wrap(source, node)


def from_outside(lazy: Any, value: Any) -> Any:
    """Data of the script's own, of one item a row, cut like the source; anything else as it is."""
    base = node_of(lazy)
    assert base.rows is not None
    lengths = base.rows.lengths
    if lengths is None or len(lengths) != len(source_of(lazy).rows):  # not known, or of chunks that were cut anew since
        return value
    if is_lazy(value) or not isinstance(value, np.ndarray | pd.Series) or value.ndim != 1 or len(value) != sum(lengths):
        return value
    if isinstance(value, pd.Series) and not (
        base.rows.parent is None and base.rows.index == "rows" and value.index.equals(pd.RangeIndex(len(value)))
    ):
        return value
    held = Node("held", rows=base.rows)
    held.pieces = [_part(value, start, end) for start, end in pairwise([0, *accumulate(lengths)])]
    held.meta = _part(value, 0, len(base.meta))
    return held


def _part(value: Any, start: int, end: int) -> Any:
    return value[start:end].copy() if isinstance(value, np.ndarray) else value.iloc[start:end].reset_index(drop=True)
