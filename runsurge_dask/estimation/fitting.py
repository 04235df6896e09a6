"""From what samples held to what all of the data will hold: a straight line that never falls, with a margin.

    1.0 %  11.2 MB
    2.5 %  27.5 MB      a = 0.3 MB, b = 10.9 MB a per cent      100 %: 1,090 MB, with its margin 1,260 MB
    5.0 %  54.8 MB

Three orders of growth: what does not grow with the data keeps its highest value; what flattens (groups, words) follows its
last two points; what bends upwards (pairs of rows) follows a power of the data.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

MARGIN = 1.15
"""Calibrated by `benchmarks/estimation.py`: hash tables and lists grow in leaps, and a leap may lie between two samples."""
NOISE_BYTES = 1 << 20
"""The allocator's own steps: differences below say nothing."""
BENDING = 1.6
"""Above this power the data are taken to meet each other, as in joins; straight growth in leaps stays below."""
LARGEST_POWER = 3.0


def extrapolate(shares: Sequence[float], values: Sequence[float], *, noise: float = NOISE_BYTES, to: float = 1.0) -> float:
    """What a quantity comes to when the share of the data is `to`, without a margin.

    `shares` rise; `values` are what was measured at them.
    """
    if not values:
        return 0.0
    highest = max(values)
    if shares[-1] >= to or len(values) == 1:
        return highest if shares[-1] >= to else values[-1] * to / shares[-1]
    if highest - min(values) <= noise and highest <= 8 * noise:
        return max(highest, _line(shares, values, to))
    power = _power(shares, values, noise)
    if power > BENDING:
        return values[-1] * (to / shares[-1]) ** min(power, LARGEST_POWER)
    return max(highest, _line(shares, values, to))


def _power(shares: Sequence[float], values: Sequence[float], noise: float) -> float:
    """The power of the data that the last two differences show; 1 where they show nothing."""
    if len(values) < 3:  # noqa: PLR2004 - two points have one difference
        return 1.0
    (first, second), (low, middle, high) = _slopes(shares[-3:], values[-3:]), values[-3:]
    if first <= 0 or middle - low <= 2 * noise or high - middle <= 2 * noise:
        return 1.0
    centres = [(a + b) / 2 for a, b in itertools.pairwise(shares[-3:])]
    return 1 + math.log(second / first) / math.log(centres[1] / centres[0]) if second > 0 else 1.0


def _slopes(shares: Sequence[float], values: Sequence[float]) -> list[float]:
    return [(v - u) / (b - a) for (a, u), (b, v) in itertools.pairwise(zip(shares, values, strict=True))]


def _line(shares: Sequence[float], values: Sequence[float], to: float) -> float:
    """A non-negative straight line through the points; where the last piece is steeper than the whole, that piece."""
    slope, start = _fitted(shares, values)
    fitted = start + slope * to
    steepest = max(0.0, _slopes(shares, values)[-1])
    last = values[-1] + steepest * (to - shares[-1])
    return (fitted + max(fitted, last)) / 2


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
