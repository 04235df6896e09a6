"""What several tests share: one warm bench for the differential suites."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from runsurge_dask.estimation.calibration import FOLDER_VARIABLE
from tests.differential.compare import Bench

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


settings.register_profile("untimed", deadline=None)  # how long an example takes says more of the machine than of us
settings.load_profile("untimed")


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """What runs measure is kept in a folder of the tests, and not of who runs them."""
    folder = tmp_path_factory.mktemp("cache")
    before = os.environ.get(FOLDER_VARIABLE)
    os.environ[FOLDER_VARIABLE] = str(folder)
    yield folder
    if before is None:
        del os.environ[FOLDER_VARIABLE]
    else:
        os.environ[FOLDER_VARIABLE] = before


@pytest.fixture(scope="session")
def bench() -> Iterator[Bench]:
    """A warm runner and an embedded cluster."""
    bench = Bench()
    yield bench
    bench.close()
