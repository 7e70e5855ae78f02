"""When an audience listens: the moments of its members' sessions over the last 28 days, beside everybody's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from jobs.aggregate import each_date
from jobs.contracts.context import MOMENT_FEATURES, SESSION_MOMENTS
from jobs.contracts.delivery import AUDIENCE_MOMENTS, MEMBERS
from jobs.run import Job, Read
from validation.gates.release import GRAIN

if TYPE_CHECKING:
    from datetime import date

    from pyspark.sql import DataFrame

DAYS = 28


def habits(members: DataFrame, moments: DataFrame, usual: DataFrame, *, dates: tuple[date, ...]) -> DataFrame:
    """Return the share of each moment in an audience's sessions; a moment of fewer than ten members is not told."""
    known = F.greatest("date", F.to_date("known_ts"))
    recent = moments.select("listener_id", "moment", each_date(dates, first=known, last=F.date_add("date", DAYS - 1)).alias("date"))
    mine = members.select("date", "audience", "listener_id").join(recent, ["date", "listener_id"], "inner")
    counted = mine.groupBy("date", "audience", "moment").agg(
        F.count("*").alias("sessions"), F.countDistinct("listener_id").alias("members")
    )
    shares = counted.selectExpr("*", "round(sessions / sum(sessions) OVER (PARTITION BY date, audience), 3) AS share")
    everyone = usual.select("date", "moment", F.col("share").alias("everyone"))
    told = shares.where(F.col("members") >= GRAIN).join(everyone, ["date", "moment"], "left")
    return told.select("date", "audience", "moment", "share", "everyone")


JOB = Job((Read(MEMBERS), Read(SESSION_MOMENTS, back=DAYS - 1), Read(MOMENT_FEATURES)), AUDIENCE_MOMENTS, habits)
