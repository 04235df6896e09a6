r"""Random sequential programs: small, valid, deterministic, and full of what makes cutting a loop hard.

    program = build_program_text(seeded_choices("7/3"))
    program.script        imports, helpers, one or two loops over data, a few comprehensions, and prints of every name
    program.files         {"data.csv": "k,n,x,w\\nada,5,1.25,echo\n..."}
    program.chunks        into how many chunks the planned run is to cut
    program.recipe        ("for row in rows:", "sum", "already seen", ...)

The lines come from the texts in `pieces/`; this module puts them into loops, functions, classes and generators.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from textwrap import indent
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from tests.differential.choices import seeded_choices
from tests.differential.loops import FEW_ROWS, Part, make_loop, make_statements
from tests.differential.origins import LOADED, Loaded
from tests.differential.tables import Table, make_table

if TYPE_CHECKING:
    from pathlib import Path

    from tests.differential.choices import Choices

CHUNKS = ((5, 3), (4, 2), (3, 7), (2, 1))
"""One chunk in a seventh of the programs: it shows what the way through a child changes, but it is no cut."""
MODULES = (
    "bisect",
    "contextlib",
    "csv",
    "functools",
    "glob",
    "heapq",
    "io",
    "itertools",
    "json",
    "logging",
    "os",
    "random",
    "sys",
    "warnings",
)
COLLECTIONS = ("Counter", "defaultdict", "deque")
NEEDS_MODULE = re.compile(r"\bglobal\b|globals\(|exec\(")


@dataclass(frozen=True, slots=True, kw_only=True)
class RandomProgram:
    """A script, its inputs, and how it is to be cut."""

    script: str
    files: dict[str, str]
    chunks: int
    recipe: tuple[str, ...]

    def lay_out(self, folder: Path) -> None:
        """Write the script and its inputs into a new folder."""
        folder.mkdir(parents=True)
        for name, text in {"script.py": self.script, **self.files}.items():
            (folder / name).write_text(text, encoding="utf-8")


def build_program_text(choices: Choices) -> RandomProgram:
    """One program from these choices."""
    table, more = make_table(choices), make_table(choices)
    loaded = choices.pick(LOADED) if choices.chance(55) else None
    chunks = choices.weighted(CHUNKS)
    parts = _make_parts(choices, loaded, table)
    script = _assemble(choices, parts, loaded)
    if any(part.has_inner_loop for part in parts):
        table, more = table.shortened(FEW_ROWS), more.shortened(FEW_ROWS)
    ast.parse(script)
    return RandomProgram(
        script=script, files=_files_for(script, table, more), chunks=chunks, recipe=tuple(name for part in parts for name in part.recipe)
    )


def _make_parts(choices: Choices, loaded: Loaded | None, table: Table) -> list[Part]:
    parts: list[Part] = []
    for kind in choices.weighted([(5, "le"), (8, "l"), (3, "el"), (1, "ll"), (1, "lee"), (1, "ee")]):
        number = len(parts) + 1
        is_spoilt = any(part.is_last for part in parts)
        rows = None if is_spoilt else loaded
        make = make_loop if kind == "l" else make_statements
        parts.append(make(choices, number, rows, table))
    return parts


def _assemble(choices: Choices, parts: list[Part], loaded: Loaded | None) -> str:
    helpers = "\n\n".join(dict.fromkeys(part.helpers.strip("\n") for part in parts if part.helpers.strip()))
    loop_names = "k = n = x = w = None\n" if choices.chance(80) else ""
    main = loop_names + (loaded.statement + "\n" if loaded is not None else "")
    main += "".join(part.text.rstrip("\n") + "\n" for part in parts)
    names = [name for part in parts for name in part.names]
    main += "".join(f"print({name!r}, {name})\n" for name in names)
    if loop_names and choices.chance(60):
        main += "print(k, n, x, w)\n"
    if choices.chance(15) and not NEEDS_MODULE.search(main + helpers):
        call = choices.pick(['if __name__ == "__main__":\n    main()\n', "main()\n"])
        main = f"def main():\n{indent(main, '    ')}\n\n{call}"
    head = imports_for(helpers + main)
    return "\n\n".join(text for text in (head, helpers, main) if text)


def imports_for(text: str) -> str:
    """The import statements that this text needs."""
    lines = [f"import {name}\n" for name in MODULES if re.search(rf"\b{name}\.", text)]
    found = [name for name in COLLECTIONS if re.search(rf"\b{name}\(", text)]
    if found:
        lines.append(f"from collections import {', '.join(found)}\n")
    if "@dataclass" in text:
        lines.append("from dataclasses import dataclass, field\n")
    return "".join(lines)


def _files_for(script: str, table: Table, more: Table) -> dict[str, str]:
    shapes = {"data.txt": table.lines, "data.csv": table.csv, "data.jsonl": table.jsonl, "data.json": table.json, "more.txt": more.lines}
    return {name: shape() for name, shape in shapes.items() if f'"{name}"' in script}


def seeded_program(seed: str) -> RandomProgram:
    """The program that follows from this text."""
    return build_program_text(seeded_choices(seed))


def programs(family: str) -> st.SearchStrategy[RandomProgram]:
    """Programs as a Hypothesis strategy, one drawn seed each.

    Drawing each choice from Hypothesis gave 526 different programs in 1,000: it repeats and recombines long draws. A family
    (a batch) keeps the seeds that Hypothesis always tries, such as 0, from giving every batch the same programs.
    """
    return st.integers(0, 2**64 - 1).map(lambda number: seeded_program(f"{family}/{number}"))
