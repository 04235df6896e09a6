"""Deliberate mutants: does the suite notice when one split rule is loosened?

    python -m tests.mutants                          every mutant of mutants.toml
    python -m tests.mutants --only break digest      these
    python -m tests.mutants --seed 4 --count 5       five, drawn by this seed

The cases named for the mutants must pass as things are. Then each mutant is one replacement in a copy of the packages; the
cases named for it run against the copy first, then the whole differential suite up to the first failure. A mutant that
nothing notices has survived, and the exit status is 1.
"""

from __future__ import annotations

import argparse
import ast
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT = Path(__file__).parents[1]
TABLE = Path(__file__).parent / "mutants.toml"
PACKAGES = ("runsurge_dask", "proto-free", "plugins", "dashboards", "tests")
PATHS = (".", "proto-free", "plugins", "dashboards")
"""What stands in front of the installed packages while a copy is tested."""
TEST = "test_a_case_leaves_what_the_sequential_run_leaves"
FAILED = re.compile(rf"^(?:FAILED|ERROR) .*{TEST}\[([^\]]+)\](?: - (.*))?$", re.MULTILINE)
PASSED, CAUGHT = 0, 1
"""Exit statuses of pytest; any other means that nothing was tested."""
WHERE = "import runsurge_dask, runsurge_contracts as c; print(runsurge_dask.__file__); print(c.__file__)"


class MutantError(Exception):
    """A mutant that cannot be made or tested."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One rule, loosened."""

    name: str
    file: str
    why: str
    old: str
    new: str
    case: tuple[str, ...]
    """Case files that are expected to notice."""

    def apply(self, root: Path) -> None:
        """Loosen the rule in the packages that lie in this folder.

        Raises:
            MutantError: the old text does not stand there exactly once, or the new one is no Python.
        """
        path = root / self.file
        text = path.read_text(encoding="utf-8")
        if (count := text.count(self.old)) != 1:
            raise MutantError(f"{self.name}: `{self.old}` stands {count} times in {self.file}{_places_of(self.old)}")
        changed = text.replace(self.old, self.new)
        try:
            ast.parse(changed)
        except SyntaxError as error:
            raise MutantError(f"{self.name}: {self.file} is no Python any more ({error})") from None
        path.write_text(changed, encoding="utf-8")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What became of one mutant."""

    mutant: Mutant
    caught_by: str
    """The case that noticed; empty if the mutant survived."""
    reason: str = ""
    seconds: float = 0.0

    def __str__(self) -> str:
        fate = f"caught by {self.caught_by}" if self.caught_by else f"SURVIVED: {self.mutant.why}"
        surprise = "" if not self.caught_by or self.caught_by in self.mutant.case else f" (expected {', '.join(self.mutant.case)})"
        return f"{self.mutant.name:24} {fate}{surprise} [{self.seconds:.0f} s]"


def _places_of(text: str) -> str:
    """Where a rule is now, in words: files are split and renamed."""
    found = [str(path.relative_to(ROOT)) for path in sorted((ROOT / PACKAGES[0]).rglob("*.py")) if text in path.read_text(encoding="utf-8")]
    return f"; it stands in {', '.join(found)}" if found else "; it stands nowhere else"


def load_mutants() -> list[Mutant]:
    """Every entry of mutants.toml."""
    table = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    return [Mutant(**{**entry, "case": tuple(entry["case"])}) for entry in table["mutant"]]


def choose(mutants: Sequence[Mutant], seed: str, count: int) -> list[Mutant]:
    """So many mutants, drawn by a seed."""
    return random.Random(seed).sample(list(mutants), min(count, len(mutants)))


def try_mutant(mutant: Mutant, *, named_only: bool = False) -> Verdict:
    """Run the suite against a copy of the packages with this mutant in it.

    Raises:
        MutantError: the mutant cannot be made, or the suite does not run at all.
    """
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="runsurge-mutant-") as folder:
        root = Path(folder)
        copy_packages(root)
        mutant.apply(root)
        check_imports(root)
        failure = first_failure(root, mutant.case)
        if failure is None and not named_only:
            failure = first_failure(root)
    case, reason = failure or ("", "")
    return Verdict(mutant=mutant, caught_by=case, reason=reason, seconds=time.monotonic() - begun)


def check_unchanged(mutants: Sequence[Mutant]) -> None:
    """Make sure that the cases named for these mutants pass as things are.

    Raises:
        MutantError: one fails, and would seem to catch anything.
    """
    cases = sorted({case for mutant in mutants for case in mutant.case})
    with tempfile.TemporaryDirectory(prefix="runsurge-mutant-") as folder:
        copy_packages(Path(folder))
        check_imports(Path(folder))
        failure = first_failure(Path(folder), cases)
    if failure is not None:
        raise MutantError(f"{failure[0]} fails without any mutant: {failure[1]}")


def copy_packages(root: Path) -> None:
    """Lay a copy of the packages and the tests into an empty folder."""
    for name in PACKAGES:
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("bad_scripts", "*.log"))
    shutil.copy2(ROOT / "pyproject.toml", root)
    cutting = root / "runsurge_dask/runner/cutting.py"  # a wrong proof must show in the answer, before our own check of proofs
    text = re.sub(r"^SAMPLE_ROWS = \d+$", "SAMPLE_ROWS = 0", cutting.read_text(encoding="utf-8"), flags=re.MULTILINE)
    cutting.write_text(text, encoding="utf-8")


def check_imports(root: Path) -> None:
    """Make sure that the copy is what client and runner import (`-P`: the runner leaves its folder out).

    Raises:
        MutantError: another copy would be tested.
    """
    done = _python(root, "-P", "-c", WHERE)
    if done.returncode or not all(Path(line).is_relative_to(root.resolve()) for line in done.stdout.split()):
        raise MutantError(f"the copy is not what is imported: {done.stdout}{done.stderr}")


def first_failure(root: Path, cases: Sequence[str] = ()) -> tuple[str, str] | None:
    """The first of these cases (of all, without any named) that fails against the copy, and how; None if all pass.

    Raises:
        MutantError: the suite does not run.
    """
    path = "tests/test_cases.py"
    chosen = [f"{path}::{TEST}[{case}]" for case in cases] or [f"{path}::{TEST}"]
    done = _python(root, "-m", "pytest", "-x", "-p", "no:cacheprovider", *chosen)
    found = FAILED.search(done.stdout)
    if done.returncode == CAUGHT and found is not None:
        return found[1], found[2] or ""
    if done.returncode != PASSED:
        raise MutantError(f"the suite does not run against the copy:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return None


def _python(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    paths = os.pathsep.join(str(root.resolve() / path) for path in PATHS)
    environment = {**os.environ, "PYTHONPATH": paths, "COLUMNS": "400"}
    return subprocess.run([sys.executable, *arguments], cwd=root, env=environment, capture_output=True, text=True, check=False)


def main() -> int:
    """Try mutants; the exit status says whether any survived."""
    parser = argparse.ArgumentParser(description="Loosen split rules one at a time, and see whether the suite notices.")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="the mutants to try")
    parser.add_argument("--seed", default="0")
    parser.add_argument("--count", type=int, default=0, help="how many, drawn by the seed; 0: all")
    parser.add_argument("--named-only", action="store_true", help="run only the cases named for each mutant, not the whole suite")
    parser.add_argument("--verbose", action="store_true", help="show how the case failed")
    options = parser.parse_args()
    mutants = load_mutants()
    if unknown := set(options.only or ()) - {mutant.name for mutant in mutants}:
        parser.error(f"no such mutant: {', '.join(sorted(unknown))}")
    mutants = [mutant for mutant in mutants if not options.only or mutant.name in options.only]
    if options.count:
        mutants = choose(mutants, options.seed, options.count)
    check_unchanged(mutants)
    survivors = 0
    for mutant in mutants:
        verdict = try_mutant(mutant, named_only=options.named_only)
        survivors += not verdict.caught_by
        print(verdict, *([verdict.reason] if options.verbose else []), flush=True)  # noqa: T201 - a command talks
    print(f"{len(mutants)} mutants, {len(mutants) - survivors} caught, {survivors} survived")  # noqa: T201
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
