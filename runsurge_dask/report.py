"""What came of a run, and what a plan says, as text.

For example, of a run:

    map-reduce: 1 of 2 sites cut, 1 stage, 1.30 s in all
    line  statement      kind    stages  chunks  records  seconds
      10  for r in rows  reduce       1     3/3      100     0.07
    not cut:
      line 15: whole: `state` is carried from row to row

and of a plan, one row for each site, one for each block without any, and which block comes after which.
"""

from __future__ import annotations

import itertools
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runsurge_dask.analysis.blocks import dependency_graph

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from runsurge_contracts.run import Outcome, StageReport
    from runsurge_dask.ir.program import Block, Program
    from runsurge_dask.runner.facts import SiteFacts

STATEMENT_WIDTH = 48
"""A statement is shown to recognise it: with line, kind and reason it still fits a terminal of 120 columns."""
MOST_REASONS = 20
"""A summary is read at a glance; the file of `--report` has every site."""
WITHOUT_SITE = {
    "pure": "nothing to cut in it",
    "reads": "nothing to cut in it; it reads",
    "writes": "nothing to cut in it; it writes",
    "unknown": "nothing to cut in it; its effects are unknown",
}
"""The reason of a block that holds no site, by its effect."""


def render_outcome(outcome: Outcome) -> str:
    """The summary of a run: its pattern, its stages by site, and the sites that ran as written with the reason."""
    return "\n".join((_headline(outcome), *_stage_table(outcome.stages), *_reasons(outcome)))


def _headline(outcome: Outcome) -> str:
    sites, stages = len(outcome.decisions), len(outcome.stages)
    cut = len(_cut_sites(outcome.stages))
    return f"{outcome.pattern}: {cut} of {count_of(sites, 'site')} cut, {count_of(stages, 'stage')}, {outcome.elapsed_seconds:.2f} s in all"


def count_of(number: int, noun: str) -> str:
    """`1 site`, `2 sites`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _cut_sites(stages: Sequence[StageReport]) -> set[int]:
    return {stage.site for stage in stages if stage.is_split}


def _stage_table(stages: Sequence[StageReport]) -> Iterator[str]:
    """One row a site, however often a driver came by it."""
    by_site: dict[int, list[StageReport]] = {}
    for stage in stages:
        by_site.setdefault(stage.site, []).append(stage)
    if by_site:
        header = ("line", "statement", "kind", "stages", "chunks", "records", "seconds")
        yield from table(header, [_stage_row(turns) for turns in by_site.values()], texts=("statement", "kind"))


def _stage_row(turns: Sequence[StageReport]) -> tuple[str, ...]:
    first = turns[0]
    accepted, chunks = sum(turn.accepted for turn in turns), sum(turn.chunks for turn in turns)
    records, seconds = sum(turn.records for turn in turns), sum(turn.elapsed_seconds for turn in turns)
    return (str(first.line), shorten(first.label), first.kind, str(len(turns)), f"{accepted}/{chunks}", str(records), f"{seconds:.2f}")


def _reasons(outcome: Outcome) -> Iterator[str]:
    """The sites that ran as written; a decision's place among its brothers is the number of its site."""
    cut = _cut_sites(outcome.stages)
    left = [decision for site, decision in enumerate(outcome.decisions, 1) if site not in cut]
    if left:
        yield "not cut:"
    for decision in left[:MOST_REASONS]:
        yield f"  line {decision.line}: {decision.kind}: {one_line(decision.note or decision.reason)}"
    if len(left) > MOST_REASONS:
        yield f"  and {len(left) - MOST_REASONS} more: --report FILE tells all"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRow:
    """One block or site as a plan shows it."""

    line: int
    file: str
    block: str
    statement: str
    kind: str
    reason: str


def plan_rows(program: Program) -> list[PlanRow]:
    """One row for each site, and one for each block that holds none, in the order of the lines."""
    sites: dict[str, list[SiteFacts]] = {block.key: [] for block in program.blocks}
    rows: list[PlanRow] = []
    for facts in program.sites:
        key = _home_of(facts, program)
        sites.setdefault(key, []).append(facts)
        rows.append(PlanRow(line=facts.line, file=facts.file, block=key, statement=facts.label, kind=str(facts.kind), reason=facts.reason))
    rows += [_block_row(block, program.file) for block in program.blocks if not sites[block.key]]
    return sorted(rows, key=lambda row: (row.file != program.file, row.file, row.line))


def _home_of(facts: SiteFacts, program: Program) -> str:
    """The key of the narrowest block around a site; nothing for a site in a module beside the script."""
    if facts.file != program.file:
        return ""
    around = [block for block in program.blocks if block.first_line <= facts.line <= block.last_line]
    return min(around, key=lambda block: block.last_line - block.first_line).key if around else ""


def _block_row(block: Block, file: str) -> PlanRow:
    statement = block.statements[0]
    is_definition = statement.startswith(("def ", "async def ", "class ", "@"))
    reason = "a definition" if is_definition else WITHOUT_SITE[str(block.effect)]
    return PlanRow(line=block.first_line, file=file, block=block.key, statement=statement, kind="whole", reason=reason)


def render_plan(program: Program) -> str:
    """What would be cut and why, and which block comes after which."""
    rows = [(_place(row, program), shorten(row.statement), row.kind, one_line(row.reason)) for row in plan_rows(program)]
    lines = table(("line", "statement", "kind", "reason"), rows, texts=("statement", "kind", "reason"))
    return "\n".join((*lines, "", "dependencies:", *_graph_lines(program.blocks)))


def _place(row: PlanRow, program: Program) -> str:
    return str(row.line) if row.file == program.file else f"{os.path.basename(row.file)}:{row.line}"


def _graph_lines(blocks: Sequence[Block]) -> Iterator[str]:
    """`rows:5 after main:3`, indented by the structure that was opened to reach the block."""
    order = {block.key: position for position, block in enumerate(blocks)}
    for block, after in zip(blocks, dependency_graph(tuple(blocks)).values(), strict=True):
        tail = f" after {', '.join(sorted(after, key=order.__getitem__))}" if after else ""
        yield f"{'  ' * (block.depth + 1)}{block.key}{tail}"


def plan_as_json(program: Program) -> Mapping[str, Any]:
    """A plan as plain JSON values: blocks with what they come after, and rows as `render_plan` shows them."""
    graph = dependency_graph(program.blocks)
    blocks = [
        {
            "key": block.key,
            "statements": list(block.statements),
            "first_line": block.first_line,
            "last_line": block.last_line,
            "effect": str(block.effect),
            "depth": block.depth,
            "after": sorted(graph[block.key]),
        }
        for block in program.blocks
    ]
    names = ("line", "file", "block", "statement", "kind", "reason")
    rows = [{name: getattr(row, name) for name in names} for row in plan_rows(program)]
    return {"script": program.file, "entry": program.entry, "blocks": blocks, "rows": rows}


def table(header: Sequence[str], rows: Sequence[Sequence[str]], *, texts: Sequence[str]) -> Iterator[str]:
    """Lines of aligned columns: those named in `texts` to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    is_text = [name in texts for name in header]
    for row in itertools.chain([header], rows):
        cells = [cell.ljust(width) if text else cell.rjust(width) for cell, width, text in zip(row, widths, is_text, strict=True)]
        yield "  ".join(cells).rstrip()


def shorten(statement: str, width: int = STATEMENT_WIDTH) -> str:
    """The first line of a statement, cut to a width."""
    first = statement.split("\n", 1)[0].strip()
    return first if len(first) <= width else first[: width - 3].rstrip() + "..."


def one_line(text: str) -> str:
    """A text with its line breaks made spaces."""
    return " ".join(text.split())
