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
import time
import warnings
import weakref
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import types
    from collections.abc import Mapping, Sequence

    from runsurge_dask.runner.facts import SiteFacts
    from runsurge_dask.runner.sites import Runtime

WORK_SECONDS_PER_BYTE = 6e-8
"""What is done with a row after it is read costs more than reading it (20 ns a byte at most): writing it as text costs 75."""
WATCHED = frozenset({"open", "os.remove", "os.rename", "os.truncate", "shutil.copyfile", "shutil.move"})
RUNNING = frozenset({"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.forkpty"})


def install(runtime: Runtime) -> None:
    """Make `pandas.read_csv` ours, now or when the script imports pandas."""
    facts = {(os.path.abspath(site.file), site.line): site for site in runtime.sites.values() if site.form == "frame"}
    if not facts:
        return
    runtime.frame_sites = facts  # type: ignore[attr-defined]
    runtime.first_lines = first_lines({file for file, _ in facts})  # type: ignore[attr-defined]
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


def first_lines(files: set[str]) -> dict[tuple[str, int], int]:
    """For each line of the script the first line of its statement."""
    found: dict[tuple[str, int], int] = {}
    for file in files:
        with open(file, "rb") as opened:
            tree = ast.parse(opened.read())
        for node in ast.walk(tree):
            if isinstance(node, ast.stmt):
                end = node.end_lineno or node.lineno
                body = getattr(node, "body", None)
                last = min(end, body[0].lineno - 1) if isinstance(body, list) and body else end
                for line in range(node.lineno, max(last, node.lineno) + 1):
                    found[file, line] = max(node.lineno, found.get((file, line), 0))
    return found


def _replace(runtime: Runtime) -> None:
    import pandas as pd

    from runsurge_dask.runner.frames import accessors, answers, groups, lazy, methods, writing

    for room in (methods, accessors, answers, groups, writing):
        room.install()
    plain = pd.read_csv

    def read_csv(*__rs_it: Any, **kwargs: Any) -> Any:
        if len(__rs_it) == 1 and not runtime.busy:
            found = _open(runtime, plain, __rs_it[0], kwargs)
            if found is not None:
                return found
        return plain(*__rs_it, **kwargs)

    read_csv.__doc__, read_csv.__module__ = plain.__doc__, plain.__module__
    read_csv.__wrapped__ = plain  # type: ignore[attr-defined]
    pd.read_csv = lazy.as_pandas(read_csv)
    sys.addaudithook(_guard(runtime))


def _open(runtime: Runtime, plain: Any, path: Any, arguments: Mapping[str, Any]) -> Any:
    from runsurge_dask.runner.frames import lazy, reading
    from runsurge_dask.runner.frames.nodes import Node, Rowset
    from runsurge_dask.runner.frames.stage import FrameSource

    place = _place(runtime, sys._getframe(2))  # noqa: SLF001 - the line of the script that called `read_csv`
    facts: SiteFacts | None = runtime.frame_sites.get(place) if place else None  # type: ignore[attr-defined]
    if facts is None or runtime.is_closed(facts.site) or not isinstance(path, str | os.PathLike):
        return None
    is_forced = bool(runtime.options["chunks"])
    if not is_forced and (not os.path.isfile(path) or os.path.getsize(path) * 4 * WORK_SECONDS_PER_BYTE < runtime.options["worth_seconds"]):
        return None
    begun = time.perf_counter()
    try:
        table, first = reading.open_table(path, arguments)
    except (reading.UnsupportedError, OSError) as refusal:
        runtime.tell({"op": "decline", "site": facts.site, "reason": f"pandas reads it as a whole: {refusal}"})
        return None
    seconds = (time.perf_counter() - begun) / (2 * reading.HEAD_BYTES)
    node = Node("source", rows=Rowset(None, _index_kind(arguments)), line=facts.line)
    node.meta = first
    source = FrameSource(runtime, facts, table, _reader(plain, path, dict(arguments), place), node)
    if not source.look_over(min(seconds, 2e-8) + WORK_SECONDS_PER_BYTE, facts.line):
        return None
    runtime.frame_sources.add(source)  # type: ignore[attr-defined]
    return lazy.wrap(source, node)


def _index_kind(arguments: Mapping[str, Any]) -> str:
    is_own = arguments.get("index_col") is not None  # pandas may well make a range of its values
    return "own" if is_own else "rows"


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
        sources = list(runtime.frame_sources)  # type: ignore[attr-defined]
        if not sources or (event == "open" and not is_writing(arguments)):
            return
        paths = {os.path.abspath(os.fsdecode(value)) for value in arguments if isinstance(value, str | bytes | os.PathLike)}
        for source in sources:
            if event in RUNNING or source.table.path in paths:
                source.plain()

    return hook


def is_writing(arguments: tuple[Any, ...]) -> bool:
    """Whether a file is opened to be changed, as the audit hook hears of it."""
    _, mode, flags = arguments
    if isinstance(mode, str) and set(mode) & set("wax+"):
        return True
    return isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_TRUNC))
