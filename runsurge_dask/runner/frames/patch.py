"""Put our `read_csv` in the place of pandas', for the driver process of one run.

For example at `df = pd.read_csv("big.csv")` in line 4 of the script, with line 4 a site of form `frame`: the result is a
lazy frame. Calls from anywhere else, from threads, or of files that are not worth it are pandas' own.
"""

from __future__ import annotations

import ast
import importlib.abc
import importlib.machinery
import os
import sys
import warnings
import weakref
from typing import TYPE_CHECKING, Any

from runsurge_dask.runner import late
from runsurge_dask.runner.limits import spare_bytes

if TYPE_CHECKING:
    import types
    from collections.abc import Mapping, Sequence

    from runsurge_dask.runner.facts import SiteFacts
    from runsurge_dask.runner.frames.table import Table
    from runsurge_dask.runner.sites import Runtime

LEAST_WORTH = {"reading": 2.4e-7, "parquet": 2.4e-6}
"""Seconds that work on a byte of a file may take at most; smaller files are not opened. Parquet is packed."""
READING_SAVED = 1.6e-9
"""Seconds saved of each byte of a text of which only small things are asked: pandas itself, which reads on several threads, is faster up
to some 400 MB, and half as fast from 700 MB on (measured)."""
IN_MEMORY = {"reading": 4, "parquet": 10}
"""Bytes in memory a byte of a file may become while it is read."""
WATCHED = frozenset({"open", "os.remove", "os.rename", "os.truncate", "shutil.copyfile", "shutil.move"})
RUNNING = frozenset({"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.forkpty"})


def install(runtime: Runtime) -> None:
    """Make `pandas.read_csv` ours, now or when the script imports pandas."""
    facts = {(site.file, site.line): site for site in runtime.sites.values() if site.form == "frame"}
    if not facts:
        return
    runtime.frame_sites = facts  # type: ignore[attr-defined]
    runtime.first_lines, runtime.bodies = first_lines({file for file, _ in facts})  # type: ignore[attr-defined]
    runtime.frame_sources = weakref.WeakSet()  # type: ignore[attr-defined]
    if "pandas" in sys.modules:
        _replace(runtime)
    else:
        sys.meta_path.insert(0, _WhenImported(runtime))


class _WhenImported(importlib.abc.MetaPathFinder):
    """Waits for the script's import of pandas."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        if name != "pandas":
            return None
        sys.meta_path.remove(self)
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def exec_module(module: types.ModuleType) -> None:
                execute(module)
                _replace(self.runtime)

            spec.loader.exec_module = exec_module  # type: ignore[method-assign]
        return spec


def first_lines(files: set[str]) -> tuple[dict[tuple[str, int], int], dict[tuple[str, int], list[ast.stmt]]]:
    """For each line of the script the first line of its statement, and for those what stands from there on in the same body."""
    found: dict[tuple[str, int], int] = {}
    bodies: dict[tuple[str, int], list[ast.stmt]] = {}
    for file in files:
        with open(file, "rb") as opened:
            tree = ast.parse(opened.read())
        for node in ast.walk(tree):
            for name in ("body", "orelse", "finalbody"):
                inner = getattr(node, name, None)
                if isinstance(inner, list):
                    bodies.update({(file, statement.lineno): inner[place:] for place, statement in enumerate(inner)})
            if isinstance(node, ast.stmt):
                end = node.end_lineno or node.lineno
                body = getattr(node, "body", None)
                last = min(end, body[0].lineno - 1) if isinstance(body, list) and body else end
                for line in range(node.lineno, max(last, node.lineno) + 1):
                    found[file, line] = max(node.lineno, found.get((file, line), 0))
    return found, bodies


def _replace(runtime: Runtime) -> None:
    import pandas as pd

    from runsurge_dask.runner.frames import accessors, answers, functions, groups, joining, methods, summaries, writing

    for room in (methods, accessors, answers, functions, groups, joining, summaries, writing):
        room.install()
    pd.read_csv = _lazy_reader(runtime, pd.read_csv, "reading")
    pd.read_parquet = _lazy_reader(runtime, pd.read_parquet, "parquet")
    sys.addaudithook(_guard(runtime))


def _text_of(runtime: Runtime) -> str:
    """The text of the script and of its own modules; empty where warnings are errors, so that every column is read for what pandas says."""
    if any(entry[0] == "error" for entry in warnings.filters):
        return ""
    files = {site.file for site in runtime.sites.values()}
    files |= {file for module in runtime.user_modules.values() if (file := getattr(module, "__file__", None))}
    texts = []
    for file in sorted(files):
        with open(file, encoding="utf-8", errors="replace") as opened:
            texts.append(opened.read())
    return "\n".join(texts)


def _lazy_reader(runtime: Runtime, plain: Any, room: str) -> Any:
    """A function that reads lazily where it can, and is pandas' own otherwise."""
    from runsurge_dask.runner.frames import lazy

    def read(*__rs_it: Any, **kwargs: Any) -> Any:
        if len(__rs_it) == 1 and not runtime.busy:
            found = _open(runtime, plain, room, __rs_it[0], kwargs)
            if found is not None:
                return found
        for source in list(runtime.frame_sources):  # type: ignore[attr-defined]
            if not source.is_settled and not source.settle():
                source.plain()  # what this call raises comes after what that raises
        return plain(*__rs_it, **kwargs)

    read.__name__ = read.__qualname__ = plain.__name__
    read.__doc__, read.__module__ = plain.__doc__, plain.__module__
    read.__wrapped__ = plain  # type: ignore[attr-defined]
    return lazy.as_pandas(read)


def _open(runtime: Runtime, plain: Any, room: str, path: Any, arguments: Mapping[str, Any]) -> Any:
    from runsurge_dask.runner.frames import lazy, parquet, reading
    from runsurge_dask.runner.frames.nodes import Node, Rowset
    from runsurge_dask.runner.frames.stage import FrameSource
    from runsurge_dask.runner.frames.table import UnsupportedError

    place = _place(runtime, sys._getframe(2))  # noqa: SLF001 - the line of the script that called it
    facts: SiteFacts | None = runtime.frame_sites.get(place) if place else None  # type: ignore[attr-defined]
    if facts is None or runtime.is_closed(facts.site) or not isinstance(path, str | os.PathLike):
        return None
    if not runtime.is_forced(facts.site) and not _is_worth_it(runtime, facts, path, room):
        return None
    table: Table
    try:
        table, first = {"reading": reading, "parquet": parquet}[room].open_table(path, arguments)
    except (UnsupportedError, OSError) as refusal:
        runtime.tell({"op": "decline", "site": facts.site, "reason": f"pandas reads it as a whole: {refusal}"})
        return None
    node = Node("source", rows=Rowset(None, table.index_kind), line=facts.line)
    node.meta = first
    if node.rows is not None and table.index_kind == "own":
        node.rows.node, node.rows.makes_ranges = node, room == "reading"
    source = FrameSource(runtime, facts, table, _reader(plain, path, dict(arguments), place), node)
    source.is_large = runtime.is_forced(facts.site) or is_too_large(os.path.getsize(path), room)
    is_waiting = facts.may_wait and table.may_wait and source.wait(late.place_of(sys._getframe(2), lambda _: True), _text_of(runtime))  # noqa: SLF001
    if not is_waiting and not source.look_over(facts.line):
        return None
    if room == "parquet":
        _watch_parquet(runtime)
    runtime.frame_sources.add(source)  # type: ignore[attr-defined]
    return lazy.wrap(source, node)


def is_too_large(size_bytes: int, room: str) -> bool:
    """Whether a file of this size would not fit as a frame."""
    return size_bytes * IN_MEMORY[room] > spare_bytes()


def _is_worth_it(runtime: Runtime, facts: SiteFacts, path: Any, room: str) -> bool:
    """Whether work on this file may be worth cutting: pandas reads on several threads itself, and its own functions cost less than that."""
    if not os.path.isfile(path):
        return False
    size = os.path.getsize(path)
    if is_too_large(size, room):
        return True
    if room == "reading" and facts.is_small and facts.may_wait and size * READING_SAVED >= runtime.options["worth_seconds"]:
        return True
    if not facts.is_slow:
        runtime.tell({"op": "decline", "site": facts.site, "reason": "pandas' own functions are as fast as reading: cutting gains nothing"})
    return facts.is_slow and size * LEAST_WORTH[room] >= runtime.options["worth_seconds"]


def _place(runtime: Runtime, frame: Any) -> tuple[str, int] | None:
    place = (os.path.abspath(frame.f_code.co_filename), frame.f_lineno)
    first: dict[tuple[str, int], int] = runtime.first_lines  # type: ignore[attr-defined]
    return (place[0], first[place]) if place in first else None


def _reader(plain: Any, path: Any, arguments: dict[str, Any], place: Any) -> Any:
    """Read it all as pandas does, with warnings at the line of the call."""
    absolute = os.path.abspath(path)

    def read() -> Any:
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            frame = plain(absolute, **arguments)
        for each in heard:
            warnings.warn_explicit(each.message, each.category, place[0], place[1])
        return frame

    return read


def _guard(runtime: Runtime) -> Any:
    """Before the script changes a file that a lazy frame still has to read, the frame is read."""

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event not in WATCHED and event not in RUNNING:
            return
        if event != "open" or is_writing(arguments):
            _read_before(runtime, arguments, is_any=event in RUNNING)

    return hook


def _read_before(runtime: Runtime, arguments: tuple[Any, ...], *, is_any: bool = False) -> None:
    """Read the frames of these files, or of all, as they are now."""
    sources = list(runtime.frame_sources)  # type: ignore[attr-defined]
    if not sources:
        return
    paths = {os.path.realpath(os.fsdecode(value)) for value in arguments if isinstance(value, str | bytes | os.PathLike)}
    for source in sources:
        if is_any or os.path.realpath(source.table.path) in paths:
            source.plain()


def _watch_parquet(runtime: Runtime) -> None:
    """PyArrow opens files without telling Python."""
    import pandas as pd
    import pyarrow.parquet as pq

    from runsurge_dask.runner.frames import lazy

    if hasattr(pd.DataFrame.to_parquet, "__rs_watched__"):
        return
    places = [(pd.DataFrame, name) for name in ("to_parquet", "to_feather", "to_orc")]
    for owner, name in [*places, (pq.ParquetWriter, "__init__")]:
        watched = lazy.as_pandas(_watched(runtime, getattr(owner, name)))
        watched.__rs_watched__ = True
        setattr(owner, name, watched)


def _watched(runtime: Runtime, plain: Any) -> Any:
    def write(__rs_it: Any, /, *args: Any, **kwargs: Any) -> Any:
        _read_before(runtime, (*args[:1], kwargs.get("path"), kwargs.get("where")))
        return plain(__rs_it, *args, **kwargs)

    write.__name__, write.__qualname__, write.__doc__ = plain.__name__, plain.__qualname__, plain.__doc__
    return write


def is_writing(arguments: tuple[Any, ...]) -> bool:
    """Whether a file is opened to be changed, as the audit hook hears of it."""
    _, mode, flags = arguments
    if isinstance(mode, str) and set(mode) & set("wax+"):
        return True
    return isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_TRUNC))
