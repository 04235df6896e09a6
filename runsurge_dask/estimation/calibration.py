"""What earlier runs of the same script on the same data have measured.

    remember(program, {"rows:4": Measured(peak_bytes=118_000_000, seconds=2.1)}, inputs=["rows.csv"], cwd=".")
    recall(program, cwd=".")["rows:4"].peak_bytes       118000000, as long as the script and its data are the same

Kept in the user's cache folder, one file a script. A file that cannot be read, or is of another kind, is as good as none.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from platformdirs import user_cache_path

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from runsurge_dask.ir.program import Program

FORM = 1
"""Raised when the file's form changes: older ones are then ignored."""
MOST_RUNS = 8
"""Of one script, with other arguments or data."""
HEAD_BYTES = 64 << 10
"""Of each input that are compared, beside its size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One block of a run: its peak above the baseline, and its time."""

    peak_bytes: int
    seconds: float

    def __post_init__(self) -> None:
        if self.peak_bytes < 0 or self.seconds < 0:
            raise ValueError(f"measured {self.peak_bytes} bytes, {self.seconds} s")


def remember(
    program: Program,
    measured: Mapping[str, Measured],
    *,
    inputs: Sequence[str],
    argv: Sequence[str] = (),
    cwd: str,
    folder: Path | None = None,
) -> None:
    """Keep what a run has measured, by block key; a cache that cannot be written is no error."""
    place = _place(program, folder)
    paths = [os.path.abspath(os.path.join(cwd, path)) for path in inputs]
    run = {
        "argv": list(argv),
        "cwd": os.path.abspath(cwd),
        "inputs": {path: _digest_of_file(path) for path in paths},
        "blocks": {key: asdict(each) for key, each in measured.items()},
    }
    others = [each for each in _runs(place) if (each["argv"], each["cwd"]) != (run["argv"], run["cwd"])]
    with contextlib.suppress(OSError):
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=place.parent, delete=False, encoding="utf-8") as file:
            json.dump({"form": FORM, "runs": [run, *others][:MOST_RUNS]}, file)
        os.replace(file.name, place)


def recall(program: Program, *, argv: Sequence[str] = (), cwd: str, folder: Path | None = None) -> dict[str, Measured]:
    """What the last run of this script measured whose arguments and data were those of now; empty where there was none."""
    for run in _runs(_place(program, folder)):
        inputs: dict[str, Any] = run["inputs"]
        is_same_call = (run["argv"], run["cwd"]) == (list(argv), os.path.abspath(cwd))
        if is_same_call and all(digest == _digest_of_file(path) for path, digest in inputs.items()):
            return {key: Measured(**each) for key, each in run["blocks"].items()}
    return {}


def _place(program: Program, folder: Path | None) -> Path:
    digest = hashlib.sha256(program.source.encode()).hexdigest()[:32]
    return (folder or user_cache_path("runsurge", appauthor=False) / "measured") / f"{digest}.json"


def _runs(place: Path) -> list[dict[str, Any]]:
    try:
        kept = json.loads(place.read_text(encoding="utf-8"))
        if kept["form"] != FORM:
            return []
        for run in kept["runs"]:
            [Measured(**each) for each in run["blocks"].values()]
            if not isinstance(run["argv"], list) or not isinstance(run["inputs"], dict) or not isinstance(run["cwd"], str):
                return []
        return list(kept["runs"])
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return []


def _digest_of_file(path: str) -> str:
    """Of its size and head; empty where there is no such file."""
    try:
        with open(path, "rb") as file:
            return hashlib.sha256(str(os.fstat(file.fileno()).st_size).encode() + b":" + file.read(HEAD_BYTES)).hexdigest()
    except OSError:
        return ""
