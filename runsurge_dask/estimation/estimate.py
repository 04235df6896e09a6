"""Bytes and seconds of every block of a script, before it runs: `estimate` is the room's front door.

    estimates = estimate(program, host, cwd=".", limits=SampleLimits())
    estimates.footprints[4].peak_bytes      an upper bound for the fifth block on all of its data

Blocks that could be run on samples are fitted to them; the others, or all with `is_static`, follow the rules of
`knowledge.sizes`, from what is known of the values that reach them.
"""

from __future__ import annotations

import ast
import os
from dataclasses import replace
from typing import TYPE_CHECKING

from runsurge_contracts.plan import Basis, Estimates, Footprint, Variable
from runsurge_dask.analysis.build import parse
from runsurge_dask.analysis.structure import walk
from runsurge_dask.estimation.baseline import Baseline
from runsurge_dask.estimation.calibration import Measured, recall
from runsurge_dask.estimation.fits import Fit, fit_block
from runsurge_dask.estimation.fitting import MARGIN, NOISE_BYTES
from runsurge_dask.estimation.flow import Flow
from runsurge_dask.estimation.functions import function_lines
from runsurge_dask.estimation.samples import SampleLimits, Sampler
from runsurge_dask.estimation.static import StaticBlock, walk_blocks
from runsurge_dask.estimation.things import file_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from runsurge_dask.estimation.samples import Sample
    from runsurge_dask.ir.program import Program
    from runsurge_dask.runner.host import RunnerHost


CACHE_BYTES = 32 << 20
UNCACHED_FACTOR = 1.4
"""What a block holds of all the data does not fit into the processor's caches as a sample does. Chosen by eye from the seconds that
`benchmarks/estimation.py` prints; single scripts are still off by a factor of 3 either way."""
EARLIER_MARGIN = 1.05
"""Two runs of one block on the same data differ by less than this."""


def estimate(
    program: Program,
    host: RunnerHost | None,
    *,
    argv: Sequence[str] = (),
    cwd: str,
    limits: SampleLimits | None = None,
    is_static: bool = False,
    uses_cache: bool = True,
    progress: Callable[[str], None] | None = None,
) -> Estimates:
    """Say what each block of a script will need.

    `host` gives the children that samples run in (None is as good as `is_static`); `progress` is told what is being done; what
    earlier runs measured goes before both where `uses_cache`.

    Raises:
        EstimateError: a block grows without an end, or does not come to one, so that nothing can be said.
    """
    tree = parse(program.source, program.file)
    flow = Flow(program.blocks, tree)
    earlier = recall(program, argv=argv, cwd=cwd) if uses_cache else {}
    if is_static or host is None:
        rules = walk_blocks(program, tree, argv=argv, cwd=cwd)
        found = _compose(program, flow, {}, rules, (), Baseline.by_rule(program.imports), earlier=earlier)
        return replace(found, reads=files_named(tree, argv, cwd))
    walk_blocks(program, tree, argv=argv, cwd=cwd)  # what has no end is refused before it is tried
    baseline = Baseline.begin(program.imports)
    try:
        sampler = Sampler(
            program=program, tree=tree, host=host, argv=argv, cwd=cwd, limits=limits or SampleLimits(), progress=progress or _silent
        )
        samples = sampler.all()
        traced = sampler.traced(samples)
    finally:
        baseline_bytes = baseline.bytes()
    fits = {number: fit for number in range(1, len(program.blocks) + 1) if (fit := fit_block(number, samples, flow, program)) is not None}
    reached = max(fits, default=0)
    known = fits[reached].variables if reached else {}
    rules = walk_blocks(program, tree, argv=argv, cwd=cwd, known=known, after=reached) if reached < len(program.blocks) else {}
    found = _compose(program, flow, fits, rules, samples, baseline_bytes, traced=traced, earlier=earlier)
    seen = {each.path: each.full_bytes for sample in samples for each in sample.inputs}
    return replace(found, reads={**seen, **files_named(tree, argv, cwd)} if reached < len(program.blocks) else seen)


def files_named(tree: ast.Module, argv: Sequence[str], cwd: str) -> dict[str, int]:
    """Files that there are among the texts and arguments of a script, with their bytes: those that it is expected to read."""
    texts = [node.value for node in walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    sizes = {os.path.join(cwd, text): file_bytes(os.path.join(cwd, text)) for text in (*argv, *texts) if 0 < len(text) < _LONGEST_PATH}
    return {path: int(size) for path, size in sizes.items() if size and os.path.isfile(path)}


_LONGEST_PATH = 250


def _silent(_: str) -> None:
    pass


def _compose(
    program: Program,
    flow: Flow,
    fits: Mapping[int, Fit],
    rules: Mapping[int, StaticBlock],
    samples: Sequence[Sample],
    baseline_bytes: int,
    *,
    traced: Sample | None = None,
    earlier: Mapping[str, Measured],
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
        factor = UNCACHED_FACTOR if fit and fit.own_bytes > CACHE_BYTES and not _is_all(samples, number) else 1.0
        seconds = fit.seconds * factor if fit else rule.seconds if rule else 0.0
        basis = Basis.SAMPLES if fit else Basis.STATIC
        if (known := earlier.get(block.key)) is not None:
            held, seconds, basis = known.peak_bytes * EARLIER_MARGIN + NOISE_BYTES, known.seconds, Basis.EARLIER
        floor = max((each.size_bytes for each in (*needs.values(), *makes.values())), default=0)
        footprints.append(
            Footprint(
                block=block.key,
                needs=needs,
                makes=makes,
                function_bytes=max((held for key, held in lines.items() if key.rpartition("#")[2].startswith(f"{number}:")), default=0),
                peak_bytes=max(int(held), floor),
                seconds=seconds,
                basis=basis,
            )
        )
        main_lines[block.key] = after
        before = after
    return Estimates(
        footprints=tuple(footprints),
        main_lines=main_lines,
        function_lines=lines,
        peak_bytes=_whole_peak(footprints, main_lines, fits),
        seconds=sum(each.seconds for each in footprints),
        baseline_bytes=baseline_bytes,
    )


def _is_all(samples: Sequence[Sample], number: int) -> bool:
    """Whether the block was run on all of the data."""
    return any(sample.share >= 1 and number in sample.steps for sample in samples)


def _growth(number: int, samples: Sequence[Sample], fits: Mapping[int, Fit]) -> float:
    """How many times more a block holds on all of the data than on the smallest sample."""
    first = next((sample.steps[number] for sample in samples if number in sample.steps), None)
    if first is None or not first.held_bytes:
        return 1.0
    return max(1.0, fits[number].own_bytes / max(first.held_bytes, NOISE_BYTES))


def _whole_peak(footprints: Sequence[Footprint], main_lines: Mapping[str, Mapping[str, Variable]], fits: Mapping[int, Fit]) -> int:
    """The script in one process: what samples show of the process, then everything that lives and what each block adds."""
    highest, alive = 0.0, 0
    for number, footprint in enumerate(footprints, 1):
        if number in fits:
            highest = max(highest, fits[number].held_bytes * MARGIN + NOISE_BYTES)
        else:
            others = alive - sum(each.size_bytes for each in footprint.needs.values())
            highest = max(highest, max(0, others) + footprint.peak_bytes)
        alive = sum(each.size_bytes for each in main_lines[footprint.block].values())
    return int(highest)
