"""What the script has set for its whole process; a chunk child takes it over (`confinement`)."""

from __future__ import annotations

import os
import sys
import warnings
from typing import Any


def surroundings() -> dict[str, Any]:
    """What the script has set for its whole process, as plain values."""
    logging = sys.modules.get("logging")
    levels: dict[str, int] = {}
    if logging is not None:
        levels = {name: logger.level for name, logger in logging.root.manager.loggerDict.items() if hasattr(logger, "level")}
        levels[""] = logging.root.level
    return {
        "cwd": os.getcwd(),
        "pid": os.getpid(),
        "environ": dict(os.environ),
        "argv": list(sys.argv),
        "path": [str(entry) for entry in sys.path],
        "recursion_limit": sys.getrecursionlimit(),
        "log_levels": levels,
        "has_log_handlers": bool(logging is not None and logging.root.handlers),
        "log_disabled": logging.root.manager.disable if logging is not None else 0,
        "decimal": _decimal_context(),
        "umask": _umask(),
        "digits": sys.get_int_max_str_digits(),
        "locale": _locale(),
        "numpy": _numpy_settings(),
        "warning_filters": [(entry[0],) for entry in warnings.filters],
    }


def _umask() -> int:
    mask = os.umask(0o77)  # there is no way to ask without setting it
    os.umask(mask)
    return mask


def _locale() -> str:
    locale = sys.modules.get("locale")
    return str(locale.setlocale(locale.LC_ALL)) if locale is not None else ""


def _numpy_settings() -> dict[str, Any] | None:
    """How NumPy treats floating point errors, and prints."""
    numpy = sys.modules.get("numpy")
    if numpy is None:
        return None
    printing = {name: value for name, value in numpy.get_printoptions().items() if type(value) in {int, float, str, bool}}
    return {"errors": numpy.geterr(), "printing": printing}


def _decimal_context() -> dict[str, Any] | None:
    decimal = sys.modules.get("decimal")
    if decimal is None:
        return None
    context = decimal.getcontext()
    values = {name: getattr(context, name) for name in ("prec", "rounding", "Emin", "Emax", "capitals", "clamp")}
    return {**values, **{name: [s.__name__ for s, is_on in getattr(context, name).items() if is_on] for name in ("flags", "traps")}}
