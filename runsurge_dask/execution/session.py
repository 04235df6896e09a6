"""The conversation with one driver, from its first line to its last.

    driver: propose  "I am about to cut this source"      we: here, or not at all
    driver: run      code, surroundings, chunks           we: a Dask graph; answers in the order of the data, one at a time
    driver: finished exit status
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import tempfile
import time
import uuid
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

from runsurge_contracts.run import StageReport
from runsurge_dask.execution.cluster import EmbeddedCluster
from runsurge_dask.planning.cuts import CutOptions, propose_cuts
from runsurge_dask.runner import wire

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runsurge_dask.ir.program import Program
    from runsurge_dask.runner.host import Child, RunnerHost


class Progress(Protocol):
    """Hears how a stage goes on."""

    def begin(self, stage: int, label: str, chunks: int) -> None:
        """A stage starts."""

    def advance(self, stage: int) -> None:
        """One more chunk was accepted."""

    def end(self, stage: int) -> None:
        """A stage is over."""


class Silent:
    """Progress for nobody."""

    def begin(self, stage: int, label: str, chunks: int) -> None:
        """Say nothing."""

    def advance(self, stage: int) -> None:
        """Say nothing."""

    def end(self, stage: int) -> None:
        """Say nothing."""


@dataclass(slots=True)
class Session:
    """One run of one program on one runner host."""

    program: Program
    host: RunnerHost
    options: CutOptions
    exact: bool
    argv: Sequence[str] = ()
    cwd: str = field(default_factory=os.getcwd)
    stdout: str = ""
    """A file for standard output; empty: ours."""
    stderr: str = ""
    progress: Progress = field(default_factory=Silent)
    cluster: EmbeddedCluster | None = None
    owns_cluster: bool = True
    stages: list[StageReport] = field(default_factory=list)
    notes: dict[int, str] = field(default_factory=dict)
    """The latest reason why a site was not cut at run time."""
    _last_words: wire.Header = field(default_factory=dict)
    """The driver ended while a stage was under way."""
    _scratch: str = ""
    """A folder for rows that stay where chunks leave them."""
    run_id: str = field(default_factory=lambda: uuid.uuid4().hex)

    def run(self) -> int:
        """Run the script to its end; returns its exit status."""
        with tempfile.TemporaryDirectory(prefix="runsurge-rows-", ignore_cleanup_errors=True) as self._scratch:
            return self._run()

    def _run(self) -> int:
        driver = self.host.start_child("driver")
        wire.send(driver.channel, self._header(), [self._payload()])
        previous = self._forward_interrupts(driver)
        try:
            return self._converse(driver)
        finally:
            if previous is not None:
                signal.signal(signal.SIGINT, previous)
            if not driver.exited.is_set():
                self.host.kill_child(driver)
            driver.channel.close()
            if self.owns_cluster and self.cluster is not None:
                self.cluster.close()

    def _forward_interrupts(self, driver: Child) -> Any:
        def forward(*_: object) -> None:
            self.host.signal_child(driver, signal.SIGURG)  # it knows whether Ctrl-C has reached it, too

        with contextlib.suppress(ValueError):  # not in the main thread: nobody sends us Ctrl-C
            return signal.signal(signal.SIGINT, forward)
        return None

    def _header(self) -> wire.Header:
        path = os.path.abspath(self.program.file)
        options = {
            "chunks": self.options.chunks, "exact": self.exact, "worth_seconds": self.options.worth_seconds,
            "workers": self.options.workers, "scratch": self._scratch,
            "sees_decimals": self.program.is_seeing_decimals, "is_patching": self.program.is_patching,
            "seeded": self.program.is_seeding, "caches_are_seen": self.program.is_looking_into_caches
        }
        return {
            "path": path, "script": self.program.file, "argv": list(self.argv), "cwd": self.cwd, "stdout": self.stdout,
            "stderr": self.stderr, "entry": self.program.entry, "options": options
        }

    def _payload(self) -> bytes:
        program = self.program
        codes = [program.main, *program.modules]
        return pickle.dumps(
            {
                "main": program.main.rewritten,
                "doc": program.doc,
                "imports": sorted(program.imports),
                "writes_errors": program.is_writing_errors,
                "writes_bytes": program.is_writing_bytes,
                "sites": {facts.site: replace(facts, file=os.path.abspath(facts.file)) for facts in program.sites},
                "modules": {code.name: (code.file, code.rewritten, code.is_package) for code in program.modules},
                "pairs": [(code.rewritten, code.plain) for code in codes],
            }
        )

    def _converse(self, driver: Child) -> int:
        while True:
            try:
                header, blobs = (self._last_words, []) if self._last_words else wire.receive(driver.channel)
            except (EOFError, OSError):
                driver.exited.wait()
                code = driver.exit_code
                return 70 if code is None else code if code >= 0 else 128 - code
            match header["op"]:
                case "propose":
                    answer = propose_cuts(header, self.options)
                    if "plain" in answer:
                        self.notes[header["site"]] = answer["plain"]
                    wire.send(driver.channel, answer)
                case "decline":
                    self.notes[header["site"]] = header["reason"]
                case "run":
                    self._run_stage(driver, header, blobs)
                case "finished":
                    driver.exited.wait()
                    return int(header["status"])

    def _run_stage(self, driver: Child, header: wire.Header, blobs: list[bytes]) -> None:
        if self.cluster is None:
            self.cluster = EmbeddedCluster(self.host, self.options.workers)
        from runsurge_dask.lowering import graph as lowering  # loads dask: only a run that cuts something pays for it

        stage = len(self.stages) + 1
        surroundings, *items = blobs
        graph, keys = lowering.lower_stage(run=self.run_id, stage=stage, specs=header["specs"], surroundings=surroundings, items=items)
        facts = self.program.sites[header["site"] - 1]
        begun = time.perf_counter()
        self.progress.begin(stage, facts.label, len(keys))
        try:
            tally = self._deliver(driver, self.cluster.submit(graph, keys), stage)
        finally:
            self.progress.end(stage)
        report = StageReport(
            stage=stage,
            site=facts.site,
            line=facts.line,
            label=facts.label,
            kind=str(facts.kind),
            chunks=len(keys),
            accepted=tally.accepted if _is_used(header, tally) else 0,
            records=tally.records,
            elapsed_seconds=time.perf_counter() - begun,
            peak_resident_bytes=tally.peak_bytes,
            note=tally.note,
            lines=tuple(header["lines"]),
        )
        self.stages.append(report)
        if tally.note:
            self.notes[facts.site] = tally.note

    def _deliver(self, driver: Child, futures: list[Any], stage: int) -> _Tally:
        """Give the driver the answers in order, one for each time it asks for more."""
        assert self.cluster is not None
        tally = _Tally()
        waiting = list(futures)
        try:
            while waiting:
                answer, results = self._next_answer(driver, waiting[0])
                waiting.pop(0).release()
                wire.send(driver.channel, answer, results)
                if answer["status"] != "ok":
                    tally.note = answer["reason"]
                    break
                reply, _ = wire.receive(driver.channel)
                if reply["op"] == "stop":
                    tally.note = reply["reason"]
                    break
                tally.count(answer)
                self.progress.advance(stage)
        finally:
            left = self.cluster.stop(waiting) if waiting else []
        for shadow in left:
            with contextlib.suppress(OSError):  # an accepted one is in its place by now
                os.remove(shadow)
        with contextlib.suppress(OSError):  # a driver that is gone needs no answer
            wire.send(driver.channel, {"event": "done", "status": "done"})
        return tally

    def _next_answer(self, driver: Child, future: Any) -> tuple[wire.Header, list[bytes]]:
        """Wait for one chunk, noticing a driver that stops or dies meanwhile.

        Raises:
            EOFError: the driver is gone.
        """
        assert self.cluster is not None
        if not self.cluster.wait(future, driver.channel):
            reply, _ = wire.receive(driver.channel)
            if reply["op"] == "finished":
                self._last_words = reply
            return {"status": "escape", "reason": reply.get("reason", "the script ended")}, []
        answer: tuple[wire.Header, list[bytes]] = future.result()
        return answer


def _is_used(header: wire.Header, tally: _Tally) -> bool:
    """Whether results went into the answer: not of a mere look at a source, nor of a stage that gives all or nothing and gave nothing."""
    return bool(header.get("is_used", True)) and not (tally.note and header.get("is_atomic"))


@dataclass(slots=True)
class _Tally:
    accepted: int = 0
    records: int = 0
    peak_bytes: int = 0
    note: str = ""

    def count(self, answer: wire.Header) -> None:
        self.accepted += 1
        self.records += answer["records"]
        self.peak_bytes = max(self.peak_bytes, answer["peak_resident_bytes"])


