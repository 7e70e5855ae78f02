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

    from numpy.typing import NDArray
    from pyspark.sql import DataFrame

    from jobs.moments.moment import Moment, Variable

DAYS = 28
OWN = {name: name for name in ("date", "session_id", "listener_id", "known_ts", "day_type", "device", "mean_energy")}
OWN |= {"daypart": daypart("local_hour"), "weather": "coalesce(weather, 'unknown')", "minutes": VARIABLES["minutes"].sql}
LEARNT = 400  # sessions of a date that are learnt from, at most: those whose hash is lowest


def session_moments(sessions: DataFrame, weather: DataFrame, *, dates: tuple[date, ...]) -> DataFrame:
    """Name the moment of each session of the dates."""
    return inferred(sessions, weather, tuple(MOMENTS), tuple(VARIABLES.values()), dates=dates)


def inferred(
    sessions: DataFrame, weather: DataFrame, moments: Sequence[Moment], variables: Sequence[Variable], *, dates: tuple[date, ...]
) -> DataFrame:
    """Learn a mixture of these moments over these variables for each date, and give each session its most probable moment."""
    placed = typed(sessions, dates[0] - timedelta(days=DAYS - 1), dates[-1]).withColumn("hour", F.date_trunc("hour", "started_ts"))
    told = placed.join(F.broadcast(forecasts(weather)), ["place", "hour"], "left")
    binned = told.selectExpr(*(f"{sql} AS {name}" for name, sql in OWN.items()), *(f"{v.bin} AS {v.name}_bin" for v in variables))
    rows = [(day, one.states.tolist(), one.bins.tolist()) for day, one in learnt(binned, moments, variables, dates)]
    models = sessions.sparkSession.createDataFrame(rows, "date DATE, states ARRAY<DOUBLE>, bins ARRAY<ARRAY<DOUBLE>>")
    first = np.cumsum([1, *(v.size for v in variables)]).tolist()
    likely = [
        " + ".join((f"states[{k}]", *(f"coalesce(try_element_at(bins, CAST({v.name}_bin + {n} AS INT))[{k}], 0D)" for v, n in known)))
        for k, known in ((k, list(zip(variables, first, strict=False))) for k in range(len(moments)))
    ]
    scored = (
        binned.where(F.col("date").isin(*dates))
        .join(F.broadcast(models), "date", "inner")
        .selectExpr(*OWN, f"array({', '.join(likely)}) AS likely")
    )
    names = ", ".join(f"'{moment.name}'" for moment in moments)
    return scored.selectExpr(
        *OWN,
        f"element_at(array({names}), CAST(array_position(likely, array_max(likely)) AS INT)) AS moment",
        "round(1 / aggregate(likely, 0D, (sum, one) -> sum + exp(one - array_max(likely))), 4) AS probability",
    )


def learnt(
    binned: DataFrame, moments: Sequence[Moment], variables: Sequence[Variable], dates: tuple[date, ...]
) -> Iterator[tuple[date, Mixture]]:
    """Yield each date's model; the driver sees bins of sessions, not whose they are."""
    names = [f"{variable.name}_bin" for variable in variables]
    bins = F.array(*(F.coalesce(name, F.lit(-1)).cast("bigint") for name in names))
    several = binned.groupBy("date", F.to_date("known_ts").alias("known_date")).agg(
        F.min_by(bins, F.xxhash64("session_id"), LEARNT).alias("sample"), F.count("*").alias("size")
    )
    groups = sorted(several.collect(), key=lambda row: (row["date"], row["known_date"]))
    for day in dates:
        mine = [row for row in groups if row["date"] <= day < row["date"] + timedelta(days=DAYS) and row["known_date"] <= day]
        samples = [np.array(row["sample"], dtype=np.int64).reshape(-1, len(names)) for row in mine]
        weights: list[NDArray[np.float64]] = [np.full(len(one), row["size"] / len(one)) for row, one in zip(mine, samples, strict=True)]
        empty = np.empty((0, len(names)), dtype=np.int64)
        yield day, fit(np.concatenate([empty, *samples]), np.concatenate([np.empty(0), *weights]), variables, moments)


JOB = Job((Read(SESSIONS, back=DAYS - 1), Read(WEATHER, back=DAYS - 1)), SESSION_MOMENTS, session_moments, rewrites=(-1, 0), args=CALENDAR)

if __name__ == "__main__":
    main(JOB)
