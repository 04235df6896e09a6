"""Run a script plainly and planned, and say how the two answers differ."""

from __future__ import annotations

import contextlib
import math
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from runsurge_dask.analysis.build import build_program
from runsurge_dask.execution.cluster import EmbeddedCluster
from runsurge_dask.execution.session import Session
from runsurge_dask.planning.cuts import CutOptions
from runsurge_dask.runner.host import ChildProcessHost
from tests.differential.strain import Strain

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runsurge_contracts.run import StageReport

HASH_SEED = "7"
TOLERANCE = 1e-9
NUMBER = re.compile(rb"[-+]?(?:\d+\.\d*|\.\d+|\d+)(?:[eE][-+]?\d+)?")


@dataclass(frozen=True, slots=True)
class Answer:
    """Everything that a run left behind."""

    status: int
    stdout: bytes
    stderr: bytes
    files: Mapping[str, bytes]


class Bench:
    """One warm runner and one embedded cluster, used for many runs."""

    def __init__(self, workers: int = 2, warm: Sequence[str] = ("numpy", "pandas", "pyarrow")) -> None:
        self.environment = {**os.environ, "PYTHONHASHSEED": HASH_SEED, "MPLBACKEND": "Agg"}
        self.host = ChildProcessHost.start(warm=warm, environment=self.environment, hash_seed=HASH_SEED)
        self.cluster = EmbeddedCluster(self.host, workers)
        self.workers = workers
        self.notes: dict[int, str] = {}
        """Why sites were not cut in the last run, by line."""

    def close(self) -> None:
        self.cluster.close()
        self.host.close()

    def run_plain(self, folder: Path, *, script: str = "script.py") -> Answer:
        """`python script.py`, with everything it leaves."""
        done = subprocess.run(
            [sys.executable, script], cwd=folder, env=self.environment, capture_output=True, stdin=subprocess.DEVNULL, check=False
        )
        return Answer(done.returncode, done.stdout, done.stderr, _files(folder))

    def run_planned(
        self, folder: Path, *, chunks: int, script: str = "script.py", exact: bool = False, strain: Strain | None = None
    ) -> tuple[Answer, list[StageReport]]:
        """The same through the compiler, cut into so many chunks whatever the gain.

        Raises:
            MemoryLimitError: the strain leaves too little.
        """
        strain = strain or Strain()
        outside = folder.parent / f"{folder.name}-streams"
        outside.mkdir(exist_ok=True)
        with contextlib.chdir(folder):  # the name of a script is as relative as on a command line
            program = build_program(Path(script).read_text(encoding="utf-8"), script)
            session = Session(
                program=program,
                host=self.host,
                options=CutOptions(
                    workers=self.workers,
                    chunks=chunks,
                    worth_seconds=0,
                    memory_bytes=strain.limit_bytes(self.host.pid, self.cluster.slots),
                    piece_bytes=strain.piece_bytes,
                ),
                make_watch=strain.make_watch,
                exact=exact,
                stdout=str(outside / "stdout"),
                stderr=str(outside / "stderr"),
                cluster=self.cluster,
                owns_cluster=False,
            )
            status = session.run()
        self.notes = {program.sites[site - 1].line: note for site, note in session.notes.items()}
        answer = Answer(status, (outside / "stdout").read_bytes(), (outside / "stderr").read_bytes(), _files(folder))
        return answer, session.stages


def _files(folder: Path) -> dict[str, bytes]:
    found = {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
    return {name: content for name, content in found.items() if "__pycache__" not in name}


def differences(plain: Answer, planned: Answer, folders: tuple[Path, Path]) -> list[str]:
    """In words, how the planned answer is not the plain one; empty where they are the same."""
    found = []
    if plain.status != planned.status:
        found.append(f"exit status {planned.status}, not {plain.status}")
    names = [str(folder).encode() for folder in folders]
    for name, plain_text, planned_text in (("stdout", plain.stdout, planned.stdout), ("stderr", plain.stderr, planned.stderr)):
        one, other = plain_text.replace(names[0], b""), planned_text.replace(names[1], b"")
        if not same_text(one, other):
            found.append(f"{name} differs: {_first_difference(one, other)}")
    if plain.status == 0 and set(plain.files) != set(planned.files):
        found.append(f"files {sorted(set(planned.files) ^ set(plain.files))} are in one run only")
    for name in sorted(set(plain.files) & set(planned.files)):
        one, other = plain.files[name].replace(names[0], b""), planned.files[name].replace(names[1], b"")
        if not same_text(one, other):
            found.append(f"file {name} differs: {_first_difference(one, other)}")
    return found


def same_text(one: bytes, other: bytes) -> bool:
    """Equal bytes; or equal but for floats that differ by 1e-9 relative."""
    if one == other:
        return True
    if NUMBER.sub(b"#", one) != NUMBER.sub(b"#", other):
        return False
    pairs = zip(NUMBER.findall(one), NUMBER.findall(other), strict=True)
    return all(
        a == b or (_is_float(a) and _is_float(b) and math.isclose(float(a), float(b), rel_tol=TOLERANCE, abs_tol=1e-15)) for a, b in pairs
    )


def _is_float(text: bytes) -> bool:
    return any(mark in text for mark in b".eE")


def _first_difference(one: bytes, other: bytes) -> str:
    lines, others = one.splitlines(), other.splitlines()
    for number, (a, b) in enumerate(zip(lines, others, strict=False), 1):
        if not same_text(a, b):
            return f"line {number}: {b[:160]!r}, not {a[:160]!r}"
    return f"{len(others)} lines, not {len(lines)}"
