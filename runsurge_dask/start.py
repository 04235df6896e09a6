"""Where the command line begins: the usual `runsurge run` goes its way before anything is imported that it can do without.

    runsurge run script.py --workers 2 -- data.csv     read here; its runner is forked, and then the rest is imported
    runsurge run --help, a mistake, other commands     left to `cli`, which knows all options and says what is wrong
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, NoReturn, TypedDict

if TYPE_CHECKING:
    from collections.abc import Sequence

NUMBERS = {"--workers": 1, "--chunks": 0}
"""Options of `run` that take a number, and the least one."""
TEXTS = {"--memory": "memory", "--report": "report", "--json": "report"}
FLAGS = {"--exact": "exact", "--quiet": "quiet", "-q": "quiet"}


class RunRequest(TypedDict):
    """What was asked of `runsurge run`."""

    script: str
    arguments: list[str]
    workers: int
    chunks: int
    memory: str
    exact: bool
    quiet: bool
    report: str


def main() -> None:
    """The console script."""
    _forget_own_folder()
    request = read_run(sys.argv[1:])
    if request is None:
        from runsurge_dask.cli import main as run_command_line

        run_command_line()
        return
    _end(_run(request))


def read_run(words: Sequence[str]) -> RunRequest | None:
    """What a command line of `run` asks for; None where it needs a closer look."""
    if words[:1] != ["run"]:
        return None
    found: dict[str, str] = {}
    given: list[str] = []
    waiting = list(reversed(words[1:]))
    while waiting:
        word = waiting.pop()
        if word == "--":
            given += reversed(waiting)
            break
        if not word.startswith("-"):
            given.append(word)
        elif not _read_option(word, waiting, found):
            return None
    if not given or not all(given):
        return None
    return RunRequest(
        script=given[0], arguments=given[1:], workers=int(found.get("workers", "0")), chunks=int(found.get("chunks", "0")),
        memory=found.get("memory", ""), exact="exact" in found, quiet="quiet" in found, report=found.get("report", "")
    )


def _read_option(word: str, waiting: list[str], found: dict[str, str]) -> bool:
    """Read one option, whose value may be the next word; whether that was easy."""
    name, equals, value = word.partition("=")
    if word in FLAGS:
        found[FLAGS[word]] = word
        return True
    if name not in NUMBERS and name not in TEXTS:
        return False
    if not equals:
        value = waiting.pop() if waiting else ""
    if name in TEXTS:
        found[TEXTS[name]] = value
        return bool(value) and (value == "-" or not value.startswith("-"))
    found[name.removeprefix("--")] = value
    return value.isascii() and value.isdigit() and int(value) >= NUMBERS[name]


def _run(request: RunRequest) -> int:
    from runsurge_dask.runner.early import fork_runner, imports_at_first_sight

    runner = fork_runner() if sys.platform == "linux" else None
    if runner is not None:
        runner.warm(imports_at_first_sight(request["script"]))
    from runsurge_dask.errors import INTERRUPTED, RunSurgeError
    from runsurge_dask.running import memory_bytes, run

    try:
        return run(
            request["script"], request["arguments"], request["report"], is_quiet=request["quiet"], runner=runner,
            workers=request["workers"], chunks=request["chunks"], exact=request["exact"], memory_bytes=memory_bytes(request["memory"])
        )
    except RunSurgeError as error:
        print(f"runsurge: error: {error}", file=sys.stderr)  # noqa: T201 - what `cli` does with it
        return error.exit_status
    except KeyboardInterrupt:
        return INTERRUPTED


def _end(status: int) -> NoReturn:
    """End at once: all that is to be left is left, and taking an interpreter with Dask in it apart takes a tenth of a second."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            status = status or FLUSH_FAILED
    os._exit(status)


FLUSH_FAILED = 120
"""The exit status that Python gives where it cannot write what was printed."""


def _forget_own_folder() -> None:
    """The folder of the console script is where Python looks for modules first: no place for those of ours, nor for the script's."""
    if not sys.flags.safe_path and sys.path and sys.path[0] == os.path.dirname(os.path.realpath(sys.argv[0])):
        del sys.path[0]
