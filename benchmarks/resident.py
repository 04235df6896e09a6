"""What a command and everything it starts hold in memory together, and for how long.

    $ python benchmarks/resident.py --limit 384MiB -- runsurge run wordcount.py text.txt
    peak 108.6 MiB PSS of all processes together, 3.69 s, exit status 0
    limit 384.0 MiB kept: 275.4 MiB to spare
        61.5 MiB at the peak,     62.8 MiB at most   runsurge run wordcount.py text.txt
        15.0 MiB at the peak,     15.9 MiB at most   python -P -m runsurge_dask.runner 4
        ...
    172 samples, longest pause 39 ms; sampling took 0.34 s of one core

Every 20 ms the proportional set size (PSS) of each process of the tree is read and summed: a page that n processes share counts
1/n in each, so the sum is what the machine would get back. This process is the tree's *subreaper*: who loses its parent becomes a
child of this one and stays counted. It samples from outside: nothing runs in what it measures. Where the kernel or the rights do
not give PSS the sum of resident sizes stands in (`"measure": "rss"`), which counts shared pages once a process: never too low.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import dataclasses
import json
import os
import platform
import re
import resource
import select
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

INTERVAL_SECONDS = 0.020
"""Between the starts of two samples, as the memory contract asks for."""
SAMPLER_NICENESS = -10
LEAST_REST = 3
"""After a sample at least so many times its own work is slept: walking 5 GB takes 25 ms, and must not slow what it watches."""
SETTLE_SECONDS = 0.2
"""How long processes that outlive the command may take to end by themselves before they count as left behind."""
PR_SET_CHILD_SUBREAPER = 36
KCMP_VM = 1
KCMP_CALLS = {"x86_64": 312, "aarch64": 272}
"""The number of the system call that says whether two processes share one memory, by machine."""
YOUNG_SAMPLES, RENAMED_SAMPLES = 5, 50
"""A process is asked for its command in its first samples, since an `exec` changes it, and then once a second."""
TIMED_OUT = 124
"""Exit status of a command that was ended because it took too long, as `timeout` gives it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessPeak:
    """One process of the tree."""

    command: str
    peak_bytes: int
    """The most it held in any sample."""
    at_peak_bytes: int
    """What it held when all together held most; 0 if it did not live then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What a command and its descendants held and took."""

    command: tuple[str, ...]
    exit_status: int
    """Negative for the number of the signal that ended it."""
    elapsed_seconds: float
    cpu_seconds: float
    """Of all processes of the tree."""
    peak_bytes: int
    measure: str
    """`pss`, or `rss` where PSS could not be read."""
    processes: tuple[ProcessPeak, ...]
    """By what they held at the peak, then at most."""
    samples: int
    longest_pause_seconds: float
    """Between two samples."""
    sampler_seconds: float
    """Processor time that sampling took, on another core if there is one."""
    limit_bytes: int = 0
    """0: none was given."""
    over_limit_seconds: float = 0.0
    over_limit_bytes: int = 0
    """The most by which the limit was exceeded."""
    left_behind: tuple[str, ...] = ()
    """Commands of processes that outlived the command, and were ended."""
    timed_out: bool = False

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Measured:
        """What `dataclasses.asdict` gave, through JSON and back."""
        plain: dict[str, Any] = {name: tuple(each) if isinstance(each, list) else each for name, each in values.items()}
        plain["processes"] = tuple(ProcessPeak(**each) for each in values["processes"])
        return cls(**plain)


@dataclass(slots=True)
class Tally:
    """Sums over the samples so far: pure, so that its rules can be tested without a process.

    For example, with a limit of 100 bytes, samples of 90, 120 and 80 bytes at 0, 1 and 3 s: over the limit for 2 s, by 20 bytes.
    """

    limit_bytes: int = 0
    samples: int = 0
    peak_bytes: int = 0
    at_peak: dict[int, int] = field(default_factory=dict)
    peaks: dict[int, int] = field(default_factory=dict)
    over_limit_seconds: float = 0.0
    over_limit_bytes: int = 0
    longest_pause_seconds: float = 0.0
    _seen_seconds: float = -1.0
    _was_over: bool = False

    def add(self, at_seconds: float, held: Mapping[int, int]) -> None:
        """One sample: bytes by process, at a time that never runs back. A sample holds until the next one."""
        pause = at_seconds - self._seen_seconds if self.samples else 0.0
        total = sum(held.values())
        self.over_limit_seconds += pause if self._was_over else 0.0
        self.longest_pause_seconds = max(self.longest_pause_seconds, pause)
        self.samples, self._seen_seconds = self.samples + 1, at_seconds
        self._was_over = bool(self.limit_bytes) and total > self.limit_bytes
        self.over_limit_bytes = max(self.over_limit_bytes, total - self.limit_bytes if self._was_over else 0)
        self.peaks |= {process: max(self.peaks.get(process, 0), size) for process, size in held.items()}
        if total > self.peak_bytes:
            self.peak_bytes, self.at_peak = total, dict(held)


@dataclass(slots=True)
class Watched:
    """A living process of the tree."""

    parent: int
    is_borrowing: bool = True
    """Whether it may still use its parent's memory, as between vfork and exec."""
    samples: int = 0


class Tree:
    """The descendants of one process, found in /proc: each new process is asked for its parent once."""

    def __init__(self, root: int) -> None:
        self.root = root
        self.living: dict[int, Watched] = {}
        self.commands: dict[int, str] = {}
        self.measure = "pss"
        self._outside: set[int] = {int(name) for name in os.listdir("/proc") if name.isdigit()}

    def refresh(self) -> None:
        """Forget who died and take in who was born; a subreaper's descendant stays one, so nobody is asked twice.

        Only who was seen to come from outside stays outside: if a parent died while it was asked, its child is asked again.
        """
        present = {int(name) for name in os.listdir("/proc") if name.isdigit()}
        self.living = {process: watched for process, watched in self.living.items() if process in present}
        new = present - self._outside - self.living.keys()
        parents = {process: parent for process in new if (parent := parent_of(process))}
        while born := [each for each, parent in parents.items() if parent == self.root or parent in self.living]:
            self.living |= {process: Watched(parents.pop(process)) for process in born}
        self._outside = (self._outside & present) | {process for process, parent in parents.items() if parent in self._outside}

    def sample(self) -> dict[int, int]:
        """Bytes that each living process holds of its own; a memory that it borrows counts at its parent."""
        self.refresh()
        held: dict[int, int] = {}
        for process, watched in self.living.items():
            watched.is_borrowing = watched.is_borrowing and have_one_memory(process, watched.parent)
            if not watched.is_borrowing:
                with contextlib.suppress(OSError):  # it died since
                    held[process] = self._read(process)
            if watched.samples < YOUNG_SAMPLES or watched.samples % RENAMED_SAMPLES == 0:
                self.commands[process] = command_of(process) or self.commands.get(process, "?")
            watched.samples += 1
        return held

    def _read(self, process: int) -> int:
        """Bytes of one process. Its file is opened anew: an open one goes on telling of the memory from before an exec."""
        try:
            with open(f"/proc/{process}/smaps_rollup", "rb", buffering=0) as file:
                return bytes_held(file.read(4096) or b"", is_pss=True)
        except (PermissionError, FileNotFoundError):  # another user's process; a kernel before 4.14
            with open(f"/proc/{process}/statm", "rb", buffering=0) as file:
                self.measure = "rss"
                return bytes_held(file.read(4096) or b"", is_pss=False)


def bytes_held(text: bytes, *, is_pss: bool) -> int:
    """PSS in bytes from the text of `smaps_rollup`, or resident bytes from that of `statm`."""
    if not is_pss:
        return int(text.split()[1]) * resource.getpagesize()
    found = re.search(rb"^Pss: *(\d+) kB", text, re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


def parent_of(process: int) -> int:
    """The parent of a process; 0 if it has died."""
    with contextlib.suppress(OSError), open(f"/proc/{process}/stat", "rb") as file:
        return int(file.read().rpartition(b")")[2].split()[1])
    return 0


def command_of(process: int) -> str:
    """The command line of a process, on one line; empty if it has died."""
    with contextlib.suppress(OSError), open(f"/proc/{process}/cmdline", "rb") as file:
        return " ".join(file.read().replace(b"\0", b" ").decode(errors="replace").split())
    return ""


def have_one_memory(process: int, other: int) -> bool:
    """Whether two processes share one address space, as a parent and its vfork child do; a plain fork does not."""
    number = KCMP_CALLS.get(platform.machine())
    return number is not None and ctypes.CDLL(None).syscall(number, process, other, KCMP_VM, 0, 0) == 0


def measure(command: Sequence[str], *, cwd: str | Path = ".", limit_bytes: int = 0, timeout_seconds: float = 0, **streams: Any) -> Measured:
    """Run a command under a sampler of its own, so that the caller's processes are not of its tree.

    `streams` go to `subprocess.run` (`stdout`, `stderr`, `env`). The exit status of the command is in the answer.

    Raises:
        RuntimeError: the sampler itself failed, say because there is no such command.
    """
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "measured.json"
        options = ["--json", str(report), "--limit", str(limit_bytes), "--timeout", str(timeout_seconds), "--quiet"]
        sampler = subprocess.Popen([sys.executable, str(Path(__file__).resolve()), *options, "--", *command], cwd=cwd, **streams)
        try:
            status = sampler.wait()
        except BaseException:  # whatever ends us must not leave the command running
            sampler.terminate()
            sampler.wait()
            raise
        if not report.exists():
            raise RuntimeError(f"the sampler of {command[0]} ended with status {status}")
        return Measured.from_json(json.loads(report.read_text(encoding="utf-8")))


def watch(
    command: Sequence[str], *, limit_bytes: int = 0, interval_seconds: float = INTERVAL_SECONDS, timeout_seconds: float = 0
) -> Measured:
    """Run a command as a child of this process, which becomes the subreaper of all that it starts, and sample until it ends."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "this kernel has no subreaper")
    tree, tally = Tree(os.getpid()), Tally(limit_bytes)
    own_seconds = time.process_time()
    begun = time.monotonic()
    child = os.posix_spawnp(command[0], list(command), os.environ, setsid=True)
    statuses: dict[int, int] = {}
    with contextlib.suppress(PermissionError):  # only root may: on time, too, when all cores are busy
        os.setpriority(os.PRIO_PROCESS, 0, SAMPLER_NICENESS)
    try:
        for _ in ticks(child, interval_seconds):
            tally.add(time.monotonic() - begun, tree.sample())
            reap(statuses)
            if child in statuses or 0 < timeout_seconds < time.monotonic() - begun:
                break
    finally:
        elapsed = time.monotonic() - begun
        reap(statuses)
        timed_out = child not in statuses
        left_behind = end_all(tree, statuses, patience_seconds=0 if timed_out else SETTLE_SECONDS)
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Measured(
        command=tuple(command), exit_status=TIMED_OUT if timed_out else os.waitstatus_to_exitcode(statuses[child]),
        elapsed_seconds=round(elapsed, 4), cpu_seconds=round(spent.ru_utime + spent.ru_stime, 3),
        peak_bytes=tally.peak_bytes, measure=tree.measure, processes=peaks_of(tally, tree.commands),
        samples=tally.samples, longest_pause_seconds=round(tally.longest_pause_seconds, 4),
        sampler_seconds=round(time.process_time() - own_seconds, 3), limit_bytes=limit_bytes,
        over_limit_seconds=round(tally.over_limit_seconds, 3), over_limit_bytes=tally.over_limit_bytes,
        left_behind=() if timed_out else left_behind, timed_out=timed_out,
    )  # fmt: skip


def ticks(child: int, interval_seconds: float) -> Iterator[float]:
    """When to sample: each interval, with a rest after long samples; ends as soon as the child does."""
    handle = os.pidfd_open(child)
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    try:
        while True:
            begun, worked = time.monotonic(), time.process_time()
            yield begun
            rest = LEAST_REST * (time.process_time() - worked)  # of its work, not of the time that a busy machine made it wait
            due = begun + interval_seconds - 0.001  # poll rounds up to a millisecond
            if poll.poll(max(due - time.monotonic(), rest) * 1000):
                return
    finally:
        os.close(handle)


def reap(statuses: dict[int, int]) -> None:
    """Take in whoever of our children has died, own and adopted."""
    with contextlib.suppress(ChildProcessError):
        while (died := os.waitpid(-1, os.WNOHANG))[0]:
            statuses[died[0]] = died[1]


def end_all(tree: Tree, statuses: dict[int, int], *, patience_seconds: float) -> tuple[str, ...]:
    """Give the rest of the tree a moment to end, kill what does not, and say what that was."""
    patience_ends = time.monotonic() + patience_seconds
    tree.refresh()
    while tree.living and time.monotonic() < patience_ends:
        time.sleep(0.01)
        reap(statuses)
        tree.refresh()
    left = tuple(command_of(process) or tree.commands.get(process, "?") for process in tree.living)
    while tree.living:
        for process in list(tree.living):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        time.sleep(0.005)
        reap(statuses)
        tree.refresh()
    return left


def peaks_of(tally: Tally, commands: Mapping[int, str]) -> tuple[ProcessPeak, ...]:
    """The processes, the largest at the peak first."""
    found = [
        ProcessPeak(command=commands.get(process, "?"), peak_bytes=peak, at_peak_bytes=tally.at_peak.get(process, 0))
        for process, peak in tally.peaks.items()
    ]
    return tuple(sorted(found, key=lambda each: (-each.at_peak_bytes, -each.peak_bytes)))


def parse_bytes(text: str) -> int:
    """A number of bytes as people write it: `384MiB`, `1.5 GB`, `4096`.

    Raises:
        ValueError: it is not a number with one of the units B, kB, MB, GB, KiB, MiB, GiB.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?) *(?:([kmg])(i?)b|b|)", text.strip().lower())
    if not found:
        raise ValueError(f"{text!r} is no number of bytes; write 384MiB, 1.5GB or 4096")
    size: float = float(found[1]) * (1024 if found[3] else 1000) ** " kmg".index(found[2] or " ")
    return round(size)


def render(measured: Measured, *, most_processes: int = 12) -> str:
    """What a person wants to read."""
    mib = 2**20
    what = f"{measured.measure.upper()} of all processes together"
    lines = [f"peak {measured.peak_bytes / mib:.1f} MiB {what}, {measured.elapsed_seconds:.2f} s, exit status {measured.exit_status}"]
    if measured.limit_bytes:
        spare = (measured.limit_bytes - measured.peak_bytes) / mib
        excess = f"EXCEEDED by {-spare:.1f} MiB, {measured.over_limit_seconds:.2f} s long"
        lines.append(f"limit {measured.limit_bytes / mib:.1f} MiB {excess if spare < 0 else f'kept: {spare:.1f} MiB to spare'}")
    for each in measured.processes[:most_processes]:
        sizes = f"{each.at_peak_bytes / mib:8.1f} MiB at the peak, {each.peak_bytes / mib:8.1f} MiB at most"
        lines.append(f"{sizes}   {each.command[:100]}")
    if len(measured.processes) > most_processes:
        lines.append(f"    and {len(measured.processes) - most_processes} more")
    lines += [f"left behind, and ended: {command[:100]}" for command in measured.left_behind[:most_processes]]
    cost = f"sampling took {measured.sampler_seconds:.2f} s of one core"
    return "\n".join([*lines, f"{measured.samples} samples, longest pause {measured.longest_pause_seconds * 1000:.0f} ms; {cost}"])


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure one command; the exit status is that of the command."""
    parser = argparse.ArgumentParser(description="Sample the memory of a command and of all that it starts.")
    parser.add_argument("--limit", type=parse_bytes, default=0, metavar="BYTES", help="say how long and by how much this was exceeded")
    parser.add_argument("--interval", type=float, default=INTERVAL_SECONDS, metavar="SECONDS")
    parser.add_argument("--timeout", type=float, default=0, metavar="SECONDS", help="end the whole tree after so long; 0: never")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the result there")
    parser.add_argument("--quiet", action="store_true", help="no text on standard error")
    parser.add_argument("command", nargs=argparse.REMAINDER, metavar="-- COMMAND")
    options = parser.parse_args(arguments)
    command = options.command[1:] if options.command[:1] == ["--"] else options.command
    if not command:
        parser.error("which command?")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    measured = watch(command, limit_bytes=options.limit, interval_seconds=options.interval, timeout_seconds=options.timeout)
    if options.json:
        options.json.write_text(json.dumps(dataclasses.asdict(measured)) + "\n", encoding="utf-8")
    if not options.quiet:
        print(render(measured), file=sys.stderr)
    status = measured.exit_status
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main())
