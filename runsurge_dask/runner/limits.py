"""What the script may hold in its own process: a part of what all processes of its run may hold together."""

from __future__ import annotations

from runsurge_dask.runner.resident import resident_bytes

SCRIPT_SHARE = 0.4
"""The rest is for the client, the runner, and the chunks of the stages to come."""
LEAST_SHARE_BYTES = 12 << 20
"""With less for each of them, chunks run one at a time."""
_limit: list[int] = [0]


def script_bytes(limit_bytes: int, others_bytes: int) -> int:
    """What the script's process may hold of what all may: its share, and no more than the others leave."""
    return max(0, min(int(SCRIPT_SHARE * limit_bytes), limit_bytes - others_bytes))


def set_limit(limit_bytes: int) -> None:
    """Say what this process may hold; with 0 everything is too large for it, so that everything is tried."""
    _limit[0] = limit_bytes


def spare_bytes() -> int:
    """What the script may still come to hold."""
    return max(0, _limit[0] - resident_bytes())
