"""Runs under strain: what happens where memory is short must not show in an answer.

    Strain()                               none
    Strain(shortage="7", piece_bytes=64)   chunks are killed and cut smaller, run one at a time, and lists come in small pages
    Strain(spare_mib=0)                    a real limit, so much above the least that would do
"""

from __future__ import annotations

import functools
import os
import threading
import time
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, Any

from runsurge_dask.execution.memory import MemoryWatch
from runsurge_dask.runner.plain import PIECE_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runsurge_dask.runner.slots import RunnerSlot

SMALL_PAGES = 64
"""Bytes of a page: a few rows."""
MARGINS_MIB = (0, 8, 40)
"""Above the least limit: room for one chunk at a time, for two, and for larger ones."""
LOOK_SECONDS = 0.0005
KILLS = 6
"""A run in which each chunk is killed again and again would only show what is done as written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Strain:
    """One way to make memory short."""

    shortage: str = ""
    """The seed of a shortage that is played; empty: none."""
    piece_bytes: int = PIECE_BYTES
    spare_mib: int | None = None
    """A real limit, so much above the least; None: none."""

    @property
    def make_watch(self) -> Callable[..., MemoryWatch]:
        """What watches over memory, or plays it."""
        return functools.partial(PlayedWatch, self.shortage) if self.shortage else MemoryWatch

    def limit_bytes(self, runner_pid: int, slots: Sequence[RunnerSlot]) -> int:
        """The limit; 0: none."""
        if self.spare_mib is None:
            return 0
        probe = MemoryWatch(0, len(slots), lambda: [os.getpid(), runner_pid, runner_pid], lambda _: None)
        probe.slots = slots
        return probe.least_bytes() + (self.spare_mib << 20)


def played(seed: str) -> Strain:
    """A shortage that is played."""
    return Strain(shortage=seed, piece_bytes=SMALL_PAGES)


class PlayedWatch(MemoryWatch):
    """Kills chunks as though they had outgrown what there is, and lets one run at a time now and then."""

    def __init__(self, seed: str, limit_bytes: int, workers: int, *others: Any) -> None:
        super().__init__(0, workers, *others)
        assert not limit_bytes
        self._random = Random(seed)
        self._left = KILLS
        self._player = threading.Thread(target=self._play, name="played-shortage", daemon=True)
        self._player.start()

    @property
    def active_slots(self) -> int:
        """As few as it pleases."""
        return self._random.randint(1, self.workers)

    def share_bytes(self) -> int:
        """As little as it pleases."""
        return self._random.randint(1, 1 << 20)

    def _play(self) -> None:
        while self._left and not self._is_over.wait(LOOK_SECONDS):
            for slot in self.slots:
                if slot.is_busy and not slot.is_dying and slot.pid and self._random.random() < 0.2:
                    time.sleep(self._random.random() * 0.003)
                    slot.outgrow()
                    self._left -= 1

    def close(self) -> None:
        """Stop to play."""
        super().close()
        self._player.join()
