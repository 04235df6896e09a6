"""Keep what all processes of a run hold together below its limit.

Every few milliseconds the resident bytes of each process are read; now and then the proportional ones, which are exact for
their sum and take longer. When the sum nears the limit, the chunk that most exceeds its reservation is killed (it will be cut
smaller); if no chunk runs, it is the script itself that outgrows the limit, and it is stopped.
"""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runsurge_dask.runner.limits import LEAST_SHARE_BYTES
from runsurge_dask.runner.resident import proportional_bytes, resident_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runsurge_dask.runner.host import Child
    from runsurge_dask.runner.slots import RunnerSlot

SLACK = 0.06
"""The part of the limit that is never planned with."""
LEAST_SLACK_BYTES = 32 << 20
FASTEST_GROWTH = 4 << 30
"""Bytes a second that two processes may come to hold: they are looked at before they can be within the slack, where they are ended."""
SHORTEST_SECONDS, LONGEST_SECONDS = 0.004, 0.1
WAKING_SECONDS = 0.03
"""How late the watch may come to look where all cores are busy with chunks of its own priority (measured: 24 ms)."""
NICENESS = 5
"""Where chunks could fill the slack in that time they stand back by so much: the watch was in time in 40 forced over-runs."""
EXACT_SECONDS = 0.5
"""How long a sum of changes of resident bytes is trusted before it is measured anew."""


@dataclass(slots=True)
class Meter:
    """What a changing set of processes holds together."""

    _exact: int = 0
    _resident: dict[int, int] = field(default_factory=dict)
    _measured_at: float = -EXACT_SECONDS
    peak_bytes: int = 0

    def total_bytes(self, pids: Sequence[int]) -> int:
        """The sum now; exact at times, in between moved on by what each process has come to hold or given back."""
        now = time.monotonic()
        if now - self._measured_at >= EXACT_SECONDS or set(pids) != self._resident.keys():
            self._exact = sum(map(proportional_bytes, pids))
            self._resident = {pid: resident_bytes(pid) for pid in pids}
            self._measured_at = now
            total = self._exact
        else:
            total = self._exact + sum(resident_bytes(pid) - self._resident[pid] for pid in pids)
        self.peak_bytes = max(self.peak_bytes, total)
        return total


class MemoryWatch:
    """Watches one run; `limit_bytes` 0 watches nothing."""

    def __init__(self, limit_bytes: int, workers: int, fixed_pids: Callable[[], Sequence[int]], stop_script: Callable[[int], None]) -> None:
        self.limit_bytes = limit_bytes
        self.workers = workers
        self.slots: Sequence[RunnerSlot] = ()
        self.task_bytes = 0
        """The most that one chunk may hold, if the user said so."""
        self._fixed_pids = fixed_pids
        self._stop_script = stop_script
        self.meter = Meter()
        self._fixed = Meter()
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="memory-watch", daemon=True)
        if limit_bytes:
            self._thread.start()

    @property
    def slack_bytes(self) -> int:
        """What is left free for what grows between two looks."""
        return max(LEAST_SLACK_BYTES, int(self.limit_bytes * SLACK))

    @property
    def niceness(self) -> int:
        """By how much chunks stand back for the watch."""
        return NICENESS if self.limit_bytes and self.slack_bytes < FASTEST_GROWTH * WAKING_SECONDS else 0

    def share_bytes(self) -> int:
        """What a chunk may hold now beyond what its process holds at first; 0: as much as it wants."""
        share = max(1 << 20, self._headroom_bytes() // self.active_slots) if self.limit_bytes else 0
        return min(share or self.task_bytes, self.task_bytes) if self.task_bytes else share

    def least_bytes(self) -> int:
        """The smallest limit under which anything could be cut: what is there before any data, and room for one chunk."""
        before = self.limit_bytes - self.slack_bytes - self._headroom_bytes() - (self.workers - 1) * self._own_bytes()
        return int((before + LEAST_SHARE_BYTES) / (1 - SLACK)) + LEAST_SLACK_BYTES

    @property
    def active_slots(self) -> int:
        """How many chunks may run at once now."""
        if not self.limit_bytes or self._headroom_bytes() >= self.workers * LEAST_SHARE_BYTES:
            return self.workers
        return 1

    def _headroom_bytes(self) -> int:
        """What is left for chunks: all but the client, the runner, the script, and what each chunk's process un-shares."""
        pids = self._fixed_pids()
        fixed = self._fixed.total_bytes(pids) if self.slots else sum(map(proportional_bytes, pids)) + CLUSTER_BYTES
        return self.limit_bytes - self.slack_bytes - fixed - self.workers * self._own_bytes()

    def _own_bytes(self) -> int:
        """What each chunk's process holds for itself before it has any data."""
        return int(UNSHARED * resident_bytes(self._fixed_pids()[1])) + PROCESS_BYTES

    def _watch(self) -> None:
        pause = SHORTEST_SECONDS
        while not self._is_over.wait(pause):
            slots = [slot for slot in self.slots if slot.pid]
            total = self.meter.total_bytes([*self._fixed_pids(), *(slot.pid for slot in slots)])
            left = self.limit_bytes - total
            for slot in self._over_task_bytes(slots):
                slot.outgrow()
            if left < self.slack_bytes * 3 // 4:
                self._relieve(slots, total)
            elif left < self.slack_bytes * 2:
                self._hold_to_reservations(slots)
            longest = LONGEST_SECONDS if not self.task_bytes else LONGEST_SECONDS / 10
            pause = min(max((left - self.slack_bytes) / FASTEST_GROWTH, SHORTEST_SECONDS), longest)

    def _over_task_bytes(self, slots: list[RunnerSlot]) -> list[RunnerSlot]:
        """Chunks that hold more than the user allows one to hold."""
        if not self.task_bytes:
            return []
        return [slot for slot in slots if slot.is_busy and not slot.is_dying and slot.held_bytes() > self.task_bytes]

    def _hold_to_reservations(self, slots: list[RunnerSlot]) -> None:
        """Kill the chunk that has most outgrown its reservation, if one has: there is still room for it to die in."""
        over = [slot for slot in slots if slot.is_busy and not slot.is_dying and slot.held_bytes() > slot.reserved_bytes > 0]
        if over:
            max(over, key=lambda slot: slot.held_bytes() - slot.reserved_bytes).outgrow()

    def _relieve(self, slots: list[RunnerSlot], total: int) -> None:
        """Give up what is least missed: processes that wait for a chunk, then the chunk that most exceeds its reservation."""
        if any(slot.rest() for slot in slots if not slot.is_busy):
            return
        busy = [slot for slot in slots if slot.is_busy]
        total -= sum(slot.held_bytes() for slot in busy if slot.is_dying)
        if self.limit_bytes - total >= self.slack_bytes * 3 // 4:
            return
        alive = [slot for slot in busy if not slot.is_dying]
        if alive:
            max(alive, key=lambda slot: slot.held_bytes() - slot.reserved_bytes).outgrow()
        elif not busy:
            self._stop_script(total)

    def close(self) -> None:
        """Stop to watch."""
        self._is_over.set()
        if self._thread.is_alive():
            self._thread.join()


UNSHARED = 0.2
"""The part of the runner's pages that each child makes its own by touching them: 21 MB of 99 MB with pandas loaded (measured)."""
CLUSTER_BYTES = 42 << 20
"""What dask and its cluster add to this process when the first stage starts (measured)."""
PROCESS_BYTES = 3 << 20
"""Page tables and stacks of a child."""


def own_pids(runner_pid: int, driver: Child) -> list[int]:
    """This process, the runner, and the script's."""
    return [os.getpid(), runner_pid, *([driver.pid] if driver.pid and not driver.exited.is_set() else [])]


def overhead_bytes(limit_bytes: int, workers: int, runner_bytes: int) -> int:
    """What a run with this limit does not have for data: client, cluster, runner, what each chunk's process un-shares, and slack.

    `runner_bytes` is what an interpreter with the script's imports holds.
    """
    fixed = CLIENT_BYTES + runner_bytes + max(LEAST_SLACK_BYTES, int(limit_bytes * SLACK))
    return fixed + chunk_overhead_bytes(workers, runner_bytes)


def chunk_overhead_bytes(workers: int, runner_bytes: int) -> int:
    """The part of it that is there only where something is cut."""
    return CLUSTER_BYTES + workers * (int(UNSHARED * runner_bytes) + PROCESS_BYTES)


def others_bytes(limit_bytes: int, workers: int) -> int:
    """What of a limit is not for the script's own process, whose pages the runner shares: overhead, and the least for chunks."""
    return overhead_bytes(limit_bytes, workers, 0) + workers * LEAST_SHARE_BYTES


CLIENT_BYTES = 20 << 20
"""Of this process before a stage starts (measured)."""
