"""The conversation with one driver, from its first line to its last.

    driver: prepare  "a stage is in sight"                we: start the cluster, and leave a file when it is there
    driver: judge    "I am about to cut this source"      we: good, or not at all
    driver: propose  "I want all cuts of this at once"    we: here, or not at all
    driver: run      code, surroundings, what to cut      we: a Dask graph; answers in the order of the data, one at a time
    driver: finished exit status
"""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import pickle
import shutil
import signal
import tempfile
import time
import uuid
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

from runsurge_contracts.run import StageReport
from runsurge_contracts.scalars import format_bytes
from runsurge_dask.errors import DiskError, MemoryLimitError, RunSurgeError
from runsurge_dask.execution.cluster import EmbeddedCluster, Preparation
from runsurge_dask.execution.memory import MemoryWatch, others_bytes, own_pids
from runsurge_dask.execution.stages import Listed, Ranged, StageRun, Tally
from runsurge_dask.planning.cuts import CutOptions, propose_cuts, reason_to_run_plainly
from runsurge_dask.runner import wire
from runsurge_dask.runner.limits import script_bytes
from runsurge_dask.runner.outgrown import OUTGROWN_SIGNAL
from runsurge_dask.runner.preparing import CLUSTER_IS_THERE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from runsurge_dask.ir.program import Program
    from runsurge_dask.runner.host import Child, RunnerHost


MORE_ROOM = "Free some space there, set TMPDIR to a folder on a larger disk"
STOP_SECONDS = 0.5
"""How long a script that outgrows its memory may take to end by itself, taking back what it was writing."""


class Progress(Protocol):
    """Hears how a stage goes on."""

    def begin(self, stage: int, label: str) -> None:
        """A stage starts."""

    def advance(self, stage: int, share: float) -> None:
        """One more chunk was accepted; so much of the stage is done."""

    def end(self, stage: int) -> None:
        """A stage is over."""


class Silent:
    """Progress for nobody."""

    def begin(self, stage: int, label: str) -> None:
        """Say nothing."""

    def advance(self, stage: int, share: float) -> None:
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
    starts_early: bool = False
    """The cluster starts with the script: it is sure to be wanted."""
    _preparation: Preparation | None = None
    owns_cluster: bool = True
    stages: list[StageReport] = field(default_factory=list)
    notes: dict[int, str] = field(default_factory=dict)
    """The latest reason why a site was not cut at run time."""
    _last_words: wire.Header = field(default_factory=dict)
    """The driver ended while a stage was under way."""
    make_watch: Callable[..., MemoryWatch] = MemoryWatch
    watch: MemoryWatch | None = None
    inputs: set[str] = field(default_factory=set)
    """Files that were read in chunks."""
    outgrown_bytes: int = 0
    """What all processes held when the script was stopped for it."""
    _stop_before: float = 0.0
    _scratch: str = ""
    """A folder for rows that stay where chunks leave them."""
    run_id: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def peak_bytes(self) -> int:
        """The most that all processes of the run were seen to hold."""
        return self.watch.meter.peak_bytes if self.watch is not None else 0

    def run(self) -> int:
        """Run the script to its end; returns its exit status.

        Raises:
            MemoryLimitError: it needs more than it may have.
            DiskError: there is no room for what must lie in files meanwhile.
        """
        try:
            folder = tempfile.TemporaryDirectory(prefix="runsurge-rows-", ignore_cleanup_errors=True)
        except OSError as error:
            where = os.environ.get("TMPDIR") or "TMPDIR"
            raise DiskError(where, f"no folder can be made for temporary files ({error.strerror})", remedy=f"{MORE_ROOM}.") from None
        with folder as self._scratch:
            return self._run()

    def _run(self) -> int:
        if self.starts_early:  # the runner loads pandas before it can fork
            self._prepare()
        driver = self.host.start_child("driver")
        pids = functools.partial(own_pids, self.host.pid, driver)
        self.watch = self.make_watch(self.options.memory_bytes, self.options.workers, pids, functools.partial(self._stop, driver))
        self.watch.slots = self.cluster.slots if self.cluster is not None else ()
        self.watch.task_bytes = self.options.task_bytes
        self._require_room(driver)
        wire.send(driver.channel, self._header(), [self._payload()])
        previous = self._forward_interrupts(driver)
        try:
            return self._converse(driver)
        finally:
            self.watch.close()
            for number, handler in previous.items():
                signal.signal(number, handler)
            if not driver.exited.is_set():
                self.host.kill_child(driver)
            driver.channel.close()
            if self._preparation is not None and self.cluster is None:
                self._preparation.abandon()
            if self.owns_cluster and self.cluster is not None:
                self.cluster.close()

    @property
    def _watched(self) -> MemoryWatch:
        assert self.watch is not None
        return self.watch

    def _stop(self, driver: Child, held_bytes: int) -> None:
        """The script itself outgrows the limit: let it end at its line, and kill it if it does not."""
        is_first = not self.outgrown_bytes
        self.outgrown_bytes = max(self.outgrown_bytes, held_bytes)
        if is_first:
            self._stop_before = time.monotonic() + STOP_SECONDS
            self.host.signal_child(driver, OUTGROWN_SIGNAL)
        elif time.monotonic() > self._stop_before or held_bytes >= self.options.memory_bytes:
            self.host.signal_child(driver, signal.SIGKILL)

    def _require_room(self, driver: Child) -> None:
        """Refuse a limit that is below what we hold before any data, if there is anything to cut.

        Raises:
            MemoryLimitError: so it is.
        """
        limit, least = self.options.memory_bytes, self._watched.least_bytes()
        if not limit or limit >= least or not any(facts.code for facts in self.program.sites):
            return
        self._watched.close()
        self.host.kill_child(driver)
        what = f"{format_bytes(limit)} are less than what the processes of a run hold before any data"
        raise MemoryLimitError("--memory", what, remedy=f"Give at least {format_bytes(least)}.", code="limit-below-baseline")

    def _refuse(self, line: int) -> RunSurgeError:
        file = os.path.basename(self.program.file)
        held, limit = format_bytes(self.outgrown_bytes), format_bytes(self.options.memory_bytes)
        where = f"{file}, line {line}" if line else file
        no_room = next((slot.no_room for slot in self._watched.slots if slot.no_room), "") or _no_space_in(self._scratch)
        if no_room:
            what = f"rows that stay in files find no room in {os.path.dirname(self._scratch)} ({no_room}), and in memory they need more "
            what += f"than --memory allows: all processes held {held} of {limit}"
            return DiskError(where, what, remedy=f"{MORE_ROOM}, or raise --memory.")
        what = f"the script itself needs more than --memory allows: all processes held {held} of {limit}"
        return MemoryLimitError(where, what, remedy="Raise --memory, or keep less at a time before this line.")

    def _forward_interrupts(self, driver: Child) -> dict[int, Any]:
        """Give Ctrl-C to the script, and take what is ours away before a request to end is followed; returns the handlers before."""

        def forward(*_: object) -> None:
            self.host.signal_child(driver, signal.SIGURG)  # it knows whether Ctrl-C has reached it, too

        def end(number: int, _: object) -> None:
            raise SystemExit(128 + number)

        with contextlib.suppress(ValueError):  # not in the main thread: nobody sends us Ctrl-C
            before: dict[int, Any] = {signal.SIGINT: signal.signal(signal.SIGINT, forward)}
            if signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
                before[signal.SIGTERM] = signal.signal(signal.SIGTERM, end)
            return before
        return {}

    def _header(self) -> wire.Header:
        path = os.path.abspath(self.program.file)
        options = {
            "chunks": self.options.chunks or int(self.options.is_forced), "exact": self.exact, "worth_seconds": self.options.worth_seconds,
            "workers": self.options.workers, "scratch": self._scratch,
            "script_bytes": script_bytes(self.options.memory_bytes, others_bytes(self.options.memory_bytes, self.options.workers)),
            "piece_bytes": self.options.piece_bytes, "sees_decimals": self.program.is_seeing_decimals,
            "sees_errors": self.program.is_seeing_errors, "is_patching": self.program.is_patching,
            "is_telling_files": self.program.is_telling_files, "seeded": self.program.is_seeding, "level": self.options.level or 0,
            "caches_are_seen": self.program.is_looking_into_caches,
            "site_chunks": {str(site): count for site, count in self.options.sites.items()},
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
                if self.outgrown_bytes:
                    raise self._refuse(0) from None
                code = driver.exit_code
                return 70 if code is None else code if code >= 0 else 128 - code
            try:
                status = self._obey(driver, header, blobs)
            except (EOFError, ConnectionError):
                if not driver.exited.wait(STOP_SECONDS):  # then it was not the driver that ended
                    raise
                continue  # its end is heard where its next word would be
            if status is not None:
                return status

    def _obey(self, driver: Child, header: wire.Header, blobs: list[bytes]) -> int | None:
        """Do what the driver asks for; the exit status of the script, where that is its last word."""
        match header["op"]:
            case "propose":
                wire.send(driver.channel, self._noted(header, self._propose(header)))
            case "prepare":
                self._prepare()
            case "judge":
                site = header["site"]
                plain = self.options.refusal(site) or reason_to_run_plainly(header, self.options.at(site))
                wire.send(driver.channel, self._noted(header, {"plain": plain}))
            case "decline":
                self.notes[header["site"]] = header["reason"]
            case "run":
                self._run_stage(driver, header, blobs)
            case "outgrown":
                driver.exited.wait()
                raise self._refuse(header["line"])
            case "finished":
                driver.exited.wait()
                return int(header["status"])
        return None

    def _propose(self, header: wire.Header) -> wire.Header:
        self._note_input(header)
        refusal = self.options.refusal(header["site"])
        return {"plain": refusal} if refusal else propose_cuts(header, self.options.at(header["site"]), self._watched.share_bytes())

    def _note_input(self, request: wire.Header) -> None:
        if request.get("path"):
            self.inputs.add(os.path.abspath(os.path.join(self.cwd, request["path"])))

    def _noted(self, header: wire.Header, answer: wire.Header) -> wire.Header:
        if answer.get("plain"):
            self.notes[header["site"]] = answer["plain"]
        return answer

    def _prepare(self) -> None:
        """Start the cluster, if none is there, and let the driver see when one is."""

        def tell() -> None:
            with contextlib.suppress(OSError), open(os.path.join(self._scratch, CLUSTER_IS_THERE), "xb"):  # the run may be over
                pass

        if self.cluster is not None:
            tell()
        elif self._preparation is None:
            self._preparation = Preparation(self.host, self.options.workers, tell)

    def _run_stage(self, driver: Child, header: wire.Header, blobs: list[bytes]) -> None:
        if self.cluster is None:
            self._prepare()
            assert self._preparation is not None
            try:
                self.cluster = self._preparation.cluster()
            except OSError as error:
                raise DiskError(os.path.dirname(self._scratch), f"Dask cannot start ({error})", remedy=f"{MORE_ROOM}.") from None
        self._watched.slots = self.cluster.slots
        for slot in self.cluster.slots:
            slot.scratch, slot.niceness = self._scratch, self._watched.niceness
        from runsurge_dask.lowering.graph import LoweredStage  # loads dask: only a run that cuts something pays for it

        stage = len(self.stages) + 1
        surroundings, *items = blobs
        lowered = LoweredStage(run=self.run_id, stage=stage, surroundings=surroundings)
        supply = Listed(header["specs"], items) if "specs" in header else Ranged(header, self.options.at(header["site"]))
        self._note_input(header.get("range", {}))
        facts = self.program.sites[header["site"] - 1]
        begun = time.perf_counter()
        self.progress.begin(stage, facts.label)
        try:
            work = StageRun(driver.channel, self.cluster, self._watched, lowered, supply, functools.partial(self.progress.advance, stage))
            del blobs, items
            tally = work.deliver()
        finally:
            self.progress.end(stage)
        self._last_words = tally.last_words
        self.stages.append(
            StageReport(
                stage=stage,
                site=facts.site,
                line=facts.line,
                label=facts.label,
                kind=str(facts.kind),
                chunks=tally.chunks,
                accepted=tally.accepted if _is_used(header, tally) else 0,
                records=tally.records,
                elapsed_seconds=time.perf_counter() - begun,
                peak_resident_bytes=tally.peak_bytes,
                note=tally.note,
                lines=tuple(header["lines"]),
                tasks=tuple(tally.tasks),
            )
        )
        if tally.note:
            self.notes[facts.site] = tally.note


LEAST_FREE_BYTES = 1 << 16


def _no_space_in(folder: str) -> str:
    """The system's words for a full disk, if that is what a folder is on: a chunk may not have come to say so."""
    with contextlib.suppress(OSError):
        if shutil.disk_usage(folder).free < LEAST_FREE_BYTES:
            return os.strerror(errno.ENOSPC)
    return ""


def _is_used(header: wire.Header, tally: Tally) -> bool:
    """Whether results went into the answer: not of a mere look at a source, nor of a stage that gives all or nothing and gave nothing."""
    return bool(header.get("is_used", True)) and not (tally.note and header.get("is_atomic"))
