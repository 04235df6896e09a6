"""The size of what an expression gives, from the text alone.

    [float(x) for x in open("a.txt")]   as many items as the file has lines, 32 bytes each, and the list's slots
"""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import TYPE_CHECKING

from runsurge_dask.analysis.structure import walk
from runsurge_dask.estimation.things import SCALAR, SMALL_BYTES, Thing, file_at, file_bytes, larger
from runsurge_dask.knowledge.sizes import (
    COPIES,
    LAZY,
    MADE_OF_TEXT,
    NODE_SECONDS,
    NUMBER_BYTES,
    OBJECT_BYTES,
    READ_SECONDS_A_BYTE,
    READERS,
    SCALARS,
    SLOT_BYTES,
    STRING_BYTES,
    UNBOUNDED,
    WORD_BYTES,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_LARGEST = 1e18
"""Larger numbers are no lengths."""
DEEPEST_CALL = 6
"""Calls of the script's own functions that are followed into each other."""


class Sizing:
    """Works out expressions among names; notes what is held meanwhile and how long it takes."""

    def __init__(
        self, *, argv: Sequence[str], cwd: str, call: Callable[[str, list[Thing]], Thing | None], refuse: Callable[[ast.expr], None]
    ) -> None:
        self.argv = argv
        self.cwd = cwd
        self.call_own = call
        self.refuse = refuse
        self.names: dict[str, Thing] = {}
        self.between_bytes = 0.0
        self.seconds = 0.0

    def of(self, node: ast.AST | None) -> Thing:  # noqa: C901, PLR0911, PLR0912 - a ladder of cases, one for each kind of expression
        """The size of one expression."""
        match node:
            case None:
                return SCALAR
            case ast.Constant(value=value):
                return _constant(value)
            case ast.Name(id=name):
                return self.names.get(name, SCALAR)
            case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() | ast.DictComp():
                return self._bounded(node, self._comprehension(node))
            case ast.Call():
                return self._bounded(node, self._call(node))
            case ast.List(elts=items) | ast.Tuple(elts=items) | ast.Set(elts=items):
                found = [self.of(item) for item in items]
                mean = sum(each.held_bytes for each in found) / len(found) if found else 0.0
                return self._made(Thing(length=float(len(items)), item_bytes=mean + 8, own_bytes=SMALL_BYTES))
            case ast.Dict(keys=keys, values=values):
                inner = sum(self.of(each).held_bytes for each in (*keys, *values))
                return Thing(length=float(len(keys)), item_bytes=inner / max(1, len(keys)), own_bytes=OBJECT_BYTES)
            case ast.Subscript(value=value, slice=index):
                return self._item(value, index)
            case ast.IfExp(test=test, body=body, orelse=orelse):
                return self._either(test, body, orelse)
            case ast.BinOp(left=left, op=op, right=right):
                return self._joined(self.of(left), op, self.of(right))
            case ast.JoinedStr(values=values):
                texts = [self.of(each).text for each in values]
                known = [each for each in texts if each is not None]
                return Thing(own_bytes=STRING_BYTES + 16.0 * len(values), text="".join(known) if len(known) == len(texts) else None)
            case ast.FormattedValue(value=value) | ast.Starred(value=value) | ast.NamedExpr(value=value) | ast.UnaryOp(operand=value):
                return self.of(value)
            case ast.Attribute(value=value):
                return self.of(value)
            case ast.Compare(left=left, comparators=others):
                parts = [self.of(each) for each in (left, *others)]
                return replace(larger(*parts), number=None, text=None) if any(each.length for each in parts) else SCALAR
            case ast.BoolOp(values=values):
                return larger(*(self.of(each) for each in values))
        return SCALAR

    def _bounded(self, node: ast.expr, thing: Thing) -> Thing:
        """The value, which is refused if it holds something that has no end."""
        if thing.is_unbounded and not thing.is_lazy:
            self.refuse(node)
        return thing

    def _made(self, thing: Thing) -> Thing:
        if not thing.is_lazy:
            self.between_bytes += thing.held_bytes
        return thing

    def _comprehension(self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp) -> Thing:
        length, unbounded, outer = 1.0, False, dict(self.names)
        between = self.between_bytes
        for clause in node.generators:
            over = self.of(clause.iter)
            length *= over.length if over.length is not None else 1.0
            unbounded |= over.is_unbounded
            self.bind(clause.target, item_of(over))
        parts = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
        inner = sum(self.of(each).held_bytes for each in parts)
        self.names, self.between_bytes = outer, between
        self.seconds += length * NODE_SECONDS * len(walk(node))
        kind = {ast.ListComp: "list", ast.SetComp: "set", ast.DictComp: "dict", ast.GeneratorExp: "list"}[type(node)]
        lazy = isinstance(node, ast.GeneratorExp)
        return self._made(Thing(length=length, item_bytes=inner + SLOT_BYTES[kind], is_lazy=lazy, is_unbounded=unbounded))

    def bind(self, target: ast.AST, thing: Thing) -> None:
        """Give a target its value."""
        match target:
            case ast.Name(id=name):
                self.names[name] = thing
            case ast.Tuple(elts=parts) | ast.List(elts=parts):
                for part in parts:
                    self.bind(part, item_of(thing) if thing.length is not None else replace(thing, number=None, text=None))

    def _item(self, value: ast.expr, index: ast.expr) -> Thing:
        if ast.unparse(value) == "sys.argv" and isinstance(index, ast.Constant) and isinstance(index.value, int):
            return Thing(text=self.argv[index.value - 1] if 0 < index.value <= len(self.argv) else None)
        whole = self.of(value)
        if whole.length is None and not isinstance(index, ast.Slice):
            return replace(whole, own_bytes=max(NUMBER_BYTES, whole.own_bytes / whole.columns), columns=1, number=None, text=None)
        if isinstance(index, ast.Slice) or not isinstance(index, ast.Constant):
            return self._made(replace(whole, number=None, text=None))
        if isinstance(index.value, str) and whole.columns > 1:
            return self._made(replace(whole, path="", columns=1, item_bytes=whole.item_bytes / whole.columns))
        return item_of(whole)

    def _either(self, test: ast.expr, body: ast.expr, orelse: ast.expr) -> Thing:
        match test:
            case ast.Compare(left=ast.Call() as left, ops=[ast.Gt()], comparators=[ast.Constant(value=int(least))]) if _is_argc(left):
                return self.of(body if len(self.argv) + 1 > least else orelse)
        return larger(self.of(body), self.of(orelse))

    def _joined(self, left: Thing, op: ast.operator, right: Thing) -> Thing:
        if isinstance(op, ast.Add | ast.Div) and left.text is not None and right.text is not None:
            return Thing(text=left.text + right.text if isinstance(op, ast.Add) else f"{left.text}/{right.text}")
        if left.number is not None and right.number is not None:
            return replace(SCALAR, number=_arithmetic(left.number, op, right.number))
        if isinstance(op, ast.Mult) and {left.number is None, right.number is None} == {True, False}:
            many, times = (left, right.number) if left.number is None else (right, left.number)
            if many.length is not None and many.length < SMALL_BYTES:  # `[0] * n`; a long one is an array
                return self._made(replace(many, length=many.length * max(0.0, times or 0.0), item_bytes=8.0))
        return self._made(replace(larger(left, right), number=None, text=None)) if (left.length or right.length) else SCALAR

    def _call(self, node: ast.Call) -> Thing:
        full = ast.unparse(node.func) if isinstance(node.func, ast.Attribute | ast.Name) else ""
        name = full.rpartition(".")[2]
        owner = self.of(node.func.value) if isinstance(node.func, ast.Attribute) else None
        given = [self.of(each) for each in (*node.args, *(keyword.value for keyword in node.keywords))]
        if name in {"open", "Path"} and given and given[0].text is not None:
            return replace(file_at(given[0].text, self.cwd), text=given[0].text)
        if name == "join" and "path" in full and all(each.text is not None for each in given):
            return Thing(text="/".join(each.text or "" for each in given))
        if owner is None and (own := self.call_own(name, given)) is not None:
            return own
        if (rule := READERS.get(f"{full}") or READERS.get(name)) is not None:
            return self._read(rule.result, rule.peak, [*given, *([owner] if owner is not None else [])], name)
        if full in UNBOUNDED:
            return Thing(length=float("inf"), item_bytes=NUMBER_BYTES, is_lazy=True, is_unbounded=True)
        if name == "range":
            return _range(given)
        return self._known(name, owner, given)

    def _known(self, name: str, owner: Thing | None, given: list[Thing]) -> Thing:
        everything = [*([owner] if owner is not None else []), *given]
        if name == "len" and given:
            return replace(SCALAR, number=given[0].length)
        if name in {"reader", "DictReader"} and given:
            row = given[0].columns * (STRING_BYTES + 8) + given[0].item_bytes + (OBJECT_BYTES if name == "DictReader" else 0)
            return replace(given[0], item_bytes=row, text=None)
        if name in LAZY | _LEAVING and given:
            return _lazily(name, given)
        if name in SLOT_BYTES and given:
            over = larger(*given)
            each_bytes = over.item_bytes + SLOT_BYTES[name]
            return self._made(replace(over, item_bytes=each_bytes, is_lazy=False, own_bytes=OBJECT_BYTES, text=None))
        if name in SCALARS or (not everything):
            is_endless = name in _TO_THE_END and any(each.is_unbounded for each in given)
            return replace(SCALAR, is_unbounded=True) if is_endless else SCALAR
        if name == "split" and owner is not None:
            words = max(1.0, (owner.own_bytes - STRING_BYTES) / WORD_BYTES)
            return self._made(Thing(length=words, item_bytes=WORD_BYTES + STRING_BYTES + 8, columns=max(2, int(min(words, owner.columns)))))
        if name in MADE_OF_TEXT and given:
            return self._made(Thing(own_bytes=OBJECT_BYTES + given[0].held_bytes * MADE_OF_TEXT[name], columns=2))
        if owner is None and name[:1].isupper():
            return Thing(own_bytes=OBJECT_BYTES + sum(each.held_bytes for each in given))
        found = larger(*everything)
        self.between_bytes += found.held_bytes * (COPIES.get(name, 1.0) - 1.0)
        self.seconds += found.held_bytes * READ_SECONDS_A_BYTE / 4
        return self._made(replace(found, number=None, text=None))

    def _read(self, result: float, peak: float, from_: list[Thing], name: str) -> Thing:
        source = next((each for each in from_ if each.path), None)
        if source is None:
            text = next((each.text for each in from_ if each.text), None)
            source = file_at(text, self.cwd) if text is not None else Thing(length=0.0)
        size = file_bytes(source.path)
        self.between_bytes += size * peak
        self.seconds += size * READ_SECONDS_A_BYTE * (peak - result + 1)
        if name in {"read", "read_text", "read_bytes"}:
            return Thing(own_bytes=SMALL_BYTES + size * result, path="", length=None)
        items = source.length or 0.0
        return Thing(length=items, item_bytes=size * result / items if items else 0.0, columns=max(2, source.columns))


_AS_THE_SHORTEST = frozenset({"zip", "map"})
_LEAVING = frozenset({"islice", "takewhile"})
"""Iterators that end before what they go through does."""
_TO_THE_END = frozenset({"sum", "max", "min", "len", "fsum", "prod"})


def _lazily(name: str, given: Sequence[Thing]) -> Thing:
    """What an iterator over these gives, one by one."""
    found = _shortest(given) if name in _AS_THE_SHORTEST else larger(*given) if name != "filter" else given[-1]
    if name in _LEAVING:
        found = next((each for each in given if each.is_lazy or each.length is not None), SCALAR)
        number = given[-1].number if name == "islice" else None
        found = replace(found, is_unbounded=False, length=_finite(found.length) if number is None else number)
    each_bytes = sum(each.item_bytes for each in given) + SMALL_BYTES
    return replace(found, is_lazy=True, item_bytes=each_bytes, text=None, own_bytes=SMALL_BYTES)


def _shortest(given: Sequence[Thing]) -> Thing:
    """The one that ends first."""
    ending = [each for each in given if each.length is not None and not each.is_unbounded]
    return min(ending, key=lambda each: each.length or 0.0) if ending else larger(*given)


def _finite(length: float | None) -> float:
    return length if length is not None and length < _LARGEST else 1.0


def _is_argc(node: ast.Call) -> bool:
    return ast.unparse(node) == "len(sys.argv)"


def item_of(thing: Thing) -> Thing:
    """One item of a value."""
    return Thing(own_bytes=max(NUMBER_BYTES, thing.item_bytes), columns=thing.columns)


def _constant(value: object) -> Thing:
    if isinstance(value, bool):
        return SCALAR
    if isinstance(value, int | float):
        return replace(SCALAR, number=float(value) if abs(value) < _LARGEST else None)
    if isinstance(value, str):
        return Thing(own_bytes=STRING_BYTES + float(len(value)), text=value)
    return SCALAR


def _range(given: list[Thing]) -> Thing:
    numbers = [each.number for each in given]
    if any(each is None for each in numbers) or not numbers:
        return Thing(length=None, item_bytes=NUMBER_BYTES, is_lazy=True)
    known = [each for each in numbers if each is not None]
    start, stop = (0.0, known[0]) if len(known) == 1 else known[:2]
    step = known[2] if len(known) > 2 and known[2] else 1.0  # noqa: PLR2004 - the third is the step
    return Thing(length=max(0.0, (stop - start) / step), item_bytes=NUMBER_BYTES, is_lazy=True)


def _arithmetic(left: float, op: ast.operator, right: float) -> float | None:
    try:
        match op:
            case ast.Add():
                return left + right
            case ast.Sub():
                return left - right
            case ast.Mult():
                return left * right
            case ast.FloorDiv() | ast.Div():
                return left / right
            case ast.Pow():
                return float(left**right)
    except (ArithmeticError, ValueError, TypeError):
        return None
    return None
