"""The files of a plan are those of `golden`, and the scripts among them leave what the script leaves.

After a change that is meant: `python -m tests.planning.test_artefacts`, and read the diff.
"""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from runsurge_contracts.plan import Estimates, Footprint, Node, Plan, Variable
from runsurge_dask.analysis.blocks import dependency_graph
from runsurge_dask.analysis.build import build_program
from runsurge_dask.errors import RunSurgeError
from runsurge_dask.planning.arguments import is_definition
from runsurge_dask.planning.artefacts import write_artefacts
from runsurge_dask.planning.kinds import block_kinds
from runsurge_dask.planning.levels import make_plan
from tests.planning.trials import run_command, run_plain

if TYPE_CHECKING:
    from runsurge_dask.ir.program import Program

GOLDEN = Path(__file__).parent / "golden"
TEMPLATE = (Path(__file__).parent / "template.txt").read_text(encoding="utf-8")
NODES = (
    Node(name="lab-1", memory_bytes=8_000_000, ip_address="10.0.0.5", port=8786),
    Node(name="lab-2", memory_bytes=8_500_000, ip_address="10.0.0.6", port=8786),
)
SIZES = {
    "data": (1000, 3_000_000), "numeric_data": (1000, 4_000_000), "reshaped_data": (1000, 40_000), "result": (None, 24), "f": (None, 200),
}  # fmt: skip
PEAKS = {"numeric_data": 9_738_272, "reshaped_data": 8_600_000, "row": 3_200_000}


def plan_template(path: str) -> tuple[Program, Estimates, Plan]:
    """The worked example: 9,738,272 bytes on a node of 8,000,000 bytes."""
    program = build_program(TEMPLATE, path)
    variables = {name: Variable(length=length, size_bytes=size) for name, (length, size) in SIZES.items()}
    footprints = []
    alive: dict[str, Variable] = {}
    lines: dict[str, dict[str, Variable]] = {}
    for block in program.blocks:
        is_code = is_definition(block)
        needs = {name: variables[name] for name in sorted(block.uses) if name in variables and not is_code}
        makes = {name: variables[name] for name in sorted(block.defs) if name in variables and not is_code}
        held = sum(each.size_bytes for each in {**needs, **makes}.values())
        peak = max(held, PEAKS.get(block.key.split(":")[0], 0))
        footprints.append(Footprint(block=block.key, needs=needs, makes=makes, peak_bytes=peak))
        alive = alive | makes
        lines[block.key] = dict(alive)
    estimates = Estimates(
        footprints=tuple(footprints), main_lines={key: each for key, each in lines.items() if each},
        function_lines={"result.append(row[0] * row[1])#9:1": 4_040_000, "return result#9:1": 4_040_000},
    )  # fmt: skip
    return program, estimates, make_plan(program.blocks, dependency_graph(program.blocks), block_kinds(program), estimates, NODES)


def _files(folder: Path) -> dict[str, str]:
    """Texts by name; golden scripts are called `.py.txt`, because they are no code of ours.

    Scripts are compared by what they mean: each Python writes a tree back with brackets of its own liking.
    """
    texts = {path.name.removesuffix(".txt"): path.read_text(encoding="utf-8") for path in sorted(folder.iterdir()) if path.is_file()}
    return {name: ast.dump(ast.parse(text)) if name.endswith(".py") else text for name, text in texts.items()}


def test_artefacts_are_the_golden_ones(tmp_path: Path) -> None:
    names = write_artefacts(str(tmp_path), *plan_template("template.py"))
    assert _files(tmp_path) == _files(GOLDEN)
    assert sorted(names) == sorted(_files(GOLDEN))


def test_golden_files_hold_the_worked_numbers() -> None:
    def load(name: str) -> object:
        return json.loads((GOLDEN / name).read_text(encoding="utf-8"))

    plan = load("parallelization_plan.json")
    assert plan == {
        "numeric_data = make_numeric(data)": {"status": "Success_Master_Split", "parallel_arg_name": "data", "num_chunks": 2},
        "reshaped_data = reshape_rows(numeric_data)": {"status": "Success_Consumer", "consumes_variable": "numeric_data", "num_chunks": 2},
    }
    blocks = load("consolidated_blocks.json")
    assert isinstance(blocks, list)
    assert [each["peak_memory"] for each in blocks if not each["is_schedulable"]] == [9_738_272, 8_600_000]
    assert {key for each in blocks for key in each} == {
        "consolidated_block_index", "peak_memory", "assigned_node", "is_schedulable", "key", "statements",
    }  # fmt: skip


def test_scripts_run_in_order_leave_what_the_script_leaves(tmp_path: Path) -> None:
    files = {"data.csv": "".join(f"{n},{n / 7}\n" for n in range(50))}
    write_artefacts(str(tmp_path / "artefacts"), *plan_template("template.py"))
    plan = json.loads((tmp_path / "artefacts" / "execution_plan.json").read_text(encoding="utf-8"))
    assert len(plan) > 2
    scripts = [tmp_path / "artefacts" / each["script_name"] for each in plan]
    assert run_command(scripts, files, tmp_path / "tasks") == run_plain(TEMPLATE, files, tmp_path / "plain")


def test_what_a_task_needs_an_earlier_one_leaves() -> None:
    there: set[str] = set()
    for task in json.loads((GOLDEN / "execution_plan.json").read_text(encoding="utf-8")):
        assert set(task["required_data_ids"]) <= there
        there |= {each["data_id"] for each in task["output_data"]}


def test_modules_beside_the_script_come_along(tmp_path: Path) -> None:
    (tmp_path / "shapes.py").write_text("def area(x):\n    return x * x\n")
    source = "import shapes\nprint(shapes.area(3))\n"
    (tmp_path / "script.py").write_text(source)
    program = build_program(source, str(tmp_path / "script.py"))
    estimates = Estimates(footprints=tuple(Footprint(block=block.key, peak_bytes=1) for block in program.blocks))
    plan = make_plan(program.blocks, dependency_graph(program.blocks), block_kinds(program), estimates, NODES)
    names = write_artefacts(str(tmp_path / "artefacts"), program, estimates, plan)
    assert names[-2:] == ("task_1_whole_script.py", "shapes.py")
    assert run_command([tmp_path / "artefacts" / "task_1_whole_script.py"], {}, tmp_path / "tasks").text == "9\n"


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunSurgeError, match="artefacts-not-written"):
        write_artefacts(str(tmp_path / "file"), *plan_template("template.py"))


if __name__ == "__main__":
    for old in GOLDEN.iterdir():
        old.unlink()
    for written in write_artefacts(str(GOLDEN), *plan_template("template.py")):
        if written.endswith(".py"):
            (GOLDEN / written).rename(GOLDEN / f"{written}.txt")
