"""The cluster starts while the script goes on: when is it there?

    driver: prepare          a stage is in sight
    client: starts the cluster, beside the script's own work, and leaves an empty file in the folder of the run
    driver: looks for it now and then, and begins its first stage when it is there
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runsurge_dask.runner.sites import Runtime

CLUSTER_IS_THERE = "cluster-is-there"
"""The name of that file."""


class Preparing:
    """What the driver knows of the cluster."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._path = os.path.join(runtime.options["scratch"], CLUSTER_IS_THERE)
        self._is_asked = False
        self._is_there = False

    def is_there(self) -> bool:
        """Whether a stage could begin at once; the first time, the cluster is asked for."""
        if not self._is_asked:
            self._is_asked = True
            self._runtime.tell({"op": "prepare"})
        self._is_there = self._is_there or self._runtime.has_run_stages or os.path.exists(self._path)
        return self._is_there

    @property
    def is_paid_for(self) -> bool:
        """Whether its start-up is spent, be a stage begun or not."""
        return self._is_asked or self._runtime.has_run_stages
