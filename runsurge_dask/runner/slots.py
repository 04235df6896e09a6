"""A slot: the one chunk child that a Dask worker has at a time, kept from task to task of a stage."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from typing import TYPE_CHECKING

from runsurge_dask.runner.commit import drop_announced, drop_files
from runsurge_dask.runner.resident import resident_bytes

if TYPE_CHECKING:
    from runsurge_dask.runner.host import Child, RunnerHost
    from runsurge_dask.runner.wire import Header


class RunnerSlot:
    """Runs chunks one at a time in a child of its host."""

    def __init__(self, host: RunnerHost) -> None:
        self.host = host
        self._child: Child | None = None
        self._stage = ""
        self._lock = threading.Lock()
        self.is_busy = False
        self._refused = ""
        self._held_back: list[str] = []
        self.pid = 0
        """Of the child; 0 where there is none."""
        self._base_bytes = 0
        self.reserved_bytes = 0
        """What the chunk under way is expected to hold at most, beyond what its process held at first."""
        self._outgrown_bytes = 0
        self.no_room = ""
        """Why a chunk could not leave what it found in a file."""
        self.niceness = 0
        """By so much its children stand back for who watches what they hold."""
        self.scratch = ""
        """The folder of the run, in which its children note what they write."""

    def held_back(self, stage: str) -> list[str]:
        """Files that chunks of this stage have written under other names, until they are accepted or not."""
        return self._held_back if stage == self._stage else []

    def held_bytes(self) -> int:
        """What the child holds beyond what it held when it began."""
        return max(0, resident_bytes(self.pid) - self._base_bytes) if self.pid else 0

    def refuse(self, stage: str) -> None:
        """Run no more chunks of this stage."""
        self._refused = stage

    def run(self, stage: str, spec: Header, surroundings: bytes, items: bytes) -> tuple[Header, list[bytes]]:
        """Run one chunk; a child that dies is an escape like any other."""
        with self._lock:
            if stage == self._refused:
                return {"status": "escape", "reason": "it was stopped"}, []
            self.is_busy, self.reserved_bytes = True, spec.get("reserved", 0)
            try:
                return self._run(stage, spec, surroundings, items)
            finally:
                self.is_busy = False

    def _run(self, stage: str, spec: Header, surroundings: bytes, items: bytes) -> tuple[Header, list[bytes]]:
        if self._child is not None and self._stage != stage:
            self.close()
        if self._stage != stage:
            self._held_back = []
        blob = surroundings if self._child is None else b""
        child = self._child or self._start(stage)
        try:
            answer, results = child.call({"stage": stage, "spec": spec}, [blob, items])
        except EOFError:
            return self._epitaph(child), []
        self.no_room = answer.get("no_room") or self.no_room
        if answer["status"] == "ok" and stage == self._refused:
            drop_files(answer["files"]["written"])
            answer, results = {"status": "escape", "reason": "it was stopped"}, []
        if answer["status"] == "ok":
            self._base_bytes = answer["begun_with"]  # with what it loads before its first chunk
            self._held_back += [shadow for _, _, shadow in answer["files"]["written"]]
            self._held_back += [answer["left"]] if "left" in answer else []
        else:
            pid = self.pid
            self.close()
            self._drop_announced(pid)  # where it was stopped between making a file and noting that it did
        return answer, results

    def _drop_announced(self, pid: int) -> None:
        if self.scratch:
            drop_announced(self.scratch, pid)

    def _start(self, stage: str) -> Child:
        child = self._child = self.host.start_child("chunk")
        self._stage, self._outgrown_bytes = stage, 0
        self._base_bytes = resident_bytes(child.pid or 0)
        self.pid = child.pid or 0
        if self.niceness and self.pid:
            with contextlib.suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, self.pid, self.niceness)
        return child

    def _epitaph(self, child: Child) -> Header:
        child.exited.wait()
        child.channel.close()
        self._drop_announced(child.pid or 0)
        self._child, self.pid = None, 0
        reason = f"its process ended ({describe_exit(child.exit_code)})"
        if self._outgrown_bytes:
            return {"status": "escape", "reason": f"it held {self._outgrown_bytes >> 20} MiB", "outgrown_bytes": self._outgrown_bytes}
        return {"status": "escape", "reason": reason}

    @property
    def is_dying(self) -> bool:
        """Whether the running chunk was killed for what it held."""
        return bool(self._outgrown_bytes)

    def outgrow(self) -> None:
        """Kill the running chunk: it holds more than there is."""
        child = self._child
        if child is not None and self.is_busy:
            self._outgrown_bytes = max(1, self.held_bytes())
            self.host.signal_child(child, signal.SIGKILL)

    def rest(self) -> bool:
        """End the child if it has nothing to do; whether there was one."""
        if not self._lock.acquire(blocking=False):
            return False
        try:
            had_one = self._child is not None
            self.close()
        finally:
            self._lock.release()
        return had_one

    def interrupt(self) -> None:
        """Ask the running chunk to stop; it takes back what it wrote."""
        child = self._child
        if child is not None and self.is_busy:
            self.host.signal_child(child, signal.SIGTERM)

    def kill(self) -> None:
        """End the running chunk at once."""
        child = self._child
        if child is not None and self.is_busy:
            self.host.signal_child(child, signal.SIGKILL)

    def close(self) -> None:
        """End the child, if there is one."""
        if self._child is not None:
            self.host.kill_child(self._child)
            self._child, self.pid = None, 0


def describe_exit(code: int | None) -> str:
    """An exit code in words."""
    if code is None:
        return "lost"
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"status {code}"
