"""Bytes and seconds of every block of a script, before it runs: `estimate` is the room's front door.

    estimates = estimate(program, host, cwd=".", limits=SampleLimits())
    estimates.footprints[4].peak_bytes      an upper bound for the fifth block on all of its data

Blocks that could be run on samples are fitted to them; the others, or all with `is_static`, follow the rules of
`knowledge.sizes`, from what is known of the values that reach them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runsurge_contracts.plan import Basis, Estimates, Footprint, Variable
from runsurge_dask.analysis.build import parse
from runsurge_dask.errors import RunSurgeError
from runsurge_dask.estimation.baseline import Baseline
from runsurge_dask.estimation.fitting import MARGIN, NOISE_BYTES, extrapolate, table_bytes
from runsurge_dask.estimation.flow import Flow
from runsurge_dask.estimation.functions import function_lines
from runsurge_dask.estimation.samples import SampleLimits, Sampler
from runsurge_dask.estimation.static import StaticBlock, walk_blocks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from runsurge_dask.estimation.samples import Sample, Step
    from runsurge_dask.ir.program import Program
    from runsurge_dask.runner.host import RunnerHost

SECONDS_NOISE = 0.002
"""Times below are those of the measurement."""


class EstimateError(RunSurgeError):
    """Nobody can say what a block will need."""

    code = "no-estimate"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """What samples say of one block on all of the data."""

    variables: Mapping[str, Variable]
    """After it."""
    own_bytes: float
    """What it needs, makes and holds in between, without a margin."""
    seconds: float


def estimate(
    program: Program,
    host: RunnerHost | None,
    *,
    argv: Sequence[str] = (),
    cwd: str,
    limits: SampleLimits | None = None,
    is_static: bool = False,
    progress: Callable[[str], None] | None = None,
) -> Estimates:
    """Say what each block of a script will need.

    `host` gives the children that samples run in (None is as good as `is_static`); `progress` is told what is being done.

    Raises:
        EstimateError: a block grows without an end, or does not come to one, so that nothing can be said.
    """
    tree = parse(program.source, program.file)
    flow = Flow(program.blocks, tree)
    if is_static or host is None:
        rules = walk_blocks(program, tree, argv=argv, cwd=cwd)
        return _compose(program, flow, {}, rules, (), Baseline.by_rule(program.imports))
    baseline = Baseline.begin(program.imports)
    try:
        sampler = Sampler(
            program=program, tree=tree, host=host, argv=argv, cwd=cwd, limits=limits or SampleLimits(), progress=progress or _silent
        )
        samples = sampler.all()
        traced = sampler.traced(samples)
    finally:
        baseline_bytes = baseline.bytes()
    fits = {number: fit for number in range(1, len(program.blocks) + 1) if (fit := _fit(number, samples, flow, program)) is not None}
    reached = max(fits, default=0)
    known = fits[reached].variables if reached else {}
    rules = walk_blocks(program, tree, argv=argv, cwd=cwd, known=known, after=reached) if reached < len(program.blocks) else {}
    return _compose(program, flow, fits, rules, samples, baseline_bytes, traced)


def _silent(_: str) -> None:
    pass


def _fit(number: int, samples: Sequence[Sample], flow: Flow, program: Program) -> Fit | None:
    """The block on all of the data; None where no sample reached its end."""
    seen = [(sample, step) for sample in samples if (step := sample.steps.get(number)) is not None]
    whole = [(sample, step) for sample, step in seen if step.is_complete]
    if not whole:
        return _fit_stopped(number, seen, flow, program) if seen else None
    shares = [sample.share for sample, _ in whole]
    names = [name for name in whole[-1][1].variables if all(name in step.variables for _, step in whole)]
    variables = {name: _fit_variable(shares, [step.variables[name] for _, step in whole]) for name in names}
    tables, foreseen = _tables(number, whole, variables, flow)
    own = foreseen + extrapolate(shares, [_own_bytes(number, sample, flow) - taken for (sample, _), taken in zip(whole, tables, strict=True)])
    return Fit(variables=variables, own_bytes=own, seconds=extrapolate(shares, [s.seconds for _, s in whole], noise=SECONDS_NOISE))


def _fit_stopped(number: int, seen: Sequence[tuple[Sample, Step]], flow: Flow, program: Program) -> Fit | None:
    """A block that was stopped within a loop of known length goes on as it has begun.

    Raises:
        EstimateError: it was stopped by the clock, and how far it had come is not known.
    """
    sample, step = max(seen, key=lambda each: each[0].share)
    if not sample.is_limited:
        return None
    block = program.blocks[number - 1]
    where = f"{program.file}, line {sample.line or block.first_line}"
    if step.turns is None or not step.turns[0]:
        limit = "its limit of memory" if "memory" in sample.reason else f"{sample.elapsed_seconds:.1f} s"
        raise EstimateError(
            where,
            f"after {limit} on {sample.share:.2%} of its data, `{block.statements[0].splitlines()[0]}` had not come to an end, "
            "and nothing tells how far it is",
            remedy="Let it loop over something with a length, or state its memory and chunks yourself (manual mode).",
        )
    done, every = step.turns
    factor = max(1.0, every / done) / sample.share
    variables = {
        name: Variable(length=length, size_bytes=size) if _is_before(name, size, sample, number)
        else Variable(length=None if length is None else int(length * factor), size_bytes=int(size * factor))
        for name, (length, size) in step.variables.items()
    }  # fmt: skip
    return Fit(variables=variables, own_bytes=_own_bytes(number, sample, flow) * factor, seconds=step.seconds * factor)


def _tables(
    number: int, whole: Sequence[tuple[Sample, Step]], variables: Mapping[str, Variable], flow: Flow
) -> tuple[list[float], float]:
    """Bytes of the block's own hash tables in each sample, and on all of the data, where each may be about to double."""
    taken, foreseen = [0.0] * len(whole), 0.0
    if whole[-1][0].share >= 1:
        return taken, foreseen
    for name in whole[-1][1].tables:
        seen = [(step.variables[name][0] or 0, step.tables[name]) for _, step in whole if name in step.tables]
        length = variables[name].length if name in variables else None
        if len(seen) < len(whole) or length is None or length <= seen[-1][0] or name not in flow.touched[number]:
            continue
        taken = [sum(pair) for pair in zip(taken, (size for _, size in seen), strict=True)]
        foreseen += table_bytes(length, seen)
    return taken, foreseen


def _is_before(name: str, size: int, sample: Sample, number: int) -> bool:
    """Whether a variable is what it was before the block."""
    before = _before(number, sample)
    return before is not None and name in before.variables and before.variables[name][1] == size


def _before(number: int, sample: Sample) -> Step | None:
    earlier = [each for each in sample.steps if each < number]
    return sample.steps[max(earlier)] if earlier else None


def _own_bytes(number: int, sample: Sample, flow: Flow) -> float:
    """What the block itself held in a sample: its needs and its rise, but never more than the process held."""
    step, before = sample.steps[number], _before(number, sample)
    there = before.variables if before is not None else {}
    needed = sum(size for name, (_, size) in there.items() if name in flow.needed[number])
    others = sum(size for name, (_, size) in there.items() if name not in flow.needed[number])
    return float(min(step.held_bytes, max(needed + step.rise_bytes, step.held_bytes - others)))


def _fit_variable(shares: Sequence[float], seen: Sequence[tuple[int | None, int]]) -> Variable:
    lengths = [length for length, _ in seen if length is not None]
    length = round(extrapolate(shares, lengths, noise=0)) if len(lengths) == len(seen) else None
    return Variable(length=length, size_bytes=round(extrapolate(shares, [size for _, size in seen], noise=256)))


def _compose(
    program: Program,
    flow: Flow,
    fits: Mapping[int, Fit],
    rules: Mapping[int, StaticBlock],
    samples: Sequence[Sample],
    baseline_bytes: int,
    traced: Sample | None = None,
) -> Estimates:
    footprints: list[Footprint] = []
    main_lines: dict[str, Mapping[str, Variable]] = {}
    before: Mapping[str, Variable] = {}
    lines = function_lines(program, traced, {number: _growth(number, samples, fits) for number in fits})
    for number, block in enumerate(program.blocks, 1):
        fit, rule = fits.get(number), rules.get(number)
        after = fit.variables if fit else rule.variables if rule else before
        needs = {name: before[name] for name in sorted(flow.needed[number]) if name in before}
        makes = {name: after[name] for name in sorted(flow.made[number]) if name in after}
        held = fit.own_bytes * MARGIN + NOISE_BYTES if fit else rule.peak_bytes if rule else 0.0
        floor = max((each.size_bytes for each in (*needs.values(), *makes.values())), default=0)
        footprints.append(
            Footprint(
                block=block.key,
                needs=needs,
                makes=makes,
                function_bytes=max((held for key, held in lines.items() if key.rpartition("#")[2].startswith(f"{number}:")), default=0),
                peak_bytes=max(int(held), floor),
                seconds=fit.seconds if fit else rule.seconds if rule else 0.0,
                basis=Basis.SAMPLES if fit else Basis.STATIC,
            )
        )
        main_lines[block.key] = after
        before = after
    return Estimates(
        footprints=tuple(footprints),
        main_lines=main_lines,
        function_lines=lines,
        peak_bytes=_whole_peak(samples, footprints, main_lines, fits),
        seconds=sum(each.seconds for each in footprints),
        baseline_bytes=baseline_bytes,
    )


def _growth(number: int, samples: Sequence[Sample], fits: Mapping[int, Fit]) -> float:
    """How many times more a block holds on all of the data than on the smallest sample."""
    first = next((sample.steps[number] for sample in samples if number in sample.steps), None)
    if first is None or not first.held_bytes:
        return 1.0
    return max(1.0, fits[number].own_bytes / max(first.held_bytes, NOISE_BYTES))


def _whole_peak(
    samples: Sequence[Sample], footprints: Sequence[Footprint], main_lines: Mapping[str, Mapping[str, Variable]], fits: Mapping[int, Fit]
) -> int:
    """The script in one process: measured as a whole as far as samples went, then everything that lives plus what each block adds."""
    done = [sample for sample in samples if sample.is_done] or [sample for sample in samples if fits and sample.steps]
    measured = extrapolate([s.share for s in done], [s.held_bytes for s in done]) * MARGIN + NOISE_BYTES if done else 0.0
    highest, alive = measured, 0
    for footprint in footprints:
        if footprint.basis is Basis.STATIC or not all(sample.is_done for sample in samples):
            others = alive - sum(each.size_bytes for each in footprint.needs.values())
            highest = max(highest, max(0, others) + footprint.peak_bytes)
        alive = sum(each.size_bytes for each in main_lines[footprint.block].values())
    return int(highest)


