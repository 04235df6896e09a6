"""The profile child: it runs a script on samples of its inputs, and tells what each block held, step by step.

    __runsurge__.begin(3)           block 3 begins: what came before it is measured and told
    rows = [parse(line) for line, _ in __runsurge__.turns(0, file)]
    __runsurge__.begin(4)

Every message leaves at once, so what was measured is known even if the child has to be killed.
"""

from __future__ import annotations

import contextlib
import gc
import itertools
import marshal
import os
import signal
import sys
import time
import types
from typing import TYPE_CHECKING, Any

from runsurge_dask.runner import wire
from runsurge_dask.runner.measure import Meter, WorkClock, limit_memory, load_code_pages, return_free_memory
from runsurge_dask.runner.profile import listings, standins
from runsurge_dask.runner.profile.confine import Confinement, Refused
from runsurge_dask.runner.profile.lines import LineTracer
from runsurge_dask.runner.profile.standins import Input, Inputs, Sizes
from runsurge_dask.runner.profile.weights import is_data, length_of, table_bytes, weigh

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator, Mapping

TICK_SECONDS = 0.02
"""How often time and memory are looked at."""
RESERVED_BYTES = 4 << 30
"""Libraries reserve addresses (Arrow a gigabyte, threads their stacks) that they never fill."""


class Stopped(BaseException):
    """A limit was reached; no `except Exception` of the script may hide that."""


def serve_profile(channel: socket.socket) -> None:
    """Run one script on samples, and tell what was measured."""
    header, blobs = wire.receive(channel)
    probe = Probe(channel, header)
    reason, line = "done", 0
    try:
        probe.run(marshal.loads(blobs[0]))  # noqa: S302 - from our own client
    except Refused as error:
        reason, line = f"refused: {error}", _line_of(error, header["path"])
        probe.stop(error)
    except Stopped as error:
        reason, line = f"limit: {error}", _line_of(error, header["path"])
        probe.stop(error)
    except MemoryError as error:
        reason, line = "limit: memory", _line_of(error, header["path"])
        probe.stop(error)
    except SystemExit:
        probe.finish()
    except BaseException as error:  # whatever the script raises on a sample ends it
        reason, line = f"raised: {type(error).__name__}: {str(error)[:200]}", _line_of(error, header["path"])
        probe.stop(error)
    probe.tell({"event": "end", "reason": reason, "line": line, **probe.totals()})


def _line_of(error: BaseException, path: str) -> int:
    line, trace = 0, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == path:
            line = trace.tb_lineno
            if trace.tb_frame.f_code.co_name == "<module>":
                break
        trace = trace.tb_next
    return line


class Probe:
    """Stands as `__runsurge__` in the script's module."""

    def __init__(self, channel: socket.socket, header: Mapping[str, Any]) -> None:
        self.channel = channel
        self.header = header
        self.meter = Meter()
        self.clock = WorkClock()
        self.confinement = Confinement()
        self.blocks: dict[int, dict[str, Any]] = {int(number): facts for number, facts in header["blocks"].items()}
        self.inputs = Inputs(Sizes(**header["sizes"]), self.confinement, self.paused, self._tell_input)
        self.inputs.whole.update(header["whole"])
        self.lines = LineTracer(self.meter, header["path"]) if header["lines"] else None
        self.loops: list[tuple[int | None, Any]] = []
        self.block = 0
        self.code: types.CodeType | None = None
        self.known: dict[str, tuple[int, int | None, int, int]] = {}
        self.highest = self.base = self.before = self.in_block = 0
        self.paused_seconds = self.begun = 0.0
        self.deadline = time.monotonic() + header["seconds"]
        self.main: types.ModuleType | None = None

    def run(self, code: types.CodeType) -> None:
        """Run the script in this process, which is of no use for anything else afterwards."""
        self._prepare()
        self.main = types.ModuleType("__main__")
        self.main.__dict__.update({"__file__": self.header["path"], "__builtins__": __builtins__, "__runsurge__": self})
        sys.modules["__main__"] = self.main
        standins.install(self.inputs)
        listings.install(self.inputs)
        gc.collect()
        load_code_pages()
        return_free_memory()
        self.base = self.before = self.meter.resident_bytes()
        self.deadline = time.monotonic() + self.header["seconds"]
        limit_memory(self.header["memory_bytes"] * 4 + RESERVED_BYTES)
        self.confinement.close()
        signal.signal(signal.SIGALRM, self._tick)
        signal.setitimer(signal.ITIMER_REAL, TICK_SECONDS, TICK_SECONDS)
        self.meter.reset()
        self.begun = self.clock.now()
        if self.lines is not None:
            sys.settrace(self.lines.trace)
        exec(code, vars(self.main))  # noqa: S102 - the user's script is what we are here to run
        if self.header["entry"]:
            self._call_entry()
        self.finish()

    def _prepare(self) -> None:
        os.chdir(self.header["cwd"])
        sys.argv = [self.header["script"], *self.header["argv"]]
        sys.path.insert(0, os.path.dirname(self.header["path"]))
        sys.dont_write_bytecode = True
        for name in [name for name in sys.modules if name.split(".")[0] in self.header["modules"]]:
            del sys.modules[name]
        nowhere = os.open(os.devnull, os.O_RDWR)
        for number in (0, 1, 2):
            os.dup2(nowhere, number)

    def _call_entry(self) -> None:
        self.begin(self.header["entry_block"])
        assert self.main is not None
        if self.header["entry"] == "main":
            self.main.main()
        elif len(sys.argv) > 1:
            with open(sys.argv[1], encoding="utf-8") as file:
                self.main.process(file.read())
        else:
            self.confinement.refuse("it reads standard input")

    def _tick(self, *_: object) -> None:
        resident = self.meter.resident_bytes()
        if time.monotonic() > self.deadline:
            raise Stopped("time")
        if resident - self.base > self.header["memory_bytes"]:
            raise Stopped("memory")

    def begin(self, *numbers: int) -> None:
        """One of these blocks begins (a function that is called twice has two numbers for each statement)."""
        frame = sys._getframe(1)  # noqa: SLF001 - the script's own names are what is measured
        with self.paused():
            self._close(frame, is_complete=True)
            self.block = next((number for number in numbers if number > self.block), numbers[-1])
            self.code = frame.f_code
        if not self.blocks[self.block]["is_run"]:
            self.block = 0
            self.confinement.refuse("its effects are unknown")
        self._open()

    def _open(self) -> None:
        self.loops.clear()
        self.in_block = 0
        if self.lines is not None:
            self.lines.begin(self.block)
        self.before = self.meter.resident_bytes()
        self.meter.reset()
        self.paused_seconds = 0.0
        self.begun = self.clock.now()

    def turns(self, iterable: Any) -> Iterator[Any]:
        """Iterate in pairs with a count, which tells how far a loop has come when it is stopped."""
        counter = itertools.count()
        iterator = zip(iterable, counter)  # noqa: B905 - the count has no end
        if len(self.loops) < 100:  # noqa: PLR2004 - a loop in a function that is called for each row is of no interest
            self.loops.append((length_of(iterable), counter))
        return iterator

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Leave what happens in here out of the block's bytes and seconds."""
        begun = self.clock.now()
        deadline_left = self.deadline - time.monotonic()
        self.in_block = max(self.in_block, self.meter.peak_bytes())
        tracer = sys.gettrace()
        sys.settrace(None)
        try:
            yield
        finally:
            return_free_memory()
            self.meter.reset()
            sys.settrace(tracer)
            self.deadline = time.monotonic() + deadline_left
            self.paused_seconds += self.clock.now() - begun

    def _close(self, frame: types.FrameType | None, *, is_complete: bool) -> None:
        """Tell what the block that ends here has held."""
        if self.block not in self.blocks:
            return
        seconds = self.clock.now() - self.begun - self.paused_seconds
        facts = self.blocks[self.block]
        peak = max(self.in_block, self.meter.peak_bytes())
        after = self.meter.resident_bytes()
        if facts["is_import"]:
            self.base += max(0, after - self.before)
        else:
            self.highest = max(self.highest, peak - self.base)
        variables = self._variables(frame, frozenset(facts["names"])) if frame is not None else {}
        turns = next(((_done(counter), length) for length, counter in self.loops if length), None)
        self.tell({
            "event": "block", "block": self.block, "seconds": max(0.0, seconds), "rise_bytes": max(0, peak - self.before),
            "held_bytes": max(0, peak - self.base), "variables": variables, "complete": is_complete, "turns": turns,
            "is_counted": bool(self.loops),
        })  # fmt: skip

    def _variables(self, frame: types.FrameType, touched: frozenset[str]) -> dict[str, list[int | None]]:
        names = {**frame.f_globals, **frame.f_locals}
        found: dict[str, list[int | None]] = {}
        for name, value in names.items():
            if not is_data(name, value) or name == "__runsurge__":
                continue
            length = length_of(value)
            known = self.known.get(name)
            if known is None or name in touched or known[:2] != (id(value), length):
                known = (id(value), length, weigh(value), table_bytes(value))
                self.known[name] = known
            found[name] = [length, known[2], known[3]]
        return found

    def finish(self) -> None:
        """The script has ended: measure its last block."""
        self.deadline = time.monotonic() + 1e6
        sys.settrace(None)
        assert self.main is not None
        frame = _names_as_frame(self.main)
        with self.paused():
            self._close(frame, is_complete=True)

    def stop(self, error: BaseException) -> None:
        """The sample ends within a block: measure what it has come to."""
        signal.setitimer(signal.ITIMER_REAL, 0)
        self.deadline = time.monotonic() + 1e6
        sys.settrace(None)
        trace, frame = error.__traceback__, None
        while trace is not None:
            frame = trace.tb_frame if trace.tb_frame.f_code is self.code else frame
            trace = trace.tb_next
        with contextlib.suppress(MemoryError), self.paused():
            self._close(frame, is_complete=False)

    def totals(self) -> dict[str, Any]:
        """What the run as a whole has held."""
        return {"held_bytes": self.highest, "lines": self.lines.found() if self.lines else []}

    def _tell_input(self, found: Input) -> None:
        facts = {"path": found.path, "full_bytes": found.full_bytes, "share": found.share, "is_cut": found.is_cut}
        self.tell({"event": "input", "input": facts})

    def tell(self, message: wire.Header) -> None:
        """Send a message to the client."""
        wire.send(self.channel, message)


def _done(counter: Any) -> int:
    return int(counter.__reduce__()[1][0])


def _names_as_frame(main: types.ModuleType) -> Any:
    """The names of a module that has run, where a frame is asked for."""
    return types.SimpleNamespace(f_globals=vars(main), f_locals={})
