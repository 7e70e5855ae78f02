"""features.fan_ladder: one listener and one artist whom that listener played in the last 28 days, with the rung they stand on.

spark-submit jobs/fan_ladder.py --date 2026-11-01 --lake ./build/lake

Far to near: programmed (heard where others chose), light (asked for on one day), moderate (on two or more), super (on 5 or more, 3
tracks or more; of these whoever asked for most, as many as 2 % of the artist's listeners). Where nobody knows what a listener asked for,
the rung is unknown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import Window
from pyspark.sql import functions as F

from jobs.aggregate import each_date
from jobs.contracts.fans import DAYS, FAN_LADDER, TOP
from jobs.contracts.silver import LISTENS
from jobs.features.taste import ASKED_FOR
from jobs.run import Job, Read, main

if TYPE_CHECKING:
    from datetime import date

    from pyspark.sql import DataFrame

SUPER = "active_days >= 5 AND active_tracks >= 3"
MODERATE = "active_days >= 2"
# However few listeners an artist has, one may be super; equal ones stand equal.
FIRST = f"place <= greatest(1, ceil({TOP} * listeners))"
RUNG = f"""CASE WHEN {SUPER} AND {FIRST} THEN 'super' WHEN {MODERATE} THEN 'moderate' WHEN active_plays > 0 THEN 'light'
WHEN unsourced = 0 THEN 'programmed' ELSE 'unknown' END"""


def fan_ladder(listens: DataFrame, *, dates: tuple[date, ...]) -> DataFrame:
    """Sum each pair's plays over the 28 days that end with each date, as known by its end, and say on which rung it stands.

    The days with an active play are bits of a number: what a track's plays say of days adds up without counting one twice.
    """
    asked = each_date(dates, first=F.greatest("date", F.to_date("known_ts")), last=F.date_add("date", DAYS - 1))
    # A listener's plays are brought together once, for all that is counted of the listener.
    heard = (
        listens.where("kind = 'track'")
        .repartition("listener_id")
        .select(
            *("listener_id", "artist_id", "track_id"),
            F.expr(f"CASE WHEN source IS NOT NULL THEN {ASKED_FOR} END AS active"),
            F.col("date").alias("day"),
            asked.alias("date"),
        )
    )
    tracks = heard.groupBy("date", "listener_id", "artist_id", "track_id").agg(
        F.count("*").alias("plays"),
        F.expr("count_if(active) AS active"),
        F.expr("count_if(active IS NULL) AS unsourced"),
        F.expr("coalesce(bit_or(CASE WHEN active THEN shiftleft(1L, datediff(date, day)) END), 0L) AS days"),
    )
    pairs = tracks.groupBy("date", "listener_id", "artist_id").agg(
        F.sum("plays").alias("plays"),
        F.count("*").alias("tracks"),
        F.sum("active").alias("active_plays"),
        F.expr("CAST(bit_count(bit_or(days)) AS BIGINT) AS active_days"),
        F.expr("count_if(active > 0) AS active_tracks"),
        F.sum("unsourced").alias("unsourced"),
    )
    listener, artist = Window.partitionBy("date", "listener_id"), Window.partitionBy("date", "artist_id")
    nearest = artist.orderBy(F.expr(SUPER).desc(), *(F.desc(name) for name in ("active_plays", "active_days", "active_tracks")))
    placed = pairs.select(
        "*",
        (F.col("plays") / F.sum("plays").over(listener)).alias("share"),
        F.count("*").over(artist).alias("listeners"),
        F.rank().over(nearest).alias("place"),
    )
    return placed.select(*(name for name in FAN_LADDER.names if name != "rung"), F.expr(RUNG).alias("rung"))


JOB = Job((Read(LISTENS, back=DAYS - 1),), FAN_LADDER, fan_ladder)

if __name__ == "__main__":
    main(JOB)
