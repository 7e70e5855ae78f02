"""examples.response: one ad impression whose labels are settled, with what was known the evening before.

spark-submit jobs/examples.py --date 2026-11-04 --lake ./build/lake      # writes 2026-11-01, settled by then

A label is settled 48 hours after its 30-minute window closed: what arrives later does not count, so asking for D writes D-3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from jobs.aggregate import forecasts
from jobs.assign import daypart
from jobs.contracts.derived import EXAMPLES, USER_FEATURES
from jobs.contracts.events import AD_EVENTS, WEATHER
from jobs.contracts.silver import SILVER_LISTENERS
from jobs.day_types import CALENDAR, typed
from jobs.features import USER
from jobs.run import Job, Read, main

if TYPE_CHECKING:
    from datetime import date

    from pyspark.sql import DataFrame

CLICK_WINDOW = "INTERVAL 30 MINUTES"
SETTLED = "INTERVAL 2910 MINUTES"  # the click window and 48 hours for late arrivals
IN_TIME = f"event_ts BETWEEN began AND began + {CLICK_WINDOW} AND known_ts < began + {SETTLED}"


def examples(ads: DataFrame, features: DataFrame, listeners: DataFrame, weather: DataFrame, *, dates: tuple[date, ...]) -> DataFrame:
    """Label impressions and join what was known of listener and context before them."""
    shown = ads.where("kind = 'impression'").where(F.col("date").isin(*dates))
    marked = shown.join(labels(shown, ads), "impression_id", "left")
    evening = F.date_add("date", 1).alias("date")
    home = listeners.select(evening, "listener_id", "time_zone", "place")
    local = marked.join(home, ["date", "listener_id"], "left").withColumn(
        "local", F.expr("from_utc_timestamp(event_ts, coalesce(time_zone, 'UTC'))")
    )
    timed = local.withColumn("local_date", F.to_date("local")).withColumn("hour", F.date_trunc("hour", "event_ts"))
    placed = typed(timed, dates[0], dates[-1]).join(F.broadcast(forecasts(weather)), ["place", "hour"], "left")
    before = features.select(evening, "listener_id", F.col("known_date").alias("features_known"), *(feature.name for feature in USER))
    return placed.join(before, ["date", "listener_id"], "left").select(
        "date",
        "impression_id",
        "listener_id",
        "event_ts",
        F.expr(f"greatest(known_ts, event_ts + {SETTLED})").alias("known_ts"),
        *("campaign", "category", "slot", "device"),
        F.expr(daypart("hour(local)")).alias("daypart"),
        "day_type",
        F.expr("coalesce(weather, 'unknown')").alias("weather"),
        F.coalesce("click", F.lit(False)).alias("click"),  # noqa: FBT003
        F.coalesce("completion", F.lit(False)).alias("completion"),  # noqa: FBT003
        F.date_sub("date", 1).alias("features_date"),
        "features_known",
        *(feature.name for feature in USER),
    )


def labels(shown: DataFrame, ads: DataFrame) -> DataFrame:
    """Return `click` and `completion` of the impressions that had either in time and known in time."""
    began = shown.select("impression_id", F.col("event_ts").alias("began"))
    acts = ads.where("kind IN ('click', 'complete')").select("impression_id", "kind", "event_ts", "known_ts")
    return (
        acts.join(began, "impression_id", "inner")
        .where(IN_TIME)
        .groupBy("impression_id")
        .agg(F.bool_or(F.col("kind") == "click").alias("click"), F.bool_or(F.col("kind") == "complete").alias("completion"))
    )


READS = (Read(AD_EVENTS, ahead=1), Read(USER_FEATURES, back=1), Read(SILVER_LISTENERS, back=1), Read(WEATHER))
JOB = Job(READS, EXAMPLES, examples, rewrites=(-3,), args=CALENDAR)

if __name__ == "__main__":
    main(JOB)
