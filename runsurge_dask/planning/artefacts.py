"""The files of a plan, in the form of the older RunSurge platform (`--artifacts DIR`).

    main_lists.json              [{"key": ["numeric_data:1"], "statements": ["reshaped_data = reshape_rows(numeric_data)"]}, ...]
    main_lines_footprint.json    {"total = add_up(values)#2": {"values": {"length": 1000, "size": 8056}, ...}, ...}
    func_lines_footprint.json    {"result.append(row)#2:1": 8056, ...}
    consolidated_blocks.json     [{"consolidated_block_index": 1, "peak_memory": 9738272, "assigned_node": null, ...}, ...]
    parallelization_plan.json    {"total = add_up(values)": {"status": "Success_Master_Split", ..., "num_chunks": 2}, ...}
    execution_plan.json          [{"task_id": 1, "task_type": "Fused Parallel", "chunk_id": 0, ...}, ...]
    task_1_fused_script.py ...   the scripts of the tasks: run them in the order of execution_plan.json

Blocks are numbered from 1 in the order of the script, definitions and imports among them, though only statements that do
something are listed. A `key` is what a block needs: each variable with the number of the block that made it last,
or `none` where no block did; `data:none` where it needs no variable at all. Chunks are numbered from 0, everything else from 1.
Bytes are whole numbers.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import tokenize
from typing import TYPE_CHECKING, Any

from runsurge_dask.errors import RunSurgeError
from runsurge_dask.planning.arguments import defined_names, exposed_uses, is_definition, parallel_argument
from runsurge_dask.planning.scripts import TaskScript, make_scripts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from runsurge_contracts.plan import Estimates, Plan, Stage
    from runsurge_dask.ir.program import Block, Program


def write_artefacts(folder: str, program: Program, estimates: Estimates, plan: Plan) -> tuple[str, ...]:
    """Write every file into a folder, which is made if need be; the names of the files, in the order of this module's docstring.

    Raises:
        RunSurgeError: the folder or a file cannot be written.
    """
    scripts = make_scripts(program, plan)
    texts = {name: json.dumps(make(program, estimates, plan), indent=2) + "\n" for name, make in FILES.items()}
    texts["execution_plan.json"] = json.dumps(execution_plan(plan, scripts), indent=2) + "\n"
    encoding = tokenize.detect_encoding(io.BytesIO(program.source.encode()).readline)[0]
    try:
        os.makedirs(folder, exist_ok=True)
        for name, text in texts.items():
            _write(os.path.join(folder, name), text.encode())
        for script in scripts:
            _write(os.path.join(folder, script.file_name), script.text.encode(encoding if len(scripts) == 1 else "utf-8"))
        modules = tuple(_copy_modules(program, folder))
    except OSError as error:
        what = f"it cannot be written ({error.strerror})"
        raise RunSurgeError(f"--artifacts {folder}", what, remedy="Name a folder that can.", code="artefacts-not-written") from None
    return (*texts, *(script.file_name for script in scripts), *modules)


def _write(path: str, content: bytes) -> None:
    with open(path, "wb") as file:
        file.write(content)


def _copy_modules(program: Program, folder: str) -> Iterable[str]:
    """Modules beside the script, for tasks that import them."""
    home = os.path.dirname(os.path.abspath(program.file))
    for module in program.modules:
        name = os.path.relpath(os.path.abspath(module.file), home)
        target = os.path.join(folder, name)
        if os.path.abspath(target) != os.path.abspath(module.file):
            os.makedirs(os.path.dirname(target), exist_ok=True)
            shutil.copyfile(module.file, target)
        yield name


def main_lists(program: Program, estimates: Estimates, plan: Plan) -> list[dict[str, Any]]:
    """A1: each block that does something, with what it needs."""
    del estimates, plan
    return [
        {"key": needed_keys([block], program.blocks), "statements": list(block.statements)}
        for block in program.blocks if not is_definition(block)
    ]  # fmt: skip


def needed_keys(members: Sequence[Block], blocks: Sequence[Block]) -> list[str]:
    """What blocks need from outside of them: `name:number` of the block that made it last, in the order of the script."""
    own = {block.key for block in members}
    variables = {name for block in blocks if not is_definition(block) for name in block.defs} - defined_names(blocks)
    made_by: dict[str, str] = {}
    found: dict[str, None] = {}
    for block in blocks:
        if block.key in own:
            for name in sorted(exposed_uses(block) & variables):
                maker = made_by.get(name)
                if maker is None:
                    found[f"{name}:none"] = None
                elif maker not in own:
                    found[f"{name}:{_number(maker)}"] = None
        made_by |= dict.fromkeys(block.defs, block.key)
    return list(found) or ["data:none"]


def _number(key: str) -> str:
    return key.rpartition(":")[2]


def main_lines_footprint(program: Program, estimates: Estimates, plan: Plan) -> dict[str, Any]:
    """A2: by `statement#block`, every variable that is alive after it."""
    del plan
    return {
        f"{_first_line(block)}#{_number(block.key)}": {
            name: {"length": variable.length, "size": variable.size_bytes} for name, variable in estimates.main_lines[block.key].items()
        }
        for block in program.blocks if block.key in estimates.main_lines
    }  # fmt: skip


def func_lines_footprint(program: Program, estimates: Estimates, plan: Plan) -> dict[str, int]:
    """A2: by `statement#block:call`, the bytes held at a line inside a called function."""
    del program, plan
    return dict(estimates.function_lines)


def consolidated_blocks(program: Program, estimates: Estimates, plan: Plan) -> list[dict[str, Any]]:
    """A4: merged blocks, each with the smallest node that holds it, or none; those that only define something are left out."""
    del estimates
    by_key = {block.key: block for block in program.blocks if not is_definition(block)}
    groups = [(merged, [by_key[key] for key in merged.blocks if key in by_key]) for merged in plan.merged]
    return [
        {
            "consolidated_block_index": index,
            "peak_memory": merged.peak_bytes,
            "assigned_node": _node(plan, merged.node),
            "is_schedulable": merged.node is not None,
            "key": needed_keys(members, program.blocks),
            "statements": [statement for block in members for statement in block.statements],
        }
        for index, (merged, members) in enumerate(((each, members) for each, members in groups if members), 1)
    ]


def _node(plan: Plan, name: str | None) -> dict[str, Any] | None:
    for node in plan.nodes:
        if node.name == name:
            return {"name": node.name, "memory": node.memory_bytes, "ip_address": node.ip_address, "port": node.port}
    return None


def parallelization_plan(program: Program, estimates: Estimates, plan: Plan) -> dict[str, dict[str, Any]]:
    """A5: by statement, how each block of a chain takes part in it; a statement that stands twice has `#block` after it."""
    del estimates
    by_key = {block.key: block for block in program.blocks}
    definitions = defined_names(program.blocks)
    found: dict[str, dict[str, Any]] = {}
    for stage in plan.stages:
        depth: dict[str, int] = {}
        for key in stage.blocks if stage.level == 3 else ():  # noqa: PLR2004 - levels are known by their numbers
            block = by_key[key]
            argument = parallel_argument(block, definitions)
            status, role = _role(argument, stage, depth)
            depth |= dict.fromkeys(block.defs, 1 + depth.get(argument, 0))
            text = "\n".join(block.statements)
            found[text if text not in found else f"{text}#{_number(key)}"] = {
                "status": status, role: argument, "num_chunks": stage.chunk_count,
            }  # fmt: skip
    return found


def _role(argument: str, stage: Stage, depth: dict[str, int]) -> tuple[str, str]:
    """The status of a block in its chain, and the field that names what it goes through."""
    if argument not in depth or argument == stage.parallel_argument:
        return "Success_Master_Split", "parallel_arg_name"
    return ("Success_Consumer" if depth[argument] == 1 else "Success_Chained_Consumer"), "consumes_variable"


def execution_plan(plan: Plan, scripts: Sequence[TaskScript]) -> list[dict[str, Any]]:
    """A6: the tasks in the order in which their scripts may be run one by one; `fused_stages` are keys of blocks."""
    return [
        {
            "task_id": script.task_id,
            "task_type": str(script.task_type),
            "chunk_id": script.chunk_id,
            "fused_stages": list(script.blocks),
            "assigned_node": _node(plan, script.node),
            "script_name": script.file_name,
            "required_data_ids": list(script.needs),
            "output_data": [{"data_id": data_id, "data_name": name} for data_id, name in script.makes],
        }
        for script in scripts
    ]


def _first_line(block: Block) -> str:
    return block.statements[0].split("\n", 1)[0]


FILES: dict[str, Callable[[Program, Estimates, Plan], Any]] = {
    "main_lists.json": main_lists,
    "main_lines_footprint.json": main_lines_footprint,
    "func_lines_footprint.json": func_lines_footprint,
    "consolidated_blocks.json": consolidated_blocks,
    "parallelization_plan.json": parallelization_plan,
}
