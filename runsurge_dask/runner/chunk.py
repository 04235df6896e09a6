"""The chunk child: runs one stage on one chunk after the other, and watches that cutting does no harm.

What the analysis could not prove is watched here. After a chunk the state around it must be what it was before (a body that
changes a table, a class attribute, a global or a generator's state has carried something from row to row); nothing may have
been written but through sinks; the global random generators may be used only where the script never seeds them; a result
may not be an object that the driver already has. Otherwise the chunk escapes, and the driver runs it as written.
"""

from __future__ import annotations

import hashlib
import io
import itertools
import marshal
import pickle
import sys
import time
import types
import warnings
from typing import TYPE_CHECKING, Any

from runsurge_dask.runner import shadows, wire
from runsurge_dask.runner.accumulators import build_start, finished_value
from runsurge_dask.runner.codec import EnvironmentPickler, EnvironmentUnpickler, cached_values, dump_results, load_items
from runsurge_dask.runner.confinement import capture_warnings, decimal_state, enter_surroundings, prepare_process, random_state
from runsurge_dask.runner.escape import CARRIES, Escape
from runsurge_dask.runner.facts import Looking, Merge
from runsurge_dask.runner.given import GivenRows
from runsurge_dask.runner.leaving import leave_rows, rows_left
from runsurge_dask.runner.plain import ATOMIC, are_flat
from runsurge_dask.runner.records import Counting, read_chunk
from runsurge_dask.runner.reductions import extreme
from runsurge_dask.runner.resident import give_back, keep_freed, peak_resident_bytes, reset_peak, resident_bytes
from runsurge_dask.runner.sampling import check_on_sample
from runsurge_dask.runner.sharing import is_beside_script, reachable_mutables, unequal_constants
from runsurge_dask.runner.sinks import Journal, SinkSet
from runsurge_dask.runner.still import require_still
from runsurge_dask.runner.tapes import compress
from runsurge_dask.runner.unequal import answering, as_identity

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping

    from runsurge_dask.runner.facts import Accumulator, SiteFacts
    from runsurge_dask.runner.unequal import Register


LARGE_RESULT_BYTES = 1 << 20
"""Larger results wait for the driver in a file, and not in the client's memory."""


OTHER_SIZE = 0.15
"""Chunks that differ by more than this part are of different sizes."""


def serve_chunks(channel: socket.socket) -> None:
    """Answer tasks until the channel closes."""
    prepare_process()
    begun_with = resident_bytes()
    stages: dict[str, Stage] = {}
    while True:
        header, blobs = wire.receive(channel)
        if blobs[0]:
            stages.clear()
            try:
                stages[header["stage"]] = Stage(blobs[0])
                if stages[header["stage"]].is_of_frames:
                    begun_with = _with_libraries()
            except BaseException as error:  # what the script's own classes and modules do when they are made anew
                wire.send(channel, {"status": "escape", "reason": _describe(error), "forget": True}, [])
                continue
        stages[header["stage"]].make_ready(header["spec"])
        answer, results = run_task(stages[header["stage"]], header["spec"], blobs[1])
        if answer["status"] != "ok":
            stages.clear()
            answer["forget"] = True
        else:
            answer["net_peak_bytes"] = max(0, answer["peak_resident_bytes"] - begun_with)
            answer["left_bytes"] = max(0, answer["left_bytes"] - begun_with)
            answer["begun_with"] = begun_with
        wire.send(channel, {**answer, "no_room": shadows.refusal()}, results)
        del results
        stage = stages.get(header["stage"])
        if stage is None or not stage.is_of_frames:
            give_back()


def _with_libraries() -> int:
    """What this process holds once it has touched what reading a frame uses of the libraries: those pages are everybody's."""
    from runsurge_dask.runner.frames.rehearsal import rehearse

    rehearse()
    return resident_bytes()


class Stage:
    """One stage as this child holds it: its blocks' chunk functions with everything around them."""

    def __init__(self, blob: bytes) -> None:
        self.sinks = SinkSet()
        outer = marshal.loads(blob)  # noqa: S302 - our own client made it
        self.surroundings: dict[str, Any] = outer["surroundings"]
        self.seeded: bool = outer["seeded"]
        self.sees_decimals: bool = outer["sees_decimals"]
        self.is_divided: bool = outer["is_divided"]
        self.shares: bool = outer["shares"]
        self.scratch: str = outer["scratch"]
        self.least_kept: int = outer["least_kept"]
        self.piece_bytes: int = outer["piece_bytes"]
        self._environment: bytes = outer["environment"]
        self._operations: list[tuple[SiteFacts, bytes]] = pickle.loads(outer["operations"])  # noqa: S301 - our own client made it
        self.is_of_frames = self._operations[0][0].form == "frame"
        self._before = 0
        if self.is_of_frames:
            keep_freed()
        enter_surroundings(self.surroundings)
        shadows.announce_in(self.scratch)
        self.unequal = answering()
        self.load()

    def make_ready(self, spec: Mapping[str, Any]) -> None:
        """Before a chunk of a frame that is not of the size of the one before it, give back what that one has left: it would not do."""
        size = spec["end"] - spec["start"]
        if self.is_of_frames and abs(size - self._before) > OTHER_SIZE * self._before > 0:
            give_back()
        self._before = size

    def load(self) -> None:
        """Take the environment in, with fresh accumulators in it."""
        stand_ins: dict[str, Any] = {}
        self.blocks = [Block(facts, starts, stand_ins, self.unequal) for facts, starts in self._operations]
        environments = EnvironmentUnpickler(io.BytesIO(self._environment), stand_ins, self.unequal).load()
        for block, names in zip(self.blocks, environments, strict=True):
            block.enter(names)
        self.is_growing = any(fact.is_shared for block in self.blocks for fact in block.facts.accumulators)
        environment = {f"{n}:{name}": value for n, block in enumerate(self.blocks) for name, value in block.names.items()}
        self.watched = {name: value for name, value in environment.items() if not _cannot_change(value)}
        self.stand_ins = {id(value): local for local, value in stand_ins.items() if type(value) not in ATOMIC}
        self.digest = self.take_digest()
        self.with_identities = any(block.facts.compares_identity for block in self.blocks)
        around = environment if self.with_identities else self.watched
        found = reachable_mutables(around.values(), with_identities=self.with_identities)
        constants = {id(value) for block in self.blocks for value in unequal_constants(block.function.__code__)}
        self.mutables = None if found is None else (found | constants) - set(self.stand_ins)
        self.may_leave_rows = bool(self.scratch) and not self.with_identities and not self.is_divided

    def looks_at(self, spec: Mapping[str, Any]) -> bool:
        """Whether its code only looks at the rows of a chunk."""
        if len(self.blocks) > 1 or self.shares or self.with_identities:
            return False
        looking = self.blocks[0].facts.looking
        return looking is (Looking.COUNTED if spec.get("wraps") else Looking.RECORDS)

    def require_unchanged(self) -> None:
        """See that nothing around the chunk functions has changed.

        Raises:
            Escape: a row has left something for the next.
        """
        if self.take_digest() != self.digest:
            raise Escape(CARRIES)

    def take_digest(self) -> bytes:
        """A fingerprint of everything around the chunk functions that could carry state."""
        if not self.watched:
            return b""
        file = io.BytesIO()
        EnvironmentPickler(
            file, sinks=self.sinks, plain_code={}, user_modules=_user_modules(self.watched), stand_ins=self.stand_ins,
            settles_classes=True, refer=as_identity
        ).dump(self.watched)
        return hashlib.blake2b(file.getvalue()).digest()


class Block:
    """One block of a stage: its facts, the names around it, and its chunk function."""

    def __init__(self, facts: SiteFacts, starts_blob: bytes, stand_ins: dict[str, Any], unequal: Register) -> None:
        self.facts = facts
        self.starts_blob = starts_blob
        self.unequal = unequal
        self.starts: dict[str, Any] = {}
        self.left: Mapping[str, Any] = {}
        values = self._starting_values()
        for fact in self.facts.accumulators:
            start = build_start(fact, values[fact.local])
            self.starts[fact.local] = stand_ins.setdefault(fact.local, start) if fact.is_shared else start

    def _starting_values(self) -> dict[str, Any]:
        values: dict[str, Any] = EnvironmentUnpickler(io.BytesIO(self.starts_blob), {}, self.unequal).load()
        return values

    def enter(self, names: dict[str, Any]) -> None:
        """Make the chunk function in these names."""
        self.names = names
        ours = {"__rs_Escape__": Escape, "__rs_extreme__": extreme, "__rs_tape__": compress, "__rs_still__": require_still}
        namespace = {**names, "__name__": "__main__", **ours}
        exec(marshal.loads(self.facts.code), namespace)  # noqa: S102, S302 - the script's own code, in the process made for it
        self.function: Callable[..., Any] = namespace["__rs_chunk__"]

    def fresh_starts(self, index: int, *, is_own: bool = False) -> dict[str, Any]:
        """What the accumulators of one chunk start from; `is_own`: none of them is what functions make grow, too."""
        values = self._starting_values()
        starts = {}
        for fact in self.facts.accumulators:
            start = values[fact.local]
            if fact.merge is Merge.COUNT:
                start += fact.step * index
            starts[fact.local] = self.starts[fact.local] if fact.is_shared and not is_own else build_start(fact, start)
        return starts

    def run(self, records: Any, index: int) -> Any:
        """Records in; for a loop the names it leaves (after its last record), for an expression its partial value."""
        if self.facts.form != "for":
            return self.function(records)
        return self.function(records, self.fresh_starts(index))

    def stream(self, records: Any, index: int) -> Any:
        """Run a generator's loop lazily, row by row, as its consumer asks."""
        self.left = yield from self.run(records, index)

    def outputs(self, left: Any) -> Any:
        """What goes back to the driver of one chunk."""
        facts = self.facts
        if facts.form != "for":
            return left
        return {
            "names": {name: left[name] for name in facts.assigned if name in left},
            "parts": [_part(fact, left) for fact in facts.accumulators],
            "payload": {name: left[name] for fact in facts.accumulators for name in fact.payload if name in left},
        }


def _user_modules(watched: Mapping[str, Any]) -> dict[str, types.ModuleType]:
    return {v.__name__: v for v in watched.values() if isinstance(v, types.ModuleType) and is_beside_script(v)}


def _cannot_change(value: Any) -> bool:
    if type(value) in ATOMIC:
        return True
    if isinstance(value, types.BuiltinFunctionType):
        return value.__self__ is None or isinstance(value.__self__, types.ModuleType)
    if isinstance(value, types.ModuleType):
        return value.__spec__ is not None
    return isinstance(value, type) and value.__module__ != "__main__" and sys.modules.get(value.__module__) is not None


def run_task(stage: Stage, spec: Mapping[str, Any], items_blob: bytes) -> tuple[wire.Header, list[bytes]]:
    """Run one chunk; the answer is `ok` with results, or `escape` with a reason."""
    begun, left = time.perf_counter(), resident_bytes()
    reset_peak()
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
    answer["peak_resident_bytes"], answer["left_bytes"] = peak_resident_bytes(), left
    return answer, results


def _describe(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:300]


def _run(stage: Stage, spec: Mapping[str, Any], items_blob: bytes) -> tuple[wire.Header, list[bytes]]:
    if stage.is_growing:
        stage.load()
    unequal = answering(stage.unequal)
    items, is_flat = (load_items(items_blob, unequal), are_flat(items_blob)) if items_blob else (None, False)
    if "kept" in spec:
        items, is_flat = rows_left(spec["kept"], items)
    if "sample" in spec:
        _check_sample(stage, spec, items)
    known = _known_objects(stage)
    rows = GivenRows(
        items, spec["start"], with_identities=stage.with_identities, may_be_unequal=unequal.has_read, is_looked_at=stage.looks_at(spec),
        are_flat=is_flat
    )
    randomness = random_state() if stage.seeded else None
    decimals = decimal_state() if stage.sees_decimals else ""
    counter = Counting(read_chunk(spec, items), items)
    with warnings.catch_warnings():
        capture_warnings(stage.surroundings["warning_filters"])
        outputs = _call(stage, spec, counter)
    if stage.seeded and random_state() != randomness:
        raise Escape("it draws from a random generator that the script seeds")
    if stage.sees_decimals and decimal_state() != decimals:
        raise Escape("it changes the context of decimal arithmetic")
    stage.require_unchanged()
    changed = rows.changes()
    if changed and stage.shares:
        raise Escape("it changes rows that the values around it hold, too")
    journal = Journal.current.take()
    if stage.is_divided and (journal or shadows.has_written()):
        raise Escape("it writes, and the code that runs as written beside it must come first")
    cached = reachable_mutables(cached_values, with_identities=stage.with_identities)
    if cached is None:
        raise Escape("too many objects in caches to tell whether results share them")
    known |= dict.fromkeys(cached)
    known |= rows.known([outputs, changed])
    if stage.may_leave_rows:
        facts, sizes = stage.blocks[-1].facts, {"least_bytes": stage.least_kept, "piece_bytes": stage.piece_bytes}
        leave_rows(outputs, known, facts=facts, folder=stage.scratch, **sizes)
    found = {"outputs": outputs, "journal": journal, "changed": changed}
    result = dump_results(found, known, unequal, with_identities=stage.with_identities)
    return _sealed(stage, {"status": "ok", "records": counter.count, "files": shadows.take()}, result)


def _sealed(stage: Stage, answer: wire.Header, result: bytes) -> tuple[wire.Header, list[bytes]]:
    """An answer with its result, or with the name of the file that has it."""
    if len(result) >= LARGE_RESULT_BYTES and (path := shadows.leave(stage.scratch, [result])):
        return {**answer, "left": path}, []
    return answer, [result]


def _check_sample(stage: Stage, spec: Mapping[str, Any], items: Any) -> None:
    """Hold the proof of a stage against its first rows; nothing of that is left.

    Raises:
        Escape: it does not hold.
    """

    def run(start: int, rows: list[Any]) -> tuple[list[Any], list[Any]]:
        shadows.drop()
        shadows.begin()
        stage.load()
        position = spec["index"] + start
        starts = [block.fresh_starts(position, is_own=True) for block in stage.blocks]
        outputs = _call(stage, {**spec, "index": position}, iter(rows))
        stage.require_unchanged()
        return outputs, starts

    decimals = decimal_state() if stage.sees_decimals else ""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            records = itertools.islice(read_chunk(spec, items), spec["sample"])
            check_on_sample(records, [block.facts for block in stage.blocks], run)
    except Escape:
        raise
    except BaseException:  # whatever the script raises at these rows, the chunk itself will raise
        Escape.last = None
    if stage.sees_decimals and decimal_state() != decimals:
        raise Escape("it changes the context of decimal arithmetic")
    shadows.drop()
    shadows.begin()
    Journal.current, Escape.last = Journal(), None
    stage.load()


def _call(stage: Stage, spec: Mapping[str, Any], records: Any) -> list[Any]:
    """Run the blocks of the stage, each fed by the one before, row by row."""
    *feeders, last = stage.blocks
    for block in feeders:
        records = block.stream(records, spec["index"])
    pulled = Counting(records) if last.facts.given else records
    left = last.run(pulled, spec["index"])
    if any(fact.merge is Merge.YIELD for fact in last.facts.accumulators):
        given: list[Any] = []
        left = {**_drain(left, given, pulled if last.facts.given else None), "__rs_yields": given}
    for _ in records:
        pass  # a consumer that has seen enough: the rest must be seen to be harmless
    return [*(block.outputs({**block.left, **_no_yields(block)}) for block in feeders), last.outputs(left)]


def _no_yields(block: Block) -> dict[str, Any]:
    return {fact.local: [] for fact in block.facts.accumulators if fact.merge is Merge.YIELD}


def _drain(generator: Any, given: list[Any], pulled: Counting | None) -> Any:
    while True:
        try:
            row = next(generator)
            given.append(row if pulled is None else (pulled.count, row))
        except StopIteration as end:
            return end.value


def _part(fact: Accumulator, left: Mapping[str, Any]) -> Any:
    if fact.key:
        return left[f"__rs_from_{fact.local}"], left[f"__rs_to_{fact.local}"], left[fact.local]
    return finished_value(fact, left[fact.local])


def _known_objects(stage: Stage) -> dict[int, object]:
    """Objects that the driver has: by id, how it finds them, or None where a result must not hold them."""
    if stage.mutables is None:
        raise Escape("too many objects around it to tell whether results share them")
    return dict.fromkeys(stage.mutables)
