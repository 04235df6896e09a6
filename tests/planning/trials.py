"""Run a script, and its task scripts one after the other, in empty folders of their own, and compare all that they leave."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from runsurge_contracts.plan import Estimates, Footprint, Variable
from runsurge_dask.analysis.blocks import dependency_graph
from runsurge_dask.analysis.build import build_program
from runsurge_dask.planning.kinds import block_kinds
from runsurge_dask.planning.levels import PlanOptions, make_plan
from runsurge_dask.planning.scripts import TaskScript, make_scripts
from tests.planning.problems import nodes_of

if TYPE_CHECKING:
    from pathlib import Path

    from runsurge_contracts.plan import Plan
    from runsurge_dask.ir.program import Program


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What a run left: files, text and exit status."""

    files: dict[str, bytes]
    text: str
    status: int


def plan_in_pieces(program: Program, chunks: int) -> tuple[Estimates, Plan]:
    """A plan that cuts every chain and merges nothing, so that tasks begin wherever they may."""
    made = {name for block in program.blocks for name in block.defs}
    size = Variable(length=None, size_bytes=6)
    estimates = Estimates(footprints=tuple(
        Footprint(
            block=block.key, needs=dict.fromkeys(sorted(block.uses & made), size), makes=dict.fromkeys(sorted(block.defs), size),
            peak_bytes=10,
        )
        for block in program.blocks
    ))  # fmt: skip
    options = PlanOptions(level=3, chunks=chunks)
    plan = make_plan(program.blocks, dependency_graph(program.blocks), block_kinds(program), estimates, nodes_of(200), options)
    return estimates, _taken_apart(plan)


def _taken_apart(plan: Plan) -> Plan:
    """The plan with every merged block in a stage of its own: no plan of ours, but one that task scripts must bear."""
    parts = [[stage.blocks] if stage.chunk_count > 1 else [(key,) for key in stage.blocks] for stage in plan.stages]
    single = [(stage, blocks) for stage, each in zip(plan.stages, parts, strict=True) for blocks in each]
    stages = (replace(stage, stage=number, blocks=blocks, level=max(2, stage.level)) for number, (stage, blocks) in enumerate(single, 1))
    return replace(plan, stages=tuple(stages), level=3)


def scripts_of(source: str, path: Path, chunks: int) -> tuple[TaskScript, ...]:
    """The task scripts of a script that is cut into so many chunks."""
    program = build_program(source, str(path))
    return make_scripts(program, plan_in_pieces(program, chunks)[1])


def run_plain(source: str, files: dict[str, str], folder: Path, *arguments: str) -> Left:
    """Run a script as it is."""
    _lay_out(files, folder)
    script = folder.parent / f"{folder.name}.py"
    script.write_text(source, encoding="utf-8")
    text, status = _run(script, folder, arguments)
    return Left(files=_files(folder), text=text, status=status)


def run_tasks(scripts: tuple[TaskScript, ...], files: dict[str, str], folder: Path, *arguments: str) -> Left:
    """Write task scripts beside each other, and run them in their order."""
    beside = folder.parent / f"{folder.name}_scripts"
    beside.mkdir()
    for script in scripts:
        (beside / script.file_name).write_text(script.text, encoding="utf-8")
    return run_command([beside / script.file_name for script in scripts], files, folder, *arguments)


def run_command(scripts: list[Path], files: dict[str, str], folder: Path, *arguments: str) -> Left:
    """Run scripts in their order, until one fails."""
    _lay_out(files, folder)
    said: list[str] = []
    status = 0
    for script in scripts:
        text, status = _run(script, folder, arguments)
        said.append(text)
        if status:
            break
    return Left(files=_files(folder), text="".join(said), status=status)


def _run(script: Path, folder: Path, arguments: tuple[str, ...]) -> tuple[str, int]:
    command = [sys.executable, str(script), *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONHASHSEED": "random"})
    error = done.stderr.strip().rpartition("\n")[2]
    return done.stdout + (f"[{error}]" if error else ""), done.returncode


def _lay_out(files: dict[str, str], folder: Path) -> None:
    folder.mkdir(parents=True)
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")


def _files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file()}
