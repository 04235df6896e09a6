"""What values weigh: shared objects once, long collections by some of their items."""

from __future__ import annotations

import sys
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from runsurge_dask.runner.profile.weights import length_of, weigh


@dataclass(slots=True)
class Slotted:
    name: str
    values: list[float]


class Plain:
    def __init__(self, text: str) -> None:
        self.text = text


def test_a_list_weighs_its_items() -> None:
    texts = [f"text number {n:06}" for n in range(10_000)]
    real = sys.getsizeof(texts) + sum(sys.getsizeof(text) + 15 & ~15 for text in texts)
    assert weigh(texts) == pytest.approx(real, rel=0.15)


def test_what_is_shared_is_counted_once() -> None:
    row = ["x" * 10_000]
    assert weigh([row] * 5_000) < 5_000 * 8 + 12_000
    few = ["alpha" * 100, "beta" * 100, "gamma" * 100]
    assert weigh([few[n % 3] for n in range(100_000)]) < 100_000 * 8 + 10_000


def test_a_circle_comes_to_an_end() -> None:
    ring: list[object] = []
    ring.append(ring)
    assert weigh(ring) < 200


def test_objects_weigh_their_attributes() -> None:
    assert weigh(Slotted("a" * 1000, [0.5])) > 1000
    assert weigh(Plain("a" * 1000)) > 1000


def test_views_weigh_the_array_behind_them_once() -> None:
    whole = np.zeros(100_000)
    assert weigh(whole[:10]) == pytest.approx(800_000, rel=0.01)
    assert weigh([whole, whole[5:], whole[:7]]) == pytest.approx(800_000, rel=0.01)


def test_frames_weigh_their_columns() -> None:
    frame = pd.DataFrame({"x": np.zeros(10_000), "name": [f"name {n}" for n in range(10_000)]})
    frame["mixed"] = pd.Series([f"object {n}" for n in range(10_000)], dtype=object)
    assert weigh(frame) == pytest.approx(frame.memory_usage(deep=True).sum(), rel=0.2)


@pytest.mark.parametrize(("value", "length"), [([1, 2], 2), (3, None), (int, None), ({"a": 1}, 1)])
def test_lengths(value: object, length: int | None) -> None:
    assert length_of(value) == length
