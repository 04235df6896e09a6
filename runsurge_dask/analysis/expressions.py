"""Comprehensions, and calls that consume an iterable: where their records come from, and what a chunk does with them.

In `sum(map(price, filter(is_open, lines)))` the records come from `lines`: that is the *slot*. A chunk function is the same
expression with its own records in the slot.
"""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import TYPE_CHECKING

from runsurge_dask.analysis.bodies import ChunkBody, compiled
from runsurge_dask.analysis.changes import changed_places, changing_functions
from runsurge_dask.analysis.looking import looks_at_records
from runsurge_dask.analysis.names import COMPREHENSIONS, bound_names, called_name, position_of, read_names
from runsurge_dask.analysis.refusals import refuse_frames
from runsurge_dask.analysis.scopes import Scope, mentioned
from runsurge_dask.analysis.sites import label_of
from runsurge_dask.analysis.structure import copied, is_structural, walk
from runsurge_dask.analysis.verdicts import Carried, Verdict
from runsurge_dask.knowledge.calls import CARRYING_CALLS, CONSUMERS, MUTATORS, REDUCING_BUILTINS, WRITING_CALLS
from runsurge_dask.runner.facts import SiteFacts, SplitKind

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

Slot = tuple[ast.AST, str, int]


def consumed_form(node: ast.Call, shadowed: AbstractSet[str]) -> str:
    """The form of a call that consumes records one by one: `sum`, `max`, ..., `list`; empty for any other call."""
    name = called_name(node)
    position = position_of(name)
    if name in shadowed or len(node.args) <= position:
        return ""
    argument = node.args[position]
    is_lazy = isinstance(argument, ast.GeneratorExp) or _is_lazy_call(argument, shadowed)
    is_keyed = name in CHOOSING and any(k.arg == "key" for k in node.keywords)
    if is_keyed and not is_lazy and isinstance(argument, ast.Name | ast.Attribute | ast.Call):
        return "candidates" if position else name
    if name in REDUCING_BUILTINS and len(node.args) == 1 and (is_lazy or isinstance(argument, ast.ListComp)):
        return name if all(k.arg in {"key", "default"} for k in node.keywords) else ""
    return "list" if name in CONSUMERS and is_lazy else ""


CHOOSING = frozenset({"max", "min", "nlargest", "nsmallest"})
"""Calls that choose among all elements by a key of the script's own: what a chunk chooses are candidates."""


def _is_lazy_call(node: ast.expr, shadowed: AbstractSet[str] = frozenset()) -> bool:
    match node:
        case ast.Call(func=ast.Name(id="map" | "filter" as name), args=[function, iterable], keywords=[]):
            is_plain = not isinstance(iterable, ast.Starred) and not isinstance(function, ast.Starred)
            return name not in shadowed and is_plain
    return False


def slot_of(node: ast.expr) -> Slot:
    """Where the records come from: the node that holds the iterable, the field, and the index in it (-1 for none)."""
    if isinstance(node, COMPREHENSIONS):
        generator: ast.comprehension = node.generators[0]
        deeper = None if isinstance(generator.iter, ast.ListComp) else _deeper(generator.iter)  # a list is a site of its own
        return deeper or (generator, "iter", -1)
    assert isinstance(node, ast.Call)
    position = 1 if _is_lazy_call(node) else position_of(called_name(node))
    argument = node.args[position]
    is_own_site = _is_lazy_call(node) and isinstance(argument, ast.ListComp)
    return (None if is_own_site else _deeper(argument)) or (node, "args", position)


def _deeper(node: ast.expr) -> Slot | None:
    return slot_of(node) if isinstance(node, ast.GeneratorExp | ast.ListComp) or _is_lazy_call(node) else None


def get_slot(holder: ast.AST, name: str, index: int) -> ast.expr:
    """The expression in a slot."""
    value = getattr(holder, name)
    return value if index < 0 else value[index]  # type: ignore[no-any-return]


def put_slot(holder: ast.AST, name: str, index: int, value: ast.expr) -> None:
    """Put another expression into a slot."""
    if index < 0:
        setattr(holder, name, value)
    else:
        getattr(holder, name)[index] = value


def classify_expression(node: ast.expr, scope: Scope) -> Verdict:
    """The kind of a comprehension, or of a call that consumes one."""
    try:
        for inner in walk(node):
            match inner:
                case ast.NamedExpr() | ast.Await() | ast.Yield() | ast.YieldFrom():
                    raise Carried(inner, "it binds a name outside of itself, or waits")
                case ast.comprehension(is_async=1):
                    raise Carried(inner, "asynchronous code runs as written")
                case ast.Call(func=ast.Name(id="super")) | ast.Name(id="__class__"):
                    raise Carried(inner, "it refers to its own class")
        holder, name, index = slot_of(node)
        rows = get_slot(holder, name, index)
        if is_structural(rows) and not any(isinstance(n, ast.Name) for e in getattr(rows, "elts", ()) for n in walk(e)):
            raise Carried(node, "a few constants are structure, not data")
        statement = ast.Expr(node)
        ast.copy_location(statement, node)
        refuse_frames([statement], scope)
        inner_names = {n for g in walk(node) if isinstance(g, ast.comprehension) for n in bound_names([g.target])}
        for place in changed_places([statement], inner_names):
            raise Carried(node, f"it changes `{'.'.join(place)}`")
    except Carried as failure:
        return Verdict(SplitKind.WHOLE, failure.reason)
    spelled = mentioned(node)
    for function in changing_functions(spelled, scope):
        return Verdict(SplitKind.WHOLE, f"`{function}`, called here, changes what is around it")
    inside = copied(node)
    put_slot(*slot_of(inside), ast.Constant(None))
    return Verdict(SplitKind.ROWS, "each row stands alone", free=read_names([inside]))


def expression_code(node: ast.expr, form: str, scope: Scope) -> bytes:
    """The expression as the chunk function `__rs_chunk__(records)`."""
    value = copied(node)
    put_slot(*slot_of(value), ast.Name("__rs_it", ast.Load()))
    value = ChunkBody([], scope.class_name).visit(value)
    template = ast.parse("def __rs_chunk__(__rs_it):\n    return None")
    function = template.body[0]
    assert isinstance(function, ast.FunctionDef)
    returned = function.body[0]
    assert isinstance(returned, ast.Return)
    if form in {"max", "min"}:
        assert isinstance(value, ast.Call)
        key = next((k.value for k in value.keywords if k.arg == "key"), ast.Constant(None))
        returned.value = ast.Call(ast.Name("__rs_extreme__", ast.Load()), [ast.Name(form, ast.Load()), value.args[0], key], [])
    elif form == "sum":
        assert isinstance(value, ast.Call)
        returned.value = ast.Call(ast.Name("__rs_tape__", ast.Load()), [ast.Call(ast.Name("list", ast.Load()), value.args, [])], [])
    elif isinstance(value, ast.SetComp):
        unique = ast.parse("dict.fromkeys(None)", mode="eval").body
        assert isinstance(unique, ast.Call)
        unique.args = [ast.GeneratorExp(value.elt, value.generators)]
        returned.value = ast.Call(ast.Name("list", ast.Load()), [unique], [])
    elif form == "list" and not isinstance(value, ast.ListComp):
        returned.value = ast.Call(ast.Name("list", ast.Load()), [value], [])
    else:
        returned.value = value
    return compiled(template, node, scope)


def facts_of_expression(number: int, node: ast.expr, form: str, scope: Scope) -> SiteFacts:
    """Everything a run needs to know of one comprehension or consuming call."""
    verdict = classify_expression(node, scope)
    kind = verdict.kind
    if kind is SplitKind.ROWS and form != "list":
        kind = SplitKind.GROUP if form == "Counter" else SplitKind.REDUCE
    facts = SiteFacts(site=number, file=scope.file, line=node.lineno, form=form, kind=kind, reason=verdict.reason, label=label_of(node))
    if kind is SplitKind.WHOLE:
        return facts
    if form == "candidates" and any(_leaves_traces(keyword.value, scope) for keyword in node.keywords):  # type: ignore[attr-defined]
        return replace(facts, kind=SplitKind.WHOLE, reason="its key may change something, and is asked for once more among candidates")
    return replace(
        facts,
        code=expression_code(node, form, scope),
        free=tuple(sorted(verdict.free)),
        compares_identity=scope.mentions.compares_identity,
        looking=looks_at_records(node, scope.mentions),
    )


def _leaves_traces(function: ast.expr, scope: Scope) -> bool:
    """Whether calling a function twice in place of once may show."""
    spelled = mentioned(function)
    reachable = [f for name in scope.mentions.reachable(spelled) for f in scope.mentions.bodies.get(name, ())]
    if not (spelled | scope.mentions.attributes(spelled)).isdisjoint(WRITING_CALLS | MUTATORS | CARRYING_CALLS):
        return True
    places = (n for code in (function, *reachable) for n in walk(code) if isinstance(n, ast.Subscript | ast.Attribute))
    return any(not isinstance(place.ctx, ast.Load) for place in places)


_POOL_METHODS = frozenset({"map", "starmap", "imap", "imap_unordered"})
_POOL_MODULES = frozenset({"concurrent", "multiprocessing", "joblib"})
_POOL_CODE = "def __rs_chunk__(__rs_it):\n    return [__rs_f(*__rs_a, **__rs_k) for __rs_a, __rs_k in __rs_it]"


def imported_pools(tree: ast.Module) -> set[str]:
    """Modules of the standard library, and joblib, whose pools a module imports."""
    found = {alias.name.split(".")[0] for n in walk(tree) if isinstance(n, ast.Import) for alias in n.names}
    found |= {n.module.split(".")[0] for n in walk(tree) if isinstance(n, ast.ImportFrom) and n.module}
    return found & _POOL_MODULES


def is_pool_call(node: ast.Call, pools: AbstractSet[str]) -> bool:
    """Whether a call may hand a function and its data to a pool; the runtime sees which object it is."""
    if not pools or not node.args:
        return False
    if isinstance(node.func, ast.Attribute):
        return node.func.attr in _POOL_METHODS
    return (
        "joblib" in pools
        and isinstance(node.func, ast.Call | ast.Name)
        and (called_name(node.func) == "Parallel" if isinstance(node.func, ast.Call) else node.func.id.lower().startswith("parallel"))
    )


def facts_of_pool(number: int, node: ast.Call, scope: Scope) -> SiteFacts:
    """A call of a pool: the data are cut as the pool would have cut them."""
    return SiteFacts(
        site=number, file=scope.file, line=node.lineno, form="pool", kind=SplitKind.ROWS,
        reason="the script itself hands these out to a pool", label=label_of(node), free=("__rs_f",),
        code=compiled(ast.parse(_POOL_CODE), node, scope),
    )  # fmt: skip
