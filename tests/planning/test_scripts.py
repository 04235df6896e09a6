"""Task scripts leave what the script leaves; those that should be cut are, and those that might be wrong stay together.

Programs stand in `cut.txt` and `careful.txt`, each under a line `== 3 chunks: its name`; they find rows in `in.csv`.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from runsurge_contracts.plan import TaskType
from runsurge_dask.planning.tasks.language import why_outside
from tests.planning.trials import run_plain, run_tasks, scripts_of

HEAD = re.compile(r"^== (\d+) chunks: (.*)\n", re.MULTILINE)
FILES = {"in.csv": "".join(f"{n},{'abc'[n % 3]},{n * 7 % 11 / 4}\n" for n in range(23))}


def read_programs(name: str) -> dict[str, tuple[str, int]]:
    """Source and number of chunks by the program's name."""
    _, *parts = HEAD.split((Path(__file__).parent / name).read_text(encoding="utf-8"))
    return {name: (source, int(chunks)) for chunks, name, source in zip(parts[::3], parts[1::3], parts[2::3], strict=True)}


CUT, CAREFUL = read_programs("cut.txt"), read_programs("careful.txt")


@pytest.mark.parametrize(("source", "chunks"), CUT.values(), ids=CUT)
def test_task_scripts_leave_what_the_script_leaves(tmp_path: Path, source: str, chunks: int) -> None:
    scripts = scripts_of(source, tmp_path / "script.py", chunks)
    kinds = [script.task_type for script in scripts]
    assert kinds.count(TaskType.FUSED_PARALLEL) >= chunks
    assert TaskType.AGGREGATOR in kinds
    assert run_tasks(scripts, FILES, tmp_path / "tasks", "5") == run_plain(source, FILES, tmp_path / "plain", "5")


@pytest.mark.parametrize(("source", "chunks"), CAREFUL.values(), ids=CAREFUL)
def test_what_might_be_wrong_stays_together(tmp_path: Path, source: str, chunks: int) -> None:
    scripts = scripts_of(source, tmp_path / "script.py", chunks)
    assert run_tasks(scripts, FILES, tmp_path / "tasks") == run_plain(source, FILES, tmp_path / "plain")


def test_file_names_say_number_and_type(tmp_path: Path) -> None:
    source, _ = CUT["two chained loops"]
    names = [script.file_name for script in scripts_of(source, tmp_path / "script.py", 2)]
    assert names[:4] == ["task_1_fused_script.py", "task_2_fused_script.py", "task_3_aggregator_script.py", "task_4_merged_script.py"]


def test_a_chain_is_fused_into_one_task_a_chunk(tmp_path: Path) -> None:
    source, _ = CUT["two chained loops"]
    first = scripts_of(source, tmp_path / "script.py", 2)[0]
    assert [key.partition(":")[0] for key in first.blocks if key.startswith(("row", "numbers", "x", "squares"))] == [
        "rows", "numbers", "row", "squares", "x",
    ]  # fmt: skip


OUTSIDE = {
    "import random\n": "line 1: `import random` may keep a state",
    "x = 1\nclass A:\n    pass\n": "line 2: ClassDef is not divided",
    "a = [1]\nprint(a is a)\n": "line 2: `is` asks for the identity",
    "x = {1, 2}\n": "line 1: the order of a set",
    "def f():\n    global x\n    x = 1\n": "line 2: Global is not divided",
    "f = open('o', 'w')\n": "line 1: a file for writing that no `with` closes",
    "x = input()\n": "line 1: `input` is no function of this script",
    "raise SystemExit\n": "line 1: `SystemExit` is bound nowhere",
    "import sys\nprint(sys.argv[0])\n": "line 2: `sys.argv[0]` is another one",
    "print(__file__)\n": "line 1: `__file__` is bound nowhere",
    "x = 1\nx.y = 2\n": "line 2: an attribute is set",
    "xs = [1]\nxs.frobnicate()\n": "line 2: what `.frobnicate()` does is not known",
    "f = print\n": "line 1: `print` is bound nowhere",
    "_rs_a = 1\n": "line 1: `_rs_a` is bound anew",
    "from math import *\n": "line 1: `*` of math",
    "x: foo = 1\n": "line 1: an annotation names `foo`",
}


@pytest.mark.parametrize(("source", "why"), OUTSIDE.items(), ids=OUTSIDE)
def test_the_reason_for_one_task_is_told(source: str, why: str) -> None:
    assert why_outside(ast.parse(source)).startswith(why)
