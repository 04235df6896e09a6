"""Write the script anew, with a question to the runtime at each site and everything else as it was.

    total = sum(f(x) for x in xs)
    ->
    total = __runsurge__.comp_4(xs, lambda __rs_it: sum(f(x) for x in __rs_it))

Line numbers stay those of the source. What a loop becomes is shown in `runner.sites`.
"""

from __future__ import annotations

import ast
import copy
from dataclasses import replace
from typing import TYPE_CHECKING

from runsurge_dask.analysis.arrays import runtime_call
from runsurge_dask.analysis.divided import divided_body, is_ahead_of
from runsurge_dask.analysis.expressions import (
    consumed_form,
    facts_of_expression,
    facts_of_pool,
    imported_pools,
    is_pool_call,
    put_slot,
    slot_of,
)
from runsurge_dask.analysis.expressions import get_slot as _get_slot
from runsurge_dask.analysis.hoisting import choose_calls
from runsurge_dask.analysis.kept import (
    THROUGH_METHODS,
    Calls,
    as_comprehension,
    followed_names,
    gone_through,
    is_fixed,
    made_by_site,
    needed_within,
    needing,
)
from runsurge_dask.analysis.lists import follow_calls, followed_in
from runsurge_dask.analysis.names import bound_names, own_nodes, position_of
from runsurge_dask.analysis.names import called_name as _called_name
from runsurge_dask.analysis.scopes import Mentions, Scope
from runsurge_dask.analysis.sites import facts_of_loop, label_of
from runsurge_dask.analysis.spellings import mapped_loop, reading_loop, yielding_loop
from runsurge_dask.analysis.structure import copied, walk
from runsurge_dask.analysis.written import (
    GENERATOR_PREFIX,
    as_lambda,
    as_list,
    as_partial,
    closed_at_last,
    generator_function,
    gone_through_by_hand,
    leave_in_files,
    leaves_from_else,
    left_in_files,
    listed,
    may_be_kept,
    no_site,
    opened_loop,
    settling,
)
from runsurge_dask.knowledge.calls import REDUCING_BUILTINS
from runsurge_dask.runner.facts import Merge, SiteFacts, SplitKind

if TYPE_CHECKING:

    from runsurge_dask.analysis.fission import Fission

_UNCUT = (SplitKind.WHOLE, SplitKind.FOLD)


def rewrite(
    tree: ast.Module, file: str, mentions: Mentions, first_site: int, *, follows_lists: bool = False
) -> tuple[ast.Module, list[SiteFacts]]:
    """A rewritten copy of a module, and the facts of its sites; `follows_lists` where nobody looks at its names from elsewhere."""
    work = copied(tree)
    imports = [s for s in tree.body if isinstance(s, ast.Import | ast.ImportFrom)]
    own_names = bound_names([s for s in tree.body if s not in imports]) | _inner_names(tree)
    rewriter = _Rewriter(Scope(tree, file, mentions), own_names, first_site)
    rewriter.follows_lists = follows_lists
    if follows_lists:
        rewriter.calls = follow_calls(tree)
        rewriter.followed = followed_names(tree, rewriter.calls)
        known = {*rewriter.calls.takes, *rewriter.calls.fresh}
        rewriter.own_functions = {id(s) for s in work.body if isinstance(s, ast.FunctionDef) and s.name in known}
    work.body = rewriter.suite(work.body)
    return ast.fix_missing_locations(work), rewriter.facts


def _inner_names(tree: ast.Module) -> set[str]:
    """Names that functions and other scopes inside bind: a parameter named `sum` is no built-in where it stands."""
    found = {node.arg for node in walk(tree) if isinstance(node, ast.arg)}
    for node in walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found |= bound_names(node.body)
        elif isinstance(node, ast.comprehension):
            found |= bound_names([node.target])
    return found


class _Rewriter(ast.NodeTransformer):
    def __init__(self, scope: Scope, shadowed: set[str], first_site: int) -> None:
        self.scope = scope
        self.shadowed = shadowed
        self.facts: list[SiteFacts] = []
        self.next_site = first_site
        self.pools = imported_pools(scope.tree)
        self.in_class = False
        self.is_frozen = False
        self.hoisted: list[ast.stmt] = []
        self.follows_lists = False
        self.calls = Calls()
        self.own_functions: set[int] = set()
        """Functions whose calls are followed."""
        self.kept_value: ast.ListComp | None = None
        """What a call of `list` in the statement that is being written stands for, where its rows may stay in files."""
        self.kept_call: ast.expr | None = None
        self.gives_lists = False
        """Whether the lists that this function returns are followed where it is called."""
        self.followed: frozenset[str] = frozenset()
        """Names of this scope whose rows may stay where chunks left them."""
        self.settled: set[str] = set()
        """Those of them that are plain lists throughout the loop that is being written."""

    def suite(self, statements: list[ast.stmt]) -> list[ast.stmt]:
        return [new for statement in statements for new in self.with_hoisted(statement)]

    def with_hoisted(self, statement: ast.stmt) -> list[ast.stmt]:
        """A statement, after the functions that its generator expressions have become."""
        outer, self.hoisted = self.hoisted, []
        before = set(self.settled)
        is_loop = isinstance(statement, ast.For | ast.While)
        first = needed_within(statement, self.followed - before, self.calls) if is_loop else set()  # type: ignore[arg-type]
        self.settled |= first
        number, is_kept = len(self.facts), made_by_site(statement, self.followed, gives_lists=self.gives_lists)
        self.kept_value = as_comprehension(statement.value) if is_kept else None  # type: ignore[attr-defined]
        self.kept_call = statement.value if self.kept_value is not None else None  # type: ignore[attr-defined]
        written = self.statement(statement)
        if is_kept and len(self.facts) > number and self.facts[number].code:
            self.facts[number] = replace(self.facts[number], kept=("value",))
        if is_kept:
            leave_in_files(written)
        self.settled = before
        first |= {name for each in written for name in needing(each, self.followed - before, self.calls, gives_lists=self.gives_lists)}
        hoisted, self.hoisted = self.hoisted, outer
        first |= {n.id for each in hoisted for n in walk(each) if isinstance(n, ast.Name)} & (self.followed - before)
        return [*(settling(name, statement) for name in sorted(first)), *hoisted, *written]

    def statement(self, node: ast.stmt) -> list[ast.stmt]:  # noqa: C901 - one branch a statement form
        as_loop = reading_loop(node) if isinstance(node, ast.While) else None
        if as_loop is not None:
            node = as_loop
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.YieldFrom):
            node = yielding_loop(node, node.value.value)
        if isinstance(node, ast.For):
            return self.loop(node)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            return [self.inner_scope(node)]
        for name in ("body", "orelse", "finalbody"):
            if isinstance(getattr(node, name, None), list):
                setattr(node, name, self.suite(getattr(node, name)))
        for part in (*getattr(node, "handlers", ()), *getattr(node, "cases", ())):
            part.body = self.suite(part.body)
        for name, value in list(ast.iter_fields(node)):
            if isinstance(value, ast.expr):
                setattr(node, name, self.visit(value))
            elif isinstance(value, list) and value and isinstance(value[0], ast.expr | ast.withitem | ast.keyword):
                setattr(node, name, [self.visit(item) for item in value])
        return [node]

    def inner_scope(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> ast.stmt:
        outer, was_in_class, was_frozen = self.scope, self.in_class, self.is_frozen
        node.decorator_list = [self.visit(d) for d in node.decorator_list]
        if isinstance(node, ast.ClassDef):
            self.scope = Scope(outer.tree, outer.file, outer.mentions, outer.function, node.name, outer.outer)
            self.in_class = True
        else:
            original = copied(node) if isinstance(node, ast.FunctionDef) else None
            above = (*outer.outer, *([outer.function] if outer.function else ()))
            self.scope = Scope(outer.tree, outer.file, outer.mentions, original, outer.class_name, above)
            self.in_class = False
            self.is_frozen = was_frozen or isinstance(node, ast.AsyncFunctionDef)
        lists = self.followed, self.settled, self.gives_lists
        self.followed, self.settled = self._lists_of(node), set()
        self.gives_lists = id(node) in self.own_functions and any(self.calls.fresh.get(node.name, ()))
        node.body = self.suite(node.body)
        self.followed, self.settled, self.gives_lists = lists
        self.scope, self.in_class, self.is_frozen = outer, was_in_class, was_frozen
        return node

    def _lists_of(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> frozenset[str]:
        is_followed = self.follows_lists and isinstance(node, ast.FunctionDef) and not self.is_frozen
        if not is_followed or any(isinstance(each, ast.Yield | ast.YieldFrom) for each in own_nodes(node.body)):
            return frozenset()
        assert isinstance(node, ast.FunctionDef)
        return followed_in(node, self.calls) if id(node) in self.own_functions else followed_names(node, self.calls)

    def loop(self, node: ast.For) -> list[ast.stmt]:
        if self.in_class or self.is_frozen or leaves_from_else(node):
            node.iter = self.visit(node.iter)
            node.body, node.orelse = self.suite(node.body), self.suite(node.orelse)
            return [node]
        number = self.take_number()
        facts, fission = facts_of_loop(number, node, self.scope)
        facts = replace(facts, kept=tuple(a.local for a in facts.accumulators if a.merge is Merge.APPEND and a.place in self.followed))
        binding: list[ast.stmt] = []
        mapped = None if {"map", "filter"} & self.shadowed else mapped_loop(node, number)
        if mapped is not None:
            other, other_fission = facts_of_loop(number, mapped[1], self.scope)
            if other.code:
                facts, fission, node, binding = replace(other, label=facts.label), other_fission, mapped[1], [mapped[0]]
        is_bare = not facts.given and facts.divided is None and (self.is_range(node.iter) or not may_be_kept(node.iter, self.followed))
        facts = replace(facts, is_bare=is_bare)
        self.facts.append(facts)
        return [*binding, *self.written_loop(number, node, facts, fission)]

    def written_loop(self, number: int, node: ast.For, facts: SiteFacts, fission: Fission | None) -> list[ast.stmt]:
        node.iter = self.rows(node.iter)
        if fission is not None:
            node.body = choose_calls(node.body, fission.calls, is_ahead_of(number))
        groups = [self.with_hoisted(statement) for statement in node.body]
        node.orelse = self.suite(node.orelse)
        if fission is not None:
            node.body = divided_body(node, groups, fission, number)
            node.target = ast.copy_location(ast.Name(f"__rs_r{number}", ast.Store()), node.target)
            return closed_at_last(opened_loop(node, facts))
        node.body = [statement for group in groups for statement in group]
        if facts.kind in _UNCUT:
            if not self.is_range(node.iter):
                node.iter = runtime_call("plain", [node.iter], node.iter)
            return [node]
        return opened_loop(node, facts)

    def is_range(self, rows: ast.expr) -> bool:
        """Whether a loop goes through mere numbers, as most inner loops do: each call of ours would show in their time."""
        return isinstance(rows, ast.Call) and _called_name(rows) == "range" and "range" not in self.shadowed

    def rows(self, node: ast.expr) -> ast.expr:
        """What a site goes through: a list that is followed need not be all there, nor a slice of it, nor what counts its rows."""
        match node:
            case ast.Call(func=ast.Name(id="enumerate"), args=[ast.Name(id=name), *_], keywords=[]):
                if name in self.followed - self.settled and "enumerate" not in self.shadowed:
                    return runtime_call("counted", node.args, node)
        return left_in_files(self.visit(node))

    def take_number(self) -> int:
        self.next_site += 1
        return self.next_site

    def visit_Lambda(self, node: ast.Lambda) -> ast.AST:
        return node

    def visit_ListComp(self, node: ast.ListComp) -> ast.AST:
        return self.expression(node, "list")

    def visit_SetComp(self, node: ast.SetComp) -> ast.AST:
        return self.expression(node, "set")

    def visit_DictComp(self, node: ast.DictComp) -> ast.AST:
        return self.expression(node, "dict")

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> ast.AST:
        """A generator expression that is not consumed on the spot becomes a generator function, whose loop is a site."""
        if self.in_class or self.is_frozen or any(isinstance(n, ast.NamedExpr | ast.Await | ast.Yield) for n in walk(node)):
            return node
        if any(g.is_async for g in node.generators):
            return node
        name = f"{GENERATOR_PREFIX}{self.take_number()}"
        self.facts.append(no_site(self.next_site, node, self.scope))
        first = self.visit(node.generators[0].iter)
        self.hoisted.append(self.inner_scope(generator_function(node, name)))
        call = ast.Call(ast.Name(name, ast.Load()), [first], [])
        ast.copy_location(call.func, node)
        return ast.copy_location(call, node)

    def visit_Starred(self, node: ast.Starred) -> ast.AST:
        """`f(*(... for ...))` takes all rows before anything else happens."""
        if isinstance(node.value, ast.GeneratorExp) and isinstance(node.ctx, ast.Load) and "list" not in self.shadowed:
            listed = ast.Call(ast.copy_location(ast.Name("list", ast.Load()), node.value), [node.value], [])
            node.value = self.expression(ast.copy_location(listed, node.value), "list", node.value)
            return node
        return self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        form = consumed_form(node, self.shadowed)
        if form in REDUCING_BUILTINS or form == "candidates":
            node.keywords = [self.visit(k) for k in node.keywords]
            return self.expression(node, form)
        if form:
            position = position_of(_called_name(node))
            if not isinstance(node.func, ast.Name):
                node.func = self.visit(node.func)
            others = [a if i == position else self.visit(a) for i, a in enumerate(node.args)]
            node.args = others
            node.args[position] = self.expression(node.args[position], "list", copy.copy(node))
            return node
        if self.followed:
            if node is self.kept_call and "list" not in self.shadowed:
                assert self.kept_value is not None
                return self.expression(self.kept_value, "list", node, as_call=True)
            match node:
                case ast.Call(func=ast.Name(id="len"), args=[ast.Name(id=name)], keywords=[]) if name in self.followed - self.settled:
                    return runtime_call("count", node.args, node) if "len" not in self.shadowed else node
            self.go_through(node)
        if is_pool_call(node, self.pools):
            self.facts.append(facts_of_pool(self.take_number(), node, self.scope))
        self.generic_visit(node)
        return node

    def go_through(self, node: ast.Call) -> None:
        """Let a call that only goes through a list take its rows one by one."""
        is_builtin = gone_through(node) and _called_name(node) not in self.shadowed
        for place, argument in enumerate(node.args):
            if isinstance(argument, ast.Name) and argument.id in self.followed - self.settled:
                match node.func:
                    case ast.Attribute(value=ast.Name() as owner, attr=attr) if attr in THROUGH_METHODS:
                        method = ast.copy_location(ast.Constant(attr), argument)
                        node.args[place] = runtime_call("taken", [copy.copy(owner), method, argument], argument)
                    case ast.Name() if is_builtin:
                        node.args[place] = runtime_call("through", [argument], argument)

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        match node:
            case ast.Subscript(value=ast.Name(id=name) as value, slice=place, ctx=ast.Load()) if name in self.followed - self.settled:
                if isinstance(place, ast.Slice) and is_fixed(place):
                    nothing = ast.copy_location(ast.Constant(None), node)
                    bounds = [self.visit(each) if each is not None else nothing for each in (place.lower, place.upper)]
                    return runtime_call("between", [value, *bounds], node)
                if is_fixed(place):
                    return runtime_call("item", [value, place], node)
        return self.generic_visit(node)

    def expression(self, node: ast.expr, form: str, near: ast.expr | None = None, *, as_call: bool = False) -> ast.expr:
        """A site in place of an expression; errors show at `near`, where the interpreter would show them.

        `as_call`: a comprehension that stands for a call of `list`.
        """
        if self.in_class or self.is_frozen:
            return node
        number = self.take_number()
        facts = facts_of_expression(number, node, form, self.scope)
        if as_call and near is not None:
            facts = replace(facts, label=label_of(near))
        self.facts.append(facts)
        holder, name, index = slot_of(node)
        iterable = self.rows(_get_slot(holder, name, index))
        if facts.kind in _UNCUT:
            put_slot(holder, name, index, gone_through_by_hand(iterable))
            if as_call:
                assert isinstance(near, ast.Call)
                near.args = [iterable]
                return near
            return node
        put_slot(holder, name, index, ast.copy_location(ast.Name("__rs_it", ast.Load()), iterable))
        written = [as_lambda(listed(_get_slot(holder, name, index)) if as_call else as_list(node), node)]
        if form == "sum":
            assert isinstance(node, ast.Call)
            written.append(as_lambda(as_list(node.args[0]) if not isinstance(node.args[0], ast.ListComp) else node.args[0], node))
        if form in {"max", "min"}:
            written.append(as_lambda(as_partial(node, form), node))
        if near is None:
            near = node.args[0] if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.ListComp) else node
        return runtime_call(f"comp_{number}", [iterable, *written], near)
