"""features.user_days: one listener's countable acts on one date, as far as they were known by one date.

spark-submit jobs/user_days.py --date 2026-11-01 --lake ./build/lake

A late play adds a row of its own with the later known date; nothing that was published for readers of an earlier day changes.
"""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING

from pyspark.sql import Window
from pyspark.sql import functions as F

from jobs.aggregate import DAILY, daily, items
from jobs.contracts.derived import USER_DAYS
from jobs.contracts.events import AD_EVENTS, FEEDBACK
from jobs.contracts.silver import LISTENS, SESSIONS
from jobs.features import DISTINCTS, MEASURES
from jobs.run import Job, Read, main

if TYPE_CHECKING:
    from datetime import date

    from pyspark.sql import DataFrame


def user_days(listens: DataFrame, sessions: DataFrame, feedback: DataFrame, ads: DataFrame, *, dates: tuple[date, ...]) -> DataFrame:
    """Count the acts of each listener, by date and by the date they became known."""
    asked = F.col("date").isin(*dates)
    kinds = {"listens": listens, "sessions": sessions, "feedback": feedback, "ad_events": ads}
    parts = [daily(frame.where(asked), of, MEASURES) for of, frame in kinds.items()]
    stacked = reduce(
        lambda left, right: left.unionByName(right, allowMissingColumns=True), (items(listens.where(asked), DISTINCTS), *parts)
    )
    # What only one part has is null in the others.
    counts = [F.expr(f"coalesce(sum({m.name}), 0) AS {m.name}") for m in MEASURES]
    seen = [F.expr(f"coalesce(any_value({d.column}, true), array()) AS {d.column}") for d in DISTINCTS]
    return counted_once(stacked.groupBy(*DAILY).agg(*counts, *seen))


def counted_once(days: DataFrame) -> DataFrame:
    """Leave the day itself to the row on which its first play became known: late rows of the same date add no active day."""
    mine = Window.partitionBy("date", "listener_id")
    first = F.min(F.when(F.col("plays") > 0, F.col("known_date"))).over(mine)
    active = F.when(F.col("known_date") == first, 1).otherwise(0).cast("bigint")
    return days.withColumn("active_days", active)


JOB = Job((Read(LISTENS), Read(SESSIONS), Read(FEEDBACK), Read(AD_EVENTS)), USER_DAYS, user_days)

if __name__ == "__main__":
    main(JOB)
