"""Follow whole arrays through a script: where they are read, what is made of them, and where the plain array is needed.

    raw = np.load("raw.npy")        raw = __runsurge__.array(np.load, "raw.npy")
    out = np.sqrt(raw - 3)          as it is: both sides may be expressions
    out[out > 9] = 0                __runsurge__.real(out)[__runsurge__.real(out > 9)] = 0
    show(out, type(raw))            show(__runsurge__.real(out), type(__runsurge__.real(raw)))

Only names that are followed here ever hold an expression, and every other use of them is given the array itself.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from runsurge_dask.analysis.frames import LAYOUT_SINKS
from runsurge_dask.analysis.structure import walk
from runsurge_dask.knowledge import arrays as knowledge
from runsurge_dask.runner.facts import SiteFacts, SplitKind

if TYPE_CHECKING:
    from collections.abc import Iterator

LOOKING_AROUND = frozenset(
    {
        "exec", "eval", "compile", "globals", "locals", "vars", "inspect", "_getframe", "__main__", "gc", "settrace", "setprofile", "pdb",
        "breakpoint", "set_numeric_ops", "seterrcall", "code", "dill", "weakref", "threading", "concurrent",
        "asyncio", "_thread", "modules",
    }
)  # fmt: skip
"""Who spells one of these might meet a name's value without asking for it."""
WRITING_ERRORS = frozenset({"stderr", "logging", "warnings", "tqdm", "traceback", "faulthandler", "_exit", "abort", "kill", "syslog"})
"""Who spells one of these might see that a warning comes late."""
SEEING_BITS = LAYOUT_SINKS | {
    "dump", "dumps", "hex", "struct", "view", "memmap", "array_equal", "hashlib", "sha256", "md5", "h5py", "write_bytes"
}  # fmt: skip
_COMPARED = (ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE)
_BOUND_DUNDERS = frozenset(
    f"__{side}{name}__" for side in ("", "r") for name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "and", "or", "xor")
) | {"__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__", "__array_ufunc__", "__array_function__"}
_STATEMENTS = (ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Expr, ast.Return, ast.Assert, ast.If, ast.While)
REASONS = {SplitKind.ROWS: "each row of the array is worked out by itself", SplitKind.REDUCE: "partial results are joined"}


def writes_errors(trees: list[ast.Module]) -> bool:
    """Whether a script may write to standard error itself, or looks at warnings."""
    return any(WRITING_ERRORS & set(_spelled(tree)) for tree in trees)


def writes_bytes(trees: list[ast.Module]) -> bool:
    """Whether the last bits of a number may be seen, which are lost in text of a few digits."""
    return any(SEEING_BITS & set(_spelled(tree)) for tree in trees)


def looks_around(tree: ast.Module) -> bool:
    """Whether a module may meet the values of names without spelling them."""
    return bool(LOOKING_AROUND & set(_spelled(tree)))


def follow_arrays(tree: ast.Module, written: ast.Module, file: str, first_site: int) -> tuple[ast.Module, list[SiteFacts]]:
    """`written` (a module, rewritten at its other sites) with its arrays followed, and the sites of form `array` of `tree`."""
    numpy = _Numpy(tree)
    if not numpy.is_known or looks_around(tree) or _defines_operators(tree):
        return written, []
    flow = _Flow(tree, numpy)
    found = [
        SiteFacts(
            site=first_site + number,
            file=file,
            line=statement.lineno,
            form="array",
            kind=kind,
            reason=REASONS[kind],
            label=_label(statement),
        )
        for number, (statement, kind) in enumerate(flow.statements())
    ]
    if not found:
        return written, []
    _Follower(flow).generic_visit(written)
    return ast.fix_missing_locations(written), found


def _spelled(tree: ast.Module) -> Iterator[str]:
    for node in walk(tree):
        match node:
            case ast.Attribute(attr=name) | ast.Name(id=name):
                yield name
            case ast.Import(names=names):
                yield from (part for alias in names for part in alias.name.split("."))
            case ast.ImportFrom(module=module, names=names):
                yield from (module or "").split(".")
                yield from (alias.name for alias in names)


def _defines_operators(tree: ast.Module) -> bool:
    return any(isinstance(node, ast.FunctionDef) and node.name in _BOUND_DUNDERS for node in walk(tree))


class _Numpy:
    """What NumPy and its functions are called in a module."""

    def __init__(self, tree: ast.Module) -> None:
        self.modules: set[str] = set()
        self.functions: dict[str, str] = {}
        for node in walk(tree):
            if isinstance(node, ast.Import):
                self.modules |= {alias.asname or alias.name for alias in node.names if alias.name == "numpy"}
            elif isinstance(node, ast.ImportFrom) and node.module == "numpy":
                self.functions |= {alias.asname or alias.name: alias.name for alias in node.names}
        names = self.modules | set(self.functions)
        stores = (node for node in walk(tree) if isinstance(node, ast.Name | ast.Attribute) and not isinstance(node.ctx, ast.Load))
        is_changed = any(
            (isinstance(node, ast.Name) and node.id in names)
            or (isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in names)
            for node in stores
        )
        arguments = {node.arg for node in walk(tree) if isinstance(node, ast.arg)}
        self.is_known = bool(names) and not is_changed and not names & arguments

    def name_of(self, node: ast.expr) -> str:
        """The name of NumPy's that an expression spells; empty for any other."""
        match node:
            case ast.Attribute(value=ast.Name(id=module), attr=name) if module in self.modules:
                return name
            case ast.Name(id=name):
                return self.functions.get(name, "")
        return ""


class _Flow:
    """Which names and expressions of a module may be array expressions."""

    def __init__(self, tree: ast.Module, numpy: _Numpy) -> None:
        self.tree = tree
        self.numpy = numpy
        self.functions = _followed_functions(tree)
        self.names: set[str] = set()
        self.giving: set[str] = set()
        """Functions of the script that may return one."""
        while True:
            before = len(self.names) + len(self.giving)
            for node in walk(tree):
                self._follow(node)
            if len(self.names) + len(self.giving) == before:
                break

    def _follow(self, node: ast.AST) -> None:
        match node:
            case ast.Assign(targets=targets, value=value) if self.may_be(value) and all(isinstance(t, ast.Name) for t in targets):
                self.names |= {target.id for target in targets if isinstance(target, ast.Name)}
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value) if self.may_be(value):
                self.names.add(name)
            case ast.FunctionDef(name=name) if name in self.functions and name not in self.giving:
                if any(isinstance(each, ast.Return) and each.value is not None and self.may_be(each.value) for each in walk(node)):
                    self.giving.add(name)
            case ast.Call(func=ast.Name(id=name)) if name in self.functions:
                parameters = [each.arg for each in self.functions[name].args.args]
                self.names |= {p for p, value in zip(parameters, node.args, strict=False) if self.may_be(value)}
                self.names |= {each.arg for each in node.keywords if each.arg and self.may_be(each.value)}

    def may_be(self, node: ast.expr) -> bool:
        """Whether the value of this expression may be an array expression."""
        match node:
            case ast.Name(id=name, ctx=ast.Load()):
                return name in self.names
            case ast.Call():
                return self._call_may_be(node)
            case ast.BinOp(left=left, op=op, right=right):
                return not isinstance(op, ast.MatMult) and (self.may_be(left) or self.may_be(right))
            case ast.UnaryOp(op=op, operand=operand):
                return not isinstance(op, ast.Not) and self.may_be(operand)
            case ast.Compare(left=left, ops=[op], comparators=[right]) if isinstance(op, _COMPARED):
                return self.may_be(left) or self.may_be(right)
            case ast.Subscript(value=value, ctx=ast.Load()):
                return self.may_be(value)
        return False

    def _call_may_be(self, node: ast.Call) -> bool:
        if any(isinstance(each, ast.Starred) for each in node.args) or any(each.arg is None for each in node.keywords):
            return False
        name = self.numpy.name_of(node.func)
        if name in knowledge.SOURCES:
            return True
        if name in knowledge.FUNCTIONS:
            return any(map(self.may_be, node.args))
        match node.func:
            case ast.Attribute(value=value, attr=attr) if attr in knowledge.METHODS:
                return self.may_be(value)
            case ast.Name(id="abs"):
                return any(map(self.may_be, node.args))
            case ast.Name(id=function):
                return function in self.giving
        return False

    def is_passing(self, node: ast.Call) -> bool:
        """Whether a call that is no expression itself takes expressions as arguments."""
        if any(isinstance(each, ast.Starred) for each in node.args) or any(each.arg is None for each in node.keywords):
            return False
        is_own = isinstance(node.func, ast.Name) and (node.func.id in self.functions or node.func.id == "len")
        return is_own or self.numpy.name_of(node.func) in knowledge.READING - knowledge.FUNCTIONS

    def statements(self) -> Iterator[tuple[ast.stmt, SplitKind]]:
        """Statements in which one is made or asked about."""
        for node in walk(self.tree):
            if isinstance(node, _STATEMENTS):
                parts = [node] if not hasattr(node, "body") else [node.test]  # type: ignore[union-attr]
                if isinstance(node, ast.AugAssign) and isinstance(node.target, ast.Name) and node.target.id in self.names:
                    yield node, SplitKind.ROWS
                    continue
                inner = [each for part in parts for each in walk(part) if isinstance(each, ast.expr) and self.may_be(each)]
                if inner:
                    reduces = any(isinstance(each, ast.Call) and _called(each) in knowledge.REDUCTIONS for each in inner)
                    yield node, SplitKind.REDUCE if reduces else SplitKind.ROWS


def _called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def _followed_functions(tree: ast.Module) -> dict[str, ast.FunctionDef]:
    """Functions of the module that are only ever called by their names, with plain parameters."""
    defined = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    called = {id(node.func) for node in walk(tree) if isinstance(node, ast.Call)}
    spelled: dict[str, bool] = {}
    for node in walk(tree):
        if isinstance(node, ast.Name):
            spelled[node.id] = spelled.get(node.id, True) and id(node) in called
    names = [node.name for node in walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)]
    found = {}
    for node in defined:
        is_plain = not node.decorator_list and not node.args.vararg and not node.args.kwarg and names.count(node.name) == 1
        if is_plain and spelled.get(node.name, False) and not any(isinstance(each, ast.Yield | ast.YieldFrom) for each in walk(node)):
            found[node.name] = node
    return found


def _label(statement: ast.stmt) -> str:
    text = ast.unparse(statement).splitlines()[0]
    return text if len(text) <= 60 else text[:57] + "..."  # noqa: PLR2004 - one line of a report


class _Follower(ast.NodeTransformer):
    """Writes the questions to the runtime."""

    def __init__(self, flow: _Flow) -> None:
        self.flow = flow
        self.in_class = False
        self.in_giving = False
        self.loops = 0

    def visit(self, node: ast.AST) -> ast.AST:
        """Anything that is no operand of an array expression gets plain arrays."""
        if isinstance(node, ast.expr) and self.flow.may_be(node):
            return runtime_call("real", [self.open(node)], node)
        return super().visit(node)  # type: ignore[no-any-return]

    def open(self, node: ast.expr) -> ast.expr:
        """An expression that may stay one."""
        if not self.flow.may_be(node) or isinstance(node, ast.Name):
            return node if isinstance(node, ast.Name) and self.flow.may_be(node) else self._visited(node)
        match node:
            case ast.Call():
                return self._call(node)
            case ast.BinOp():
                node.left, node.right = self.open(node.left), self.open(node.right)
            case ast.UnaryOp():
                node.operand = self.open(node.operand)
            case ast.Compare():
                node.left, node.comparators = self.open(node.left), [self.open(node.comparators[0])]
            case ast.Subscript():
                is_slice = any(isinstance(each, ast.Slice) for each in walk(node.slice))
                is_element = self.loops and not is_slice and not self.flow.may_be(node.slice)
                node.value = self._visited(node.value) if is_element else self.open(node.value)
                node.slice = self.open(node.slice)
        return node

    def _visited(self, node: ast.expr) -> ast.expr:
        visited = self.visit(node)
        assert isinstance(visited, ast.expr)
        return visited

    def _call(self, node: ast.Call) -> ast.expr:
        name = self.flow.numpy.name_of(node.func)
        if not name and isinstance(node.func, ast.Attribute):
            node.func.value = self.open(node.func.value)
        node.args = [self.open(each) for each in node.args]
        for each in node.keywords:
            each.value = self.open(each.value)
        if name in knowledge.SOURCES:
            call = runtime_call("array", [node.func, *node.args], node)
            assert isinstance(call, ast.Call)
            call.keywords = node.keywords
            return call
        return node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        if self.flow.is_passing(node):
            return self._call(node)
        self.generic_visit(node)
        if isinstance(node.func, ast.Name) and node.func.id == "print":
            for each in node.args:
                _let_peek(each)
        return node

    def visit_FormattedValue(self, node: ast.FormattedValue) -> ast.AST:
        self.generic_visit(node)
        _let_peek(node.value)
        return node

    def visit_Attribute(self, node: ast.Attribute) -> ast.AST:
        if node.attr in knowledge.ATTRIBUTES and isinstance(node.ctx, ast.Load) and self.flow.may_be(node.value):
            node.value = self.open(node.value)
            return node
        self.generic_visit(node)
        return node

    def visit_Assign(self, node: ast.Assign) -> ast.AST:
        is_open = not self.in_class and all(isinstance(target, ast.Name) for target in node.targets)
        node.value = self.open(node.value) if is_open else self._visited(node.value)
        if not is_open:
            node.targets = [self._visited(target) for target in node.targets]
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        if node.value is not None and isinstance(node.target, ast.Name) and not self.in_class:
            node.value = self.open(node.value)
            return node
        self.generic_visit(node)
        return node

    def visit_Return(self, node: ast.Return) -> ast.AST:
        if node.value is not None:
            node.value = self.open(node.value) if self.in_giving else self._visited(node.value)
        return node

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        outer, self.in_class = self.in_class, True
        self.generic_visit(node)
        self.in_class = outer
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        outer = self.in_class, self.in_giving, self.loops
        self.in_class, self.in_giving, self.loops = False, not self.in_class and node.name in self.flow.giving, 0
        self.generic_visit(node)
        self.in_class, self.in_giving, self.loops = outer
        return node

    def visit_Lambda(self, node: ast.Lambda) -> ast.AST:
        outer, self.in_giving = self.in_giving, False
        self.generic_visit(node)
        self.in_giving = outer
        return node

    def _loop(self, node: ast.AST) -> ast.AST:
        self.loops += 1
        self.generic_visit(node)
        self.loops -= 1
        return node

    visit_For = visit_While = visit_ListComp = visit_SetComp = visit_DictComp = visit_GeneratorExp = _loop


def _let_peek(node: ast.expr) -> None:
    """Text is made of a value; nobody keeps it."""
    match node:
        case ast.Call(func=ast.Attribute(value=ast.Name(id="__runsurge__"), attr="real") as function):
            function.attr = "peek"


def runtime_call(method: str, arguments: list[ast.expr], near: ast.AST) -> ast.expr:
    """A call of the runtime at the place of an expression."""
    function = ast.Attribute(ast.Name("__runsurge__", ast.Load()), method, ast.Load())
    call = ast.Call(function, arguments, [])
    for node in (call, function, function.value):
        ast.copy_location(node, near)
    for part in (function, function.value):
        part.end_lineno, part.end_col_offset = part.lineno, part.col_offset + 1  # a method call reports its name's last line
    return call
