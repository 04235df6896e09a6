"""How much blocks hold at once: the whole script, merged blocks, one chunk.

    block        needs       makes       function   peak
    a = load()               a: 400            50    450
    b = f(a)     a: 400      b: 100           200    700
    c = g(b)     b: 100      c: 10             30    140

    merged b and c need a: 400, and at most 200 inside f: 600; but b alone holds 700 at once, so 700
    the smallest count whose chunks of b hold at most 300: ceil(700 / 300) = 3
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from runsurge_contracts.plan import Estimates, Footprint


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What is known of the blocks' memory, by key."""

    footprints: Mapping[str, Footprint]
    """In the order of the script."""
    held_across: Mapping[str, Mapping[str, int]]
    """By block: bytes of variables that stay alive while it runs without being needed by it."""

    def needed_bytes(self, members: Collection[str]) -> int:
        """Live variables that merged blocks need and that are made outside of them, each once."""
        made: set[str] = set()
        outside: dict[str, int] = {}
        for key in self.in_order(members):
            for name, variable in self.footprints[key].needs.items():
                if name not in made:
                    outside[name] = max(outside.get(name, 0), variable.size_bytes)
            made |= set(self.footprints[key].makes)
        return sum(outside.values())

    def merged_peak_bytes(self, members: Collection[str]) -> int:
        """The sum of live variables that merged blocks need, and the highest line inside the functions that they call.

        Never less than what one of them holds at once beside those variables of the others that are alive meanwhile.
        """
        ordered = self.in_order(members)
        formula = self.needed_bytes(ordered) + max(self.footprints[key].function_bytes for key in ordered)
        return max(formula, *(self.footprints[key].peak_bytes + self._beside(key, ordered) for key in ordered))

    def in_order(self, members: Collection[str]) -> list[str]:
        """Keys in the order of the script."""
        wanted = set(members)
        return [key for key in self.footprints if key in wanted]

    def _beside(self, key: str, members: Sequence[str]) -> int:
        """Variables of the other members that are alive while one runs: needed later, and there already (made before, or outside)."""
        position = members.index(key)
        own = self.footprints[key]
        made_before = {name for each in members[:position] for name in self.footprints[each].makes}
        made_here = {name for each in members for name in self.footprints[each].makes}
        beside: dict[str, int] = {}
        for each in members[position + 1 :]:
            for name, variable in self.footprints[each].needs.items():
                is_there = name in made_before or name not in made_here
                if is_there and name not in own.needs and name not in own.makes:
                    beside[name] = max(beside.get(name, 0), variable.size_bytes)
        return sum(beside.values())

    def program_peak_bytes(self) -> int:
        """The simulated peak of all blocks in one process: the most that one holds beside everything that is alive meanwhile."""
        peaks = (each.peak_bytes + sum(self.held_across[key].values()) for key, each in self.footprints.items())
        return max(peaks, default=0)


def memory_of(estimates: Estimates) -> Memory:
    """The estimates in the order of the script, with what is alive across each block."""
    footprints = {each.block: each for each in estimates.footprints}
    later: dict[str, set[str]] = {}
    wanted: set[str] = set()
    for key, each in reversed(footprints.items()):
        later[key] = set(wanted)
        wanted |= set(each.needs)
    alive: dict[str, int] = {}
    held: dict[str, dict[str, int]] = {}
    for key, each in footprints.items():
        sizes = {name: variable.size_bytes for name, variable in each.needs.items()}
        known = estimates.main_lines.get(key)
        held[key] = {name: size for name, size in alive.items() if name not in each.needs and name not in each.makes}
        if known is not None:
            alive = {name: variable.size_bytes for name, variable in known.items()}
        else:
            sizes |= {name: variable.size_bytes for name, variable in each.makes.items()}
            alive = {name: size for name, size in (alive | sizes).items() if name in later[key]}
    return Memory(footprints=footprints, held_across=held)


def chunk_count(peak_bytes: int, available_bytes: int, fixed_bytes: int = 0) -> int:
    """Into how many chunks a block must be cut so that one fits: ceil(peak / available), fixed bytes being in every chunk.

    Raises:
        ValueError: the fixed bytes alone leave nothing for a chunk.
    """
    if available_bytes <= fixed_bytes:
        raise ValueError(f"{fixed_bytes} fixed bytes in chunks of {available_bytes} bytes")
    return max(1, -(-(peak_bytes - fixed_bytes) // (available_bytes - fixed_bytes)))


def chunk_peak_bytes(peak_bytes: int, chunks: int, fixed_bytes: int = 0) -> int:
    """The memory of one of so many equal chunks, rounded up."""
    return fixed_bytes - (-(peak_bytes - fixed_bytes) // chunks)
