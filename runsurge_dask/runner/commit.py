"""Make the files that an accepted chunk held back real."""

from __future__ import annotations

import contextlib
import io
import os
import shutil

SEPARATOR = b"\0"


def commit_files(written: list[tuple[str, str, str]]) -> set[str]:
    """Move each shadow to its place, or append it there; returns the paths that changed, and their folders (with a slash at the end)."""
    changed: set[str] = set()
    for mode, path, shadow in written:
        if mode == "a" and os.path.exists(path):
            with open(shadow, "rb") as source, open(path, "ab") as target:
                shutil.copyfileobj(source, target)
            os.remove(shadow)
        else:
            os.replace(shadow, path)
        changed |= {path, os.path.join(os.path.dirname(path), "")}
    return changed


def drop_files(written: list[tuple[str, str, str]]) -> None:
    """Remove what a chunk held back, since it is not accepted."""
    for _, _, shadow in written:
        os.remove(shadow)


def ledger_of(folder: str, pid: int) -> str:
    """Where the chunk child with this number notes which files it writes."""
    return os.path.join(folder, f"{pid}.written")


def drop_announced(folder: str, pid: int) -> None:
    """Remove what a chunk child had written for its last chunk when it was killed."""
    with contextlib.suppress(OSError):
        with io.FileIO(ledger_of(folder, pid)) as ledger:
            paths = ledger.readall().split(SEPARATOR)
        os.remove(ledger_of(folder, pid))
        for path in filter(None, paths):
            with contextlib.suppress(OSError):
                os.remove(path)


def take_left(path: str) -> bytes:
    """What a chunk found, where it was too large to be sent; the file goes."""
    with io.open(path, "rb") as file:  # noqa: UP020 - the driver's `open` is not the built-in one
        content = file.read()
    os.remove(path)
    return content
