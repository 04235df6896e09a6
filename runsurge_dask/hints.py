"""Hints that a user may write into a script: plain Python ignores them, and so does a run that finds them wrong.

    @runsurge_dask.rows                    this function treats each row on its own
    @runsurge_dask.reduce(combine=merge)   its partial results may be joined with `merge`
    for row in rows:  # runsurge: rows     this loop does

A hint is checked like a proof: it never leads to a wrong answer, and a wrong one is refused by name. Importing this module
loads neither dask nor pandas.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

F = TypeVar("F", bound="Callable[..., Any]")


def rows(function: F) -> F:
    """State that a function treats each row on its own; returns it unchanged."""
    return function


def reduce(*, combine: Callable[[Any, Any], Any]) -> Callable[[F], F]:
    """State that partial results of a function may be joined with `combine`; returns it unchanged."""
    del combine
    return lambda function: function
