"""`groupby` of a lazy frame: every chunk aggregates its own groups, and pandas joins them.

For example `df.groupby("shop")["sold"].mean()`: each chunk gives sum and count a shop; the driver groups these few rows with
pandas again, so keys come in pandas' order with pandas' types.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from runsurge_dask.runner.escape import Escape
from runsurge_dask.runner.frames import grouped, tables
from runsurge_dask.runner.frames.building import is_open
from runsurge_dask.runner.frames.lazy import (
    MISSING,
    LazyFrame,
    LazySeries,
    current_facts,
    is_lazy,
    materialise,
    node_of,
    source_of,
    watch_groups,
)
from runsurge_dask.runner.frames.methods import install_method

SETTINGS = frozenset({"by", "sort", "as_index", "dropna", "observed", "group_keys"})


class LazyGroups:
    """What `groupby` gives of a lazy frame; everything but joinable aggregations is pandas' own group-by."""

    def __init__(self, frame: Any, arguments: dict[str, Any], selected: Any = None) -> None:
        self._frame = frame
        self._arguments = arguments
        self._selected = selected
        self._settled: Any = None
        if is_lazy(frame):
            watch_groups(frame, self)

    def settle(self) -> None:
        """The frame is plain from now on, and may change: pandas must see it as it is."""
        self._settled = self._plain()

    def _plain(self) -> Any:
        if self._settled is not None:
            return self._settled
        arguments = self._arguments
        by = arguments["by"]
        for key in by if isinstance(by, list) else [by]:
            materialise(key)
        grouped = materialise(self._narrow()).groupby(**arguments)
        return grouped if self._selected is None else grouped[self._selected]

    def _narrow(self) -> Any:
        """The frame, or only the columns that are grouped, of a frame that then stays lazy."""
        keys = self._keys()
        if not is_lazy(self._frame) or self._selected is None or not all(isinstance(key, str) for key in keys):
            return self._frame
        return self._frame[list(dict.fromkeys([*keys, *self._columns()]))]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        if name in node_of_or_none(self._frame, name):
            return self[name]
        if name == "nunique":
            return self._nunique
        if name in tables.GROUP_REDUCTIONS:
            return lambda *args, **kwargs: self._reduce(name, args, kwargs)
        return getattr(self._plain(), name)

    def __getitem__(self, key: Any) -> Any:
        meta = node_of(self._frame).meta if is_lazy(self._frame) else None
        names = [key] if isinstance(key, str) else key
        if meta is None or self._selected is not None or not isinstance(names, list) or not set(names) <= set(meta.columns):
            return self._plain()[key]
        return LazyGroups(self._frame, self._arguments, key)

    def __iter__(self) -> Any:
        return iter(self._plain())

    def __len__(self) -> int:
        return len(self._plain())

    def agg(self, *args: Any, **kwargs: Any) -> Any:
        """Pandas' `agg`."""
        found = self._aggregate(*args, **kwargs)
        return self._plain().agg(*args, **kwargs) if found is MISSING else found

    aggregate = agg

    def _reduce(self, name: str, args: Any, kwargs: Any) -> Any:
        found = MISSING
        if not args and not kwargs:
            found = self._joined(self._wanted(name), lambda grouped: getattr(grouped, name)())
        return getattr(self._plain(), name)(*args, **kwargs) if found is MISSING else found

    def _nunique(self, *args: Any, **kwargs: Any) -> Any:
        """How many values each group has: pandas counts the distinct rows of all chunks."""
        frame, keys = self._frame, self._keys()
        if is_lazy(frame) and is_open(frame) and not args and not kwargs and all(isinstance(key, str) for key in keys):
            names = list(dict.fromkeys([*keys, *self._columns()]))
            source = source_of(frame)
            given = source.run(current_facts(source), [(node_of(frame), ("distinct", names))])
            if given is not None:
                grouped = pd.concat(given[0], ignore_index=True).groupby(**self._arguments)
                return (grouped if self._selected is None else grouped[self._selected]).nunique()
        return self._plain().nunique(*args, **kwargs)

    def _keys(self) -> list[Any]:
        by = self._arguments["by"]
        return by if isinstance(by, list) else [by]

    def _columns(self) -> list[Any]:
        if self._selected is not None:
            return [self._selected] if isinstance(self._selected, str) else list(self._selected)
        names = [key for key in self._keys() if isinstance(key, str)]
        return [name for name in node_of(self._frame).meta.columns if name not in names]

    def _wanted(self, name: str) -> list[tuple[Any, str]]:
        return [(None, "size")] if name == "size" else [(column, name) for column in self._columns()]

    def _aggregate(self, func: Any = None, **named: Any) -> Any:
        if not is_lazy(self._frame):
            return MISSING
        wanted: list[tuple[Any, Any]]
        if func is None and self._selected is None and all(isinstance(pair, tuple) and len(pair) == 2 for pair in named.values()):  # noqa: PLR2004 - column and operation
            wanted = list(named.values())
        elif func is None and isinstance(self._selected, str):
            wanted = [(self._selected, operation) for operation in named.values()]
        elif named:
            return MISSING
        elif isinstance(func, str):
            wanted = self._wanted(func)
        elif type(func) is list:
            wanted = [(column, operation) for column in self._columns() for operation in func]
        elif type(func) is dict:
            wanted = [(column, operation) for column, given in func.items() for operation in (given if type(given) is list else [given])]
        else:
            return MISSING
        return self._joined(wanted, lambda grouped: grouped.agg(func, **named) if func is not None else grouped.agg(**named))

    def _joined(self, wanted: list[tuple[Any, Any]], as_written: Any) -> Any:
        """The aggregation over all chunks, in the shape that it has on the first rows."""
        frame, arguments = self._frame, self._arguments
        if not is_lazy(frame) or not is_open(frame) or not wanted:
            return MISSING
        if not all(isinstance(operation, str) and operation in tables.GROUP_REDUCTIONS for _, operation in wanted):
            return MISSING
        source, node = source_of(frame), node_of(frame)
        keys = [node_of(key) if is_lazy(key) else key for key in self._keys()]
        names = [key.meta.name if is_lazy_node(key) else key for key in keys]
        try:
            template = as_written(self._on_first_rows(node.meta, keys))
        except Exception:
            return MISSING
        is_dropping = arguments.get("dropna", True)
        root = _bundle(node, keys)
        given = source.run(current_facts(source), [(root, ("groups", wanted, is_dropping, bool(source.runtime.options["exact"])))])
        if given is None:
            return MISSING
        try:
            columns = grouped.join_groups(given[0], len(keys), wanted, is_sorted=arguments.get("sort", True), is_dropping=is_dropping)
        except Escape:
            return MISSING
        return _shaped(columns, names, template, as_index=arguments.get("as_index", True))

    def _on_first_rows(self, meta: Any, keys: list[Any]) -> Any:
        by = [key.meta if is_lazy_node(key) else key for key in keys]
        grouped = meta.groupby(**{**self._arguments, "by": by if isinstance(self._arguments["by"], list) else by[0]})
        return grouped if self._selected is None else grouped[self._selected]


def _bundle(node: Any, keys: list[Any]) -> Any:
    from runsurge_dask.runner.frames.nodes import Node

    return Node("bundle", (node, keys), rows=node.rows)


def is_lazy_node(key: Any) -> bool:
    """Whether a key is an expression, and not the name of a column."""
    return not isinstance(key, str)


def node_of_or_none(frame: Any, name: str) -> Any:
    """The columns that could be meant by an attribute of a group-by."""
    if not is_lazy(frame) or name in tables.GROUP_REDUCTIONS or hasattr(pd.api.typing.DataFrameGroupBy, name):
        return ()
    return node_of(frame).meta.columns


def _shaped(columns: list[Any], names: list[Any], template: Any, *, as_index: bool) -> Any:
    index = columns[0].index
    index.names = names
    if isinstance(template, pd.Series):
        whole = columns[0]
        whole.name = template.name
        return whole
    content = pd.DataFrame(dict(enumerate(columns)), index=index)
    if not as_index:
        content = content.reset_index()
    if len(content.columns) != len(template.columns):
        return MISSING
    content.columns = template.columns
    return content


def _groupby(frame: Any, *args: Any, **kwargs: Any) -> Any:
    if args:
        kwargs, args = {"by": args[0], **kwargs}, args[1:]
    by = kwargs.get("by")
    keys = by if isinstance(by, list) else [by]
    if args or not set(kwargs) <= SETTINGS or not keys or not is_open(frame):
        return MISSING
    for key in keys:
        if isinstance(key, LazySeries) and is_lazy(key):
            if node_of(key).rows is not node_of(frame).rows or kwargs.get("as_index", True) is not True:
                return MISSING
        elif not isinstance(key, str) or key not in node_of(frame).meta.columns:
            return MISSING
    return LazyGroups(frame, {**kwargs, "by": list(by) if isinstance(by, list) else by})


def install() -> None:
    """Give lazy frames their group-by."""
    install_method(LazyFrame, "groupby", _groupby)
