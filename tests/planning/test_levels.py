"""Plans of small problems: the worked numbers, what is merged, cut, placed and refused; and laws of every plan."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runsurge_contracts.plan import Estimates, Footprint, TaskType, Variable
from runsurge_dask.planning.levels import PlanOptions, make_plan
from runsurge_dask.planning.peaks import memory_of
from runsurge_dask.planning.refusals import PlanError, require_runnable
from tests.planning.problems import nodes_of, read_problem, shown

TOO_LARGE = 8_000_000


def test_9738272_bytes_on_a_node_of_8000000_are_two_chunks() -> None:
    plan = read_problem("b = f(a) | rows | peak 9738272").plan(TOO_LARGE)
    assert [stage.chunk_count for stage in plan.stages] == [2]
    assert shown(plan) == ["1 n1 Fused Parallel 0: b:1", "2 n1 Fused Parallel 1: b:1", "3 n1 Aggregator: b:1"]
    assert [each.reserved_bytes for each in plan.reservations] == [4_869_136, 4_869_136, 0]


CHAINS = {
    "4 then 2": ("b = f(a) | rows | peak 390\nc = g(b) | rows | peak 110", (4, 2), 4),
    "4 then 7": ("b = f(a) | rows | peak 390\nc = g(b) | rows | peak 690", (4, 7), 7),
    "7 then 4": ("b = f(a) | rows | peak 690\nc = g(b) | reduce | peak 390", (7, 4), 7),
    "2 then 2 then 9": ("b = f(a) | rows | peak 190\nc = g(b) | rows | peak 190\nd = h(c) | group | peak 900", (2, 2, 9), 9),
    "what fits is not cut before or after": ("a = 1 | rows | peak 10\nb = f(a) | rows | peak 390\nc = g(b) | rows | peak 50", (4,), 4),
    "what fits in between is": ("b = f(a) | rows | peak 390\nc = g(b) | rows | peak 9\nd = h(c) | rows | peak 210", (4, 1, 3), 4),
}


@pytest.mark.parametrize(("text", "needed", "count"), CHAINS.values(), ids=CHAINS)
def test_a_chain_runs_in_the_most_chunks_that_one_of_its_blocks_needs(text: str, needed: tuple[int, ...], count: int) -> None:
    plan = read_problem(text).plan(100)
    stage = next(stage for stage in plan.stages if stage.level == 3)
    assert (stage.needed_chunks, stage.chunk_count) == (needed, count)
    assert sum(task.task_type is TaskType.FUSED_PARALLEL for task in plan.tasks) == count


def test_one_block_is_one_task() -> None:
    plan = read_problem("a = load() | whole | peak 70").plan(100)
    assert (plan.level, shown(plan)) == (1, ["1 n1 Whole Program: a:1"])


def test_a_program_that_fits_runs_on_the_smallest_node_that_holds_it() -> None:
    problem = read_problem("a = load() | whole | peak 70 | makes a 60\nb = f(a) | rows | peak 120 | needs a 60 | makes b 60")
    assert shown(problem.plan(300, 130, 110)) == ["1 n2 Whole Program: a:1 b:2"]


def test_merged_blocks_run_on_two_nodes() -> None:
    problem = read_problem(
        "a = load() | whole | peak 60 | makes a 40\n"
        "b = f(a) | whole | peak 90 | needs a 40 | makes b 20 | calls 50\n"
        "c = load() | whole | peak 130 | makes c 100\n"
        "d = g(c) | whole | peak 150 | needs c 100 | makes d 10 | calls 30\n"
    )
    plan = problem.plan(100, 160, options=PlanOptions(level=2))
    assert shown(plan) == ["1 n1 Merged Blocks: a:1 b:2", "1 n2 Merged Blocks: c:3 d:4"]
    assert [(each.blocks, each.peak_bytes, each.node) for each in plan.merged] == [(("a:1", "b:2"), 90, "n1"), (("c:3", "d:4"), 150, "n2")]


def test_a_fused_chain_ends_in_one_aggregator_before_what_uses_it_whole() -> None:
    plan = read_problem(
        "a = load() | whole | peak 90 | makes a 80\n"
        "b = f(a) | rows | peak 190 | needs a 80 | makes b 80\n"
        "t = g(b) | reduce | peak 110 | needs b 80 | makes t 10\n"
        "u = h(t) | whole | peak 20 | needs t 10 | makes u 5\n"
    ).plan(100)
    assert shown(plan) == [
        "1 n1 Merged Blocks: a:1",
        "2 n1 Fused Parallel 0: b:2 t:3",
        "3 n1 Fused Parallel 1: b:2 t:3",
        "4 n1 Aggregator: b:2 t:3",
        "5 n1 Merged Blocks: u:4",
    ]
    assert plan.refusals == ()


def test_rows_that_end_in_a_file_need_no_aggregator() -> None:
    plan = read_problem("b = f(a) | rows | peak 190 | makes b 80\nopen(b, 'w').write('') | rows | peak 190 | needs b 80").plan(100)
    assert [task.task_type for task in plan.tasks] == [TaskType.FUSED_PARALLEL] * 2


def test_a_fold_goes_from_chunk_to_chunk() -> None:
    plan = read_problem("s = f(a) | fold | peak 290 | takes 100").plan(100, options=PlanOptions(workers=8))
    assert [task.after for task in plan.tasks] == [(), (1,), (2,), (1, 2, 3)]


def test_halo_only_begins_a_chain() -> None:
    plan = read_problem("b = f(a) | rows | peak 290 | makes b 20\nc = g(b) | halo | peak 290 | needs b 20").plan(100)
    assert [stage.blocks for stage in plan.stages] == [("b:1",), ("c:2",)]


def test_what_every_chunk_needs_whole_is_in_every_chunk() -> None:
    plan = read_problem("b = f(a, k) | rows | peak 200 | needs a 100, k 40 | makes b 20").plan(100)
    assert (plan.stages[0].chunk_count, plan.stages[0].task_peak_bytes) == (3, 94)


def test_independent_blocks_share_a_wave_where_their_sum_fits() -> None:
    text = "a = f() | whole | peak 60 | makes a 60\nb = g() | whole | peak 60 | makes b 60\nc = h(a) | whole | peak 100 | needs a 60"
    problem, options = read_problem(text), PlanOptions(level=2, workers=2)
    assert [(task.wave, task.node) for task in problem.plan(170, options=options).tasks] == [(1, "n1"), (1, "n1")]
    assert [(task.wave, task.node) for task in problem.plan(110, options=options).tasks] == [(1, "n1"), (2, "n1")]
    assert [(task.wave, task.node) for task in problem.plan(110, 110, options=options).tasks] == [(1, "n1"), (1, "n2")]


SECONDS = {
    "too little to save": ("b = f(a) | rows | peak 50 | takes 1.5", 2, 1, 1),
    "worth it on two": ("b = f(a) | rows | peak 50 | takes 10", 2, 3, 8),
    "nobody to share with": ("b = f(a) | rows | peak 50 | takes 10", 1, 1, 1),
    "a fold saves nothing": ("b = f(a) | fold | peak 50 | takes 10", 2, 1, 1),
    "no more chunks than items": ("b = f(a) | rows | peak 50 | needs a 5 3 | takes 10", 2, 3, 3),
}


@pytest.mark.parametrize(("text", "workers", "level", "chunks"), SECONDS.values(), ids=SECONDS)
def test_what_fits_is_cut_where_that_saves_time(text: str, workers: int, level: int, chunks: int) -> None:
    plan = read_problem(text).plan(100, options=PlanOptions(workers=workers))
    assert (plan.level, plan.stages[0].chunk_count) == (level, chunks)


REFUSED = {
    "whole": ("b = f(a) | whole | peak 900", (100, 300), PlanOptions(), "whole-too-large", (900, 300)),
    "one item": ("b = f(a) | rows | peak 900 | needs a 400 2", (100, 300), PlanOptions(), "chunk-too-large", (450, 300)),
    "what chunks share": ("b = f(a, k) | rows | peak 900 | needs k 300", (100, 300), PlanOptions(), "chunk-too-large", (1200, 300)),
    "result": ("b = f(a) | rows | peak 900 | makes b 400\nprint(b) | whole", (300,), PlanOptions(), "result-too-large", (534, 300)),
    "baseline": ("b = f(a) | rows | peak 9", (100, 300), PlanOptions(baseline_bytes=300), "limit-below-baseline", (301, 300)),
    "level 1": ("b = f(a) | rows | peak 900", (300,), PlanOptions(level=1), "level-too-low", (900, 300)),
    "level 2": ("b = f(a) | rows | peak 900", (300,), PlanOptions(level=2), "level-too-low", (900, 300)),
}


@pytest.mark.parametrize(("text", "memories", "options", "code", "numbers"), REFUSED.values(), ids=REFUSED)
def test_a_refusal_says_line_both_numbers_and_code(
    text: str, memories: tuple[int, ...], options: PlanOptions, code: str, numbers: tuple[int, int]
) -> None:
    plan = read_problem(text).plan(*memories, options=options)
    refusal = plan.refusals[0]
    assert (refusal.code, refusal.line, (refusal.needed_bytes, refusal.available_bytes)) == (code, 1, numbers)
    with pytest.raises(PlanError, match=rf"^line 1: .*\[{code}\]$"):
        require_runnable(plan)


def test_a_refusal_reads_like_a_sentence() -> None:
    plan = read_problem("corr = df.corr() | whole | peak 9985798963").plan(4 << 30)
    with pytest.raises(PlanError) as caught:
        require_runnable(plan)
    assert str(caught.value) == (
        "line 1: `corr = df.corr()` needs every row at once (9.3 GiB); the largest node has 4 GiB for it. "
        "Raise --memory or name a larger node, or reduce the rows before line 1. [whole-too-large]"
    )


def test_the_baseline_is_no_memory_for_chunks() -> None:
    plan = read_problem("b = f(a) | rows | peak 100").plan(80, options=PlanOptions(baseline_bytes=60))
    assert plan.stages[0].chunk_count == 5


def test_chunks_are_asked_for_by_number_by_bytes_or_to_fit_together() -> None:
    problem = read_problem("b = f(a) | rows | peak 190")
    assert problem.plan(100, options=PlanOptions(chunks=5)).stages[0].chunk_count == 5
    assert problem.plan(100, options=PlanOptions(chunks=1)).stages[0].chunk_count == 2
    assert problem.plan(100, options=PlanOptions(task_bytes=20)).stages[0].chunk_count == 10
    assert problem.plan(100, options=PlanOptions(chunks_at_once=2)).stages[0].chunk_count == 4


def test_reading_and_writing_keep_their_order() -> None:
    text = "a = open('x').read() | whole | peak 60\nopen('x', 'w').write('') | whole | peak 60\nb = open('x').read() | whole | peak 60"
    plan = read_problem(text).plan(65, 65, 65, options=PlanOptions(level=2, workers=3))
    assert [stage.after for stage in plan.stages] in ([(), (1,), (2,)], [()])


MERGED = {
    "no external dependency": ({"b": ({}, {"b": 5}, 0)}, ["b"], 0),
    "one": ({"a": ({}, {"a": 70}, 0), "b": ({"a": 70}, {"b": 5}, 0), "c": ({"b": 5}, {}, 0)}, ["b", "c"], 70),
    "several, only live ones summed": (
        {"a": ({}, {"a": 70, "dead": 500}, 0), "x": ({}, {"x": 30}, 0), "b": ({"a": 70}, {"b": 5}, 0), "c": ({"a": 70, "x": 30}, {}, 0)},
        ["b", "c"],
        100,
    ),
    "function footprint added": (
        {"a": ({}, {"a": 70}, 0), "b": ({"a": 70}, {"b": 5}, 40), "c": ({"b": 5}, {}, 90)},
        ["b", "c"],
        160,
    ),
}


@pytest.mark.parametrize(("footprints", "members", "peak_bytes"), MERGED.values(), ids=MERGED)
def test_merged_blocks_hold_what_they_need_and_the_highest_line_of_their_functions(
    footprints: dict[str, tuple[dict[str, int], dict[str, int], int]], members: list[str], peak_bytes: int
) -> None:
    def variables(sizes: dict[str, int]) -> dict[str, Variable]:
        return {name: Variable(length=None, size_bytes=size) for name, size in sizes.items()}

    estimates = Estimates(footprints=tuple(
        Footprint(
            block=key, needs=variables(needs), makes=variables(makes), function_bytes=inside,
            peak_bytes=max(sum(needs.values()) + inside, *makes.values(), 0, 0),
        )
        for key, (needs, makes, inside) in footprints.items()
    ))  # fmt: skip
    memory = memory_of(estimates)
    assert memory.needed_bytes(members) + max(footprints[key][2] for key in members) == peak_bytes
    assert memory.merged_peak_bytes(members) == max(peak_bytes, 5)


def test_the_simulated_peak_counts_what_is_alive_and_not_what_is_dead() -> None:
    problem = read_problem(
        "a = f() | whole | peak 60 | makes a 50\nb = g(a) | whole | peak 70 | needs a 50 | makes b 10\n"
        "c = h() | whole | peak 40 | makes c 5\nd = k(b, c) | whole | peak 20 | needs b 10, c 5\n"
    )
    assert problem.plan(1000).peak_bytes == 70
    assert memory_of(problem.estimates).held_across["c:3"] == {"b": 10}


@given(data=st.data())
def test_every_plan_runs_each_block_once_after_what_it_needs_and_within_every_node(data: st.DataObject) -> None:
    problem = read_problem("\n".join(data.draw(_line(number)) for number in range(1, data.draw(st.integers(1, 7)) + 1)))
    memories = data.draw(st.lists(st.integers(60, 400), min_size=1, max_size=3))
    options = PlanOptions(workers=data.draw(st.integers(1, 3)), level=data.draw(st.sampled_from([None, 2, 3])))
    plan = make_plan(problem.blocks, problem.edges, problem.kinds, problem.estimates, nodes_of(*memories), options)
    stage_of = {key: stage for stage in plan.stages for key in stage.blocks}
    refused = {refusal.block for refusal in plan.refusals}
    assert sum(len(stage.blocks) for stage in plan.stages) == len(stage_of)
    assert refused or set(stage_of) == {block.key for block in problem.blocks}
    for key, before in problem.edges.items():
        assert all(stage_of[each].stage <= stage_of[key].stage for each in before if {each, key} <= set(stage_of))
    wave_of = {task.task_id: task.wave for task in plan.tasks}
    assert all(wave_of[each] < task.wave for task in plan.tasks for each in task.after)
    used: dict[tuple[str, int], int] = {}
    for each in plan.reservations:
        place = each.node, wave_of[each.task_id]
        used[place] = used.get(place, 0) + each.reserved_bytes
    assert all(used_bytes <= memories[int(node[1:]) - 1] for (node, _), used_bytes in used.items())


@st.composite
def _line(draw: st.DrawFn, number: int) -> str:
    """A block that may need any of those before it, with a footprint that is possible."""
    sources = draw(st.sets(st.integers(1, number - 1), max_size=3)) if number > 1 else set()
    needs = {f"v{each}": 10 * each for each in sorted(sources)}
    kind = draw(st.sampled_from(["rows", "reduce", "group", "halo", "fold", "whole"]))
    peak = sum(needs.values()) + 10 * number + draw(st.integers(0, 500))
    listed = ", ".join(f"{name} {size}" for name, size in needs.items())
    takes = draw(st.integers(0, 5))
    return f"v{number} = f({', '.join(needs)}) | {kind} | peak {peak} | needs {listed} | makes v{number} {10 * number} | takes {takes}"
