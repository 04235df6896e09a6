"""What stays in files for a while: a full disk is named, and however a run ends, nothing is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.execution.growing import GROWING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LIMIT = "160MiB"
WRITING = """
with open("in.txt") as f, open("full/out.txt", "w") as out:
    for line in f:
        out.write(line * 20)
print("written")
"""
DISK_BYTES = 8 << 20


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of a few megabytes."""
    folder = tmp_path / "full"
    folder.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(folder)], capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {done.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def prepare(folder: Path, script: str, lines: int) -> list[str]:
    """The command that runs a script over so many lines."""
    (folder / "script.py").write_text(script)
    with (folder / "in.txt").open("w") as file:
        file.writelines(f"word{number % 100_000:05d} 20\n" for number in range(lines))
    return [sys.executable, "-m", "runsurge_dask", "run", "--workers", "2", "--memory", LIMIT, "script.py"]


def test_a_full_disk_is_named(tmp_path: Path, small_disk: Path) -> None:
    """With what to do about it; what was being written is taken back."""
    command = prepare(tmp_path, GROWING, 300_000)
    environment = {**os.environ, "TMPDIR": str(small_disk)}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=200)
    assert done.returncode == 1
    assert f"rows that stay in files find no room in {small_disk} (No space left on device)" in done.stderr
    assert "set TMPDIR to a folder on a larger disk, or raise --memory. [disk-full]" in done.stderr
    assert list(small_disk.iterdir()) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["full", "in.txt", "script.py"]


def test_a_disk_that_is_too_small_for_an_output_is_the_script_s_own_error(tmp_path: Path, small_disk: Path) -> None:
    """As plain Python says it, at its line; no part of the output is left."""
    command = prepare(tmp_path, WRITING, 60_000)
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=200)
    assert done.returncode == 1
    assert "OSError: [Errno 28] No space left on device" in done.stderr
    assert done.stdout == ""
    assert list(small_disk.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_ended_while_rows_are_in_files_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    command = prepare(tmp_path, GROWING, 600_000)
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    environment = {**os.environ, "TMPDIR": str(scratch)}
    with subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        while process.poll() is None and not list(scratch.glob("runsurge-rows-*/*.rows")):
            time.sleep(0.01)
        assert process.poll() is None
        process.send_signal(number)
        process.communicate(timeout=60)
    assert process.returncode in {130, 143, -number}
    assert list(scratch.iterdir()) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.txt", "scratch", "script.py"]
