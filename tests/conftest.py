"""What several tests share: one warm bench for the differential suites."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.differential.compare import Bench

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def bench() -> Iterator[Bench]:
    """A warm runner and an embedded cluster."""
    bench = Bench()
    yield bench
    bench.close()
