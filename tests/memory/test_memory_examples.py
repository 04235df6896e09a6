"""Each example of the memory contract gives the sequential answer, and its input is the same whenever and however long it is made."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from benchmarks.contract import EXAMPLES_MEASURED, Example, make_input
from benchmarks.sameness import compare_folders

if TYPE_CHECKING:
    from pathlib import Path

SIZE_BYTES = 300_000


def run_in(folder: Path, command: list[str]) -> Path:
    folder.mkdir()
    with (folder / "stdout").open("wb") as out, (folder / "stderr").open("wb") as err:
        done = subprocess.run(command, cwd=folder, stdout=out, stderr=err, check=False)
    assert done.returncode == 0, (folder / "stderr").read_text()
    return folder


@pytest.mark.parametrize("example", EXAMPLES_MEASURED, ids=lambda each: each.name)
def test_an_example_in_chunks_gives_the_sequential_answer(example: Example, tmp_path: Path) -> None:
    source = tmp_path / "data" / "input"
    make_input(example.name, source, SIZE_BYTES)
    script = [str(example.script), str(source)]
    plain = run_in(tmp_path / "plain", [sys.executable, *script])
    ours = run_in(tmp_path / "ours", [sys.executable, "-m", "runsurge_dask", "run", "--workers", "2", "--chunks", "3", *script])
    assert (plain / "stderr").read_bytes() == b""
    assert len(list(plain.iterdir())) > 2
    assert compare_folders(plain, ours)[0] == ""


@pytest.mark.parametrize("example", EXAMPLES_MEASURED, ids=lambda each: each.name)
def test_a_small_input_is_the_beginning_of_a_large_one(example: Example, tmp_path: Path) -> None:
    small, large, again = (tmp_path / name for name in ("small", "large", "again"))
    for target, size in ((small, 50_000), (large, 120_000), (again, 120_000)):
        make_input(example.name, target, size)
    assert large.read_bytes() == again.read_bytes()
    assert large.read_bytes().startswith(small.read_bytes())
    assert small.read_bytes().endswith(b"\n")
    longest_line = max(map(len, large.read_bytes().splitlines(keepends=True)))
    assert 50_000 <= small.stat().st_size <= 50_000 + 2 * longest_line
