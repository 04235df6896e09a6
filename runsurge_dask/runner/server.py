"""The runner proper: it imports what the script will need once, then forks a child for each request.

    {"op": "warm", "modules": ["numpy"]}                     imports them; children then find them there
    {"op": "fork", "role": "chunk", "id": 3} + one socket   ->  {"event": "forked", "id": 3, "pid": 812}
    the child ends                                          ->  {"event": "exit", "id": 3, "status": 0}
    {"op": "signal", "id": 3, "number": 9}                  ->  the child gets the signal; its exit, if it ends, is reported

It never runs user code itself and never starts a thread, so a fork is safe and takes milliseconds.
"""

from __future__ import annotations

import array
import contextlib
import ctypes
import gc
import importlib
import json
import os
import selectors
import signal
import socket
import sys
from typing import TYPE_CHECKING, NoReturn

from runsurge_dask.runner import wire

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""A library that starts its thread pool at import would leave the runner unable to fork safely."""
QUIET_ALLOCATOR = {"JE_ARROW_MALLOC_CONF": "background_thread:false"}
"""Arrow's allocator starts a thread of its own at import unless told not to."""
PR_SET_PDEATHSIG = 1
_HEADER_BYTES = 1 << 16
HIDDEN_SETTINGS = "RUNSURGE_RUNNER_SETTINGS"
"""Names a JSON object of environment variables that were set for the runner alone, with the values to give back (or null)."""


def serve(control_fd: int, warm: list[str]) -> None:
    """Serve fork requests until the control socket closes."""
    die_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    load_modules([*OWN_MODULES, *warm])
    control = socket.socket(fileno=control_fd)
    wakeup_read, wakeup_write = os.pipe()
    os.set_blocking(wakeup_write, False)
    signal.set_wakeup_fd(wakeup_write, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    _Runner(control, wakeup_read).loop()


OWN_MODULES = ("runsurge_dask.runner.driver", "runsurge_dask.runner.chunk")
"""What children run: imported once for all of them."""


def load_modules(names: Sequence[str]) -> None:
    """Import what children are to find there, and let no collection touch it: its pages stay shared."""
    gc.disable()
    for name in names:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    gc.freeze()
    gc.enable()


class _Runner:
    def __init__(self, control: socket.socket, wakeup: int) -> None:
        self.control = control
        self.wakeup = wakeup
        self.pids: dict[int, int] = {}

    def loop(self) -> None:
        selector = selectors.DefaultSelector()
        selector.register(self.control, selectors.EVENT_READ)
        selector.register(self.wakeup, selectors.EVENT_READ)
        wire.send(self.control, {"event": "ready", "threads": _thread_count()})
        while True:
            for key, _ in selector.select():
                if key.fileobj is self.control:
                    if not self.obey():
                        self.end_children()
                        return
                else:
                    os.read(self.wakeup, 4096)
            self.reap()

    def obey(self) -> bool:
        fds = array.array("i")
        message, ancillary, _, _ = self.control.recvmsg(_HEADER_BYTES, socket.CMSG_SPACE(8 * fds.itemsize))
        if not message:
            return False
        for level, kind, content in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                fds.frombytes(content[: len(content) - len(content) % fds.itemsize])
        waiting = list(fds)
        for line in message.splitlines():
            request = json.loads(line)
            if request["op"] == "warm":
                load_modules(request["modules"])
            elif request["op"] == "fork":
                self.fork(request["role"], request["id"], waiting.pop(0))
            elif request["op"] == "signal" and request["id"] in self.pids:
                os.kill(self.pids[request["id"]], request["number"])
        return True

    def fork(self, role: str, child_id: int, fd: int) -> None:
        pid = os.fork()
        if pid == 0:
            self.become(role, fd)
        os.close(fd)
        self.pids[child_id] = pid
        wire.send(self.control, {"event": "forked", "id": child_id, "pid": pid})

    def become(self, role: str, fd: int) -> NoReturn:
        """Turn this freshly forked process into a driver, a profile or a chunk child; never returns."""
        status = 70
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.close(self.wakeup)
            self.control.close()
            die_with_parent()
            restore_environment()
            channel = socket.socket(fileno=fd)
            if role == "driver":
                from runsurge_dask.runner.driver import drive

                signal.signal(signal.SIGINT, signal.default_int_handler)
                status = drive(channel)
            elif role == "profile":
                from runsurge_dask.runner.profile.child import serve_profile

                serve_profile(channel)
                status = 0
            else:
                from runsurge_dask.runner.chunk import serve_chunks

                serve_chunks(channel)
                status = 0
        except EOFError:
            status = 0
        except BaseException:  # the last frame of a forked process: nothing above may see this
            sys.excepthook(*sys.exc_info())
        finally:
            os._exit(status)

    def reap(self) -> None:
        for child_id, pid in list(self.pids.items()):
            done, status = os.waitpid(pid, os.WNOHANG)
            if done:
                del self.pids[child_id]
                code = os.waitstatus_to_exitcode(status)
                wire.send(self.control, {"event": "exit", "id": child_id, "status": code})

    def end_children(self) -> None:
        for pid in self.pids.values():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for pid in self.pids.values():
            os.waitpid(pid, 0)


def die_with_parent() -> None:
    """Ask Linux to end this process when the one that started it ends; elsewhere a closed socket has to do."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def hide_settings(environment: Mapping[str, str], settings: Mapping[str, str]) -> dict[str, str]:
    """Variables to set for a runner alone, among them one that says what its children get back."""
    return {**settings, HIDDEN_SETTINGS: json.dumps({name: environment.get(name) for name in settings})}


def restore_environment() -> None:
    """Give user code the environment that the plain run would have seen."""
    for name, value in json.loads(os.environ.pop(HIDDEN_SETTINGS, "{}")).items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def _thread_count() -> int:
    return len(os.listdir("/proc/self/task")) if sys.platform == "linux" else 1
