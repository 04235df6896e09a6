"""Which lists of a script need not be in memory, statement by statement, when `run` cuts the loops that make them.

    rows = load(path)                 makes rows, whose items may stay in files
    for row in rows:                  goes through them: each chunk reads its own
        results.append(f(row))        makes results
    print(len(results))               only asks for their number
    results.sort()                    settles results: the list itself is needed from here on
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from runsurge_dask.analysis.build import parse
from runsurge_dask.analysis.kept import THROUGH_METHODS, followed_names, heavy_uses, made_names
from runsurge_dask.analysis.lists import follow_calls, followed_in
from runsurge_dask.analysis.structure import walk

if TYPE_CHECKING:
    from runsurge_dask.analysis.kept import Calls
    from runsurge_dask.ir.program import Block, Program
    from runsurge_dask.runner.facts import SiteFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class Residence:
    """What one block does with lists whose rows may stay in files."""

    makes: frozenset[str] = frozenset()
    settles: frozenset[str] = frozenset()
    """Lists that it needs themselves, and not only their rows in order."""


def residences(program: Program) -> dict[str, Residence]:
    """By block; empty where no list is followed."""
    if not any(facts.kept for facts in program.sites):
        return {}
    tree = parse(program.source, program.file)
    calls = follow_calls(tree)
    followed = followed_names(tree, calls).union(*(followed_in(s, calls) for s in tree.body if isinstance(s, ast.FunctionDef)))
    return {block.key: _residence(block, program, calls, followed) for block in program.blocks}


def _residence(block: Block, program: Program, calls: Calls, followed: frozenset[str]) -> Residence:
    statement = statement_of(block.statements[0])
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return Residence()
    grown = {a.place for facts in sites_at(block, program) for a in facts.accumulators if a.local in facts.kept}
    made = {name for each in walk(statement) if isinstance(each, ast.stmt) for name in made_names(each, calls, followed)}
    needed = {name for each in walk(statement) if isinstance(each, ast.stmt) for name in heavy_uses(each, calls)}
    targets = {each.id for each in walk(statement) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)}
    return Residence(makes=frozenset((made | grown) & followed), settles=frozenset((needed - targets - _written(statement)) & followed))


def _written(statement: ast.stmt) -> set[str]:
    """Lists that a file or a writer only goes through."""
    found = set()
    for node in walk(statement):
        match node:
            case ast.Call(func=ast.Attribute(attr=attr), args=arguments) if attr in THROUGH_METHODS:
                found |= {each.id for each in arguments if isinstance(each, ast.Name)}
    return found


@lru_cache(maxsize=4)
def _functions(source: str, file: str) -> dict[str, ast.FunctionDef]:
    return {node.name: node for node in walk(parse(source, file)) if isinstance(node, ast.FunctionDef)}


@lru_cache(maxsize=1000)
def statement_of(text: str) -> ast.stmt:
    """A block's statement as a tree, which must stay as it is."""
    return ast.parse(text).body[0]


def sites_at(block: Block, program: Program) -> list[SiteFacts]:
    """Sites in the text of a block itself."""
    return [s for s in program.sites if s.file == program.file and block.first_line <= s.line <= block.last_line]


def sites_within(block: Block, program: Program) -> list[SiteFacts]:
    """Sites in the text of a block, and in the functions of the script that it calls; none where a function's body stands for it."""
    statement = statement_of(block.statements[0])
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return []
    found = sites_at(block, program)
    functions = _functions(program.source, program.file)
    if is_opened(statement, functions):
        return []
    waiting = [node.id for node in walk(statement) if isinstance(node, ast.Name) and node.id in functions]
    for name in waiting:  # which grows meanwhile
        function = functions[name]
        inside = [n.id for n in walk(function) if isinstance(n, ast.Name) and n.id in functions and n.id not in waiting]
        waiting += dict.fromkeys(inside)
    lines = [(functions[name].lineno, functions[name].end_lineno or 0) for name in dict.fromkeys(waiting)]
    inner = [s for s in program.sites if s.file == program.file and any(first <= s.line <= last for first, last in lines)]
    return list({s.site: s for s in (*found, *inner)}.values())


def main_sites(block: Block, program: Program) -> list[SiteFacts]:
    """Where a block is cut: at its own site, or else at the outermost sites of the functions that it calls, the first one first."""
    sites = [s for s in sites_within(block, program) if s.code or s.form == "frame"]
    own = [s for s in sites if s.line == block.first_line] or [s for s in sites if block.first_line <= s.line <= block.last_line]
    if own and (own[0].code or own[0].form == "frame"):
        inner = [s for s in sites if s.form == "frame"] if own[0].form == "frame" else []
        return [own[0], *(s for s in inner if s is not own[0])]
    return [s for s in sites if not _is_nested(s, program)]


def _is_nested(site: SiteFacts, program: Program) -> bool:
    """Whether it stands within a loop or function inside of a function."""
    for function in _functions(program.source, program.file).values():
        if function.lineno <= site.line <= (function.end_lineno or 0):
            loops = [n for n in walk(function) if isinstance(n, ast.For | ast.While) and n.lineno < site.line <= (n.end_lineno or 0)]
            return bool(loops)
    return False


def is_opened(statement: ast.stmt, functions: dict[str, ast.FunctionDef]) -> bool:
    """Whether the body of a function of the script stands for this statement."""
    match statement:
        case ast.Expr(value=ast.Call(func=ast.Name(id=name), args=[], keywords=[])):
            return name in functions
    return False
