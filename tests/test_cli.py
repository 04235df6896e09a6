"""The command line: what it prints, what it leaves to the script, and how it ends."""

from __future__ import annotations

import fcntl
import io
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import threading
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from runsurge_contracts.run import Decision, Outcome, StageReport
from runsurge_dask import __version__
from runsurge_dask.analysis.build import build_program
from runsurge_dask.bars import StageBar, Tally, on_last_line, release_last_line, render_bar, reserve_last_line
from runsurge_dask.cli import app
from runsurge_dask.report import MOST_REASONS, plan_as_json, plan_rows, render_outcome, render_plan, shorten
from tests.screen import COLUMNS, ROWS, Screen

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

DEADLINE_SECONDS = 60
TOTAL = "total = 0\nfor number in range(100):\n    total += number\nprint(total)\n"
ECHO = "import sys\nprint(sys.argv)\nprint('words', file=sys.stderr)\nsys.exit(len(sys.argv))\n"


def runsurge(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run the command as a user does, without a terminal."""
    command = [sys.executable, "-m", "runsurge_dask", *arguments]
    return subprocess.run(command, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=DEADLINE_SECONDS)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with two scripts."""
    (tmp_path / "total.py").write_text(TOTAL)
    (tmp_path / "echo.py").write_text(ECHO)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "Usage: runsurge"),
        (["fly"], "No such command 'fly'"),
        (["run"], "Missing argument 'SCRIPT'"),
        (["plan"], "Missing argument 'SCRIPT'"),
        (["run", "--fast", "s.py"], "No such option: --fast"),
        (["run", "s.py", "--top", "20"], "No such option: --top"),
        (["run", "--workers", "0", "s.py"], "--workers"),
        (["run", "--workers", "many", "s.py"], "--workers"),
        (["run", "--chunks", "-1", "s.py"], "--chunks"),
        (["run", "s.py", "--report"], "--report"),
        (["run", "s.py", "--report", "nowhere/out.json"], "there is no folder"),
        (["run", "s.py", "--report", "."], "this is a folder"),
    ],
)
def test_wrong_usage_ends_with_2_and_says_what_is_wrong(arguments: Sequence[str], says: str) -> None:
    """Nothing runs, not even a look at the script."""
    result = CliRunner().invoke(app, arguments, prog_name="runsurge")
    assert result.exit_code == 2
    assert says in result.output


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--help"], "runsurge run script.py --workers 2 -- data.csv"),
        (["run", "--help"], "runsurge run wordcount.py -- book.txt --top 20"),
        (["run", "--help"], "130  Ctrl-C"),
        (["plan", "--help"], "runsurge plan wordcount.py --json > plan.json"),
        (["--version"], f"runsurge {__version__}\n"),
    ],
)
def test_help_has_examples_and_the_exit_status(arguments: Sequence[str], says: str) -> None:
    """Each command shows how it is used."""
    result = CliRunner().invoke(app, arguments, prog_name="runsurge")
    assert result.exit_code == 0
    assert says in result.output


@pytest.mark.parametrize(
    ("arguments", "given"),
    [
        (["echo.py"], []),
        (["echo.py", "data.csv", "--quiet"], ["data.csv"]),
        (["--workers", "2", "echo.py", "a", "--", "--workers", "3", "--", "-x"], ["a", "--workers", "3", "--", "-x"]),
        (["--", "echo.py", "--help"], ["--help"]),
    ],
)
def test_what_follows_the_script_becomes_its_arguments(arguments: Sequence[str], given: Sequence[str], folder: Path) -> None:
    """Texts and status are those of the plain run with these arguments."""
    plain = subprocess.run([sys.executable, "echo.py", *given], cwd=folder, capture_output=True, text=True, check=False)
    done = runsurge("run", *arguments, cwd=folder)
    assert (done.stdout, done.stderr, done.returncode) == (plain.stdout, plain.stderr, plain.returncode)


def test_the_report_file_holds_the_outcome_and_nothing_is_printed(folder: Path) -> None:
    """Without a terminal the script's text is all there is."""
    done = runsurge("run", "total.py", "--chunks", "3", "--report", "out.json", cwd=folder)
    assert (done.stdout, done.stderr, done.returncode) == ("4950\n", "", 0)
    outcome = json.loads((folder / "out.json").read_text())
    assert (outcome["status"], outcome["split_stages"], outcome["pattern"]) == (0, 1, "map-reduce")
    assert [(stage["line"], stage["accepted"], stage["records"]) for stage in outcome["stages"]] == [(2, 3, 100)]


def test_a_report_on_a_dash_is_the_summary_on_standard_error(folder: Path) -> None:
    """Standard output stays the script's."""
    done = runsurge("run", "total.py", "--chunks", "3", "--report", "-", cwd=folder)
    assert done.stdout == "4950\n"
    assert done.stderr.startswith("map-reduce: 1 of 1 site cut, 1 stage, ")


def test_a_report_that_cannot_be_written_is_told_after_the_run(folder: Path) -> None:
    """The script has done its work; the status says that not all went well."""
    (folder / "script.py").write_text("import os\nos.mkdir('out.json')\nprint('done')\n")
    done = runsurge("run", "script.py", "--report", "out.json", cwd=folder)
    assert (done.stdout, done.returncode) == ("done\n", 1)
    assert done.stderr.startswith("runsurge: error: --report out.json: it cannot be written (Is a directory). ")


def test_files_beside_the_script_are_not_mistaken_for_our_libraries(folder: Path) -> None:
    """`python -m` puts the current folder first; a user's `queue.py` stays the user's."""
    for name in ("queue", "typer", "dask", "cloudpickle"):
        (folder / f"{name}.py").write_text("raise SystemExit('imported')\n")
    done = runsurge("run", "total.py", "--chunks", "3", cwd=folder)
    assert (done.stdout, done.stderr, done.returncode) == ("4950\n", "", 0)


PLANNED = """import csv

def area(row):
    return int(row[0]) * int(row[1])

def main():
    with open("data.csv") as file:
        rows = list(csv.reader(file))
    areas = [area(row) for row in rows]
    last = 0
    for value in areas:
        last = last * 2 + value
    print(last)

if __name__ == "__main__":
    main()
"""


def test_a_plan_has_one_row_for_each_site_and_block() -> None:
    """A site replaces the row of its block; the narrowest block around it is its home."""
    rows = plan_rows(build_program(PLANNED, "script.py"))
    assert [(row.line, row.kind, row.statement.split("\n")[0]) for row in rows] == [
        (1, "whole", "import csv"),
        (3, "whole", "def area(row):"),
        (6, "whole", "def main():"),
        (7, "whole", "with open('data.csv') as file:"),
        (8, "rows", "list(csv.reader(file))"),
        (9, "rows", "[area(row) for row in rows]"),
        (10, "whole", "last = 0"),
        (11, "fold", "for value in areas:"),
        (13, "whole", "print(last)"),
        (16, "whole", "main()"),
    ]
    assert all(row.reason for row in rows)


def test_a_plan_is_printed_without_running_the_script(folder: Path) -> None:
    """Rows, then what comes after what."""
    (folder / "script.py").write_text(PLANNED)
    done = runsurge("plan", "script.py", cwd=folder)
    assert (done.stderr, done.returncode) == ("", 0)
    table, graph = done.stdout.split("\n\ndependencies:\n")
    assert re.match(r"line +statement +kind +reason\n", table)
    assert re.search(r"^ +9  \[area\(row\) for row in rows\] +rows +\S", table, re.MULTILINE)
    assert "        rows:6 after csv:1, file:5\n" in graph


def test_a_plan_as_json_holds_the_graph(folder: Path) -> None:
    """The same facts for machines, and every block named in it is there."""
    (folder / "script.py").write_text(PLANNED)
    plan = json.loads(runsurge("plan", "--json", "script.py", cwd=folder).stdout)
    keys = {block["key"] for block in plan["blocks"]}
    assert all(set(block["after"]) <= keys for block in plan["blocks"])
    assert {row["block"] for row in plan["rows"]} <= keys
    assert plan["script"] == "script.py"


def test_a_plan_names_the_file_of_a_site_beside_the_script(folder: Path) -> None:
    """Lines of other files would be misread."""
    (folder / "shapes.py").write_text("def areas(rows):\n    return [row * row for row in rows]\n")
    program = build_program("import shapes\nprint(shapes.areas(range(9)))\n", str(folder / "script.py"))
    assert re.search(r"^shapes\.py:2  \[row \* row for row in rows\] +rows", render_plan(program), re.MULTILINE)
    assert plan_as_json(program)["rows"][-1]["block"] == ""


def stage(site: int, **facts: int | str) -> StageReport:
    """A stage report with the facts that matter."""
    rest = {"stage": 1, "line": site * 10, "label": f"for row in rows{site}:", "kind": "rows", "chunks": 4, "accepted": 4, "records": 50}
    values = {**rest, "elapsed_seconds": 0.25, "peak_resident_bytes": 1, **facts}
    return StageReport(site=site, **values)  # type: ignore[arg-type]


def outcome_of(stages: Sequence[StageReport], reasons: Sequence[str]) -> Outcome:
    """An outcome with one decision for each reason."""
    decisions = [Decision(line=10 * site, file="s.py", label="x", kind="whole", reason=reason) for site, reason in enumerate(reasons, 1)]
    return Outcome(status=0, stages=tuple(stages), decisions=tuple(decisions), pattern="driver", elapsed_seconds=1.5)


def test_a_summary_has_one_row_a_site_however_often_it_was_run() -> None:
    """Two turns of a driver, and a site that gave up at once."""
    outcome = outcome_of([stage(1), stage(1), stage(2, accepted=0, records=0)], ["", "it raises\nan error", "carried"])
    assert render_outcome(outcome).split("\n") == [
        "driver: 1 of 3 sites cut, 3 stages, 1.50 s in all",
        "line  statement          kind  stages  chunks  records  seconds",
        "  10  for row in rows1:  rows       2     8/8      100     0.50",
        "  20  for row in rows2:  rows       1     0/4        0     0.25",
        "not cut:",
        "  line 20: whole: it raises an error",
        "  line 30: whole: carried",
    ]


def test_a_summary_of_very_many_sites_stays_short() -> None:
    """What is left out is said."""
    lines = render_outcome(outcome_of([], ["carried"] * 100)).split("\n")
    assert len(lines) == MOST_REASONS + 3
    assert lines[-1] == f"  and {100 - MOST_REASONS} more: --report FILE tells all"


@given(st.text(), st.integers(min_value=4, max_value=60))
def test_a_shortened_statement_is_one_line_that_fits(statement: str, width: int) -> None:
    """Whatever the statement."""
    short = shorten(statement, width)
    assert len(short) <= width
    assert "\n" not in short


words = st.text(alphabet="ab\n\r", max_size=12)


@given(before=st.lists(words, max_size=6), during=st.lists(words, max_size=12), after=st.lists(words, max_size=6))
def test_a_bar_leaves_the_script_s_text_as_it_was(before: Sequence[str], during: Sequence[str], after: Sequence[str]) -> None:
    """Written before, between and after the drawings, ending within a line or not: the same lines, and the same cursor."""
    alone, shared = Screen(), Screen()
    bar = on_last_line(ROWS, "=" * (COLUMNS - 1))
    codes = ["", reserve_last_line(ROWS) + bar, *([bar] * len(during)), release_last_line(ROWS), *([""] * len(after))]
    for text, code in zip(["".join(before), "", *during, "", *after], codes, strict=True):
        short = text.replace("a", "-") if len(text) > COLUMNS else text
        alone.feed(short)
        shared.feed(code + short)
    assert shared.lines == alone.lines
    assert len(shared.gone) + shared.row == len(alone.gone) + alone.row
    assert shared.column == alone.column


class Watched(io.StringIO):
    """A stream that tells when it was first written to."""

    def __init__(self) -> None:
        super().__init__()
        self.written = threading.Event()

    def write(self, text: str) -> int:
        count = super().write(text)
        if "chunks" in text:
            self.written.set()
        return count


def test_a_bar_is_drawn_while_a_stage_runs_and_gone_when_it_ends() -> None:
    """The last thing written takes it away."""
    stream = Watched()
    bar = StageBar(stream, size=lambda: (COLUMNS, ROWS), quiet_seconds=0)
    bar.begin(1, "for row in rows:")
    assert stream.written.wait(DEADLINE_SECONDS)
    bar.end(1)
    screen = Screen()
    screen.feed(stream.getvalue())
    assert screen.lines == [""]
    assert stream.getvalue().endswith(release_last_line(ROWS))


@pytest.mark.parametrize("size", [(COLUMNS, 1), (10, ROWS), (0, 0)])
def test_a_tiny_terminal_gets_no_bar(size: tuple[int, int]) -> None:
    """Its few lines belong to the script."""
    asked = threading.Event()

    def ask() -> tuple[int, int]:
        asked.set()
        return size

    stream = Watched()
    bar = StageBar(stream, size=ask, quiet_seconds=0)
    bar.begin(1, "for row in rows:")
    assert asked.wait(DEADLINE_SECONDS)
    bar.end(1)
    assert stream.getvalue() == ""


def test_a_terminal_that_goes_away_does_not_end_the_run() -> None:
    """A bar is never worth an error."""
    stream = Watched()
    bar = StageBar(stream, size=lambda: (COLUMNS, ROWS), quiet_seconds=0)
    bar.begin(1, "for row in rows:")
    assert stream.written.wait(DEADLINE_SECONDS)
    stream.close()
    bar.end(1)
    bar.end(1)


@pytest.mark.parametrize("label", ["", "for row in rows:", "x" * 200, "for \u00e4 in [b][/b]:"])
@pytest.mark.parametrize("columns", [40, 59, 200])
def test_a_bar_fits_its_line(label: str, columns: int) -> None:
    """Whatever the label; markup in it is text."""
    line = render_bar(Tally(label, 0.0, 3, 0.375), columns, io.StringIO())
    shown = re.sub(r"\x1b\[[\d;]*m", "", line)
    assert len(shown) <= columns
    assert "3 chunks  38%" in shown
    assert "\n" not in line


def on_a_terminal(arguments: Sequence[str], cwd: Path) -> tuple[str, str, int]:
    """Run with standard error on a terminal; gives standard output, what the terminal got, and the status."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    command = [sys.executable, "-m", "runsurge_dask", *arguments]
    environment = {**os.environ, "TERM": "xterm"}
    with subprocess.Popen(command, cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=theirs, text=True) as process:
        os.close(theirs)
        shown = b"".join(iter(lambda: _read(ours), b""))
        stdout, _ = process.communicate(timeout=DEADLINE_SECONDS)
    os.close(ours)
    return stdout, shown.decode(), process.returncode


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # the last process has closed its side
        return b""


def test_a_terminal_gets_the_summary_after_the_script_s_text(folder: Path) -> None:
    """Standard output has nothing of ours, even so."""
    stdout, shown, status = on_a_terminal(["run", "total.py", "--chunks", "3"], folder)
    assert (stdout, status) == ("4950\n", 0)
    assert "map-reduce: 1 of 1 site cut, 1 stage, " in shown
    assert re.search(r"2  for number in range\(100\):  reduce +1 +3/3 +100", shown)


def test_a_quiet_run_is_silent_on_a_terminal_too(folder: Path) -> None:
    """`--quiet` means it."""
    assert on_a_terminal(["run", "total.py", "--chunks", "3", "--quiet"], folder) == ("4950\n", "", 0)


WATCHING = """
import sys
from runsurge_dask.cli import app

try:
    app(["run", "total.py"])
finally:
    print(sorted({"rich", "dask", "distributed"} & set(sys.modules)), file=sys.stderr)
"""


def test_drawing_is_not_imported_where_nothing_is_drawn(folder: Path) -> None:
    """Start-up is felt in every run."""
    done = subprocess.run([sys.executable, "-c", WATCHING], cwd=folder, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("4950\n", "[]\n")
