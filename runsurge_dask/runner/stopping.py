"""The end of the conversation about a stage, from the driver's side."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runsurge_dask.runner import wire
from runsurge_dask.runner.commit import drop_files

if TYPE_CHECKING:
    import socket


def abandon(channel: socket.socket) -> None:
    """End the conversation about a stage from our side."""
    wire.send(channel, {"op": "stop", "reason": "interrupted"})
    await_end(channel)


def await_end(channel: socket.socket) -> None:
    """Hear no more of a stage that is over."""
    while True:
        message, _ = wire.receive(channel)
        match message.get("event"):
            case "done":
                return
            case "rows":
                continue
        if message["status"] == "ok":
            drop_files(message["files"]["written"])
