"""silver.sessions: one session: plays of one listener without 30 idle minutes between them; it belongs to its first play's date.

spark-submit jobs/sessions.py --date 2026-11-01 --lake ./build/lake

Running D rewrites D-1 too: plays after midnight may lengthen its last sessions. A session is followed for one day past its
date; plays of a listener who never paused for longer than that start another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import Window
from pyspark.sql import functions as F

from jobs.contracts.silver import LISTENS, SESSIONS
from jobs.run import Job, Read, main

if TYPE_CHECKING:
    from datetime import date

    from pyspark.sql import DataFrame

GAP_MINUTES = 30
USED = ("listener_id", "event_ts", "event_id", "known_ts", "ms_played", "skipped", "device", "local_date", "local_hour", "date")


def sessions(listens: DataFrame, *, dates: tuple[date, ...], gap_minutes: int = GAP_MINUTES) -> DataFrame:
    """Cut each listener's plays where `gap_minutes` or more pass between the end of what was heard and the next start."""
    heard = marked(listens.select(*USED), gap_minutes)
    first = F.struct("event_ts", "event_id")
    grouped = heard.groupBy("listener_id", "number").agg(
        F.min(first).alias("first"),
        F.min_by(F.struct("date", "device", "local_date", "local_hour"), first).alias("start"),
        F.max("ended_ts").alias("ended_ts"),
        F.max("known_ts").alias("known_ts"),
        F.count("*").alias("plays"),
        F.count_if(F.col("skipped")).alias("skips"),
        F.coalesce(F.sum("ms_played"), F.lit(0)).alias("ms_played"),
    )
    return grouped.where(F.col("start.date").isin(*dates)).select(
        F.col("start.date").alias("date"),
        F.md5(F.concat_ws("|", "listener_id", "first.event_id")).alias("session_id"),
        "listener_id",
        F.col("first.event_ts").alias("started_ts"),
        "ended_ts",
        "known_ts",
        *(F.col(f"start.{name}").alias(name) for name in ("local_date", "local_hour", "device")),
        "plays",
        "skips",
        "ms_played",
    )


def marked(listens: DataFrame, gap_minutes: int) -> DataFrame:
    """Add `ended_ts` and `number`, which counts a listener's sessions from 1."""
    order = Window.partitionBy("listener_id").orderBy("event_ts", "event_id")
    ended = F.expr("timestamp_millis(unix_millis(event_ts) + coalesce(ms_played, 0))")
    before = F.max("ended_ts").over(order.rowsBetween(Window.unboundedPreceding, -1))
    idle = F.unix_millis("event_ts") - F.unix_millis(before)
    starts = F.when(idle < gap_minutes * 60_000, 0).otherwise(1)
    cut = listens.withColumn("ended_ts", ended).select("*", starts.alias("starts"))
    return cut.select("*", F.sum("starts").over(order).alias("number"))


JOB = Job((Read(LISTENS, back=1, ahead=1),), SESSIONS, sessions, rewrites=(-1, 0))

if __name__ == "__main__":
    main(JOB)
