"""What a loop must know of the code around it: its function, its class, and what the functions it may call mention."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from runsurge_dask.analysis.names import SCOPES, function_reads, own_nodes


@dataclass(slots=True)
class Mentions:
    """For each function and class of the program, by simple name, every name and attribute that it mentions."""

    table: dict[str, set[str]] = field(default_factory=dict)
    global_reads: dict[str, set[str]] = field(default_factory=dict)
    """Names that functions read from around them, by the function's simple name."""

    def add(self, tree: ast.Module) -> None:
        """Take in one module."""
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                self.table.setdefault(node.name, set()).update(mentioned(node))
                if not isinstance(node, ast.ClassDef):
                    self.global_reads.setdefault(node.name, set()).update(function_reads(node))
            elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Lambda | ast.Call | ast.Dict | ast.Name | ast.Attribute):
                names = [t.id for t in node.targets if isinstance(t, ast.Name)]
                for name in names:
                    self.table.setdefault(name, set()).update(mentioned(node.value))
                    if any(isinstance(n, ast.Lambda) for n in ast.walk(node.value)):
                        self.global_reads.setdefault(name, set()).update(mentioned(node.value))

    def reachable(self, names: set[str]) -> set[str]:
        """Every function or class that code mentioning these names may come to run, by simple name."""
        found: set[str] = set()
        waiting = [name for name in names if name in self.table]
        while waiting:
            name = waiting.pop()
            if name in found:
                continue
            found.add(name)
            waiting.extend(other for other in self.table[name] if other in self.table and other not in found)
            if "__init__" in self.table and name[:1].isupper():
                waiting.append("__init__")
            waiting.extend(m for m in self.table[name] if m.startswith("__") and m in self.table)
        return found

    def read_around(self, names: set[str]) -> set[str]:
        """Names that the functions reachable from these names read from around them."""
        reachable = self.reachable(names)
        return set().union(*(self.global_reads.get(name, set()) for name in reachable))

    def attributes(self, names: set[str]) -> set[str]:
        """Everything that the functions reachable from these names mention."""
        return set().union(*(self.table[name] for name in self.reachable(names)))


def mentioned(node: ast.AST) -> set[str]:
    """Every name and attribute that a piece of code spells."""
    found: set[str] = set()
    for inner in ast.walk(node):
        if isinstance(inner, ast.Name):
            found.add(inner.id)
        elif isinstance(inner, ast.Attribute):
            found.add(inner.attr)
        elif isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and inner is not node:
            found.add(inner.name)
    return found


@dataclass(slots=True)
class Scope:
    """Where a statement stands."""

    tree: ast.Module
    file: str
    mentions: Mentions
    function: ast.FunctionDef | None = None
    class_name: str = ""
    outer: tuple[ast.FunctionDef, ...] = ()

    @property
    def body(self) -> list[ast.stmt]:
        return self.function.body if self.function is not None else self.tree.body

    def declared(self) -> set[str]:
        """Names that the function declares global or nonlocal."""
        if self.function is None:
            return set()
        return {name for node in own_nodes(self.function.body) if isinstance(node, ast.Global | ast.Nonlocal) for name in node.names}

    def is_shared(self, name: str) -> bool:
        """Whether code outside of this scope can see this name of ours."""
        if self.function is None or name in self.declared():
            return True
        inner = [n for n in ast.walk(self.function) if isinstance(n, SCOPES) and n is not self.function]
        return any(name in mentioned(n) for n in inner)

    def starts_as(self, place: tuple[str, ...]) -> str:
        """How a place is first made, as far as one assignment tells."""
        for node in ast.walk(self.function if self.function is not None and len(place) == 1 else self.tree):
            value = _assigned_value(node, place)
            if value is not None:
                return _kind_of(value)
        return ""

    def is_generator(self) -> bool:
        return self.function is not None and any(isinstance(n, ast.Yield | ast.YieldFrom) for n in own_nodes(self.function.body))


def _assigned_value(node: ast.AST, place: tuple[str, ...]) -> ast.expr | None:
    text = ".".join(place)
    match node:
        case ast.Assign(targets=targets, value=value) if any(_spells(t, text) for t in targets):
            return value
        case ast.AnnAssign(target=target, value=value) if value is not None and _spells(target, text):
            return value
        case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Tuple(elts=values)) if len(names) == len(values):
            return next((v for n, v in zip(names, values, strict=True) if _spells(n, text)), None)
    return None


def _spells(node: ast.expr, text: str) -> bool:
    return isinstance(node, ast.Name | ast.Attribute) and ast.unparse(node) == text


def _kind_of(value: ast.expr) -> str:
    match value:
        case ast.Dict() | ast.DictComp():
            return "dict"
        case ast.List() | ast.ListComp():
            return "list"
        case ast.Set() | ast.SetComp():
            return "set"
        case ast.Call(func=function):
            name = ast.unparse(function).split(".")[-1]
            return {"OrderedDict": "dict"}.get(name, name)
    return "other"
