"""A runner that the command line forks from itself, before it has imported anything that a runner must not have.

    runsurge run script.py      forks: this runner imports what children need     while we read and analyse the script

That saves the start of a second interpreter, and the imports of both go on at the same time. A process that has threads, or
has loaded Dask, cannot do so: it starts its runner anew (`host.ChildProcessHost.start`).
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import types
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

WARM_MODULES = ("numpy", "pandas", "pyarrow")
"""Imported once in the runner where the script imports them; the rest is imported when the script does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlyRunner:
    """Its process, and the socket to it."""

    pid: int
    control: socket.socket

    def warm(self, modules: Sequence[str]) -> None:
        """Have it import these before it forks; what is not there is left out."""
        if modules:
            self.control.sendall(json.dumps({"op": "warm", "modules": list(modules)}).encode() + b"\n")

    def wait(self) -> None:
        """Wait for its end, once its socket is closed."""
        os.waitpid(self.pid, 0)


def fork_runner() -> EarlyRunner:
    """Fork a runner; only for a process of one thread that has imported next to nothing."""
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        _become_runner(ours, theirs)
    theirs.close()
    return EarlyRunner(pid=pid, control=ours)


def imports_at_first_sight(path: str) -> list[str]:
    """Which of `WARM_MODULES` a script plainly imports, so that the runner need not wait for the analysis to say so."""
    folder = os.path.dirname(path)
    try:
        with open(path, "rb") as file:
            lines = [line.split(None, 3) for line in file if line.lstrip().startswith((b"import", b"from"))]
    except OSError:  # who reads it next says what is wrong
        return []
    plain = {(b"import",), (b"import", b"as"), (b"from", b"import")}
    found = [words[1] for words in lines if len(words) > 1 and (words[0], *words[2:3]) in plain]
    named = {word.partition(b".")[0].decode(errors="replace") for word in found}
    return [name for name in WARM_MODULES if name in named and not any(map(os.path.exists, _places_of(name, folder)))]


def _places_of(name: str, folder: str) -> tuple[str, str]:
    """Where a script's own module of this name would be."""
    return os.path.join(folder, f"{name}.py"), os.path.join(folder, name)


def _become_runner(ours: socket.socket, control: socket.socket) -> None:
    status = 70
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        ours.close()
        sys.modules["__main__"] = types.ModuleType("__main__")  # the command line's own is nothing that a script should find
        from runsurge_dask.runner.server import ONE_THREAD, QUIET_ALLOCATOR, hide_settings, serve

        os.environ.update(hide_settings(os.environ, {**ONE_THREAD, **QUIET_ALLOCATOR}))
        serve(control.detach(), [])
        status = 0
    except OSError:  # the command line has ended, and nobody is there to serve
        status = 0
    except BaseException:  # the last frame of a forked process: nothing above may see this
        sys.excepthook(*sys.exc_info())
    finally:
        os._exit(status)
