"""`runsurge run` once its options are known: run the script, say what came of it, and end with its status."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any

from runsurge_dask.bars import progress_on
from runsurge_dask.errors import RunSurgeError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runsurge_contracts.run import Outcome
    from runsurge_dask.runner.early import EarlyRunner


def run(script: str, arguments: Sequence[str], report: str, *, is_quiet: bool, runner: EarlyRunner | None = None, **options: Any) -> int:
    """Run a script; `options` are those of `pipeline.RunOptions`. Returns its exit status.

    Raises:
        RunSurgeError: it cannot be run, or its report cannot be written.
    """
    check_report_path(report)
    from runsurge_dask.pipeline import RunOptions, run_script

    is_shown = not is_quiet and sys.stderr.isatty()
    with progress_on(sys.stderr if is_shown else None) as progress:
        outcome = run_script(script, arguments, RunOptions(**options), progress, runner)
    hand_over(outcome, report, is_shown=is_shown)
    return outcome.status


def memory_bytes(text: str, option: str = "--memory") -> int:
    """The limit that an option asks for; 0 for none.

    Raises:
        UsageError: it is no size.
    """
    if not text:
        return 0
    from runsurge_contracts.scalars import parse_bytes

    try:
        return parse_bytes(text)
    except ValueError as error:
        raise UsageError(option, str(error), remedy=f"For example {option} 2GiB.") from None


def check_report_path(report: str) -> None:
    """Refuse a report that could not be written, before the run and not after it.

    Raises:
        UsageError: it names a folder, or a file in a folder that is not there.
    """
    if not report or report == "-":
        return
    if os.path.isdir(report):
        raise UsageError(f"--report {report}", "this is a folder", remedy="Name a file in it.")
    folder = os.path.dirname(os.path.abspath(report))
    if not os.path.isdir(folder):
        raise UsageError(f"--report {report}", f"there is no folder {folder}", remedy="Make it first.")


def hand_over(outcome: Outcome, report: str, *, is_shown: bool) -> None:
    """Write the report where it was asked for, and the summary where somebody reads it.

    Raises:
        RunSurgeError: the report cannot be written.
    """
    if report and report != "-":
        try:
            with open(report, "w", encoding="utf-8") as file:
                json.dump(outcome.as_json(), file, indent=2)
                file.write("\n")
        except OSError as error:
            what = f"it cannot be written ({error.strerror})"
            raise RunSurgeError(f"--report {report}", what, remedy="The script itself has run.", code="report-not-written") from None
    if is_shown or report == "-":
        from runsurge_dask.report import render_outcome

        break_line = "\n" if is_shown else ""  # the script may have left the cursor within a line
        print(break_line + render_outcome(outcome), file=sys.stderr)  # noqa: T201 - what the user asked for
