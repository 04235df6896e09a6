"""Text -> `Program`: parse, follow imports beside the script, prove each site, compile both forms."""

from __future__ import annotations

import ast
import marshal
import os
import tokenize
import types
from dataclasses import replace
from typing import TYPE_CHECKING

from runsurge_dask.analysis.arrays import follow_arrays, looks_around, writes_bytes, writes_errors
from runsurge_dask.analysis.blocks import blocks_of
from runsurge_dask.analysis.frames import classify_frames
from runsurge_dask.analysis.hints import hints_of, hold_against
from runsurge_dask.analysis.rewrite import rewrite
from runsurge_dask.analysis.scopes import Mentions
from runsurge_dask.analysis.structure import walk
from runsurge_dask.analysis.written import GENERATOR_PREFIX
from runsurge_dask.errors import ScriptError
from runsurge_dask.ir.program import ModuleCode, Program
from runsurge_dask.knowledge.calls import SEEDING_CALLS
from runsurge_dask.runner.facts import SiteFacts, SplitKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


DEEPEST_SOURCE = 1 << 22
"""Larger sources are refused before they are parsed."""


def read_source(path: str) -> str:
    """The text of a script, decoded as Python would.

    Raises:
        ScriptError: it is not there, or not text.
    """
    try:
        with tokenize.open(path) as file:
            source = file.read()
    except FileNotFoundError:
        raise ScriptError(path, "there is no such script", remedy="Check the path.", code="no-script") from None
    except IsADirectoryError:
        raise ScriptError(path, "this is a folder, not a script", remedy="Name the .py file in it.", code="no-script") from None
    except (SyntaxError, UnicodeDecodeError) as error:
        raise ScriptError(path, f"the script is not readable text ({error})", remedy="Save it as UTF-8.", code="bad-encoding") from None
    except OSError as error:
        raise ScriptError(
            path, f"the script cannot be read ({error.strerror})", remedy="Check its permissions.", code="no-script"
        ) from None
    if len(source) > DEEPEST_SOURCE:
        raise ScriptError(path, "the script is larger than 4 MiB", remedy="Move data out of it into a file.", code="script-too-large")
    return source


def build_program(source: str, path: str) -> Program:
    """Parse and prove a script and the modules beside it.

    Raises:
        ScriptError: a syntax error, or nothing to run.
    """
    tree = parse(source, path)
    trees = {"__main__": (path, tree, False), **dict(_modules_beside(tree, os.path.dirname(os.path.abspath(path))))}
    mentions = Mentions()
    for _, module, _ in trees.values():
        mentions.add(module)
    follows = not any(looks_around(module) for _, module, _ in trees.values()) and not mentions.compares_identity
    sites: list[SiteFacts] = []
    hints = hints_of(tree, source)
    codes: dict[str, ModuleCode] = {}
    for name, (file, module, is_package) in trees.items():
        rewritten, facts = rewrite(module, file, mentions, len(sites), follows_lists=follows and name == "__main__")
        sites.extend(hold_against(hints, found) for found in facts)
        if name == "__main__":
            rewritten, facts = follow_arrays(module, rewritten, file, len(sites) + 1)
            sites.extend(facts)
        codes[name] = ModuleCode(
            name=name, file=file, rewritten=_compile(rewritten, file), plain=_compile(module, file), is_package=is_package
        )
    sites.extend(classify_frames({name: (file, module) for name, (file, module, _) in trees.items()}, len(sites) + 1))
    every = [module for _, module, _ in trees.values()]
    patch = _patched_library(mentions, trees)
    if mentions.file_classes:
        patch = f"line {mentions.file_classes[0]}: it asks whether a file is of one class and no other"
    if patch:
        sites = [replace(facts, kind=SplitKind.WHOLE, code=b"", divided=None, reason=patch) for facts in sites]
    return Program(
        file=path,
        source=source,
        doc=ast.get_docstring(tree, clean=False),
        blocks=tuple(blocks_of(tree)),
        sites=tuple(sites),
        main=codes.pop("__main__"),
        modules=tuple(codes.values()),
        imports=frozenset(name for module in every for name in imported_names(module)),
        entry=_entry_of(tree, path),
        is_seeding=any(_seeds(module) for module in every),
        is_seeing_decimals=mentions.sees_decimals,
        is_seeing_errors=mentions.sees_errors,
        is_patching=bool(patch),
        is_telling_files=bool(mentions.file_classes),
        is_writing_errors=writes_errors(every),
        is_writing_bytes=writes_bytes(every),
        is_looking_into_caches=any(
            isinstance(n, ast.Attribute) and n.attr.startswith("cache_") for module in every for n in walk(module)
        ),
    )


def _patched_library(mentions: Mentions, trees: Mapping[str, tuple[str, ast.Module, bool]]) -> str:
    """Why nothing may be cut: the script changes a library, which chunks would have as it was; empty if it does not."""
    libraries: set[str] = set()
    for node in (n for _, tree, _ in trees.values() for n in walk(tree)):
        match node:
            case ast.Import(names=aliases):
                libraries |= {a.asname or a.name.split(".")[0] for a in aliases if a.name.split(".")[0] not in trees}
            case ast.ImportFrom(level=0, module=str(module), names=aliases) if module.split(".")[0] not in trees:
                libraries |= {a.asname or a.name for a in aliases}
    first = min(((line, name) for name, line in mentions.patched.items() if name in libraries - {"sys"}), default=None)
    return f"line {first[0]}: it changes `{first[1]}`, which chunks would have as it was" if first else ""


def parse(source: str, path: str) -> ast.Module:
    """Parse, naming line and reason where that fails.

    Raises:
        ScriptError: the text is no Python.
    """
    try:
        return ast.parse(source, path)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None)
        where = f"{path}, line {line}" if line else path
        what = getattr(error, "msg", None) or "the script cannot be parsed"
        text = (getattr(error, "text", None) or "").strip()
        what = f"syntax error: {what}" + (f" in `{text}`" if text else "")
        raise ScriptError(where, what, remedy="Correct the line; `python` would refuse it, too.", code="syntax-error") from None


def _compile(tree: ast.Module, file: str) -> bytes:
    return marshal.dumps(_with_plain_names(compile(tree, os.path.abspath(file), "exec", dont_inherit=True)))


def _with_plain_names(code: types.CodeType) -> types.CodeType:
    """Functions that were generator expressions show under that name in tracebacks."""
    constants = tuple(_with_plain_names(c) if isinstance(c, types.CodeType) else c for c in code.co_consts)
    name = "<genexpr>" if code.co_name.startswith(GENERATOR_PREFIX) else code.co_name
    return code.replace(co_consts=constants, co_name=name)


def imported_names(tree: ast.Module) -> set[str]:
    """Top-level names of the modules that a module imports, anywhere in it."""
    found: set[str] = set()
    for node in walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


def _dotted_imports(tree: ast.Module) -> set[str]:
    found: set[str] = set()
    for node in walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


def _modules_beside(tree: ast.Module, folder: str) -> Iterator[tuple[str, tuple[str, ast.Module, bool]]]:
    """Modules of the user's own, found beside the script, through all their imports."""
    waiting, seen = [tree], set[str]()
    while waiting:
        for dotted in sorted(_dotted_imports(waiting.pop())):
            parts = dotted.split(".")
            for depth in range(1, len(parts) + 1):
                name = ".".join(parts[:depth])
                if name in seen:
                    continue
                seen.add(name)
                found = _find_module(folder, parts[:depth])
                if found is None:
                    break
                file, is_package = found
                try:
                    module = parse(read_source(file), file)
                except ScriptError:
                    continue  # the import itself will say so, if it is ever reached
                waiting.append(module)
                yield name, (file, module, is_package)


def _find_module(folder: str, parts: list[str]) -> tuple[str, bool] | None:
    stem = os.path.join(folder, *parts)
    if os.path.isfile(stem + ".py"):
        return stem + ".py", False
    initial = os.path.join(stem, "__init__.py")
    return (initial, True) if os.path.isfile(initial) else None


def _entry_of(tree: ast.Module, path: str) -> str:
    """`main` or `process` where the script only defines things; nothing where its own top level does the work."""
    quiet = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom)
    works = [s for s in tree.body if not isinstance(s, quiet) and not _is_declaration(s)]
    if works:
        return ""
    defined = {s.name for s in tree.body if isinstance(s, ast.FunctionDef)}
    for entry in ("main", "process"):
        if entry in defined:
            return entry
    raise ScriptError(
        path, "Bad program format: there is neither a function `main` (or `process`) nor anything at the top level",
        remedy="Add `def main():` or call your functions at the end.", code="bad-program-format"
    )


def _is_declaration(node: ast.stmt) -> bool:
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    return isinstance(node, ast.Assign | ast.AnnAssign) and (node.value is None or isinstance(node.value, ast.Constant | ast.UnaryOp))


def _seeds(tree: ast.Module) -> bool:
    for node in walk(tree):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in SEEDING_CALLS:
                return True
        elif isinstance(node, ast.ImportFrom) and any(alias.name in SEEDING_CALLS for alias in node.names):
            return True
    return False
