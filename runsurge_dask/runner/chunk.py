"""The chunk child: runs one stage on one chunk after the other, and watches that cutting does no harm.

What the analysis could not prove is watched here. After a chunk the state around it must be what it was before (a body that
changes a table, a class attribute, a global or a generator's state has carried something from row to row); nothing may have
been written but through sinks; the global random generators may be used only where the script never seeds them; a result
may not be an object that the driver already has. Otherwise the chunk escapes, and the driver runs it as written.
"""

from __future__ import annotations

import hashlib
import io
import logging
import marshal
import os
import random
import resource
import signal
import sys
import time
import types
import warnings
from typing import TYPE_CHECKING, Any

from runsurge_dask.runner import shadows, wire
from runsurge_dask.runner.accumulators import build_start, finished_value
from runsurge_dask.runner.codec import ATOMIC, EnvironmentPickler, EnvironmentUnpickler, dump_results, reachable_mutables
from runsurge_dask.runner.escape import CannotShip, Escape
from runsurge_dask.runner.records import read_chunk
from runsurge_dask.runner.sinks import LOGGING, STDERR, STDOUT, WARNINGS, CaptureSink, Journal, SinkSet

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping, Sequence

    from runsurge_dask.runner.facts import Accumulator, SiteFacts


def serve_chunks(channel: socket.socket) -> None:
    """Answer tasks until the channel closes."""
    prepare_process()
    stages: dict[str, Stage] = {}
    while True:
        header, blobs = wire.receive(channel)
        if blobs[0]:
            stages.clear()
            stages[header["stage"]] = Stage(blobs[0])
        answer, results = run_task(stages[header["stage"]], header["spec"], blobs[1])
        if answer["status"] != "ok":
            stages.clear()
            answer["forget"] = True
        wire.send(channel, answer, results)


def prepare_process() -> None:
    """Make this process one in which user code can only compute."""
    sys.stdout, sys.stderr = CaptureSink(STDOUT), CaptureSink(STDERR)  # type: ignore[assignment]
    sys.stdin = NoInput()  # type: ignore[assignment]
    signal.signal(signal.SIGTERM, _stop)
    random.seed()
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()
    shadows.install()


def _stop(*_: object) -> None:
    if shadows.is_watching():
        raise Escape("it was stopped")


class NoInput:
    """Standard input belongs to the driver."""

    def __getattr__(self, name: str) -> Any:
        raise Escape("a chunk asked for standard input")


class Stage:
    """One stage as this child holds it: the chunk function with everything around it."""

    def __init__(self, blob: bytes) -> None:
        self.blob = blob
        self.sinks = SinkSet()
        outer = marshal.loads(blob)  # noqa: S302 - our own client made it
        self.surroundings: dict[str, Any] = outer["surroundings"]
        enter_surroundings(self.surroundings)
        self.starts: dict[str, Any] = {}
        content = EnvironmentUnpickler(io.BytesIO(outer["environment"]), self.starts).load()
        self.facts: SiteFacts = content["facts"]
        self.starts_blob: bytes = content["starts"]
        self.environment: dict[str, Any] = content["names"]
        self.seeded: bool = content["seeded"]
        self.extra: Any = content.get("extra")
        self.namespace = {**self.environment, "__name__": "__main__", "__rs_Escape__": Escape, "__rs_extreme__": extreme}
        if self.facts.code:
            exec(marshal.loads(self.facts.code), self.namespace)  # noqa: S102, S302 - the script's own code, in the process made for it
        self.watched = {name: value for name, value in self.environment.items() if not _cannot_change(value)}
        self.digest = self.take_digest()
        self.mutables = reachable_mutables(self.watched.values())

    def take_digest(self) -> bytes:
        """A fingerprint of everything around the chunk function that could carry state."""
        if not self.watched:
            return b""
        file = io.BytesIO()
        EnvironmentPickler(file, sinks=self.sinks, plain_code={}, user_modules=_user_modules(self.watched)).dump(self.watched)
        return hashlib.blake2b(file.getvalue()).digest()


def _user_modules(watched: Mapping[str, Any]) -> dict[str, types.ModuleType]:
    modules = {v.__name__: v for v in watched.values() if isinstance(v, types.ModuleType) and v.__spec__ is None}
    return modules


def _cannot_change(value: Any) -> bool:
    if type(value) in ATOMIC or isinstance(value, types.BuiltinFunctionType):
        return True
    if isinstance(value, types.ModuleType):
        return value.__spec__ is not None
    return isinstance(value, type) and value.__module__ != "__main__" and sys.modules.get(value.__module__) is not None


def enter_surroundings(surroundings: Mapping[str, Any]) -> None:
    """Take over what the script has set for its whole process."""
    os.chdir(surroundings["cwd"])
    os.environ.clear()
    os.environ.update(surroundings["environ"])
    sys.argv = list(surroundings["argv"])
    sys.path[:] = surroundings["path"]
    sys.setrecursionlimit(surroundings["recursion_limit"])
    logging.root.setLevel(surroundings["log_levels"].get("", logging.WARNING))
    logging.root.handlers[:] = [_Forward()]
    logging.lastResort = None
    logging.disable(surroundings["log_disabled"])
    for name, level in surroundings["log_levels"].items():
        if name:
            logging.getLogger(name).setLevel(level)


class _Forward(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        record.msg, record.args = record.getMessage(), None
        if record.exc_info:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
            record.exc_info = None
        Journal.current.note(LOGGING, record)


def run_task(stage: Stage, spec: Mapping[str, Any], items_blob: bytes) -> tuple[wire.Header, list[bytes]]:
    """Run one chunk; the answer is `ok` with results, or `escape` with a reason."""
    begun = time.perf_counter()
    Escape.last = None
    Journal.current = Journal()
    shadows.begin()
    try:
        answer, results = _run(stage, spec, items_blob)
        if Escape.last is not None:
            raise Escape.last
    except Escape as escape:
        shadows.drop()
        return {"status": "escape", "reason": escape.reason}, []
    except BaseException as error:  # whatever the user's code raised belongs to the sequential run
        shadows.drop()
        return {"status": "escape", "reason": _describe(error), "raised": True}, []
    answer["seconds"] = time.perf_counter() - begun
    answer["peak_resident_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return answer, results


def extreme(choose: Callable[..., Any], values: Any, key: Callable[[Any], Any] | None) -> list[tuple[Any, Any]]:
    """The largest or smallest value with its key, or nothing."""
    nothing = object()
    value = choose(values, default=nothing, key=key)
    return [] if value is nothing else [(value if key is None else key(value), value)]


def _describe(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:300]


def _run(stage: Stage, spec: Mapping[str, Any], items_blob: bytes) -> tuple[wire.Header, list[bytes]]:
    items = EnvironmentUnpickler(io.BytesIO(items_blob), {}).load() if items_blob else None
    known = _known_objects(stage, spec, items)
    randomness = _random_state() if stage.seeded else None
    counter = _Counting(read_chunk(spec, items))
    with warnings.catch_warnings():
        _capture_warnings(stage.surroundings["warning_filters"])
        outputs = _call(stage, spec, counter)
    if stage.seeded and _random_state() != randomness:
        raise Escape("it draws from a random generator that the script seeds")
    if stage.take_digest() != stage.digest:
        raise Escape("it changes a value around it from row to row")
    mutated = _mutated_items(items, items_blob, spec)
    journal = Journal.current.take()
    result = dump_results({"outputs": outputs, "journal": journal}, known)
    if mutated:
        raise Escape("it changes the rows it is given")
    files = shadows.take()
    return {"status": "ok", "records": counter.count, "files": files}, [result]


class _Counting:
    def __init__(self, records: Any) -> None:
        self._records = records
        self.count = 0

    def __iter__(self) -> Any:
        count = 0
        for record in self._records:
            count += 1
            self.count = count
            yield record


def _call(stage: Stage, spec: Mapping[str, Any], records: Any) -> Any:
    facts = stage.facts
    function: Callable[..., Any] = stage.namespace["__rs_chunk__"]
    starts = {}
    values = EnvironmentUnpickler(io.BytesIO(stage.starts_blob), {}).load()
    for fact in facts.accumulators:
        start = values[fact.local]
        if fact.merge.value == "count":
            start += fact.step * spec["index"]
        starts[fact.local] = build_start(fact, start)
    if facts.form != "for":
        return function(records)
    left = function(records, starts)
    return {
        "names": {name: left[name] for name in facts.assigned if name in left},
        "parts": [_part(fact, left) for fact in facts.accumulators],
        "payload": {name: left[name] for fact in facts.accumulators for name in fact.payload if name in left},
    }


def _part(fact: Accumulator, left: Mapping[str, Any]) -> Any:
    return finished_value(fact, left[fact.local])


def _known_objects(stage: Stage, spec: Mapping[str, Any], items: Sequence[Any] | None) -> dict[int, object]:
    if stage.mutables is None:
        raise Escape("too many objects around it to tell whether results share them")
    known: dict[int, object] = dict.fromkeys(stage.mutables)
    if items is None or not isinstance(items, list | tuple):
        return known
    kinds = set(map(type, items))
    if kinds <= ATOMIC:
        return known
    for position, item in enumerate(items):
        if type(item) in ATOMIC:
            continue
        inner = [] if isinstance(item, list | tuple) and set(map(type, item)) <= ATOMIC else [item]
        if type(item) is dict and set(map(type, item.values())) <= ATOMIC:
            inner = []
        if inner:
            below = reachable_mutables(inner)
            if below is None:
                raise Escape("its rows are too deep to tell whether results share them")
            known.update(dict.fromkeys(below))
        if type(item) is not tuple or inner:
            known[id(item)] = ("item", spec["start"] + position)
    return known


def _mutated_items(items: Any, blob: bytes, spec: Mapping[str, Any]) -> bool:
    del spec
    if items is None or type(items) is range:
        return False
    if isinstance(items, list | tuple) and set(map(type, items)) <= ATOMIC:
        return False
    file = io.BytesIO()
    EnvironmentPickler(file, sinks=SinkSet(), plain_code={}, user_modules={}).dump(items)
    if file.getvalue() == blob:
        return False
    fresh = EnvironmentUnpickler(io.BytesIO(blob), {}).load()
    again = io.BytesIO()
    EnvironmentPickler(again, sinks=SinkSet(), plain_code={}, user_modules={}).dump(fresh)
    return again.getvalue() != file.getvalue()


def _random_state() -> Any:
    numpy = sys.modules.get("numpy")
    if numpy is None:
        return random.getstate()
    name, keys, *rest = numpy.random.get_state()
    return random.getstate(), name, keys.tobytes(), rest


def _capture_warnings(filters: Sequence[tuple[Any, ...]]) -> None:
    warnings.simplefilter("always")
    if any(entry[0] == "error" for entry in filters):
        raise Escape("the script turns warnings into errors")

    def show(message: Any, category: Any, filename: str, lineno: int, file: Any = None, line: Any = None) -> None:
        del file, line
        Journal.current.note(WARNINGS, (str(message), category, filename, lineno))

    warnings.showwarning = show


__all__ = ["CannotShip", "Stage", "run_task", "serve_chunks"]
