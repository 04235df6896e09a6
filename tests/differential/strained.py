"""One case under strain, plainly and planned.

try_case(bench, case, folder, chunks=3, strain=played("7"))     the plain answer, or stopped with the words of the memory limit
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from runsurge_dask.errors import MemoryLimitError
from tests.differential.cases import Case, lay_out
from tests.differential.compare import Bench, differences
from tests.differential.trials import Trial

if TYPE_CHECKING:
    from pathlib import Path

    from tests.differential.strain import Strain


def try_case(bench: Bench, case: Case, home: Path, *, chunks: int, strain: Strain) -> Trial:
    """Both runs, compared."""
    plain_folder, folder = home / "plain", home / "planned"
    lay_out(case, plain_folder)
    shutil.copytree(plain_folder, folder)
    plain = bench.run_plain(plain_folder)
    try:
        planned, stages = bench.run_planned(folder, chunks=chunks, strain=strain)
    except MemoryLimitError:
        return Trial(differences=(), is_split=False, status=plain.status, is_stopped=True)
    finally:
        shutil.rmtree(home / "planned-streams", ignore_errors=True)
    found = differences(plain, planned, (plain_folder, folder))
    shutil.rmtree(folder)
    shutil.rmtree(plain_folder)
    return Trial(
        differences=tuple(f"{case.name}: {words}" for words in found), is_split=any(stage.is_split for stage in stages),
        status=plain.status, stages=tuple(stages)
    )
