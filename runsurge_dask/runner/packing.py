"""What leaves the driver for the chunks of a stage: code, the values around it, and the proof that copies of them will do."""

from __future__ import annotations

import gc
import io
import marshal
import pickle
import sys
import time
import types
from typing import TYPE_CHECKING, Any

from runsurge_dask.runner.codec import HIDDEN, EnvironmentPickler, load_items
from runsurge_dask.runner.escape import CannotShip
from runsurge_dask.runner.kept import LEAST_BYTES, fits, in_memory, kept_rows, settle
from runsurge_dask.runner.plain import ATOMIC, as_pickled, dump_plain
from runsurge_dask.runner.sharing import function_values, reachable_mutables
from runsurge_dask.runner.sinks import SinkSet
from runsurge_dask.runner.standins import real
from runsurge_dask.runner.surroundings import surroundings
from runsurge_dask.runner.unequal import Register, sending

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runsurge_dask.runner.cutting import Operation
    from runsurge_dask.runner.facts import SiteFacts
    from runsurge_dask.runner.sites import Runtime
    from runsurge_dask.runner.sources import Source


def dump(
    runtime: Runtime, value: Any, unequal: Register, sinks: SinkSet | None = None, stand_ins: Mapping[int, str] | None = None
) -> bytes:
    """Pickle a value of the script's for chunks.

    Raises:
        CannotShip: it cannot be copied to another process.
    """
    file = io.BytesIO()
    pickler = EnvironmentPickler(
        file,
        sinks=sinks or SinkSet(),
        plain_code=runtime.plain_code,
        user_modules=runtime.user_modules,
        stand_ins=stand_ins or {},
        caches_are_seen=runtime.options["caches_are_seen"],
        refer=unequal.reference,
    )
    try:
        pickler.dump(value)
    except CannotShip:
        raise
    except Exception as error:
        raise CannotShip(f"a value around it cannot be copied to another process ({error})") from None
    return file.getvalue()


def dump_items(runtime: Runtime, items: Any, unequal: Register | None = None) -> bytes:
    """Write the rows of one chunk.

    Raises:
        CannotShip: they cannot be copied to another process.
    """
    return dump_plain(items) or as_pickled(dump(runtime, items, unequal or sending()))


READING_FACTOR = 2.0
"""Rows that come back are many, and new: they take twice as long as a few that are read in a row."""


def returning_seconds(runtime: Runtime, rows: list[Any], workers: int) -> float:
    """What it costs the run to have one of such rows come back: chunks write them at the same time, the driver reads them; 0 if unknown."""
    begun = time.perf_counter()
    try:
        blob = dump_items(runtime, rows)
    except CannotShip:
        return 0.0
    written = time.perf_counter()
    load_items(blob)
    return ((written - begun) / workers + (time.perf_counter() - written) * READING_FACTOR) / len(rows)


def pack_stage(runtime: Runtime, source: Source, iterable: Any, operations: list[Operation]) -> tuple[bytes, SinkSet]:
    """The code of a stage with everything around it, as one blob for all its chunks, and the sinks that it writes to.

    Raises:
        CannotShip: its blocks share an object with what they grow, or a value cannot leave its process.
    """
    if sys.getprofile() is not None or sys.gettrace() is not None:
        raise CannotShip("the script watches its own calls")
    if runtime.options["sees_errors"] and sys.exc_info()[1] is not None:
        raise CannotShip("an exception is being handled around it, and the script may look at that")
    sinks, unequal = SinkSet(), runtime.sent.around
    grown = {key: entry for operation in operations for key, entry in operation.grown.items()}
    parts: list[tuple[SiteFacts, bytes]] = []
    environments: list[Mapping[str, Any]] = []
    data: list[Any] = []
    for operation in operations:
        names = {name: _whole(runtime, name, real(operation.names[name])) for name in operation.facts.free if name in operation.names}
        for name, value in names.items():
            if id(value) in grown and not grown[id(value)][1]:
                raise CannotShip(f"`{name}` is another name for `{grown[id(value)][0]}`, which grows here")
        data.extend(names.values())
        parts.append((operation.facts, dump(runtime, operation.starts, unequal)))
        environments.append(names)
    stand_ins = {key: local for key, (local, is_shared) in grown.items() if is_shared}
    refused = {key: "" for key, (_, is_shared) in grown.items() if not is_shared}
    if source.kind == "items" and type(source.items) in {list, tuple} and not any(value is source.items for value in data):
        stand_ins.setdefault(id(source.items), HIDDEN)
    named = {key for key, (local, is_shared) in grown.items() if is_shared and not local.startswith("__rs_")}
    _refuse_other_ways(data, set(grown), named)
    environment = dump(runtime, environments, unequal, sinks, {**stand_ins, **refused})
    compares = any(operation.facts.compares_identity for operation in operations)
    shares = _have_common_objects(source, iterable, data, set(grown), with_identities=compares)
    if shares and operations[-1].facts.given:
        raise CannotShip("its rows share a mutable object with the values around it, which the rest of the loop may change")
    outer = {
        "shares": shares,
        "surroundings": surroundings(),
        "seeded": runtime.options["seeded"],
        "sees_decimals": runtime.options["sees_decimals"],
        "is_divided": bool(operations[-1].facts.given),
        "scratch": runtime.options["scratch"],
        "least_kept": 0 if runtime.options["chunks"] else LEAST_BYTES,
        "piece_bytes": runtime.options["piece_bytes"],
        "operations": pickle.dumps(parts),
        "environment": environment,
    }
    return marshal.dumps(outer), sinks


def _whole(runtime: Runtime, name: str, value: Any) -> Any:
    """A value around a block, as its chunks need it: a list is all there.

    Raises:
        CannotShip: rows that stay in files would fill the memory of this process, and of each chunk.
    """
    found = kept_rows(value)
    if found is not None and not runtime.options["chunks"] and not fits(found.size):
        raise CannotShip(f"each of its chunks would need all rows of `{name}`, which stay in files")
    return settle(value)


def _refuse_other_ways(data: list[Any], grown: set[int], shared: set[int]) -> None:
    """What functions make grow must be reached by its own name only: a table that holds it would show a part of it."""
    if not shared:
        return
    values: list[Any] = []
    waiting, seen = list(data), set[int]()
    while waiting:
        value = waiting.pop()
        if id(value) in seen or id(value) in grown:
            continue
        seen.add(id(value))
        if isinstance(value, types.FunctionType):
            waiting.extend(inner for inner in function_values(value) if inner is not value.__closure__)
            waiting.extend(inner for cell in value.__closure__ or () for inner in gc.get_referents(cell))
        elif not isinstance(value, types.ModuleType | type):
            values.append(value)
    within = reachable_mutables(values, with_code=False)
    if within is None or within & shared:
        raise CannotShip("a value that grows here can be reached in another way, too")


def _have_common_objects(source: Source, iterable: Any, data: list[Any], grown: set[int], *, with_identities: bool) -> bool:
    """Whether rows and the values around the block have a mutable object in common: their copies will not, so nobody may change it.

    Raises:
        CannotShip: it would show.
    """
    if grown and _holds(iterable, grown, depth=4):
        raise CannotShip("it grows what it iterates over")
    if source.is_file or type(source.items) is range:
        return False
    is_held = any(value is source.items for value in data)
    if with_identities and is_held:
        raise CannotShip("it asks whether values are the same object, and its rows would be two")
    around = reachable_mutables(data, skipped=source.items, with_identities=with_identities)
    if around is None:
        raise CannotShip("too many objects around it to tell whether rows share them")
    if not around and not grown and not is_held:
        return False
    rows = in_memory(source.items)
    own = reachable_mutables(rows, with_identities=with_identities)
    common = set() if own is None else own if is_held else own & around
    if own is None or own & grown or (common and (with_identities or _are_told_apart(rows, common))):
        raise CannotShip("its rows share an object with the values around it, and may tell it from a copy")
    return bool(common)


def _are_told_apart(items: Any, among: set[int]) -> bool:
    """Whether rows hold one of these objects, such as a function, that is equal to nothing but itself: copies of it would not be."""
    waiting, seen = [items], set[int]()
    while waiting:
        value = waiting.pop()
        if id(value) in seen or type(value) in ATOMIC or isinstance(value, types.ModuleType | type):
            continue
        seen.add(id(value))
        if id(value) in among and type(value).__eq__ is _IDENTITY:
            return True
        if not isinstance(value, types.FunctionType):
            waiting.extend(gc.get_referents(value))
    return False


_IDENTITY: Any = object.__eq__


def _holds(iterable: Any, wanted: set[int], *, depth: int) -> bool:
    if id(iterable) in wanted:
        return True
    is_view = type(iterable).__module__ == "builtins" and type(iterable) not in {list, tuple, dict, set, str, range}
    return bool(depth) and is_view and any(_holds(inner, wanted, depth=depth - 1) for inner in gc.get_referents(iterable))
