"""The whole of what chunks kept, with the labels that it would have had.

For example rows whose labels were counted in each chunk are counted anew; of those that filters left, each keeps its number.
"""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from runsurge_dask.runner.frames.nodes import Rowset


def join_pieces(pieces: list[Any], rows: Rowset, labels: list[list[Any]]) -> Any:
    """The whole of what chunks kept, given the labels that each filter since the origin kept in each chunk."""
    if isinstance(pieces[0], np.ndarray):
        return np.concatenate(pieces)
    if rows.index == "own":
        whole = pd.concat(pieces)
        if labels:
            whole.index = _own_index(whole.index.name, labels)
        return whole
    whole = pd.concat(pieces, ignore_index=True)
    if rows.origin is not rows:
        whole.index = _index_of(rows, labels)
    return whole

def _index_of(rows: Rowset, labels: list[list[Any]]) -> Any:
    lengths = rows.origin.lengths
    assert lengths is not None
    index: Any = pd.RangeIndex(sum(lengths))
    for part in labels:
        kept = np.concatenate([labels_of + offset for labels_of, offset in zip(part, accumulate([0, *lengths]), strict=False)])
        mask = np.zeros(len(index), dtype=bool)
        mask[np.searchsorted(np.asarray(index), kept)] = True
        index = pd.DataFrame(index=index).loc[mask].index
    return index


def _own_index(name: Any, labels: list[list[Any]]) -> Any:
    """Integers that are data, as pandas keeps them: a range where they happen to be one, and so for as long as filters leave one."""
    first = np.concatenate(labels[0])
    index = pd.DataFrame({name: first}).set_index(name).index
    for part in labels[1:]:
        kept = np.concatenate(part)
        if isinstance(index, pd.RangeIndex):
            index = pd.DataFrame(index=index).loc[np.isin(np.asarray(index), kept)].index
        else:
            index = pd.Index(kept, dtype="int64", name=name)
    return index
