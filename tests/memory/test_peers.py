"""The ceiling's halves are the whole input, cut once; and every peer answers the question that was asked."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.contract import make_input
from benchmarks.peers import CEILING, NAMES, PLAIN, QUESTIONS, Question, Row, answer_question, cut_in_two, main, render_rows, side_by_side
from benchmarks.sameness import compare_folders

if TYPE_CHECKING:
    from pathlib import Path

MIB = 2**20
ENGINES = {"by_dask": "dask", "by_polars": "polars", "by_duckdb": "duckdb"}
PEERS = [(question, name, script) for question in QUESTIONS for name, script in question.peers]


LINES = st.lists(st.binary(max_size=30).map(lambda line: line.replace(b"\n", b"") + b"\n"), min_size=3, max_size=40)


@given(lines=LINES, has_header=st.booleans())
def test_halves_are_the_whole_cut_once_at_a_line(lines: list[bytes], has_header: bool, tmp_path_factory: pytest.TempPathFactory) -> None:  # noqa: FBT001 - drawn
    folder = tmp_path_factory.mktemp("halves")
    source = folder / "input"
    source.write_bytes(b"".join(lines))
    halves = [half.read_bytes() for half in cut_in_two(source, folder, has_header=has_header)]
    header = lines[0] if has_header else b""
    assert all(half.startswith(header) for half in halves)
    assert header + b"".join(half[len(header) :] for half in halves) == source.read_bytes()
    assert all(half == b"" or half.endswith(b"\n") for half in halves)


def test_commands_side_by_side_run_at_once_in_folders_of_their_own(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")  # whose ends wait for each other
    command = side_by_side([[sys.executable, "-c", f"open('../pipe', {mode!r})"] for mode in "rw"])
    subprocess.run(command, cwd=tmp_path, check=True, timeout=20)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0", "1", "pipe"]


@pytest.mark.parametrize("failing", [0, 1])
def test_commands_side_by_side_fail_if_one_of_them_does(failing: int, tmp_path: Path) -> None:
    commands = [[sys.executable, "-c", f"import sys; sys.exit({int(number == failing)})"] for number in (0, 1)]
    assert subprocess.run(side_by_side(commands), cwd=tmp_path, check=False).returncode == 1


@pytest.mark.parametrize(("question", "name", "script"), PEERS, ids=[f"{question.name}-{name}" for question, name, _ in PEERS])
def test_a_peer_answers_the_same_question(question: Question, name: str, script: Path, tmp_path: Path) -> None:
    if importlib.util.find_spec(ENGINES[script.stem]) is None:
        pytest.skip(f"{name} comes with the extra `bench`")
    source = tmp_path / "data" / "input"
    make_input(question.input_name, source, 200_000)
    for folder, command in (("plain", question.script), ("peer", script)):
        (tmp_path / folder).mkdir()
        subprocess.run([sys.executable, str(command), str(source)], cwd=tmp_path / folder, check=True, capture_output=True)
    assert [path.name for path in (tmp_path / "plain").iterdir()] == ["answer.csv"]
    assert compare_folders(tmp_path / "plain", tmp_path / "peer")[0] == ""


def test_a_question_is_answered_in_all_ways(tmp_path: Path) -> None:
    question = next(each for each in QUESTIONS if each.name == "wordcount")
    source = tmp_path / "data" / "input"
    make_input(question.input_name, source, 100_000)
    rows = answer_question(question, source, tmp_path, turns=1, memory="")
    assert [row.way for row in rows] == [PLAIN, CEILING, "RunSurge"]
    assert [row.answer for row in rows] == ["-", "-", "same bytes"]
    assert all(row.elapsed_seconds > 0 and row.peak_bytes > MIB for row in rows)


def test_a_row_compares_with_plain_and_with_the_ceiling() -> None:
    ways = ((PLAIN, 20.0, "-"), (CEILING, 10.0, "-"), ("RunSurge", 12.5, "same bytes"), ("slow", 0.0, "exit status 1"))
    rows = [
        Row(question="sobel", way=way, input_bytes=10**7, elapsed_seconds=seconds, peak_bytes=100 * MIB, answer=answer)
        for way, seconds, answer in ways
    ]
    assert render_rows(rows).split("\n")[2:] == [
        "| sobel | 10.0 | RunSurge | 12.50 | 1.60 | 80 % | 100 | same bytes |",
        "| sobel | 10.0 | slow | 0.00 | - | - | 100 | exit status 1 |",
    ]


def test_a_question_that_nobody_asks_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["no-such"])
    assert "no such question: no-such" in capsys.readouterr().err
    assert NAMES == ("sobel", "wordcount", "aggregate", "groups", "rows")
