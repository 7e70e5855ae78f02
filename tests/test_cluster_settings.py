"""The settings for one machine, 10 workers and 100 are Spark's own words, and differ where they say why."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

FOLDER = Path(__file__).parent.parent / "infra/spark"
NAMES = ("spark-defaults.conf", "spark-defaults-10.conf", "spark-defaults-100.conf")
HADOOP = "spark.hadoop."
CORES, GIB = 16, 64  # of a worker's machine


def settings(name: str) -> dict[str, str]:
    lines = [line.split(None, 1) for line in (FOLDER / name).read_text(encoding="utf-8").splitlines() if line and not line.startswith("#")]
    assert len({key for key, _ in lines}) == len(lines), "no key is said twice"
    return {key: value.strip() for key, value in lines}


@pytest.mark.spark
@pytest.mark.parametrize("name", NAMES)
def test_every_setting_is_one_that_spark_delta_or_hadoop_declares(spark: SparkSession, name: str) -> None:
    jvm = spark._jvm  # noqa: SLF001
    jvm.org.apache.spark.sql.delta.sources.DeltaSQLConf.DELTA_SNAPSHOT_PARTITIONS()  # declares Delta's
    declared = jvm.org.apache.spark.internal.config.ConfigEntry
    hadoop = jvm.org.apache.hadoop.mapred.JobConf()
    unknown = []
    for key in settings(name):
        if key.startswith(HADOOP):
            # Hadoop names a file system's class by its scheme; the others stand in its own defaults.
            known = key == "spark.hadoop.fs.file.impl" or hadoop.get(key.removeprefix(HADOOP)) is not None
        else:
            known = declared.findEntry(key) is not None
        unknown += [] if known else [key]
    assert unknown == []


@pytest.mark.parametrize("name", NAMES[1:])
def test_a_clusters_settings_keep_what_rows_depend_on(name: str) -> None:
    alone, many = settings(NAMES[0]), settings(name)
    rows = {key for key in alone if key.startswith(("spark.sql.extensions", "spark.sql.catalog", "spark.sql.session", "spark.sql.parquet"))}
    assert len(rows) == 6
    assert {key: many.get(key) for key in rows} == {key: alone[key] for key in rows}
    assert not {"spark.driver.host", "spark.driver.bindAddress"} & set(many), "an address is this machine's"


@pytest.mark.parametrize(("name", "workers"), [(NAMES[1], 10), (NAMES[2], 100)])
def test_the_arithmetic_fits_the_machines(name: str, workers: int) -> None:
    said = settings(name)
    each = int(said["spark.executor.memory"].removesuffix("g")) + int(said["spark.executor.memoryOverhead"].removesuffix("g"))
    executors = (CORES - 1) // int(said["spark.executor.cores"])
    assert executors * each <= GIB - 8
    assert int(said["spark.executor.memoryOverhead"].removesuffix("g")) >= int(said["spark.executor.cores"]), (
        "a GiB for each Python process"
    )
    cores = workers * executors * int(said["spark.executor.cores"])
    assert int(said["spark.sql.shuffle.partitions"]) == int(said["spark.default.parallelism"]) == 2 * cores
    assert int(said.get("spark.dynamicAllocation.maxExecutors", workers * executors)) == workers * executors
