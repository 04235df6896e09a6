"""Where a script writes, and how a chunk's writing reaches it in order.

In a chunk child every file that the script is writing (and standard output and error) is a `CaptureSink`: text goes into a
journal, with the number of its sink. The driver replays the journals in the order of the data into the real files, so
encodings, newline translation and append mode are those of the plain run.
"""

from __future__ import annotations

import io
import logging
import sys
import warnings
from typing import TYPE_CHECKING, Any, TypeGuard

from runsurge_dask.runner.escape import CannotShip, Escape
from runsurge_dask.runner.posing import Posing, posing

if TYPE_CHECKING:
    from collections.abc import Iterable

LOGGING, WARNINGS, STDOUT, STDERR, FIRST_FILE = -2, -1, 0, 1, 2
"""Numbers of sinks; a log record or a warning is an entry like a text, so all three keep their order."""


class Journal:
    """What one chunk wrote, in order, as runs of one sink each; one journal a process."""

    current: Journal

    def __init__(self) -> None:
        self.entries: list[tuple[int, list[Any]]] = []

    def note(self, sink: int, text: object) -> None:
        """Remember what was written to a sink."""
        if self.entries and self.entries[-1][0] == sink:
            self.entries[-1][1].append(text)
        else:
            self.entries.append((sink, [text]))

    def take(self) -> list[tuple[int, list[Any]]]:
        """Everything noted so far, in order; the journal is empty then."""
        entries, self.entries = self.entries, []
        return [(sink, _join(texts)) for sink, texts in entries]


Journal.current = Journal()


def _join(texts: list[Any]) -> list[Any]:
    return ["".join(texts)] if all(type(text) is str for text in texts) else texts


class CaptureSink(metaclass=Posing):
    """A file in a chunk child: it takes what is written, and refuses every question about the file."""

    def __init__(self, index: int) -> None:
        self.index = index

    def __eq__(self, other: object) -> bool:
        return is_sink(other) and other.index == self.index

    def __hash__(self) -> int:
        return hash(self.index)

    def __repr__(self) -> str:
        raise Escape("a chunk asks what a file is that is being written")

    def write(self, text: Any) -> int:
        """Note it for the driver."""
        Journal.current.note(self.index, text)
        return len(text)

    def writelines(self, lines: Iterable[Any]) -> None:
        """Note them for the driver."""
        for line in lines:
            Journal.current.note(self.index, line)

    def flush(self) -> None:
        """Nothing to do: the driver flushes the real file."""

    def writable(self) -> bool:
        """It is there to be written to."""
        return True

    def isatty(self) -> bool:
        """Nobody looks at it."""
        return False

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)
        raise Escape(f"a chunk asked `{name}` of a file that is being written")

    def __reduce__(self) -> Any:
        return sink_like, (type(self).poses_as, self.index)


def sink_like(kind: type, index: int) -> CaptureSink:
    """A sink that poses as a file of this class."""
    found = _sink_classes.get(kind)
    if found is None:
        found = posing(kind)(Posing("CaptureSink", (CaptureSink,), {"__class__": property(lambda _: kind)}))
        _sink_classes[kind] = found
    sink: CaptureSink = found(index)
    return sink


_sink_classes: dict[type, Any] = {}


def is_sink(value: object) -> TypeGuard[CaptureSink]:
    """Whether this is one, whatever it poses as."""
    return issubclass(type(value), CaptureSink)


class SinkSet:
    """The real files behind the numbers, on the driver's side of one stage."""

    def __init__(self) -> None:
        self.files: list[Any] = [sys.stdout, sys.stderr]

    def index_of(self, file: Any) -> int:
        """The number of a file that may be written from chunks.

        Raises:
            CannotShip: it is being read, or is not a plain stream.
        """
        for index, known in enumerate(self.files):
            if known is file:
                return index
        if not is_write_only(file):
            raise CannotShip("an open file that is not only written cannot leave its process")
        self.files.append(file)
        return len(self.files) - 1

    def replay(self, entries: Iterable[tuple[int, list[Any]]]) -> None:
        """Write one chunk's journal into the real files."""
        for index, items in entries:
            if index == LOGGING:
                _replay_logging(items)
            elif index == WARNINGS:
                _replay_warnings(items)
            else:
                file = self.files[index] if index >= FIRST_FILE else (sys.stdout, sys.stderr)[index]
                for text in items:
                    file.write(text)


def _replay_logging(records: list[logging.LogRecord | None]) -> None:
    for record in records:
        if record is None:
            logging.basicConfig()
            continue
        logger = logging.getLogger(record.name)
        if logger.isEnabledFor(record.levelno):
            logger.handle(record)


def _replay_warnings(items: list[tuple[str, type[Warning], str, int]]) -> None:
    for message, category, filename, line in items:
        module = next((m for m in list(sys.modules.values()) if getattr(m, "__file__", None) == filename), None)
        registry = (vars(module) if module is not None else _registries.setdefault(filename, {})).setdefault("__warningregistry__", {})
        name = module.__name__ if module is not None else filename.removesuffix(".py")  # without a name nothing would be shown
        warnings.warn_explicit(message, category, filename, line, module=name, registry=registry)


_registries: dict[str, dict[str, Any]] = {}
"""What files that are no modules have warned of."""


def is_write_only(file: Any) -> bool:
    """Whether this is an open stream that is only written."""
    return isinstance(file, io.IOBase) and not file.closed and file.writable() and not file.readable()
