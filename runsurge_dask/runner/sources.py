"""Where the records of a site come from, as the driver sees it at the moment the site is reached.

The iterable that the script made is looked at, not the text of the script: a `csv.reader` over a file whose header was
taken with `next()` is that file from the byte where the reader now stands, however the script got there.

    for i, row in enumerate(reader, 1):     ->  Source(kind="csv", path=..., start=17, wraps=[("enumerate", 1)])
"""

from __future__ import annotations

import codecs
import copy
import csv
import itertools
import os
import sys
import types
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from runsurge_dask.runner.csvs import CsvReader
from runsurge_dask.runner.files import SourceFile
from runsurge_dask.runner.kept import Counted, count, kept_rows, stream, through

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ASCII_BASED = frozenset(
    {"utf-8", "utf-8-sig", "ascii", "iso8859-1", "cp1252", "iso8859-15", "cp1250", "cp1251", "cp437", "cp850", "latin-1"}
)
"""Encodings in which the byte of a line feed can be nothing else."""
_DICT_VIEWS: tuple[type, ...] = (type({}.keys()), type({}.values()), type({}.items()))
SEQUENCES = (list, tuple, range, deque, set, frozenset, dict, str, *_DICT_VIEWS)
"""Collections in memory, which no iteration moves."""
MAX_ITEMS_LISTED = 50_000_000


@dataclass(slots=True)
class Source:
    """Records that can be cut, and how the driver goes on by itself from any cut."""

    kind: str
    """`items` (values in the driver) or `lines`, `csv`, `dict-csv` (bytes of a file)."""
    items: Any = None
    """A sequence that can be sliced, for `items`."""
    path: str = ""
    start: int = 0
    end: int = 0
    encoding: str = ""
    errors: str = ""
    newline: str | None = None
    csv_arguments: Any = None
    fields: list[str] | None = None
    rest: Any = None
    wraps: list[tuple[str, Any]] = field(default_factory=list)
    resume: Callable[[int], Iterator[Any]] | None = None
    """Give the plain iterator from this cut (an index, or a byte) to the end, leaving the script's objects as it would."""
    generator: Any = None
    """`stream`: a generator whose own loop can be cut."""
    frame: int = 0
    release: Callable[[], Any] = lambda: None
    """Give a generator back: nobody will take its loop over."""
    let_go: Callable[[], Any] = lambda: None
    """The rest will be read as written: whatever of ours stands in the way may go."""
    progress: Any = None
    file: SourceFile | None = None
    is_rereading: bool = False
    lines_from: int | None = None
    """Where the driver itself stopped reading."""

    @property
    def is_file(self) -> bool:
        """Whether chunks read their records from a file themselves."""
        return self.kind not in {"items", "stream"}

    def reread(self, count: int) -> Iterator[Any]:
        """The records after the first `count`, read from the very beginning as the plain run would have.

        A decoding error names a position in the block that was being decoded, and blocks are counted from the beginning.
        """
        assert self.resume is not None
        assert self.file is not None
        self.file.seek(0)
        while (position := self.file.byte_position()) is not None and position < self.start:
            self.file.readline()
        self.is_rereading = True
        records = self.resume(self.start)
        for _ in itertools.islice(records, count):
            pass
        return records

    @property
    def first(self) -> int:
        """The cut at which nothing has been given yet."""
        return self.start if self.is_file else 0

    @property
    def size(self) -> int:
        """Records, or bytes where the number of records is not known."""
        return self.end - self.start if self.is_file else count(self.items)


_describers: list[Callable[[types.GeneratorType[Any, Any, Any]], Source | None]] = []


def add_describer(describer: Callable[[types.GeneratorType[Any, Any, Any]], Source | None]) -> None:
    """Let somebody else look at generators first."""
    _describers.insert(0, describer)


def describe(iterable: Any) -> Source | None:  # noqa: C901, PLR0911 - a table of types, one return a row
    """Say what an iterable is made of; None where it must be iterated as it is."""
    kind = type(iterable)
    if kind is SourceFile:
        return _describe_lines(iterable)
    if kind is CsvReader:
        return _describe_csv(iterable)
    if kind is csv.DictReader:
        return _describe_dict_csv(iterable)
    if kind in SEQUENCES:
        return _describe_items(iterable if kind in {list, tuple, range, str} else list(iterable), iterable)
    if kind is Counted:
        return _wrap(describe(iterable.rows), ("enumerate", iterable.start))
    if kind is enumerate:
        inner, count = iterable.__reduce__()[1]
        return _wrap(describe(inner), ("enumerate", count))
    if kind in {zip, map, filter, reversed} or kind.__name__.endswith("_iterator"):
        return _describe_iterator(iterable)
    if isinstance(iterable, types.GeneratorType):
        return next((source for describer in _describers if (source := describer(iterable)) is not None), None)
    if kind.__module__ == "tqdm.std" or kind.__module__.startswith("tqdm."):
        return _describe_progress_bar(iterable)
    if kind.__module__ == "numpy" and kind.__name__ in {"ndarray", "memmap"} and iterable.ndim:
        return _describe_items(iterable, iterable)
    return None


def _describe_items(items: Any, owner: Any) -> Source:
    source = Source("items", items=items)

    def resume(index: int) -> Any:
        if kept_rows(owner) is not None:
            return iter(through(owner, index)) if index else stream(owner, 0)
        records = iter(owner)
        for _ in itertools.islice(records, index):
            pass
        return records

    source.resume = resume
    return source


def _describe_iterator(iterator: Any) -> Source | None:
    """Built-in iterators over values in memory; what they have already given is gone, as it should be."""
    leaves = list(_leaves(iterator))
    if len(set(map(id, leaves))) != len(leaves):
        return None  # `zip(it, it)`: each takes from the other
    if not _is_over_memory(iterator) and type(iterator).__module__ != "_struct":
        return None
    if type(iterator).__module__ == "_struct":
        records = list(iterator)
        return _describe_items(records, records)
    items = list(_twin(iterator))
    source = Source("items", items=items)
    given = 0

    def resume(index: int) -> Any:
        nonlocal given
        for _ in itertools.islice(iterator, index - given):
            given += 1
        return iterator

    source.resume = resume
    return source


def _leaves(iterator: Any) -> Iterator[Any]:
    """The iterators at the bottom of zips and enumerations."""
    if type(iterator) in {zip, enumerate}:
        parts = iterator.__reduce__()[1]
        for part in parts if type(iterator) is zip else parts[:1]:
            yield from _leaves(part)
    else:
        yield iterator


def _twin(iterator: Any) -> Any:
    """An iterator that gives what this one would give, and leaves it where it is."""
    kind = type(iterator)
    if kind is zip:
        return zip(*map(_twin, iterator.__reduce__()[1]), strict=False)
    if kind is enumerate:
        inner, count = iterator.__reduce__()[1]
        return enumerate(_twin(inner), count)
    return copy.copy(iterator)


def _is_over_memory(iterable: Any) -> bool:
    kind = type(iterable)
    if kind in SEQUENCES:
        return True
    if kind in {zip, enumerate, reversed}:
        _, parts, *state = iterable.__reduce__()
        if kind is zip and any(state):
            return False  # a strict zip raises where its parts end unequally
        inner = parts if kind is zip else parts[:1]
        return all(_is_over_memory(part) for part in inner)
    return kind.__module__ == "builtins" and kind.__name__ in {
        "list_iterator", "tuple_iterator", "range_iterator", "str_ascii_iterator", "str_iterator", "list_reverseiterator",
        "dict_keyiterator", "dict_valueiterator", "dict_itemiterator", "set_iterator", "longrange_iterator",
    }


def _describe_library_generator(generator: types.GeneratorType[Any, Any, Any]) -> Source | None:
    """Generators of pathlib and glob only list names: they may be run ahead."""
    module = os.path.basename(generator.gi_code.co_filename)
    if module not in {"pathlib.py", "glob.py", "_local.py", "_abc.py"} or "lib" not in generator.gi_code.co_filename:
        return None
    names = list(itertools.islice(generator, MAX_ITEMS_LISTED))
    return _describe_items(names, names)


_describers.append(_describe_library_generator)


def _describe_progress_bar(bar: Any) -> Source | None:
    if getattr(bar, "n", 1) != getattr(bar, "initial", 0) or not hasattr(bar, "iterable"):
        return None
    source = describe(bar.iterable)
    if source is not None:
        source.progress = bar
    return source


def _describe_lines(file: SourceFile) -> Source | None:
    start = file.byte_position()
    encoding = _codec_name(file.encoding)
    if start is None or encoding not in ASCII_BASED or file.newline_mode not in {None, "", "\n"}:
        return None
    path = os.path.abspath(os.fsdecode(file.name))
    if not os.path.isfile(path):
        return None
    source = Source("lines", path=path, start=start, end=os.fstat(file.fileno()).st_size, encoding=encoding)
    source.errors, source.newline = file.errors or "strict", file.newline_mode

    source.file = file

    def resume(offset: int) -> Iterator[str]:
        if offset > start:
            file.gaps.append((start, offset))
        if not source.is_rereading:
            file.seek(offset)
        return file.told_lines()

    source.resume = resume
    return source


def _describe_csv(reader: CsvReader) -> Source | None:
    if type(reader.lines) is not SourceFile or reader.arguments[1].get("escapechar"):
        return None
    source = describe(reader.lines)
    if source is None:
        return None
    if source.kind != "lines" or source.wraps:
        return _refused(source)
    source.kind, source.csv_arguments = "csv", _csv_arguments(reader)
    if source.csv_arguments is None:
        return None
    restart, begun = source.resume, source.start

    def resume(offset: int) -> Iterator[list[str]]:
        assert restart is not None
        position = source.lines_from if source.lines_from is not None else begun
        if offset > position:
            reader.gaps.append((source.path, position, offset))
        source.lines_from = offset
        restart(offset)
        return reader.reader

    source.resume = resume
    return source


def _describe_dict_csv(reader: Any) -> Source | None:
    if type(reader.reader) is not CsvReader:
        return None
    fields = list(reader.fieldnames or ())
    source = _describe_csv(reader.reader)
    if source is None or not fields:
        return None
    source.kind, source.fields, source.rest = "dict-csv", fields, (reader.restkey, reader.restval)
    ours = reader.reader

    def let_go() -> None:
        if not ours.gaps:
            reader.reader = ours.reader

    source.let_go = let_go
    restart = source.resume

    def resume(offset: int) -> Iterator[dict[str | Any, str | Any]]:
        assert restart is not None
        restart(offset)
        return iter(reader)

    source.resume = resume
    return source


def _csv_arguments(reader: CsvReader) -> dict[str, Any] | None:
    """The dialect in full, so that a chunk's reader is the same whatever was registered under a name."""
    dialect = reader.dialect
    names = ("delimiter", "quotechar", "escapechar", "doublequote", "skipinitialspace", "quoting", "strict")
    arguments = {name: getattr(dialect, name) for name in names}
    return None if arguments["escapechar"] else arguments


def _refused(source: Source | None) -> Source | None:
    if source is not None:
        source.release()
    return None


def _wrap(source: Source | None, wrap: tuple[str, Any]) -> Source | None:
    if source is None or source.wraps or source.kind == "stream":
        return _refused(source)
    source.wraps.append(wrap)
    return source


def _codec_name(encoding: str | None) -> str:
    try:
        return codecs.lookup(encoding or sys.getdefaultencoding()).name
    except LookupError:
        return ""
