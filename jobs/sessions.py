"""silver.sessions: one session: plays of one listener without 30 idle minutes between them; it belongs to its first play's date.

spark-submit jobs/sessions.py --date 2026-11-01 --lake ./build/lake

Running D rewrites D-1 too: plays after midnight may lengthen its last sessions. A session is followed to the end of the date
after its own; who has not paused by then starts another at each midnight. So no date depends on plays of long before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import Window
from pyspark.sql import functions as F

from jobs.contracts.silver import CHARACTER, LISTENS, SESSIONS
from jobs.run import Job, Read, main

if TYPE_CHECKING:
    from datetime import date

    from pyspark.sql import DataFrame

GAP_MINUTES = 30
PLAYED = ("listener_id", "event_ts", "event_id", "known_ts", "ms_played", "track_ms", "skipped", "kind", *CHARACTER)
BEGAN = ("date", "device", "place", "local_date", "local_hour")  # what a session has of its first play


def sessions(listens: DataFrame, *, dates: tuple[date, ...], gap_minutes: int = GAP_MINUTES) -> DataFrame:
    """Cut each listener's plays where `gap_minutes` or more pass between the end of what was heard and the next start."""
    heard = marked(listens.select(*PLAYED, *BEGAN), gap_minutes)
    first = F.struct("event_ts", "event_id")
    grouped = heard.groupBy("listener_id", "number").agg(
        F.min(first).alias("first"),
        F.min_by(F.struct(*BEGAN), first).alias("start"),
        F.max("ended_ts").alias("ended_ts"),
        F.max("known_ts").alias("known_ts"),
        F.count("*").alias("plays"),
        F.count("skipped").alias("judged"),
        F.count_if(F.col("skipped")).alias("skips"),
        F.count_if(F.col("kind") == "episode").alias("episodes"),
        F.coalesce(F.sum("ms_played"), F.lit(0)).alias("ms_played"),
        # In whole thousandths: a sum of fractions would depend on the order of plays.
        *(F.expr(f"avg(CAST(round({name} * 1000) AS BIGINT)) / 1000D").alias(f"mean_{name}") for name in CHARACTER),
    )
    return grouped.where(F.col("start.date").isin(*dates)).select(
        F.col("start.date").alias("date"),
        F.md5(F.concat_ws("|", "listener_id", "first.event_id")).alias("session_id"),
        "listener_id",
        F.col("first.event_ts").alias("started_ts"),
        "ended_ts",
        "known_ts",
        *(F.col(f"start.{name}").alias(name) for name in BEGAN if name != "date"),
        *("plays", "judged", "skips", "episodes", "ms_played"),
        *(f"mean_{name}" for name in CHARACTER),
    )


def marked(listens: DataFrame, gap_minutes: int) -> DataFrame:
    """Add `ended_ts` and `number`, which counts a listener's sessions from 1."""
    order = Window.partitionBy("listener_id").orderBy("event_ts", "event_id")
    # Where a feed does not say how long it was heard, the length of the track is the best guess.
    ended = F.expr("timestamp_millis(unix_millis(event_ts) + coalesce(ms_played, track_ms, 0))")
    # Whatever is played for a whole day reaches into the next date, never past it.
    reach = F.least("ended_ts", F.expr(f"CAST(date_add(date, 2) AS TIMESTAMP) - INTERVAL {gap_minutes} MINUTES"))
    before = F.max(reach).over(order.rowsBetween(Window.unboundedPreceding, -1))
    idle = F.unix_millis("event_ts") - F.unix_millis(before)
    heard = listens.withColumn("ended_ts", ended)
    paused = heard.select("*", F.when(idle < gap_minutes * 60_000, False).otherwise(True).alias("paused"))  # noqa: FBT003
    since = F.max(F.when(F.col("paused"), F.col("date"))).over(order)
    new_date = F.col("date") > F.lag("date").over(order)
    cut = paused.select("*", (F.col("paused") | (new_date & (F.col("date") > F.date_add(since, 1)))).cast("int").alias("starts"))
    return cut.select("*", F.sum("starts").over(order).alias("number"))


JOB = Job((Read(LISTENS, back=2, ahead=1),), SESSIONS, sessions, rewrites=(-1, 0))

if __name__ == "__main__":
    main(JOB)
