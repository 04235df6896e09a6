"""Folders of many small files: some of them stand for all.

    for path in sorted(glob("sensors/*.csv")):      1,000 files of 40 KB: every 80th of them
"""

from __future__ import annotations

import glob
import os
import pathlib
from typing import TYPE_CHECKING, Any

from runsurge_dask.runner.profile.standins import Input

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from runsurge_dask.runner.profile.standins import Inputs

FEWEST_FILES = 8
"""Up to so many files are all read: each of them is cut by itself."""
SMALL_SHARE = 4
"""Files of less than this part of a sample are left whole and thinned out instead."""


def install(inputs: Inputs) -> None:
    """Thin out what `glob`, `listdir` and `Path.glob` find, in this process, for good."""
    glob.iglob = _thinned(glob.iglob, inputs)
    names, plain = os.listdir, pathlib.Path

    def listdir(path: Any = ".") -> list[Any]:
        found = names(path)
        if not isinstance(path, str | os.PathLike):
            return found
        kept = set(some_of([os.path.join(path, name) for name in found], inputs))
        return [name for name in found if os.path.join(path, name) in kept]

    patched: Any = os
    patched.listdir = listdir
    for name in ("glob", "rglob"):
        setattr(plain, name, _thinned(getattr(plain, name), inputs))


def _thinned(lister: Callable[..., Iterable[Any]], inputs: Inputs) -> Any:
    def some(*arguments: Any, **options: Any) -> Iterator[Any]:
        return iter(some_of(list(lister(*arguments, **options)), inputs))

    return some


def some_of(paths: list[Any], inputs: Inputs) -> list[Any]:
    """Of many small files some, spread evenly; everything else as it is."""
    sizes = [_size_of(path) for path in paths]
    count, total = sum(size is not None for size in sizes), sum(size or 0 for size in sizes)
    wanted = inputs.sizes.of(total)
    if count <= FEWEST_FILES or total <= wanted or total / count > wanted / SMALL_SHARE:
        return paths
    key = os.path.join(os.path.dirname(os.path.abspath(os.fsdecode(paths[0]))), "*")
    if key in inputs.whole:
        return paths
    kept_count = max(3, round(count * wanted / total))
    files = [n for n, size in enumerate(sizes) if size is not None]
    kept = {files[place * len(files) // kept_count] for place in range(kept_count)}
    kept_bytes = sum(sizes[n] or 0 for n in kept)
    inputs.note(Input(path=key, full_bytes=total, share=kept_bytes / total, place=key, is_cut=True))
    inputs.whole.update(os.path.abspath(os.fsdecode(paths[n])) for n in kept)
    return [path for n, path in enumerate(paths) if sizes[n] is None or n in kept]


def _size_of(path: Any) -> int | None:
    """Bytes of a file; None for anything else."""
    try:
        return os.stat(path).st_size if os.path.isfile(path) else None
    except (OSError, ValueError, TypeError):
        return None
