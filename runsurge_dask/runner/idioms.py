"""Scripts that are parallel already: their pools are planned by us.

`pool.map(f, xs)` of a process pool, `Pool.map/imap/starmap` and `joblib.Parallel()(delayed(f)(x) for x in xs)` all say the
same: call this function on each of these. What cannot be proved or watched runs as written, in the driver, with its own
threads or processes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runsurge_dask.runner.sites import Runtime


def install(runtime: Runtime) -> None:
    """Put our classes in the places where scripts look for pools; for the driver process only."""
    del runtime
