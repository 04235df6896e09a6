"""Runs of the script on samples of growing size, and what each block held in them.

    1.0 % of 400 MB    block 4: 11 MB
    2.5 %              block 4: 27 MB
    5.0 %              block 4: 54 MB       -> `fitting` says what all of it would hold

A sample is bounded in bytes, in seconds and in memory; one that reaches a bound tells what it has seen until then.
"""

from __future__ import annotations

import ast
import os
import select
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from runsurge_dask.analysis.functions import names_read
from runsurge_dask.analysis.structure import walk
from runsurge_dask.estimation.instrument import instrument
from runsurge_dask.ir.program import Effect
from runsurge_dask.runner import wire

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from runsurge_dask.ir.program import Block, Program
    from runsurge_dask.runner.host import Child, RunnerHost

SHARES = (0.01, 0.025, 0.05)
"""Parts of the input: three points show whether what is held grows straight, flattens, or bends upwards."""
LEAST_BYTES = (512 << 10, 1280 << 10, 2560 << 10)
"""Smaller samples hold less than Python's allocator takes at a time (1 MiB), so that a fit would follow its steps."""
WHOLE_BYTES = 16 << 20
"""Of small files that are left whole beside a large one."""
GRACE_SECONDS = 2.0
"""A child that does not end by itself within so much of its limit (it is in C code) is killed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleLimits:
    """What sampling may cost."""

    total_seconds: float = 12.0
    """Of all samples together."""
    child_seconds: float = 5.0
    """Of one of them."""
    memory_bytes: int = 1 << 30
    """That one of them may hold beyond what the interpreter holds."""
    sample_bytes: int = 32 << 20
    """Of all inputs in the largest sample."""

    def __post_init__(self) -> None:
        if min(self.total_seconds, self.child_seconds, self.memory_bytes, self.sample_bytes) <= 0:
            raise ValueError("a limit of sampling must be positive")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What one block did in one sample."""

    block: int
    rise_bytes: int
    """Its peak above what was resident when it began."""
    held_bytes: int
    """Its peak above the interpreter with its imports."""
    seconds: float
    variables: Mapping[str, tuple[int | None, int]]
    """After it: length and bytes of every variable."""
    tables: Mapping[str, int]
    """Of these, bytes of the hash tables of dictionaries and sets."""
    is_complete: bool
    turns: tuple[int, int] | None
    """Of its first loop over something of known length: turns done, and all."""
    is_counted: bool = False
    """Whether it was in a loop at all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """A file that the script read: the share of it that a sample took."""

    path: str
    full_bytes: int
    share: float
    is_cut: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One run on a part of the data."""

    share: float
    """Of the inputs that were cut; 1 where all of the data were read."""
    steps: Mapping[int, Step]
    inputs: tuple[Input, ...] = ()
    held_bytes: int = 0
    reason: str = "done"
    """`done`, or why it ended before its end."""
    line: int = 0
    lines: tuple[tuple[int, int, str, int, int], ...] = ()
    """Block, number of the called function in it, its name, line, bytes."""
    elapsed_seconds: float = 0.0

    @property
    def is_done(self) -> bool:
        """Whether the script came to its end."""
        return self.reason == "done"

    @property
    def is_limited(self) -> bool:
        """Whether it ended because it would have taken too much time or memory."""
        return self.reason.startswith(("limit", "killed"))

    @property
    def cut_bytes(self) -> int:
        """Bytes of the inputs of which only a part was read."""
        return sum(each.full_bytes for each in self.inputs if each.is_cut)


@dataclass(slots=True, kw_only=True)
class Sampler:
    """Runs samples of one script on one host."""

    program: Program
    tree: ast.Module
    host: RunnerHost
    argv: Sequence[str]
    cwd: str
    limits: SampleLimits
    progress: Callable[[str], None]
    spent_seconds: float = 0.0
    whole: set[str] = field(default_factory=set)
    """Files that are not cut."""
    code: bytes = field(init=False)
    blocks: dict[int, dict[str, Any]] = field(init=False)

    def __post_init__(self) -> None:
        self.code = instrument(self.program)
        reads = names_read(self.tree)
        self.blocks = {number: _facts(block, reads) for number, block in enumerate(self.program.blocks, 1)}

    @property
    def left_seconds(self) -> float:
        """What the samples may still take."""
        return self.limits.total_seconds - self.spent_seconds

    def run(self, share: float, least_bytes: int, most_bytes: int, *, lines: bool = False) -> Sample:
        """One sample: each input cut to a share of it, but to no less and no more than so many bytes."""
        seconds = max(0.2, min(self.limits.child_seconds, self.left_seconds))
        modules = [module.name for module in self.program.modules]
        header = {
            "path": os.path.abspath(self.program.file), "script": self.program.file, "argv": list(self.argv), "cwd": self.cwd,
            "entry": self.program.entry, "entry_block": self._entry_block(), "blocks": self.blocks, "seconds": seconds,
            "memory_bytes": self.limits.memory_bytes, "lines": lines, "modules": modules, "whole": sorted(self.whole),
            "sizes": {"share": share, "least_bytes": least_bytes, "most_bytes": most_bytes},
        }  # fmt: skip
        begun = time.monotonic()
        child = self.host.start_child("profile")
        try:
            wire.send(child.channel, header, [self.code])
            sample = _listen(child, begun + seconds + GRACE_SECONDS)
        finally:
            self.host.kill_child(child)
        self.spent_seconds += time.monotonic() - begun
        return sample

    def _entry_block(self) -> int:
        entry = self.program.entry
        return next((n for n, block in enumerate(self.program.blocks, 1) if block.key == f"{entry}:{n}"), 0)

    def all(self) -> list[Sample]:
        """Samples of growing size, smallest first; a single one where the data are small or none."""
        first = self._first()
        total = first.cut_bytes
        if not total or not first.steps:
            return [first]
        samples: list[Sample] = []
        for share in self._shares(first):
            if not samples and all(abs(each.share - share) < share / 4 for each in first.inputs if each.is_cut):
                samples.append(first)
                continue
            if self._would_take(samples or [first], share) > min(self.left_seconds, self.limits.child_seconds):
                break
            self.progress(f"sample of {share:.1%}")
            samples.append(self.run(share, 1, total))
            if share >= 1 or samples[-1].is_limited:
                break
        return samples or [first]

    def _shares(self, first: Sample) -> list[float]:
        """The shares to take: of a script that is slow, multiples of what it had time for."""
        total = first.cut_bytes
        bounds = [(max(share * total, least), self._most(n)) for n, (share, least) in enumerate(zip(SHARES, LEAST_BYTES, strict=True))]
        wanted = [min(1.0, min(bytes_, most) / total) for bytes_, most in bounds]
        if first.share < wanted[0] / 2:
            wanted = [min(1.0, first.share * share / SHARES[0]) for share in SHARES]
        return wanted

    def traced(self, samples: Sequence[Sample]) -> Sample | None:
        """The smallest sample again, following the lines inside functions; None where no function is called or no time is left."""
        if not samples or not samples[0].steps or not _has_functions(self.tree) or self.left_seconds <= 0:
            return None
        self.progress("lines of functions")
        first = samples[0]
        return self.run(first.share, 1, max(1, first.cut_bytes), lines=True)

    def _first(self) -> Sample:
        """The smallest sample, cut down until it ends in time, with small tables beside a large one left whole."""
        share, least, most = SHARES[0], LEAST_BYTES[0], self._most(0)
        self.progress("first sample")
        sample = self.run(share, least, most)
        while self.left_seconds > 1:
            if whole := self._better_whole(sample):
                self.whole |= whole
            elif sample.is_limited and any(each.is_cut for each in sample.inputs) and least >= _SMALLEST_BYTES:
                share, least, most = share / 8, least // 8, most // 8
            else:
                break
            self.progress("first sample again")
            sample = self.run(share, least, most)
        return sample

    def _better_whole(self, sample: Sample) -> set[str]:
        """Files that are cut, and should not be: a part of each of two tables has hardly a key in common."""
        largest = max((each.full_bytes for each in sample.inputs), default=0)
        most = largest / 2 if sample.reason.startswith("raised") else largest / 8
        room = WHOLE_BYTES - sum(each.full_bytes for each in sample.inputs if each.path in self.whole)
        found: set[str] = set()
        for each in sorted(sample.inputs, key=lambda each: each.full_bytes):
            if each.is_cut and each.full_bytes <= min(most, room):
                found.add(each.path)
                room -= each.full_bytes
        return found

    def _most(self, number: int) -> int:
        return int(self.limits.sample_bytes * SHARES[number] / SHARES[-1])

    def _would_take(self, samples: Sequence[Sample], share: float) -> float:
        last = samples[-1]
        return last.elapsed_seconds * share / last.share


_SMALLEST_BYTES = 8 << 10


def _has_functions(tree: ast.Module) -> bool:
    return any(isinstance(node, ast.FunctionDef) for node in walk(tree))


def _share_of(inputs: Sequence[Input]) -> float:
    """The part of the inputs that was read of those that were cut; 1 where none was."""
    cut = [each for each in inputs if each.is_cut]
    return sum(each.full_bytes * each.share for each in cut) / sum(each.full_bytes for each in cut) if cut else 1.0


def _facts(block: Block, reads: Mapping[str, frozenset[str]]) -> dict[str, Any]:
    names = set(block.defs | block.uses)
    names.update(*(reads[name] for name in block.uses if name in reads))
    is_import = block.statements[0].startswith(("import ", "from "))
    return {"names": sorted(names), "is_import": is_import, "is_run": block.effect is not Effect.UNKNOWN}


def _listen(child: Child, deadline: float) -> Sample:
    """Take what a child tells until it ends, or is too late."""
    steps: dict[int, Step] = {}
    inputs: list[Input] = []
    reason, ending = "killed: it did not stop in time", {}
    begun = time.monotonic()
    while (left := deadline - time.monotonic()) > 0:
        if not select.select([child.channel], [], [], left)[0]:
            break
        try:
            message, _ = wire.receive(child.channel)
        except (EOFError, OSError):
            reason = "killed: it ended without a word"
            break
        if message["event"] == "input":
            inputs.append(Input(**message["input"]))
            continue
        if message["event"] == "end":
            ending, reason = message, message["reason"]
            break
        step = _step(message)
        steps[step.block] = _joined(steps.get(step.block), step)
    return Sample(
        share=_share_of(inputs), steps=steps, inputs=tuple(inputs),
        held_bytes=ending.get("held_bytes", max((step.held_bytes for step in steps.values()), default=0)),
        reason=reason, line=ending.get("line", 0), lines=tuple(tuple(each) for each in ending.get("lines", ())),
        elapsed_seconds=time.monotonic() - begun,
    )  # fmt: skip


def _step(message: Mapping[str, Any]) -> Step:
    return Step(
        block=message["block"], rise_bytes=message["rise_bytes"], held_bytes=message["held_bytes"], seconds=message["seconds"],
        variables={name: (length, size) for name, (length, size, _) in message["variables"].items()},
        tables={name: table for name, (_, _, table) in message["variables"].items() if table}, is_complete=message["complete"],
        turns=tuple(message["turns"]) if message["turns"] else None, is_counted=message["is_counted"],
    )  # fmt: skip


def _joined(earlier: Step | None, step: Step) -> Step:
    """A block that was run again: its highest bytes, all of its seconds."""
    if earlier is None:
        return step
    return replace(
        step,
        rise_bytes=max(step.rise_bytes, earlier.rise_bytes),
        held_bytes=max(step.held_bytes, earlier.held_bytes),
        seconds=step.seconds + earlier.seconds,
    )
