"""Node files: what is read, and the place and words of every mistake."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runsurge_contracts.plan import Node
from runsurge_dask.planning.nodes import read_nodes
from runsurge_dask.planning.refusals import PlanError

if TYPE_CHECKING:
    from pathlib import Path

GOOD = """
- name: lab-1
  memory: 4GiB
  ip_address: 10.0.0.5
  port: 8786
- {name: lab-2, memory: 8000000}
"""
LAB = (Node(name="lab-1", memory_bytes=4 << 30, ip_address="10.0.0.5", port=8786), Node(name="lab-2", memory_bytes=8_000_000))


@pytest.mark.parametrize("text", [GOOD, "nodes:" + GOOD.replace("\n", "\n  ")])
def test_nodes_are_read_in_their_order(tmp_path: Path, text: str) -> None:
    path = tmp_path / "nodes.yaml"
    path.write_text(text)
    assert read_nodes(str(path)) == LAB


MISTAKES = {
    "empty": ("", "nodes.yaml: it is empty"),
    "only a comment": ("# later\n", "nodes.yaml: it is empty"),
    "no list": ("lab-1", "line 1: a list of at least one node"),
    "an empty list": ("[]", "line 1: a list of at least one node"),
    "fields without a list": ("name: lab\nmemory: 4GiB", "line 1: a list of nodes is needed"),
    "a bare name": ("- lab-1\n", "line 1: a node is written as its fields"),
    "no memory": ("- name: a\n  memory: 1\n- name: b\n", "line 3: this node has no memory"),
    "no name": ("- memory: 4GiB\n", "line 1: this node has no name"),
    "an empty name": ("- name: ''\n  memory: 1\n", "line 1: its name is empty"),
    "an amount that is none": ("- name: a\n  memory: 4 Gigs\n", "line 2: '4 Gigs' is no amount of memory"),
    "nothing as memory": ("- name: a\n  memory:\n", "line 2: '' is no amount"),
    "no bytes": ("- name: a\n  memory: 0\n", "line 2: a memory of 0"),
    "a list as memory": ("- name: a\n  memory: [1]\n", "line 2: its memory is not one value"),
    "a misspelt field": ("- name: a\n  memory: 1\n  ip: 10.0.0.1\n", "line 3: a node has no field 'ip'"),
    "a field twice": ("- name: a\n  memory: 1\n  memory: 2\n", "line 3: memory stands twice"),
    "a name twice": ("- {name: a, memory: 1}\n- {name: a, memory: 2}\n", "line 2: there are two nodes 'a'"),
    "no address": ("- name: a\n  memory: 1\n  ip_address: 10.0.0.999\n", "line 3: '10.0.0.999' is no IP address"),
    "no port": ("- name: a\n  memory: 1\n  port: 70000\n", "line 3: '70000' is no port"),
    "a negative port": ("- name: a\n  memory: 1\n  port: -1\n", "line 3: '-1' is no port"),
    "broken YAML": ("- name: a\n  memory: [1\n", "line 3: this is no YAML"),
    "a tab": ("- name: a\n\tmemory: 1\n", "line 2: this is no YAML"),
    "two documents": ("- {name: a, memory: 1}\n---\n- {name: b, memory: 1}\n", "line 2: this is no YAML"),
    "a control character": ("- name: \x07\n", "nodes.yaml: this is no YAML"),
    "Python objects": ("- name: !!python/object/apply:os.system [ls]\n  memory: 1\n", "line 1: its name is not one value"),
    "nested without end": ("[" * 5000, "no YAML|nested too deeply"),
}


@pytest.mark.parametrize(("text", "message"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_told_with_its_line_and_what_to_write(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "nodes.yaml"
    path.write_text(text)
    with pytest.raises(PlanError, match=message) as caught:
        read_nodes(str(path))
    assert caught.value.code == "bad-nodes"
    assert caught.value.remedy


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="no such file"):
        read_nodes(str(tmp_path / "none.yaml"))
    with pytest.raises(PlanError, match="cannot be read"):
        read_nodes(str(tmp_path))
    (tmp_path / "latin.yaml").write_bytes(b"- name: \xe9\n")
    with pytest.raises(PlanError, match="no readable text"):
        read_nodes(str(tmp_path / "latin.yaml"))
