"""The command line: read options, call one verb, print.

    runsurge run script.py --workers 2 -- data.csv     runs the script; its output and exit status are those of `python script.py data.csv`
    runsurge plan script.py                            says what would be cut and why, without running anything

Nothing is printed of our own but on a terminal's standard error, where the script's text and ours cannot be confused by a program.
"""

from __future__ import annotations

import contextlib
import json
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from runsurge_dask import __version__
from runsurge_dask.errors import INTERRUPTED, RunSurgeError, UsageError
from runsurge_dask.running import memory_bytes, run

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from runsurge_contracts.plan import Node

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
  runsurge run wordcount.py --plan plan.json              (edited; see `plan`)
  runsurge run wordcount.py --at 19=8 --at 34=1           8 chunks, as written

\b
Exit status:
  the script's own; and
  1    the script raised, or RunSurge cannot run it (runsurge: error: ...)
  2    wrong usage of these options
  130  Ctrl-C
"""
ABOUT_PLAN = """Say which statements of SCRIPT would be cut and why, without running it.

With --memory it also says what each statement needs and what `run` would do
within that: the script is then run on small samples of its inputs, with no
effect outside; --static runs nothing at all. With --nodes it plans tasks for
the machines of a file; --artifacts writes them as scripts.

\b
Examples:
  runsurge plan wordcount.py
  runsurge plan wordcount.py --memory 512MiB -- words.txt
  runsurge plan wordcount.py --memory 512MiB --static --task-memory 64MiB
  runsurge plan wordcount.py --nodes nodes.yaml --artifacts plan/

\b
A plan that you edit and run:
  runsurge plan wordcount.py --json > plan.json
  (change chunk_count of a stage; level 2 and one chunk: as written)
  runsurge run wordcount.py --plan plan.json

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
def run_command(  # noqa: PLR0913 - one a command-line option
    script: Annotated[str, typer.Argument(metavar="SCRIPT", help="The script to run.")],
    arguments: Annotated[list[str] | None, typer.Argument(metavar="-- ARGS", help="What the script finds in sys.argv.")] = None,
    *,
    workers: Annotated[int | None, typer.Option(min=1, metavar="N", help="Chunks that run at once.", show_default="one a core")] = None,
    chunks: Annotated[int, typer.Option(min=0, metavar="N", help="Cut every site into so many, whatever the gain; 0: as many as pay.")] = 0,
    memory: Annotated[
        str, typer.Option(metavar="SIZE", help="What all processes of the run may hold together.", show_default="80 % of what is free")
    ] = "",
    plan: Annotated[str, typer.Option(metavar="FILE", help="Do what a plan says that `plan --json` wrote, and you have edited.")] = "",
    at: Annotated[
        list[str] | None, typer.Option(metavar="LINE=N", help="N chunks for the statement at LINE, 1: as written; more than once.")
    ] = None,
    level: Annotated[int | None, typer.Option(min=1, max=3, help="1, 2: cut nothing; 3: all that may.", show_default="as pays")] = None,
    task_memory: Annotated[str, typer.Option(metavar="SIZE", help="The most that one chunk may hold.")] = "",
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Keep nothing of what is measured for later estimates.")] = False,
    exact: Annotated[bool, typer.Option("--exact", help="Forbid sums of floats in another order (they may differ by 1e-9).")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no summary on a terminal.")] = False,
    report: Annotated[
        str, typer.Option("--report", "--json", metavar="FILE", help="Write the outcome as JSON; `-`: the summary to standard error.")
    ] = "",
) -> None:
    """Run a script."""
    with errors_as_exit():
        options: dict[str, Any] = {
            "workers": workers or 0, "chunks": chunks, "exact": exact, "memory_bytes": memory_bytes(memory), "level": level,
            "plan": plan, "at": tuple(at or ()), "task_bytes": memory_bytes(task_memory, "--task-memory"), "uses_cache": not no_cache,
        }  # fmt: skip
        raise typer.Exit(run(script, arguments or (), report, is_quiet=quiet, **options))


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
    no_cache: Annotated[bool, typer.Option("--no-cache", help="Do not look at what earlier runs measured.")] = False,
    artifacts: Annotated[str, typer.Option(metavar="DIR", help="Write the plan's files and the script of each task there.")] = "",
) -> None:
    """Plan a script."""
    with errors_as_exit():
        request: dict[str, Any] = {"workers": workers or 0, "chunks": chunks, "level": level, "uses_cache": not no_cache}
        request["task_bytes"] = memory_bytes(task_memory, "--task-memory") or None
        if memory or nodes or artifacts or level or chunks or task_memory or static:
            request |= {"nodes": fleet_of(memory, nodes), "is_static": static, "is_local": not nodes and not artifacts}
            status = plan_with_memory(script, arguments or [], request, artifacts, as_json=as_json)
            raise typer.Exit(status)
        from runsurge_dask.analysis.build import build_program, read_source
        from runsurge_dask.report import render_plan

        if as_json:
            text = json.dumps(plan_by_rules(script, arguments or [], {**request, "nodes": fleet_of("", "")}), indent=2)
        else:
            text = render_plan(build_program(read_source(script), script))
        show(text)


def fleet_of(memory: str, nodes: str) -> tuple[Node, ...]:
    """The nodes of a file, or this machine with what it may use.

    Raises:
        RunSurgeError: both were asked for, or there is a mistake in one of them.
    """
    if memory and nodes:
        raise UsageError("--memory", "the memory of nodes stands in their file", remedy="Give --memory or --nodes, not both.")
    if nodes:
        from runsurge_dask.planning.nodes import read_nodes

        return read_nodes(nodes)
    from runsurge_contracts.plan import Node
    from runsurge_dask.pipeline import THIS_MACHINE

    return (Node(name=THIS_MACHINE, memory_bytes=memory_bytes(memory) or most_memory()),)


def plan_with_memory(script: str, arguments: list[str], request: Mapping[str, Any], artifacts: str, *, as_json: bool) -> int:
    """Estimate what a script needs, plan it for what there is, and say so; the exit status."""
    from runsurge_dask.pipeline import PlanRequest, plan_script
    from runsurge_dask.plan_report import memory_plan_as_json, render_memory_plan

    told = (lambda text: print(text, file=sys.stderr)) if sys.stderr.isatty() and not request["is_static"] else None  # noqa: T201 - what is going on
    found = plan_script(script, arguments, PlanRequest(**request), told)
    if artifacts:
        from runsurge_dask.planning.artefacts import write_artefacts

        written = write_artefacts(artifacts, found.program, found.estimates, found.plan)
        typer.echo(f"{len(written)} files written to {artifacts}", err=True)
    show(json.dumps(memory_plan_as_json(found), indent=2) if as_json else render_memory_plan(found))
    is_fleet = not request["is_local"]
    return 1 if any(is_fleet or refusal.code == "limit-below-baseline" for refusal in found.plan.refusals) else 0


def plan_by_rules(script: str, arguments: list[str], request: Mapping[str, Any]) -> Mapping[str, Any]:
    """The analysis with a plan that was made without running anything; where nothing can be said of memory, without one."""
    from runsurge_dask.analysis.build import build_program, read_source
    from runsurge_dask.estimation.fits import EstimateError
    from runsurge_dask.pipeline import PlanRequest, plan_script
    from runsurge_dask.plan_report import memory_plan_as_json
    from runsurge_dask.report import plan_as_json

    try:
        return memory_plan_as_json(plan_script(script, arguments, PlanRequest(**request, is_static=True, is_local=True)))
    except EstimateError as error:
        return {**plan_as_json(build_program(read_source(script), script)), "plan": None, "no_plan": str(error)}


def show(text: str) -> None:
    """Print what was asked for: a statement may hold any letter, a C locale does not."""
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    typer.echo(text)


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
