"""Trials: one random program, plainly and planned, and what differs.

with Trials(scratch) as trials:
    trial = trials.run(program)
    trial.differences       empty where the two answers are the same
    trial.is_split          whether some stage had at least two accepted chunks
"""

from __future__ import annotations

import json
import shutil
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from runsurge_dask.errors import MemoryLimitError
from tests.differential import plain_server
from tests.differential.compare import Answer, Bench, differences
from tests.differential.minimise import minimise
from tests.differential.programs import MODULES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from runsurge_contracts.run import StageReport
    from tests.differential.programs import RandomProgram
    from tests.differential.strain import Strain

WARM = ("runsurge_dask.runner.driver", "runsurge_dask.runner.chunk", *MODULES, "dataclasses")
"""Imported before the first fork: a driver and its chunk children then start in 4 ms instead of 50."""
TIME_LIMIT_SECONDS = 30
"""A planned run of a random program takes 0.1 s; one that takes this long hangs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What came of one program."""

    differences: tuple[str, ...]
    is_split: bool
    status: int
    """The exit status of the plain run."""
    last_words: bytes = b""
    """The last line of its standard error."""
    stages: tuple[StageReport, ...] = ()
    is_stopped: bool = False
    """It needed more than the strain left."""

    @property
    def kind(self) -> tuple[object, ...]:
        """What must stay while a wrong program is made smaller: how it ends, and in what it differs."""
        return self.status, self.last_words.partition(b":")[0], *sorted({words.split()[0] for words in self.differences})


class Overdue(Exception):  # noqa: N818 - a planned run that hangs is a finding, not an error of the tests
    """The planned run took too long."""


class PlainHost:
    """Runs scripts plainly, in forks of one warm interpreter."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self.channel, theirs = socket.socketpair()
        with theirs:
            command = [sys.executable, plain_server.__file__, str(theirs.fileno()), *MODULES, "dataclasses"]
            self.process = subprocess.Popen(command, pass_fds=[theirs.fileno()], env=dict(environment), stdin=subprocess.DEVNULL)
        self.answers = self.channel.makefile("r", encoding="utf-8")

    def begin(self, folder: Path, streams: Path) -> None:
        """Start `python script.py` in this folder."""
        request = [str(folder), str(streams / "stdout"), str(streams / "stderr")]
        self.channel.sendall(json.dumps(request).encode() + b"\n")

    def finish(self, folder: Path, streams: Path) -> Answer:
        """The answer of what was begun there."""
        status = int(self.answers.readline())
        stdout, stderr = streams / "stdout", streams / "stderr"
        return Answer(status, stdout.read_bytes(), stderr.read_bytes(), read_folder(folder))

    def close(self) -> None:
        """End the interpreter."""
        self.answers.close()
        self.channel.close()
        self.process.wait()


def read_folder(folder: Path) -> dict[str, bytes]:
    """All files of a folder with their contents."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}


class Trials:
    """Everything that trials need, kept warm."""

    def __init__(self, scratch: Path) -> None:
        self.scratch = scratch
        self.count = 0
        self.bench = Bench(warm=WARM)
        self.plain = PlainHost(self.bench.environment)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End all processes."""
        self.plain.close()
        self.bench.close()

    def run(self, program: RandomProgram, strain: Strain | None = None) -> Trial:
        """Both runs of one program, compared."""
        self.count += 1
        home = self.scratch / str(self.count)
        plain_folder, planned_folder, streams = home / "plain", home / "planned", home / "streams"
        program.lay_out(plain_folder)
        program.lay_out(planned_folder)
        streams.mkdir()
        try:
            self.plain.begin(plain_folder, streams)
            try:
                planned, stages = self._run_planned(planned_folder, program.chunks, strain)
            finally:
                plain = self.plain.finish(plain_folder, streams)
        except MemoryLimitError:
            return Trial(differences=(), is_split=False, status=0, is_stopped=True)
        except Exception as error:  # noqa: BLE001 - the compiler itself failed on a valid program: as wrong as a wrong answer
            return Trial(differences=(f"the planned run raised {type(error).__name__}: {error}",), is_split=False, status=0)
        else:
            found = differences(plain, planned, (plain_folder, planned_folder))
            return Trial(
                differences=tuple(found),
                is_split=any(stage.is_split for stage in stages),
                status=plain.status,
                last_words=plain.stderr.rpartition(b"\n")[0].rpartition(b"\n")[2],
                stages=tuple(stages),
            )
        finally:
            shutil.rmtree(home)

    def _run_planned(self, folder: Path, chunks: int, strain: Strain | None) -> tuple[Answer, list[StageReport]]:
        def stop(*_: Any) -> None:
            raise Overdue(f"no answer in {TIME_LIMIT_SECONDS} s")

        previous = signal.signal(signal.SIGALRM, stop)
        signal.alarm(TIME_LIMIT_SECONDS)
        try:
            return self.bench.run_planned(folder, chunks=chunks, strain=strain)
        except Overdue:
            self._renew()
            raise
        finally:
            signal.alarm(0)
            signal.signal(signal.SIGALRM, previous)

    def _renew(self) -> None:
        signal.alarm(0)
        self.bench.close()
        self.bench = Bench(warm=WARM)

    def shrink(self, program: RandomProgram, trial: Trial, strain: Strain | None = None) -> RandomProgram:
        """The smallest program that can be found which is wrong in the same way."""
        return minimise(program, lambda smaller: self.run(smaller, strain).kind == trial.kind)

    def differs_from_interpreter(self, program: RandomProgram) -> list[str]:
        """How the fork's answer differs from that of a real `python script.py`; empty where it does not."""
        self.count += 1
        home = self.scratch / str(self.count)
        forked, real, streams = home / "forked", home / "real", home / "streams"
        program.lay_out(forked)
        program.lay_out(real)
        streams.mkdir()
        try:
            self.plain.begin(forked, streams)
            real_answer = self.bench.run_plain(real)
            return differences(real_answer, self.plain.finish(forked, streams), (real, forked))
        finally:
            shutil.rmtree(home)


def render_failure(program: RandomProgram, trial: Trial) -> str:
    """A wrong program as a case file; its first lines say what differs."""
    first = trial.differences[0].replace("\\", "\\\\").replace('"', "'")
    line = next(
        (text.strip() for text in program.script.splitlines() if text.lstrip().startswith(("for ", "while "))),
        program.script.splitlines()[0],
    )
    facts = f'expect = "whole"\nkind = "random"\nwhere = {json.dumps(line)}\nwhy = "{first}"\nchunks = {program.chunks}\n'
    files = {"script.py": program.script, **program.files}
    return f"== case\n{facts}" + "".join(f"== {name}\n{text}" for name, text in files.items())
