"""A script as a row of units: statements with what they read, bind and change; and where tasks may begin between them.

    import csv                       repeated in every task
    def clean(word): ...             repeated in every task
    rows = load("in.csv")            unit 1: binds rows
    total = 0                        unit 2: binds total; sinks to the loop
    for row in rows: total += row    unit 3: reads rows, changes total
    print(total)                     unit 4: reads total, writes
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runsurge_dask.analysis.names import bound_names, carried_reads, read_names
from runsurge_dask.analysis.structure import walk
from runsurge_dask.planning.kinds import is_fresh
from runsurge_dask.planning.tasks import words
from runsurge_dask.planning.tasks.flow import Flow, summarize, writes
from runsurge_dask.planning.tasks.language import Outside, imported

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """One statement at the top of the script, or of its opened `main`."""

    node: ast.stmt
    reads: frozenset[str]
    """Variables that it reads before it binds them, those of the functions that it calls among them."""
    binds: frozenset[str]
    changes: frozenset[str]
    """Names whose values may look different afterwards."""
    writes: bool
    """It prints, or writes a file."""

    @property
    def touches(self) -> frozenset[str]:
        """Everything that a process must have to run it, as far as it is there before."""
        return self.reads | self.binds | self.changes

    @property
    def is_initial(self) -> bool:
        """Whether it only binds a name to something new and empty."""
        match self.node:
            case ast.Assign(targets=[ast.Name()], value=value):
                return is_fresh(value) or _is_empty_counter(value)
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """A script of the small language."""

    imports: tuple[ast.stmt, ...]
    functions: dict[str, ast.FunctionDef]
    units: tuple[Unit, ...]
    flow: Flow


def read_script(tree: ast.Module) -> Script:
    """The units of a script that is inside the small language.

    Raises:
        Outside: a function or module is used above its definition.
    """
    imports = tuple(node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom))
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    modules = frozenset(imported(tree))
    defined = set(functions) | modules
    body = _opened([node for node in tree.body if not isinstance(node, ast.Import | ast.ImportFrom | ast.FunctionDef)], functions, tree)
    _check_order(tree, defined)
    summaries = summarize(functions, modules)
    flow = Flow(summaries, functions, modules).learn(body)
    own = set(functions) | words.BUILTINS | words.EXCEPTIONS | modules | {"__name__"}
    units = [_unit(node, flow, own) for node in body if not _is_docstring(node)]
    return Script(imports=imports, functions=functions, units=tuple(_sunk(units)), flow=flow)


def _unit(node: ast.stmt, flow: Flow, own: set[str]) -> Unit:
    called = read_names([node]) & set(flow.functions)
    reads = (carried_reads([node], set()) | set().union(*(flow.summaries[name].reads for name in called))) - own
    return Unit(
        node=node, reads=frozenset(reads), binds=frozenset(bound_names([node])), changes=frozenset(flow.changed_by([node])),
        writes=writes([node]) or any(flow.summaries[name].writes for name in called),
    )  # fmt: skip


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _opened(body: list[ast.stmt], functions: dict[str, ast.FunctionDef], tree: ast.Module) -> list[ast.stmt]:
    """The statements with the main guard and a called `main()` looked into, where their names stay what they are."""
    found: list[ast.stmt] = []
    for node in body:
        match node:
            case ast.If(test=ast.Compare(left=ast.Name(id="__name__"), ops=[ast.Eq()], comparators=[ast.Constant("__main__")]), orelse=[]):
                found += _opened(node.body, functions, tree)
            case ast.Expr(value=ast.Call(func=ast.Name(id=name), args=[], keywords=[])) if _may_open(functions.get(name), tree):
                found += _opened(functions.pop(name).body, functions, tree)
            case _:
                found.append(node)
    return found


def _may_open(function: ast.FunctionDef | None, tree: ast.Module) -> bool:
    """Whether a function is called here only, returns nothing, and shares no name with the rest of the script."""
    if function is None or function.args.args or function.args.vararg or function.args.kwarg or function.args.kwonlyargs:
        return False
    inside = {id(node) for node in walk(function)}
    outside = [node for node in walk(tree) if id(node) not in inside]
    calls = sum(isinstance(node, ast.Name) and node.id == function.name for node in walk(tree))
    others = {node.id for node in outside if isinstance(node, ast.Name)} | {node.arg for node in outside if isinstance(node, ast.arg)}
    returns = any(isinstance(node, ast.Return) for node in walk(function))
    return calls == 1 and not returns and not bound_names(function.body) & others


def _check_order(tree: ast.Module, defined: set[str]) -> None:
    """Definitions are repeated at the top of every task: none may be used above its place."""
    seen: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom | ast.FunctionDef):
            seen |= bound_names([node])
        elif not _is_docstring(node):
            early = {each.id for each in walk(node) if isinstance(each, ast.Name)} & (defined - seen)
            if early:
                raise Outside(node, f"`{min(early)}` is used above its definition")
            if len(seen & defined) < len(defined) and any(isinstance(each, ast.Call) for each in walk(node)):
                _check_calls(node, defined - seen, tree)


def _check_calls(node: ast.stmt, late: set[str], tree: ast.Module) -> None:
    """A function called here may call one that is defined below."""
    functions = {each.name: each for each in tree.body if isinstance(each, ast.FunctionDef)}
    waiting = [each.id for each in walk(node) if isinstance(each, ast.Name) and each.id in functions]
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            spelled = {each.id for each in walk(functions[name]) if isinstance(each, ast.Name)}
            if spelled & late:
                raise Outside(node, f"`{min(spelled & late)}` may be used above its definition")
            waiting += spelled & set(functions)


def _sunk(units: Sequence[Unit]) -> list[Unit]:
    """The units with those that bind something new and empty moved down to the first that has to do with it."""
    found: list[Unit] = []
    waiting: list[Unit] = []
    for unit in units:
        ready = [each for each in waiting if each.binds & (unit.touches | _spelled(unit))]
        found += ready
        waiting = [each for each in waiting if each not in ready]
        (waiting if unit.is_initial else found).append(unit)
    return found + waiting


def _spelled(unit: Unit) -> set[str]:
    return {node.id for node in walk(unit.node) if isinstance(node, ast.Name)}


def _is_empty_counter(value: ast.expr) -> bool:
    match value:
        case ast.Call(func=ast.Name(id="defaultdict"), args=[ast.Name(id="int" | "list")], keywords=[]):
            return True
        case ast.Call(func=ast.Name(id="Counter"), args=[], keywords=[]):
            return True
    return False


def storable_breaks(script: Script) -> list[bool]:
    """For each unit, whether a task may begin with it, what comes before being stored.

    Not while something lives that cannot be stored (files, readers, generators), and not where a value that two stored names may
    share is changed afterwards.
    """
    units = script.units
    may_begin = [True] * len(units)
    for first, last in _spans(units):
        for place in range(first + 1, last + 1):
            may_begin[place] = False
    return may_begin


def _spans(units: Sequence[Unit]) -> list[tuple[int, int]]:
    first_bound: dict[str, int] = {}
    last_used: dict[str, int] = {}
    for place, unit in enumerate(units):
        for name in unit.binds:
            first_bound.setdefault(name, place)
        for name in unit.reads | unit.binds:
            last_used[name] = place
    spans = [(place, last_used[name]) for place, unit in enumerate(units) for name in unit.binds if _binds_iterator(unit.node, name)]
    for place, unit in enumerate(units):
        shared = {name for name in unit.changes if first_bound.get(name, place) < place and last_used.get(name, -1) >= place}
        if len(shared) > 1:
            spans.append((min(first_bound[name] for name in shared), place))
    return spans


def _binds_iterator(node: ast.stmt, name: str) -> bool:
    """Whether a statement binds a name to what can be gone through once only."""
    for inner in walk(node):
        match inner:
            case ast.Assign(targets=[ast.Name(id=bound)], value=ast.Call() as call) if bound == name:
                owner = call.func.value if isinstance(call.func, ast.Attribute) else None
                function = call.func.id if isinstance(call.func, ast.Name) else ""
                module = owner.id if isinstance(owner, ast.Name) else ""
                if function in words.ITERATOR_CALLS or module in words.ITERATOR_MODULES:
                    return True
    return False
