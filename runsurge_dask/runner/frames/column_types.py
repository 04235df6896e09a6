"""The types of the columns of a text: what each chunk infers, and what pandas would infer on the whole.

For example chunks that find integers and floats make a column of floats; one that finds words where the others find numbers makes
a column of text, if pandas, which infers in pieces of its own, would see a word in each of its pieces.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from runsurge_dask.runner.escape import Escape

if TYPE_CHECKING:
    from runsurge_dask.runner.frames.reading import TextTable

PIECE_CELLS = 1 << 20
SMALLEST_PIECE = 512
PARALLEL_BYTES = 5 << 20
"""Files from here on pandas itself reads in pieces, on several threads."""
EXACT_INTEGERS = 2.0**53
PROBE_ROWS = 200
_FLEXIBLE = {"int64", "float64"}
NAMED_VALUES = frozenset({"true", "false", "nan", "inf", "infinity"})
"""Words that are numbers or truth values; nothing else that begins with a letter is."""
_BOOLEAN_WORDS = frozenset({"true", "false"})


def report_types(table: TextTable, frame: pd.DataFrame) -> dict[str, Any]:
    """What a chunk inferred of its columns, for the driver to compare.

    Raises:
        Escape: a type whose joining is not certain.
    """
    given = table.arguments.get("dtype")
    found: dict[Any, Any] = {}
    index = frame.index[:0] if isinstance(frame.index, pd.RangeIndex) else frame.index
    for name, column in [("", index.to_series()), *frame.items()]:
        dtype = str(column.dtype)
        is_given = given is not None and (not isinstance(given, dict) or name in given)
        if dtype in {"object", "uint64", "complex128"} and len(column):
            raise Escape(f"column {name!r} is of mixed values")
        entry: dict[str, Any] = {"dtype": dtype}
        if dtype == "str" and not is_given:
            entry["gap"], entry["last"] = _widest_gap(column, table)
        elif dtype == "float64":
            entry["is_large"] = bool((np.abs(column.to_numpy()) >= EXACT_INTEGERS).any())
        found[name] = entry
    return found


def _widest_gap(column: Any, table: TextTable) -> tuple[int, int]:
    """The longest run of rows without a value that is no number and no truth value, and the last row that has one; -1 for none."""
    places = [*range(0, len(column), PROBE_ROWS - 1), len(column) - 1]
    if len(column) and all(_is_word(value, table) for value in set(column.iloc[places].to_numpy(dtype=object, na_value=None))):
        return PROBE_ROWS - 1, len(column) - 1
    values = column.to_numpy(dtype=object, na_value=None)
    last, widest, position = -1, 0, 0
    while position < len(values):
        if _is_word(values[position], table):
            widest, last = max(widest, position - last), position
            following = min(position + PROBE_ROWS // 2, len(values) - 1)
            position = following if following > position else position + 1
        else:
            position += 1
    return max(widest, len(values) - last), last


def _is_word(value: Any, table: TextTable) -> bool:
    if value and value[0].isalpha() and value.lower() not in NAMED_VALUES and not table.arguments.get("thousands"):
        return True
    if value is None or value.strip().lower() in _BOOLEAN_WORDS:
        return False
    text = value.replace(table.arguments.get("thousands") or "\0", "").replace(table.arguments.get("decimal", "."), ".")
    return bool(text.strip()) and not any(map(_is_number, (text, text.rstrip("eE+-") or "0")))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def check_types(reports: list[dict[str, Any]]) -> None:
    """Column types of the chunks so far that cannot be those of one column.

    Raises:
        Escape: there are such.
    """
    for name in reports[0]:
        types = {report[name]["dtype"] for report in reports}
        if len(types) > 1 and (not name or not types <= _FLEXIBLE | {"str"}):
            raise Escape(f"the chunks disagree on the type of column {name!r}")


def widened_types(table: TextTable, reports: list[dict[str, Any]]) -> dict[str, str]:
    """The types of columns on which chunks disagree, where the whole column's type is certain.

    Raises:
        Escape: it is not.
    """
    widened = {}
    for name in reports[0]:
        types = {report[name]["dtype"] for report in reports}
        texts = [report[name] for report in reports if "last" in report[name]]
        if texts and max(entry["last"] for entry in texts) < 0:
            raise Escape(f"column {name!r} is text without a word")
        if texts and name not in table.forced and (len(types) > 1 or min(entry["last"] for entry in texts) < 0):
            if not name:
                raise Escape("the index is text in some places only")
            widened[name] = "str"
        elif len(types) > 1:
            if any(report[name].get("is_large") for report in reports) or not types <= _FLEXIBLE:
                raise Escape(f"the chunks disagree on the type of column {name!r}")
            widened[name] = "float64"
    return widened


def check_pieces(table: TextTable, reports: list[dict[str, Any]], rows: list[int]) -> None:
    """Pandas infers types in pieces of its own: in each of them the type must be that of the whole.

    Raises:
        Escape: some piece may have another type.
    """
    total = sum(rows)
    piece = max(SMALLEST_PIECE, 1 << ((PIECE_CELLS // max(table.columns, 2)).bit_length() - 1))
    if total <= piece and table.stamp[0] < PARALLEL_BYTES:
        return
    tail = (total - 1) // piece * piece
    for name in reports[0]:
        seen = [report[name] for report in reports]
        if any(entry.get("is_large") for entry in seen):
            raise Escape(f"column {name!r} holds integers of more digits than a float")
        if "gap" not in seen[0]:
            continue
        if max(entry["gap"] for entry in seen) > PROBE_ROWS or total - rows[-1] + seen[-1]["last"] < tail:
            raise Escape(f"column {name!r} is text in some places only")
