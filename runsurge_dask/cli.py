"""The command line: read options, call one verb, print.

    runsurge run script.py --workers 2 -- data.csv     runs the script; its output and exit status are those of `python script.py data.csv`
    runsurge plan script.py                            says what would be cut and why, without running anything

Nothing is printed of our own but on a terminal's standard error, where the script's text and ours cannot be confused by a program.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer

from runsurge_dask import __version__
from runsurge_dask.errors import RunSurgeError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import TextIO

    from runsurge_contracts.run import Outcome
    from runsurge_dask.execution.session import Progress

INTERRUPTED = 130
"""The exit status of what Ctrl-C ended, as shells give it."""
QUIET_SECONDS = 0.3
"""A stage shorter than this is over before anybody could read its bar."""
REDRAW_SECONDS = 0.2
"""Between two drawings: often enough to look alive, rare enough to cost nothing."""
SMALLEST_SCREEN = (40, 4)
"""Columns and rows below which a bar would be in the way."""
LABEL_WIDTH = 40

ABOUT = """Run an ordinary sequential Python script in parallel on Dask, with the same answer.

\b
Examples:
  runsurge run script.py
  runsurge run script.py --workers 2 -- data.csv --verbose
  runsurge plan script.py
"""
ABOUT_RUN = """Run SCRIPT in parallel, leaving exactly what `python SCRIPT ARGS` would leave.

What stands after the script, and everything after `--`, becomes the script's sys.argv.
On a terminal a summary follows on standard error; elsewhere only the script's own text is written.

\b
Examples:
  runsurge run wordcount.py
  runsurge run wordcount.py --workers 4 book.txt
  runsurge run wordcount.py -- book.txt --top 20
  runsurge run wordcount.py --memory 512MiB
  runsurge run wordcount.py --exact --quiet --report outcome.json

\b
Exit status:
  the script's own; and
  1    the script raised, or RunSurge cannot run it (runsurge: error: ...)
  2    wrong usage of these options
  130  Ctrl-C
"""
ABOUT_PLAN = """Say which statements of SCRIPT would be cut and why, without running it.

With --memory or --nodes it also says what each statement needs, and plans for
that: parts of the script that write nothing are then run on small samples of
its inputs, with no effect outside; --static runs nothing at all.

\b
Examples:
  runsurge plan wordcount.py
  runsurge plan wordcount.py --json > plan.json
  runsurge plan wordcount.py --memory 512MiB -- words.txt
  runsurge plan wordcount.py --nodes nodes.yaml --artifacts plan/

\b
Exit status:
  0  the plan was printed
  1  the script cannot be read or parsed, or does not fit
  2  wrong usage
"""

app = typer.Typer(
    help=ABOUT,
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def main() -> None:
    """The console script."""
    try:
        app(prog_name="runsurge")
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


def _print_version(wanted: bool) -> None:  # noqa: FBT001 - the signature of an option's callback
    if wanted:
        typer.echo(f"runsurge {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    *,
    version: Annotated[bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")] = False,
) -> None:
    del version


@app.command("run", help=ABOUT_RUN)
def run_command(
    script: Annotated[str, typer.Argument(metavar="SCRIPT", help="The script to run.")],
    arguments: Annotated[list[str] | None, typer.Argument(metavar="-- ARGS", help="What the script finds in sys.argv.")] = None,
    *,
    workers: Annotated[int | None, typer.Option(min=1, metavar="N", help="Chunks that run at once.", show_default="one a core")] = None,
    chunks: Annotated[int, typer.Option(min=0, metavar="N", help="Cut every site into so many, whatever the gain; 0: as many as pay.")] = 0,
    memory: Annotated[
        str, typer.Option(metavar="SIZE", help="What all processes of the run may hold together.", show_default="80 % of what is free")
    ] = "",
    exact: Annotated[bool, typer.Option("--exact", help="Forbid sums of floats in another order (they may differ by 1e-9).")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no summary on a terminal.")] = False,
    report: Annotated[
        str, typer.Option("--report", "--json", metavar="FILE", help="Write the outcome as JSON; `-`: the summary to standard error.")
    ] = "",
) -> None:
    """Run a script."""
    with errors_as_exit():
        check_report_path(report)
        from runsurge_dask.pipeline import RunOptions, run_script

        is_shown = not quiet and sys.stderr.isatty()
        with progress_on(sys.stderr if is_shown else None) as progress:
            options = RunOptions(workers=workers or 0, chunks=chunks, exact=exact, memory_bytes=memory_bytes(memory))
            outcome = run_script(script, arguments or (), options, progress)
        hand_over(outcome, report, is_shown=is_shown)
        raise typer.Exit(outcome.status)


@app.command("plan", help=ABOUT_PLAN)
def plan_command(  # noqa: PLR0913 - one a command-line option
    script: Annotated[str, typer.Argument(metavar="SCRIPT", help="The script to plan.")],
    arguments: Annotated[list[str] | None, typer.Argument(metavar="-- ARGS", help="What the script finds in sys.argv.")] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    memory: Annotated[str, typer.Option(metavar="SIZE", help="Estimate, and plan for one machine with so much for all processes.")] = "",
    nodes: Annotated[str, typer.Option(metavar="FILE", help="Estimate, and plan for the machines of a YAML file.")] = "",
    workers: Annotated[int | None, typer.Option(min=1, metavar="N", help="Chunks that run at once.", show_default="one a core")] = None,
    chunks: Annotated[int, typer.Option(min=0, metavar="N", help="At least so many chunks wherever something is cut.")] = 0,
    level: Annotated[int | None, typer.Option(min=1, max=3, help="1 whole, 2 merged blocks, 3 chunks.", show_default="as fits")] = None,
    task_memory: Annotated[str, typer.Option(metavar="SIZE", help="The most that one chunk may hold.")] = "",
    static: Annotated[bool, typer.Option("--static", help="Run no samples: estimate by rules alone.")] = False,
    artifacts: Annotated[str, typer.Option(metavar="DIR", help="Write the plan's files and the script of each task there.")] = "",
) -> None:
    """Plan a script."""
    if memory or nodes or artifacts:
        request = {"workers": workers or 0, "chunks": chunks, "level": level, "is_static": static}
        plan_with_memory(script, arguments or [], memory, nodes, task_memory, artifacts, request, as_json=as_json)
        return
    with errors_as_exit():
        from runsurge_dask.analysis.build import build_program, read_source
        from runsurge_dask.report import plan_as_json, render_plan

        program = build_program(read_source(script), script)
        text = json.dumps(plan_as_json(program), indent=2) if as_json else render_plan(program)
        sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # a statement may hold any letter, a C locale does not
        typer.echo(text)


def plan_with_memory(
    script: str, arguments: list[str], memory: str, nodes: str, task_memory: str, artifacts: str, request: Mapping[str, Any],
    *, as_json: bool
) -> None:
    """Estimate what a script needs, plan it for what there is, and say so."""
    with errors_as_exit():
        from runsurge_contracts.plan import Node
        from runsurge_dask.pipeline import PlanRequest, plan_script
        from runsurge_dask.planning.nodes import read_nodes
        from runsurge_dask.report import memory_plan_as_json, render_memory_plan

        if memory and nodes:
            raise UsageError("--memory", "the memory of nodes stands in their file", remedy="Give --memory or --nodes, not both.")
        fleet = read_nodes(nodes) if nodes else (Node(name="this machine", memory_bytes=memory_bytes(memory) or most_memory()),)
        task_bytes = memory_bytes(task_memory) or None
        told = (lambda text: print(text, file=sys.stderr)) if sys.stderr.isatty() and not request["is_static"] else None  # noqa: T201 - what is going on
        found = plan_script(script, arguments, PlanRequest(nodes=fleet, task_bytes=task_bytes, **request), told)
        if artifacts:
            from runsurge_dask.planning.artefacts import write_artefacts

            os.makedirs(artifacts, exist_ok=True)
            written = write_artefacts(artifacts, found.program, found.estimates, found.plan)
            typer.echo(f"{len(written)} files written to {artifacts}", err=True)
        sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # a statement may hold any letter, a C locale does not
        typer.echo(json.dumps(memory_plan_as_json(found), indent=2) if as_json else render_memory_plan(found))
        raise typer.Exit(1 if any(nodes or refusal.code == "limit-below-baseline" for refusal in found.plan.refusals) else 0)


def most_memory() -> int:
    """What a run would have without a limit."""
    from runsurge_dask.pipeline import FREE_SHARE
    from runsurge_dask.runner.resident import available_bytes

    return int(available_bytes() * FREE_SHARE)


@contextlib.contextmanager
def errors_as_exit() -> Iterator[None]:
    """Say what the user can mend in one line, and end with the status of the error."""
    try:
        yield
    except RunSurgeError as error:
        typer.echo(f"runsurge: error: {error}", err=True)
        raise typer.Exit(error.exit_status) from None
    except KeyboardInterrupt:
        raise typer.Exit(INTERRUPTED) from None


def memory_bytes(text: str) -> int:
    """The limit that was asked for; 0 for none.

    Raises:
        UsageError: it is no size.
    """
    if not text:
        return 0
    from runsurge_contracts.scalars import parse_bytes

    try:
        return parse_bytes(text)
    except ValueError as error:
        raise UsageError("--memory", str(error), remedy="For example --memory 2GiB.") from None


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


@contextlib.contextmanager
def progress_on(stream: TextIO | None) -> Iterator[Progress]:
    """Bars on a terminal; silence without one, or on one that cannot place its cursor."""
    if stream is None or os.environ.get("TERM", "dumb") == "dumb":
        from runsurge_dask.execution.session import Silent

        yield Silent()
        return
    bar = StageBar(stream)
    try:
        yield bar
    finally:
        bar.end(0)


@dataclass(slots=True)
class Tally:
    """How far the stage under the bar has come."""

    label: str
    begun: float
    done: int = 0
    """Chunks."""
    share: float = 0.0


class StageBar:
    """One bar on the last line of a terminal while a stage runs, erased when it ends.

    The script writes to the same terminal from its own process, whenever it wants. So the bar never moves what it wrote: the
    lines above the last one become the region that scrolls, each drawing is a single write, and it gives the cursor back
    where it was, be it within a line. `size` gives columns and rows.
    """

    def __init__(self, stream: TextIO, *, size: Callable[[], tuple[int, int]] | None = None, quiet_seconds: float = QUIET_SECONDS) -> None:
        self.stream = stream
        self.size = size or (lambda: os.get_terminal_size(stream.fileno()))
        self.quiet_seconds = quiet_seconds
        self.tally = Tally("", 0.0)
        self._over = threading.Event()
        self._artist: threading.Thread | None = None

    def begin(self, stage: int, label: str) -> None:
        """A stage starts: its bar appears in a moment, drawn beside the work."""
        self.end(stage)
        self.tally = Tally(label, time.monotonic())
        self._over = threading.Event()
        self._artist = threading.Thread(target=self._draw_until_over, name="progress", daemon=True)
        self._artist.start()

    def advance(self, stage: int, share: float) -> None:
        """One more chunk was accepted; so much of the stage is done."""
        del stage
        self.tally.done += 1
        self.tally.share = share

    def end(self, stage: int) -> None:
        """The stage is over and its bar gone when this returns."""
        del stage
        if self._artist is not None:
            self._over.set()
            self._artist.join()
            self._artist = None

    def _draw_until_over(self) -> None:
        if self._over.wait(self.quiet_seconds):
            return
        with contextlib.suppress(OSError, ValueError):  # a terminal that is closed has nobody to look at it
            size = self.size()
            if size[0] >= SMALLEST_SCREEN[0] and size[1] >= SMALLEST_SCREEN[1]:
                self._draw_on(*size)

    def _draw_on(self, columns: int, rows: int) -> None:
        self._write(reserve_last_line(rows))
        try:
            while self.size() == (columns, rows):
                self._write(on_last_line(rows, render_bar(self.tally, columns - 1, self.stream)))
                if self._over.wait(REDRAW_SECONDS):
                    return
            self._over.wait()  # the window has another size now: where our line went, only the terminal knows
        finally:
            self._write(release_last_line(rows))

    def _write(self, text: str) -> None:
        self.stream.write(text)
        self.stream.flush()


def reserve_last_line(rows: int) -> str:
    """Terminal codes that keep the last line from scrolling; the cursor stays on its text, which moves up if it was there."""
    return f"\x1bD\x1bM\x1b7\x1b[1;{rows - 1}r\x1b8"


def on_last_line(rows: int, text: str) -> str:
    """Terminal codes that put a text on the last line and the cursor back."""
    return f"\x1b7\x1b[{rows};1H\x1b[0m\x1b[2K{text}\x1b8"


def release_last_line(rows: int) -> str:
    """Terminal codes that empty the last line and let it scroll again."""
    return f"\x1b7\x1b[{rows};1H\x1b[0m\x1b[2K\x1b[r\x1b8"


def render_bar(tally: Tally, columns: int, stream: TextIO) -> str:
    """A bar with its label, chunks and seconds, in one line of at most so many columns."""
    from rich.console import Console
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    console = Console(file=stream, force_terminal=True, width=columns, height=1, highlight=False)
    grid = Table.grid(padding=(0, 1))
    label = Text(tally.label, no_wrap=True, overflow="ellipsis", end="")
    label.truncate(LABEL_WIDTH)
    numbers = Text(f"{tally.done} chunks  {tally.share:.0%}  {time.monotonic() - tally.begun:.0f} s", no_wrap=True)
    grid.add_row(label, ProgressBar(total=1.0, completed=tally.share, width=max(10, columns - LABEL_WIDTH - 30)), numbers)
    with console.capture() as capture:
        console.print(grid, end="", no_wrap=True, crop=True)
    return capture.get().split("\n", 1)[0]
