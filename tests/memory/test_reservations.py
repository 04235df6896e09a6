"""What was reserved is compared with what was held, task by task."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from benchmarks.reservations import MIB, ROWS, SHAPES, USES, Figures, Task, figures_of, made_program, plot, tasks_of

if TYPE_CHECKING:
    from pathlib import Path


def task(reserved_mib: float, peak_mib: float, *, is_outgrown: bool = False) -> Task:
    return Task(run="r", reserved_bytes=int(reserved_mib * MIB), peak_bytes=int(peak_mib * MIB), is_outgrown=is_outgrown)


@pytest.mark.parametrize(
    ("tasks", "exceeded", "large", "median", "p95"),
    [
        ([], 0, 0, 0.0, 0.0),
        ([task(30, 20)] * 9 + [task(60, 20)], 0, 10, 1.5, 3.0),
        ([task(32, 1), task(20, 21), task(40, 20, is_outgrown=True)], 2, 2, pytest.approx((20 / 21 + 2) / 2), 2.0),
    ],
)
def test_small_tasks_count_where_more_was_held_and_not_in_the_ratios(
    tasks: list[Task], exceeded: int, large: int, median: float, p95: float
) -> None:
    found = figures_of(tasks)
    assert (found.tasks, found.exceeded, found.large, found.median, found.p95) == (len(tasks), exceeded, large, median, p95)


@pytest.mark.parametrize(
    ("figures", "is_well"),
    [
        (Figures(tasks=1000, exceeded=1, large=500, median=1.5, p95=2.5), True),
        (Figures(tasks=999, exceeded=0, large=500, median=1.2, p95=2.0), False),
        (Figures(tasks=1000, exceeded=2, large=500, median=1.2, p95=2.0), False),
        (Figures(tasks=1000, exceeded=0, large=500, median=1.51, p95=2.0), False),
        (Figures(tasks=1000, exceeded=0, large=500, median=1.2, p95=2.51), False),
    ],
)
def test_the_claim_is_of_a_thousand_tasks(figures: Figures, is_well: bool) -> None:  # noqa: FBT001 - a column of the table
    assert figures.is_well == is_well


def test_tasks_come_from_reports_and_go_into_a_picture(tmp_path: Path) -> None:
    tasks = [{"reserved_bytes": reserved, "peak_bytes": 20 * MIB, "is_outgrown": False} for reserved in (40 * MIB, 0)]
    (tmp_path / "a.json").write_text(json.dumps({"stages": [{"tasks": tasks}]}))
    found = tasks_of(tmp_path / "a.json")
    assert found == [Task(run="a", reserved_bytes=40 * MIB, peak_bytes=20 * MIB)]
    plot(found, figures_of(found), tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_every_kind_of_program_is_made_and_can_be_parsed() -> None:
    made = [made_program(number) for number in range(len(ROWS) * len(USES) * len(SHAPES))]
    assert len({name.partition("-")[2] for name, *_ in made}) == len(made)
    for _, script, _, _ in made:
        compile(script, "script.py", "exec")
