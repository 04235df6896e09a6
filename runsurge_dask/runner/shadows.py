"""Files that a chunk writes itself (`with open(f"{name}.out", "w")` in the loop), held back until the chunk is accepted.

A file opened for writing is really written under another name in the same folder. The driver renames the files of accepted
chunks, in the order of the data; those of other chunks are removed. Everything else that would touch the world is stopped
before it happens, by an audit hook.
"""

from __future__ import annotations

import builtins
import contextlib
import io
import itertools
import os
import sys
from typing import TYPE_CHECKING, Any

from runsurge_dask.runner.escape import Escape

if TYPE_CHECKING:
    from collections.abc import Iterator

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
    active = False
    opening = False
    files: list[tuple[str, str, str]] = []  # noqa: RUF012 - one list a process, replaced for each chunk
    read: set[str] = set()  # noqa: RUF012


def begin() -> None:
    """Start to watch a chunk."""
    _State.active = True
    _State.files, _State.read = [], set()


def is_watching() -> bool:
    """Whether a chunk is under way."""
    return _State.active


def take() -> dict[str, list[Any]]:
    """What the chunk wrote, as (mode, path, shadow), and the files that it read."""
    _State.active = False
    return {"written": _State.files, "read": sorted(_State.read)}


def drop() -> None:
    """Throw away what the chunk wrote."""
    _State.active = False
    for _, _, shadow in _State.files:
        with contextlib.suppress(OSError):
            os.remove(shadow)


def install() -> None:
    """Put the watch in place; for a chunk child only, and for good."""
    builtins.open = _shadowed_open
    io.open = _shadowed_open
    sys.addaudithook(_watch)


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
        for _, written, shadow in reversed(_State.files):
            if written == path:
                path = shadow
                break
        else:
            _State.read.add(path)
            return _open(file, mode, *args, **kwargs)
        return _open(path, mode, *args, **kwargs)
    if "+" in mode and "w" not in mode:
        raise Escape("it changes a file in place")
    if "x" in mode or path.startswith("/dev/") or any(written == path for _, written, _ in _State.files):
        raise Escape("it opens one file for writing more than once, or exclusively")
    shadow = os.path.join(os.path.dirname(path), f".{os.path.basename(path)}.{os.getpid()}-{next(_numbers)}.runsurge")
    _State.opening = True
    try:
        opened = _open(shadow, mode.replace("a", "w"), *args, **kwargs)
    finally:
        _State.opening = False
    _State.files.append(("a" if "a" in mode else "w", path, shadow))
    return opened


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
