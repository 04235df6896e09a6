"""Lines of a CSV file are those of pandas, byte for byte."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runsurge_dask.runner.frames import lines

NUMBERS = st.floats(width=64) | st.sampled_from([0.0, -0.0, 1e16, 1e15, 123456789012345680.0, 1e-4, 1e-5, 5e-324, 0.1, float("inf")])
TEXTS = st.text(max_size=6) | st.none() | st.sampled_from(["a,b", '"', "x\ny", "\r", " a", "", "nan", "é", "\U0001f600", "1"])
COLUMNS = {
    "float": st.lists(NUMBERS, min_size=4, max_size=4),
    "int": st.lists(st.integers(-(2**63), 2**63 - 1), min_size=4, max_size=4),
    "bool": st.lists(st.booleans(), min_size=4, max_size=4),
    "str": st.lists(TEXTS, min_size=4, max_size=4),
}
ARGUMENTS: list[dict[str, Any]] = [
    {"index": False}, {}, {"index": True, "encoding": "utf-8"}, {"index": False, "header": True}, {"float_format": "%.2f"}
]  # fmt: skip
INDEXES = [pd.RangeIndex(4), pd.Index([7, -1, 7, 2]), pd.Index(["a", "b,", "", "d"]), pd.Index([0.5, 1.0, np.nan, 2.0])]


@st.composite
def frames(draw: Any) -> pd.DataFrame:
    """Some columns of some types."""
    kinds = draw(st.lists(st.sampled_from(sorted(COLUMNS)), min_size=1, max_size=4))
    columns = [pd.Series(draw(COLUMNS[kind]), dtype={"int": "int64", "float": "float64"}.get(kind, kind)) for kind in kinds]
    frame = pd.concat(columns, axis=1)
    frame.columns = pd.Index(["same"] * len(kinds))
    frame.index = draw(st.sampled_from(INDEXES))
    return frame


@given(frame=frames(), arguments=st.sampled_from(ARGUMENTS))
def test_lines_are_those_of_pandas(frame: pd.DataFrame, arguments: dict[str, Any]) -> None:
    expected = frame.to_csv(**{**arguments, "header": False}).encode()
    assert b"".join(lines.lines_of(frame, arguments)) == expected


@pytest.mark.parametrize("dtype", ["float32", "int8", "uint64", "datetime64[ns]", "category", "object", "Int64", "boolean"])
def test_other_types_are_left_to_pandas(dtype: str) -> None:
    frame = pd.DataFrame({"a": pd.Series([1, 0, 1], dtype=dtype), "b": [0.1, 0.2, 0.3]})
    assert b"".join(lines.lines_of(frame, {})) == frame.to_csv(header=False).encode()


def test_rows_are_written_some_at_a_time() -> None:
    """Where one piece has a text to be quoted, the others are still joined."""
    count = 2 * lines.ROWS_WRITTEN + 5
    frame = pd.DataFrame({"a": np.arange(count) / 7, "b": ["x"] * (count - 1) + ["y,z"]})
    pieces = list(lines.lines_of(frame, {"index": False}))
    assert len(pieces) == 3
    assert b"".join(pieces) == frame.to_csv(index=False, header=False).encode()
