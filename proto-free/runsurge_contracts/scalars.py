"""Bytes as people write and read them.

    parse_bytes("512MiB") == 536_870_912        format_bytes(536_870_912) == "512.0 MiB"
"""

from __future__ import annotations

import re

_DECIMAL = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}
_UNITS = {**_DECIMAL, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40}
_SPELLING = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-zA-Z]*)\s*")


def parse_bytes(text: str) -> int:
    """Bytes of a size such as `512MiB`, `1.5 GB` or `8000000`.

    Raises:
        ValueError: it is no such size.
    """
    found = _SPELLING.fullmatch(text)
    if found is None or found[2].lower() not in _UNITS:
        raise ValueError(f"{text!r} is no size: write it as 512MiB, 1.5GB or a number of bytes")
    return int(float(found[1]) * _UNITS[found[2].lower()])


def format_bytes(count: int) -> str:
    """A size in the largest binary unit that it fills."""
    for unit, name in ((1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if abs(count) >= unit:
            return f"{count / unit:.1f} {name}"
    return f"{count} B"
