"""silver.listens: one play of a track or episode, with its track, the listener's local time and what became of it.

spark-submit jobs/listens.py --date 2026-11-01 --lake ./build/lake
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from jobs.contracts.events import PLAYS
from jobs.contracts.silver import HEARD, LISTENS, LOOKUP, SILVER_LISTENERS, SILVER_TRACKS
from jobs.run import Job, Read, main

if TYPE_CHECKING:
    from datetime import date

    from pyspark.sql import DataFrame

# The industry's line: a play of less than 30 s does not count as one.
SKIPPED = "coalesce(skipped, ms_played < 30000 AND coalesce(ms_played < 0.9 * track_ms, true))"
COMPLETED = "ms_played >= 0.9 * track_ms"
LOCAL = "from_utc_timestamp(event_ts, time_zone)"


def listens(plays: DataFrame, tracks: DataFrame, listeners: DataFrame, *, dates: tuple[date, ...]) -> DataFrame:
    """Join plays with their tracks and place them on the listener's clock: the play's zone, else the stated one, else UTC."""
    asked = zoned(plays.where(F.col("date").isin(*dates)), listeners)
    found = tracks.select("date", "feed", "lookup", "track_id", "artist_id", F.struct(*(c.name for c in HEARD)).alias("of"))
    joined = asked.select("*", F.expr(LOOKUP).alias("lookup")).join(found, ["date", "feed", "lookup"], "left")
    length = F.coalesce("track_ms", "of.track_ms").alias("track_ms")
    others = [F.col(f"of.{c.name}").alias(c.name) for c in HEARD if c.name != "track_ms"]
    named = joined.select(*(F.col(name) for name in joined.columns if name != "track_ms"), length, *others)
    return named.select(
        *(name for name in LISTENS.names if name not in ("local_date", "local_hour", "skipped", "completed")),
        F.expr(f"to_date({LOCAL})").alias("local_date"),
        F.expr(f"hour({LOCAL})").alias("local_hour"),
        F.expr(SKIPPED).alias("skipped"),
        F.expr(COMPLETED).alias("completed"),
    )


def zoned(plays: DataFrame, listeners: DataFrame) -> DataFrame:
    """Fill missing time zones from the listener's statement, else UTC; plays that name theirs take no part in the join."""
    stated = listeners.select("date", "listener_id", F.col("time_zone").alias("stated")).where("stated IS NOT NULL")
    silent = plays.where("time_zone IS NULL").join(stated, ["date", "listener_id"], "left")
    filled = silent.withColumn("time_zone", F.coalesce("stated", F.lit("UTC"))).drop("stated")
    return plays.where("time_zone IS NOT NULL").unionByName(filled)


JOB = Job((Read(PLAYS), Read(SILVER_TRACKS), Read(SILVER_LISTENERS)), LISTENS, listens)

if __name__ == "__main__":
    main(JOB)
