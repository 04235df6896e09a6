"""What a proof says of one site: a verdict, or where it fails."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ast

    from runsurge_dask.runner.facts import Accumulator, SplitKind


@dataclass(slots=True)
class Verdict:
    """What is known of one site before its code is made."""

    kind: SplitKind
    reason: str
    accumulators: list[Accumulator] = field(default_factory=list)
    assigned: set[str] = field(default_factory=set)
    free: set[str] = field(default_factory=set)


class Carried(Exception):  # noqa: N818 - it ends a proof, it is no error
    """The proof fails here."""

    def __init__(self, node: ast.AST | None, words: str) -> None:
        super().__init__(words)
        line = getattr(node, "lineno", None)
        self.reason = f"line {line}: {words}" if line else words
