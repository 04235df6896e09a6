"""Make a wrong program small: statements and input lines go, as long as it stays wrong.

    smaller = minimise(program, is_wrong)

Each statement is tried away, compound statements are replaced by their bodies, inputs lose halves, then single lines.
"""

from __future__ import annotations

import ast
import copy
import time
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.differential.programs import RandomProgram

LARGEST_EFFORT = 400
"""Trials that one program is worth; each takes a tenth of a second."""
LONGEST_SECONDS = 60.0
"""What hangs takes its whole time limit in each trial, and a finding must not hold up those after it."""


class _Effort:
    def __init__(self, is_wrong: Callable[[RandomProgram], bool]) -> None:
        self.left = LARGEST_EFFORT
        self.deadline = time.monotonic() + LONGEST_SECONDS
        self.is_wrong = is_wrong

    def holds(self, program: RandomProgram) -> bool:
        if self.left <= 0 or time.monotonic() > self.deadline or not _is_valid(program.script):
            return False
        self.left -= 1
        return self.is_wrong(program)


def _is_valid(script: str) -> bool:
    try:
        compile(script, "script.py", "exec", dont_inherit=True)
    except SyntaxError:
        return False
    return True


def minimise(program: RandomProgram, is_wrong: Callable[[RandomProgram], bool]) -> RandomProgram:
    """A smaller program that is still wrong."""
    effort = _Effort(is_wrong)
    while True:
        smaller = _fewer_chunks(_fewer_lines(_fewer_statements(program, effort), effort), effort)
        if smaller == program:
            return program
        program = smaller


def _fewer_statements(program: RandomProgram, effort: _Effort) -> RandomProgram:
    place = 0
    while True:
        tree = ast.parse(program.script)
        variants = list(_variants(tree, place))
        if not variants:
            return program
        for variant in variants:
            candidate = replace(program, script=ast.unparse(ast.fix_missing_locations(variant)) + "\n")
            if candidate.script != program.script and effort.holds(candidate):
                program = candidate
                break
        else:
            place += 1


def _variants(tree: ast.Module, place: int) -> Iterator[ast.Module]:
    """The tree without its statement number `place`, counted from the end, or with that statement's body in its stead."""
    count = sum(len(body) for body in _bodies(tree))
    if place >= count:
        return
    for keep in (False, True):
        changed = copy.deepcopy(tree)
        position = count - 1 - place
        for body in _bodies(changed):
            if position < len(body):
                inner = getattr(body[position], "body", None)
                if keep and not isinstance(inner, list):
                    return
                body[position : position + 1] = inner if keep and inner else [] if len(body) > 1 else [ast.Pass()]
                break
            position -= len(body)
        yield changed


def _bodies(tree: ast.AST) -> list[list[ast.stmt]]:
    found = []
    for node in ast.walk(tree):
        for name in ("body", "orelse", "finalbody"):
            body = getattr(node, name, None)
            if isinstance(body, list) and body:
                found.append(body)
    return found


def _fewer_lines(program: RandomProgram, effort: _Effort) -> RandomProgram:
    for name in program.files:
        step = max(1, len(program.files[name].splitlines()) // 2)
        while step:
            lines = program.files[name].splitlines(keepends=True)
            start = 0
            while start < len(lines):
                shorter = lines[:start] + lines[start + step :]
                candidate = replace(program, files={**program.files, name: "".join(shorter)})
                if effort.holds(candidate):
                    program, lines = candidate, shorter
                else:
                    start += step
            step //= 2
    unused = {name: text for name, text in program.files.items() if name in program.script}
    return replace(program, files=unused)


def _fewer_chunks(program: RandomProgram, effort: _Effort) -> RandomProgram:
    for chunks in (2, 3):
        candidate = replace(program, chunks=chunks)
        if chunks < program.chunks and effort.holds(candidate):
            return candidate
    return program
