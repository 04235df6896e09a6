"""Chunks go to slots in the order of the data, and none waits for a busy slot while another has nothing to do."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest

from runsurge_dask.execution.memory import MemoryWatch
from runsurge_dask.execution.stages import AT_ONCE_PER_SLOT, Listed, StageRun
from runsurge_dask.lowering.graph import LoweredStage
from runsurge_dask.runner import wire

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MOST_OF_IDEAL = 1.3
"""So much longer than with no slot ever idle it may take: a window of three chunks a slot holds the fastest ones back."""
OK = {"status": "ok", "records": 1, "peak_resident_bytes": 1, "net_peak_bytes": 1, "left_bytes": 0, "seconds": 0.0}


class ScriptedFuture:
    """Done when its slot has come to it."""

    def __init__(self, start: int) -> None:
        self.start = start
        self.is_done = False

    def done(self) -> bool:
        """Whether the chunk has run."""
        return self.is_done

    def result(self) -> tuple[wire.Header, list[bytes]]:
        """What an accepted chunk answers."""
        return dict(OK), []

    def release(self) -> None:
        """Nothing is held."""


class ScriptedCluster:
    """Slots that work at given speeds: at each wait the one that is next in time ends its first chunk."""

    def __init__(self, seconds: Sequence[float]) -> None:
        self.slots: Any = [f"slot {n}" for n in range(len(seconds))]
        self._seconds = dict(zip(self.slots, seconds, strict=True))
        self._queues: dict[str, list[ScriptedFuture]] = {slot: [] for slot in self.slots}
        self._free_at = dict.fromkeys(self.slots, 0.0)
        self.now = 0.0
        self.given: list[tuple[str, int]] = []
        self.longest = 0

    def submit(self, graph: dict[Any, Any], keys: list[Any], slot: str | None = None) -> list[Any]:
        """A future for each key; those of a slot wait in it."""
        futures = [ScriptedFuture(key[1]) for key in keys]
        if slot is None:
            return futures
        del graph
        if not self._queues[slot]:
            self._free_at[slot] = self.now
        self._queues[slot] += futures
        self.given.append((slot, keys[0][1]))
        self.longest = max(self.longest, len(self._queues[slot]))
        return futures

    def hears_driver(self, channel: socket.socket) -> bool:
        """The next chunk ends."""
        del channel
        slot = min((slot for slot in self.slots if self._queues[slot]), key=lambda slot: self._free_at[slot] + self._seconds[slot])
        self._free_at[slot] += self._seconds[slot]
        self.now = self._free_at[slot]
        self._queues[slot].pop(0).is_done = True
        return False

    def stop(self, stage: str, futures: list[Any]) -> list[str]:
        """Nothing is under way."""
        del stage
        assert not [future for future in futures if not future.done()]
        return []


@pytest.mark.parametrize("seconds", [(1.0, 1.0), (1.0, 3.0), (2.0, 1.0, 1.5)])
def test_chunks_are_given_in_order_and_slots_do_not_wait(seconds: Sequence[float]) -> None:
    count = 40
    cluster: Any = ScriptedCluster(seconds)
    ours, theirs = socket.socketpair()
    accepted: list[int] = []
    driver = threading.Thread(target=_accept_all, args=(theirs, accepted.append))
    driver.start()
    specs = [{"start": n, "end": n + 1, "index": n} for n in range(count)]
    watch = MemoryWatch(0, len(seconds), list, lambda _: None)
    run = StageRun(ours, cluster, watch, LoweredStage(run="r", stage=1, surroundings=b""), Listed(specs, [b""] * count), lambda _: None)
    with ours, theirs:
        tally = run.deliver()
        driver.join()
    assert tally.accepted == count
    assert accepted == list(range(count))
    assert [start for _, start in cluster.given] == list(range(count))
    assert cluster.longest == AT_ONCE_PER_SLOT
    assert len({slot for slot, _ in cluster.given}) == len(seconds)
    assert cluster.now <= MOST_OF_IDEAL * count / sum(1 / each for each in seconds)


def _accept_all(channel: socket.socket, accept: Callable[[int], None]) -> None:
    """A driver that joins whatever it gets."""
    while True:
        answer, _ = wire.receive(channel)
        if answer["status"] == "done":
            return
        accept(answer["start"])
        wire.send(channel, {"op": "next"})
