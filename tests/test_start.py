"""The short way into `runsurge run` reads a command line as the long one does, or leaves it alone."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import typer
from hypothesis import given, settings
from hypothesis import strategies as st

from runsurge_dask.cli import app
from runsurge_dask.estimation.calibration import FOLDER_VARIABLE
from runsurge_dask.runner.early import imports_at_first_sight
from runsurge_dask.start import read_run

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

WORDS = [
    "run", "plan", "a.py", "data.csv", "--", "-", "", "--workers", "--workers=2", "--chunks", "--chunks=0", "--memory", "--memory=1GiB",
    "2", "0", "-1", "1_0", "--exact", "--quiet", "-q", "-qq", "--report", "--json", "--report=-", "--json=x.json", "--help", "-h",
    "--nothing", "--exact=1", "--work", "٣"
]  # fmt: skip


@settings(deadline=None)
@given(words=st.lists(st.sampled_from(WORDS), max_size=7).map(lambda words: ["run", *words]))
def test_what_the_short_way_reads_is_what_the_long_way_reads(words: Sequence[str]) -> None:
    short = read_run(words)
    if short is None:
        return
    command = typer.main.get_command(app).commands["run"]  # type: ignore[attr-defined]
    long = command.make_context("run", list(words[1:])).params
    assert dict(short) == {name: long[name] or type(short[name])() for name in short}  # type: ignore[literal-required]


@pytest.mark.parametrize(
    ("words", "script", "arguments"),
    [
        ("run a.py", "a.py", []),
        ("run a.py b --workers 2 c -- --quiet -- d", "a.py", ["b", "c", "--quiet", "--", "d"]),
        ("run --memory=1GiB -- a.py b", "a.py", ["b"]),
    ],
)
def test_the_usual_command_line_goes_the_short_way(words: str, script: str, arguments: Sequence[str]) -> None:
    found = read_run(words.split())
    assert found is not None
    assert (found["script"], found["arguments"]) == (script, arguments)


PRINTING = """
import os, sys
print(sys.path[0] == os.getcwd(), [name for name in sys.modules if name.startswith(("typer", "rich", "dask", "pydantic"))])
print({name for name in os.environ if name.endswith("_NUM_THREADS") or name.startswith(("RUNSURGE", "JE_"))})
print(sorted(vars(sys.modules["__main__"])) == sorted(globals()))
"""


def test_a_script_finds_nothing_of_the_command_line_that_started_it(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text(PRINTING)
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS") and name != FOLDER_VARIABLE}
    command = [sys.executable, "-m", "runsurge_dask", "run", "script.py"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("True []\nset()\nTrue\n", "")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("import pandas as pd\nfrom numpy import array\n", ["numpy", "pandas"]),
        ("try:\n    import pyarrow.csv\nexcept ImportError:\n    pass\n", ["pyarrow"]),
        ('"""Reads a frame\nimport pandas and numpy\nfrom pandas on\n"""\nimport\n', []),
        ("import own\nimportant = 1\n\xe9 = 2\n", []),
    ],
)
def test_what_is_plainly_imported_is_seen_at_once(tmp_path: Path, text: str, found: list[str]) -> None:
    script = tmp_path / "script.py"
    script.write_text(text, encoding="latin-1")
    assert imports_at_first_sight(str(script)) == found


def test_modules_of_the_scripts_own_are_not_taken_for_libraries(tmp_path: Path) -> None:
    (tmp_path / "numpy.py").write_text("")
    (tmp_path / "pandas").mkdir()
    (tmp_path / "script.py").write_text("import numpy\nimport pandas\nimport pyarrow\n")
    assert imports_at_first_sight(str(tmp_path / "script.py")) == ["pyarrow"]
    assert imports_at_first_sight(str(tmp_path / "none.py")) == []
