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
        "environ": dict(os.environ),
        "argv": list(sys.argv),
        "path": [str(entry) for entry in sys.path],
        "recursion_limit": sys.getrecursionlimit(),
        "log_levels": levels,
        "has_log_handlers": bool(logging is not None and logging.root.handlers),
        "log_disabled": logging.root.manager.disable if logging is not None else 0,
        "warning_filters": [(entry[0],) for entry in warnings.filters],
    }
