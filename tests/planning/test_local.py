"""What a run on one machine is planned to do: what is cut, what stays in files, and what the script's own process cannot hold."""

from __future__ import annotations

import pytest

from runsurge_contracts.plan import Estimates, Footprint, Node, Plan, Variable
from runsurge_dask.analysis.build import build_program
from runsurge_dask.planning.kinds import block_kinds
from runsurge_dask.planning.levels import PlanOptions
from runsurge_dask.planning.local import make_local_plan
from runsurge_dask.planning.manual import sites_of_plan

MIB = 1 << 20
SOURCE = """def load(path):
    rows = []
    for line in open(path):
        rows.append(line.split())
    return rows
rows = load("in.txt")
results = []
for row in rows:
    results.append([row[0], len(row)])
table = {r[0]: r for r in results}
with open("out.txt", "w") as out:
    for result in results:
        out.write(result[0])
"""
SIZES = {"rows": 400, "results": 200, "table": 60}
"""MiB of each variable."""
PEAKS = {"rows:2": 420, "row:4": 620, "table:5": 270, "result:7": 200}
SECONDS = {"rows:2": 3.0, "row:4": 4.0, "result:7": 1.0}


def plan_of(memory_mib: int, *, sizes: dict[str, int] = SIZES, wanted: dict[str, int] | None = None, **options: int) -> Plan:
    program = build_program(SOURCE, "script.py")
    variables = {name: Variable(length=100_000, size_bytes=size * MIB) for name, size in sizes.items()}
    footprints, lines = [], {}
    alive: dict[str, Variable] = {}
    for block in program.blocks:
        is_code = block.statements[0].startswith("def ")
        needs = {name: alive[name] for name in block.uses if name in alive and not is_code}
        makes = {name: variables[name] for name in block.defs if name in variables and block.key in PEAKS}
        alive = alive if is_code else {**alive, **makes}
        held = [each.size_bytes for each in (*needs.values(), *makes.values())]
        peak = max(PEAKS.get(block.key, 1) * MIB, sum(held))
        footprints.append(Footprint(block=block.key, needs=needs, makes=makes, peak_bytes=peak, seconds=SECONDS.get(block.key, 0.0)))
        lines[block.key] = dict(alive)
    estimates = Estimates(footprints=tuple(footprints), main_lines=lines, baseline_bytes=10 * MIB, seconds=8.0)
    node = Node(name="one", memory_bytes=memory_mib * MIB)
    plan_options = PlanOptions(workers=2, chunks_at_once=2, baseline_bytes=100 * MIB, **options)
    return make_local_plan(program, block_kinds(program), estimates, node, plan_options, wanted)


def cut(plan: Plan) -> dict[int, int]:
    """Chunks by line."""
    return {stage.line: stage.chunk_count for stage in plan.stages if stage.level == 3}


def test_lists_that_do_not_fit_stay_in_files_and_are_cut_where_they_are_made() -> None:
    plan = plan_of(400)
    assert plan.refusals == ()
    assert plan.in_files == {"rows:2": ("rows",), "row:4": ("results",)}
    assert set(cut(plan)) == {6, 8, 12}
    room = (400 - 110) * MIB
    assert all(2 * stage.task_peak_bytes <= room for stage in plan.stages)


def test_what_is_no_list_must_fit_into_the_scripts_own_process() -> None:
    plan = plan_of(400, sizes={**SIZES, "table": 350})
    assert next((refusal.code, refusal.line) for refusal in plan.refusals) == ("whole-too-large", 10)
    assert plan.refusals[0].needed_bytes > plan.refusals[0].available_bytes


def test_where_everything_fits_only_what_saves_time_is_cut() -> None:
    plan = plan_of(8000)
    assert cut(plan)[6] == cut(plan)[8] == 8
    assert plan.refusals == ()


@pytest.mark.parametrize(("level", "lines"), [(1, set()), (2, set()), (3, {6, 8, 12})])
def test_a_level_is_planned_as_asked(level: int, lines: set[int]) -> None:
    assert set(cut(plan_of(8000, level=level))) >= lines
    assert (plan_of(8000, level=level).level == 3) == bool(lines)


def test_less_for_a_task_means_more_chunks() -> None:
    assert cut(plan_of(8000, task_bytes=20 * MIB))[8] > cut(plan_of(8000))[8]


def test_chunks_that_were_asked_for_are_the_only_ones_and_must_fit() -> None:
    plan = plan_of(400, wanted={"rows:2": 20, "row:4": 30, "result:7": 20})
    assert (plan.refusals, cut(plan)) == ((), {6: 20, 8: 30, 12: 20})
    assert plan_of(400, wanted={"rows:2": 2, "row:4": 30, "result:7": 20}).refusals[0].code == "chunk-too-large"
    assert plan_of(400, wanted={"row:4": 30}).refusals[0].code == "whole-too-large"


def test_every_site_gets_its_number_the_loop_in_a_function_that_of_its_caller() -> None:
    program = build_program(SOURCE, "script.py")
    by_line = {facts.line: facts.site for facts in program.sites}
    asked = sites_of_plan(plan_of(400, wanted={"rows:2": 20, "row:4": 30, "result:7": 20}), program)
    assert (asked[by_line[3]], asked[by_line[8]], asked[by_line[12]]) == (20, 30, 20)
    assert asked[by_line[10]] == 1
    assert set(sites_of_plan(plan_of(8000, level=1), program).values()) == {1}


def test_a_limit_without_room_is_refused() -> None:
    assert plan_of(105).refusals[0].code == "limit-below-baseline"
