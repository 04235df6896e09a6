"""A slot: the one chunk child that a Dask worker has at a time, kept from task to task of a stage."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING

from runsurge_dask.runner.commit import drop_files

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

    def held_back(self, stage: str) -> list[str]:
        """Files that chunks of this stage have written under other names, until they are accepted or not."""
        return self._held_back if stage == self._stage else []

    def refuse(self, stage: str) -> None:
        """Run no more chunks of this stage."""
        self._refused = stage

    def run(self, stage: str, spec: Header, surroundings: bytes, items: bytes) -> tuple[Header, list[bytes]]:
        """Run one chunk; a child that dies is an escape like any other."""
        with self._lock:
            if stage == self._refused:
                return {"status": "escape", "reason": "it was stopped"}, []
            self.is_busy = True
            try:
                return self._run(stage, spec, surroundings, items)
            finally:
                self.is_busy = False

    def _run(self, stage: str, spec: Header, surroundings: bytes, items: bytes) -> tuple[Header, list[bytes]]:
        if self._child is not None and self._stage != stage:
            self.close()
        if self._stage != stage:
            self._held_back = []
        if self._child is None:
            self._child, self._stage = self.host.start_child("chunk"), stage
            blob = surroundings
        else:
            blob = b""
        child = self._child
        try:
            answer, results = child.call({"stage": stage, "spec": spec}, [blob, items])
        except EOFError:
            child.exited.wait()
            child.channel.close()
            self._child = None
            return {"status": "escape", "reason": f"its process ended ({describe_exit(child.exit_code)})"}, []
        if answer["status"] == "ok" and stage == self._refused:
            drop_files(answer["files"]["written"])
            answer, results = {"status": "escape", "reason": "it was stopped"}, []
        if answer["status"] == "ok":
            self._held_back += [shadow for _, _, shadow in answer["files"]["written"]]
        else:
            self.close()
        return answer, results

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
            self._child = None


def describe_exit(code: int | None) -> str:
    """An exit code in words."""
    if code is None:
        return "lost"
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"status {code}"
