"""A script with all that is known of it before it runs."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runsurge_contracts.plan import Estimates, Plan
    from runsurge_dask.ir.program import Program
    from runsurge_dask.runner.facts import SplitKind


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedScript:
    """What the script is, what each block of it needs, and what was decided."""

    program: Program
    kinds: Mapping[str, SplitKind]
    """By block key."""
    estimates: Estimates
    plan: Plan
    workers: int = 1
    """Chunks that run at once on each node."""
    is_local: bool = False
    """Planned for a run on this machine, and not for a fleet."""


def digest_of(source: str) -> str:
    """What tells one script from another."""
    return hashlib.sha256(source.encode()).hexdigest()[:32]
