"""Stub."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runsurge_contracts.plan import Variable

if TYPE_CHECKING:
    import ast
    from collections.abc import Mapping, Sequence

    from runsurge_dask.ir.program import Program


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticBlock:
    """What the rules say of one block."""

    variables: Mapping[str, Variable]
    peak_bytes: int
    seconds: float


def walk_blocks(
    program: Program, tree: ast.Module, *, argv: Sequence[str], cwd: str, known: Mapping[str, Variable] | None = None, after: int = 0
) -> dict[int, StaticBlock]:
    return {}
