"""What the script meets instead of the world while it is sampled.

    open("ratings.csv")             a sample of it, under the same name
    open("result.csv", "w")         takes everything and keeps nothing
    os.makedirs("out")              nothing happens
    pd.read_parquet("trips.parquet")  a sample, by its path
"""

from __future__ import annotations

import builtins
import contextlib
import functools
import io
import os
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runsurge_dask.runner.profile.pieces import cut_sample

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from runsurge_dask.runner.profile.confine import Confinement

_open, _getsize = io.open, os.path.getsize
LEFT_WHOLE_BYTES = 16 << 20
"""A file that cannot be cut is read whole up to this size: about a second of parsing in plain Python."""
_OWN_PLACES = ("/proc/", "/sys/", "/dev/", "/etc/", "/usr/lib/", "/usr/share/")
_OWN_ENDINGS = (".py", ".pyc", ".pyi", ".so", ".toml", ".cfg", ".ini", ".ttf", ".mplstyle")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How much of each file a sample takes."""

    share: float
    least_bytes: int
    """A file below this stays whole."""
    most_bytes: int

    def of(self, size: int) -> int:
        """Bytes to take of a file of this size."""
        return int(min(max(size * self.share, self.least_bytes), self.most_bytes))


@dataclass(slots=True, kw_only=True)
class Input:
    """One file that the script has read."""

    path: str
    full_bytes: int
    share: float
    place: str
    """Where the sample is, or the file itself."""
    is_cut: bool


class Inputs:
    """Samples of the files that the script reads, made when it first asks for them."""

    def __init__(
        self,
        sizes: Sizes,
        confinement: Confinement,
        paused: Callable[[], AbstractContextManager[None]],
        tell: Callable[[Input], None],
    ) -> None:
        self.sizes = sizes
        self.confinement = confinement
        self.paused = paused
        self.tell = tell
        self.known: dict[str, Input] = {}
        self.written: set[str] = set()
        self.whole: set[str] = set()

    def place_of(self, path: Any) -> str:
        """The path to read instead of a path."""
        try:
            name = os.path.abspath(os.fsdecode(path))
            size = _getsize(name) if os.path.isfile(name) else -1
        except (TypeError, ValueError, OSError):
            return os.fsdecode(path)
        if name in self.written:
            self.confinement.refuse(f"it reads `{path}`, which it wrote before")
        if size < 0 or name.startswith((*_OWN_PLACES, sys.prefix, sys.base_prefix + "/lib")) or name.endswith(_OWN_ENDINGS):
            return name
        if name not in self.known:
            with self.paused():
                self.known[name] = self._sample(name, size)
            self.tell(self.known[name])
        return self.known[name].place

    def note(self, found: Input) -> None:
        """Take note of a folder of which some files stand for all."""
        if found.path not in self.known:
            self.known[found.path] = found
            self.tell(found)

    def _sample(self, name: str, size: int) -> Input:
        whole = Input(path=name, full_bytes=size, share=1.0, place=name, is_cut=False)
        if size <= self.sizes.of(size) or name in self.whole:
            return whole
        if sys.platform != "linux":
            self.confinement.refuse("samples are kept in memory files, which only Linux has")
        descriptor = os.memfd_create("sample")
        with io.FileIO(descriptor, "r+", closefd=False) as target:
            share = cut_sample(name, self.sizes.of(size), target)
        if share:
            return Input(path=name, full_bytes=size, share=share, place=f"/proc/self/fd/{descriptor}", is_cut=True)
        os.close(descriptor)
        if size > LEFT_WHOLE_BYTES:
            self.confinement.refuse(f"no part can be taken of `{name}`")
        return whole

    def open(
        self,
        file: Any,
        mode: str = "r",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
        closefd: bool = True,  # noqa: FBT001, FBT002 - the signature of the built-in
        opener: Any = None,
    ) -> Any:
        """Open like the built-in `open`: samples for reading, nothing for writing."""
        if not isinstance(file, str | bytes | os.PathLike) or opener is not None:
            return _open(file, mode, buffering, encoding, errors, newline, closefd, opener)
        if set(mode) & set("wax+"):
            return self._sink(file, mode, (buffering, encoding, errors, newline))
        place = self.place_of(file)
        return _open(file, mode, buffering, encoding, errors, newline, closefd, lambda _, flags: os.open(place, flags))

    def _sink(self, file: Any, mode: str, rest: tuple[Any, ...]) -> Any:
        if "r" in mode:
            self.confinement.refuse(f"it changes `{os.fsdecode(file)}` in place")
        folder = os.path.dirname(os.path.abspath(os.fsdecode(file)))
        if "x" in mode and os.path.exists(file):
            raise FileExistsError(17, "File exists", file)
        if not os.path.isdir(folder) and folder not in self.written:
            raise FileNotFoundError(2, "No such file or directory", file)
        self.written.add(os.path.abspath(os.fsdecode(file)))
        plain: Any = mode.replace("x", "w").replace("a", "w").replace("+", "")
        with self.confinement.allowing(file):
            opened: Any = _open
            return opened(file, plain, *rest, True, self._nothing)  # noqa: FBT003 - `closefd`

    @staticmethod
    def _nothing(*_: Any) -> int:
        return os.open(os.devnull, os.O_WRONLY)

    def make_folder(self, path: Any, *_: Any, **__: Any) -> None:
        """Make a folder, as far as the script can tell."""
        self.written.add(os.path.abspath(os.fsdecode(path)))


def install(inputs: Inputs) -> None:
    """Put the stand-ins in place, in this process, for good."""
    builtins.open = inputs.open
    io.open = inputs.open
    system: Any = os
    system.mkdir = system.makedirs = inputs.make_folder
    system.path.getsize = lambda filename: _getsize(inputs.place_of(filename))
    sys.stdin = _NoInput(inputs.confinement)
    texts: Any = sys.modules.get("numpy.lib._datasource")
    with contextlib.suppress(AttributeError):  # where NumPy keeps them is its own affair
        texts._file_openers._file_openers[None] = inputs.open  # noqa: SLF001 - `loadtxt` opens by a function that it keeps there
    if "pyarrow" in sys.modules:
        _install_arrow(inputs)
    if "pandas" in sys.modules:
        _install_pandas(inputs)


class _NoInput:
    """Standard input has no sample."""

    def __init__(self, confinement: Confinement) -> None:
        self._confinement = confinement

    def __getattr__(self, name: str) -> Any:
        self._confinement.refuse("it reads standard input")

    def __iter__(self) -> Any:
        self._confinement.refuse("it reads standard input")


def _install_arrow(inputs: Inputs) -> None:
    import pyarrow.csv
    import pyarrow.json
    from pyarrow import parquet

    for module, names in ((parquet, ("read_table", "ParquetFile")), (pyarrow.csv, ("read_csv",)), (pyarrow.json, ("read_json",))):
        for name in names:
            setattr(module, name, _by_path(getattr(module, name), inputs))
    for name in ("write_table", "ParquetWriter"):
        setattr(parquet, name, _nowhere(getattr(parquet, name), inputs, 1 if name == "write_table" else 0))


def _install_pandas(inputs: Inputs) -> None:
    import pandas as pd

    for name in ("read_csv", "read_table", "read_parquet", "read_json"):
        setattr(pd, name, _by_path(getattr(pd, name), inputs))
    parsers: Any = sys.modules.get("pandas.io.parsers.readers")
    if hasattr(parsers, _PARALLEL_BYTES):
        pd.read_csv = _like_a_large_file(pd.read_csv, inputs, parsers)
    pd.DataFrame.to_parquet = _nowhere(pd.DataFrame.to_parquet, inputs, 1)  # type: ignore[method-assign]


def _by_path(reader: Any, inputs: Inputs) -> Any:
    """A reader that opens by itself, given the path of the sample."""

    @functools.wraps(reader, updated=())
    def read(source: Any, *rest: Any, **options: Any) -> Any:
        if isinstance(source, str | os.PathLike) and os.path.isfile(source):
            source = inputs.place_of(source)
        return reader(source, *rest, **options)

    return read


_PARALLEL_BYTES = "_PARALLEL_READ_MIN_BYTES"
"""pandas reads files above this size on several threads, which takes other memory."""


def _like_a_large_file(reader: Any, inputs: Inputs, parsers: Any) -> Any:
    """`read_csv` that treats the sample of a large file as it would treat the file."""
    limit = getattr(parsers, _PARALLEL_BYTES)

    @functools.wraps(reader, updated=())
    def read(source: Any, *rest: Any, **options: Any) -> Any:
        share = 1.0
        if isinstance(source, str | os.PathLike) and os.path.isfile(source):
            inputs.place_of(source)
            known = inputs.known.get(os.path.abspath(os.fspath(source)))
            share = known.share if known is not None else 1.0
        setattr(parsers, _PARALLEL_BYTES, max(1, int(limit * share)))
        return reader(source, *rest, **options)

    return read


def _nowhere(writer: Any, inputs: Inputs, position: int) -> Any:
    """A writer that opens by itself, given memory that is thrown away."""

    @functools.wraps(writer, updated=())
    def write(*arguments: Any, **options: Any) -> Any:
        given = list(arguments)
        if len(given) > position and isinstance(given[position], str | os.PathLike):
            given[position] = inputs.open(given[position], "wb")
        for name in ("path", "where"):
            if isinstance(options.get(name), str | os.PathLike):
                options[name] = inputs.open(options[name], "wb")
        return writer(*given, **options)

    return write
