"""The lake on Spark: Delta tables through delta-spark, frames are Spark DataFrames; the session starts when first used."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from delta.tables import DeltaTable
from pyspark.sql import functions as F

from jobs.lake import session
from jobs.lake.address import Address, folder
from jobs.lake.arrow import ArrowLake
from jobs.lake.commit import Commit, Note

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import date

    from pyspark.sql import DataFrame, SparkSession

    from validation.contract import Table

METADATA = "spark.databricks.delta.commitInfo.userMetadata"
COMMITTER = "mapreduce.fileoutputcommitter.algorithm.version"


class SparkLake:
    """Delta tables below one address. A table that does not exist yet reads as an empty typed frame."""

    def __init__(self, address: Address, settings: Mapping[str, str] | None = None) -> None:
        self.address = address
        self.arrow = ArrowLake(address)
        self._settings = settings

    @cached_property
    def spark(self) -> SparkSession:
        """The session of this process."""
        return session.start(self._settings)

    def read(self, table: Table, dates: Collection[date] | None = None, version: int | None = None) -> DataFrame:
        """Return the rows of these dates (all, if None) of the latest or of one version."""
        if not self.arrow.exists(table):
            return self.empty(table)
        reader = self.spark.read.format("delta")
        if version is not None:
            reader = reader.option("versionAsOf", version)
        frame = reader.load(self._uri(table))
        return frame if dates is None else frame.where(F.col("date").isin(sorted(dates)))

    def empty(self, table: Table) -> DataFrame:
        """Return an empty frame with the table's columns."""
        return self.spark.createDataFrame([], table.ddl)

    def overwrite(self, table: Table, frame: DataFrame, dates: Collection[date] | None, note: Note) -> int:
        """Replace exactly these dates, or the whole table if None, in one commit; return the version."""
        self.arrow.create(table)
        writer = conform(frame, table).write.format("delta").mode("overwrite").option("userMetadata", note.dumps())
        if dates is not None:
            writer = writer.option("replaceWhere", "date IN ({})".format(", ".join(f"'{day}'" for day in sorted(dates))))
        writer.save(self._uri(table))
        return self._version(table)

    def append(self, table: Table, frame: DataFrame, note: Note) -> int:
        """Add rows in one commit; return the version."""
        self.arrow.create(table)
        conform(frame, table).write.format("delta").mode("append").option("userMetadata", note.dumps()).save(self._uri(table))
        return self._version(table)

    def merge(self, table: Table, frame: DataFrame, note: Note) -> int:
        """Insert rows, or replace those of equal key, in one commit; return the version."""
        self.arrow.create(table)
        same = " AND ".join(f"old.{name} = new.{name}" for name in table.key)
        merger = DeltaTable.forPath(self.spark, self._uri(table)).alias("old").merge(conform(frame, table).alias("new"), same)
        # A merge takes its commit's metadata from the session alone.
        self.spark.conf.set(METADATA, note.dumps())
        try:
            merger.whenMatchedUpdateAll().whenNotMatchedInsertAll().execute()
        finally:
            self.spark.conf.unset(METADATA)
        return self._version(table)

    def history(self, table: Table, limit: int | None = None) -> list[Commit]:
        """Return commits, newest first."""
        if not self.arrow.exists(table):
            return []
        target = DeltaTable.forPath(self.spark, self._uri(table))
        found = target.history(limit) if limit else target.history()
        return [Commit.read(row.asDict()) for row in found.collect()]

    def stage(self, table: Table, frame: DataFrame, name: str, by: tuple[str, ...] = ()) -> None:
        """Write a batch once, where no reader sees it: below the table's folder, laid out by `by` and the partition.

        Whatever a cluster's settings say, nothing that a task wrote comes to its place before the whole batch is written.
        """
        writer = frame.write.mode("append").option(COMMITTER, "1").partitionBy(*by, *table.partition)
        writer.parquet(self.address.spark(folder(table.name), name))

    def staged(self, table: Table, name: str, extra: str = "") -> DataFrame | None:
        """Read a staged folder back with the table's types (`extra`: further columns as DDL); None if it holds no file."""
        if not self.arrow.staged_files(table, name):
            return None
        ddl = ", ".join(part for part in (table.ddl.replace(" NOT NULL", ""), extra) if part)
        return self.spark.read.schema(ddl).parquet(self.address.spark(folder(table.name), name))

    def _uri(self, table: Table) -> str:
        return self.address.spark(folder(table.name))

    def _version(self, table: Table) -> int:
        version = self.arrow.version(table)
        return -1 if version is None else version


def conform(frame: DataFrame, table: Table) -> DataFrame:
    """Return exactly the table's columns in order and type; a missing column fails at analysis, by name."""
    return frame.select(*(F.col(c.name).cast(c.dtype).alias(c.name) for c in table.columns))
