"""examples.replays: one feature of one date's examples, made again from what was known before them, by one of two clocks.

spark-submit jobs/replays.py --date 2026-11-01 --lake ./build/lake

By the clock `known` a value is made anew from silver rows known before the date began, in another way than the features were: a plain
join of examples with the days before them. By the clock `version` it is read from the features as they were first published that day
(VERSION AS OF); a date that was not worked on while it lasted has no such version. A value that differs was not yet known.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from jobs.aggregate import evaluated, longest, totals
from jobs.console import days as each_day
from jobs.contracts.derived import EXAMPLES, REPLAYS, USER_FEATURES
from jobs.contracts.events import AD_EVENTS, FEEDBACK
from jobs.contracts.silver import LISTENS, SESSIONS, SILVER_LISTENERS
from jobs.features import DISTINCTS, USER
from jobs.features.feature import WINDOWS, column, counted
from jobs.run import Job, Read, main
from jobs.user_days import user_days
from jobs.user_features import PLAYED
from jobs.windows import windows
from validation.gates.leaks import CLOCKS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from pyspark.sql import DataFrame

KNOWN, VERSION = CLOCKS
ADS = tuple(one.name for one in USER_FEATURES.columns if one.purpose)
DAY = timedelta(days=1)


def replays(examples: DataFrame, *frames: DataFrame, dates: tuple[date, ...]) -> DataFrame:
    """Count, by clock and feature, the values of each date's examples that are not those known before it."""
    compared = values(examples, *frames, dates=dates)
    return compared.groupBy("date", "clock", "feature").agg(
        F.count("*").alias("examples"), F.expr("count_if(NOT found <=> known) AS leaked")
    )


def leaked(examples: DataFrame, *frames: DataFrame, dates: tuple[date, ...]) -> DataFrame:
    """Return every value that differs: date, clock, impression_id, feature, found, known."""
    return values(examples, *frames, dates=dates).where("NOT found <=> known").orderBy("date", "clock", "impression_id", "feature")


def values(examples: DataFrame, *frames: DataFrame, dates: tuple[date, ...]) -> DataFrame:
    """Return each value of the dates' examples beside the one that was known, by either clock; the frames are the job's other tables."""
    *acts, listeners, published = frames
    asked = examples.where(F.col("date").isin(*dates))
    by_clock = {KNOWN: known_before(asked, acts, listeners, dates=dates), VERSION: served(published)}
    parts = [_beside(asked, known).withColumn("clock", F.lit(clock)) for clock, known in by_clock.items()]
    return parts[0].unionByName(parts[1])


def joined_naively(examples: DataFrame, days: DataFrame) -> DataFrame:
    """Return examples with the features of their own date, whenever what these count became known: what must not be done."""
    dates = tuple(row["date"] for row in examples.select("date").distinct().collect())
    made = windows(days.withColumn("known_date", F.col("date")), USER, dates=dates).drop("known_date")
    return examples.drop(*(f.name for f in USER)).join(made, ["date", "listener_id"], "left")


def served(published: DataFrame) -> DataFrame:
    """Return features as they were first published, under the date that they served."""
    return published.withColumn("date", F.date_add("date", 1))


def known_before(examples: DataFrame, acts: Sequence[DataFrame], listeners: DataFrame, *, dates: tuple[date, ...]) -> DataFrame:
    """Make the features of every listener with an example (date of the example, listener_id, features) of what was known before."""
    first, last = min(dates) - longest() * DAY, max(dates) - DAY
    days = user_days(*acts, dates=each_day(first, last)).withColumnRenamed("date", "day").withColumnRenamed("listener_id", "who")
    asked = examples.select("date", "listener_id", F.date_sub("date", 1).alias("evening")).distinct()
    near = f"day <= evening AND known_date <= evening AND datediff(evening, day) < {longest()}"
    age = F.expr("datediff(evening, day)").alias("age")
    there = asked.join(days, F.expr(f"listener_id = who AND {near}"), "inner").select("*", age)
    of_all = asked.select("date", "evening").distinct().join(days, F.expr(near), "inner").select("*", age)
    names = {d.name for d in DISTINCTS}
    sums = [
        F.expr(f"sum({name}) FILTER (WHERE age < {w}) AS {column(name, w)}")
        for name, w in counted(USER, {name for feature in USER for name in feature.measures} - names)
    ]
    summed = there.groupBy("date", "listener_id").agg(F.max("known_date").alias("known_date"), *sums)
    for d in DISTINCTS:
        each = there.select("date", "listener_id", "age", F.explode(d.column).alias("item"))
        found = [F.expr(f"count(DISTINCT CASE WHEN age < {w} THEN item END) AS {column(d.name, w)}") for w in WINDOWS]
        summed = summed.join(each.groupBy("date", "listener_id").agg(*found), ["date", "listener_id"], "left")
    everybody = of_all.groupBy("date", F.col("who").alias("listener_id")).agg(*sums)
    agreed = listeners.where("ads_allowed").selectExpr("date_add(date, 1) AS date", "listener_id", "true AS agreed")
    made = evaluated(summed, USER, totals(everybody, USER)).where(PLAYED).join(agreed, ["date", "listener_id"], "left")
    return made.selectExpr(
        "date", "listener_id", *(f"CASE WHEN agreed THEN {f.name} END AS {f.name}" if f.name in ADS else f.name for f in USER)
    )


def _beside(examples: DataFrame, known: DataFrame) -> DataFrame:
    """Lay values and what was known side by side; dates of which nothing is known are left out."""
    told = examples.join(known.select("date").distinct(), "date", "left_semi")
    then = known.select("date", "listener_id", *(F.col(f.name).alias(f"then_{f.name}") for f in USER))
    pairs = ", ".join(f"'{f.name}', CAST({f.name} AS DOUBLE), CAST(then_{f.name} AS DOUBLE)" for f in USER)
    both = told.join(then, ["date", "listener_id"], "left")
    return both.selectExpr("date", "impression_id", f"stack({len(USER)}, {pairs}) AS (feature, found, known)")


BACK = longest()
READS = (Read(LISTENS, back=BACK), Read(SESSIONS, back=BACK), Read(FEEDBACK, back=BACK), Read(AD_EVENTS, back=BACK))
JOB = Job((Read(EXAMPLES), *READS, Read(SILVER_LISTENERS, back=1), Read(USER_FEATURES, back=1, served=True)), REPLAYS, replays)

if __name__ == "__main__":
    main(JOB)
