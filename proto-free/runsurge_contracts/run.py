"""What came of a run, as it leaves the process."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any


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
class Outcome:
    """A run: its exit status, its stages in order, and what was decided of every site."""

    status: int
    stages: tuple[StageReport, ...]
    decisions: tuple[Decision, ...]
    pattern: str
    elapsed_seconds: float

    def as_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {**asdict(self), "split_stages": sum(stage.is_split for stage in self.stages)}
