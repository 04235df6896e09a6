"""Contracts go to JSON and come back; their schemas follow them; what is no contract is refused by its place."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runsurge_contracts.json_form import FormError, from_json, schema_of, to_json
from runsurge_contracts.json_schema import FOLDER, render_schemas
from runsurge_contracts.plan import Estimates, Footprint, Node, Plan, Variable
from tests.planning.problems import read_problem

PLAN = read_problem("b = f(a) | rows | peak 190 | takes 2.5\nc = g() | whole | peak 900").plan(100)

variables = st.builds(Variable, length=st.none() | st.integers(0), size_bytes=st.integers(0, 50))
footprints = st.builds(
    Footprint, block=st.text(), needs=st.dictionaries(st.text(), variables), makes=st.dictionaries(st.text(), variables),
    function_bytes=st.integers(0), peak_bytes=st.integers(50), seconds=st.floats(0, 1e9),
)  # fmt: skip
estimates = st.builds(
    Estimates, footprints=st.lists(footprints).map(tuple), main_lines=st.dictionaries(st.text(), st.dictionaries(st.text(), variables)),
    function_lines=st.dictionaries(st.text(), st.integers()), peak_bytes=st.integers(0), seconds=st.floats(0, 1e9),
)  # fmt: skip


@given(estimates)
def test_estimates_come_back_as_they_went(given_estimates: Estimates) -> None:
    assert from_json(Estimates, json.loads(json.dumps(to_json(given_estimates)))) == given_estimates


def test_a_plan_comes_back_as_it_went() -> None:
    assert Plan.from_json(json.loads(json.dumps(PLAN.as_json()))) == PLAN


EDITS: dict[str, tuple[list[Any], Any, str]] = {
    "a number as text": (["stages", 0, "chunk_count"], "two", r"stages\[0\].chunk_count: a whole number is needed, found 'two'"),
    "true is no number": (["stages", 0, "chunk_count"], True, r"stages\[0\].chunk_count: a whole number is needed, found True"),
    "a fraction": (["level"], 1.5, r"^level: a whole number"),
    "an unknown field": (["tasks", 0, "nod"], "n1", r"tasks\[0\].nod: there is no such field; there are task_id"),
    "an unknown word": (["tasks", 0, "task_type"], "Fused", r"tasks\[0\].task_type: one of 'Whole Program'.*found 'Fused'"),
    "no list": (["tasks"], {}, r"^tasks: a list is needed"),
    "no object": (["tasks", 0], 7, r"tasks\[0\]: an object is needed, found 7"),
    "refused by the contract": (["nodes", 0, "memory_bytes"], -1, r"nodes\[0\]: node n1: memory of -1 bytes"),
    "nothing where something is needed": (["tasks", 0, "node"], None, r"tasks\[0\].node: a text is needed, found None"),
}


@pytest.mark.parametrize(("path", "value", "message"), EDITS.values(), ids=EDITS)
def test_a_wrong_edit_is_refused_by_its_place(path: list[Any], value: object, message: str) -> None:
    values: Any = json.loads(json.dumps(PLAN.as_json()))
    inner = values
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value
    with pytest.raises(FormError, match=message):
        Plan.from_json(values)


def test_a_missing_field_is_named() -> None:
    with pytest.raises(FormError, match=r"^memory_bytes: this field is missing"):
        from_json(Node, {"name": "lab"})


def test_schemas_are_those_of_the_contracts() -> None:
    """After a change of a contract: `python -m runsurge_contracts.json_schema`."""
    assert {path.name: path.read_text(encoding="utf-8") for path in FOLDER.iterdir()} == render_schemas()


def test_a_schema_says_what_is_needed_and_what_may_be_missing() -> None:
    node = schema_of(Node)
    assert node["required"] == ["name", "memory_bytes"]
    assert node["properties"]["port"] == {"type": "integer"}
    assert schema_of(Variable)["properties"]["length"] == {"anyOf": [{"type": "integer"}, {"type": "null"}]}
