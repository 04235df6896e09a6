"""A script whose process is killed while chunks run for it: the exit status is told, and nothing is left."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

SCRIPT = """
import os, signal, threading

threading.Timer(0.7, os.kill, (os.getpid(), signal.SIGKILL)).start()
total = 0
for line in open("in.txt"):
    total += sum(int(line[1:5]) % k for k in range(1, 400))
print(total)
"""


def test_its_end_is_told_as_a_shell_would(tmp_path: Path) -> None:
    (tmp_path / "in.txt").write_text("x1234\n" * 400_000)
    (tmp_path / "script.py").write_text(SCRIPT)
    folder = tmp_path / "temporary"
    folder.mkdir()
    command = [sys.executable, "-m", "runsurge_dask", "run", "--chunks", "50", "script.py"]
    done = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, "TMPDIR": str(folder)}, capture_output=True, text=True, check=False, timeout=100
    )
    assert (done.returncode, done.stdout, done.stderr) == (137, "", "")
    assert list(folder.iterdir()) == []
