"""Manual mode: a plan file that a user wrote or edited, or numbers of chunks by line, as what a run is to do.

    runsurge plan script.py --memory 512MiB --json > plan.json     edit chunk counts, set stages to level 2
    runsurge run script.py --memory 512MiB --plan plan.json        does that, or is refused with the reason
    runsurge run script.py --at 12=8 --at 30=1                     8 chunks for the loop at line 12; line 30 as written

Of a plan its stages count: their level and number of chunks. Tasks and reservations are made anew, and what it says of peaks and
seconds is not believed. Estimates in the file are used as long as the script is the one that they were made for.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from runsurge_contracts.json_form import FormError, from_json
from runsurge_contracts.plan import Estimates, Plan
from runsurge_dask.analysis.residence import main_sites
from runsurge_dask.planning.levels import CHUNKED
from runsurge_dask.planning.local import local_kinds, make_local_plan
from runsurge_dask.planning.planned import digest_of
from runsurge_dask.planning.refusals import PlanError, require_runnable
from runsurge_dask.planning.validation import CODE, validate_stages

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runsurge_contracts.plan import Node
    from runsurge_dask.ir.program import Program
    from runsurge_dask.planning.levels import PlanOptions
    from runsurge_dask.runner.facts import SiteFacts, SplitKind

ANEW = "Make the plan anew with `runsurge plan --json`."


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanFile:
    """What a file holds."""

    path: str
    plan: Plan
    estimates: Estimates | None


def read_plan(path: str, program: Program) -> PlanFile:
    """The plan in a file, as `plan --json` wrote it, or the value of its `plan` alone.

    Raises:
        PlanError: the file cannot be read, is no plan, or is one for another script or for a fleet.
    """
    values = _load(path)
    if not isinstance(values, dict):
        raise _error(path, "this is no plan", ANEW)
    if values.get("source", "") not in {"", digest_of(program.source)}:
        raise _error(path, f"this plan was made for another {program.file}, or it was changed since", ANEW)
    if values.get("is_local") is False:
        raise _error(path, "this is a plan for a fleet; `run` runs on this machine", "Make one with --memory instead of --nodes.")
    if "plan" in values and values["plan"] is None:
        raise _error(path, f"there is no plan in it: {values.get('no_plan', 'nothing could be estimated')}", "Use --at or --chunks.")
    try:
        plan = Plan.from_json(values.get("plan", values))
        estimates = from_json(Estimates, values["estimates"]) if values.get("estimates") else None
    except FormError as error:
        raise _error(path, str(error), "Correct it, or make the plan anew.") from None
    return PlanFile(path=path, plan=plan, estimates=estimates)


def _load(path: str) -> Any:
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except OSError as error:
        raise _error(f"--plan {path}", f"it cannot be read ({error.strerror})", "Check the path.") from None
    except json.JSONDecodeError as error:
        raise _error(f"{path}, line {error.lineno}", f"this is no JSON ({error.msg})", "Correct it, or make the plan anew.") from None
    except (UnicodeDecodeError, RecursionError):
        raise _error(path, "this is no JSON", ANEW) from None


def _error(where: str, what: str, remedy: str) -> PlanError:
    return PlanError(where, what, remedy=remedy, code=CODE)


def check_plan(
    given: PlanFile, program: Program, kinds: Mapping[str, SplitKind], estimates: Estimates, node: Node, options: PlanOptions
) -> Plan:
    """The plan as it is to be run, its tasks and reservations made anew.

    Raises:
        PlanError: it cuts what may not be cut, drops a block, breaks an order, or needs more than there is.
    """
    stages = [s if s.level == CHUNKED else replace(s, has_aggregator=False) for s in given.plan.stages]
    plan = replace(given.plan, stages=tuple(stages), refusals=())
    validate_stages(plan, program.blocks, local_kinds(program, kinds), estimates)
    wanted = {key: stage.chunk_count for stage in plan.stages if stage.level == CHUNKED for key in stage.blocks}
    checked = make_local_plan(program, kinds, estimates, node, options, wanted)
    require_runnable(checked)
    return checked


def sites_of_plan(plan: Plan, program: Program) -> dict[int, int]:
    """For every site, into how many chunks a plan cuts it; 1 where it does not. Those within a loop that is cut are left out."""
    blocks = {block.key: block for block in program.blocks}
    found = dict.fromkeys((facts.site for facts in program.sites), 1)
    for stage in plan.stages:
        for key in stage.blocks if stage.level == CHUNKED and stage.chunk_count > 1 else ():
            first, *others = main_sites(blocks[key], program)
            found[first.site] = max(found[first.site], stage.chunk_count)
            for each in others:
                if found.get(each.site) == 1:
                    del found[each.site]
    return found


def sites_at_lines(lines: Sequence[str], program: Program) -> dict[int, int]:
    """Numbers of chunks by site, from texts such as `40=9` (1: as written).

    Raises:
        PlanError: there is nothing to cut at a line, or it may not be cut.
    """
    found: dict[int, int] = {}
    for text in lines:
        line, _, count = text.partition("=")
        if not (line.isascii() and line.isdigit() and count.isascii() and count.isdigit()) or not int(count):
            raise PlanError(f"--at {text}", "this is no line and number of chunks", remedy="For example --at 40=9.", code="usage")
        found |= dict.fromkeys((site.site for site in _sites_at(int(line), int(count), program)), int(count))
    return found


def _sites_at(line: int, count: int, program: Program) -> list[SiteFacts]:
    sites = [s for s in program.sites if s.file == program.file and s.line == line]
    able = [s for s in sites if s.code or s.form == "frame"]
    if able or (sites and count == 1):
        return able or sites
    others = sorted({s.line for s in program.sites if s.file == program.file and (s.code or s.form == "frame")})
    remedy = f"Lines that may be cut: {', '.join(map(str, others))}." if others else "Nothing in this script may be cut."
    what = f"it may not be cut: {sites[0].reason}" if sites else "there is nothing to cut"
    raise _error(f"line {line}", what, remedy)
