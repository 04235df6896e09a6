"""Hints are held against the proof, in all three spellings."""

from __future__ import annotations

import pytest

from runsurge_dask.analysis.build import build_program

LOOP = "{above}def main():\n    {first}total = 0\n    for line in open('x'):{comment}\n        {body}\n    return total\n"


def reason(**parts: str) -> tuple[str, str]:
    source = LOOP.format(**{"above": "", "first": "", "comment": "", "body": "total += int(line)", **parts})
    facts = build_program(source, "script.py").sites[0]
    return str(facts.kind), facts.reason


@pytest.mark.parametrize("says", ["reduce", "rows", "fold", "nonsense", "whole"])
def test_a_comment(says: str) -> None:
    kind, words = reason(comment=f"  # runsurge: {says}")
    assert kind == ("whole" if says == "whole" else "reduce")
    assert ("refused" in words) == (says not in {"reduce", "whole"})


def test_a_hint_does_not_cut_what_is_carried() -> None:
    kind, words = reason(comment="  # runsurge: reduce", body="total = total * 2 + int(line)")
    assert kind == "fold"
    assert "the hint `reduce` is refused: that cannot be proved" in words


@pytest.mark.parametrize(("letter", "is_right"), [("s", True), ("l", True), ("m", False), ("c", False), ("a", False)])
def test_a_line_of_the_older_template(letter: str, is_right: bool) -> None:  # noqa: FBT001
    kind, words = reason(first=f'aggregation = "{letter}:total"\n    ')
    assert kind == "reduce"
    assert ("refused" not in words) == is_right


def test_an_average_of_averages_is_refused_by_name() -> None:
    assert "an average of averages is not the average" in reason(first='aggregation = "a:total"\n    ')[1]


def test_an_empty_aggregation_asks_for_the_whole() -> None:
    assert reason(first='aggregation = ""\n    ')[0] == "whole"


def test_a_decorator() -> None:
    assert "the hint `rows` is refused: it is proved to be `reduce`" in reason(above="import runsurge_dask\n@runsurge_dask.rows\n")[1]
    assert "refused" not in reason(above="import runsurge_dask\n@runsurge_dask.reduce(combine=max)\n")[1]
