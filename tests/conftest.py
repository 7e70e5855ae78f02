"""Fixtures of every test: one tuned Spark session, a fresh lake a test, the folder of real data."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings
from tuning import COMPILED, TUNED

from jobs.lake import session
from jobs.lake.address import Address
from jobs.lake.spark import SparkLake

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyspark.sql import SparkSession

# What is drawn is drawn again the same way; --hypothesis-profile=campaign draws much more, anew each time.
settings.register_profile(
    "repeatable",
    max_examples=25,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.register_profile("campaign", settings.get_profile("repeatable"), max_examples=2_500, derandomize=False)
settings.load_profile("repeatable")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with files of slow tests: what began last would end alone."""
    slow = {one.path for one in items if one.get_closest_marker("slow")}
    items.sort(key=lambda one: one.path not in slow)


@pytest.fixture(scope="session")
def spark() -> SparkSession:
    """The one session of a test run."""
    return session.start(TUNED)


@pytest.fixture(scope="module")
def compiling(spark: SparkSession) -> Iterator[SparkSession]:
    """The session while it compiles its queries."""
    for name, value in COMPILED.items():
        spark.conf.set(name, value)
    yield spark
    for name in COMPILED:
        spark.conf.set(name, TUNED[name])


@pytest.fixture
def lake(spark: SparkSession, tmp_path: Path) -> SparkLake:
    """An empty lake in a folder of its own."""
    return SparkLake(Address.parse(str(tmp_path / "lake")))


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data that no one here made; tests that need it are skipped where it is absent."""
    folder = Path(os.environ.get("OVERTONE_DATA", "../shared/data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder} (set OVERTONE_DATA)")
    return folder
