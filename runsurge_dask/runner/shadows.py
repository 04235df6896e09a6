"""Files that a chunk writes itself (`with open(f"{name}.out", "w")` in the loop), held back until the chunk is accepted.

A file opened for writing is really written under another name in the same folder. The driver renames the files of accepted
chunks, in the order of the data; those of other chunks are removed. Everything else that would touch the world is stopped
before it happens, by an audit hook.
"""

from __future__ import annotations

import builtins
import contextlib
import functools
import io
import itertools
import os
import sys
import weakref
from typing import TYPE_CHECKING, Any

from runsurge_dask.runner.commit import SEPARATOR, ledger_of
from runsurge_dask.runner.escape import Escape

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_open = io.open
_STOPPED = frozenset(
    {
        "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.chmod", "os.chown", "os.link", "os.symlink", "os.truncate", "os.utime",
        "os.chdir", "os.system", "os.exec", "os.fork", "os.forkpty", "os.kill", "os.killpg", "os.posix_spawn", "os.putenv", "os.unsetenv",
        "shutil.copyfile", "shutil.copymode", "shutil.copystat", "shutil.copytree", "shutil.move", "shutil.rmtree", "shutil.make_archive",
        "subprocess.Popen", "socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg", "sqlite3.connect", "pty.spawn",
        "webbrowser.open",
        "ftplib.connect", "smtplib.connect", "urllib.Request", "http.client.connect", "tempfile.mkstemp", "tempfile.mkdtemp",
        "signal.pthread_kill",
    }
)  # fmt: skip
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


_numbers = itertools.count()
"""A chunk's files wait while this process runs the next one: no two names may be the same."""


class _State:
    pid = 0
    active = False
    opening = False
    files: list[tuple[str, str, str]] = []  # noqa: RUF012 - one list a process, replaced for each chunk
    read: set[str] = set()  # noqa: RUF012
    refusal = ""
    handles: dict[str, weakref.ref[Any]] = {}  # noqa: RUF012
    """By path: what was opened for writing last."""
    ledger = ""
    """A file that names what this chunk writes, for whoever has to clear up if it is killed."""
    is_announced = False


def announce_in(folder: str) -> None:
    """Note in a file of this folder which files chunks write."""
    _State.ledger = ledger_of(folder, _State.pid) if folder else ""


def begin() -> None:
    """Start to watch a chunk."""
    _State.active = True
    _State.files, _State.read, _State.handles, _State.refusal = [], set(), {}, ""
    if _State.is_announced:
        _note("", "w")
        _State.is_announced = False


def _note(path: str, mode: str) -> None:
    _State.opening = True
    try:
        with io.FileIO(_State.ledger, mode) as ledger:
            ledger.write(os.fsencode(path) + SEPARATOR if path else b"")
    finally:
        _State.opening = False


def is_watching() -> bool:
    """Whether a chunk is under way."""
    return _State.active


def refusal() -> str:
    """Why a file of the run could not be written while this chunk was under way; empty if none was refused."""
    return _State.refusal


def has_written() -> bool:
    """Whether the chunk under way has opened a file for writing."""
    return bool(_State.files)


def take() -> dict[str, list[Any]]:
    """What the chunk wrote, as (mode, path, shadow), and the files that it read."""
    _State.active = False
    if any(map(_is_open, _State.handles.values())):
        raise Escape("it leaves a file open")
    return {"written": _State.files, "read": sorted(_State.read)}


def drop() -> None:
    """Throw away what the chunk wrote."""
    _State.active = False
    for _, _, shadow in _State.files:
        with contextlib.suppress(OSError):
            os.remove(shadow)


def install() -> None:
    """Put the watch in place; for a chunk child only, and for good."""
    _State.pid = os.getpid()  # the script is told that of the driver
    builtins.open = _shadowed_open
    io.open = _shadowed_open
    for name in ("stat", "lstat", "access", "listdir", "scandir"):
        setattr(os, name, _noticing(getattr(os, name), is_folder=name in {"listdir", "scandir"}))
    sys.addaudithook(_watch)


def _noticing(ask: Callable[..., Any], *, is_folder: bool) -> Callable[..., Any]:
    """A question about files, remembered like the reading of one: whether a file is there may depend on earlier rows."""

    @functools.wraps(ask)
    def noticed(path: Any = ".", *args: Any, **kwargs: Any) -> Any:
        if _State.active and not _State.opening and isinstance(path, str | bytes | os.PathLike):
            asked = os.path.abspath(os.fsdecode(path))
            if any(asked in {written, os.path.dirname(written)} for _, written, _ in _State.files):
                raise Escape("it asks for files that it wrote itself")
            _State.read.add(os.path.join(asked, "") if is_folder else asked)
        return ask(path, *args, **kwargs)

    return noticed


def leave(folder: str, blobs: Iterable[bytes]) -> str:
    """Write blobs, one after the other, into a new file of a folder that belongs to the run; its path, empty if that fails."""
    path = os.path.join(folder, f"{_State.pid}-{next(_numbers)}.rows")
    _State.opening = True
    try:
        with io.FileIO(path, "x") as file:
            for blob in blobs:
                content = memoryview(blob)
                while content:
                    content = content[file.write(content) :]
    except OSError as error:
        _State.refusal = error.strerror or str(error)
        with contextlib.suppress(OSError):
            os.remove(path)
        return ""
    finally:
        _State.opening = False
    return path


@contextlib.contextmanager
def writing_back(path: str) -> Iterator[int]:
    """A file that the driver has made for the rows of a stage; only the driver says whether they count."""
    _State.opening = True
    try:
        number = os.open(path, os.O_WRONLY)
    except OSError as error:
        raise Escape(f"its results have no place ({error})") from None
    finally:
        _State.opening = False
    try:
        yield number
    finally:
        os.close(number)


def _shadowed_open(file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
    if not _State.active or not isinstance(file, str | bytes | os.PathLike):
        return _open(file, mode, *args, **kwargs)
    path = os.path.abspath(os.fsdecode(file))
    if not set(mode) & set("wax+"):
        return _open(_to_read(path, file), mode, *args, **kwargs)
    if ("+" in mode and "w" not in mode) or "x" in mode or path.startswith("/dev/"):
        raise Escape("it changes a file in place, or makes one that must not be there")
    earlier = _State.handles.get(path)
    if earlier is not None and _is_open(earlier):
        raise Escape("it opens one file for writing twice at a time")
    if earlier is not None and "a" in mode:
        shadow = next(shadow for _, written, shadow in reversed(_State.files) if written == path)
    else:
        shadow = os.path.join(os.path.dirname(path), f".{os.path.basename(path)}.{_State.pid}-{next(_numbers)}.runsurge")
    if _State.ledger:
        _note(shadow, "a")
        _State.is_announced = True
    _State.opening = True
    try:
        opened = _open(shadow, mode if earlier is not None else mode.replace("a", "w"), *args, **kwargs)
    finally:
        _State.opening = False
    if earlier is None or "a" not in mode:
        _State.files.append(("a" if "a" in mode else "w", path, shadow))
    _State.handles[path] = weakref.ref(opened)
    return opened


def _to_read(path: str, file: Any) -> Any:
    """What to open where a chunk reads: what it wrote there itself, or the file."""
    for mode, written, shadow in reversed(_State.files):
        if written == path:
            if mode == "a":
                raise Escape("it reads back a file that it appends to")
            return shadow
    _State.read.add(path)
    return file


def _is_open(handle: weakref.ref[Any]) -> bool:
    file = handle()
    return file is not None and not file.closed


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if not _State.active or _State.opening:
        return
    if event == "open":
        _, mode, flags = arguments
        is_writing = bool(flags & _WRITING) if isinstance(flags, int) else bool(mode) and bool(set(mode) & set("wax+"))
        if is_writing and arguments[0] != os.devnull:
            raise Escape(f"it writes a file in a way that cannot be held back ({arguments[0]})")
    elif event == "os.mkdir" and os.path.isdir(arguments[0]):
        return  # it will fail by itself, as `makedirs(..., exist_ok=True)` expects
    elif event in _STOPPED:
        raise Escape(f"it has an effect outside ({event})")
