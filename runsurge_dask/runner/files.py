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

from runsurge_dask.runner.posing import Posing, posing

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

_open = io.open


@posing(io.TextIOWrapper)
class SourceFile(io.TextIOWrapper, metaclass=Posing):  # type: ignore[metaclass]
    """A text file opened for reading. `for line in f` keeps its position known to us, at the price of a Python call a line."""

    __class__: type = property(lambda _: io.TextIOWrapper)  # type: ignore[assignment]
    newline_mode: str | None
    mode: str
    _lines: Iterator[str] | None = None
    """What goes through its lines: the built-in file does not tell its position before that is at the end."""

    def __next__(self) -> str:  # type: ignore[override]
        line = self.readline()
        self._lines = self if line else None
        if not line:
            raise StopIteration
        return line

    def told_lines(self) -> Iterator[str]:
        """Iterate nearly as fast as that, with the position known at every line."""
        self._lines = iter(self.readline, "")
        return self._lines

    def fast_lines(self) -> Iterator[str]:
        """Iterate at the built-in speed; the position is unknown until the end."""
        return iter(functools.partial(io.TextIOWrapper.__next__, self), _END)

    def seek(self, offset: int, whence: int = 0) -> int:
        """As ever; from then on the position is told again."""
        self._lines = None
        return super().seek(offset, whence)

    def tell(self) -> int:
        """As ever: not within a loop over the lines.

        Raises:
            OSError: it is within one.
        """
        if self._lines is self or (self._lines is not None and self._lines.__reduce__() != _AT_THE_END):
            raise OSError("telling position disabled by next() call")
        return super().tell()

    @property
    def newlines(self) -> Any:  # type: ignore[override]
        """The line ends met so far, also in what chunks have read."""
        seen = super().newlines
        if self.newline_mode not in {None, ""} or not self.gaps:
            return seen
        met = {seen} if isinstance(seen, str) else set(seen or ())
        for start, end in self.gaps:
            met |= _line_ends(self.name, start, end)
        ordered = tuple(each for each in ("\r", "\n", "\r\n") if each in met)
        return ordered if len(ordered) > 1 else next(iter(ordered), None)

    @functools.cached_property
    def gaps(self) -> list[tuple[int, int]]:
        """Stretches that chunks have read instead, in bytes."""
        return []

    def byte_position(self) -> int | None:
        """Where the next line starts, in bytes; None where the decoder is in the middle of something."""
        try:
            cookie = super().tell()
        except (OSError, ValueError):
            return None
        return cookie if cookie < 1 << 62 else None


def _line_ends(path: Any, start: int, end: int) -> set[str]:
    with _open(path, "rb") as file:
        file.seek(start)
        content = file.read(end - start)
    both = content.count(b"\r\n")
    counts = {"\r\n": both, "\r": content.count(b"\r") - both, "\n": content.count(b"\n") - both}
    return {each for each, count in counts.items() if count}


_AT_THE_END = iter, ((),)
"""How an iterator that has given everything is pickled."""
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
            unbuffered = _open(path, mode.replace("x", "w"), *rest)
            self._open.append((weakref.ref(unbuffered), *entry))
            return unbuffered
        binary = _Binary(raw, buffering if buffering > 1 else io.DEFAULT_BUFFER_SIZE)
        file: Any = binary
        if "b" not in mode:
            file = _Text(binary, encoding, errors, newline, buffering == 1 or (buffering == -1 and raw.isatty()))
            file.mode = mode
        file.entry = entry
        self._open.append((weakref.ref(file), *entry))
        return file

    def note_failure(self, error: BaseException | None) -> None:
        """The script dies of this now: what is open stays unfinished, though its last holders are about to go."""
        self._spoiled += self.paths()
        waiting, seen = [error], set[int]()
        while waiting:
            each = waiting.pop()
            if each is not None and id(each) not in seen:
                seen.add(id(each))
                self._spoiled += vars(each).get(_UNFINISHED, [])
                waiting += [each.__cause__, each.__context__, *getattr(each, "exceptions", ())]

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
    """Notes when a `with` block is left by an exception: if the script dies of it, the file is unfinished."""

    entry: tuple[str, int | None]

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, *rest: object) -> Any:
        if error is not None and not isinstance(error, GeneratorExit):
            vars(error).setdefault(_UNFINISHED, []).append(self.entry)
        return super().__exit__(kind, error, *rest)  # type: ignore[misc]


_UNFINISHED = "__runsurge_unfinished__"


@posing(io.TextIOWrapper)
class _Text(_Spoilable, io.TextIOWrapper, metaclass=Posing):  # type: ignore[metaclass]
    __class__: type = property(lambda _: io.TextIOWrapper)  # type: ignore[assignment]
    mode: str


@posing(io.BufferedWriter)
class _Binary(_Spoilable, io.BufferedWriter, metaclass=Posing):  # type: ignore[metaclass]
    __class__: type = property(lambda _: io.BufferedWriter)  # type: ignore[assignment]


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
