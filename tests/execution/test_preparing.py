"""The cluster starts while the script goes on as written: whatever comes first, the answer is that of the plain run."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from runsurge_dask.pipeline import RunOptions, run_script

if TYPE_CHECKING:
    from pathlib import Path

SCRIPT = """
import time
squares, total = [], 0
with open("out.txt", "w") as out:
    for n in range({rows}):
        time.sleep(0.002)
        squares.append([n, n * n])
        total += n * 0.1
        print(n, file=out)
        {leave}
print(len(squares), squares[-1], total)
"""
LEAVES = {"to its end": "pass", "left early": "if n == 120: break", "raising": "1 / (n - 130)"}


@pytest.mark.parametrize("leave", LEAVES.values(), ids=LEAVES)
@pytest.mark.parametrize("rows", [110, 2000])
def test_a_loop_under_way_gives_the_plain_answer(rows: int, leave: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.format(rows=rows, leave=leave))
    plainly = subprocess.run([sys.executable, str(script)], cwd=tmp_path, capture_output=True, text=True, check=False)
    written = (tmp_path / "out.txt").read_text()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        outcome = run_script(str(script), options=RunOptions(workers=2, worth_seconds=0.0001))
    assert (outcome.status, capfd.readouterr().out) == (plainly.returncode, plainly.stdout)
    assert plainly.returncode or (tmp_path / "out.txt").read_text() == written
