"""`csv.reader` and `csv.writer` as the driver gives them to the script: the real ones, which know their files and arguments."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Any

from runsurge_dask.runner.files import SourceFile
from runsurge_dask.runner.posing import Posing, posing

if TYPE_CHECKING:
    from collections.abc import Iterator

_reader, _writer = csv.reader, csv.writer
_READER, _WRITER = type(_reader(())), type(_writer(io.StringIO()))


@posing(_READER)
class CsvReader(metaclass=Posing):
    """`csv.reader`, remembering its file and arguments; iterating it costs nothing extra."""

    __class__: type = property(lambda _: _READER)  # type: ignore[assignment]

    def __init__(self, lines: Any, *args: Any, **kwargs: Any) -> None:
        self.lines = lines
        self.arguments = (args, kwargs)
        self.reader = _reader(lines.told_lines() if type(lines) is SourceFile else lines, *args, **kwargs)
        self.gaps: list[tuple[str, int, int]] = []
        """Ranges of the file that chunks have read in its place."""

    def __iter__(self) -> Iterator[list[str]]:
        return self.reader

    def __next__(self) -> list[str]:
        return next(self.reader)

    @property
    def dialect(self) -> Any:
        """What `csv` understood of the arguments."""
        return self.reader.dialect

    @property
    def line_num(self) -> int:
        """Lines read so far, those that chunks have read among them."""
        read = self.reader.line_num
        return read + sum(_count_lines(*gap) for gap in self.gaps) if self.gaps else read


def _count_lines(path: str, start: int, end: int) -> int:
    with io.open(path, "rb") as file:  # noqa: UP020 - the driver's `open` is not the built-in one
        file.seek(start)
        content = file.read(end - start)
    return content.count(b"\n") + (not content.endswith(b"\n") and bool(content))


@posing(_WRITER)
class CsvWriter(metaclass=Posing):
    """`csv.writer`, remembering its file and arguments so that a chunk child can make its like."""

    __class__: type = property(lambda _: _WRITER)  # type: ignore[assignment]

    def __init__(self, file: Any, *args: Any, **kwargs: Any) -> None:
        self.file = file
        self.arguments = (args, kwargs)
        writer = _writer(file, *args, **kwargs)
        self.writerow = writer.writerow
        self.writerows = writer.writerows
        self.dialect = writer.dialect

    def __reduce__(self) -> Any:
        return _rebuild_writer, (self.file, *self.arguments)


def _rebuild_writer(file: Any, args: Any, kwargs: Any) -> CsvWriter:
    return CsvWriter(file, *args, **kwargs)


def install() -> None:
    """Make `csv.reader` and `csv.writer` ours; for the driver process only."""
    csv.reader = CsvReader  # type: ignore[assignment]
    csv.writer = CsvWriter  # type: ignore[assignment]
