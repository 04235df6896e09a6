"""Every example gives the sequential answer at 1, 2, 3 and 7 chunks, from any folder, and on data of one row and of none."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.differential.compare import Bench, differences

EXAMPLES = Path(__file__).parent.parent / "examples"
TOOLS = {"make_data", "fashion_mnist", "demo"}
SCRIPTS = sorted(path for path in EXAMPLES.glob("*.py") if path.stem not in TOOLS)
CHUNKS = (1, 2, 3, 7)
SPLIT_PATTERNS = {"map", "map-reduce", "pipeline", "scatter-gather", "driver"}


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small inputs for all examples."""
    folder = tmp_path_factory.mktemp("inputs") / "data"
    subprocess.run([sys.executable, str(EXAMPLES / "make_data.py"), str(folder)], check=True, capture_output=True)
    return folder


def make_folder(folder: Path, script: Path, data: Path) -> Path:
    folder.mkdir()
    shutil.copy(script, folder / script.name)
    shutil.copytree(data, folder / "data")
    return folder


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_an_example_gives_the_sequential_answer(script: Path, data: Path, bench: Bench, tmp_path: Path) -> None:
    plain_folder = make_folder(tmp_path / "plain", script, data)
    plain = bench.run_plain(plain_folder, script=script.name)
    assert plain.status == 0
    for chunks in CHUNKS:
        folder = make_folder(tmp_path / f"planned-{chunks}", script, data)
        planned, stages = bench.run_planned(folder, chunks=chunks, script=script.name)
        assert differences(plain, planned, (plain_folder, folder)) == []
        assert any(stage.is_split for stage in stages) == (chunks > 1)


@pytest.mark.parametrize("rows", [0, 1])
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_an_example_on_hardly_any_rows(script: Path, rows: int, data: Path, bench: Bench, tmp_path: Path) -> None:
    few = tmp_path / "few"
    shutil.copytree(data, few)
    for path in [*few.glob("*.csv"), *few.glob("*.txt"), *few.glob("*.log")]:
        lines = path.read_text().splitlines(keepends=True)
        path.write_text("".join(lines[: rows + 1]))
    plain_folder = make_folder(tmp_path / "plain", script, few)
    folder = make_folder(tmp_path / "planned", script, few)
    plain = bench.run_plain(plain_folder, script=script.name)
    planned, _ = bench.run_planned(folder, chunks=3, script=script.name)
    assert differences(plain, planned, (plain_folder, folder)) == []


def test_an_example_from_another_folder(data: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "runsurge_dask", "run", "--chunks", "3", str(EXAMPLES / "ratings.py"), str(data / "ratings.csv")]
    planned = subprocess.run(command, cwd=tmp_path, capture_output=True, check=True)
    plain = subprocess.run([sys.executable, *command[-2:]], cwd=tmp_path, capture_output=True, check=True)
    assert planned.stdout == plain.stdout
    assert planned.stderr == b""
