"""features.moment_features: one moment of listening over the last 28 days: how common, when, on what; it names no listener.

spark-submit jobs/moment_features.py --date 2026-11-01 --lake ./build/lake

Sessions of a moment that fewer than ten listeners had are told under its parent: the part of the day in which they began, or `any`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from jobs.aggregate import each_date
from jobs.contracts.context import ANY, MOMENT_FEATURES, SESSION_MOMENTS
from jobs.run import Job, Read, main
from validation.gates.release import GRAIN

if TYPE_CHECKING:
    from datetime import date

    from pyspark.sql import DataFrame

DAYS = 28
SKETCH, MOST = 10, 90  # as in context features
CELL = ("moment", "daypart", "device")
SUMS = {
    "sessions": "count(*)",
    "weekend": "count_if(day_type <> 'weekday')",
    "seconds": "coalesce(sum(CAST(minutes * 60 AS BIGINT)), 0)",
    "described": "count(mean_energy)",
    "energy": "coalesce(sum(CAST(round(mean_energy * 1000) AS BIGINT)), 0)",
}


def moment_features(moments: DataFrame, *, dates: tuple[date, ...]) -> DataFrame:
    """Describe each moment over the 28 days that end with each date, as known by its end."""
    known = F.to_date("known_ts").alias("known_date")
    sums = (*(F.expr(f"{sql} AS {name}") for name, sql in SUMS.items()), F.hll_sketch_agg("listener_id", SKETCH).alias("listeners"))
    days = moments.select("*", F.col("date").alias("event_date"), known).groupBy("event_date", "known_date", *CELL).agg(*sums)
    asked = each_date(dates, first=F.greatest("event_date", "known_date"), last=F.date_add("event_date", DAYS - 1))
    added = (*(F.sum(name).alias(name) for name in SUMS), F.hll_union_agg("listeners").alias("listeners"))
    cells = days.select(*CELL, *SUMS, "listeners", asked.alias("date")).groupBy("date", *CELL).agg(*added)
    return described(told(told(cells.withColumnRenamed("moment", "told"), "daypart"), f"'{ANY}'"))


def told(cells: DataFrame, parent: str) -> DataFrame:
    """Put cells whose name too few listeners stand behind under their parent's."""
    return cells.selectExpr("* EXCEPT (told)", f"IF({_counted('date, told')} >= {GRAIN}, told, {parent}) AS told")


def described(cells: DataFrame) -> DataFrame:
    """Sum up each name; sessions are told in tens, listeners in tens and no further than 90."""
    most = ("daypart", "device")
    usual = cells.selectExpr(
        "*", *(f"struct(sum(sessions) OVER (PARTITION BY date, told, {name}) AS n, {name} AS name) AS usual_{name}" for name in most)
    )
    added = (*(F.sum(name).alias(name) for name in SUMS), F.hll_union_agg("listeners").alias("listeners"))
    summed = usual.groupBy("date", "told").agg(*added, *(F.max(f"usual_{name}").alias(f"usual_{name}") for name in most))
    counted = summed.selectExpr(
        "*", f"least(hll_sketch_estimate(listeners), {MOST}) AS n", "sum(sessions) OVER (PARTITION BY date) AS whole"
    )
    return counted.where(F.col("n") >= GRAIN).selectExpr(
        "date",
        "told AS moment",
        f"n DIV {GRAIN} * {GRAIN} AS listeners",
        f"sessions DIV {GRAIN} * {GRAIN} AS sessions",
        "round(sessions / whole, 3) AS share",
        "round(weekend / sessions, 3) AS weekend_share",
        "round(seconds / sessions / 60, 1) AS mean_minutes",
        "round(try_divide(energy, described) / 1000, 3) AS mean_energy",
        "usual_daypart.name AS usual_daypart",
        "usual_device.name AS usual_device",
    )


def _counted(by: str) -> str:
    return f"hll_sketch_estimate(hll_union_agg(listeners) OVER (PARTITION BY {by}))"


JOB = Job((Read(SESSION_MOMENTS, back=DAYS - 1),), MOMENT_FEATURES, moment_features)

if __name__ == "__main__":
    main(JOB)
