"""features.user_portraits: one listener with a session or a track in the last 28 days: artists, moments, weather, places.

spark-submit jobs/user_portraits.py --date 2026-11-01 --lake ./build/lake
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from jobs.aggregate import among_all, each_date
from jobs.contracts.context import SESSION_MOMENTS
from jobs.contracts.fans import DAYS, FAN_LADDER
from jobs.contracts.portraits import USER_PORTRAITS
from jobs.features.artists import MEASURES as OF_PAIRS
from jobs.features.feature import column
from jobs.moments.portrait import OF_PLACES, OF_SESSIONS, PORTRAIT
from jobs.run import Job, Read, main

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from pyspark.sql import Column, DataFrame

    from jobs.features.feature import Measure

KEYS = ("date", "listener_id")
AGES = {"now": 0, "week": 7, "fortnight": 14}  # days before the date, of the pairs that are compared


def user_portraits(ladder: DataFrame, moments: DataFrame, *, dates: tuple[date, ...]) -> DataFrame:
    """Evaluate what pairs with artists and sessions of 28 days say of each listener at the end of each date."""
    summed = of_pairs(ladder, dates).join(of_sessions(moments, dates), [*KEYS], "full")
    return among_all(summed, PORTRAIT, keys=KEYS, where=f"{column('plays', DAYS)} > 0 OR {column('sessions', DAYS)} > 0")


def of_pairs(ladder: DataFrame, dates: Sequence[date]) -> DataFrame:
    """Sum each listener's pairs with artists, as they are, as they were a week before, and two."""
    today = F.col("date").isin(*dates)
    artists = ladder.where(today).groupBy("date", "artist_id").agg(F.sum("plays").alias("of_artist"))
    whole = artists.groupBy("date").agg(F.sum("of_artist").alias("of_all"))
    usual = artists.join(F.broadcast(whole), "date").selectExpr("date", "artist_id", "of_artist / of_all AS usual")
    ages = F.explode(F.array(*(F.date_add("date", age) for age in AGES.values())))
    mine = ladder.repartition("listener_id").select(
        "listener_id", "artist_id", "plays", "share", F.col("date").alias("day"), ages.alias("date")
    )
    plays = [F.expr(f"coalesce(sum(plays) FILTER (WHERE datediff(date, day) = {age}), 0) AS {name}") for name, age in AGES.items()]
    pairs = mine.where(today).groupBy(*KEYS, "artist_id").agg(*plays, F.expr("max(share) FILTER (WHERE day = date) AS share"))
    return pairs.join(F.broadcast(usual), ["date", "artist_id"], "left").groupBy(*KEYS).agg(*_sums(OF_PAIRS))


def of_sessions(moments: DataFrame, dates: Sequence[date]) -> DataFrame:
    """Sum each listener's sessions, and the places that they were in, as known by the end of each date."""
    asked = each_date(dates, first=F.greatest("date", F.to_date("known_ts")), last=F.date_add("date", DAYS - 1))
    rows = moments.select(*(name for name in moments.columns if name != "date"), asked.alias("date"))
    places = rows.where("place IS NOT NULL").groupBy(*KEYS, "place").agg(F.count("*").alias("n"))
    return rows.groupBy(*KEYS).agg(*_sums(OF_SESSIONS)).join(places.groupBy(*KEYS).agg(*_sums(OF_PLACES)), [*KEYS], "left")


def _sums(measures: Sequence[Measure]) -> list[Column]:
    return [F.expr(one.sql).cast("bigint").alias(column(one.name, DAYS)) for one in measures]


JOB = Job((Read(FAN_LADDER, back=max(AGES.values())), Read(SESSION_MOMENTS, back=DAYS - 1)), USER_PORTRAITS, user_portraits)

if __name__ == "__main__":
    main(JOB)
