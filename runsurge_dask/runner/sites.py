"""The driver's side of a site: what the rewritten script calls.

The script that the driver runs has been rewritten at each site, so that

    for row in rows:            becomes         s = __runsurge__.loop_3(rows)
        out.append(f(row))                      while True:
                                                    for row in s:
                                                        out.append(f(row))
                                                    else:
                                                        if s.pending:
                                                            v = s.run()
                                                            if "row" in v: row = v["row"]
                                                            continue
                                                    break

`s` first gives the records one by one (to see whether the block is worth cutting), then nothing, then, after `s.run()`,
whatever the chunks could not do. The user's loop is there once, runs in its own frame, and is exact at every moment.
"""

from __future__ import annotations

import functools
import gc
import inspect
import os
import sys
import threading
import types
from typing import TYPE_CHECKING, Any

from runsurge_dask.runner import kept, wire
from runsurge_dask.runner.divided import DividedLoop
from runsurge_dask.runner.expressions import Expression
from runsurge_dask.runner.facts import Merge, SiteFacts
from runsurge_dask.runner.files import SourceFile
from runsurge_dask.runner.loops import Loop
from runsurge_dask.runner.preparing import Preparing
from runsurge_dask.runner.reductions import extreme
from runsurge_dask.runner.sources import Source, add_describer
from runsurge_dask.runner.standins import is_stand_in, real
from runsurge_dask.runner.unequal import Sent

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping

    from runsurge_dask.runner.arrays.room import Room
FORCED_TURNS = 12
"""With a forced chunk count, how often one site is cut before it is left alone."""
def _references(_site: int, iterable: Any) -> int:
    return sys.getrefcount(iterable)


OURS = functools.partial(_references, 0)(enumerate(()))
"""References to an iterable that nobody but a site holds; an `enumerate` that the script holds, too, must count on for it."""
BESIDE_THE_SCRIPT = 0.6
"""The part that is left of what the cluster's start-up costs, where it goes on beside the script's own work."""
LEAST_SAVED_SECONDS = 0.05
"""What a stage must save once the cluster is there: a stage of no work takes half of it."""
TINY_CALLS = 30
TINY_SECONDS = 0.0005
"""A site that took less than this on average over so many calls is no longer looked at."""


class Runtime:
    """What the rewritten script calls; one a driver."""

    def __init__(self, channel: socket.socket, sites: Mapping[int, SiteFacts], options: Mapping[str, Any]) -> None:
        self.channel = channel
        self.sites = sites
        self.options = options
        self.asked: Mapping[int, int] = {int(site): count for site, count in options["site_chunks"].items()}
        """Numbers of chunks that were asked for, by site; 1: as written."""
        self.is_plain = options["is_patching"] or options["level"] in {1, 2}
        """Nothing is cut at all."""
        self.plain_code: Mapping[tuple[str, str, int], types.CodeType] = {}
        self.user_modules: Mapping[str, types.ModuleType] = {}
        self.busy = False
        self.has_run_stages = False
        """The cluster is there: a further stage costs no start-up."""
        self.preparing = Preparing(self)
        self.captured: dict[int, Loop | None] = {}
        """Frames of generators whose consumer can take over their loop, and the loop once it is reached."""
        self.arrays: Room | None = None
        """Arrays that are expressions still, where the script may have some."""
        self.sent = Sent()
        """What chunks of the stage under way know by numbers."""
        self.sampled: set[int] = set()
        """Sites whose proof has been held against rows."""
        self.done_by_chunks: set[int] = set()
        """Sites of which the last stage went through to the end."""
        self._turns: dict[int, int] = {}
        self._spent: dict[int, float] = {}
        self._is_off: set[int] = set()
        self._owner = (os.getpid(), threading.get_ident())
        self._yielding = [(facts.file, facts.line) for facts in sites.values() if is_generating(facts)]
        for site in sites:  # attributes, so that one that is off costs next to nothing
            setattr(self, f"loop_{site}", functools.partial(self.loop, site))
            setattr(self, f"comp_{site}", functools.partial(self.comp, site))
            if self.is_plain or self.asked.get(site) == 1:
                self._turn_off(site)
        add_describer(self._describe_generator)

    def loop(self, site: int, iterable: Any) -> Any:
        """Open the site of a `for` loop."""
        if self.is_closed(site) or not self.sites[site].code or (type(iterable) is enumerate and sys.getrefcount(iterable) > OURS):
            return Uncut(iterable)
        facts = self.sites[site]
        if not facts.given and not facts.divided:
            return Loop(self, facts, iterable)
        found = kept.kept_rows(iterable)
        if found is not None and not self.is_forced(site) and not kept.fits(found.size):
            return Uncut(iterable)
        return DividedLoop(self, facts, kept.settle(iterable))

    def plain(self, iterable: Any) -> Any:
        """The iterable of a loop that is never cut, at the built-in speed."""
        return iterable.fast_lines() if type(iterable) is SourceFile else kept.through(iterable)

    def comp(self, site: int, iterable: Any, as_written: Callable[[Any], Any], partial: Callable[[Any], Any] | None = None) -> Any:
        """A comprehension, or a call that consumes one; `partial` gives its value in the form in which parts are joined."""
        if self.is_closed(site) or not self.sites[site].code or (type(iterable) is enumerate and sys.getrefcount(iterable) > OURS):
            return as_written(kept.through(iterable))
        return Expression(self, self.sites[site], iterable, as_written, partial).evaluate()

    loops = frozenset({Loop, DividedLoop})
    settle = staticmethod(kept.settle)
    count = staticmethod(kept.count)
    item = staticmethod(kept.item)
    part = staticmethod(kept.part)
    counted = staticmethod(kept.counted)
    between = staticmethod(kept.between)
    through = staticmethod(kept.through)
    taken = staticmethod(kept.taken)
    extreme = staticmethod(extreme)
    real = staticmethod(real)

    def array(self, function: Any, /, *args: Any, **kwargs: Any) -> Any:
        """A call that may make an array whose rows each chunk can make for itself."""
        if self.arrays is not None:
            from runsurge_dask.runner.arrays.lazy import MISSING
            from runsurge_dask.runner.arrays.opening import open_source

            found = open_source(self.arrays, function, args, kwargs)
            if found is not MISSING:
                return found
        return function(*args, **kwargs)

    def peek(self, value: Any) -> Any:
        """The value of an expression that is printed and then gone: few rows of it need not become an array of the script's."""
        if self.arrays is not None and is_stand_in(value):
            from runsurge_dask.runner.arrays.indexing import few_rows

            return few_rows(value)
        return value

    def is_closed(self, site: int) -> bool:
        """Whether this site is not to be looked at now: nested in another, in a thread or a process of the user's, or never worth it."""
        if self.is_plain or site in self._is_off or self.busy:
            return True
        return (os.getpid(), threading.get_ident()) != self._owner

    def is_forced(self, site: int) -> bool:
        """Whether a site is cut without asking if that is worth it."""
        return bool(self.options["chunks"]) or self.asked.get(site, 0) > 1

    def is_worth_it(self, site: int, saved_seconds: float) -> bool:
        """Whether a cut that saves this much is worth making: a site that was passed so often is expected to be so again."""
        if self.preparing.is_paid_for:
            return saved_seconds >= LEAST_SAVED_SECONDS
        return saved_seconds * (1 + self._turns.get(site, 0)) >= float(self.options["worth_seconds"]) * BESIDE_THE_SCRIPT

    def note_turn(self, site: int, seconds: float) -> None:
        """Remember what one pass through a site cost, and stop looking at sites that cost nothing."""
        turns = self._turns[site] = self._turns.get(site, 0) + 1
        spent = self._spent[site] = self._spent.get(site, 0.0) + seconds
        is_forced = self.is_forced(site)
        if self.asked.get(site, 0) > 1:
            return
        if turns >= (FORCED_TURNS if is_forced else TINY_CALLS) and spent / turns < (1.0 if is_forced else TINY_SECONDS):
            self._turn_off(site)
            self._restore(self.sites[site])

    def _turn_off(self, site: int) -> None:
        self._is_off.add(site)
        setattr(self, f"loop_{site}", iter if self.sites[site].is_bare else Uncut)
        setattr(self, f"comp_{site}", _as_written)

    def _restore(self, facts: SiteFacts) -> None:
        """Give a function whose sites are all off its own code back: small functions are called a million times."""
        frame = sys._getframe(1)  # noqa: SLF001 - the function that is running now
        while frame is not None and not (frame.f_code.co_filename == facts.file and facts.line in _lines(frame.f_code)):
            frame = frame.f_back  # type: ignore[assignment]
        if frame is None:
            return
        code = frame.f_code
        plain = self.plain_code.get((code.co_filename, code.co_name, code.co_firstlineno))
        lines = _lines(code)
        within = [other for other in self.sites.values() if other.file == code.co_filename and other.line in lines]
        if plain is None or plain.co_freevars != code.co_freevars or any(other.code and other.site not in self._is_off for other in within):
            return
        for function in gc.get_referrers(code):
            if type(function) is types.FunctionType and function.__code__ is code:
                function.__code__ = plain

    def _describe_generator(self, generator: types.GeneratorType[Any, Any, Any]) -> Source | None:
        """A generator of the user's whose loop can be cut: its consumer may take the loop over."""
        if inspect.getgeneratorstate(generator) != inspect.GEN_CREATED:
            return None
        code, frame = generator.gi_code, id(generator.gi_frame)
        lines = [line for _, _, line in code.co_lines() if line]
        if not any(file == code.co_filename and min(lines) <= line <= max(lines) for file, line in self._yielding):
            return None
        self.captured[frame] = None
        return Source("stream", generator=generator, release=lambda: self.captured.pop(frame, None), frame=frame)

    def ask(self, header: wire.Header, blobs: list[bytes] | None = None) -> tuple[wire.Header, list[bytes]]:
        """One question to the client and its answer."""
        wire.send(self.channel, header, blobs or [])
        return wire.receive(self.channel)

    def tell(self, header: wire.Header) -> None:
        """One message to the client that needs no answer."""
        wire.send(self.channel, header)


def _as_written(iterable: Any, as_written: Callable[[Any], Any], _partial: Any = None) -> Any:
    return as_written(kept.through(iterable))


class Uncut:
    """A site that runs as written."""

    __slots__ = ("iterable",)
    pending = is_ahead = False

    def __init__(self, iterable: Any) -> None:
        self.iterable = iterable

    def __iter__(self) -> Any:
        iterable = self.iterable
        return iterable.fast_lines() if type(iterable) is SourceFile else iter(kept.through(iterable))

    def close(self) -> None:
        """The loop is left."""


def _lines(code: types.CodeType) -> range:
    found = [line for _, _, line in code.co_lines() if line]
    return range(min(found), max(found) + 1)


def is_generating(facts: SiteFacts) -> bool:
    """Whether a loop yields to a consumer."""
    return not facts.given and any(fact.merge is Merge.YIELD for fact in facts.accumulators)
