"""segments.segment_overlaps: one pair of segments, with how many consenting listeners are in both.

spark-submit jobs/segment_overlaps.py --date 2026-11-01 --lake ./build/lake
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from jobs.contracts.derived import SEGMENT_OVERLAPS, USER_SEGMENTS
from jobs.run import Job, Read, main
from validation.gates.release import GRAIN

if TYPE_CHECKING:
    from datetime import date

    from pyspark.sql import DataFrame


def segment_overlaps(memberships: DataFrame, *, dates: tuple[date, ...]) -> DataFrame:
    """Count the listeners of every pair of segments, and of each segment, for each date."""
    mine = memberships.where(F.col("date").isin(*dates)).groupBy("date", "listener_id").agg(F.collect_set("segment").alias("all"))
    first = mine.select("date", "all", F.explode("all").alias("segment"))
    pairs = first.select("date", "segment", F.explode("all").alias("other")).where("segment <= other")
    return pairs.groupBy("date", "segment", "other").agg(F.count("*").alias("listeners")).where(F.col("listeners") >= GRAIN)


JOB = Job((Read(USER_SEGMENTS),), SEGMENT_OVERLAPS, segment_overlaps)

if __name__ == "__main__":
    main(JOB)
