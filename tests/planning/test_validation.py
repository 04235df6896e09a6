"""Plans that a user edits: what is accepted, and what is refused by name."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runsurge_contracts.plan import Plan, Reservation, TaskType
from runsurge_dask.planning.levels import PlanOptions
from runsurge_dask.planning.refusals import PlanError
from runsurge_dask.planning.validation import validate_plan, with_tasks
from tests.planning.problems import nodes_of, read_problem

if TYPE_CHECKING:
    from collections.abc import Callable

PROBLEM = read_problem(
    "a = load() | whole | peak 90 | makes a 80\n"
    "b = f(a) | rows | peak 190 | needs a 80 | makes b 80\n"
    "t = g(b) | reduce | peak 110 | needs b 80 | makes t 10\n"
    "u = h(t) | whole | peak 20 | needs t 10 | makes u 5\n"
)
PLAN = PROBLEM.plan(100)


def check(plan: Plan, *memories: int) -> None:
    validate_plan(plan, PROBLEM.blocks, PROBLEM.kinds, PROBLEM.estimates, nodes_of(*(memories or (100,))))


def test_a_plan_of_ours_is_accepted() -> None:
    check(PLAN)


def _stage(number: int, **changes: Any) -> Callable[[Plan], Plan]:
    return lambda plan: replace(plan, stages=tuple(replace(s, **changes) if s.stage == number else s for s in plan.stages))


def _task(number: int, **changes: Any) -> Callable[[Plan], Plan]:
    return lambda plan: replace(plan, tasks=tuple(replace(t, **changes) if t.task_id == number else t for t in plan.tasks))


def _without(number: int) -> Callable[[Plan], Plan]:
    return lambda plan: replace(plan, tasks=tuple(t for t in plan.tasks if t.task_id != number))


def _reserved(number: int, amount_bytes: int) -> Callable[[Plan], Plan]:
    def edit(plan: Plan) -> Plan:
        own = Reservation(task_id=number, node="n1", reserved_bytes=amount_bytes)
        return replace(plan, reservations=tuple(own if each.task_id == number else each for each in plan.reservations))

    return edit


EDITS: dict[str, tuple[Callable[[Plan], Plan], str]] = {
    "a whole block is cut": (_stage(1, level=3, chunk_count=2), "line 1: block 'a:1' is `whole`: it may not be cut"),
    "chunks at level 2": (_stage(1, chunk_count=2), "line 1: stage 1 is cut at level 2"),
    "a block is dropped": (_stage(2, blocks=("b:2",)), "line 3: block 't:3' is in no stage"),
    "a block is doubled": (_stage(3, blocks=("t:3", "u:4")), "line 3: block 't:3' stands in stages 2 and 3"),
    "a block that is none": (_stage(3, blocks=("u:9",)), "stage 3: the script has no block 'u:9'"),
    "no order of dependence": (_stage(2, after=()), "line 2: block 'b:2' needs 'a:1', but stage 2 does not come after stage 1"),
    "order turned around": (_stage(2, blocks=("t:3", "b:2")), "line 3: blocks of stage 2 are not in the order"),
    "after what comes later": (_stage(1, after=(2,)), r"line 1: stage 1 comes after \[2\]"),
    "no aggregator": (_stage(2, has_aggregator=False), "line 2: what stage 2 makes is used whole"),
    "another argument": (_stage(2, parallel_argument="k"), "line 2: stage 2 cuts 'k', its blocks work through 'a'"),
    "too few tasks for its chunks": (_stage(2, chunk_count=3), "stage 2: it has 0 tasks Fused Parallel of chunk 2"),
    "a task is dropped": (_without(3), "stage 2: it has 0 tasks Fused Parallel of chunk 1"),
    "a chunk is doubled": (_task(3, chunk_id=0), "stage 2: it has 2 tasks Fused Parallel of chunk 0"),
    "a task that does not wait": (_task(4, after=(2,)), "task 4: it does not wait for task 3"),
    "two of one wave that wait": (_task(4, wave=3), "task 4: its wave 3 does not come after that of task 3"),
    "a node that is none": (_task(2, node="n7"), "task 2: it runs on 'n7'"),
    "less than it needs": (_reserved(2, 94), "task 2, line 2: it needs 95 B; 94 B are reserved"),
    "more than the node has": (_reserved(2, 101), "task 2, line 2: in wave 2 101 B are reserved on 'n1', which has 100 B"),
    "together more than the node has": (_task(3, wave=2), "task 3, line 2: in wave 2 190 B are reserved"),
    "a reservation is missing": (lambda plan: replace(plan, reservations=plan.reservations[1:]), "reservations: there is not one"),
    "a larger node than there is": (lambda plan: replace(plan, nodes=nodes_of(1000)), "nodes: node 'n1' has 100 B, not 1000 B"),
    "another node": (lambda plan: replace(plan, nodes=nodes_of(100, 50)), "nodes: there is no node 'n2'"),
    "level 1 of a part": (_stage(3, level=1), "line 4: stage 3 is at level 1 without every block"),
    "a stage out of its place": (_stage(3, stage=7), "stages: they are numbered"),
    "another type of task": (_task(5, task_type=TaskType.AGGREGATOR), "stage 3: it has 0 tasks Merged Blocks"),
}


@pytest.mark.parametrize(("edit", "message"), EDITS.values(), ids=EDITS)
def test_an_edit_that_could_be_wrong_is_refused(edit: Callable[[Plan], Plan], message: str) -> None:
    with pytest.raises(PlanError, match="^" + message):
        check(edit(PLAN))


def test_an_edit_that_is_right_is_accepted() -> None:
    check(_reserved(2, 100)(PLAN))
    check(with_tasks(_stage(2, chunk_count=5)(PLAN), PROBLEM.blocks, PROBLEM.estimates, nodes_of(100)))
    fused_less = replace(PLAN, tasks=(), reservations=())
    check(with_tasks(fused_less, PROBLEM.blocks, PROBLEM.estimates, nodes_of(100)))


def test_fewer_chunks_than_fit_are_refused() -> None:
    with pytest.raises(PlanError, match=r"^line 2: stage 2 needs 190 B for a task; the largest node has 100 B"):
        with_tasks(_stage(2, chunk_count=1)(PLAN), PROBLEM.blocks, PROBLEM.estimates, nodes_of(100))


def test_a_plan_with_refusals_is_refused_with_the_first() -> None:
    problem = read_problem("b = f(a) | whole | peak 900")
    with pytest.raises(PlanError, match="whole-too-large"):
        validate_plan(problem.plan(100), problem.blocks, problem.kinds, problem.estimates, nodes_of(100))


@given(st.integers(60, 400), st.integers(1, 3), st.sampled_from([None, 1, 2, 3]))
def test_what_is_planned_is_valid(memory: int, workers: int, level: int | None) -> None:
    plan = PROBLEM.plan(memory, memory + 50, options=PlanOptions(workers=workers, level=level))
    if not plan.refusals:
        check(plan, memory, memory + 50)
