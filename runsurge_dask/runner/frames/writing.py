"""`to_csv` of a lazy frame: every chunk leaves its lines in a file, the driver joins these in order under another name, and moves it.

The file is the one that pandas would have written: header, encoding and line ends come from pandas itself, in one piece for
the header and one for each chunk. A stage that fails leaves nothing.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from typing import Any

import pandas as pd

from runsurge_dask.runner.frames import tables
from runsurge_dask.runner.frames.answers import ask
from runsurge_dask.runner.frames.lazy import MISSING, LazyFrame, node_of, source_of
from runsurge_dask.runner.frames.methods import install_method
from runsurge_dask.runner.frames.reading import PACKED

COPIED_BYTES = 1 << 20


def _to_csv(lazy: Any, path_or_buf: Any = None, *args: Any, **kwargs: Any) -> Any:
    if args or not isinstance(path_or_buf, str | os.PathLike) or not set(kwargs) <= tables.TEXT_ARGUMENTS or not _is_writable(lazy, kwargs):
        return MISSING
    path = os.path.abspath(os.fspath(path_or_buf))
    if not is_plain_place(path) or path == source_of(lazy).table.path:
        return MISSING
    arguments = {key: value for key, value in kwargs.items() if key != "mode"}
    rows = node_of(lazy).rows
    assert rows is not None
    texts = ask(lazy, ("text", rows.index, arguments, source_of(lazy).runtime.options["scratch"]))
    if texts is None:
        return MISSING
    head = node_of(lazy).meta.iloc[:0].to_csv(**arguments)
    _write(path, head.encode(arguments.get("encoding") or "utf-8"), texts)
    return None


def _is_writable(lazy: Any, kwargs: dict[str, Any]) -> bool:
    meta, rows = node_of(lazy).meta, node_of(lazy).rows
    assert rows is not None
    if kwargs.get("mode", "w") != "w" or kwargs.get("encoding") not in {None, "utf-8"} or not isinstance(kwargs.get("header", True), bool):
        return False
    if not isinstance(kwargs.get("float_format"), str | None) or not isinstance(kwargs.get("index", True), bool):
        return False
    dtypes = [*meta.dtypes, *([meta.index.dtype] if kwargs.get("index", True) else [])]
    if any(getattr(dtype, "kind", "O") in "mM" and not kwargs.get("date_format") for dtype in dtypes):
        return False  # pandas writes the time of day only where some value of its piece has one
    return rows.is_of_source or rows.index == "own" or not kwargs.get("index", True)


def is_plain_place(path: str) -> bool:
    """Whether a file may be written there under another name first."""
    if path.lower().endswith(PACKED) or not os.path.isdir(os.path.dirname(path)) or os.path.islink(path):
        return False
    return not os.path.exists(path) or (os.path.isfile(path) and os.access(path, os.W_OK))


def _write(path: str, head: bytes, texts: list[str]) -> None:
    shadow = os.path.join(os.path.dirname(path), f".{os.path.basename(path)}.{os.getpid()}.runsurge")
    try:
        with open(shadow, "wb") as file:
            file.write(head)
            for text in texts:
                with open(text, "rb") as lines:
                    shutil.copyfileobj(lines, file, COPIED_BYTES)
                os.remove(text)
        put_in_place(shadow, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.remove(shadow)
        raise


def put_in_place(shadow: str, path: str) -> None:
    """Let a finished file be the one of this name; one that is there keeps its identity."""
    if os.path.exists(path):
        with open(shadow, "rb") as source, open(path, "wb") as target:
            shutil.copyfileobj(source, target)
        os.remove(shadow)
    else:
        os.replace(shadow, path)


def install() -> None:
    """Give lazy frames their sink."""
    install_method(LazyFrame, "to_csv", _to_csv)


__all__ = ["install", "pd"]
