"""Every block by rule, from the text and the sizes of the files that it names.

    rows = []                           rows holds nothing
    for row in csv.reader(f):           300,000 turns, as f has so many lines
        rows.append(row)                rows grows by one row a turn: 300,000 rows of 410 bytes
    itertools.count() in a list         refused: it has no end

Nothing of the script is run. What cannot be told apart is taken to be as large as what it is made of.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from runsurge_contracts.plan import Variable
from runsurge_dask.analysis.structure import children, walk
from runsurge_dask.estimation.fits import EstimateError
from runsurge_dask.estimation.instrument import opened
from runsurge_dask.estimation.rules import DEEPEST_CALL, Sizing, item_of
from runsurge_dask.estimation.things import SCALAR, SMALL_BYTES, Thing
from runsurge_dask.knowledge.sizes import GROWING, JOINING, NODE_SECONDS, SLOT_BYTES, UNBOUNDED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runsurge_dask.ir.program import Program

LEAST_BYTES = 1 << 20
"""What any block is given: an arena of Python's allocator."""


_FEW_TURNS = 8.0
_NEVER = 1e18
"""Bytes, items or seconds that no machine has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StaticBlock:
    """What the rules say of one block."""

    variables: Mapping[str, Variable]
    peak_bytes: int
    seconds: float


def walk_blocks(
    program: Program, tree: ast.Module, *, argv: Sequence[str], cwd: str, known: Mapping[str, Variable] | None = None, after: int = 0
) -> dict[int, StaticBlock]:
    """Blocks by number, from the one `after` on; `known` is what is known of variables there.

    Raises:
        EstimateError: something grows without an end.
    """
    walker = _Walker(program, tree, argv=argv, cwd=cwd)
    functions = {s.name: s for s in tree.body if isinstance(s, ast.FunctionDef)}
    found: dict[int, StaticBlock] = {}
    for number, statement in enumerate(opened(tree.body, functions, frozenset()), 1):
        if number == after + 1:
            walker.learn(known or {})
        block = walker.block(statement)
        if number > after:
            found[number] = block
    if program.entry and found:
        walker.begin()
        walker.function(functions[program.entry], [])
        number = next(n for n, block in enumerate(program.blocks, 1) if block.key == f"{program.entry}:{n}")
        if number in found:
            found[number] = walker.end()
    return found


class _Walker:
    def __init__(self, program: Program, tree: ast.Module, *, argv: Sequence[str], cwd: str) -> None:
        self.program = program
        self.functions = {s.name: s for s in walk(tree) if isinstance(s, ast.FunctionDef)}
        self.sizing = Sizing(argv=argv, cwd=cwd, call=self._called, refuse=self._refuse_expression)
        self.turns = 1.0
        self.depth = 0
        self.results: list[Thing] = []

    def learn(self, known: Mapping[str, Variable]) -> None:
        """Take over what samples have shown."""
        for name, variable in known.items():
            count = float(variable.length) if variable.length is not None else None
            old = self.sizing.names.get(name, SCALAR)
            each = variable.size_bytes / count if count else 0.0
            self.sizing.names[name] = replace(old, length=count, item_bytes=each, own_bytes=SMALL_BYTES if count else variable.size_bytes)

    def begin(self) -> None:
        """A block begins."""
        self.sizing.between_bytes = self.sizing.seconds = 0.0

    def block(self, statement: ast.stmt) -> StaticBlock:
        """One block of the program."""
        self.begin()
        reads = frozenset(n.id for n in walk(statement) if isinstance(n, ast.Name))
        before = {name: thing.held_bytes for name, thing in self.sizing.names.items() if name in reads}
        head = statement.items if isinstance(statement, ast.With) else None
        if head is not None:
            self._enter(head)
        elif not (isinstance(statement, ast.Expr) and _is_opened(statement, self.functions)):
            self.statement(statement)
        grown = sum(max(0.0, self.sizing.names[n].held_bytes - before.get(n, 0.0)) for n in reads if n in self.sizing.names)
        self.sizing.between_bytes = max(self.sizing.between_bytes, grown) + sum(before.values())
        return self.end()

    def end(self) -> StaticBlock:
        """What the block came to."""
        variables = {
            name: Variable(length=int(t.length) if t.length is not None and t.length < _NEVER else None, size_bytes=_whole(t.held_bytes))
            for name, t in self.sizing.names.items()
        }  # fmt: skip
        peak = _whole(self.sizing.between_bytes) + LEAST_BYTES
        return StaticBlock(variables=variables, peak_bytes=peak, seconds=min(self.sizing.seconds, _NEVER))

    def _enter(self, items: Sequence[ast.withitem]) -> None:
        for item in items:
            thing = self.sizing.of(item.context_expr)
            if item.optional_vars is not None:
                self.sizing.bind(item.optional_vars, thing)

    def suite(self, body: Sequence[ast.stmt]) -> None:
        """Follow statements in their order."""
        for statement in body:
            self.statement(statement)

    def statement(self, node: ast.stmt) -> None:  # noqa: C901 - one branch a statement form
        """Follow one statement, as often as the loops around it turn."""
        self.sizing.seconds += self.turns * NODE_SECONDS * _own_nodes(node)
        match node:
            case ast.Assign(targets=targets, value=value):
                thing = self.sizing.of(value)
                for target in targets:
                    self._assign(target, thing)
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                self._assign(target, self.sizing.of(value))
            case ast.AugAssign(target=target, value=value):
                self._augment(target, self.sizing.of(value))
            case ast.Expr(value=ast.Call(func=ast.Attribute(value=owner, attr=attr), args=arguments)) if attr in GROWING | JOINING:
                self._grow(owner, attr, arguments)
            case ast.Expr(value=value):
                self.sizing.of(value)
            case ast.For(target=target, iter=iterable, body=body, orelse=orelse):
                self._loop(node, target, self.sizing.of(iterable), [*body, *orelse])
            case ast.While(body=body, orelse=orelse):
                self._while(node, [*body, *orelse])
            case ast.If(body=body, orelse=orelse):
                self.suite([*body, *orelse])
            case ast.With(items=items, body=body):
                self._enter(items)
                self.suite(body)
            case ast.Try(body=body, handlers=handlers, orelse=orelse, finalbody=final):
                self.suite([*body, *(each for handler in handlers for each in handler.body), *orelse, *final])
            case ast.Return(value=value):
                self.results.append(self.sizing.of(value))

    def _assign(self, target: ast.expr, thing: Thing) -> None:
        if isinstance(target, ast.Subscript):
            self._lengthen(target.value, thing.held_bytes + SLOT_BYTES["dict"])
        else:
            self.sizing.bind(target, replace(thing, number=None) if self.turns > 1 else thing)

    def _augment(self, target: ast.expr, thing: Thing) -> None:
        if isinstance(target, ast.Subscript):
            self._lengthen(target.value, SLOT_BYTES["dict"] + thing.own_bytes)
        elif isinstance(target, ast.Name):
            old = self.sizing.names.get(target.id, SCALAR)
            if thing.length is not None and old.length is not None:
                self._lengthen(target, thing.item_bytes, thing.length)
            else:
                self.sizing.names[target.id] = replace(old, number=None)

    def _grow(self, owner: ast.expr, attr: str, arguments: Sequence[ast.expr]) -> None:
        given = [self.sizing.of(each) for each in arguments]
        thing = given[-1] if given else SCALAR
        if attr in JOINING:
            if thing.is_unbounded:
                self._refuse(owner)
            self._lengthen(owner, thing.item_bytes + SLOT_BYTES["set"], thing.length or 1.0)
        else:
            self._lengthen(owner, thing.held_bytes + SLOT_BYTES["set" if attr == "add" else "list"])

    def _lengthen(self, owner: ast.expr, item_bytes: float, items: float = 1.0) -> None:
        root = owner
        while isinstance(root, ast.Subscript | ast.Attribute | ast.Call):
            root = root.func if isinstance(root, ast.Call) else root.value
        if not isinstance(root, ast.Name):
            return
        added = items * self.turns
        if added == float("inf"):
            self._refuse(owner)
        old = self.sizing.names.get(root.id, Thing(length=0.0))
        length = (old.length or 0.0) + added
        held = (old.length or 0.0) * old.item_bytes + added * item_bytes
        self.sizing.names[root.id] = replace(old, length=length, item_bytes=held / length if length else 0.0, number=None)

    def _loop(self, node: ast.For, target: ast.expr, over: Thing, body: list[ast.stmt]) -> None:
        length = over.length if over.length is not None else self._unknown_turns()
        if over.is_unbounded:
            length = float("inf") if not _can_end(node) else self._unknown_turns()
        self.sizing.bind(target, item_of(over))
        self._turning(length, body)

    def _while(self, node: ast.While, body: list[ast.stmt]) -> None:
        endless = isinstance(node.test, ast.Constant) and bool(node.test.value) and not _can_end(node)
        self._turning(float("inf") if endless else self._unknown_turns(), body)

    def _unknown_turns(self) -> float:
        """A loop of which nothing is known turns as often as the longest thing in sight has items; within another loop, a few times."""
        if self.turns > 1:
            return _FEW_TURNS
        lengths = (t.length for t in self.sizing.names.values() if t.length is not None and t.length != float("inf"))
        return max(1.0, *lengths, 1.0)

    def _turning(self, length: float, body: list[ast.stmt]) -> None:
        before, between = self.turns, self.sizing.between_bytes
        self.turns *= max(1.0, length)
        self.suite(body)
        self.turns, self.sizing.between_bytes = before, between + min(self.sizing.between_bytes - between, self._most_between())

    def _most_between(self) -> float:
        return max((t.held_bytes for t in self.sizing.names.values()), default=0.0)

    def _called(self, name: str, given: list[Thing]) -> Thing | None:
        function = self.functions.get(name)
        if function is None or self.depth >= DEEPEST_CALL:
            return None
        return self.function(function, given)

    def function(self, function: ast.FunctionDef, given: list[Thing]) -> Thing:
        """What a call of one of the script's own functions gives."""
        outer, results = self.sizing.names, self.results
        self.sizing.names, self.results = dict(outer), []
        self.depth += 1
        for argument, thing in zip([*function.args.posonlyargs, *function.args.args], given, strict=False):
            self.sizing.names[argument.arg] = thing
        self.suite(function.body)
        found = max(self.results, key=lambda each: each.held_bytes, default=SCALAR)
        locals_bytes = sum(t.held_bytes for name, t in self.sizing.names.items() if outer.get(name) is not t)
        self.depth -= 1
        self.sizing.between_bytes += locals_bytes
        if any(isinstance(node, ast.Yield | ast.YieldFrom) for node in walk(function)):
            longest = max((t.length or 0.0 for t in self.sizing.names.values()), default=0.0)
            endless = any(self._never_ends(node) for node in function.body)
            length = float("inf") if endless else longest
            found = Thing(length=length, item_bytes=SLOT_BYTES["dict"] * 2, is_lazy=True, is_unbounded=endless)
        self.sizing.names, self.results = outer, results
        return found

    def _never_ends(self, statement: ast.stmt) -> bool:
        """Whether a statement of a generator goes on for ever, unless who takes its values stops."""
        match statement:
            case ast.While(test=ast.Constant(value=test)) if test:
                return not _can_end(statement, by_yielding=False)
            case ast.For(iter=ast.Call(func=function)) if ast.unparse(function) in UNBOUNDED:
                return not _can_end(statement, by_yielding=False)
        return False

    def _refuse_expression(self, node: ast.expr) -> None:
        text = ast.unparse(node).split("\n", 1)[0]
        raise EstimateError(
            f"{self.program.file}, line {node.lineno}", f"`{text}` has no end", code="unbounded",
            remedy="Take a number of items that is known before it runs, for example by itertools.islice.",
        )  # fmt: skip

    def _refuse(self, owner: ast.expr) -> None:
        raise EstimateError(
            f"{self.program.file}, line {owner.lineno}",
            f"`{ast.unparse(owner)}` grows in a loop that has no end",
            remedy="End the loop after a number of turns that is known before it runs.",
            code="unbounded",
        )


def _whole(size: float) -> int:
    """As a whole number; what is beyond all memory is just that."""
    return int(min(size, _NEVER)) if size == size else 0  # noqa: PLR0124 - only what is no number differs from itself


def _is_opened(statement: ast.Expr, functions: Mapping[str, ast.FunctionDef]) -> bool:
    match statement.value:
        case ast.Call(func=ast.Name(id=name), args=[], keywords=[]):
            return name in functions
    return False


def _can_end(loop: ast.For | ast.While, *, by_yielding: bool = True) -> bool:
    nodes = walk(loop)
    leaves = any(isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in {"exit", "quit", "_exit"} for node in nodes)
    ends = (ast.Break, ast.Return, ast.Raise, *((ast.Yield, ast.YieldFrom, ast.Await) if by_yielding else ()))
    return leaves or any(isinstance(node, ends) for node in nodes)


def _own_nodes(node: ast.stmt) -> int:
    """Nodes of a statement that are not in statements inside of it."""
    waiting = [node, *(each for each in children(node) if not isinstance(each, ast.stmt | ast.ExceptHandler))]
    found = 0
    for each in waiting[1:]:
        found += len(walk(each))
    return found + 1
