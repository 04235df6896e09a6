"""The data of a random program: a small table of a key, an integer, a float and a word, in the shapes that scripts read.

k,n,x,w            ada 5 1.25 echo          {"k": "ada", "n": 5, "x": 1.25, "w": "echo"}
ada,5,1.25,echo
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.differential.choices import Choices

KEYS = ("ada", "bob", "cyd", "dee", "eve", "fay")
WORDS = ("apple", "bee", "cedar", "dune", "echo", "fig", "gull", "a", "bb", "zebra", "oak", "elm")
FIELDS = ("k", "n", "x", "w")


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of four texts each; a bad row has a field that is no number, or too few fields."""

    rows: tuple[tuple[str, ...], ...]
    has_bad_rows: bool

    def shortened(self, count: int) -> Table:
        """Its first rows."""
        return Table(self.rows[:count], self.has_bad_rows)

    def lines(self, separator: str = " ") -> str:
        """The rows as lines, without a header."""
        return "".join(separator.join(row) + "\n" for row in self.rows)

    def csv(self) -> str:
        """The rows with a header."""
        return ",".join(FIELDS) + "\n" + self.lines(",")

    def records(self) -> list[dict[str, object]]:
        """The rows as JSON objects; a bad field stays a text, a missing one is left out."""
        return [{name: _value(name, text) for name, text in zip(FIELDS, row, strict=False)} for row in self.rows]

    def jsonl(self) -> str:
        """One JSON object a line."""
        return "".join(json.dumps(record) + "\n" for record in self.records())

    def json(self) -> str:
        """One JSON list."""
        return json.dumps(self.records(), indent=1)


def _value(name: str, text: str) -> object:
    if name not in {"n", "x"}:
        return text
    try:
        return int(text) if name == "n" else float(text)
    except ValueError:
        return text


def make_table(choices: Choices) -> Table:
    """Rows with ties in every column."""
    count = choices.weighted([(4, choices.between(2, 6)), (2, 1), (1, 0), (33, choices.between(7, 60))])
    is_bad = choices.chance(13)
    largest = choices.pick([99, 9, 30])
    keys = KEYS[: choices.pick([3, 6, 1, 2])]
    step = choices.weighted([(6, 0.25), (3, 0.1), (1, 1e-3)])
    chance = Random(choices.below(1 << 16))
    rows = [
        (chance.choice(keys), str(chance.randint(0, largest)), f"{chance.randint(0, 40) * step:.6g}", chance.choice(WORDS))
        for _ in range(count)
    ]
    if choices.chance(3) and rows:
        place = chance.randrange(count)
        rows[place] = (*rows[place][:2], "nan", rows[place][3])
    return Table(tuple(_spoil(rows, chance) if is_bad and rows else rows), is_bad)


def _spoil(rows: Sequence[tuple[str, ...]], chance: Random) -> list[tuple[str, ...]]:
    spoilt = list(rows)
    for _ in range(chance.randint(1, 3)):
        place = chance.randrange(len(rows))
        row = rows[place]
        spoilt[place] = chance.choice([(row[0], "n/a", *row[2:]), row[:2], (row[0], row[1], "-", row[3])])
    return spoilt
