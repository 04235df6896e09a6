"""Hear what NumPy warns of without a trace in Python's own book of warnings.

`warnings.catch_warnings` would make Python forget which warnings it has given, and it would give them again.
"""

from __future__ import annotations

import contextlib
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_EVERYTHING = ("always", None, Warning, None, 0)


def before_any(prepare: Callable[[], None]) -> None:
    """Let this be done before a warning is shown, whoever gives it."""
    module: Any = warnings
    show = module._showwarnmsg_impl  # noqa: SLF001 - the last step before the words

    def show_in_order(message: Any) -> None:
        prepare()
        show(message)

    module._showwarnmsg_impl = show_in_order  # noqa: SLF001


@contextlib.contextmanager
def listening() -> Iterator[list[Any]]:
    """All warnings given inside, which nobody else hears of."""
    module: Any = warnings
    heard: list[Any] = []
    before = module.showwarning, module._showwarnmsg_impl  # noqa: SLF001 - as `catch_warnings` does it
    module.showwarning, module._showwarnmsg_impl = module._showwarning_orig, heard.append  # noqa: SLF001
    module.filters.insert(0, _EVERYTHING)
    try:
        yield heard
    finally:
        with contextlib.suppress(ValueError):
            module.filters.remove(_EVERYTHING)
        module.showwarning, module._showwarnmsg_impl = before  # noqa: SLF001
