"""Amounts as people write them.

    parse_bytes("512MiB")       536870912
    parse_bytes("8MB")          8000000
    format_bytes(536870912)     "512 MiB"
"""

from __future__ import annotations

import re
from fractions import Fraction

_UNITS = {
    "": 1, "b": 1,
    "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12,
    "kib": 2**10, "mib": 2**20, "gib": 2**30, "tib": 2**40,
}  # fmt: skip
_AMOUNT = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)", re.ASCII)
_NAMES = ("KiB", "MiB", "GiB", "TiB")
_STEP = 1024


def parse_bytes(text: str) -> int:
    """Bytes of an amount such as `4GiB`, `1.5 GB`, `800000` or `0`, rounded down to a whole byte.

    Raises:
        ValueError: it is no such amount; the message says what one looks like.
    """
    found = _AMOUNT.fullmatch(text.strip())
    if found is None or found[2].lower() not in _UNITS:
        raise ValueError(f"{text!r} is no amount of memory: write for example 512MiB, 4GiB, 8MB or a number of bytes")
    return int(Fraction(found[1]) * _UNITS[found[2].lower()])


def format_bytes(amount_bytes: int) -> str:
    """An amount as a person reads it: whole bytes below 1 KiB, else at most one decimal, rounded to the nearest."""
    if abs(amount_bytes) < _STEP:
        return f"{amount_bytes} B"
    amount = float(amount_bytes)
    for name in _NAMES:
        amount /= _STEP
        if abs(round(amount, 1)) < _STEP or name == _NAMES[-1]:
            return f"{amount:.1f} {name}".replace(".0 ", " ")
    raise AssertionError
