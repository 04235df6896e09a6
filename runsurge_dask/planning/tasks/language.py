"""Which scripts may be divided into processes at all: a small language in which every state is in named values.

Inside: functions, loops, comprehensions, files opened by `with`, the builtins and modules of `words`. Outside, with the reason:

    line 3: `import random` keeps a state that other processes would not have
    line 9: `is` asks for the identity of values
    line 12: a class
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

from runsurge_dask.analysis.structure import children, walk
from runsurge_dask.planning.tasks import words

if TYPE_CHECKING:
    from collections.abc import Iterator

PREFIX = "_rs_"
"""Of our own names in task scripts."""
_STATEMENTS = (
    ast.Assign, ast.AugAssign, ast.AnnAssign, ast.Expr, ast.For, ast.While, ast.If, ast.With, ast.Pass, ast.Break, ast.Continue, ast.Return,
    ast.Raise, ast.Assert, ast.Try, ast.FunctionDef, ast.Import, ast.ImportFrom,
)  # fmt: skip
_EXPRESSIONS = (
    ast.Constant, ast.Name, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.IfExp, ast.JoinedStr, ast.FormattedValue, ast.List,
    ast.Tuple, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp, ast.GeneratorExp, ast.Subscript, ast.Slice, ast.Starred,
    ast.Call, ast.Attribute, ast.Lambda,
)  # fmt: skip
_PARTS = (
    ast.arguments, ast.arg, ast.keyword, ast.comprehension, ast.withitem, ast.alias, ast.ExceptHandler, ast.operator, ast.unaryop,
    ast.boolop, ast.cmpop, ast.expr_context, ast.Module,
)  # fmt: skip


class Outside(Exception):  # noqa: N818 - it says where a script stands, and is no error
    """A construct that the small language does not have."""

    def __init__(self, node: ast.AST, why: str) -> None:
        super().__init__(f"line {getattr(node, 'lineno', '?')}: {why}")


def why_outside(tree: ast.Module) -> str:
    """The first reason why a script may not be divided; empty if it may."""
    try:
        _Checker(tree).check()
    except Outside as reason:
        return str(reason)
    except RecursionError:
        return "it is nested too deeply"
    return ""


def imported(tree: ast.Module) -> dict[str, str]:
    """What names stand for after the imports: `{"csv": "csv", "sqrt": "math.sqrt", "path": "os.path"}`."""
    found: dict[str, str] = {}
    for node in tree.body:
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.split(".")[0]
                found[alias.asname or top] = alias.name if alias.asname else top
        elif isinstance(node, ast.ImportFrom):
            found |= {alias.asname or alias.name: f"{node.module}.{alias.name}" for alias in node.names}
    return found


class _Checker:
    """One walk over a script; raises at the first thing that is outside."""

    def __init__(self, tree: ast.Module) -> None:
        self.tree = tree
        self.imports = imported(tree)
        self.functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
        self.bound = {node.id for node in walk(tree) if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)}
        self.bound |= {node.arg for node in walk(tree) if isinstance(node, ast.arg)} | set(self.imports) | set(self.functions)
        self.bound |= {node.name for node in walk(tree) if isinstance(node, ast.ExceptHandler) and node.name}
        self.parents = {id(child): node for node in walk(tree) for child in children(node)}

    def check(self) -> None:
        self._check_bindings()
        for node in walk(self.tree):
            if not isinstance(node, (*_STATEMENTS, *_EXPRESSIONS, *_PARTS)):
                raise Outside(node, f"{type(node).__name__} is not divided")
            self._check_node(node)

    def _check_bindings(self) -> None:
        """Functions and modules keep their names, and builtins their meaning."""
        fixed = words.BUILTINS | words.EXCEPTIONS | set(self.imports) | set(self.functions)
        names = [node.name for node in walk(self.tree) if isinstance(node, ast.FunctionDef)]
        for node in walk(self.tree):
            bound = ""
            if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
                bound = node.id
            elif isinstance(node, ast.arg | ast.ExceptHandler):
                bound = (node.arg if isinstance(node, ast.arg) else node.name) or ""
            elif isinstance(node, ast.FunctionDef):
                is_known = node.name in words.BUILTINS | words.EXCEPTIONS | set(self.imports)
                bound = node.name if is_known or names.count(node.name) > 1 else ""
            if bound in fixed or bound.startswith(PREFIX):
                raise Outside(node, f"`{bound}` is bound anew")
        if sum(isinstance(node, ast.Import | ast.ImportFrom) for node in walk(self.tree)) != sum(
            isinstance(node, ast.Import | ast.ImportFrom) for node in self.tree.body
        ):
            raise Outside(self.tree, "an import inside a statement")

    def _check_node(self, node: ast.AST) -> None:  # noqa: C901, PLR0912 - one branch a form
        match node:
            case ast.Import(names=aliases):
                for alias in aliases:
                    self._check_module(node, alias.name, alias.name if alias.asname else alias.name.split(".")[0])
            case ast.ImportFrom(module=module, names=aliases, level=level):
                for alias in aliases:
                    if level or not _is_allowed(module or "", alias.name):
                        raise Outside(node, f"`{alias.name}` of {module} may keep a state that other processes would not have")
            case ast.FunctionDef():
                self._check_function(node)
            case ast.Compare(ops=ops, comparators=others) if any(isinstance(op, ast.Is | ast.IsNot) for op in ops):
                if not all(isinstance(other, ast.Constant) and (other.value is None or type(other.value) is bool) for other in others):
                    raise Outside(node, "`is` asks for the identity of values")
            case ast.Set() | ast.SetComp():
                self._check_set(node)
            case ast.BinOp(op=ast.BitAnd() | ast.BitOr() | ast.BitXor() | ast.Sub(), left=left, right=right):
                if any(isinstance(side, ast.Call) and _method(side) in {"keys", "items"} for side in (left, right)):
                    raise Outside(node, "the order of a set is another one in every process")
            case ast.Call():
                self._check_call(node)
            case ast.Attribute():
                self._check_attribute(node)
            case ast.Lambda() | ast.GeneratorExp():
                if not isinstance(self.parents[id(node)], ast.Call | ast.keyword):
                    raise Outside(node, "a function or generator as a value")
            case ast.Name(id=name):
                self._check_name(node, name)
            case ast.Starred() if not isinstance(self.parents[id(node)], ast.Call | ast.List | ast.Tuple):
                raise Outside(node, "an unusual star")
            case ast.For(target=target) | ast.comprehension(target=target) if not _is_names(target):
                raise Outside(node, "a loop that binds more than names")
            case ast.AnnAssign(annotation=annotation):
                self._check_annotation(node, annotation)
            case ast.With(items=items):
                if not all(i.optional_vars is None or isinstance(i.optional_vars, ast.Name) for i in items):
                    raise Outside(node, "`with` binds more than a name")
                if not all(isinstance(i.context_expr, ast.Call) and _called(i.context_expr) == "open" for i in items):
                    raise Outside(node, "`with` opens something else than a file")

    def _check_module(self, node: ast.AST, name: str, bound: str) -> None:
        if name not in words.MODULES or bound not in words.MODULES:
            raise Outside(node, f"`import {name}` may keep a state that other processes would not have")

    def _check_function(self, node: ast.FunctionDef) -> None:
        if self.parents.get(id(node)) is not self.tree or node.decorator_list:
            raise Outside(node, f"`{node.name}` is decorated, or defined inside a statement")
        defaults = [each for each in (*node.args.defaults, *node.args.kw_defaults) if each is not None]
        if not all(isinstance(each, ast.Constant) for each in defaults):
            raise Outside(node, f"a default of `{node.name}` is made when it is defined")
        own = [node.returns, *(arg.annotation for arg in walk(node.args) if isinstance(arg, ast.arg))]
        for each in own:
            if each is not None:
                self._check_annotation(node, each)

    def _check_annotation(self, node: ast.AST, annotation: ast.expr) -> None:
        known = set(self.imports) | {"int", "float", "str", "bytes", "bool", "list", "dict", "tuple", "complex"}
        for name in (n.id for n in walk(annotation) if isinstance(n, ast.Name)):
            if name not in known:
                raise Outside(node, f"an annotation names `{name}`")

    def _check_call(self, node: ast.Call) -> None:
        name = _called(node)
        match node.func:
            case ast.Name(id=function):
                is_known = function in words.BUILTINS or function in self.functions or function in self.imports
                if not is_known and function not in words.EXCEPTIONS:
                    raise Outside(node, f"`{function}` is no function of this script")
            case ast.Attribute(value=owner, attr=method):
                if self._module_of(owner) is None and method not in words.METHODS:
                    raise Outside(node, f"what `.{method}()` does is not known")
                if self._module_of(owner) is None and method in words.SET_METHODS:
                    self._check_set(node)
            case _:
                raise Outside(node, "a call of a value")
        if name in {"set", "frozenset"}:
            self._check_set(node)
        if name == "open":
            self._check_open(node)

    def _check_open(self, node: ast.Call) -> None:
        if _writes(node) and not isinstance(self.parents[id(node)], ast.withitem):
            raise Outside(node, "a file for writing that no `with` closes")

    def _check_set(self, node: ast.AST) -> None:
        """The order of a set differs from process to process: it may only be sorted, counted, or looked into."""
        parent = self.parents[id(node)]
        match parent:
            case ast.Call(func=ast.Name(id="sorted" | "len")):
                return
            case ast.Compare(ops=[ast.In() | ast.NotIn()], comparators=[other]) if other is node:
                return
        raise Outside(node, "the order of a set is another one in every process")

    def _check_attribute(self, node: ast.Attribute) -> None:
        parent = self.parents[id(node)]
        module = self._module_of(node.value)
        if not isinstance(node.ctx, ast.Load):
            raise Outside(node, "an attribute is set")
        if module is not None:
            allowed = words.MODULES.get(module)
            if node.attr in words.STATEFUL or (allowed is not None and node.attr not in allowed):
                raise Outside(node, f"`{module}.{node.attr}` may keep a state that other processes would not have")
            if module == "sys":
                self._check_arguments(node, parent)
        elif isinstance(parent, ast.Call) and parent.func is node:
            return
        elif node.attr not in words.ATTRIBUTES and not (node.attr in words.PURE_METHODS and self._is_handed_over(node, parent)):
            raise Outside(node, f"what `.{node.attr}` is is not known")

    def _check_arguments(self, node: ast.AST, parent: ast.AST) -> None:
        """`sys.argv[1]` and `len(sys.argv)` are those of the script; `sys.argv[0]` is not."""
        match parent:
            case ast.Subscript(slice=ast.Constant(value=int(place))) if place > 0:
                return
            case ast.Subscript(slice=ast.Slice(lower=ast.Constant(value=int(place)))) if place > 0:
                return
            case ast.Call(func=ast.Name(id="len")):
                return
        raise Outside(node, "`sys.argv[0]` is another one in a task")

    def _check_name(self, node: ast.Name, name: str) -> None:
        parent = self.parents[id(node)]
        is_called = isinstance(parent, ast.Call) and parent.func is node
        if name in self.functions and not is_called and not self._is_handed_over(node, parent):
            raise Outside(node, f"the function `{name}` as a value")
        is_known = name in self.bound or name in words.PURE_BUILTINS | words.EXCEPTIONS or name == "__name__"
        if not is_known and not (is_called and name in words.BUILTINS):
            raise Outside(node, f"`{name}` is bound nowhere in this script")
        if name.startswith("__") and name != "__name__":
            raise Outside(node, f"`{name}` is another one in a task")
        if name in self.imports and self.imports[name] in words.MODULES and not isinstance(parent, ast.Attribute):
            raise Outside(node, f"the module `{name}` as a value")

    def _is_handed_over(self, node: ast.AST, parent: ast.AST) -> bool:
        """`key=f`, `map(f, rows)`."""
        match parent:
            case ast.keyword(arg="key"):
                return True
            case ast.Call(func=ast.Name(id="map" | "filter"), args=[first, *_]):
                return first is node
        return False

    def _module_of(self, node: ast.expr) -> str | None:
        """The module that an expression is, such as `os.path`; none for a value."""
        match node:
            case ast.Name(id=name) if self.imports.get(name, "") in words.MODULES:
                return self.imports[name]
            case ast.Name(id=name) if name in self.imports:
                return self.imports[name]  # `datetime` of `from datetime import datetime`: a class of such a module
            case ast.Attribute(value=ast.Name(id=name), attr=attr) if name in self.imports:
                return f"{self.imports[name]}.{attr}"
        return None


def _is_allowed(module: str, name: str) -> bool:
    """Whether `from module import name` is inside."""
    if module not in words.MODULES or module == "sys" or name in words.STATEFUL or name == "*":
        return False
    allowed = words.MODULES[module]
    return allowed is None or name in allowed


def _is_names(target: ast.expr) -> bool:
    return all(isinstance(node, ast.Name | ast.Tuple | ast.List | ast.Starred) for node in walk(target))


def _called(node: ast.Call) -> str:
    return node.func.id if isinstance(node.func, ast.Name) else ""


def _method(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else ""


def _writes(node: ast.Call) -> bool:
    """Whether `open` is, or might be, asked for writing."""
    modes: Iterator[ast.expr] = (k.value for k in node.keywords if k.arg == "mode")
    mode = node.args[1] if len(node.args) > 1 else next(modes, None)
    if any(k.arg is None for k in node.keywords) or any(isinstance(each, ast.Starred) for each in node.args):
        return True
    return mode is not None and not (isinstance(mode, ast.Constant) and set(str(mode.value)) <= set("rbt"))
