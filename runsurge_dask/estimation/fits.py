"""From samples to each block on all of the data: its variables, what it holds itself, what the process holds meanwhile.

    block 6 in three samples    rows: 12,150 / 30,320 / 60,640 items    held: 3.1 / 7.6 / 14.7 MB
    on all of the data          rows: 480,000 items, 88 MB              held: 116 MB

Lengths are exact, so they show whether something flattens or bends; bytes come in the steps of allocators and hash tables,
so they follow the lengths where they can, and a straight line where they cannot.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runsurge_contracts.plan import Variable
from runsurge_dask.errors import RunSurgeError
from runsurge_dask.estimation.fitting import BENDING, NOISE_BYTES, extrapolate, likely_table_bytes, power_of, table_bytes

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from runsurge_dask.estimation.flow import Flow
    from runsurge_dask.estimation.samples import Sample, Step
    from runsurge_dask.ir.program import Program

SECONDS_NOISE = 0.03
"""Times below are those of the measurement."""
SAME_WEIGHT = 0.15
"""Items whose mean weight differs by less are taken to weigh the same in all of the data."""
FASTEST_BYTES_A_SECOND = 1e9
"""What earlier blocks freed a block may fill again without a rise to be seen, but not faster than it works: a gigabyte a second."""
LEAST_FILLING_SECONDS = 0.001
"""What opening a file or making an empty list may take on a machine that does other things, too."""

Seen = list[tuple["Sample", "Step"]]


class EstimateError(RunSurgeError):
    """Nobody can say what a block will need."""

    code = "no-estimate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """What samples say of one block on all of the data, without a margin."""

    variables: Mapping[str, Variable]
    """After it."""
    own_bytes: float
    """What it needs, makes and holds in between."""
    held_bytes: float
    """What the process holds, with all that earlier blocks have left."""
    seconds: float


def fit_block(number: int, samples: Sequence[Sample], flow: Flow, program: Program) -> Fit | None:
    """The block on all of the data; None where no sample reached it.

    Raises:
        EstimateError: it was stopped by the clock, and how far it had come is not known.
    """
    seen = [(sample, step) for sample in samples if (step := sample.steps.get(number)) is not None]
    whole = [(sample, step) for sample, step in seen if step.is_complete]
    if not whole:
        return _fit_stopped(number, seen, flow, program) if seen else None
    shares = [sample.share for sample, _ in whole]
    last = whole[-1][1]
    names = [name for name in last.variables if all(name in step.variables for _, step in whole)]
    variables = {name: _fit_variable(name, whole) for name in names}
    held = _foresee([float(step.held_bytes) for _, step in whole], whole, variables, names)
    own = _foresee([own_bytes(number, sample, flow) for sample, _ in whole], whole, variables, flow.touched[number])
    seconds = extrapolate(shares, [step.seconds for _, step in whole], noise=SECONDS_NOISE)
    visible = _foresee([seen_bytes(number, sample, flow) for sample, _ in whole], whole, variables, flow.touched[number])
    filled = max(0.0, seconds - LEAST_FILLING_SECONDS) * FASTEST_BYTES_A_SECOND
    return Fit(variables=variables, own_bytes=min(own, held, visible + filled), held_bytes=held, seconds=seconds)


def own_bytes(number: int, sample: Sample, flow: Flow) -> float:
    """What the block itself held in a sample: its needs and its rise, but never more than the process held."""
    step, before = sample.steps[number], _before(number, sample)
    there = before.variables if before is not None else {}
    needed = sum(size for name, (_, size) in there.items() if name in flow.needed[number])
    others = sum(size for name, (_, size) in there.items() if name not in flow.needed[number])
    return float(min(step.held_bytes, max(needed + step.rise_bytes, step.held_bytes - others)))


def seen_bytes(number: int, sample: Sample, flow: Flow) -> float:
    """The same without what it may have filled of memory that earlier blocks had freed, which no rise shows."""
    step, before = sample.steps[number], _before(number, sample)
    there = before.variables if before is not None else {}
    needed = sum(size for name, (_, size) in there.items() if name in flow.needed[number])
    return float(min(step.held_bytes, needed + step.rise_bytes))


def _fit_variable(name: str, whole: Seen) -> Variable:
    shares = [sample.share for sample, _ in whole]
    lengths = [step.variables[name][0] for _, step in whole]
    sizes = [step.variables[name][1] for _, step in whole]
    counts = [length for length in lengths if length is not None]
    if len(counts) < len(lengths):
        return Variable(length=None, size_bytes=round(extrapolate(shares, sizes, noise=256, flattens=False)))
    length = round(extrapolate(shares, counts, noise=1))
    tables = [step.tables.get(name, 0) for _, step in whole]
    inner = [size - table for size, table in zip(sizes, tables, strict=True)]
    weights = [each / count for each, count in zip(inner, counts, strict=True) if count]
    if shares[-1] >= 1:
        return Variable(length=length, size_bytes=sizes[-1])
    if weights and len(weights) == len(counts) and max(weights) <= (1 + SAME_WEIGHT) * min(weights):
        size = weights[-1] * length
    else:
        size = extrapolate(shares, inner, noise=256, flattens=False)
    table = likely_table_bytes(length, list(zip(counts, tables, strict=True))) if tables[-1] else 0.0
    return Variable(length=length, size_bytes=round(max(size + table, sizes[-1])))


def _foresee(measured: Sequence[float], whole: Seen, variables: Mapping[str, Variable], names: Collection[str]) -> float:
    """What was measured, on all of the data: variables that do not grow straight by themselves, the rest in a straight line."""
    shares = [sample.share for sample, _ in whole]
    if shares[-1] >= 1 or len(whole) == 1:
        return extrapolate(shares, measured, flattens=False)
    rest, foreseen, bends = list(measured), 0.0, False
    for name in names:
        if name not in variables or any(name not in step.variables for _, step in whole):
            continue
        counts = [step.variables[name][0] or 0 for _, step in whole]
        power = power_of(shares, counts, 1)
        bends |= power >= BENDING
        length = variables[name].length
        if length is None or length <= counts[-1]:
            continue
        tables = [(count, step.tables.get(name, 0)) for count, (_, step) in zip(counts, whole, strict=True)]
        if tables[-1][1]:
            taken, likely = [float(table) for _, table in tables], table_bytes(length, tables)
        else:
            taken, likely = [0.0] * len(whole), 0.0
        if power < 1:
            inner = [step.variables[name][1] - table for (_, step), (_, table) in zip(whole, tables, strict=True)]
            taken = [a + b for a, b in zip(taken, inner, strict=True)]
            likely += max(0.0, variables[name].size_bytes - (likely_table_bytes(length, tables) if tables[-1][1] else 0.0))
        if any(each > left for each, left in zip(taken, rest, strict=True)):
            continue  # it was counted with another that shares it
        rest = [left - each for left, each in zip(rest, taken, strict=True)]
        foreseen += likely
    return foreseen + extrapolate(shares, rest, flattens=False, noise=NOISE_BYTES if bends else 16 * NOISE_BYTES)


def _before(number: int, sample: Sample) -> Step | None:
    earlier = [each for each in sample.steps if each < number]
    return sample.steps[max(earlier)] if earlier else None


def _fit_stopped(number: int, seen: Seen, flow: Flow, program: Program) -> Fit | None:
    """A block that was stopped within a loop of known length goes on as it has begun; None where something else ended it."""
    sample, step = max(seen, key=lambda each: each[0].share)
    if not sample.is_limited:
        return None
    if step.turns is None or not step.turns[0]:
        block = program.blocks[number - 1]
        limit = "its limit of memory" if "memory" in sample.reason else f"{sample.elapsed_seconds:.1f} s"
        raise EstimateError(
            f"{program.file}, line {sample.line or block.first_line}",
            f"after {limit} on {sample.share:.2%} of the data, `{block.statements[0].splitlines()[0]}` had not come to an end, "
            "and nothing tells how far it was",
            remedy="Let it loop over something that has a length, or state its memory and chunks yourself.",
        )
    done, every = step.turns
    factor = max(1.0, every / done) / sample.share
    before = _before(number, sample)
    there = before.variables if before is not None else {}
    variables = {
        name: Variable(length=length, size_bytes=size) if there.get(name) == (length, size)
        else Variable(length=None if length is None else int(length * factor), size_bytes=int(size * factor))
        for name, (length, size) in step.variables.items()
    }  # fmt: skip
    own = own_bytes(number, sample, flow)
    kept = max(0.0, step.held_bytes - own)
    return Fit(variables=variables, own_bytes=own * factor, held_bytes=own * factor + kept / sample.share, seconds=step.seconds * factor)
