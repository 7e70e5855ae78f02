"""features.fan_transitions: one way from a rung a week ago to a rung now, and how likely a listener goes it with an artist in a week.

spark-submit jobs/fan_transitions.py --date 2026-11-08 --lake ./build/lake
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from jobs.contracts.fans import FAN_LADDER, FAN_TRANSITIONS, GONE, RUNGS
from jobs.run import Job, Read, main
from validation.gates.release import GRAIN

if TYPE_CHECKING:
    from datetime import date

    from pyspark.sql import DataFrame

STEP = 7  # days
Z2 = 1.959964**2
TO = (*RUNGS, GONE)
SPREAD = "(xx - 2 * hazard * xn + hazard * hazard * nn)"
# How much wider the interval is because a listener's artists move together: against pairs that all went their own way.
# Where nobody moves, or everybody does, as if each listener's moved as one.
EFFECT = f"CASE WHEN hazard > 0 AND hazard < 1 THEN greatest({SPREAD} / (hazard * (1 - hazard) * n), 1) ELSE nn / n END"


def fan_transitions(ladder: DataFrame, *, dates: tuple[date, ...]) -> DataFrame:
    """Estimate the discrete-time hazard of each way off a rung (or of staying) over the week that ends with each date.

    It is a share of pairs at risk; its interval is Wilson's, with as many pairs as there would be if no two shared a listener: the ratio
    estimator's variance over listeners says how many that is (Cochran, Sampling Techniques, 1977, section 6).
    """
    pairs = ladder.select("date", "listener_id", "artist_id", "rung")
    now = pairs.where(F.col("date").isin(*dates)).withColumnRenamed("rung", "to_rung")
    known = pairs.select("date").distinct().where(F.col("date").isin(*dates))
    before = pairs.where("rung <> 'unknown'").select(
        F.date_add("date", STEP).alias("date"), "listener_id", "artist_id", F.col("rung").alias("from_rung")
    )
    ways = (
        before.join(F.broadcast(known), "date", "left_semi")
        .join(now, ["date", "listener_id", "artist_id"], "left")
        .na.fill(GONE, ["to_rung"])
    )
    mine = ways.groupBy("date", "from_rung", "listener_id").agg(
        F.count("*").alias("n"), *(F.count_if(F.col("to_rung") == to).alias(to) for to in TO)
    )
    stack = ", ".join(f"'{to}', {to}" for to in TO)
    sums = (
        mine.selectExpr("date", "from_rung", "n", f"stack({len(TO)}, {stack}) AS (to_rung, x)")
        .groupBy("date", "from_rung", "to_rung")
        .agg(
            F.count("*").alias("listeners"),
            F.sum("n").alias("n"),
            F.sum("x").alias("x"),
            *(F.expr(f"sum(CAST({a} * {b} AS DOUBLE)) AS {a}{b}") for a, b in ("xx", "xn", "nn")),
        )
        .where(F.col("listeners") >= GRAIN)
    )
    sized = sums.selectExpr("*", "x / n AS hazard").selectExpr("*", f"n / ({EFFECT}) AS m")
    middle, half = f"(hazard + {Z2} / (2 * m))", f"sqrt({Z2} * (hazard * (1 - hazard) / m + {Z2} / (4 * m * m)))"
    return sized.selectExpr(
        *("date", "from_rung", "to_rung"),
        f"n DIV {GRAIN} * {GRAIN} AS at_risk",
        f"x DIV {GRAIN} * {GRAIN} AS moved",
        "hazard",
        f"least(greatest(({middle} - {half}) / (1 + {Z2} / m), 0), hazard) AS low",
        f"greatest(least(({middle} + {half}) / (1 + {Z2} / m), 1), hazard) AS high",
    ).select(*FAN_TRANSITIONS.names)


JOB = Job((Read(FAN_LADDER, back=STEP),), FAN_TRANSITIONS, fan_transitions)

if __name__ == "__main__":
    main(JOB)
