"""A script, parsed and proved, ready for a plan or a run."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runsurge_dask.runner.facts import SiteFacts


class Effect(StrEnum):
    """What a block does besides computing."""

    PURE = "pure"
    READS = "reads"
    WRITES = "writes"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """The smallest piece of a script that must stay together; `key` is `name:block`, after the name that it makes."""

    key: str
    statements: tuple[str, ...]
    first_line: int
    last_line: int
    defs: frozenset[str]
    uses: frozenset[str]
    effect: Effect
    depth: int = 0
    """How many structural statements (`with`, main guard, functions) were opened to reach it."""

    def __post_init__(self) -> None:
        if self.last_line < self.first_line:
            raise ValueError(f"block {self.key}: it ends before it begins")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleCode:
    """One source file, compiled twice: with questions to the runtime at its sites, and as written."""

    name: str
    file: str
    rewritten: bytes
    plain: bytes
    is_package: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """The parsed script with the modules beside it."""

    file: str
    source: str
    doc: str | None
    blocks: tuple[Block, ...]
    sites: tuple[SiteFacts, ...]
    main: ModuleCode
    modules: tuple[ModuleCode, ...]
    imports: frozenset[str]
    """Top-level names of every module imported anywhere, for the runner to load beforehand."""
    entry: str = ""
    """The function to call after the module body, for scripts that only define `main`."""
    is_seeding: bool = False
    """Somewhere a global random generator gets a seed."""
    is_patching: bool = False
    """It changes libraries: nothing of it is cut."""
    is_seeing_errors: bool = False
    """It may look at the exception that is being handled."""
    is_telling_files: bool = False
    """It asks whether a file is of one class and no other: it gets none of ours."""
    is_looking_into_caches: bool = False
    """Somewhere the hits of a cached function are asked for, or the cache is emptied."""
    is_seeing_decimals: bool = False
    """It looks at the context of decimal arithmetic, or changes it."""
    is_writing_errors: bool = False
    """Somewhere standard error is written to, or warnings are looked at."""
    is_writing_bytes: bool = False
    """Somewhere arrays may be written bit by bit."""
