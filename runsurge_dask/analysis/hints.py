"""Read a script's hints, and hold them against what is proved.

    for row in rows:  # runsurge: rows     but `total` is carried   ->  the hint is refused, and says so
    for row in rows:  # runsurge: whole                             ->  the loop is not cut, whatever is proved
    aggregation = "s:total"                but `total` is a maximum ->  refused: the parts of a maximum are not added
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from runsurge_dask.analysis.structure import walk
from runsurge_dask.runner.facts import Merge, SiteFacts, SplitKind

if TYPE_CHECKING:
    from collections.abc import Iterator

COMMENT = re.compile(r"#\s*runsurge:\s*(\w+)")
LETTERS: dict[str, frozenset[Merge]] = {
    "c": frozenset({Merge.APPEND, Merge.YIELD}),
    "s": frozenset({Merge.SUM, Merge.TREE}),
    "m": frozenset({Merge.MAX, Merge.SELECT}),
    "n": frozenset({Merge.MIN, Merge.SELECT}),
    "l": frozenset({Merge.SUM, Merge.COUNT, Merge.APPEND}),
    "i": frozenset({Merge.PRODUCT}),
    "a": frozenset(),
}
"""What each letter of the older template says of a result's parts; no average is the average of its parts' averages."""
_SPLIT = frozenset({SplitKind.ROWS, SplitKind.REDUCE, SplitKind.GROUP, SplitKind.HALO})


@dataclass(frozen=True, slots=True, kw_only=True)
class Hint:
    """What a user states of the lines `first` to `last`."""

    first: int
    last: int
    says: str
    name: str = ""
    """The result that it is about; empty: any."""


def hints_of(tree: ast.Module, source: str) -> tuple[Hint, ...]:
    """Every hint of a script, in its three spellings."""
    return (*_comments(source), *_decorators(tree), *_aggregations(tree))


def _comments(source: str) -> Iterator[Hint]:
    for number, line in enumerate(source.splitlines(), 1):
        found = COMMENT.search(line)
        if found is not None:
            own = number if line[: found.start()].strip() else number + 1
            yield Hint(first=own, last=own, says=found[1])


def _decorators(tree: ast.Module) -> Iterator[Hint]:
    for node in walk(tree):
        if isinstance(node, ast.FunctionDef):
            for decorator in node.decorator_list:
                spelled = ast.unparse(decorator)
                if spelled.startswith(("runsurge_dask.rows", "runsurge_dask.reduce")):
                    says = "rows" if spelled.startswith("runsurge_dask.rows") else "reduce"
                    yield Hint(first=node.lineno, last=node.end_lineno or node.lineno, says=says)


def _aggregations(tree: ast.Module) -> Iterator[Hint]:
    for function in walk(tree):
        if not isinstance(function, ast.FunctionDef | ast.Module):
            continue
        for node in function.body:
            match node:
                case ast.Assign(targets=[ast.Name(id="aggregation")], value=ast.Constant(value=str(text))):
                    letter, _, name = text.partition(":")
                    first, last = (1, 1 << 30) if isinstance(function, ast.Module) else (function.lineno, function.end_lineno or 1 << 30)
                    yield Hint(first=first, last=last, says=letter.strip() or "whole", name=name.strip())


def hold_against(hints: tuple[Hint, ...], facts: SiteFacts) -> SiteFacts:
    """The facts of one site, after its hints: `whole` is obeyed, anything else is only believed if it is proved."""
    for hint in hints:
        if not hint.first <= facts.line <= hint.last or facts.form == "genexp":
            continue
        if hint.says == "whole":
            return replace(facts, kind=SplitKind.WHOLE, reason="a hint asks for it to stay whole", code=b"")
        refusal = _refusal(hint, facts)
        if refusal:
            facts = replace(facts, reason=f"{facts.reason}; the hint `{hint.says}` is refused: {refusal}")
    return facts


def _refusal(hint: Hint, facts: SiteFacts) -> str:
    if hint.says in LETTERS:
        mine = [a for a in facts.accumulators if a.place.split(".")[-1] == hint.name]
        if hint.says == "a" and mine:
            return "an average of averages is not the average"
        return next((f"`{a.place}` grows by {a.merge}" for a in mine if a.merge not in LETTERS[hint.says]), "")
    if hint.says not in {str(kind) for kind in SplitKind}:
        return "there is no such kind"
    if facts.kind not in _SPLIT:
        return "that cannot be proved"
    return "" if hint.says == facts.kind else f"it is proved to be `{facts.kind}`"
