"""Cases: a script in, the facts about it out, in one text file.

A file holds sections that begin with `== name`: `case` (TOML: what is expected), `data.py` (writes the inputs), `script.py`,
and any other file beside the script.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

SECTION = re.compile(r"^== (\S+)\n", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One small script and what is expected of it."""

    name: str
    expect: str
    kind: str
    where: str
    why: str
    files: dict[str, str]

    @property
    def line(self) -> int:
        """The line of the statement in question."""
        lines = [number for number, text in enumerate(self.files["script.py"].splitlines(), 1) if text.strip() == self.where]
        if len(lines) != 1:
            raise ValueError(f"{self.name}: `where` stands {len(lines)} times in the script")
        return lines[0]


def load_case(path: Path) -> Case:
    """Read one case file."""
    _, *parts = SECTION.split(path.read_text(encoding="utf-8"))
    files = dict(zip(parts[::2], parts[1::2], strict=True))
    facts = tomllib.loads(files.pop("case"))
    return Case(
        name=f"{path.parent.name}/{path.stem}", expect=facts["expect"], kind=facts["kind"], where=facts["where"], why=facts["why"],
        files=files
    )


def lay_out(case: Case, folder: Path) -> None:
    """Write the case's files into a folder and make its inputs."""
    folder.mkdir(parents=True)
    for name, text in case.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    if "data.py" in case.files:
        subprocess.run([sys.executable, "data.py"], cwd=folder, check=True, capture_output=True)
        (folder / "data.py").unlink()
