"""From what samples held to what all of the data will hold: growth read off three points, and a margin.

    2.5 %  11.2 MB
    6.3 %  27.5 MB      the second slope is the first: straight, 100 %: 430 MB
    12.6 %  54.8 MB

Three orders of growth: what does not grow with the data keeps its highest value; what grows with it follows the slope, which
may flatten (groups, words) or steepen (pairs of rows) as a power of the data; hash tables leap by doubling, so their bytes
follow from their length alone.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

MARGIN = 1.15
"""Of the twenty scripts of `benchmarks/estimation.py` none lies below with it, three without it: the scripts it was chosen on."""
NOISE_BYTES = 1 << 20
"""The allocator's own steps: differences below say nothing."""
BENDING = 1.6
"""From this power on the data are taken to meet each other, as in joins; straight growth in small leaps stays below."""
FLATTENING = 0.9
"""Below this power fewer and fewer things are new, as with words and groups."""
SAFER_POWER = 0.1
"""Added to a flattening power: three points do not tell it exactly."""
LARGEST_POWER = 3.0
FULLEST = 0.6
"""Part of a hash table's slots that are taken before it doubles (dictionaries: 2/3)."""
FAST_GROWTH = 60_000
"""Sets below this length grow four times at once."""
LENGTH_ERROR = 0.1
"""Lengths are foreseen no better than this: a table that would double within it is counted as doubled."""


def extrapolate(shares: Sequence[float], values: Sequence[float], *, noise: float = NOISE_BYTES, flattens: bool = True) -> float:
    """What a quantity comes to on all of the data, without a margin.

    `shares` rise; `values` are what was measured at them; differences of `noise` say nothing; only where `flattens` may the
    growth of values be taken to slow down.
    """
    to = 1.0
    if not values:
        return 0.0
    highest = max(values)
    if shares[-1] >= to:
        return highest
    if len(values) == 1:
        return float(values[-1] * to / shares[-1])
    power = power_of(shares, values, noise)
    if power >= BENDING or (power <= FLATTENING and flattens):
        return max(highest, _bent(shares, values, power, to))
    return max(highest, _line(shares, values, to))


def power_of(shares: Sequence[float], values: Sequence[float], noise: float) -> float:
    """The power of the data that the last two slopes show; 1 where they show nothing."""
    if len(values) < 3:  # noqa: PLR2004 - two points have one slope
        return 1.0
    low, middle, high = values[-3:]
    if min(middle - low, high - middle) <= 4 * noise or low <= 0:
        return 1.0
    first, second = _slopes(shares[-3:], values[-3:])
    before, after = _centres(shares[-3:])
    power = 1 + math.log(second / first) / math.log(after / before)
    return float(min(LARGEST_POWER, power) if power > 1 else max(0.2, power + SAFER_POWER))


def _bent(shares: Sequence[float], values: Sequence[float], power: float, to: float) -> float:
    """The last value, and a slope that goes on changing as it did."""
    slope, centre = _slopes(shares[-2:], values[-2:])[0], _centres(shares[-2:])[0]
    return float(values[-1] + slope * centre / power * ((to / centre) ** power - (shares[-1] / centre) ** power))


def _slopes(shares: Sequence[float], values: Sequence[float]) -> list[float]:
    return [(v - u) / (b - a) for (a, u), (b, v) in itertools.pairwise(zip(shares, values, strict=True))]


def _centres(shares: Sequence[float]) -> list[float]:
    return [math.sqrt(a * b) for a, b in itertools.pairwise(shares)]


def _line(shares: Sequence[float], values: Sequence[float], to: float) -> float:
    """A non-negative straight line through the points; where two of them say more, half way to that."""
    slope, start = _fitted(shares, values)
    fitted = start + slope * to
    points = list(zip(shares, values, strict=True))
    steepest = max((v - u) / (b - a) for (a, u), (b, v) in itertools.combinations(points, 2))
    return (fitted + max(fitted, values[-1] + steepest * (to - shares[-1]))) / 2


def _fitted(shares: Sequence[float], values: Sequence[float]) -> tuple[float, float]:
    """Slope and start, both at least 0, of the line with the smallest squares."""
    n = len(values)
    mean_share, mean_value = sum(shares) / n, sum(values) / n
    spread = sum((s - mean_share) ** 2 for s in shares)
    slope = sum((s - mean_share) * (v - mean_value) for s, v in zip(shares, values, strict=True)) / spread if spread else 0.0
    start = mean_value - slope * mean_share
    if slope <= 0:
        return 0.0, mean_value
    if start < 0:
        return sum(s * v for s, v in zip(shares, values, strict=True)) / sum(s * s for s in shares), 0.0
    return slope, start


def table_bytes(length: int, seen: Sequence[tuple[int, int]]) -> float:
    """Bytes of a hash table of this length, with the one that it outgrew last; `seen` are lengths and bytes of smaller ones.

    Doubled at the worst moment within the error of the length.
    """
    sizes = [size / _slots(count) for count, size in seen if count]
    if not sizes:
        return 0.0
    leap = 2.0 if length < FAST_GROWTH else 1.0
    return _slots(int(length * (1 + LENGTH_ERROR))) * leap * max(sizes) * 1.5


def likely_table_bytes(length: int, seen: Sequence[tuple[int, int]]) -> float:
    """Bytes of a hash table of just this length."""
    return _slots(length) * max((size / _slots(count) for count, size in seen if count), default=0.0)


def _slots(length: int) -> int:
    return 1 << max(3, math.ceil(math.log2(max(1, length) / FULLEST)))
