"""A process that may read and compute, and leave nothing behind.

    open("out.csv", "w")        what is written goes nowhere (`standins`)
    os.remove("data.csv")       Refused: the sample ends here
    subprocess.run(...)         Refused

Three walls, one behind the other: stand-ins for what scripts do every day, Python's audit events for the rest of Python,
and Landlock, where the kernel has it, for libraries that open files without telling Python.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
import sys
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterator


class Refused(BaseException):
    """The script asked for something that would show outside; no `except Exception` of its own may hide that."""


WRITING_FLAGS = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
REFUSED_EVENTS = frozenset({
    "os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate", "os.chmod", "os.chown", "os.lchown",
    "os.chflags", "os.lchmod", "os.utime", "os.setxattr", "os.removexattr", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork",
    "os.forkpty", "os.kill", "os.killpg", "os.startfile", "pty.spawn", "subprocess.Popen", "socket.bind", "socket.connect",
    "socket.sendto", "socket.sendmsg", "socket.getaddrinfo", "sqlite3.connect", "webbrowser.open", "tempfile.mkstemp", "tempfile.mkdtemp",
    "shutil.rmtree", "shutil.move", "syslog.syslog", "signal.pthread_kill", "mmap.__new__.shared",
})  # fmt: skip
"""Audit events of what changes the world, or talks to it."""

_PR_SET_NO_NEW_PRIVS = 38
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_WRITE_FILE = 1 << 1
_REMOVE_AND_MAKE = sum(1 << bit for bit in range(4, 13))
_REFER, _TRUNCATE = 1 << 13, 1 << 14
_ABI_OF_REFER, _ABI_OF_TRUNCATE = 2, 3


class Confinement:
    """Refuses in this process, from `close` on and for good."""

    def __init__(self) -> None:
        self.is_closed = False
        self.refused = ""
        self._allowed: object = None

    def close(self) -> None:
        """Begin to refuse."""
        deny_writing_files()
        sys.addaudithook(self._watch)
        self.is_closed = True

    def refuse(self, what: str) -> NoReturn:
        """Note what was asked for, and end the sample.

        Raises:
            Refused: always.
        """
        self.refused = self.refused or what
        raise Refused(what)

    @contextlib.contextmanager
    def allowing(self, path: object) -> Iterator[None]:
        """Let a stand-in name a path that it does not really open."""
        self._allowed = path
        try:
            yield
        finally:
            self._allowed = None

    def _watch(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.is_closed:
            return
        if event == "open":
            path, _, flags = arguments
            is_real = path != os.devnull and not isinstance(path, int) and (self._allowed is None or path is not self._allowed)
            if is_real and isinstance(flags, int) and flags & WRITING_FLAGS:
                self.refuse(f"it opens `{path}` for writing")
        elif event in REFUSED_EVENTS and not (event == "sqlite3.connect" and arguments[:1] == (":memory:",)):
            self.refuse(f"`{event}` would show outside")


def deny_writing_files() -> bool:
    """Ask the kernel to let this process change no file but `/dev/null`; whether it does."""
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    version = libc.syscall(_CREATE_RULESET, None, 0, 1)
    if version < 1:
        return False
    handled = _WRITE_FILE | _REMOVE_AND_MAKE
    handled |= (_REFER if version >= _ABI_OF_REFER else 0) | (_TRUNCATE if version >= _ABI_OF_TRUNCATE else 0)
    ruleset = libc.syscall(_CREATE_RULESET, struct.pack("<Q", handled), 8, 0)
    if ruleset < 0:
        return False
    nowhere = os.open(os.devnull, os.O_PATH | os.O_CLOEXEC)
    rights = _WRITE_FILE | (handled & _TRUNCATE)
    libc.syscall(_ADD_RULE, ruleset, 1, struct.pack("<Qi", rights, nowhere), 0)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    done = libc.syscall(_RESTRICT_SELF, ruleset, 0)
    os.close(nowhere)
    os.close(ruleset)
    return bool(done == 0)
