"""A runner host gives killable children; this one does so with a child process of the client.

`RunnerHost` is the Protocol that its later brothers (bubblewrap, QEMU, VirtualBox) share.
"""

from __future__ import annotations

import array
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Protocol

from runsurge_dask.runner import wire
from runsurge_dask.runner.server import ONE_THREAD, QUIET_ALLOCATOR, hide_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from runsurge_dask.runner.early import EarlyRunner


class Child:
    """One forked process and the socket to it."""

    def __init__(self, child_id: int, channel: socket.socket) -> None:
        self.child_id = child_id
        self.channel = channel
        self.pid: int | None = None
        self.handle: int | None = None
        """A descriptor that stands for this process and no later one of its number, where the system has such."""
        self.exited = threading.Event()
        self.exit_code: int | None = None

    def call(self, header: wire.Header, blobs: Sequence[wire.Blob] = ()) -> tuple[wire.Header, list[bytes]]:
        """Send one message and wait for its answer.

        Raises:
            EOFError: the child ended instead of answering.
        """
        try:
            wire.send(self.channel, header, blobs)
            return wire.receive(self.channel)
        except OSError as error:
            raise EOFError from error


class RunnerHost(Protocol):
    """Something that starts and ends children which speak `wire`."""

    @property
    def pid(self) -> int:
        """The process that forks them."""

    def start_child(self, role: str) -> Child:
        """Start a child of this role (`driver` or `chunk`)."""

    def kill_child(self, child: Child) -> None:
        """End a child at once; its exit is known when this returns."""

    def signal_child(self, child: Child, number: int) -> None:
        """Send a signal to a child, if it is still there."""

    def close(self) -> None:
        """End the host and every child it still has."""


class ChildProcessHost:
    """A runner as a plain child process of this one."""

    @classmethod
    def start(cls, *, warm: Sequence[str], environment: Mapping[str, str], hash_seed: str) -> ChildProcessHost:
        """Start a new interpreter.

        `warm` names the modules to import before the first fork; `environment` is what user code is to see.
        """
        ours, theirs = socket.socketpair()
        hidden = hide_settings(environment, {**ONE_THREAD, **QUIET_ALLOCATOR, "PYTHONHASHSEED": hash_seed})
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-P", "-m", "runsurge_dask.runner", str(theirs.fileno()), ",".join(warm)],
                pass_fds=[theirs.fileno()],
                env={**environment, **hidden},
            )
        return cls(ours, process.pid, process.wait)

    @classmethod
    def of_early(cls, runner: EarlyRunner, warm: Sequence[str]) -> ChildProcessHost:
        """A host of a runner that was forked before anything was known of the script."""
        runner.warm(warm)
        return cls(runner.control, runner.pid, runner.wait)

    def __init__(self, control: socket.socket, pid: int, wait: Callable[[], object]) -> None:
        self.control = control
        self.pid = pid
        """The runner's."""
        self._wait = wait
        self._sending = threading.Lock()
        self._changed = threading.Condition()
        self._children: dict[int, Child] = {}
        self._next_id = 0
        self._listener = threading.Thread(target=self._listen, name="runner-events", daemon=True)
        self._listener.start()

    def start_child(self, role: str) -> Child:
        """Fork a child; returns at once, its pid becomes known a few milliseconds later."""
        ours, theirs = socket.socketpair()
        with self._sending, theirs:
            self._next_id += 1
            child = Child(self._next_id, ours)
            self._children[child.child_id] = child
            message = json.dumps({"op": "fork", "role": role, "id": child.child_id}).encode() + b"\n"
            rights = array.array("i", [theirs.fileno()])
            self.control.sendmsg([message], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
            with self._changed:
                self._changed.wait_for(lambda: child.pid is not None or child.exited.is_set())
        return child

    def kill_child(self, child: Child) -> None:
        """Kill a child and wait until the runner has reaped it."""
        self.signal_child(child, signal.SIGKILL)
        child.exited.wait()
        child.channel.close()

    def signal_child(self, child: Child, number: int) -> None:
        """Send a signal; where there is no handle through the runner, which alone knows then whether the pid is still the child's.

        A chunk that outgrows its memory is to end at once, and not when the runner is done with forking another.
        """
        with self._changed:
            if child.handle is not None:
                with contextlib.suppress(ProcessLookupError):
                    signal.pidfd_send_signal(child.handle, number)
                return
        with self._sending, contextlib.suppress(OSError):
            message = json.dumps({"op": "signal", "id": child.child_id, "number": int(number)}).encode()
            self.control.sendall(message + b"\n")

    def close(self) -> None:
        """Close the control socket: the runner ends its children, then itself."""
        with contextlib.suppress(OSError):
            self.control.shutdown(socket.SHUT_WR)
        self._wait()
        self._listener.join()
        self.control.close()
        for child in self._children.values():
            child.channel.close()

    def _listen(self) -> None:
        with contextlib.suppress(EOFError, OSError):
            while True:
                event, _ = wire.receive(self.control)
                self._note(event)
        with self._changed:
            for child in self._children.values():
                _close_handle(child)
                child.exited.set()
            self._changed.notify_all()

    def _note(self, event: wire.Header) -> None:
        with self._changed:
            if event["event"] == "forked":
                child = self._children[event["id"]]
                child.pid, child.handle = event["pid"], _handle_of(event["pid"], self.pid)
            elif event["event"] == "exit":
                child = self._children.pop(event["id"])
                child.exit_code = event["status"]
                _close_handle(child)
                child.exited.set()
            self._changed.notify_all()


def _handle_of(pid: int, parent: int) -> int | None:
    """A descriptor of a process that was just forked by `parent`; None where it is gone, or the system has none."""
    if not hasattr(os, "pidfd_open"):
        return None
    try:
        handle = os.pidfd_open(pid)
    except OSError:
        return None
    with contextlib.suppress(OSError, ValueError, IndexError), open(f"/proc/{pid}/stat", "rb") as file:
        if int(file.read().rpartition(b")")[2].split()[1]) == parent:
            return handle
    os.close(handle)
    return None


def _close_handle(child: Child) -> None:
    if child.handle is not None:
        os.close(child.handle)
        child.handle = None
