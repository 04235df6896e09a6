"""Choices: what a random program asks of chance.

    choices = seeded_choices("soak/7/12")     the same program each time
    choices.pick(["sum", "list"])             one of them; the first is the simplest
    choices.chance(30)                        true in 30 of 100 cases; the least draw says no
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Option = TypeVar("Option")


@dataclass(frozen=True, slots=True)
class Choices:
    """A stream of draws."""

    below: Callable[[int], int]
    """An integer from 0 up to, and without, this one."""

    def pick(self, options: Sequence[Option]) -> Option:
        """One of these, all as likely."""
        return options[self.below(len(options))]

    def chance(self, percent: int) -> bool:
        """Whether something with this probability happens."""
        return self.below(100) >= 100 - percent

    def between(self, least: int, most: int) -> int:
        """An integer in this closed range."""
        return least + self.below(most - least + 1)

    def weighted(self, options: Sequence[tuple[int, Option]]) -> Option:
        """One of these, each as likely as its weight says."""
        left = self.below(sum(weight for weight, _ in options))
        for weight, option in options:
            if left < weight:
                return option
            left -= weight
        raise AssertionError(options)


def seeded_choices(seed: str) -> Choices:
    """Choices that follow from a text alone."""
    return Choices(Random(seed).randrange)
