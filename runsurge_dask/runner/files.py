"""Files as the driver opens them for the script: the real thing, with memory of where it came from.

`SourceFile` is a text file for reading whose position stays known while it is iterated (the built-in one forgets it).
`OutputFiles` remembers what is being written, so that a run that dies leaves no half-written file.
"""

from __future__ import annotations

import builtins
import contextlib
import functools
import io
import os
import weakref
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

_open = io.open


class SourceFile(io.TextIOWrapper):
    """A text file opened for reading. `for line in f` keeps `f.tell()` usable, at the price of a Python call a line."""

    newline_mode: str | None
    mode: str

    def __next__(self) -> str:  # type: ignore[override]
        line = self.readline()
        if not line:
            raise StopIteration
        return line

    def told_lines(self) -> Iterator[str]:
        """Iterate nearly as fast as that, with the position known at every line."""
        return iter(self.readline, "")

    def fast_lines(self) -> Iterator[str]:
        """Iterate at the built-in speed; the position is unknown until the end."""
        return iter(functools.partial(io.TextIOWrapper.__next__, self), _END)

    def byte_position(self) -> int | None:
        """Where the next line starts, in bytes; None where the decoder is in the middle of something."""
        try:
            cookie = self.tell()
        except (OSError, ValueError):
            return None
        return cookie if cookie < 1 << 62 else None


_END = object()


def open_file(
    file: Any,
    mode: str = "r",
    buffering: int = -1,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
    closefd: bool = True,  # noqa: FBT001, FBT002 - the signature of the built-in
    opener: Any = None,
) -> Any:
    """Open like the built-in `open`, giving a `SourceFile` for plain text reading, and noting what is written."""
    is_plain = isinstance(file, str | bytes | os.PathLike) and opener is None
    if is_plain and mode in {"r", "rt", "tr"} and buffering != 0:
        binary = _open(file, "rb", buffering if buffering > 1 else -1)
        try:
            text = SourceFile(binary, encoding, errors, newline)
        except BaseException:
            binary.close()
            raise
        text.newline_mode = newline
        text.mode = mode
        return text
    if is_plain and set(mode) & set("wax") and "+" not in mode:
        return OutputFiles.current.open(os.fspath(file), mode, (buffering, encoding, errors, newline, closefd))
    return _open(file, mode, buffering, encoding, errors, newline, closefd, opener)


class OutputFiles:
    """The files a script is writing, and what each has to become if the script dies before it is closed.

    They are not kept alive: a file that nobody holds any more is closed at once, as ever.
    """

    current: OutputFiles

    def __init__(self) -> None:
        self._open: list[tuple[weakref.ref[Any], str, int | None]] = []
        self._spoiled: list[tuple[str, int | None]] = []

    def open(self, path: Any, mode: str, rest: tuple[Any, ...]) -> Any:
        """Open a file for writing; special files (pipes, terminals) as the built-in `open` does."""
        size_before = os.path.getsize(path) if "a" in mode and os.path.isfile(path) else None
        is_special = os.path.exists(path) and not os.path.isfile(path)
        if is_special:
            return _open(path, mode, *rest)
        buffering, encoding, errors, newline, _ = rest
        entry = (os.path.abspath(os.fsdecode(path)), size_before)
        raw = io.FileIO(path, mode.replace("b", "").replace("t", ""))
        if buffering == 0:
            raw.close()
            return _open(path, mode.replace("x", "w"), *rest)
        binary = _Binary(raw, buffering if buffering > 1 else io.DEFAULT_BUFFER_SIZE)
        file: Any = binary
        if "b" not in mode:
            file = _Text(binary, encoding, errors, newline, buffering == 1 or (buffering == -1 and raw.isatty()))
            file.mode = mode
        file.owner, file.entry = self, entry
        self._open.append((weakref.ref(file), *entry))
        return file

    def note_spoiled(self, entry: tuple[str, int | None]) -> None:
        """A `with` block around this file was left by an exception."""
        self._spoiled.append(entry)

    def note_failure(self) -> None:
        """The script dies now: what is open at this moment stays unfinished, though its last holders are about to go."""
        self._spoiled += self.paths()

    def finish(self, *, failed: bool) -> None:
        """Close what is still open, as the end of the interpreter would; after a failure, take back what was unfinished."""
        unfinished = self.paths() + self._spoiled
        for handle, _, _ in self._open:
            file = handle()
            with contextlib.suppress(Exception):
                if file is not None:
                    file.close()
        if failed:
            for path, size in unfinished:
                take_back(path, size)

    def has(self, paths: Collection[str]) -> bool:
        """Whether one of these is being written, or was."""
        return any(path in paths for _, path, _ in self._open)

    def paths(self) -> list[tuple[str, int | None]]:
        """What is unfinished now, for the process that cleans up after a kill."""
        return [(path, size) for handle, path, size in self._open if (file := handle()) is not None and not file.closed]


OutputFiles.current = OutputFiles()


def take_back(path: str, size: int | None) -> None:
    """Undo an unfinished output: an appended file gets its old length back, a new one goes."""
    with contextlib.suppress(OSError):
        if size is None:
            os.remove(path)
        else:
            os.truncate(path, size)


class _Spoilable:
    """Notes when a `with` block is left by an exception."""

    owner: OutputFiles
    entry: tuple[str, int | None]

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> Any:
        if kind is not None and not issubclass(kind, GeneratorExit):
            self.owner.note_spoiled(self.entry)
        return super().__exit__(kind, *rest)  # type: ignore[misc]


class _Text(_Spoilable, io.TextIOWrapper):
    mode: str


class _Binary(_Spoilable, io.BufferedWriter):
    pass


def install() -> None:
    """Make the script's `open`, and that of libraries, ours; for the driver process only."""
    builtins.open = open_file
    io.open = open_file


def underlying_file(iterable: Any) -> SourceFile | None:
    """The script's file at the bottom of `enumerate`, `csv.reader` and the like."""
    inner = iterable
    while inner is not None and type(inner) is not SourceFile:
        if type(inner) is enumerate:
            inner = inner.__reduce__()[1][0]
        else:
            inner = getattr(inner, "iterable", None) or getattr(inner, "lines", None) or getattr(inner, "reader", None)
    return inner
