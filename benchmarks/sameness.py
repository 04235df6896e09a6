"""Whether two runs left the same: the same files and texts, byte for byte, or but for numbers that differ by 1e-9.

    plain/statistics.csv   mean,0.30000000000000004
    ours/statistics.csv    mean,0.3                      -> "", close: the same but for numbers within 1e-9
    ours/statistics.csv    mean,0.4                      -> "statistics.csv, line 1: b'mean,0.4' where plain has ..."

Files are read side by side, a piece or a line at a time: they may be larger than memory.
"""

from __future__ import annotations

import itertools
import math
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

TOLERANCE = 1e-9
"""Relative: what sums of floats in another order may differ by (semantics.md)."""
NUMBER = re.compile(rb"[-+]?(?:\d+\.\d*|\.\d+|\d+)(?:[eE][-+]?\d+)?")
PIECE_BYTES = 2**22
SHOWN_BYTES = 80


def compare_folders(plain: Path, ours: Path) -> tuple[str, bool]:
    """The first difference in words, empty for none, and whether any number was only close."""
    names, other_names = ({path.name for path in folder.iterdir()} for folder in (plain, ours))
    if names != other_names:
        return f"files {sorted(other_names)} where plain has {sorted(names)}", False
    is_close = False
    for name in sorted(names):
        if not have_same_bytes(plain / name, ours / name):
            difference = first_difference(plain / name, ours / name)
            if difference:
                return difference, False
            is_close = True
    return "", is_close


def have_same_bytes(first: Path, second: Path) -> bool:
    """Whether two files are equal."""
    if first.stat().st_size != second.stat().st_size:
        return False
    with first.open("rb") as one, second.open("rb") as other:
        while piece := one.read(PIECE_BYTES):
            if piece != other.read(PIECE_BYTES):
                return False
    return True


def first_difference(plain: Path, ours: Path) -> str:
    """The first line that differs by more than the last digits of its numbers; empty for none."""
    with plain.open("rb") as one, ours.open("rb") as other:
        for number, (expected, found) in enumerate(itertools.zip_longest(one, other), start=1):
            if expected is None or found is None:
                return f"{ours.name}, line {number}: {'one more' if expected is None else 'missing'}"
            if expected != found and not are_close(expected, found):
                return f"{ours.name}, line {number}: {found[:SHOWN_BYTES]!r} where plain has {expected[:SHOWN_BYTES]!r}"
    return ""


def are_close(expected: bytes, found: bytes) -> bool:
    """Whether two lines are the same but for floats that differ by 1e-9; whole numbers and words must be equal."""
    if NUMBER.sub(b"", expected) != NUMBER.sub(b"", found):
        return False
    pairs = zip(NUMBER.findall(expected), NUMBER.findall(found), strict=True)
    return all(one == other or (is_float(one, other) and math.isclose(float(one), float(other), rel_tol=TOLERANCE)) for one, other in pairs)


def is_float(*texts: bytes) -> bool:
    """Whether any of the numbers is written as a float."""
    return any(set(text) & set(b".eE") for text in texts)
