"""Errors that a user can act on: where, what, and what to do, with a stable code for machines."""

from __future__ import annotations

INTERRUPTED = 130
"""The exit status of what Ctrl-C ended, as shells give it."""


class RunSurgeError(Exception):
    """Something the user can mend."""

    code = "error"
    exit_status = 1

    def __init__(self, where: str, what: str, *, remedy: str, code: str | None = None) -> None:
        self.where, self.what, self.remedy = where, what, remedy
        self.code = code or self.code
        super().__init__(f"{where}: {what}. {remedy} [{self.code}]")


class ScriptError(RunSurgeError):
    """The script cannot be read or parsed."""

    code = "bad-script"


class UsageError(RunSurgeError):
    """A wrong option."""

    code = "usage"
    exit_status = 2


class MemoryLimitError(RunSurgeError):
    """The script needs more memory than it may have."""

    code = "memory-limit"


class DiskError(RunSurgeError):
    """What must lie on a disk for a while finds no room there."""

    code = "disk-full"
