"""What earlier runs of the same script on data of the same kind have measured.

    remember(program, {"rows:4": Measured(peak_bytes=118_000_000, seconds=2.1)}, inputs=["rows.csv"], cwd=".")
    recall(program, cwd=".")["rows:4"].peak_bytes       118000000; 236000000 once rows.csv has twice as many rows

Kept in the user's cache folder (or in that of RUNSURGE_CACHE), one file a script, named after its text. Inputs are of the same
kind if they have the same name and begin alike: the header of a table, the magic number of a packed file. A file that cannot be
read, or is of another form, is as good as none.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from platformdirs import user_cache_path

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runsurge_dask.ir.program import Program

FORM = 2
"""Raised when the file's form changes: older ones are then ignored."""
MOST_RUNS = 8
"""Of one script, with other arguments or data."""
HEAD_BYTES = 512
"""Of each input that are looked at: up to the end of its first line, or the magic number of what is no text."""
MAGIC_BYTES = 4
FOLDER_VARIABLE = "RUNSURGE_CACHE"
"""Names the folder of the cache, for who wants it elsewhere."""
LARGEST_FACTOR = 1000.0
"""Data of so many times the size, or of so small a part, are of another kind: nothing is said of them."""


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
        "inputs": {path: _kind_of_file(path) for path in paths},
        "blocks": {key: asdict(each) for key, each in measured.items()},
    }
    others = [each for each in _runs(place) if (each["argv"], each["cwd"]) != (run["argv"], run["cwd"])]
    with contextlib.suppress(OSError):
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=place.parent, delete=False, encoding="utf-8") as file:
            json.dump({"form": FORM, "runs": [run, *others][:MOST_RUNS]}, file)
        os.replace(file.name, place)


def recall(program: Program, *, argv: Sequence[str] = (), cwd: str, folder: Path | None = None) -> dict[str, Measured]:
    """What the last run of this script measured that was called in the same way and had inputs of the same kind.

    Made larger or smaller with the inputs; empty where there was none.
    """
    for run in _runs(_place(program, folder)):
        factor = _growth(run["inputs"]) if (run["argv"], run["cwd"]) == (list(argv), os.path.abspath(cwd)) else 0.0
        if factor:
            blocks = {key: Measured(**each) for key, each in run["blocks"].items()}
            return {
                key: Measured(peak_bytes=int(each.peak_bytes * factor), seconds=each.seconds * factor) for key, each in blocks.items()
            }
    return {}


def _growth(inputs: Mapping[str, Any]) -> float:
    """How many times the bytes of then the inputs have now; 0 where one of them is of another kind."""
    then = now = 0
    for path, (kind, size) in inputs.items():
        kind_now, size_now = _kind_of_file(path)
        if not kind or kind_now != kind:
            return 0.0
        then, now = then + size, now + size_now
    factor = now / then if then and now else float(then == now)
    return factor if 1 / LARGEST_FACTOR <= factor <= LARGEST_FACTOR else 0.0


def _place(program: Program, folder: Path | None) -> Path:
    digest = hashlib.sha256(program.source.encode()).hexdigest()[:32]
    elsewhere = os.environ.get(FOLDER_VARIABLE)
    return (folder or (Path(elsewhere) if elsewhere else user_cache_path("runsurge", appauthor=False)) / "measured") / f"{digest}.json"


def _runs(place: Path) -> list[dict[str, Any]]:
    try:
        kept = json.loads(place.read_text(encoding="utf-8"))
        if kept["form"] != FORM:
            return []
        for run in kept["runs"]:
            [Measured(**each) for each in run["blocks"].values()]
            if not isinstance(run["argv"], list) or not isinstance(run["inputs"], dict) or not isinstance(run["cwd"], str):
                return []
            if not all(isinstance(kind, str) and isinstance(size, int) for kind, size in run["inputs"].values()):
                return []
        return list(kept["runs"])
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return []


def _kind_of_file(path: str) -> tuple[str, int]:
    """How a file begins, and its size; empty where there is no such file."""
    try:
        with open(path, "rb") as file:
            head, size = file.read(HEAD_BYTES), os.fstat(file.fileno()).st_size
    except OSError:
        return "", 0
    first = head.split(b"\n", 1)[0] if b"\0" not in head else head[:MAGIC_BYTES]
    has_header = not any(byte in b"0123456789" for byte in first)
    said = first if has_header or b"\0" in head else str(first.count(b",")).encode()
    return hashlib.sha256(os.path.splitext(path)[1].encode() + b":" + said).hexdigest(), size
