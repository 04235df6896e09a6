"""What the script may hold in its own process: a part of what all processes of its run may hold together."""

from __future__ import annotations

from runsurge_dask.runner.resident import resident_bytes

SCRIPT_SHARE = 0.4
"""The rest is for the client, the runner, and the chunks of the stages to come."""
_limit: list[int] = [0]


def set_limit(limit_bytes: int) -> None:
    """Say what the run may hold; 0 lets nothing be large enough, so that everything is tried."""
    _limit[0] = limit_bytes


def spare_bytes() -> int:
    """What the script may still come to hold."""
    return max(0, int(SCRIPT_SHARE * _limit[0]) - resident_bytes())
