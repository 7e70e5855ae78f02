"""features.context_features: one context cell (daypart x day type x device x weather as forecast) over the last 28 days.

spark-submit jobs/context_features.py --date 2026-11-01 --lake ./build/lake

It names no listener, so it serves those without consent too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import Window
from pyspark.sql import functions as F

from jobs.aggregate import each_date, forecasts
from jobs.assign import DAY_TYPE, daypart
from jobs.contracts.derived import CONTEXT_FEATURES
from jobs.contracts.events import WEATHER
from jobs.contracts.silver import LISTENS
from jobs.run import Job, Read, main

if TYPE_CHECKING:
    from datetime import date

    from pyspark.sql import DataFrame

DAYS = 28
PRIOR = 50  # plays at the overall skip rate that a cell's own rate is shrunk with
CELL = ("daypart", "day_type", "device", "weather")
DESCRIBED = "energy IS NOT NULL AND valence IS NOT NULL"
SUMS = {
    "plays": "count(*)",
    "judged": "count_if(skipped IS NOT NULL)",
    "skips": "count_if(skipped)",
    "described": f"count_if({DESCRIBED})",
    "energy": f"coalesce(sum(CAST(round(energy * 1000) AS BIGINT)) FILTER (WHERE {DESCRIBED}), 0)",
    "valence": f"coalesce(sum(CAST(round(valence * 1000) AS BIGINT)) FILTER (WHERE {DESCRIBED}), 0)",
}


def context_features(listens: DataFrame, weather: DataFrame, *, dates: tuple[date, ...]) -> DataFrame:
    """Describe listening in each context cell over the 28 days that end with each date, as known by its end."""
    local = listens.select("*", F.expr(daypart("local_hour")).alias("daypart"), F.expr(DAY_TYPE).alias("day_type"))
    hours = local.withColumn("hour", F.date_trunc("hour", "event_ts")).withColumn("known_date", F.to_date("known_ts"))
    placed = hours.join(F.broadcast(forecasts(weather)), ["place", "hour"], "left").withColumn(
        "weather", F.expr("coalesce(weather, 'unknown')")
    )
    asked = each_date(dates, first=F.greatest("date", "known_date"), last=F.date_add("date", DAYS - 1))
    reached = daily_cells(placed).select(*CELL, "listeners", *SUMS, asked.alias("date"))
    summed = reached.groupBy("date", *CELL).agg(*(F.sum(name).alias(name) for name in ("listeners", *SUMS)))
    whole = Window.partitionBy("date")
    total = summed.select("*", *(F.sum(name).over(whole).alias(f"all_{name}") for name in ("plays", "judged", "skips")))
    overall = "try_divide(all_skips, all_judged)"
    return total.select(
        "date",
        *CELL,
        "plays",
        "listeners",
        F.expr("plays / all_plays").alias("play_share"),
        F.expr(f"try_divide(skips + {PRIOR} * {overall}, judged + {PRIOR})").alias("skip_rate"),
        F.expr("try_divide(energy, described) / 1000D").alias("mean_energy"),
        F.expr("try_divide(valence, described) / 1000D").alias("mean_valence"),
    )


def daily_cells(placed: DataFrame) -> DataFrame:
    """Sum each cell's plays by date and by the date they became known; a listener counts when first known there, late plays add none."""
    mine = Window.partitionBy("date", "listener_id", *CELL)
    acts = placed.groupBy("date", "known_date", "listener_id", *CELL).agg(*(F.expr(sql).alias(name) for name, sql in SUMS.items()))
    first = (F.col("known_date") == F.min("known_date").over(mine)).cast("int").alias("listeners")
    return acts.select("*", first).groupBy("date", "known_date", *CELL).agg(*(F.sum(name).alias(name) for name in ("listeners", *SUMS)))


JOB = Job((Read(LISTENS, back=DAYS - 1), Read(WEATHER, back=DAYS - 1)), CONTEXT_FEATURES, context_features)

if __name__ == "__main__":
    main(JOB)
