"""The text of each task script.

    merged blocks      load what is needed, the statements, store what later tasks need (or go on with the rest)
    one chunk          load, the statements on one chunk of what is gone through, store the parts
    aggregator         the statements' beginnings, the parts joined in order; or the statements as written where a part is missing
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runsurge_dask.analysis.structure import copied
from runsurge_dask.planning.tasks import texts
from runsurge_dask.planning.tasks.language import PREFIX
from runsurge_dask.planning.tasks.splitting import Group, Joining, Piece

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from runsurge_dask.planning.tasks.units import Script, Unit


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """Data ids by variable."""

    loads: Mapping[str, str]
    """What the task begins with."""
    stores: Mapping[str, str]
    """What it leaves."""
    rest_loads: Mapping[str, str]
    """What it needs besides, if it has to go on with the rest of the script."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What every task of one script has around its statements."""

    script: Script
    file: str
    """The script's own name, for the first line."""


def merged_text(frame: Frame, units: Sequence[Unit], rest: Sequence[Unit], data: Data, *, title: str, is_first: bool) -> str:
    """A task of whole statements."""
    parts = [_head(frame, title, is_first=is_first), _loading(data.loads), _statements(units), _handing_on(data, rest)]
    return _joined(parts, storing=bool(data.stores))


def _handing_on(data: Data, rest: Sequence[Unit]) -> str:
    """Store what later tasks need; where that cannot be done exactly, run the rest here, and leave nothing to them."""
    if not data.stores:
        return ""
    going_on = _lines(["_rs_write('finished', None)", _loading(data.rest_loads), _statements(rest)])
    return f"if not _rs_store({dict(data.stores)!r}):\n" + _indented(going_on)


def chunk_text(
    frame: Frame, group: Group, *, title: str, is_first: bool, chunk: int, count: int, loads: Mapping[str, str], stores: Mapping[str, str]
) -> str:
    """One chunk of a group; a chunk that fails leaves no part, and the aggregator runs the statements as written."""
    transformed = [_parts_function(piece) for piece in group.pieces if piece.function and Joining.REPLAY in piece.joinings.values()]
    body = [_statements(group.initial)]
    for piece, source in zip(group.pieces, group.sources, strict=True):
        body.append(_chunk_of(piece, source, chunk, count))
    body.append(f"if not _rs_store({dict(stores)!r}):\n    raise ValueError('a part cannot be stored')")
    forget = "\n".join(f"_rs_forget({data_id!r})" for data_id in stores.values())
    attempt = f"try:\n{_indented(_lines(body))}\nexcept Exception:  # the aggregator runs the statements as written, and meets it there\n"
    parts = [_head(frame, title, is_first=is_first), "import itertools as _rs_itertools", _loading(loads), *transformed]
    return _joined([*parts, attempt + _indented(forget)], storing=True)


def aggregator_text(
    frame: Frame, group: Group, units: Sequence[Unit], rest: Sequence[Unit], data: Data, *, title: str, parts: Mapping[str, Sequence[str]]
) -> str:
    """The task that joins a group's parts; `parts` are the data ids of every chunk by name."""
    every = [data_id for ids in parts.values() for data_id in ids]
    joining = [_statements(group.initial)]
    for piece in group.pieces:
        joining += [f"{name} = {ast.unparse(value)}" for name, value in piece.initial.items()]
        joining += [_opened(piece, [])] if piece.opening is not None and piece.prologue else []
        joining += [_join(name, how, parts[name]) for name, how in piece.joinings.items() if name in parts]
    whole = [f"_rs_is_joined = all(_rs_os.path.exists(_rs_path(each)) for each in {every!r})", "if _rs_is_joined:", "    try:"]
    whole += [_indented(_lines(joining), 2), "    except _rs_NotExact:", "        _rs_is_joined = False"]
    whole += ["if not _rs_is_joined:", _indented(_statements(units))]
    text = [_head(frame, title, is_first=False), texts.JOINING.strip(), _loading(data.loads), "\n".join(whole), _handing_on(data, rest)]
    return _joined(text, storing=bool(data.stores))


def _head(frame: Frame, title: str, *, is_first: bool) -> str:
    """Docstring, imports and functions of the script, and how values are loaded."""
    futures = [node for node in frame.script.imports if isinstance(node, ast.ImportFrom) and node.module == "__future__"]
    others = [node for node in frame.script.imports if node not in futures]
    doc = ast.unparse(ast.Expr(ast.Constant(f"Task of {frame.file}: {title}.")))
    loading = texts.ACCESS.strip() + "\n\n\n" + texts.LEAVING.strip()
    if is_first:
        loading = texts.ACCESS.strip() + "\n\n\n" + texts.BEGINNING.strip()
    functions = [ast.unparse(node) for node in frame.script.functions.values()]
    return "\n\n".join(part for part in [
        doc, "\n".join(map(ast.unparse, futures)), "\n".join(map(ast.unparse, others)), *functions, loading,
    ] if part)  # fmt: skip


def _joined(parts: Iterable[str], *, storing: bool) -> str:
    head, *others = [part for part in parts if part]
    return "\n\n".join([head, *([texts.STORING.strip()] if storing else []), *others]) + "\n"


def _loading(names: Mapping[str, str]) -> str:
    return f"_rs_load({dict(names)!r})" if names else ""


def _statements(units: Iterable[Unit]) -> str:
    return "\n".join(ast.unparse(unit.node) for unit in units) or "pass"


def _lines(parts: Iterable[str]) -> str:
    return "\n".join(part for part in parts if part and part != "pass") or "pass"


def _indented(text: str, depth: int = 1) -> str:
    """The statements one level deeper: parsed and written again, so that texts over several lines stay what they are."""
    body = ast.parse(text or "pass").body
    for _ in range(depth):
        body = [ast.If(ast.Constant(1), body, [])]
    _, _, inner = ast.unparse(ast.fix_missing_locations(ast.Module(body, []))).partition("\n")
    return inner if depth == 1 else inner.partition("\n")[2]


def _chunk_of(piece: Piece, source: str, chunk: int, count: int) -> str:
    """The piece on one chunk of what it goes through."""
    replayed = [name for name, how in piece.joinings.items() if how is Joining.REPLAY]
    if source:
        return _working(piece, piece.iterable, replayed)
    counted = f"{PREFIX}records = sum(1 for _ in {ast.unparse(piece.iterable)})"
    taken = ast.parse(
        f"_rs_itertools.islice({ast.unparse(piece.iterable)}, _rs_records * {chunk} // {count}, _rs_records * {chunk + 1} // {count})",
        mode="eval",
    ).body
    if piece.opening is None:
        return counted + "\n" + _working(piece, taken, replayed)
    return _opened(piece, ast.parse(counted).body) + "\n" + _opened(piece, ast.parse(_working(piece, taken, replayed)).body)


def _working(piece: Piece, iterable: ast.expr, replayed: Sequence[str]) -> str:
    """The statement that goes through its chunk."""
    begin = "".join(f"{name} = []\n" for name in replayed)
    if isinstance(piece.loop, ast.ListComp):
        node = copied(piece.unit.node)
        assert isinstance(node, ast.Assign)
        assert isinstance(node.value, ast.ListComp)
        node.value.generators[0].iter = iterable
        return ast.unparse(node)
    if piece.function is not None:
        node = copied(piece.unit.node)
        assert isinstance(node, ast.Assign)
        assert isinstance(node.value, ast.Call)
        node.value.args[0] = iterable
        if replayed:
            node.value.func = ast.Name(f"{PREFIX}parts_of_{piece.function.name}", ast.Load())
        return ast.unparse(node)
    loop = _taped(copied(piece.loop), replayed)
    loop.iter = iterable
    return begin + ast.unparse(ast.fix_missing_locations(loop))


class _Tape(ast.NodeTransformer):
    """`total += x` becomes `total.append(x)`."""

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        if isinstance(node.target, ast.Name) and node.target.id in self.names:
            append = ast.Attribute(ast.Name(node.target.id, ast.Load()), "append", ast.Load())
            return ast.Expr(ast.Call(append, [node.value], []))
        return node


def _taped(loop: ast.For, names: Sequence[str]) -> ast.For:
    _Tape(names).generic_visit(loop)
    return loop


def _parts_function(piece: Piece) -> str:
    """The function that a piece calls, giving back what it would add instead of the sum."""
    assert piece.function is not None
    function = copied(piece.function)
    function.name = f"{PREFIX}parts_of_{function.name}"
    result = function.body[-1]
    assert isinstance(result, ast.Return)
    assert isinstance(result.value, ast.Name)
    name = result.value.id
    for place, node in enumerate(function.body):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == name:
            node.value = ast.List([], ast.Load())
        elif isinstance(node, ast.For):
            function.body[place] = _taped(node, [name])
    return ast.unparse(ast.fix_missing_locations(function))


def _opened(piece: Piece, body: Sequence[ast.stmt]) -> str:
    """The `with` of a piece around its prologue and other statements."""
    assert piece.opening is not None
    inner: list[ast.stmt] = [*(copied(each) for each in piece.prologue), *body]
    return ast.unparse(ast.fix_missing_locations(ast.With(copied(piece.opening).items, inner or [ast.Pass()])))


def _join(name: str, how: Joining, ids: Sequence[str]) -> str:
    step = {
        Joining.EXTEND: f"_rs_extend({name}, _rs_read(_rs_id))",
        Joining.MERGE: f"_rs_merge({name}, _rs_read(_rs_id))",
        Joining.STORE: f"_rs_update({name}, _rs_read(_rs_id))",
        Joining.REPLAY: f"for _rs_added in _rs_read(_rs_id):\n        {name} += _rs_added",
    }[how]
    return f"for _rs_id in {list(ids)!r}:\n    {step}"
