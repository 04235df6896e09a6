"""Loop fission: what of a carried loop's body can be done ahead, for whole chunks of rows, before the rest goes row by row.

    for line in log:
        event = json.loads(line)                      ahead: it looks at its own row only
        accounts[event["user"]].apply(event)          the rest: the driver does it in order, with what the chunks found

A statement goes ahead if it is proved like a loop of its own that grows nothing, if nothing that the rest changes can reach
it, and if the rest sees every name as it would have. What a static look cannot tell (two names for one object, a row that
earlier statements changed) is watched when the loop runs (`runner.divided`, and `__rs_still__` in the chunk).
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import TYPE_CHECKING

from runsurge_dask.analysis.changes import changed_by_calls, changed_places, changes_somewhere, changing_functions, names_changed_by
from runsurge_dask.analysis.hoisting import candidates, with_named_calls
from runsurge_dask.analysis.names import SCOPES, Flow, bound_names, carried_reads, own_nodes, read_names
from runsurge_dask.analysis.places import place_of
from runsurge_dask.analysis.refusals import refuse_frames, refuse_onlookers, refuse_shared_names, refuse_targets
from runsurge_dask.analysis.scopes import Scope, mentioned
from runsurge_dask.analysis.structure import children, is_structural, walk
from runsurge_dask.analysis.verdicts import Carried
from runsurge_dask.knowledge.calls import (
    CLOCK_CALLS,
    FILE_MAKERS,
    FILE_TESTS,
    LOOKING_CALLS,
    LOOKING_METHODS,
    NAMESPACE_CALLS,
    WRITING_CALLS,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_WORK = (ast.Call, ast.BinOp, ast.For, ast.While, ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
"""Code that may cost something; a body whose part ahead holds none of it is not worth dividing."""

_WRITING = WRITING_CALLS - {"log"}
"""`math.log` is the common one; a `logger.log` that chunks meet is noticed there."""


@dataclass(slots=True)
class Fission:
    """One loop body, divided."""

    ahead: list[bool]
    """Of each statement: whether the chunks do it."""
    guards: list[bool]
    """Of each statement: whether it is an `if ...: continue` that both sides ask."""
    given: tuple[str, ...] = ()
    """The names that the rest reads of each row."""
    free: set[str] = field(default_factory=set)
    """Names that the part ahead reads from around the loop."""
    rest: set[str] = field(default_factory=set)
    """Names that the rest reads from around the loop."""
    makes_files: bool = False
    """The rest may make or change files."""
    left: set[str] = field(default_factory=set)
    """Names that the part ahead binds, and that somebody may read after the loop."""
    body: list[ast.stmt] = field(default_factory=list)
    """The statements, with the calls that could be made ahead named before them."""
    calls: dict[int, str] = field(default_factory=dict)
    """The named calls, by the id of their node."""
    sizes: list[int] = field(default_factory=list)
    """Of each statement of the loop: into how many of `body` it has become, itself the last."""
    still: list[tuple[list[str], list[str], list[str]] | None] = field(default_factory=list)
    """Of each statement: what it reads of the row, and what of the row earlier ones of the rest have in their hands, or look into."""

    def of_loop(self) -> list[bool]:
        """Of each statement of the loop: whether the chunks do it."""
        return [self.ahead[last - 1] for last in accumulate(self.sizes)]

    def lines(self) -> list[int]:
        """Where there is something that the chunks do."""
        return sorted({statement.lineno for statement, is_ahead in zip(self.body, self.ahead, strict=True) if is_ahead})

    def useless_names(self, names: Mapping[int, str]) -> set[str]:
        """Names of calls that cannot be made ahead, or that belong to a statement that goes ahead as a whole."""
        found: set[str] = set()
        for position, statement in enumerate(self.body):
            own = bound_names([statement]) & set(names.values())
            if own and not self.ahead[position]:
                found |= own
            elif self.ahead[position] and not own:
                found |= read_names([statement]) & set(names.values())
        return found


def divide(loop: ast.For, scope: Scope, *, is_proved: bool) -> Fission | None:
    """Divide the body of a loop that carries something from row to row; None where nothing of it can go ahead.

    A loop that `is_proved` to carry nothing may still do so through functions that are given what is around it.
    """
    if is_proved and not changed_by_calls(loop.body, bound_names([loop.target, *loop.body]), scope):
        return None
    carrying: set[int] = set()
    while True:
        names = {id(call): f"__rs_h{n}" for n, call in enumerate(c for s in loop.body for c in candidates(s, scope, carrying))}
        pieces = [with_named_calls(statement, names) for statement in loop.body]
        widened = ast.copy_location(ast.For(loop.target, loop.iter, [s for piece in pieces for s in piece], loop.orelse), loop)
        try:
            divider = _Divider(widened, scope)
            found = divider.divided()
            useless = found.useless_names(names)
            if not useless:
                return replace(found, calls=names, sizes=[len(piece) for piece in pieces]) if divider.is_worth_it(found) else None
        except Carried:
            return None
        carrying |= {call for call, name in names.items() if name in useless}


class _Divider:
    def __init__(self, loop: ast.For, scope: Scope) -> None:
        self.loop, self.scope, self.body = loop, scope, loop.body
        self.target = bound_names([loop.target])
        self.assigned = bound_names([loop.target, *self.body])
        self.carried = carried_reads(self.body, set(self.target)) & self.assigned
        self.changed_by_calls = changed_by_calls(self.body, self.assigned, scope)
        self.changed = changed_places(self.body, self.assigned) | self.changed_by_calls
        self.bound = [bound_names([s]) for s in self.body]
        self.mentions = [mentioned(s) for s in self.body]

    def divided(self) -> Fission:
        """What goes ahead of what, whether that is worth anything or not."""
        refuse_targets(self.loop)
        refuse_shared_names(self.assigned, [ast.copy_location(ast.Expr(self.loop.iter), self.loop)], self.scope)
        self._refuse_the_whole()
        found = Fission([self._goes_ahead(s) for s in self.body], [False] * len(self.body), body=self.body)
        self._settle(found)
        return found

    def is_worth_it(self, found: Fission) -> bool:
        """Whether something goes ahead that may cost something; names what one part hands to the other.

        Raises:
            Carried: the rest may change what the part ahead reads.
        """
        if all(found.ahead) or not self._is_work(found):
            return False
        self._refuse_changed_surroundings(found)
        self._name(found)
        return bool(found.given)

    def _refuse_the_whole(self) -> None:
        """Refuse what neither side may do."""
        for node in (n for s in self.body for n in own_nodes([s])):
            match node:
                case ast.Yield() | ast.YieldFrom() | ast.Await() | ast.AsyncFor() | ast.AsyncWith():
                    raise Carried(node, "it gives rows, or waits, in the middle")
                case ast.Global() | ast.Nonlocal() | ast.Import() | ast.ImportFrom():
                    raise Carried(node, "it binds names of another scope")
        for node in (n for s in self.body for n in walk(s) if isinstance(n, ast.For | ast.comprehension)):
            if not is_structural(node.iter) and not read_names([node.iter]) & self.assigned:
                raise Carried(self.loop, "it drives a loop over other data")
        if self.scope.mentions.sees_decimals:
            raise Carried(self.loop, "the program may change the context of decimal arithmetic")
        spelled = {n for m in self.mentions for n in m}
        spelled |= self.scope.mentions.spelled_in_code(spelled)
        if spelled & NAMESPACE_CALLS:
            raise Carried(self.loop, "it looks at names without spelling them")

    def _goes_ahead(self, statement: ast.stmt) -> bool:
        """Whether a statement, alone, is one that a chunk may do."""
        try:
            self._prove(statement)
        except Carried:
            return False
        return True

    def _prove(self, statement: ast.stmt) -> None:
        own = mentioned(statement)
        if isinstance(statement, (*SCOPES, ast.Delete, ast.Pass, ast.Assert, ast.Raise)) or own & self.carried:
            raise Carried(statement, "it carries")
        refuse_frames([statement], self.scope)
        if any(isinstance(n, ast.Call) and (place_of(n.func) or ("",))[-1] in CLOCK_CALLS for n in walk(statement)):
            raise Carried(statement, "it asks for the time")
        for node in own_nodes([statement]):
            if isinstance(node, ast.Return) or (isinstance(node, ast.Break) and not _is_inside_a_loop(node, statement)):
                raise Carried(node, "it leaves the loop")
        if (own | self.scope.mentions.spelled_in_code(own)) & _WRITING:
            raise Carried(statement, "it writes")
        if changed_places([statement], self.assigned) or changes_somewhere(statement) or changing_functions(own, self.scope):
            raise Carried(statement, "it changes what is around it")
        for name in sorted(self.carried):
            refuse_onlookers((name,), [statement], self.scope)
        for place in sorted(self.changed):
            if any((p := place_of(n)) is not None and p[: len(place)] == place for n in walk(statement)):
                raise Carried(statement, "it reads what the loop changes")
            refuse_onlookers(place, [statement], self.scope)
        refuse_shared_names(self.assigned, [statement], self.scope)

    def _settle(self, found: Fission) -> None:
        """Take back, until nothing changes any more, every statement that stands in the way of the rest."""
        is_settled = False
        while not is_settled:
            is_settled = True
            for position in range(len(self.body)):
                if found.ahead[position] and self._is_in_the_way(position, found):
                    found.ahead[position] = is_settled = False
                elif found.guards[position] and self._reads_of_the_rest(position, found):
                    found.guards[position] = is_settled = False
        found.still = [self._earlier_mentions(position, found) for position in range(len(self.body))]

    def _is_in_the_way(self, position: int, found: Fission) -> bool:
        before = [i for i in self._rest(found) if i < position]
        if self.bound[position] & {name for i in before for name in self.mentions[i]} or self._reads_of_the_rest(position, found):
            return True
        if before and any(isinstance(n, ast.Continue) for n in _own_flow(self.body[position])):
            found.guards[position] = _is_guard(self.body[position])
            return True
        return False

    def _reads_of_the_rest(self, position: int, found: Fission) -> bool:
        bound = {name for i in self._rest(found) if i < position for name in self.bound[i]}
        return bool(read_names([self.body[position]]) & bound)

    def _rest(self, found: Fission) -> Iterator[int]:
        return (i for i, is_ahead in enumerate(found.ahead) if not is_ahead)

    def _earlier_mentions(self, position: int, found: Fission) -> tuple[list[str], list[str], list[str]] | None:
        """What a statement reads of the row, and what earlier ones of the rest hold or look into; None where they have nothing of it."""
        if not found.ahead[position] and not found.guards[position]:
            return None
        row = sorted(self.target.union(*(self.bound[i] for i in range(position) if found.ahead[i])))
        earlier = [self.body[i] for i in self._rest(found) if i < position and not found.guards[i]]
        met = [name for name in row if any(name in mentioned(s) for s in earlier)]
        looked = [name for name in met if all(_is_only_looked_into(name, s) for s in earlier)]
        reads = read_names([self.body[position]])
        return ([name for name in row if name in reads], [name for name in met if name not in looked], looked) if met else None

    def _is_work(self, found: Fission) -> bool:
        ahead = [s for s, is_ahead in zip(self.body, found.ahead, strict=True) if is_ahead]
        return self.scope.mentions.may_generate(self.loop.iter) or any(isinstance(n, _WORK) for s in ahead for n in walk(s))

    def _refuse_changed_surroundings(self, found: Fission) -> None:
        """Refuse a rest that may change what the part ahead reads, where the text tells."""
        ahead = {n for m, is_ahead in zip(self.mentions, found.ahead, strict=True) if is_ahead for n in m}
        rest = {n for i in self._rest(found) for n in self.mentions[i]}
        seen = ahead | self.scope.mentions.read_around(ahead, self.scope.owner) | self.scope.mentions.spelled_in_code(ahead)
        if names_changed_by(rest, self.scope) & seen:
            raise Carried(self.loop, "the rest changes a name that the part ahead reads")
        bound = {name for s, is_ahead in zip(self.bound, found.ahead, strict=True) if is_ahead for name in s} | self.target
        refuse_shared_names(bound, [self.body[i] for i in self._rest(found)], self.scope)
        asks = (ahead | self.scope.mentions.spelled_in_code(ahead)) & FILE_TESTS
        if asks and (rest | self.scope.mentions.spelled_in_code(rest)) & FILE_MAKERS:
            raise Carried(self.loop, "the rest makes files, and the part ahead asks whether they are there")
        classes = class_attributes_set([self.body[i] for i in self._rest(found)], rest, self.scope)
        if classes & (seen | self.scope.mentions.spelled_in_code(ahead)):
            raise Carried(self.loop, "the rest changes a class that the part ahead uses")

    def _name(self, found: Fission) -> None:
        ahead = [s for s, is_ahead in zip(self.body, found.ahead, strict=True) if is_ahead]
        rest = [self.body[i] for i in self._rest(found)]
        own = self.target | {name for s in ahead for name in bound_names([s])}
        live = self.scope.live_names(own, self.loop)
        found.given = tuple(sorted(own & (read_names(rest) | live)))
        found.left = live & own
        found.free = read_names([*ahead, *(self.body[i] for i, is_guard in enumerate(found.guards) if is_guard)]) - self.assigned
        found.rest = read_names(rest) - self.assigned
        spelled = {name for s in rest for name in mentioned(s)}
        found.makes_files = bool((spelled | self.scope.mentions.spelled_in_code(spelled)) & FILE_MAKERS)
        if live & own & {name for s in rest for name in bound_names([s])}:
            raise Carried(self.loop, "both parts bind a name that is read after the loop")
        if any(found.guards) and live & {name for s in ahead for name in bound_names([s])}:
            raise Carried(self.loop, "a row that ends early leaves names that are read after the loop")
        state = Flow().run(ahead, set(self.target))
        if state is None or not set(found.given) <= state:
            raise Carried(self.loop, "a row may leave names unbound")


def _is_guard(statement: ast.stmt) -> bool:
    match statement:
        case ast.If(body=[ast.Continue()], orelse=[]):
            return True
    return False


def _own_flow(node: ast.AST) -> Iterator[ast.AST]:
    """Nodes whose `continue` and `break` would belong to the loop around this statement."""
    yield node
    for child in children(node):
        if isinstance(child, SCOPES):
            continue
        if isinstance(node, ast.For | ast.While) and child in node.body:
            continue
        yield from _own_flow(child)


def _is_inside_a_loop(node: ast.AST, statement: ast.stmt) -> bool:
    return not any(inner is node for inner in _own_flow(statement))


def _is_only_looked_into(name: str, statement: ast.stmt) -> bool:
    """Whether a statement takes from a name only what is no way back into it: `row[0] + 1`, `len(row)`, `row.sum()`."""
    above = {id(child): node for node in walk(statement) for child in children(node)}
    return all(_is_look(node, above) for node in walk(statement) if isinstance(node, ast.Name) and node.id == name)


def _is_look(node: ast.AST, above: dict[int, ast.AST]) -> bool:
    """Climb from a mention to what is made of it."""
    match above[id(node)]:
        case ast.BinOp() | ast.Compare() | ast.FormattedValue() | ast.UnaryOp():
            return True
        case ast.Subscript(value=value, ctx=ctx) as item:
            return value is not node or (isinstance(ctx, ast.Load) and _is_look(item, above))
        case ast.Call(func=ast.Name(id=function)):
            return function in LOOKING_CALLS
        case ast.Call(func=ast.Attribute(attr=function) as called, keywords=keywords) if called is not node:
            return function in LOOKING_METHODS and all(k.arg != "out" for k in keywords)
        case ast.Attribute(attr=attribute, ctx=ast.Load()) as read:
            is_called = isinstance(above[id(read)], ast.Call) and above[id(read)].func is read  # type: ignore[attr-defined]
            return not is_called or attribute in LOOKING_METHODS
    return False


def class_attributes_set(statements: list[ast.stmt], spelled: set[str], scope: Scope) -> set[str]:
    """Attributes that this code, or a function it may call, sets on what may be a class."""
    functions = [f for name in scope.mentions.reachable(spelled) for f in scope.mentions.bodies.get(name, ())]
    found: set[str] = set()
    for node in (n for part in (*statements, *functions) for n in walk(part)):
        match node:
            case ast.Attribute(value=ast.Name(id=name), attr=attribute, ctx=ast.Store() | ast.Del()) if (
                name == "cls" or name in scope.mentions.classes or scope.mentions.loose_classes
            ):
                found.add(attribute)
            case ast.Attribute(value=ast.Call() | ast.Attribute(attr="__class__"), attr=attribute, ctx=ast.Store() | ast.Del()):
                found.add(attribute)
            case ast.Call(func=ast.Name(id="setattr" | "delattr")):
                raise Carried(node, "an attribute is set whose name is not spelled")
    return found
