"""Decide where one source is cut: the next chunk is as large as pays and as fits.

For example 80 MB of lines at a measured 0.1 us a byte are 8 s of work: on 2 workers half of them become 4 chunks of 10 MB, the
rest smaller and smaller ones, so that the last chunk to end costs little. Where each of two chunks may hold 60 MiB, and chunks were
seen to hold 11 bytes for each byte of lines, chunks are cut at 4.5 MB.
"""

from __future__ import annotations

import sys
from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from runsurge_dask.runner import records
from runsurge_dask.runner.plain import PIECE_BYTES

if TYPE_CHECKING:
    from collections.abc import Mapping

DEEPEST_LEVEL = 3
CHUNKS_PER_WORKER = 4
"""More even out unequal chunks, fewer save the fixed cost of a task (2 ms)."""
AHEAD_PER_WORKER, TIGHT_AHEAD_PER_WORKER = 3, 2
"""Chunks that are cut, under way, or waiting to be joined: what a chunk held is known when so many more are cut. Where memory says how
large they are, fewer are: the sooner what they hold is seen, the nearer to it are the next ones' reservations."""
SMALLEST_PART = 8
"""The last chunks shrink with what is left, down to this part of the first ones: no worker is long done before the others."""
LARGEST_CHUNK_BYTES = 32 << 20
"""A chunk of text is held whole, as bytes and as objects; larger ones only cost memory."""
SMALLEST_CHUNK_BYTES = 1 << 16
"""Below this a chunk costs more in messages than it does in work."""
UNMEASURED_SECONDS_PER_UNIT = {"items": 2e-6, "bytes": 2e-8}
"""Assumed where a site could not be tried on its first records."""
ASSUMED_BYTES_PER_BYTE = 40
"""What a chunk holds for each byte of its input until chunks have been measured: rows of short texts in lists hold 15 to 50."""
FIRST_BYTES, FIRST_PART = 32 << 20, 1 / 16
"""Chunks that are cut before any was measured may hold so much, or so much of their share: they show what the next will need."""
MARGIN, LEAST_MARGIN, MARGIN_OF_ONE = 1.2, 1.1, 0.2
"""A reservation is so much more than what the chunks before would need at this size: rows differ. The second is added to how much
they did differ, or grew; the third is divided among the chunks that are known: of one, little is known."""
COMPARABLE = 0.5
"""Chunks of at least this part of the largest one say what a large one holds; smaller ones hold much that does not grow with them."""
SIZES_APART = 2
"""Chunks of sizes this far apart tell what they hold whatever their size from what grows with it."""
LEFT_BYTES, LEFT_PART = 10 << 20, 0.12
"""So much a process may still hold of a chunk when it begins the next, smaller one: 13 to 15 MiB of 25, 17 of 82 (measured)."""
SMALLER, UNUSED_PART = 0.9, 0.75
"""A chunk that is smaller than this part of the largest one may find so much of what those left in pieces of no use to it."""
LARGEST_STEP = 4
"""A chunk is at most so many times as large as the largest one that was measured."""
FARTHEST_LOOK = 2
"""Growth that was seen over chunks of one size is expected to go on over so much larger ones at most: of small chunks little is certain."""
REMEMBERED_CHUNKS = 8
"""Only the latest are asked: data may change along a file."""
LEAST_RESERVATION_BYTES = 4 << 20
"""What an interpreter takes and gives back in pages of its own while it does nothing much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CutOptions:
    """What the user asked for."""

    workers: int
    chunks: int
    worth_seconds: float
    memory_bytes: int = 0
    """All that the processes of the run may hold together; 0: as much as there is."""
    piece_bytes: int = PIECE_BYTES
    """Rows of lists that stay in files are read so many bytes at a time."""
    level: int | None = None
    """1 and 2: nothing is cut; 3: everything that may be; none: what pays or would not fit."""
    sites: Mapping[int, int] = field(default_factory=dict)
    """Numbers of chunks that were asked for, by site; 1: as written."""
    task_bytes: int = 0
    """The most that one chunk may hold; 0: its share of what there is."""

    def __post_init__(self) -> None:
        if self.workers < 1 or self.chunks < 0 or self.memory_bytes < 0:
            raise ValueError(f"{self.workers} workers, {self.chunks} chunks, {self.memory_bytes} bytes")

    @property
    def is_forced(self) -> bool:
        """Whether everything is cut that may be, whatever the gain."""
        return bool(self.chunks) or self.level == DEEPEST_LEVEL

    def at(self, site: int) -> CutOptions:
        """What was asked for one site."""
        asked = self.sites.get(site)
        return self if asked is None else replace(self, chunks=asked, sites={})

    def refusal(self, site: int) -> str:
        """Why a site is not cut because somebody said so; empty where nobody did."""
        is_asked = self.sites.get(site) == 1 or (self.level is not None and self.level < DEEPEST_LEVEL)
        return "it was asked to run as written" if is_asked else ""


def reason_to_run_plainly(request: Mapping[str, Any], options: CutOptions) -> str:
    """Why a source that a driver is about to cut is better left alone; empty if it is not."""
    seconds = request["seconds_per_unit"]
    if options.is_forced or request["is_asked_for"] or seconds is not None:  # what was measured was judged where it was
        return ""
    total = (request["end"] - request["start"]) * UNMEASURED_SECONDS_PER_UNIT["bytes" if request["source"] != "items" else "items"]
    if total * (1 - 1 / options.workers) < options.worth_seconds:
        return f"about {total:.1f} s of work: cutting gains nothing"
    return ""


def propose_cuts(request: Mapping[str, Any], options: CutOptions, share_bytes: int) -> dict[str, Any]:
    """All cuts of a source at once (`cuts`), or why there are none (`plain`); for stages that give all or nothing."""
    reason = reason_to_run_plainly(request, options)
    if reason:
        return {"plain": reason}
    cutter = Cutter(request, options, is_tapering=False)
    cuts = [cutter.position]
    while not cutter.is_through:
        cuts.append(cutter.cut(int(share_bytes * request.get("share", 1.0)))[1])
    return {"cuts": cuts if len(cuts) > 1 else [*cuts, cutter.position]}


class Cutter:
    """One source, cut from its start to its end, chunk by chunk."""

    def __init__(self, request: Mapping[str, Any], options: CutOptions, *, is_tapering: bool = True) -> None:
        self.position: int = request["start"]
        self.end: int = request["end"]
        self.path: str = request.get("path", "")
        self.is_file = request["source"] != "items"
        self._quote: str | None = request.get("quote")
        self._bytes_per_unit: float = request.get("bytes_per_unit") or (1.0 if self.is_file else 0.0)
        self._forced = self._forced_cuts(options.chunks) if options.chunks else None
        self._largest_bytes: int = request.get("largest_bytes", LARGEST_CHUNK_BYTES)
        self._goes_in_steps: bool = request.get("in_steps", False)
        self._assumed: float = request.get("bytes_per_byte", ASSUMED_BYTES_PER_BYTE)
        self._workers = options.workers
        self._even: int = max(1, -(-(self.end - self.position) // (self._rounds() * options.workers)))
        self._tapering = 2 * options.workers if is_tapering and not self._goes_in_steps else 0
        self.is_tight = False
        """The last chunk would have been larger, were there more memory."""
        self._measured: deque[tuple[int, int]] = deque(maxlen=REMEMBERED_CHUNKS)
        self._left: deque[int] = deque(maxlen=REMEMBERED_CHUNKS)
        """What processes still held of larger chunks when they began one."""
        self._cut: deque[int] = deque(maxlen=REMEMBERED_CHUNKS)
        """Sizes of the last chunks, measured or not."""
        self._smallest = (0, 0)
        """Size and peak of the smallest chunk that was measured, of equal ones of the one that held least."""

    def _rounds(self) -> int:
        """How many chunks each worker gets: where chunks are to be of one size, so many that the last ones end together."""
        if not self._goes_in_steps:
            return CHUNKS_PER_WORKER
        return max(CHUNKS_PER_WORKER, -(-(self.end - self.position) // (self._largest_units() * self._workers)))

    def _largest_units(self) -> int:
        """The most that one chunk may be, memory aside."""
        return max(1, int(self._largest_bytes / self._bytes_per_unit)) if self._bytes_per_unit else sys.maxsize

    def _forced_cuts(self, chunks: int) -> deque[int]:
        if self.is_file:
            cuts = records.cut_file(self.path, self.position, self.end, chunks, quote=self._quote)
        else:
            cuts = [self.position + cut for cut in records.cut_items(self.end - self.position, chunks)]
        return deque(cuts[1:])

    @property
    def is_through(self) -> bool:
        """Whether there is nothing left to cut."""
        return not self._forced if self._forced is not None else self.position >= self.end

    def cut(self, share_bytes: int) -> tuple[int, int]:
        """Start and end of the next chunk, which is to hold at most `share_bytes` (0: as much as it wants)."""
        start = self.position
        if self._forced is not None:
            self.position = self._forced.popleft()
        else:
            size = self._size(share_bytes)
            if self.end - start - size < size // 2:
                size = self.end - start if self.fits(self.end - start, share_bytes) else -(-(self.end - start) // 2)
            self.position = self._place(start, start + size)
        self._cut.append(self.position - start)
        return start, self.position

    def halves(self, start: int, end: int) -> list[tuple[int, int]]:
        """A chunk that needed too much, cut in two; one chunk, if it is a single record."""
        middle = self._place(start, (start + end) // 2)
        return [(start, middle), (middle, end)] if start < middle < end else [(start, end)]

    def _place(self, start: int, target: int) -> int:
        """The first place at or after `target` where a record can begin, given that one begins at `start`."""
        if not self.is_file or target >= self.end:
            return min(max(target, start), self.end)
        return records.next_cut(self.path, start, target, self.end, quote=self._quote)

    def _size(self, share_bytes: int) -> int:
        size = self._even
        if self._tapering:
            size = min(size, max(size // SMALLEST_PART, (self.end - self.position) // self._tapering))
        size = min(size, self._largest_units())
        is_even = size == self._even
        if share_bytes:
            bound, base = self._bound()
            fitting = max(0, self._room(share_bytes) - base) / bound if bound else size
            if self._measured:
                fitting = min(fitting, LARGEST_STEP * max(units for units, _ in self._measured))
            self.is_tight = fitting < size
            is_even = is_even and not self.is_tight
            size = min(size, int(fitting))
        least = SMALLEST_CHUNK_BYTES if self.is_file else 1
        return max(_in_steps(size) if self._goes_in_steps and not is_even else size, least)

    def _bound(self, units: int = 0) -> tuple[float, float]:
        """Bytes that a chunk of so many units holds at most for each unit, and whatever its size, with a margin for how chunks differ.

        Where rows grow along the source, they grow by more over a larger chunk.
        """
        if not self._measured:
            return MARGIN * self._assumed * self._bytes_per_unit, 0.0
        large = COMPARABLE * max(units for units, _ in self._measured)
        base = self._base()
        slopes = [max(0.0, peak - base) / units for units, peak in self._measured if units >= large]
        highest = max(slopes)
        if not highest:
            return 0.0, MARGIN * base
        spread, rise = (highest - min(slopes)) / highest, (slopes[-1] - slopes[0]) / highest / max(1, len(slopes) - 1)
        step = min(max(1.0, COMPARABLE * units / large), FARTHEST_LOOK)
        change = max(spread, self._workers * TIGHT_AHEAD_PER_WORKER * rise * step)
        margin = max(MARGIN, LEAST_MARGIN + change) + MARGIN_OF_ONE / len(slopes)
        return highest * margin, base * margin

    def _base(self) -> float:
        """What chunks hold whatever their size: where the steepest line from the smallest one to much larger ones begins."""
        small, least = self._smallest
        steepest = max(((peak - least) / (units - small) for units, peak in self._measured if units >= SIZES_APART * small), default=None)
        return 0.0 if steepest is None else max(0.0, least - steepest * small)

    def fits(self, units: int, share_bytes: int) -> bool:
        """Whether a chunk of this size is expected to stay below a share."""
        return not share_bytes or self._needed(units) <= self._room(share_bytes)

    def _needed(self, units: int) -> float:
        bound, base = self._bound(units)
        return bound * units + base

    def _room(self, share_bytes: int) -> int:
        """What of a share is for data."""
        return share_bytes - min(LEAST_RESERVATION_BYTES, share_bytes // 8) if self._measured else share_bytes

    def share_now(self, share_bytes: int) -> int:
        """What the next chunk should hold of its share: not all of it before any chunk was measured."""
        if self._measured or self._forced is not None:
            return share_bytes
        return min(share_bytes, max(FIRST_BYTES, int(FIRST_PART * share_bytes)))

    def note(self, units: int, peak_bytes: int, left_bytes: int = 0) -> None:
        """Learn what a chunk of this size held, and what its process had not given back of the chunks before it."""
        self._left.append(left_bytes)
        is_within_what_was_left = bool(left_bytes) and peak_bytes < left_bytes + LEAST_RESERVATION_BYTES
        if is_within_what_was_left and units < max((known for known, _ in self._measured), default=0):
            return  # what it needed itself cannot be told
        if units > 0:
            self._smallest = min(self._smallest, (units, peak_bytes)) if self._measured else (units, peak_bytes)
            self._measured.append((units, peak_bytes))

    def _unused(self, units: int) -> float:
        """What larger chunks have left in pieces that a smaller one cannot use; chunks of one size have shown what they hold with it."""
        is_smaller = units < SMALLER * max(known for known, _ in self._measured)
        return UNUSED_PART * max(self._left) if is_smaller else 0.0

    def reservation_bytes(self, units: int, share_bytes: int) -> int:
        """An upper bound of what a chunk of this size will hold; the whole share where none was measured yet."""
        if not self._measured:
            return share_bytes
        largest = max(self._needed(max(self._cut, default=units)), *(peak for _, peak in self._measured))
        left = max(LEAST_MARGIN * max(self._left), min(largest, LEFT_BYTES + LEFT_PART * largest))
        wanted = int(max(self._needed(units) + self._unused(units), left)) + LEAST_RESERVATION_BYTES
        return min(wanted, share_bytes) if share_bytes else wanted


def _in_steps(size: int) -> int:
    """The largest 2, 3, 4, 6, 8, 12, ... that is not larger: chunks of one size use each other's memory again."""
    power = 1 << (max(size, 1).bit_length() - 1)
    return power * 3 // 2 if size >= power * 3 // 2 else power
