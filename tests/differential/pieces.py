"""The pieces that random programs are made of, read from the texts in `pieces/`.

    == count with get          the name
    -- before
    A = {}                     what stands in front of the loop
    -- body
    A[K] = A.get(K, 0) + 1     what a record does
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

FOLDER = Path(__file__).parent / "pieces"
FRESH = re.compile(r"\b[ABC]\b")
HELPER = re.compile(r"\b[FG]\b")
LEAVES = re.compile(r"\b(break|continue|return|yield)\b")
_SECTION = re.compile(r"^-- ?(\w*)\n", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A few lines with places for names and fields."""

    name: str
    body: str
    before: str = ""
    helpers: str = ""
    show: str = ""
    flags: frozenset[str] = frozenset()
    stands_alone: bool = False
    """It is no part of a loop's body, but statements around a whole source."""

    @property
    def is_plain(self) -> bool:
        """Whether its names hold plain values, which may be printed at any time."""
        return not self.show

    @property
    def leaves(self) -> bool:
        """Whether its body may leave the round or the loop."""
        return LEAVES.search(self.body) is not None

    def fresh(self) -> list[str]:
        """The letters of its own names, in order."""
        return sorted(set(FRESH.findall(f"{self.before}\n{self.body}\n{self.show}")))

    def shown(self) -> str:
        """What prints its names: its own way, or those that outlive its loop."""
        letters = self.lasting()
        return self.show or (f"print({', '.join(letters)})" if letters else "")

    def lasting(self) -> list[str]:
        """The letters of its names that hold something afterwards."""
        return sorted(set(FRESH.findall(self.body if self.stands_alone else self.before)))

    def fill(self, names: Mapping[str, str]) -> Piece:
        """The piece with these names and fields in its places."""
        pattern = re.compile(r"\b(" + "|".join(map(re.escape, names)) + r")\b") if names else re.compile(r"(?!)")
        places = (self.body, self.before, self.helpers, self.shown())
        body, before, helpers, show = [pattern.sub(lambda found: names[found[0]], text) for text in places]
        return replace(self, body=body, before=before, helpers=helpers, show=show)


def load_pieces(name: str, *, alone: bool = False) -> tuple[Piece, ...]:
    """All pieces of one text."""
    _, *texts = re.split(r"^== ", (FOLDER / f"{name}.txt").read_text(encoding="utf-8"), flags=re.MULTILINE)
    return tuple(_read_piece(text, alone=alone) for text in texts)


def _read_piece(text: str, *, alone: bool) -> Piece:
    name, _, rest = text.partition("\n")
    first, *parts = _SECTION.split(rest)
    sections = {"body": first.strip("\n")}
    for title, content in zip(parts[::2], parts[1::2], strict=True):
        sections[title or "body"] = content.strip("\n")
    flags = frozenset(sections.pop("flags", "").split())
    return Piece(name=name, flags=flags, stands_alone=alone, **sections)


GROWTH = load_pieces("growth")
CARRIED = load_pieces("carried")
EXPRESSIONS = load_pieces("expressions", alone=True)
