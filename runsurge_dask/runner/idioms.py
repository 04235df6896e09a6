"""Scripts that are parallel already: their pools are planned by us.

    with ProcessPoolExecutor() as pool:
        results = list(pool.map(score, docs))        one stage over `docs`, like `[score(d) for d in docs]`

`Pool.map/starmap/imap` and `joblib.Parallel()(delayed(f)(x) for x in xs)` say the same. What a chunk cannot do (a function
that talks to the network, that changes shared state, that raises) is left to the pool itself, from that chunk on: it runs as
written, with its own threads or processes, in the driver.
"""

from __future__ import annotations

import functools
import importlib
import sys
from typing import TYPE_CHECKING, Any

from runsurge_dask.runner.expressions import Expression

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from runsurge_dask.runner.facts import SiteFacts
    from runsurge_dask.runner.sites import Runtime

CHUNKED_BY_US = {"chunksize", "timeout"}
"""Arguments of the pools' own that mean nothing to a planned run."""


def install(runtime: Runtime, imports: Iterable[str]) -> None:
    """Put our methods into the pools that the script may import; for the driver process only."""
    wanted = set(imports)
    if "concurrent" in wanted:
        futures = importlib.import_module("concurrent.futures")
        for executor in (futures.ProcessPoolExecutor, futures.ThreadPoolExecutor):
            _replace(runtime, executor, "map", is_star=True, gives_iterator=True)
    if "multiprocessing" in wanted:
        pool = importlib.import_module("multiprocessing.pool").Pool
        _replace(runtime, pool, "map", is_star=False, gives_iterator=False)
        _replace(runtime, pool, "starmap", is_star=None, gives_iterator=False)
        _replace(runtime, pool, "imap", is_star=False, gives_iterator=True)
        _replace(runtime, pool, "imap_unordered", is_star=False, gives_iterator=True)
    if "joblib" in wanted:
        _replace_joblib(runtime, importlib.import_module("joblib").Parallel)


def _replace(runtime: Runtime, owner: type, name: str, *, is_star: bool | None, gives_iterator: bool) -> None:
    original: Callable[..., Any] = getattr(owner, name)

    @functools.wraps(original)
    def planned(self: Any, function: Any, *iterables: Any, **options: Any) -> Any:
        facts = _site_here(runtime)
        if facts is None or not iterables or set(options) - CHUNKED_BY_US or (is_star is not True and len(iterables) > 2):  # noqa: PLR2004 - data and chunk size
            return original(self, function, *iterables, **options)
        calls = _calls(function, iterables, is_star=is_star)

        def as_written(left: Any) -> list[Any]:
            rest = list(left)
            if not rest:
                return []
            arguments = [call[1] for call in rest]
            if is_star is None:
                return list(original(self, function, arguments))
            return list(original(self, function, *map(list, zip(*arguments, strict=True))))

        results = _plan(runtime, facts, calls, as_written)
        return iter(results) if gives_iterator else results

    setattr(owner, name, planned)


def _calls(function: Any, iterables: tuple[Any, ...], *, is_star: bool | None) -> list[tuple[Any, tuple[Any, ...], dict[str, Any]]]:
    if is_star is True:
        return [(function, arguments, {}) for arguments in zip(*iterables, strict=False)]
    if is_star is None:
        return [(function, tuple(arguments), {}) for arguments in iterables[0]]
    return [(function, (argument,), {}) for argument in iterables[0]]


def _replace_joblib(runtime: Runtime, owner: type) -> None:
    original: Callable[..., Any] = owner.__call__

    @functools.wraps(original)
    def planned(self: Any, iterable: Any) -> Any:
        facts = _site_here(runtime)
        if facts is None or getattr(self, "return_generator", False) or self.verbose:
            return original(self, iterable)
        return _plan(runtime, facts, list(iterable), lambda left: list(original(self, list(left))))

    owner.__call__ = planned  # type: ignore[method-assign]


def _site_here(runtime: Runtime) -> SiteFacts | None:
    """The site of the call in the script that led here, if it is one that we planned."""
    frame = sys._getframe(2)  # noqa: SLF001 - the caller of the pool
    for facts in runtime.sites.values():
        if facts.form == "pool" and facts.file == frame.f_code.co_filename and facts.line == frame.f_lineno:
            return None if runtime.is_closed(facts.site) else facts
    return None


def _plan(runtime: Runtime, facts: SiteFacts, calls: list[Any], as_written: Callable[[Any], list[Any]]) -> list[Any]:
    if len({id(call[0]) for call in calls}) != 1:
        return as_written(calls)
    function = calls[0][0]
    expression = Expression(runtime, facts, [call[1:] for call in calls], lambda left: as_written((function, *call) for call in left))
    expression.names = {"__rs_f": function}
    expression.is_asked_for = True
    result: list[Any] = expression.evaluate()
    return result
