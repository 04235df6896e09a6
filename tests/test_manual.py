"""Manual mode through the command line: plans that were edited, chunks by line, levels, and what is refused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.test_cli import runsurge

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

SCRIPT = """rows = []
with open("in.txt") as f:
    for line in f:
        rows.append(line.split())
total = 0
for row in rows:
    total += int(row[1])
last = 0
for row in rows:
    last = last * 2 % 1000 + int(row[1])
with open("out.txt", "w") as out:
    for row in rows:
        out.write(row[0] + "\\n")
print(total, last)
"""
COUNT = 3000
TEXT = "4498500 3375\n"
Values = dict[str, Any]


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder with a script, its input, and the plan that cuts all that may be cut."""
    folder = tmp_path_factory.mktemp("manual")
    (folder / "script.py").write_text(SCRIPT)
    (folder / "in.txt").write_text("".join(f"w{n} {n}\n" for n in range(COUNT)))
    done = runsurge("plan", "script.py", "--json", "--level", "3", "--memory", "1GiB", "--workers", "2", "--static", cwd=folder)
    assert (done.stderr, done.returncode) == ("", 0)
    return folder, done.stdout


def run(folder: Path, *arguments: str) -> tuple[subprocess.CompletedProcess[str], list[tuple[int, int, int]]]:
    """The run, and of each line of which something was asked: chunks that were asked for, and done."""
    (folder / "out.txt").unlink(missing_ok=True)
    (folder / "report.json").unlink(missing_ok=True)
    done = runsurge("run", "script.py", "--workers", "2", "--report", "report.json", *arguments, cwd=folder)
    report = folder / "report.json"
    asked = json.loads(report.read_text())["asked"] if report.exists() else []
    return done, [(each["line"], each["asked_chunks"], each["done_chunks"]) for each in asked]


def stage_at(values: Values, line: int) -> Values:
    found: Values = next(stage for stage in values["plan"]["stages"] if stage["line"] == line)
    return found


def edited(planned: tuple[Path, str], edit: Callable[[Values], None]) -> Path:
    """The folder, with the plan after an edit as `plan.json`."""
    folder, text = planned
    values = json.loads(text)
    edit(values)
    (folder / "plan.json").write_text(json.dumps(values))
    return folder


def test_a_plan_is_done_as_it_is(planned: tuple[Path, str]) -> None:
    folder = edited(planned, lambda _: None)
    done, asked = run(folder, "--plan", "plan.json", "--memory", "1GiB")
    assert (done.stdout, done.stderr, done.returncode) == (TEXT, "", 0)
    assert asked == [(3, 8, 8), (6, 8, 8), (12, 8, 8)]
    assert len((folder / "out.txt").read_text().splitlines()) == COUNT


def test_edited_numbers_of_chunks_reach_the_cutter(planned: tuple[Path, str]) -> None:
    def edit(values: Values) -> None:
        stage_at(values, 3)["chunk_count"] = 5
        stage_at(values, 6)["chunk_count"] = 3
        stage_at(values, 12).update(level=2, chunk_count=1)

    done, asked = run(edited(planned, edit), "--plan", "plan.json", "--memory", "1GiB")
    assert (done.stdout, done.returncode) == (TEXT, 0)
    assert asked == [(3, 5, 5), (6, 3, 3)]


def test_a_plan_alone_is_enough_and_lines_go_before_it(planned: tuple[Path, str]) -> None:
    def edit(values: Values) -> None:
        plan = values.pop("plan")
        values.clear()
        values.update(plan)

    done, asked = run(edited(planned, edit), "--plan", "plan.json", "--memory", "1GiB", "--at", "6=4", "--at", "12=1")
    assert (done.stdout, done.returncode) == (TEXT, 0)
    assert asked == [(3, 8, 8), (6, 4, 4)]


def test_a_plan_of_the_analysis_alone_can_be_handed_back(planned: tuple[Path, str]) -> None:
    folder, _ = planned
    (folder / "plan.json").write_text(runsurge("plan", "script.py", "--json", cwd=folder).stdout)
    done, asked = run(folder, "--plan", "plan.json")
    assert (done.stdout, done.returncode, asked) == (TEXT, 0, [])


def _fold(values: Values) -> None:
    """The fold at line 9 is cut: a wrong answer, were it done."""
    stage = next(stage for stage in values["plan"]["stages"] if "last:7" in stage["blocks"])
    stage |= {"level": 3, "chunk_count": 4}


def _without_a_block(values: Values) -> None:
    stage_at(values, 6)["blocks"] = []


def _dropped(values: Values) -> None:
    stages = values["plan"]["stages"]
    stages.remove(stage_at(values, 14))


def _before(values: Values) -> None:
    stage_at(values, 6)["after"] = []


WRONG: dict[str, tuple[Callable[[Values], None], str]] = {
    "a fold is cut": (_fold, "line 8: block 'last:6' is `whole`: it may not be cut. Put it into a stage of level 2. [wrong-plan]"),
    "a block is dropped": (_dropped, "line 14: block 'none:10' is in no stage. Every block must run once. [wrong-plan]"),
    "an order is broken": (
        _before,
        "line 6: block 'row:5' needs 'line:3', but stage 4 does not come after stage 2. Put 2 into `after` of stage 4. [wrong-plan]",
    ),
    "no blocks": (_without_a_block, "plan.json: stages[3]: stage 4: 8 chunks of 0 blocks. Correct it, or make the plan anew. [wrong-plan]"),
    "no number": (
        lambda values: stage_at(values, 6).update(chunk_count="many"),
        "plan.json: stages[3].chunk_count: a whole number is needed, found 'many'. Correct it, or make the plan anew. [wrong-plan]",
    ),
    "another script": (
        lambda values: values.update(source="0" * 32),
        ("plan.json: this plan was made for another script.py, or it was changed since. Make the plan anew with `runsurge plan --json`. "
        "[wrong-plan]"),
    ),
    "for a fleet": (
        lambda values: values.update(is_local=False),
        "plan.json: this is a plan for a fleet; `run` runs on this machine. Make one with --memory instead of --nodes. [wrong-plan]",
    ),
    "another argument": (
        lambda values: stage_at(values, 6).update(parallel_argument="total"),
        "line 6: stage 4 cuts 'total', its blocks work through 'rows'. Write 'rows'. [wrong-plan]",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("edit", "message"), WRONG.values(), ids=WRONG)
def test_a_plan_that_could_be_wrong_is_refused_before_anything_runs(
    planned: tuple[Path, str], edit: Callable[[Values], None], message: str
) -> None:
    folder = edited(planned, edit)
    done, _ = run(folder, "--plan", "plan.json", "--memory", "1GiB")
    assert (done.stdout, done.stderr, done.returncode) == ("", f"runsurge: error: {message}\n", 1)
    assert not (folder / "out.txt").exists()


def test_a_plan_that_needs_more_than_there_is_is_refused(planned: tuple[Path, str]) -> None:
    def edit(values: Values) -> None:
        for footprint in values["estimates"]["footprints"]:
            if footprint["block"] == "line:3":
                footprint["peak_bytes"] = 1 << 34

    done, _ = run(edited(planned, edit), "--plan", "plan.json", "--memory", "1GiB")
    assert done.returncode == 1
    assert done.stderr.startswith("runsurge: error: line 3: `for line in f:` needs 2.6 GiB for its smallest chunk; a chunk may have ")
    assert done.stderr.endswith("[chunk-too-large]\n")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "--plan plan.json: it cannot be read (No such file or directory). Check the path. [wrong-plan]"),
        ("{\n 'a'", ("plan.json, line 2: this is no JSON (Expecting property name enclosed in double quotes). "
         "Correct it, or make the plan anew. [wrong-plan]")),
        ("[]", "plan.json: this is no plan. Make the plan anew with `runsurge plan --json`. [wrong-plan]"),
        ("{}", "plan.json: level: this field is missing. Correct it, or make the plan anew. [wrong-plan]"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_plan_is_refused(planned: tuple[Path, str], content: str | None, message: str) -> None:
    folder, _ = planned
    (folder / "plan.json").unlink(missing_ok=True)
    if content is not None:
        (folder / "plan.json").write_text(content)
    done, _ = run(folder, "--plan", "plan.json")
    assert (done.stdout, done.stderr, done.returncode) == ("", f"runsurge: error: {message}\n", 1)


@pytest.mark.parametrize(
    ("at", "message"),
    [
        ("9=4", ("line 9: it may not be cut: line 10: `last` carries a value from one row to the next. Lines that may be cut: 3, 6, 12. "
         "[wrong-plan]")),
        ("8=4", "line 8: there is nothing to cut. Lines that may be cut: 3, 6, 12. [wrong-plan]"),
        ("6=0", "--at 6=0: this is no line and number of chunks. For example --at 40=9. [usage]"),
        ("six", "--at six: this is no line and number of chunks. For example --at 40=9. [usage]"),
    ],
)  # fmt: skip
def test_a_line_that_may_not_be_cut_is_refused(planned: tuple[Path, str], at: str, message: str) -> None:
    done, _ = run(planned[0], "--at", at)
    assert (done.stdout, done.stderr, done.returncode) == ("", f"runsurge: error: {message}\n", 1)


@pytest.mark.parametrize(("arguments", "cut"), [(["--level", "1"], 0), (["--level", "2"], 0), (["--level", "3"], 2)])
def test_a_level_is_done_as_asked(planned: tuple[Path, str], arguments: list[str], cut: int) -> None:
    """Level 1 and 2 cut nothing; level 3 cuts what may be cut: one of the three is a file too small for two chunks."""
    folder, _ = planned
    done, _ = run(folder, *arguments)
    assert (done.stdout, done.stderr, done.returncode) == (TEXT, "", 0)
    assert json.loads((folder / "report.json").read_text())["split_stages"] == cut


def test_a_chunk_that_holds_more_than_a_task_may_is_cut_smaller(planned: tuple[Path, str]) -> None:
    """Whatever the run as a whole may hold."""
    folder, _ = planned
    (folder / "wide.py").write_text(
        "rows = []\nfor n in range(64):\n    text = 'x' * 2_000_000\n    rows.append([text + str(n), len(text)])\n"
        "print(len(rows), sum(r[1] for r in rows))\n"
    )
    done = runsurge("run", "wide.py", "--at", "2=2", "--task-memory", "24MiB", "--workers", "1", "--report", "report.json", cwd=folder)
    assert (done.stdout, done.stderr, done.returncode) == ("64 128000000\n", "", 0)
    tasks = [task for stage in json.loads((folder / "report.json").read_text())["stages"] for task in stage["tasks"]]
    assert any(task["is_outgrown"] for task in tasks)
    assert all(task["reserved_bytes"] <= 24 << 20 for task in tasks)


def test_what_a_run_measured_is_what_the_next_plan_says(planned: tuple[Path, str], cache: Path) -> None:
    """Unless it is told not to, or the script was changed."""
    folder, _ = planned
    for option, files in (("--no-cache", 0), ("--quiet", 1)):
        (folder / "counted.py").write_text(SCRIPT + "# counted\n")
        before = len(list(cache.rglob("*.json")))
        done = runsurge("run", "counted.py", "--at", "6=4", option, cwd=folder)
        assert (done.stdout, done.stderr, len(list(cache.rglob("*.json"))) - before) == (TEXT, "", files)
    found = json.loads(runsurge("plan", "counted.py", "--static", "--json", cwd=folder).stdout)["estimates"]["footprints"]
    assert {each["block"] for each in found if each["basis"] == "earlier"} == {"row:5"}
    without = json.loads(runsurge("plan", "counted.py", "--static", "--no-cache", "--json", cwd=folder).stdout)["estimates"]["footprints"]
    assert {each["basis"] for each in without} == {"static"}
