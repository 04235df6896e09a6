"""Make room for lazy arrays in the driver of one run, where its script has sites of form `array`."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from runsurge_dask.runner.frames.patch import first_lines

if TYPE_CHECKING:
    from runsurge_dask.runner.sites import Runtime


def install(runtime: Runtime, *, is_strict: bool, is_exact: bool) -> None:
    """Give the runtime its room."""
    facts = {(site.file, site.line): site for site in runtime.sites.values() if site.form == "array"}
    if not facts:
        return
    from runsurge_dask.runner.arrays.listening import before_any
    from runsurge_dask.runner.arrays.opening import watch_files
    from runsurge_dask.runner.arrays.room import Room

    runtime.arrays = Room(runtime, facts, first_lines({file for file, _ in facts})[0])
    runtime.arrays.is_strict = is_strict or any(entry[0] == "error" for entry in warnings.filters)
    runtime.arrays.is_exact = runtime.arrays.is_exact or is_exact
    before_any(runtime.arrays.settle_warnings)
    watch_files(runtime.arrays)
