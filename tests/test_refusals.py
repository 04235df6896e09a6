"""What is refused before anything runs, in the words of the command line, with nothing left behind."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.test_cli import runsurge

if TYPE_CHECKING:
    from pathlib import Path

WRITING = 'rows = []\nwith open("in.txt") as f:\n    for line in f:\n        rows.append(line)\nopen("out.txt", "w").writelines(rows)\n'
GENERATOR = "def numbers():\n    n = 0\n    while True:\n        yield n\n        n += 1\n\n"
GENERATOR += "squares = [n * n for n in numbers()]\nprint(squares)\n"
COUNTING = "import itertools\nrows = []\nfor n in itertools.count():\n    rows.append(n)\n"
NODES = "- {name: lab-1, memory: 4GiB}\n- {name: lab-2, memory: 4Gigs}\n"
REFUSED: dict[str, tuple[str, list[str], int, str]] = {
    "a generator without an end": (
        GENERATOR, ["plan", "script.py", "--memory", "1GiB"], 1,
        ("script.py, line 7: `[n * n for n in numbers()]` has no end. Take a number of items that is known before it runs, for example by "
        "itertools.islice. [unbounded]"),
    ),
    "counting without an end": (
        COUNTING, ["plan", "script.py", "--memory", "1GiB", "--static"], 1,
        ("script.py, line 4: `rows` grows in a loop that has no end. End the loop after a number of turns that is known before it runs. "
        "[unbounded]"),
    ),
    "a mistake in a node file": (
        WRITING, ["plan", "script.py", "--nodes", "nodes.yaml"], 1,
        ("nodes.yaml, line 2: '4Gigs' is no amount of memory: write for example 512MiB, 4GiB, 8MB or a number of bytes. "
        "For example `memory: 4GiB`. [bad-nodes]"),
    ),
    "no node file": (
        WRITING, ["plan", "script.py", "--nodes", "none.yaml"], 1,
        "none.yaml: there is no such file of nodes. Check the path. [bad-nodes]",
    ),
    "nodes and memory": (
        WRITING, ["plan", "script.py", "--nodes", "nodes.yaml", "--memory", "1GiB"], 2,
        "--memory: the memory of nodes stands in their file. Give --memory or --nodes, not both. [usage]",
    ),
    "no size": (
        WRITING, ["run", "script.py", "--task-memory", "lots"], 2,
        ("--task-memory: 'lots' is no amount of memory: write for example 512MiB, 4GiB, 8MB or a number of bytes. "
        "For example --task-memory 2GiB. [usage]"),
    ),
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in.txt").write_text("one\ntwo\n")
    (tmp_path / "nodes.yaml").write_text(NODES)
    return tmp_path


@pytest.mark.parametrize(("script", "arguments", "status", "message"), REFUSED.values(), ids=REFUSED)
def test_it_is_said_where_what_and_what_to_do(folder: Path, script: str, arguments: list[str], status: int, message: str) -> None:
    (folder / "script.py").write_text(script)
    before = sorted(path.name for path in folder.iterdir())
    done = runsurge(*arguments, cwd=folder)
    assert (done.stdout, done.stderr, done.returncode) == ("", f"runsurge: error: {message}\n", status)
    assert sorted(path.name for path in folder.iterdir()) == before


@pytest.mark.parametrize("arguments", [["run"], ["plan"], ["plan", "--static"], ["plan", "--json"]])
def test_a_limit_below_the_baseline_is_refused_in_the_same_words(folder: Path, arguments: list[str]) -> None:
    (folder / "script.py").write_text(WRITING)
    done = runsurge(*arguments, "--memory", "20MiB", "script.py", cwd=folder)
    what = "--memory: 20 MiB are less than what the processes of a run hold before any data"
    assert re.fullmatch(rf"runsurge: error: {what}\. Give at least \d+(\.\d)? MiB\. \[limit-below-baseline\]\n", done.stderr)
    assert (done.stdout, done.returncode) == ("", 1)
    assert not (folder / "out.txt").exists()


def test_a_script_without_an_end_still_has_a_plan_of_what_is_known(folder: Path) -> None:
    """The analysis needs no estimate."""
    (folder / "script.py").write_text(COUNTING)
    done = runsurge("plan", "script.py", "--json", cwd=folder)
    assert done.returncode == 0
    assert '"plan": null' in done.stdout
    assert "[unbounded]" in done.stdout
