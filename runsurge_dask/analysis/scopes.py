"""What a loop must know of the code around it: its function, its class, and what the functions it may call mention."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runsurge_dask.analysis.names import (
    SCOPES,
    Seen,
    bound_names,
    carried_reads,
    declared_names,
    function_reads,
    own_nodes,
    parameter_names,
    read_names,
)
from runsurge_dask.analysis.structure import children, walk
from runsurge_dask.knowledge.calls import DECIMAL_CONTEXTS, FRAME_CALLS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


@dataclass(slots=True)
class Mentions:
    """For each function and class of the program, by simple name, every name and attribute that it mentions."""

    table: dict[str, set[str]] = field(default_factory=dict)
    around: dict[str, set[tuple[str, str]]] = field(default_factory=dict)
    """Names that functions use from around them, each with the function that owns it ("" for a module)."""
    bodies: dict[str, list[ast.FunctionDef | ast.AsyncFunctionDef]] = field(default_factory=dict)

    classes: set[str] = field(default_factory=set)
    loose_classes: set[str] = field(default_factory=set)
    """Classes that are handed about as values: any name may then stand for one of them."""

    sees_errors: bool = False
    """Somewhere it may see which exception is being handled."""
    sees_decimals: bool = False
    """The program looks at the context of decimal arithmetic, or changes it."""
    compares_identity: bool = False
    """The program asks whether two values are the same object."""
    file_classes: list[int] = field(default_factory=list)
    """Lines that ask whether a file is of one class and no other."""
    patched: dict[str, int] = field(default_factory=dict)
    """Names whose attributes are set (`math.sqrt = mine`), with the first line; those of libraries would be unchanged in a chunk."""
    bound: set[str] = field(default_factory=set)
    """Every name that is bound by assignment, or is a parameter, somewhere."""
    genexps: set[str] = field(default_factory=set)
    """Names that may stand for a generator expression."""
    imported: set[str] = field(default_factory=set)
    """Names that imports bind anywhere in the program."""
    seen: Seen = field(default_factory=dict)
    """Nodes of the modules as they were parsed, already looked at."""
    _frame_calls: dict[int, bool] = field(default_factory=dict)

    _first_values: dict[int, tuple[ast.AST, dict[str, ast.expr]]] = field(default_factory=dict)
    """By the id of a node, which is kept with it, so that the id stays its own."""
    _names_within: dict[int, tuple[ast.AST, set[str]]] = field(default_factory=dict)

    def first_values(self, root: ast.AST) -> dict[str, ast.expr]:
        """What each place in a module or function is first made as."""
        if id(root) not in self._first_values:
            found: dict[str, ast.expr] = {}
            for place, value in (pair for node in walk(root) for pair in _assignments(node)):
                found.setdefault(place, value)
            self._first_values[id(root)] = root, found
        return self._first_values[id(root)][1]

    def names_within(self, function: ast.AST) -> set[str]:
        """Names that functions and classes inside of a function mention."""
        if id(function) not in self._names_within:
            inner = [node for node in walk(function) if isinstance(node, SCOPES) and node is not function]
            self._names_within[id(function)] = function, {name for node in inner for name in mentioned(node)}
        return self._names_within[id(function)][1]

    def add(self, tree: ast.Module) -> None:
        """Take in one module."""
        self.classes.update(node.name for node in walk(tree) if isinstance(node, ast.ClassDef))
        self.loose_classes |= set(_values(tree)) & self.classes
        self.sees_decimals |= bool(mentioned(tree) & DECIMAL_CONTEXTS)
        self.compares_identity |= any(map(_asks_identity, walk(tree)))
        self.file_classes += [node.lineno for node in walk(tree) if isinstance(node, ast.Compare) and _tells_files_apart(node)]
        keywords = {node.arg for node in walk(tree) if isinstance(node, ast.keyword)}
        self.sees_errors |= bool(mentioned(tree) & ERROR_STATE) or "exc_info" in keywords
        for name, line in _patches(tree):
            self.patched.setdefault(name, line)
        self.bound |= {n.id for n in walk(tree) if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load)}
        self.bound |= {n.arg for n in walk(tree) if isinstance(n, ast.arg)}
        self.imported |= bound_names(node for node in walk(tree) if isinstance(node, ast.Import | ast.ImportFrom))
        self._enter(tree, ())

    def _enter(self, node: ast.AST, above: tuple[ast.FunctionDef | ast.AsyncFunctionDef, ...]) -> None:
        for child in children(node):
            inner = above
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                self.table.setdefault(child.name, set()).update(mentioned(child))
                self.bodies.setdefault(child.name, []).append(child)
                for name in function_reads(child):
                    self.around.setdefault(child.name, set()).add((name, _owner(name, above)))
                inner = (*above, child)
            elif isinstance(child, ast.ClassDef):
                self.table.setdefault(child.name, set()).update(mentioned(child))
            elif isinstance(child, ast.Assign):
                self._note_assigned(child, above)
            self._enter(child, inner)

    def _note_assigned(self, node: ast.Assign, above: tuple[ast.FunctionDef | ast.AsyncFunctionDef, ...]) -> None:
        for name in [t.id for t in node.targets if isinstance(t, ast.Name)]:
            self.table.setdefault(name, set()).update(mentioned(node.value))
            for inner in walk(node.value):
                if isinstance(inner, ast.GeneratorExp):
                    self.genexps.add(name)
                if isinstance(inner, ast.Lambda | ast.GeneratorExp):
                    self.around.setdefault(name, set()).update((n, _owner(n, above)) for n in read_names([inner]))

    def looks_at_frames(self, tree: ast.Module) -> bool:
        """Whether code of this module sees or changes the frame it stands in."""
        if id(tree) not in self._frame_calls:
            calls = (n.func for n in walk(tree) if isinstance(n, ast.Call))
            self._frame_calls[id(tree)] = any(isinstance(f, ast.Name) and f.id in FRAME_CALLS for f in calls)
        return self._frame_calls[id(tree)]

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
        return found

    def read_around(self, names: set[str], owner: str) -> set[str]:
        """Names of this owner that the functions reachable from these names use from around them."""
        reachable = self.reachable(names)
        return {name for function in reachable for name, of in self.around.get(function, ()) if of in {owner, ""}}

    def asks_ids(self, nodes: Iterable[ast.AST], names: set[str]) -> bool:
        """Whether this code, or a function that it may call, asks `id()`: in another process the answer is another one."""
        if "id" in self.bound:
            return False
        functions = [f for name in self.reachable(names) for f in self.bodies.get(name, ())]
        return any(isinstance(n, ast.Name) and n.id == "id" for node in (*nodes, *functions) for n in walk(node))

    def may_generate(self, iterable: ast.expr) -> bool:
        """Whether this may be a generator of the script's own, whose loop a consumer can take over."""
        spelled = mentioned(iterable)
        if any(isinstance(node, ast.GeneratorExp) for node in walk(iterable)):
            return True
        functions = [f for name in self.reachable(spelled) for f in self.bodies.get(name, ())]
        return bool(spelled & self.genexps) or any(isinstance(n, ast.Yield | ast.YieldFrom) for f in functions for n in own_nodes(f.body))

    def spelled_in_code(self, names: set[str]) -> set[str]:
        """What functions and lambdas reachable from these names mention, and not how plain values were once made."""
        run = self.bodies.keys() | self.classes | self.around.keys()
        return set().union(*(self.table[name] for name in self.reachable(names) if name in run))

    def attributes(self, names: set[str]) -> set[str]:
        """Everything that the functions reachable from these names mention."""
        return set().union(*(self.table[name] for name in self.reachable(names)))


def _values(tree: ast.Module) -> Iterator[str]:
    """Names that are used as values, and not only called, looked into, tested against or inherited from."""
    bare: set[int] = set()
    for node in walk(tree):
        match node:
            case ast.Call(func=ast.Name(id="isinstance" | "issubclass" | "super"), args=arguments):
                bare.update(id(inner) for argument in arguments for inner in walk(argument))
            case ast.Call(func=function):
                bare.add(id(function))
            case ast.Attribute(value=value):
                bare.add(id(value))
            case ast.ClassDef(bases=bases):
                bare.update(map(id, bases))
            case ast.ExceptHandler(type=kind) if kind is not None:
                bare.update(map(id, walk(kind)))
            case ast.arg(annotation=kind) | ast.AnnAssign(annotation=kind) | ast.FunctionDef(returns=kind) if kind is not None:
                bare.update(map(id, walk(kind)))
            case ast.MatchClass(cls=kind):
                bare.add(id(kind))
    yield from (n.id for n in walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load) and id(n) not in bare)


def _patches(tree: ast.Module) -> Iterator[tuple[str, int]]:
    for node in walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id=name), ctx=ast.Store() | ast.Del()):
                yield name, node.lineno
            case ast.Call(func=ast.Name(id="setattr" | "delattr"), args=[ast.Name(id=name), *_]):
                yield name, node.lineno


def _asks_identity(node: ast.AST) -> bool:
    match node:
        case ast.Name(id="id", ctx=ast.Load()):
            return True
        case ast.Compare(left=left, ops=ops, comparators=[*others]) if any(isinstance(op, ast.Is | ast.IsNot) for op in ops):
            return not any(isinstance(side, ast.Constant) for side in (left, *others))
    return False


ERROR_STATE = frozenset({
    "exc_info", "exception", "format_exc", "print_exc", "format_exception", "print_exception", "TracebackException", "__context__"
})
_FILE_CLASSES = frozenset({"TextIOWrapper", "BufferedReader", "BufferedWriter", "BufferedRandom", "FileIO"})


def _tells_files_apart(node: ast.Compare) -> bool:
    """Whether this asks if a class is that of open files: ours are not, though they are equal to it."""
    return any(isinstance(op, ast.Is | ast.IsNot) for op in node.ops) and bool(mentioned(node) & _FILE_CLASSES)


def _owner(name: str, above: tuple[ast.FunctionDef | ast.AsyncFunctionDef, ...]) -> str:
    for function in reversed(above):
        declared = declared_names(function.body)
        if name in declared:
            continue
        if name in parameter_names(function.args) or name in bound_names(function.body):
            return function.name
    return ""


def mentioned(node: ast.AST) -> set[str]:
    """Every name and attribute that a piece of code spells."""
    found: set[str] = set()
    for inner in walk(node):
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
    def owner(self) -> str:
        """The name of the function that this is; empty at the top level."""
        return self.function.name if self.function is not None else ""

    def live_after(self, loop: ast.stmt) -> set[str] | None:
        """Names that code after this statement may read before it binds them anew; None where the statement is not found."""
        found: set[str] = set()
        return found if self._continue(self.body, loop, found) else None

    def live_names(self, names: set[str], loop: ast.For) -> set[str]:
        """Those of the names that somebody may still read after the loop."""
        if self.mentions.looks_at_frames(self.tree):
            return names
        after = self.live_after(loop)
        if after is None:
            return names
        after |= carried_reads(loop.orelse, set())
        around = {name for uses in self.mentions.around.values() for name, owner in uses if owner in {self.owner, ""}}
        return {name for name in names if name in after or (self.is_shared(name) and name in around)}

    def _continue(self, suite: list[ast.stmt], loop: ast.stmt, found: set[str]) -> bool:
        for position, statement in enumerate(suite):
            if statement is loop or (statement.lineno, statement.col_offset) == (loop.lineno, loop.col_offset):
                found |= carried_reads(suite[position + 1 :], set(), self.mentions.seen)
                return True
            if isinstance(statement, SCOPES):
                continue
            inner = [
                getattr(statement, name) for name in ("body", "orelse", "finalbody") if isinstance(getattr(statement, name, None), list)
            ]
            inner += [part.body for part in (*getattr(statement, "handlers", ()), *getattr(statement, "cases", ()))]
            if any(self._continue(block, loop, found) for block in inner):
                if isinstance(statement, ast.For | ast.While):
                    found |= carried_reads([statement], set(), self.mentions.seen)
                if isinstance(statement, ast.Try):
                    found |= carried_reads([s for block in inner for s in block], set(), self.mentions.seen)
                found |= carried_reads(suite[position + 1 :], set(), self.mentions.seen)
                return True
        return False

    @property
    def body(self) -> list[ast.stmt]:
        """The statements of the function, or of the file."""
        return self.function.body if self.function is not None else self.tree.body

    def declared(self) -> set[str]:
        """Names that the function declares global or nonlocal."""
        if self.function is None:
            return set()
        return declared_names(self.function.body)

    def is_shared(self, name: str) -> bool:
        """Whether code outside of this scope can see this name of ours."""
        if self.function is None or name in self.declared():
            return True
        return name in self.mentions.names_within(self.function)

    def starts_as(self, place: tuple[str, ...]) -> str:
        """How a place is first made, as far as one assignment tells."""
        root = self.function if self.function is not None and len(place) == 1 else self.tree
        value = self.mentions.first_values(root).get(".".join(place))
        return _kind_of(value) if value is not None else ""


def _assignments(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    match node:
        case ast.Assign(targets=targets, value=value):
            yield from ((_spelling(target), value) for target in targets)
            match targets, value:
                case [ast.Tuple(elts=names)], ast.Tuple(elts=values) if len(names) == len(values):
                    yield from zip(map(_spelling, names), values, strict=True)
        case ast.AnnAssign(target=target, value=value) if value is not None:
            yield _spelling(target), value


def _spelling(node: ast.expr) -> str:
    return ast.unparse(node) if isinstance(node, ast.Name | ast.Attribute) else ""


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
