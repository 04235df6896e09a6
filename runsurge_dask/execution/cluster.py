"""A Dask cluster inside this process: its workers only hand chunks to runner slots, so they need no processes of their own.

distributed is imported when a first stage is in sight, not before: a script that is simply run never pays for it.
"""

from __future__ import annotations

import contextlib
import gc
import importlib.abc
import logging
import os
import select
import sys
import tempfile
import threading
import time
from typing import TYPE_CHECKING, Any

from runsurge_dask.runner.slots import RunnerSlot

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from runsurge_dask.runner.host import RunnerHost

def _in_order(key: tuple[str, int]) -> int:
    """Dask runs the highest priority first: the first chunks, since the script goes on with them."""
    return -key[1]


FORGETFUL_SETTINGS = {"distributed.admin.low-level-log-length": 10, "distributed.admin.log-length": 10}
"""Logs for Dask's developers keep the latest thousand messages, and with them the rows of chunks."""
QUIET_SETTINGS = {
    "distributed.worker.profile.enabled": False, "distributed.admin.tick.interval": "1s", "distributed.admin.system-monitor.interval": "10s"
}
"""What Dask does beside its work takes 6 % of a core from the chunks, and looks at threads that only wait for them; so 1 % (measured)."""
STOP_SECONDS = 2.0
"""How long a chunk that was asked to stop may take before it is killed."""


class Preparation:
    """A cluster that starts while the script goes on as written; `then` is called when it is there, or never will be."""

    def __init__(self, host: RunnerHost, workers: int, then: Callable[[], None]) -> None:
        self._host = host
        self._workers = workers
        self._then = then
        self._found: EmbeddedCluster | None = None
        self._error: BaseException | None = None
        self._is_abandoned = False
        self._starting = threading.Lock()
        self._thread = threading.Thread(target=self._start, name="cluster-start", daemon=True)
        self._thread.start()

    def _start(self) -> None:
        try:
            _import_dask()  # most of the time goes here, and nobody need wait for it who wants no cluster any more

            with self._starting:
                if not self._is_abandoned:
                    self._found = EmbeddedCluster(self._host, self._workers)
        except BaseException as error:  # noqa: BLE001 - raised where the cluster is wanted
            self._error = error
        with self._starting:
            if not self._is_abandoned:
                self._then()

    def cluster(self) -> EmbeddedCluster:
        """The cluster, as soon as it is there."""
        self._thread.join()
        if self._found is None:
            raise self._error or RuntimeError("no cluster was started")
        return self._found

    def abandon(self) -> None:
        """Nobody wants it: end it, if it is there."""
        with self._starting:
            self._is_abandoned = True
            if self._found is not None:
                self._found.close()


def _import_dask() -> None:
    """Import what a stage needs; collections meanwhile would find nothing and take an eighth of the time."""
    was_collecting = gc.isenabled()
    gc.disable()
    without = _Without(UNUSED if "runsurge_dask.start" in sys.modules else frozenset())
    sys.meta_path.insert(0, without)
    try:
        import distributed  # noqa: F401

        import runsurge_dask.lowering.graph  # noqa: F401
    finally:
        sys.meta_path.remove(without)
        if was_collecting:
            gc.enable()


UNUSED = frozenset({"numpy", "jinja2"})
"""What Dask imports if it is there: arrays and pages, of which a run has none. They take a quarter of the time, and 15 MiB.

Only where the process is the command line's: in somebody's notebook Dask shall have all it can have.
"""


class _Without(importlib.abc.MetaPathFinder):
    """To this thread some modules are not there, unless they are imported already."""

    def __init__(self, names: frozenset[str]) -> None:
        self._names = names
        self._thread = threading.get_ident()

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        """Refuse these, and leave all else to others."""
        del path, target
        if name in self._names and threading.get_ident() == self._thread:
            raise ModuleNotFoundError(f"{name} is not wanted here", name=name)


class EmbeddedCluster:
    """`workers` Dask workers with one slot each."""

    def __init__(self, host: RunnerHost, workers: int) -> None:
        import dask
        from distributed import Client, LocalCluster

        self._scratch = tempfile.TemporaryDirectory(prefix="runsurge-")

        for name in ("distributed", "asyncio"):  # standard error is the script's; what matters to it is raised here
            logging.getLogger(name).setLevel(logging.CRITICAL)
        settings: dict[str, Any] = {
            "temporary_directory": self._scratch.name, "distributed.worker.memory.target": False, "distributed.worker.memory.spill": False,
            "distributed.worker.memory.pause": False, "distributed.worker.memory.terminate": False,
            "distributed.scheduler.work-stealing": True, "distributed.admin.system-monitor.gil.enabled": False,
            "distributed.admin.large-graph-warning-threshold": "1TB", **QUIET_SETTINGS, **FORGETFUL_SETTINGS
        }
        self._config = dask.config.set(settings)
        self._cluster = LocalCluster(
            processes=False, n_workers=workers, threads_per_worker=1, dashboard_address="127.0.0.1:0", memory_limit=0,
            silence_logs=logging.CRITICAL
        )
        self.client = Client(self._cluster, set_as_default=False)
        self.slots = [RunnerSlot(host) for _ in range(workers)]
        self._addresses: dict[RunnerSlot, str] = {}
        for worker, slot in zip(self._cluster.workers.values(), self.slots, strict=True):
            worker.runner_slot = slot
            self._addresses[slot] = worker.address
        self.wake_read, self._wake_write = os.pipe()

    def submit(self, graph: dict[Any, Any], keys: list[Any], slot: RunnerSlot | None = None) -> list[Any]:
        """Futures of the keys, in their order; all of them run in one slot, if so asked."""
        where = None if slot is None else self._addresses[slot]
        futures: list[Any] = self.client.get(graph, keys, sync=False, priority=_in_order, workers=where)
        for future in futures:
            future.add_done_callback(self._wake)
        return futures

    def hears_driver(self, channel: socket.socket) -> bool:
        """Wait until a future is done, or the driver speaks (or dies): whether it did."""
        watched: list[Any] = [self.wake_read, channel]
        ready, _, _ = select.select(watched, [], [])
        if self.wake_read in ready:
            os.read(self.wake_read, 4096)
        return channel in ready

    def _wake(self, _: object) -> None:
        with contextlib.suppress(OSError):  # the pipe is closed at the end
            os.write(self._wake_write, b".")

    def stop(self, stage: str, futures: list[Any]) -> list[str]:
        """Cancel what has not been asked for yet of a stage; returns the files that its chunks have held back."""
        if not futures:
            return []
        for slot in self.slots:
            slot.refuse(stage)
            slot.interrupt()
        deadline = time.monotonic() + STOP_SECONDS
        while any(slot.is_busy for slot in self.slots):
            if time.monotonic() > deadline:
                for slot in self.slots:
                    slot.kill()
            time.sleep(0.005)  # a busy slot ends within milliseconds; nothing else is waiting here
        self.client.cancel(futures)
        return [path for slot in self.slots for path in slot.held_back(stage)]

    def close(self) -> None:
        """End workers, scheduler and children."""
        for slot in self.slots:
            slot.close()
        self.client.close()
        self._cluster.close()
        self._scratch.cleanup()
        os.close(self.wake_read)
        wake_write, self._wake_write = self._wake_write, -1
        os.close(wake_write)
