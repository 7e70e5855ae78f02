"""features.artist_fans: one artist with enough listeners, or all artists together: their rungs, and what the top 2 % of listeners play.

spark-submit jobs/artist_fans.py --date 2026-11-01 --lake ./build/lake
"""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING

from pyspark.sql import Window
from pyspark.sql import functions as F

from jobs.contracts.fans import ARTIST_FANS, DAYS, EVERY_ARTIST, FAN_LADDER, RUNGS, TOP
from jobs.contracts.silver import SILVER_TRACKS
from jobs.run import Job, Read, main
from validation.gates.release import GRAIN

if TYPE_CHECKING:
    from datetime import date

    from pyspark.sql import DataFrame

Z = 1.959964  # of a 95 % interval
FLOOR = 50  # listeners below which an artist has no part in the share that all artists' top listeners hold: 2 % of them is nobody


def artist_fans(ladder: DataFrame, tracks: DataFrame, *, dates: tuple[date, ...]) -> DataFrame:
    """Count each artist's listeners by rung, and measure how much of its plays the top 2 % hold."""
    pairs = ladder.where(F.col("date").isin(*dates))
    all_artists = F.lit(EVERY_ARTIST).alias("artist_id")
    each = counted(pairs).join(top(pairs, of="artist_id"), ["date", "artist_id"], "left")
    whole = counted(pairs.select("date", all_artists, "plays", "rung")).join(
        top(pairs, of="date").select("*", all_artists), ["date", "artist_id"], "left"
    )
    enough = each.unionByName(whole).where(F.col("listeners") >= GRAIN)
    named = enough.join(names(tracks, dates), ["date", "artist_id"], "left")
    down = [F.expr(f"{name} DIV {GRAIN} * {GRAIN} AS {name}") for name in ("listeners", *RUNGS, "plays")]
    told = [F.expr(f"CASE WHEN held >= {GRAIN} THEN {sql} END AS {name}") for name, sql in SHARES.items()]
    return named.select("date", "artist_id", "artist_name", "genre", *down, *told)


# The interval is on the scale of log odds, with the quantile of Student's t by its expansion: there are only so many at the top.
HALF = f"({Z} + {(Z**3 + Z) / 4} / held) * sqrt(spread) * all_plays / (held_plays * (all_plays - held_plays))"
SHARES = {"top_share": "held_plays / all_plays"} | {
    name: f"1 / (1 + (all_plays - held_plays) / held_plays * exp({sign} * {HALF}))" for name, sign in (("top_low", 1), ("top_high", -1))
}


def counted(pairs: DataFrame) -> DataFrame:
    """Count listeners and plays of each artist, and listeners by rung."""
    rungs = [F.count_if(F.col("rung") == rung).alias(rung) for rung in RUNGS]
    return pairs.groupBy("date", "artist_id").agg(F.count("*").alias("listeners"), *rungs, F.sum("plays").alias("plays"))


def top(pairs: DataFrame, *, of: str) -> DataFrame:
    """Return how many plays the top 2 % of each artist's listeners hold, by artist or (`of` date) by date.

    The share is an ordinate of a Lorenz curve, T. Its spread is that of what each listener's plays x add to it: max(x - q, 0) + pq - Tx,
    with q the plays of the last of the top, p their part of listeners (Beach and Davidson 1983); a listener's artists are summed first.
    """
    artist = Window.partitionBy("date", "artist_id")
    ranked = pairs.select(
        *("date", "artist_id", "listener_id", "plays"),
        F.count("*").over(artist).alias("n"),
        F.row_number().over(artist.orderBy(F.desc("plays"), "listener_id")).alias("place"),
    ).where(F.col("n") >= (FLOOR if of == "date" else GRAIN))
    bound = F.expr(f"ceil({TOP} * n)")
    placed = ranked.select("*", bound.alias("k"), (F.col("place") <= bound).alias("held"))
    cut = placed.select("*", F.min(F.when(F.col("held"), F.col("plays"))).over(artist).alias("q"))
    keys = list(dict.fromkeys(("date", of)))
    mine = cut.groupBy(*keys, "listener_id").agg(
        F.sum("plays").alias("x"),
        F.expr("sum(greatest(plays - q, 0) + k / n * q) AS y"),
        F.count_if("held").alias("held"),
        F.expr("coalesce(sum(plays) FILTER (WHERE held), 0) AS top"),
    )
    sums = mine.groupBy(*keys).agg(
        *(F.sum(name).alias(name) for name in ("held", "top", "x")),
        *(F.expr(f"sum(CAST({a} * {b} AS DOUBLE)) AS {a}{b}") for a, b in ("yy", "xy", "xx")),
    )
    share = "(top / x)"
    spread = F.expr(f"greatest(yy - 2 * {share} * xy + {share} * {share} * xx, 0) AS spread")
    return sums.select(*keys, "held", F.col("top").alias("held_plays"), F.col("x").alias("all_plays"), spread)


def names(tracks: DataFrame, dates: tuple[date, ...]) -> DataFrame:
    """Return, for each date, what artists of the 28 days before are called, and their most frequent genre."""
    parts = (
        tracks.where(F.col("date").between(F.date_sub(F.lit(day), DAYS - 1), F.lit(day)))
        .groupBy("artist_id")
        .agg(F.expr("mode() WITHIN GROUP (ORDER BY artist_name) AS artist_name"), F.expr("mode() WITHIN GROUP (ORDER BY genre) AS genre"))
        .select(F.lit(day).alias("date"), "artist_id", "artist_name", "genre")
        for day in dates
    )
    return reduce(lambda left, right: left.unionByName(right), parts)


JOB = Job((Read(FAN_LADDER), Read(SILVER_TRACKS, back=DAYS - 1)), ARTIST_FANS, artist_fans)

if __name__ == "__main__":
    main(JOB)
