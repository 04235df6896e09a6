"""How a run shows on a terminal how far it is: one bar a stage, on the last line."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TextIO

    from runsurge_dask.execution.session import Progress

QUIET_SECONDS = 0.3
"""A stage shorter than this is over before anybody could read its bar."""
REDRAW_SECONDS = 0.2
"""Between two drawings: often enough to look alive, rare enough to cost nothing."""
SMALLEST_SCREEN = (40, 4)
"""Columns and rows below which a bar would be in the way."""
LABEL_WIDTH = 40


@contextlib.contextmanager
def progress_on(stream: TextIO | None) -> Iterator[Progress]:
    """Bars on a terminal; silence without one, or on one that cannot place its cursor."""
    if stream is None or os.environ.get("TERM", "dumb") == "dumb":
        from runsurge_dask.execution.session import Silent

        yield Silent()
        return
    bar = StageBar(stream)
    try:
        yield bar
    finally:
        bar.end(0)


@dataclass(slots=True)
class Tally:
    """How far the stage under the bar has come."""

    label: str
    begun: float
    done: int = 0
    """Chunks."""
    share: float = 0.0


class StageBar:
    """One bar on the last line of a terminal while a stage runs, erased when it ends.

    The script writes to the same terminal from its own process, whenever it wants. So the bar never moves what it wrote: the
    lines above the last one become the region that scrolls, each drawing is a single write, and it gives the cursor back
    where it was, be it within a line. `size` gives columns and rows.
    """

    def __init__(self, stream: TextIO, *, size: Callable[[], tuple[int, int]] | None = None, quiet_seconds: float = QUIET_SECONDS) -> None:
        self.stream = stream
        self.size = size or (lambda: os.get_terminal_size(stream.fileno()))
        self.quiet_seconds = quiet_seconds
        self.tally = Tally("", 0.0)
        self._over = threading.Event()
        self._artist: threading.Thread | None = None

    def begin(self, stage: int, label: str) -> None:
        """A stage starts: its bar appears in a moment, drawn beside the work."""
        self.end(stage)
        self.tally = Tally(label, time.monotonic())
        self._over = threading.Event()
        self._artist = threading.Thread(target=self._draw_until_over, name="progress", daemon=True)
        self._artist.start()

    def advance(self, stage: int, share: float) -> None:
        """One more chunk was accepted; so much of the stage is done."""
        del stage
        self.tally.done += 1
        self.tally.share = share

    def end(self, stage: int) -> None:
        """The stage is over and its bar gone when this returns."""
        del stage
        if self._artist is not None:
            self._over.set()
            self._artist.join()
            self._artist = None

    def _draw_until_over(self) -> None:
        if self._over.wait(self.quiet_seconds):
            return
        with contextlib.suppress(OSError, ValueError):  # a terminal that is closed has nobody to look at it
            size = self.size()
            if size[0] >= SMALLEST_SCREEN[0] and size[1] >= SMALLEST_SCREEN[1]:
                self._draw_on(*size)

    def _draw_on(self, columns: int, rows: int) -> None:
        self._write(reserve_last_line(rows))
        try:
            while self.size() == (columns, rows):
                self._write(on_last_line(rows, render_bar(self.tally, columns - 1, self.stream)))
                if self._over.wait(REDRAW_SECONDS):
                    return
            self._over.wait()  # the window has another size now: where our line went, only the terminal knows
        finally:
            self._write(release_last_line(rows))

    def _write(self, text: str) -> None:
        self.stream.write(text)
        self.stream.flush()


def reserve_last_line(rows: int) -> str:
    """Terminal codes that keep the last line from scrolling; the cursor stays on its text, which moves up if it was there."""
    return f"\x1bD\x1bM\x1b7\x1b[1;{rows - 1}r\x1b8"


def on_last_line(rows: int, text: str) -> str:
    """Terminal codes that put a text on the last line and the cursor back."""
    return f"\x1b7\x1b[{rows};1H\x1b[0m\x1b[2K{text}\x1b8"


def release_last_line(rows: int) -> str:
    """Terminal codes that empty the last line and let it scroll again."""
    return f"\x1b7\x1b[{rows};1H\x1b[0m\x1b[2K\x1b[r\x1b8"


def render_bar(tally: Tally, columns: int, stream: TextIO) -> str:
    """A bar with its label, chunks and seconds, in one line of at most so many columns."""
    from rich.console import Console
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    console = Console(file=stream, force_terminal=True, width=columns, height=1, highlight=False)
    grid = Table.grid(padding=(0, 1))
    label = Text(tally.label, no_wrap=True, overflow="ellipsis", end="")
    label.truncate(LABEL_WIDTH)
    numbers = Text(f"{tally.done} chunks  {tally.share:.0%}  {time.monotonic() - tally.begun:.0f} s", no_wrap=True)
    grid.add_row(label, ProgressBar(total=1.0, completed=tally.share, width=max(10, columns - LABEL_WIDTH - 30)), numbers)
    with console.capture() as capture:
        console.print(grid, end="", no_wrap=True, crop=True)
    return capture.get().split("\n", 1)[0]
