"""What came of a run, as it leaves the process."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskReport:
    """One chunk as it was executed; bytes are net of what its process held before it had any data."""

    start: int
    end: int
    """Bytes of a file, or positions of rows."""
    reserved_bytes: int
    """What was set aside for it; 0 where there is no limit."""
    peak_bytes: int
    seconds: float
    is_outgrown: bool = False
    """It was killed for what it held, and cut smaller."""
    estimated_seconds: float = 0.0
    """What it was expected to take when it was handed out: by the chunks before it, or by the rows that the script had done itself; 0 where
    nothing was known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageReport:
    """One stage as it was executed: how many chunks were handed out, and how many were accepted."""

    stage: int
    site: int
    line: int
    label: str
    kind: str
    chunks: int
    accepted: int
    records: int
    elapsed_seconds: float
    peak_resident_bytes: int
    note: str = ""
    lines: tuple[int, ...] = ()
    """Lines of every block that was fused into this stage."""
    tasks: tuple[TaskReport, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.accepted <= self.chunks:
            raise ValueError(f"stage {self.stage}: {self.accepted} accepted of {self.chunks} chunks")

    @property
    def is_split(self) -> bool:
        """Whether the data were really cut: at least two executed tasks whose results were used."""
        return self.accepted > 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What was decided of one site, and why."""

    line: int
    file: str
    label: str
    kind: str
    reason: str
    """Its proof, or the first thing that stands in the way of one."""
    note: str = ""
    """Why it was not cut all the same, where that was found while it ran."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a user asked for of one line, and what was done."""

    line: int
    label: str
    asked_chunks: int
    """1: as written."""
    done_chunks: int
    """Chunks that were worked out and accepted there, in all passes; 0 where the line ran as written."""
    note: str = ""
    """Why it was not done as it was asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A run: its exit status, its stages in order, and what was decided of every site."""

    status: int
    stages: tuple[StageReport, ...]
    decisions: tuple[Decision, ...]
    pattern: str
    elapsed_seconds: float
    memory_bytes: int = 0
    """What all processes of the run were allowed to hold together."""
    peak_bytes: int = 0
    """The most that they were seen to hold; a script that is over before anybody looked shows 0."""
    asked: tuple[Asked, ...] = ()
    """Of a plan that was given, or of numbers of chunks by line; empty where nothing of the kind was given."""

    def as_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {**asdict(self), "split_stages": sum(stage.is_split for stage in self.stages)}
