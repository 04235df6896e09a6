"""Statements over frames that are read from files: which of them can be done by rows, and why others not.

For example

    df = pd.read_csv("sales.csv")              rows     read in pieces
    df["total"] = df.units * df.price          rows     row by row
    df["level"] = df.total.cumsum()            whole    a sum runs over all rows before
    print(df.groupby("shop")["total"].sum())   group    partial groups are joined

The kinds are what a run tries; what the data then forbid, it finds out itself.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from runsurge_dask.analysis.askings import asks_small
from runsurge_dask.analysis.structure import walk
from runsurge_dask.analysis.waiting import waiting_reads
from runsurge_dask.knowledge import frames as knowledge
from runsurge_dask.runner.facts import SiteFacts, SplitKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

LAYOUT_SINKS = frozenset(
    {
        "to_pickle",
        "to_feather",
        "to_hdf",
        "to_orc",
        "pickle",
        "joblib",
        "shelve",
        "cloudpickle",
        "save",
        "savez",
        "savez_compressed",
        "tofile",
        "tobytes",
    }
)
"""What shows how a frame lies in memory: only frames that pandas itself has made give the same bytes."""

FOREIGN_WRITERS = frozenset(
    {"OSFile", "output_stream", "open_output_stream", "memory_map", "write_dataset", "polars", "duckdb", "fastparquet"}
)
"""What may write over a file without our hearing of it, while a lazy frame has still to read it."""

REASONS = {
    SplitKind.ROWS: "each row is worked out by itself",
    SplitKind.REDUCE: "partial results are joined",
    SplitKind.GROUP: "partial groups are joined",
}


def classify_frames(modules: Mapping[str, tuple[str, ast.Module]], first_site: int) -> list[SiteFacts]:
    """Sites of form `frame` in all modules (name -> file and tree), numbered from `first_site`."""
    if any(_looks_at_types(tree) or (LAYOUT_SINKS | FOREIGN_WRITERS) & _spelled(tree) for _, tree in modules.values()):
        return []
    found: list[SiteFacts] = []
    is_small = all(asks_small(tree) for _, tree in modules.values())
    is_slow = any(_hands_rows_to_code(tree) for _, tree in modules.values())
    for file, tree in modules.values():
        names = _frame_names(tree)
        waiting = waiting_reads(tree, names)
        for statement in _simple_statements(tree):
            if _reads(statement) or names & _mentioned(statement):
                kind, reason = _classify(statement)
                found.append(
                    SiteFacts(
                        site=first_site + len(found),
                        file=file,
                        line=statement.lineno,
                        form="frame",
                        kind=kind,
                        reason=reason,
                        label=_label(statement),
                        is_slow=is_slow,
                        is_small=is_small,
                        reads=_path_of(statement),
                        may_wait=id(statement) in waiting,
                    )
                )
    return found if any(_reads(statement) for _, tree in modules.values() for statement in _simple_statements(tree)) else []


def _hands_rows_to_code(tree: ast.Module) -> bool:
    """Whether some function of the script's own may be called for every row or group of a frame: pandas' own are as fast as reading."""
    own = {node.name for node in walk(tree) if isinstance(node, ast.FunctionDef)}
    for node in walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in knowledge.TAKING_CODE:
            given = [*node.args, *(keyword.value for keyword in node.keywords)]
            if any(isinstance(n, ast.Lambda) or (isinstance(n, ast.Name) and n.id in own) for value in given for n in walk(value)):
                return True
    return False


def _spelled(tree: ast.Module) -> set[str]:
    names = {node.attr for node in walk(tree) if isinstance(node, ast.Attribute)} | _mentioned(tree)
    return names | {
        alias.name.split(".")[0] for node in walk(tree) if isinstance(node, ast.Import | ast.ImportFrom) for alias in node.names
    }


def _looks_at_types(tree: ast.Module) -> bool:
    """Whether the script could tell a subclass of `DataFrame` from `DataFrame` itself: `type(x) is ...`, but not `type(x).__name__`."""
    harmless = {id(node.value) for node in walk(tree) if isinstance(node, ast.Attribute) and node.attr == "__name__"}
    for node in walk(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id == "type"
            and len(node.args) == 1
            and id(node) not in harmless
            and not _is_printed(node, tree)
        ):
            return True
        if isinstance(node, ast.Attribute) and node.attr == "__class__" and id(node) not in harmless:
            return True
    return False


def _is_printed(call: ast.Call, tree: ast.Module) -> bool:
    return any(
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print" and call in node.args
        for node in walk(tree)
    )


def _simple_statements(tree: ast.Module) -> Iterator[ast.stmt]:
    for node in walk(tree):
        if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign | ast.Expr | ast.Return | ast.Assert | ast.Delete):
            yield node


def _reads(node: ast.AST) -> bool:
    return any(
        isinstance(each, ast.Call) and isinstance(each.func, ast.Attribute) and each.func.attr in knowledge.READERS
        for each in walk(node)
    )


def _path_of(statement: ast.stmt) -> str:
    """The path that is given to a reader as it stands."""
    for each in walk(statement):
        if isinstance(each, ast.Call) and isinstance(each.func, ast.Attribute) and each.func.attr in knowledge.READERS and each.args:
            path = each.args[0]
            if isinstance(path, ast.Constant) and isinstance(path.value, str):
                return path.value
    return ""


def _mentioned(node: ast.AST) -> set[str]:
    return {each.id for each in walk(node) if isinstance(each, ast.Name)}


def _frame_names(tree: ast.Module) -> set[str]:
    """Names that may stand for a frame or a column: bound from a read, from a function that reads, or from such a name."""
    names: set[str] = set()
    while True:
        before = len(names)
        for node in walk(tree):
            if isinstance(node, ast.Assign) and (_reads(node.value) or names & _mentioned(node.value)):
                names.update(each.id for target in node.targets for each in walk(target) if isinstance(each, ast.Name))
            elif isinstance(node, ast.FunctionDef) and any(
                isinstance(each, ast.Return) and each.value is not None and (_reads(each.value) or names & _mentioned(each.value))
                for each in walk(node)
            ):
                names.add(node.name)
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                names.update(_parameters(tree, node, names))
        if len(names) == before:
            return names


def _parameters(tree: ast.Module, call: ast.Call, names: set[str]) -> set[str]:
    """Parameters of the script's own functions that are given such a name."""
    assert isinstance(call.func, ast.Name)
    found: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and node.name == call.func.id:
            found |= {parameter.arg for parameter, value in zip(node.args.args, call.args, strict=False) if names & _mentioned(value)}
    return found


def _classify(statement: ast.stmt) -> tuple[SplitKind, str]:
    attributes = [node.attr for node in walk(statement) if isinstance(node, ast.Attribute)]
    for name in attributes:
        if name in knowledge.WHOLE:
            return SplitKind.WHOLE, knowledge.WHOLE[name]
    kind = SplitKind.ROWS
    if knowledge.GROUP & set(attributes):
        kind = SplitKind.GROUP
    elif knowledge.REDUCE & set(attributes) or any(isinstance(node, ast.Name) and node.id == "len" for node in walk(statement)):
        kind = SplitKind.REDUCE
    return kind, REASONS[kind]


def _label(statement: ast.stmt) -> str:
    text = ast.unparse(statement).splitlines()[0]
    return text if len(text) <= 60 else text[:57] + "..."  # noqa: PLR2004 - one line of a report
