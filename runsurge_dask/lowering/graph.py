"""One stage as Dask graphs: a task for each chunk, all sharing the stage's surroundings.

    ("surroundings-<digest>", 0)                      the stage's code and the values around it
    ("stage-2-<digest>", 0) ... ("stage-2-<digest>", 7)   run_chunk(spec, surroundings, items)

The digest covers run, stage and inputs: two runs on one scheduler that used the same keys would get each other's answers. Chunks are added
to the graph as they are cut, each with the bytes that are set aside for it.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from dask.task_spec import DataNode, Task, TaskRef
from distributed import get_worker

if TYPE_CHECKING:
    from runsurge_dask.runner.wire import Header

Key = tuple[str, int]


class LoweredStage:
    """The keys and graphs of one stage."""

    def __init__(self, *, run: str, stage: int, surroundings: bytes) -> None:
        self.digest = hashlib.blake2b(f"{run}/{stage}/".encode() + surroundings, digest_size=12).hexdigest()
        self.shared: Key = (f"surroundings-{self.digest}", 0)
        self._name = f"stage-{stage}-{self.digest}"
        self._surroundings = surroundings
        self._count = 0

    def shared_graph(self) -> dict[Key, Any]:
        """The surroundings, which every chunk refers to."""
        return {self.shared: DataNode(self.shared, self._surroundings)}

    def chunk_graph(self, spec: Header, items: bytes) -> tuple[dict[Key, Any], Key]:
        """One more chunk, and its key."""
        key = (self._name, self._count)
        self._count += 1
        return {key: Task(key, run_chunk, self.digest, spec, TaskRef(self.shared), items)}, key

    def refusal_graph(self, reason: str) -> tuple[dict[Key, Any], Key]:
        """A chunk whose rows cannot be had."""
        key = (self._name, self._count)
        self._count += 1
        return {key: DataNode(key, ({"status": "escape", "reason": reason}, []))}, key


def run_chunk(digest: str, spec: Header, surroundings: bytes, items: bytes) -> tuple[Header, list[bytes]]:
    """The only thing a Dask worker ever runs: hand one chunk to its runner slot and bring back the sealed answer."""
    worker: Any = get_worker()
    answer: tuple[Header, list[bytes]] = worker.runner_slot.run(digest, spec, surroundings, items)
    return answer
