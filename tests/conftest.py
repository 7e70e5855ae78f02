"""Fixtures of every test: one tuned Spark session, a fresh lake a test, the folder of real data."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from jobs.lake import session
from jobs.lake.address import Address
from jobs.lake.spark import SparkLake

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# A process made without copying its parent, and pages of 2 MiB: a heap of small ones costs a tenth more.
LINUX = " -Djdk.lang.Process.launchMechanism=VFORK -XX:+UseTransparentHugePages" if sys.platform == "linux" else ""
TUNED = {
    "spark.master": "local[1]",
    "spark.sql.shuffle.partitions": "1",
    "spark.default.parallelism": "1",
    "spark.sql.adaptive.enabled": "false",
    "spark.sql.sources.parallelPartitionDiscovery.parallelism": "1",
    "spark.ui.retainedExecutions": "1",
    "spark.ui.retainedJobs": "1",
    "spark.ui.retainedStages": "1",
    "spark.shuffle.compress": "false",
    "spark.rdd.compress": "false",
    "spark.databricks.delta.writeChecksumFile.enabled": "false",
    # Tests are many small queries: compiling one costs more than running it as it stands. The demo and the clusters' jobs compile.
    "spark.sql.codegen.wholeStage": "false",
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.driver.extraJavaOptions": "-Duser.timezone=UTC -XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=256m -XX:+UseSerialGC"
    " -Xms2g -Xmn900m -XX:MetaspaceSize=256m" + LINUX,
}


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
