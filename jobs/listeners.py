"""silver.listeners: one listener who had stated anything by the end of the date, with the statement in force as known then.

spark-submit jobs/listeners.py --date 2026-11-01 --lake ./build/lake
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from jobs.aggregate import each_date
from jobs.contracts.events import LISTENERS
from jobs.contracts.silver import AGREED, SILVER_LISTENERS
from jobs.run import Job, Read, main

if TYPE_CHECKING:
    from datetime import date

    from pyspark.sql import DataFrame

STATED = ("consent", "basis", "age_band", "plan", "place", "time_zone", "known_ts")


def listeners(statements: DataFrame, *, dates: tuple[date, ...]) -> DataFrame:
    """Pick each listener's latest statement known by the end of each date; one that was assumed yields to any other."""
    known = F.greatest(F.to_date("event_ts"), F.to_date("known_ts"))
    daily = statements.select("listener_id", "event_ts", *STATED, each_date(dates, first=known, last=F.lit(max(dates))).alias("date"))
    newest = F.struct(F.col("basis") != "assume", "event_ts", "known_ts", "consent", "age_band")
    picked = daily.groupBy("date", "listener_id").agg(F.max_by(F.struct(*STATED), newest).alias("said"))
    allowed = F.expr(AGREED).alias("ads_allowed")
    return picked.select("date", "listener_id", "said.*").select("*", allowed)


JOB = Job((Read(LISTENERS, history=True),), SILVER_LISTENERS, listeners)

if __name__ == "__main__":
    main(JOB)
