"""The memory contract: all processes of a run together stay below its limit, or the user hears why not."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from benchmarks.resident import measure
from tests.execution.growing import GROWING

if TYPE_CHECKING:
    from pathlib import Path

LIMIT_MIB = 200
HOLDING = """
table = {}
for line in open("in.txt"):
    name, times = line.split()
    table[len(table)] = [name, times, len(name) * 1.5]
with open("out.txt", "w") as out:
    for key in sorted(table, reverse=True):
        out.write(f"{key}\\n")
"""


def run(folder: Path, script: str, memory: str) -> subprocess.CompletedProcess[str]:
    """Through the command line, with what the run tells of itself in `report.json`."""
    (folder / "script.py").write_text(script)
    return subprocess.run(command(memory), cwd=folder, capture_output=True, text=True, check=False, timeout=200)


def command(memory: str) -> list[str]:
    return [sys.executable, "-m", "runsurge_dask", "run", "--workers", "2", "--memory", memory, "--json", "report.json", "script.py"]


def test_a_chunk_that_outgrows_its_share_is_cut_smaller(tmp_path: Path) -> None:
    """It is killed alone; the answer is right, and the limit was not crossed."""
    count = 600_000
    with (tmp_path / "in.txt").open("w") as file:
        for number in range(count):
            file.write(f"word{number % 100_000:05d} {1000 if number >= count * 0.9 else 20}\n")
    (tmp_path / "script.py").write_text(GROWING)
    with (tmp_path / "stdout").open("wb") as stdout:
        found = measure(command(f"{LIMIT_MIB}MiB"), cwd=str(tmp_path), limit_bytes=LIMIT_MIB << 20, stdout=stdout)
    assert found.exit_status == 0
    assert found.peak_bytes <= LIMIT_MIB << 20
    assert (tmp_path / "stdout").read_text() == f"{count} 9000\n"
    lines = (tmp_path / "out.txt").read_text().splitlines()
    assert len(lines) == count
    assert (lines[0], lines[-1]) == ("wor 180 20", "wor 9000 1000")
    report = json.loads((tmp_path / "report.json").read_text())
    tasks = [task for stage in report["stages"] for task in stage["tasks"]]
    assert any(task["is_outgrown"] for task in tasks)
    assert report["memory_bytes"] == LIMIT_MIB << 20
    assert report["peak_bytes"] > 0


def test_a_script_that_cannot_be_kept_below_the_limit_is_stopped_at_its_line(tmp_path: Path) -> None:
    """With both numbers; what it was writing is taken back."""
    (tmp_path / "in.txt").write_text("".join(f"word{number} {number}\n" for number in range(600_000)))
    done = run(tmp_path, HOLDING, "160MiB")
    assert done.returncode == 1
    assert re.search(r"script.py, line [345]: the script itself needs more than --memory allows", done.stderr)
    assert "of 160 MiB" in done.stderr
    assert "[memory-limit]" in done.stderr
    assert not (tmp_path / "out.txt").exists()


@pytest.mark.parametrize("memory", ["10MiB", "60MiB"])
def test_a_limit_below_what_we_hold_ourselves_is_refused(tmp_path: Path, memory: str) -> None:
    """With the smallest that would do, and before anything ran."""
    (tmp_path / "in.txt").write_text("a 1\n")
    done = run(tmp_path, GROWING, memory)
    assert done.returncode == 1
    assert "Give at least " in done.stderr
    assert "[limit-below-baseline]" in done.stderr
    assert not (tmp_path / "out.txt").exists()
