"""The driver child: it runs the script, rewritten at its sites, in one process and one namespace, as plain Python would.

Nothing of ours may show: `__main__`, `sys.argv`, tracebacks, warnings and exit status are those of `python script.py`.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib.abc
import importlib.machinery
import itertools
import json
import linecache
import marshal
import os
import pickle
import signal
import sys
import threading
import traceback
import types
import weakref
from typing import TYPE_CHECKING, Any

from cloudpickle import register_pickle_by_value

from runsurge_dask.runner import csvs, files, idioms, late, wire
from runsurge_dask.runner.arrays import patch as arrays
from runsurge_dask.runner.files import OutputFiles
from runsurge_dask.runner.frames import patch
from runsurge_dask.runner.limits import set_limit
from runsurge_dask.runner.outgrown import Outgrown, line_of, listen
from runsurge_dask.runner.sites import Runtime

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator, Mapping, Sequence

INTERRUPTED = 130
_RUNNER_FOLDER = os.path.dirname(os.path.abspath(__file__))


def drive(channel: socket.socket) -> int:
    """Run one script; returns its exit status."""
    header, blobs = wire.receive(channel)
    _redirect(header)
    program = pickle.loads(blobs[0])  # noqa: S301 - from our own client
    _count_interrupts()
    listen()
    runtime = Runtime(channel, program["sites"], header["options"])
    set_limit(0 if header["options"]["chunks"] else header["options"]["script_bytes"])
    _prepare(header, program, runtime)
    main = _main_module(header["path"], program["doc"])
    vars(main)["__runsurge__"] = runtime
    runtime.main = main  # type: ignore[attr-defined]
    failed = True
    outgrown: int | None = None
    try:
        entry = header["entry"]
        try:
            exec(marshal.loads(program["main"]), vars(main))  # noqa: S102, S302 - the user's script is what we are here to run
            result = _call_entry(main, entry) if entry else None
        finally:
            _settle_arrays(runtime)
        failed, status = False, 0
        if entry:
            _print_result(result)
    except SystemExit as request:
        status = _exit_status(request)
        failed = False
    except KeyboardInterrupt as error:
        OutputFiles.current.note_failure(error)
        _print_exception()
        status = INTERRUPTED
    except Outgrown as error:
        OutputFiles.current.note_failure(error)
        outgrown, status = line_of(error.__traceback__, os.path.abspath(header["path"])), 1
    except BaseException as error:  # the top of the user's program: print it as the interpreter does
        OutputFiles.current.note_failure(error)
        _print_exception()
        status = 1
    holder = [main]
    del main, runtime.main  # type: ignore[attr-defined]
    status = _finish(holder, status, failed=failed)
    with contextlib.suppress(OSError):
        runtime.tell({"op": "finished", "status": status} if outgrown is None else {"op": "outgrown", "line": outgrown})
    return status


def _settle_arrays(runtime: Runtime) -> None:
    """Give the warnings of array expressions that nobody has asked for."""
    if runtime.arrays is not None and not isinstance(sys.exc_info()[1], KeyboardInterrupt):
        runtime.arrays.settle_warnings()


def _count_interrupts() -> None:
    """Raise Ctrl-C where only the client got it: each SIGURG says that there should have been one more by now."""
    read, write = os.pipe()
    os.set_blocking(read, False)
    os.set_blocking(write, False)
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    missing = 0

    def catch_up(*_: object) -> None:
        nonlocal missing
        missing += 1
        with contextlib.suppress(BlockingIOError):
            missing = max(0, missing - os.read(read, 4096).count(signal.SIGINT))
        if missing:
            missing = 0
            signal.raise_signal(signal.SIGINT)

    signal.signal(signal.SIGURG, catch_up)


def _redirect(header: Mapping[str, Any]) -> None:
    """Put standard output and error where the client wants them, if not in its own."""
    os.chdir(header["cwd"])
    for number, path in ((1, header["stdout"]), (2, header["stderr"])):
        if path:
            opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
            os.dup2(opened, number)
            os.close(opened)


def _prepare(header: Mapping[str, Any], program: Mapping[str, Any], runtime: Runtime) -> None:
    sys.argv = [header["script"], *header["argv"]]
    sys.path.insert(0, os.path.dirname(header["path"]))
    sys.flags  # noqa: B018
    for name in [name for name in sys.modules if name.split(".")[0] in program["modules"]]:
        del sys.modules[name]
    runtime.plain_code = _code_table(program)
    runtime.user_modules = {}
    sys.meta_path.insert(0, _UserModules(program["modules"], runtime))
    if not header["options"]["is_telling_files"]:
        files.install()
        csvs.install()
    idioms.install(runtime, program["imports"])
    patch.install(runtime)
    arrays.install(runtime, is_strict=program["writes_errors"], is_exact=program["writes_bytes"])
    _hide_our_frames()
    _leave_room_for_our_frames()
    _set_blas_threads()


def _leave_room_for_our_frames() -> None:
    """Let the script recurse as deep as it could without us below it."""
    depth, frame = 2, sys._getframe(1)  # noqa: SLF001 - a count of frames is what the limit counts
    while frame.f_back is not None:
        depth, frame = depth + 1, frame.f_back
    get_limit, set_limit = sys.getrecursionlimit, sys.setrecursionlimit
    set_limit(get_limit() + depth)
    sys.getrecursionlimit = lambda: get_limit() - depth
    sys.setrecursionlimit = lambda limit: set_limit(limit + depth)


def _set_blas_threads() -> None:
    """Give BLAS the thread count that the plain run would have had; its results depend on it in the last bits."""
    if "numpy" not in sys.modules:
        return
    import threadpoolctl

    wanted = os.environ.get("OPENBLAS_NUM_THREADS") or os.environ.get("OMP_NUM_THREADS")
    threadpoolctl.threadpool_limits(int(wanted) if wanted else len(os.sched_getaffinity(0)))


def _main_module(path: str, doc: str | None) -> types.ModuleType:
    main = types.ModuleType("__main__", doc)
    main.__dict__.update({"__file__": path, "__builtins__": __builtins__, "__spec__": None, "__cached__": None, "__loader__": None})
    sys.modules["__main__"] = main
    return main


def _code_table(program: Mapping[str, Any]) -> dict[tuple[str, str, int], types.CodeType]:
    """The functions that hold sites, in the form they have in the source."""
    table: dict[tuple[str, str, int], types.CodeType] = {}
    for rewritten, plain in program["pairs"]:
        twins = {(c.co_name, c.co_firstlineno): c for c in _functions(marshal.loads(plain))}  # noqa: S302
        for code in _functions(marshal.loads(rewritten)):  # noqa: S302
            twin = twins.get((code.co_name, code.co_firstlineno))
            if twin is not None and _mentions_runtime(code):
                table[code.co_filename, code.co_name, code.co_firstlineno] = twin
    return table


def _functions(code: types.CodeType) -> Iterator[types.CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield constant
            yield from _functions(constant)


def _mentions_runtime(code: types.CodeType) -> bool:
    return "__runsurge__" in code.co_names or any(_mentions_runtime(c) for c in _functions(code))


class _UserModules(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports the modules beside the script in their rewritten form."""

    def __init__(self, modules: Mapping[str, tuple[str, bytes, bool]], runtime: Runtime) -> None:
        self.modules = modules
        self.runtime = runtime

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        del path, target
        if name not in self.modules:
            return None
        file, _, is_package = self.modules[name]
        spec = importlib.machinery.ModuleSpec(name, self, origin=file, is_package=is_package)
        spec.has_location = True
        if is_package:
            spec.submodule_search_locations = [os.path.dirname(file)]
        return spec

    def exec_module(self, module: types.ModuleType) -> None:
        vars(module)["__runsurge__"] = self.runtime
        register_pickle_by_value(module)
        self.runtime.user_modules = {**self.runtime.user_modules, module.__name__: module}
        exec(marshal.loads(self.modules[module.__name__][1]), vars(module))  # noqa: S102, S302


def _call_entry(main: types.ModuleType, entry: str) -> Any:
    """Call `main()`, or `process(text)` with the text of the file named first (else of standard input)."""
    if entry == "main":
        return main.main()
    if len(sys.argv) > 1:
        with open(sys.argv[1], encoding="utf-8") as file:
            return main.process(file.read())
    return main.process(sys.stdin.read())


def _print_result(result: Any) -> None:
    print(json.dumps(result, default=_to_json))  # noqa: T201 - the return value of `main()` is the program's answer


def _to_json(value: Any) -> Any:
    for name in ("to_json", "To_Json", "toJSON"):
        method = getattr(value, name, None)
        if callable(method):
            text = method()
            if not isinstance(text, str):
                return text
            try:
                return json.loads(text)
            except ValueError:
                return text
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")


def _exit_status(request: SystemExit) -> int:
    if request.code is None:
        return 0
    if isinstance(request.code, int):
        return request.code & 0xFF
    print(request.code, file=sys.stderr)  # noqa: T201 - what the interpreter does
    return 1


def _print_exception() -> None:
    error = sys.exc_info()[1]
    assert error is not None
    _unlink_our_frames(error, set())
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
    sys.excepthook(type(error), error, error.__traceback__)


def _unlink_our_frames(error: BaseException | None, seen: set[int]) -> None:
    """Leave only the user's frames in the tracebacks of an exception and of those behind it."""
    if error is None or id(error) in seen:
        return
    seen.add(id(error))
    frames = _shown(error.__traceback__)
    for frame, following in itertools.pairwise([*frames, None]):
        assert frame is not None
        frame.tb_next = following
    error.__traceback__ = frames[0] if frames else None
    for other in (error.__cause__, error.__context__, *getattr(error, "exceptions", ())):
        _unlink_our_frames(other, seen)


def _shown(trace: types.TracebackType | None) -> list[types.TracebackType]:
    """The entries of a traceback that plain Python would have; from one that belongs elsewhere to our doing it there is nothing between."""
    entries: list[types.TracebackType] = []
    while trace is not None:
        entries.append(trace)
        trace = trace.tb_next
    ours = [n for n, entry in enumerate(entries) if _is_ours(entry.tb_frame.f_code)]
    found: list[types.TracebackType] = []
    hidden = -1
    for n, entry in enumerate(entries):
        if n <= hidden or n in ours:
            continue
        if late.place_told(entry) is not None:
            hidden = max([n, *ours])
        found.append(late.corrected(entry))
    return found


def _hide_our_frames() -> None:
    """Leave our own frames out of every traceback that Python formats."""
    original = traceback._walk_tb_with_full_positions  # type: ignore[attr-defined]  # noqa: SLF001

    def walk(trace: types.TracebackType | None) -> Iterator[Any]:
        for told in _shown(trace):
            yield next(original(types.TracebackType(None, told.tb_frame, told.tb_lasti, told.tb_lineno)))

    traceback._walk_tb_with_full_positions = walk  # type: ignore[attr-defined]  # noqa: SLF001


def _is_ours(code: types.CodeType) -> bool:
    return code.co_filename.startswith((_RUNNER_FOLDER, "<frozen runpy>")) or "".join(code.co_varnames[:1]).endswith("__rs_it")


def _finish(holder: list[types.ModuleType], status: int, *, failed: bool) -> int:
    """Do what the interpreter does at its end, in its order; `holder` has the last reference to the script's module."""
    with contextlib.suppress(Exception):
        threading._shutdown()  # type: ignore[attr-defined]  # noqa: SLF001
    atexit._run_exitfuncs()  # noqa: SLF001
    OutputFiles.current.finish(failed=failed)
    sys.modules.pop("__main__", None)
    mark = _Mark()
    vars(holder.pop())["__rs_mark"] = mark
    left = weakref.ref(mark)
    del mark
    gc.collect()
    if left() is not None:  # something still holds the script's names
        for names in [found for found in gc.get_referrers(left()) if type(found) is dict]:
            names.update({name: None for name in names if not name.startswith("__")})
        gc.collect()
    linecache.clearcache()
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            status = status or 120
    return status


class _Mark:
    """Lives as long as the names of the script."""
