"""Finds events that come again: within the files that are taken in, and in all that the table holds.

The new keys go to the table, of which the key alone is read where it lies: nothing that was taken in before is shuffled.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark import StorageLevel
from pyspark.sql import functions as F

from jobs.sources.parsing import Taking, keys, tells_date

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql import Column, DataFrame

    from jobs.lake.spark import SparkLake
    from jobs.sources.source import Feed
    from validation.contract import Table

BROADCAST = 2_000_000  # keys that a worker holds in memory without trouble
SPARSE = 16  # bits a key: one row in as many passes without being asked for
BITS = 1 << 29  # that a worker holds in memory at most


def repeated(lake: SparkLake, feed: Feed, records: DataFrame, taking: Taking) -> DataFrame:
    """Return hashes of the keys that occur more than once in the files, or are in the table already.

    Two keys may share a hash: theirs are looked at again like the others, by the keys themselves.
    """
    table = feed.table
    found, before = keys(records, feed, taking).select("date", hashed(table)), lake.arrow.files(table)
    if before:
        found = found.persist(StorageLevel.DISK_ONLY)
    again = found.groupBy("hash").count().where("count > 1").select("hash")
    if before:
        again = again.union(held(lake, feed, found, [hashed(table)], found.count())).distinct()
    again = again.persist(StorageLevel.DISK_ONLY)
    few = again.count() <= BROADCAST
    found.unpersist()
    return F.broadcast(again) if few else again


def hashed(table: Table) -> Column:
    """Return the hash of a row's key."""
    return F.xxhash64(*(F.col(name).cast(table.by_name[name].dtype) for name in table.key)).alias("hash")


def held(lake: SparkLake, feed: Feed, asked: DataFrame, key: Sequence[Column | str], number: int) -> DataFrame:
    """Return what the table holds of the keys of so many rows, given with their dates; `key` makes them of the table's rows."""
    # Only where a key tells its date can the others be left out: elsewhere an event may come again with any.
    told = feed.table.dated and tells_date(feed)
    dates = [row["date"] for row in asked.select("date").where("date IS NOT NULL").distinct().collect()] if told else None
    there = lake.read(feed.table, dates).select(*key)
    names = there.columns
    wanted = asked.select(*names).distinct()
    if number <= BROADCAST:
        return there.join(F.broadcast(wanted), names, "left_semi")
    return _likely(there, wanted, number).join(wanted, names, "left_semi")


def _likely(there: DataFrame, wanted: DataFrame, number: int) -> DataFrame:
    """Leave out almost all rows that are not wanted, by a map of bits that every worker holds: one is set for each wanted row."""
    place = F.pmod(F.xxhash64(*there.columns), F.lit(min(SPARSE * number, BITS)))
    bucket, bit = F.bitmap_bucket_number(place).alias("bucket"), F.bitmap_bit_position(place).alias("bit")
    bits = wanted.select(bucket, bit).groupBy("bucket").agg(F.bitmap_construct_agg("bit").alias("bits"))
    byte = "CAST(conv(hex(substring(bits, CAST(bit DIV 8 AS INT) + 1, 1)), 16, 10) AS INT)"
    mapped = there.select(*there.columns, bucket, bit).join(F.broadcast(bits), "bucket")
    return mapped.where(f"shiftright({byte}, CAST(bit % 8 AS INT)) & 1 = 1").select(*there.columns)
