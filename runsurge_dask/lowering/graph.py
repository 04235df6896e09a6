"""One stage as a Dask graph: a task for each chunk, all sharing the stage's surroundings.

    ("surroundings-<digest>", 0)                      the stage's code and the values around it
    ("stage-2-<digest>", 0) ... ("stage-2-<digest>", 7)   run_chunk(spec, surroundings, items)

The digest covers run, stage and inputs: two runs on one scheduler that used the same keys would get each other's answers.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from dask.task_spec import DataNode, Task, TaskRef
from distributed import get_worker

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runsurge_dask.runner.wire import Header

Key = tuple[str, int]


def lower_stage(
    *, run: str, stage: int, specs: Sequence[Header], surroundings: bytes, items: Sequence[bytes]
) -> tuple[dict[Key, Any], list[Key]]:
    """The graph of one stage, and the keys of its chunks in the order of the data."""
    digest = hashlib.blake2b(f"{run}/{stage}/".encode() + surroundings, digest_size=12).hexdigest()
    shared: Key = (f"surroundings-{digest}", 0)
    graph: dict[Key, Any] = {shared: DataNode(shared, surroundings)}
    keys: list[Key] = []
    for number, (spec, blob) in enumerate(zip(specs, items, strict=True)):
        key = (f"stage-{stage}-{digest}", number)
        graph[key] = Task(key, run_chunk, digest, spec, TaskRef(shared), blob)
        keys.append(key)
    return graph, keys


def run_chunk(digest: str, spec: Header, surroundings: bytes, items: bytes) -> tuple[Header, list[bytes]]:
    """The only thing a Dask worker ever runs: hand one chunk to its runner slot and bring back the sealed answer."""
    worker: Any = get_worker()
    answer: tuple[Header, list[bytes]] = worker.runner_slot.run(digest, spec, surroundings, items)
    return answer
