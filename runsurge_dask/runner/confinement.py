"""Make the process of a chunk child one in which user code can only compute.

    input()                     escapes: standard input belongs to the driver
    logging.warning("odd")      is noted, and handled in the driver at its place in the order
"""

from __future__ import annotations

import gc
import importlib
import io
import locale
import logging
import os
import random
import signal
import sys
import time
import warnings
from typing import TYPE_CHECKING, Any

from runsurge_dask.runner import shadows
from runsurge_dask.runner.escape import Escape
from runsurge_dask.runner.sinks import LOGGING, STDERR, STDOUT, WARNINGS, Journal, sink_like

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


RARE_COLLECTIONS = (50_000, 20, 50)
"""A chunk makes many objects at once and keeps them to its end: looking for garbage among them only costs time."""


NICENESS = 3
"""The script, and who watches the memory of all, come first: they have little to do, and must not wait."""


def prepare_process() -> None:
    """Make this process one in which user code can only compute."""
    sys.stdout, sys.stderr = sink_like(io.TextIOWrapper, STDOUT), sink_like(io.TextIOWrapper, STDERR)
    sys.stdin = NoInput()
    signal.signal(signal.SIGTERM, _stop)
    os.nice(NICENESS)
    gc.set_threshold(*RARE_COLLECTIONS)
    random.seed()
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()
    shadows.install()


def _stop(*_: object) -> None:
    if shadows.is_watching():
        raise Escape("it was stopped")


class NoInput:
    """Standard input belongs to the driver."""

    def __getattr__(self, name: str) -> Any:
        raise Escape("a chunk asked for standard input")


def enter_surroundings(surroundings: Mapping[str, Any]) -> None:
    """Take over what the script has set for its whole process."""
    os.chdir(surroundings["cwd"])
    os.getpid = lambda: surroundings["pid"]
    os.environ.clear()
    os.environ.update(surroundings["environ"])
    time.tzset()
    os.umask(surroundings["umask"])
    sys.set_int_max_str_digits(surroundings["digits"])
    if surroundings["locale"]:
        locale.setlocale(locale.LC_ALL, surroundings["locale"])
    if surroundings["numpy"]:
        numpy = importlib.import_module("numpy")
        numpy.seterr(**surroundings["numpy"]["errors"])
        numpy.set_printoptions(**surroundings["numpy"]["printing"])
    sys.argv = list(surroundings["argv"])
    sys.path[:] = surroundings["path"]
    sys.setrecursionlimit(surroundings["recursion_limit"])
    if surroundings["decimal"] is not None:
        decimal = importlib.import_module("decimal")
        settings = dict(surroundings["decimal"])
        for name in ("flags", "traps"):
            settings[name] = [getattr(decimal, signal_name) for signal_name in settings[name]]
        decimal.setcontext(decimal.Context(**settings))
    logging.root.setLevel(surroundings["log_levels"].get("", logging.WARNING))
    logging.root.handlers[:] = [_Forward()] if surroundings["has_log_handlers"] else []
    logging.Logger.callHandlers = _forward_record  # type: ignore[method-assign, assignment]
    logging.basicConfig = _note_configuration
    logging.disable(surroundings["log_disabled"])
    for name, level in surroundings["log_levels"].items():
        if name:
            logging.getLogger(name).setLevel(level)


class _Forward(logging.Handler):
    """A handler that shows that there is one."""


def _forward_record(logger: logging.Logger, record: logging.LogRecord) -> None:
    """Send a record to the driver, whose handlers are the real ones."""
    del logger
    record.msg, record.args = record.getMessage(), None
    if record.exc_info:
        record.exc_text = logging.Formatter().formatException(record.exc_info)
        record.exc_info = None
    Journal.current.note(LOGGING, record)


def _note_configuration(**settings: Any) -> None:
    """`logging.warning()` configures logging when nobody has: in the driver, at this place in the order."""
    if settings:
        raise Escape("it configures logging")
    Journal.current.note(LOGGING, None)
    logging.root.handlers[:] = [_Forward()]


def random_state() -> Any:
    """Where the global random generators stand."""
    numpy = sys.modules.get("numpy")
    if numpy is None:
        return random.getstate()
    name, keys, *rest = numpy.random.get_state()
    return random.getstate(), name, keys.tobytes(), rest


def decimal_state() -> str:
    """The context of decimal arithmetic, with the flags that were raised."""
    decimal = sys.modules.get("decimal")
    return repr(decimal.getcontext()) if decimal is not None else ""


def capture_warnings(filters: Sequence[tuple[Any, ...]]) -> None:
    """Warnings go to the driver, whose filters are the real ones."""
    warnings.simplefilter("always")
    if any(entry[0] == "error" for entry in filters):
        raise Escape("the script turns warnings into errors")

    def show(message: Any, category: Any, filename: str, lineno: int, file: Any = None, line: Any = None) -> None:
        del file, line
        Journal.current.note(WARNINGS, (str(message), category, filename, lineno))

    warnings.showwarning = show
