"""Run an ordinary sequential script in parallel on Dask, with the same answer."""

from __future__ import annotations

from typing import Any

__version__ = "0.1.0"
_FRONT = {
    "run_script": "runsurge_dask.pipeline", "RunOptions": "runsurge_dask.pipeline", "rows": "runsurge_dask.hints",
    "reduce": "runsurge_dask.hints"
}
__all__ = ["RunOptions", "__version__", "reduce", "rows", "run_script"]


def __getattr__(name: str) -> Any:
    """Load a front-door name when it is first used: the runner ships into guests and must not load dask."""
    if name not in _FRONT:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_FRONT[name]), name)
