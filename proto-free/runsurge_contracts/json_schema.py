"""The schemas that ship beside the contracts: made from them by `python -m runsurge_contracts.json_schema`.

    schemas/plan.json         what `Plan.as_json` writes, and `--plan FILE` reads
    schemas/estimates.json    memory and time of every block
    schemas/node.json         one node of a fleet
"""

from __future__ import annotations

import json
from pathlib import Path

from runsurge_contracts.json_form import schema_of
from runsurge_contracts.plan import Estimates, Node, Plan

FOLDER = Path(__file__).parent / "schemas"
CONTRACTS: dict[str, type] = {"plan": Plan, "estimates": Estimates, "node": Node}


def render_schemas() -> dict[str, str]:
    """The text of every schema, by the name of its file."""
    return {f"{name}.json": json.dumps(schema_of(contract), indent=2) + "\n" for name, contract in CONTRACTS.items()}


def write_schemas() -> None:
    """Write every schema beside the contracts."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in render_schemas().items():
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write_schemas()
