"""Why a block can run nowhere: where, both numbers, and what to do.

    line 17: `corr = df.corr()` needs every row at once (9.3 GiB); the largest node has 4 GiB. Give it a larger node ... [whole-too-large]
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from runsurge_contracts.plan import Refusal
from runsurge_contracts.scalars import format_bytes
from runsurge_dask.errors import RunSurgeError

if TYPE_CHECKING:
    from runsurge_contracts.plan import Plan
    from runsurge_dask.ir.program import Block

STATEMENT_WIDTH = 60
"""A statement is quoted to recognise it, on the line of a terminal that also holds the numbers."""


class PlanError(RunSurgeError):
    """A script cannot be planned on these nodes, or a plan is not one for this script."""

    code = "plan"


def require_runnable(plan: Plan) -> None:
    """Pass over a plan that refuses nothing.

    Raises:
        PlanError: the first refusal, with its code.
    """
    for refusal in plan.refusals:
        raise PlanError(f"line {refusal.line}", refusal.what, remedy=refusal.remedy, code=refusal.code)


def refuse_whole(block: Block, peak_bytes: int, available_bytes: int) -> Refusal:
    """A block that nothing can be cut of, and that is larger than every node."""
    return Refusal(
        block=block.key, line=block.first_line, code="whole-too-large", needed_bytes=peak_bytes, available_bytes=available_bytes,
        what=f"{quoted(block)} needs every row at once ({format_bytes(peak_bytes)}); "
        f"the largest node has {format_bytes(available_bytes)} for it",
        remedy=f"Raise --memory or name a larger node, or reduce the rows before line {block.first_line}.",
    )  # fmt: skip


def refuse_chunk(block: Block, chunk_bytes: int, available_bytes: int) -> Refusal:
    """A chain of which not even the smallest chunk fits: what every chunk needs whole, or a single item, is too large."""
    return Refusal(
        block=block.key, line=block.first_line, code="chunk-too-large", needed_bytes=chunk_bytes, available_bytes=available_bytes,
        what=f"{quoted(block)} needs {format_bytes(chunk_bytes)} for its smallest chunk; a chunk may have {format_bytes(available_bytes)}",
        remedy="Raise --memory, use fewer workers at once, or make what every chunk needs smaller.",
    )  # fmt: skip


def refuse_result(block: Block, result_bytes: int, available_bytes: int) -> Refusal:
    """A chain whose joined result is used whole and is larger than every node."""
    return Refusal(
        block=block.key, line=block.first_line, code="result-too-large", needed_bytes=result_bytes, available_bytes=available_bytes,
        what=f"the result of {quoted(block)} is used whole ({format_bytes(result_bytes)}); the largest node has "
        f"{format_bytes(available_bytes)} for it",
        remedy="Raise --memory, or write the rows to a file instead of keeping them.",
    )  # fmt: skip


def refuse_limit(block: Block, baseline_bytes: int, memory_bytes: int) -> Refusal:
    """No node has anything left beyond the baseline."""
    return Refusal(
        block=block.key, line=block.first_line, code="limit-below-baseline", needed_bytes=baseline_bytes + 1, available_bytes=memory_bytes,
        what=f"our processes alone hold {format_bytes(baseline_bytes)} before any data; the largest node has {format_bytes(memory_bytes)}",
        remedy=f"Raise --memory above {format_bytes(baseline_bytes)}.",
    )  # fmt: skip


def refuse_level(block: Block, peak_bytes: int, available_bytes: int, level: int) -> Refusal:
    """The user asked for a level at which this block may not be cut."""
    return Refusal(
        block=block.key, line=block.first_line, code="level-too-low", needed_bytes=peak_bytes, available_bytes=available_bytes,
        what=f"at level {level} {quoted(block)} needs {format_bytes(peak_bytes)}; the largest node has {format_bytes(available_bytes)}",
        remedy="Leave --level out, or raise --memory.",
    )  # fmt: skip


def refuse_script(block: Block, held_bytes: int, available_bytes: int) -> Refusal:
    """A run in which the script's own process would hold more than there is."""
    return Refusal(
        block=block.key, line=block.first_line, code="whole-too-large", needed_bytes=held_bytes, available_bytes=available_bytes,
        what=f"at {quoted(block)} the script itself would hold {format_bytes(held_bytes)}; "
        f"this limit leaves {format_bytes(available_bytes)} for data",
        remedy=f"Raise --memory by {format_bytes(held_bytes - available_bytes)}, or keep less before line {block.first_line}.",
    )  # fmt: skip


def quoted(block: Block) -> str:
    """The first line of a block's text, short enough for a message."""
    line = (block.statements[0] if block.statements else block.key).split("\n", 1)[0]
    return f"`{line if len(line) <= STATEMENT_WIDTH else line[: STATEMENT_WIDTH - 3] + '...'}`"
