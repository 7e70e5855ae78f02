"""features.session_moments: one session with the moment that it most probably is, by when, where, on what and to what one listened.

spark-submit jobs/session_moments.py --date 2026-11-01 --lake ./build/lake

A date's model is learnt from a share of the sessions of the 28 days that end with it, as known by its end.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
from pyspark.sql import functions as F

from jobs.aggregate import forecasts
from jobs.assign import daypart
from jobs.contracts.context import SESSION_MOMENTS
from jobs.contracts.events import WEATHER
from jobs.contracts.silver import SESSIONS
from jobs.day_types import CALENDAR, typed
from jobs.mixture import Mixture, fit
from jobs.moments import MOMENTS
from jobs.moments.moment import VARIABLES
from jobs.run import Job, Read, main

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import date

    from pyspark.sql import DataFrame

    from jobs.moments.moment import Moment, Variable

DAYS = 28
OWN = {name: name for name in ("date", "session_id", "listener_id", "known_ts", "day_type", "device", "place", "mean_energy")}
OWN |= {"daypart": daypart("local_hour"), "weather": "coalesce(weather, 'unknown')", "minutes": VARIABLES["minutes"].sql}
LEARNT = 400  # sessions of a date that are learnt from, at most: those whose hash is lowest


def session_moments(sessions: DataFrame, weather: DataFrame, *, dates: tuple[date, ...]) -> DataFrame:
    """Name the moment of each session of the dates."""
    return inferred(sessions, weather, tuple(MOMENTS), tuple(VARIABLES.values()), dates=dates)


def inferred(
    sessions: DataFrame, weather: DataFrame, moments: Sequence[Moment], variables: Sequence[Variable], *, dates: tuple[date, ...]
) -> DataFrame:
    """Learn a mixture of these moments over these variables for each date, and give each session its most probable moment."""
    sample = binned(sampled(sessions), weather, variables, ("known_date", "weight", "hash"), dates)
    rows = [(day, one.states.tolist(), one.bins.tolist()) for day, one in learnt(sample, moments, variables, dates)]
    models = sessions.sparkSession.createDataFrame(rows, "date DATE, states ARRAY<DOUBLE>, bins ARRAY<ARRAY<DOUBLE>>")
    asked = binned(sessions.where(F.col("date").isin(*dates)), weather, variables, (), dates)
    first = np.cumsum([1, *(v.size for v in variables)]).tolist()
    likely = [
        " + ".join((f"states[{k}]", *(f"coalesce(try_element_at(bins, CAST({v.name}_bin + {n} AS INT))[{k}], 0D)" for v, n in known)))
        for k, known in ((k, list(zip(variables, first, strict=False))) for k in range(len(moments)))
    ]
    scored = asked.join(F.broadcast(models), "date", "inner").selectExpr(*OWN, f"array({', '.join(likely)}) AS likely")
    names = ", ".join(f"'{moment.name}'" for moment in moments)
    return scored.selectExpr(
        *OWN,
        f"element_at(array({names}), CAST(array_position(likely, array_max(likely)) AS INT)) AS moment",
        "round(1 / aggregate(likely, 0D, (sum, one) -> sum + exp(one - array_max(likely))), 4) AS probability",
    )


def sampled(sessions: DataFrame) -> DataFrame:
    """Return a few sessions of each date and date of becoming known, each with how many it stands for."""
    rows = F.struct(*sessions.columns)
    known, order = F.to_date("known_ts").alias("known_date"), F.xxhash64("session_id")
    several = sessions.groupBy(F.col("date").alias("day"), known).agg(
        F.min_by(rows, order, LEARNT).alias("sample"), F.count("*").alias("n")
    )
    return several.selectExpr("known_date", "n / size(sample) AS weight", "inline(sample)").select("*", order.alias("hash"))


def binned(
    sessions: DataFrame, weather: DataFrame, variables: Sequence[Variable], more: tuple[str, ...], dates: tuple[date, ...]
) -> DataFrame:
    """Put each session's variables into bins, null where one is not known, beside its context and the columns `more`."""
    placed = typed(sessions, dates[0] - timedelta(days=DAYS - 1), dates[-1]).withColumn("hour", F.date_trunc("hour", "started_ts"))
    told = placed.join(F.broadcast(forecasts(weather)), ["place", "hour"], "left")
    return told.selectExpr(*more, *(f"{sql} AS {name}" for name, sql in OWN.items()), *(f"{v.bin} AS {v.name}_bin" for v in variables))


def learnt(
    sample: DataFrame, moments: Sequence[Moment], variables: Sequence[Variable], dates: tuple[date, ...]
) -> Iterator[tuple[date, Mixture]]:
    """Yield each date's model; the driver sees bins of sessions, not whose they are."""
    names = [f"{variable.name}_bin" for variable in variables]
    rows = sample.select(
        "date", "known_date", "hash", "weight", *(F.coalesce(name, F.lit(-1)).cast("bigint").alias(name) for name in names)
    )
    # In an order of its own: sums of fractions depend on it.
    found = sorted(rows.collect(), key=lambda row: row[:3])
    bins = np.array([row[4:] for row in found], dtype=np.int64).reshape(-1, len(names))
    weights = np.array([row["weight"] for row in found], dtype=np.float64)
    for day in dates:
        near = [row["date"] <= day < row["date"] + timedelta(days=DAYS) and row["known_date"] <= day for row in found]
        mine = np.array(near, dtype=bool)
        yield day, fit(bins[mine], weights[mine], variables, moments)


JOB = Job((Read(SESSIONS, back=DAYS - 1), Read(WEATHER, back=DAYS - 1)), SESSION_MOMENTS, session_moments, rewrites=(-1, 0), args=CALENDAR)

if __name__ == "__main__":
    main(JOB)
