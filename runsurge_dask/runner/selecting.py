"""Join an extreme with what was chosen along with it: `if new > best: best = new; where = row`."""

from __future__ import annotations

import operator
from typing import Any

from runsurge_dask.runner.escape import Escape

_COMPARES = {"gt": operator.gt, "ge": operator.ge, "lt": operator.lt, "le": operator.le}


def select(fact: Any, values: dict[str, Any], part: Any, found: dict[str, Any], early: dict[str, Any], payload: dict[str, Any]) -> None:
    """Keep the better of the value so far and the chunk's, and the names that were set with it.

    Where something of the value is compared (`len(longest)`), `part` is (its key at the start, its key at the end, value).
    """
    current = values[fact.local]
    mine = {name: found[name] for name in fact.payload if name in found}
    early[fact.local] = current
    key_name = f"{fact.local}#key"
    key, current_key = part, current
    if fact.key:
        first, key, part = part
        current_key = values.get(key_name, first)
    if part is None or (not mine and fact.payload):
        return
    if key != key:  # noqa: PLR0124 - that is how NaN shows
        raise Escape("not-a-number among the values compared")
    if current is None or _COMPARES[fact.compare](key, current_key):
        early[fact.local], early[key_name] = part, key
        payload.update(mine)
