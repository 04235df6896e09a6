"""The house keeps its own rules: every file says what it is, nothing grows too long, and starting up loads little.

Floors (who may import whom) are import-linter's: `make check`.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("runsurge_dask", "proto-free/runsurge_contracts", "plugins/runsurge_plugins", "dashboards/runsurge_dashboards")
MOST_LINES_A_FILE = 400
"""Longer files are two nouns in one: house.md."""
MOST_LINES_A_FUNCTION = 70
"""Longer functions cannot be read on one screen: house.md."""


def test_every_file_says_what_it_is() -> None:
    silent = [name for name, tree in _modules().items() if not ast.get_docstring(tree)]
    assert silent == []


def test_no_file_is_too_long() -> None:
    lengths = {name: len((ROOT / name).read_text(encoding="utf-8").splitlines()) for name in _modules()}
    assert {name: lines for name, lines in lengths.items() if lines > MOST_LINES_A_FILE} == {}


def test_no_function_is_too_long() -> None:
    lengths = {
        f"{name}:{function.lineno} {function.name}": (function.end_lineno or function.lineno) - function.lineno + 1
        for name, tree in _modules().items()
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert {name: lines for name, lines in lengths.items() if lines > MOST_LINES_A_FUNCTION} == {}


def test_a_chunk_child_starts_without_dask_and_pandas() -> None:
    loaded = _loaded_by("import runsurge_dask, runsurge_dask.runner.chunk")
    assert "runsurge_dask.runner.chunk" in loaded
    assert loaded & {"dask", "distributed", "pandas"} == set()


def test_help_starts_without_distributed() -> None:
    loaded = _loaded_by("from runsurge_dask.cli import main; main()", "--help")
    assert "runsurge_dask.cli" in loaded
    assert "distributed" not in loaded


def _modules() -> dict[str, ast.Module]:
    """Every source file of the four packages, parsed, by its path in the repository."""
    paths = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
    return {str(path.relative_to(ROOT)): ast.parse(path.read_text(encoding="utf-8")) for path in paths}


def _loaded_by(code: str, *arguments: str) -> set[str]:
    """The modules that a fresh interpreter imports to run this code, as `-X importtime` tells them."""
    command = [sys.executable, "-X", "importtime", "-c", code, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
