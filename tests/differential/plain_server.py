"""A small process that runs scripts plainly: each in a fork of itself that has done nothing but import.

    one line in     ["/tmp/x/12", "/tmp/x/12.out", "/tmp/x/12.err"]       folder with `script.py`, and where its streams go
    one line out    0                                                     the exit status

What `python script.py` does is done by the interpreter itself in the fork: it prints its own tracebacks and ends by itself.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import types
from typing import NoReturn

TIME_LIMIT_SECONDS = 10
"""A random program takes milliseconds; one that takes this long does not end."""


def serve(channel: socket.socket) -> None:
    """Run scripts until the channel closes."""
    with channel.makefile("r", encoding="utf-8") as requests:
        while line := requests.readline():
            folder, stdout, stderr = json.loads(line)
            pid = os.fork()
            if pid == 0:
                os.close(channel.fileno())
                become_script(folder, stdout, stderr)
            _, status = os.waitpid(pid, 0)
            channel.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())


def become_script(folder: str, stdout: str, stderr: str) -> NoReturn:
    """Be `python script.py` from here on."""
    signal.alarm(TIME_LIMIT_SECONDS)
    os.chdir(folder)
    for number, path in ((1, stdout), (2, stderr)):
        opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        os.dup2(opened, number)
        os.close(opened)
    path = os.path.join(folder, "script.py")
    sys.argv = ["script.py"]
    sys.path[0] = folder
    main = types.ModuleType("__main__")
    vars(main).update({"__file__": path, "__builtins__": __builtins__, "__cached__": None})
    sys.modules["__main__"] = main
    with open(path, "rb") as file:
        source = file.read()
    status = 0
    try:
        exec(compile(source, path, "exec", dont_inherit=True), vars(main))
    except SystemExit:
        raise
    except BaseException:  # noqa: BLE001 - the interpreter's own hook prints it, without the frame of this function
        kind, error, trace = sys.exc_info()
        assert kind is not None
        assert error is not None
        assert trace is not None
        sys.excepthook(kind, error.with_traceback(trace.tb_next), trace.tb_next)
        status = 1
    sys.exit(status)


if __name__ == "__main__":
    for name in sys.argv[2:]:
        __import__(name)
    serve(socket.socket(fileno=int(sys.argv[1])))
