"""What goes wrong for a user goes wrong here in the same way: the same text, the same status, no half-written file.

Each case is a folder with a script. It runs twice at the same path, plainly and through `runsurge run --chunks 3`, in
processes of their own; where RunSurge refuses the script, one line on standard error says where, what and what to do.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.bad_scripts import CLEANS_UP, ENDLESS, FAILING, MAIN_WITH_TO_JSON, REFUSED, SPOILED_IN_CHUNK_7, Case, numbers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DEADLINE_SECONDS = 60
"""No run here takes a tenth of this; a run that does has hung."""
RUN = (sys.executable, "-m", "runsurge_dask", "run")
OURS = ("runsurge_dask", "__rs", "__runsurge__", "distributed", "<frozen")
"""Words that no message to a user of `run` may hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """Everything that a run left behind."""

    status: int
    stdout: str
    stderr: str
    files: Mapping[str, bytes]


def lay_out(case: Case, folder: Path) -> None:
    """Make the folder anew with the case's files."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, content in {"script.py": case.script.encode(), **case.files}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def run_in(folder: Path, command: Sequence[str]) -> Left:
    """Run a command in a folder, without a terminal."""
    with start(command, folder, os.environ) as process:
        try:
            stdout, stderr = process.communicate(timeout=DEADLINE_SECONDS)
        finally:
            process.kill()
    return Left(status=process.returncode, stdout=stdout, stderr=stderr, files=contents(folder))


def start(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> subprocess.Popen[str]:
    """Start a command as the leader of a process group of its own, as a shell does."""
    return subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, hidden ones too."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def run_both(case: Case, folder: Path) -> tuple[Left, Left]:
    """The plain run and the planned one, each in a fresh folder of the same name."""
    lay_out(case, folder)
    plain = run_in(folder, [sys.executable, "script.py"])
    lay_out(case, folder)
    return plain, run_in(folder, [*RUN, "--chunks", str(case.chunks), "script.py"])


@pytest.mark.parametrize("case", FAILING, ids=lambda case: case.name)
def test_a_script_fails_as_it_does_under_plain_python(case: Case, tmp_path: Path) -> None:
    """Status, both texts and all files are those of `python script.py`."""
    plain, planned = run_both(case, tmp_path / "job")
    assert plain.status == case.status
    assert plain.stderr.endswith(case.says)
    assert planned == plain


def test_a_raise_in_chunk_7_of_9_keeps_the_finished_file_and_drops_the_unfinished(tmp_path: Path) -> None:
    """The first file is whole, the second one gone, the traceback is the user's, and nothing hidden is left."""
    case = Case(name="chunk 7", script=SPOILED_IN_CHUNK_7, files={"data.csv": numbers(90)}, chunks=9)
    plain, planned = run_both(case, tmp_path / "job")
    assert planned.status == plain.status == 1
    assert planned.stdout == plain.stdout == "first is finished\n"
    assert planned.stderr == plain.stderr
    assert "line 11, in <module>" in planned.stderr
    assert set(planned.files) == {"script.py", "data.csv", "first.txt"}
    assert planned.files["first.txt"] == plain.files["first.txt"]


def test_no_word_of_ours_is_in_the_traceback(tmp_path: Path) -> None:
    """The user is told of the user's file and of nothing else."""
    lay_out(Case(name="chunk 7", script=SPOILED_IN_CHUNK_7, files={"data.csv": numbers(90)}), tmp_path / "job")
    planned = run_in(tmp_path / "job", [*RUN, "--chunks", "9", "--report", "../outcome.json", "script.py"])
    outcome = json.loads((tmp_path / "outcome.json").read_text())
    assert [(stage["accepted"], stage["chunks"]) for stage in outcome["stages"]] == [(9, 9), (6, 9)]
    assert "ZeroDivisionError" in planned.stderr
    assert [word for word in OURS if word in planned.stderr] == []


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.name)
def test_a_script_that_is_no_program_is_refused_in_one_line(case: Case, tmp_path: Path) -> None:
    """Nothing runs, and the line says where."""
    lay_out(case, tmp_path / "job")
    check_refusal(run_in(tmp_path / "job", [*RUN, "--chunks", "3", "script.py"]), case.says)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("missing.py", "missing.py: there is no such script. "),
        (".", ".: this is a folder, not a script. "),
        ("binary.py", "binary.py: the script is not readable text "),
        ("missing/script.py", "missing/script.py: there is no such script. "),
        ("script.py/more.py", "script.py/more.py: the script cannot be read "),
    ],
)
def test_a_path_that_is_no_script_is_refused_in_one_line(name: str, says: str, tmp_path: Path) -> None:
    """Whatever the path names, the message begins with it."""
    (tmp_path / "script.py").write_text("print(1)\n")
    (tmp_path / "binary.py").write_bytes(bytes(range(256)) * 4)
    check_refusal(run_in(tmp_path, [*RUN, name]), says)


def check_refusal(left: Left, says: str) -> None:
    """One line on standard error, status 1, and no output."""
    assert left.stderr.startswith("runsurge: error: ")
    assert says in left.stderr
    assert left.stderr.count("\n") == 1
    assert left.status == 1
    assert left.stdout == ""


def test_what_main_returns_becomes_json(tmp_path: Path) -> None:
    """A file of functions with `main()` is called, and types may bring their own `to_json`."""
    lay_out(Case(name="main", script=MAIN_WITH_TO_JSON), tmp_path / "job")
    planned = run_in(tmp_path / "job", [*RUN, "--chunks", "3", "script.py"])
    assert planned.stdout == '{"of": [1, 99], "result": {"mean": 50.0}, "name": "M\\u00fcller"}\n'
    assert (planned.status, planned.stderr) == (0, "")


def test_a_main_that_raises_shows_the_user_s_traceback(tmp_path: Path) -> None:
    """Its file and line, and nothing of what called it."""
    script = "def main():\n    total = 0\n    for number in range(90):\n        total += 1 // (70 - number)\n    return total\n"
    lay_out(Case(name="main", script=script), tmp_path / "job")
    planned = run_in(tmp_path / "job", [*RUN, "--chunks", "3", "script.py"])
    assert planned.status == 1
    assert "line 4, in main\n" in planned.stderr
    assert planned.stderr.endswith("ZeroDivisionError: integer division or modulo by zero\n")
    assert [word for word in OURS if word in planned.stderr] == []


def test_a_main_whose_value_is_no_json_is_an_error_of_one_kind(tmp_path: Path) -> None:
    """The user hears which type has no JSON form, without our code in a traceback."""
    lay_out(Case(name="main", script="def main():\n    return {1, 2}\n"), tmp_path / "job")
    planned = run_in(tmp_path / "job", [*RUN, "script.py"])
    assert planned.status == 1
    assert "Object of type set is not JSON serializable" in planned.stderr
    assert [word for word in OURS if word in planned.stderr] == []


@pytest.mark.parametrize("chunks", ["2", "6"])
def test_ctrl_c_ends_everything_and_leaves_nothing(chunks: str, tmp_path: Path) -> None:
    """Exit status 130, the user's traceback, no process and no file; with chunks waiting for a worker, too."""
    folder, temporary = tmp_path / "job", tmp_path / "temporary"
    lay_out(Case(name="endless", script=ENDLESS), folder)
    temporary.mkdir()
    mark = f"RUNSURGE_TEST_{uuid.uuid4().hex}"
    environment = {**os.environ, mark: "1", "TMPDIR": str(temporary)}
    command = [*RUN, "--workers", "2", "--chunks", chunks, "script.py"]
    gate = Gate(folder / "gate")
    with start(command, folder, environment) as process:
        try:
            gate.wait_for_a_reader()
            assert len(processes_with(mark)) >= len(("client", "runner", "driver", "chunk"))
            os.killpg(process.pid, signal.SIGINT)
            stdout, stderr = process.communicate(timeout=DEADLINE_SECONDS)
        finally:
            process.kill()
    assert processes_with(mark) == []
    assert [word for word in OURS if word in stderr] == []
    assert stderr.endswith("\nKeyboardInterrupt\n")
    assert stderr.count("KeyboardInterrupt") == 1
    assert (process.returncode, stdout) == (130, "")
    assert set(contents(folder)) == {"script.py"}
    assert contents(temporary) == {}


def test_ctrl_c_reaches_the_script_once(tmp_path: Path) -> None:
    """A script that cleans up after Ctrl-C is not interrupted in that."""
    lay_out(Case(name="cleans up", script=CLEANS_UP), tmp_path / "job")
    with start([*RUN, "script.py"], tmp_path / "job", os.environ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            os.killpg(process.pid, signal.SIGINT)
            stdout, stderr = process.communicate(timeout=DEADLINE_SECONDS)
        finally:
            process.kill()
    assert (stdout, stderr, process.returncode) == ("cleaned up\n", "", 0)


def test_ctrl_c_to_the_client_alone_reaches_the_script(tmp_path: Path) -> None:
    """As an editor or a supervisor sends it."""
    lay_out(Case(name="cleans up", script=CLEANS_UP), tmp_path / "job")
    with start([*RUN, "script.py"], tmp_path / "job", os.environ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            process.send_signal(signal.SIGINT)
            stdout, stderr = process.communicate(timeout=DEADLINE_SECONDS)
        finally:
            process.kill()
    assert (stdout, stderr, process.returncode) == ("cleaned up\n", "", 0)


class Gate:
    """A named pipe that the loop reads first: its opening tells that the loop is under way."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self._opening = threading.Thread(target=self._open, args=(path,), daemon=True)
        self._opening.start()

    @staticmethod
    def _open(path: Path) -> None:
        with path.open("w"):  # returns when somebody reads; closing it lets him go on
            pass

    def wait_for_a_reader(self) -> None:
        """Return once the loop has begun.

        Raises:
            TimeoutError: it never did.
        """
        self._opening.join(DEADLINE_SECONDS)
        if self._opening.is_alive():
            raise TimeoutError("nobody came to the gate")


def processes_with(mark: str) -> list[int]:
    """Processes that were started with a variable of this name."""
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit() and mark in _environment_of(path)]


def _environment_of(process: Path) -> str:
    try:
        return (process / "environ").read_text(errors="replace")
    except OSError:
        return ""
