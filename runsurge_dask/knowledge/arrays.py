"""Which of NumPy's names make, take or answer about array expressions; the finer tables of what they do to rows are the runner's."""

from __future__ import annotations

from runsurge_dask.runner.arrays.tables import ATTRIBUTES, COUNTS, FUNCTIONS, METHODS, READING, SOURCES
from runsurge_dask.runner.arrays.tables import REDUCTIONS as _OVER_ROWS

REDUCTIONS = _OVER_ROWS | COUNTS

__all__ = ["ATTRIBUTES", "FUNCTIONS", "METHODS", "READING", "REDUCTIONS", "SOURCES"]
