"""features.fan_transitions: one way from a rung a week ago to a rung now, by how long one had stood there, and how likely it is.

spark-submit jobs/fan_transitions.py --date 2026-11-08 --lake ./build/lake
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from jobs.contracts.fans import ANY, FAN_LADDER, FAN_TRANSITIONS, GONE, RUNGS
from jobs.run import Job, Read, main
from validation.gates.release import GRAIN

if TYPE_CHECKING:
    from datetime import date

    from pyspark.sql import DataFrame

STEP = 7  # days
PAIR = ("date", "listener_id", "artist_id")
Z2 = 1.959964**2
TO = (*RUNGS, GONE)
SPREAD = "(xx - 2 * hazard * xn + hazard * hazard * nn)"
# How much wider the interval is because a listener's artists move together: against pairs that all went their own way.
# Where nobody moves, or everybody does, as if each listener's moved as one.
EFFECT = f"CASE WHEN hazard > 0 AND hazard < 1 THEN greatest({SPREAD} / (hazard * (1 - hazard) * n), 1) ELSE nn / n END"


def fan_transitions(ladder: DataFrame, *, dates: tuple[date, ...]) -> DataFrame:
    """Estimate the discrete-time hazard of each way off a rung (or of staying) over the week that ends with each date.

    Of all who stood there, and by how long they had, where the ladder of two weeks ago is there to tell. A hazard is a share of pairs at
    risk; its interval is Wilson's, with as many pairs as there would be if no two shared a listener: the ratio estimator's variance over
    listeners says how many that is (Cochran, Sampling Techniques, 1977, section 6).
    """
    pairs = ladder.select("date", "listener_id", "artist_id", "rung")
    now = pairs.where(F.col("date").isin(*dates)).withColumnRenamed("rung", "to_rung")
    there = pairs.select("date").distinct()
    known = there.where(F.col("date").isin(*dates))
    stood = _earlier(pairs, STEP).where("rung <> 'unknown'").withColumnRenamed("rung", "from_rung")
    longer = _earlier(pairs, 2 * STEP).select(*PAIR, F.col("rung").alias("from_rung"), F.lit(2).alias("longer"))
    told = there.select(F.date_add("date", 2 * STEP).alias("date"), F.lit(1).alias("least"))
    ways = (
        stood.join(F.broadcast(known), "date", "left_semi")
        .join(now, [*PAIR], "left")
        .na.fill(GONE, ["to_rung"])
        .join(longer, [*PAIR, "from_rung"], "left")
        .join(F.broadcast(told), "date", "left")
        .selectExpr("*", f"explode(CASE WHEN least = 1 THEN array({ANY}, coalesce(longer, 1)) ELSE array({ANY}) END) AS weeks")
    )
    mine = ways.groupBy("date", "from_rung", "weeks", "listener_id").agg(
        F.count("*").alias("n"), *(F.count_if(F.col("to_rung") == to).alias(to) for to in TO)
    )
    stack = ", ".join(f"'{to}', {to}" for to in TO)
    sums = (
        mine.selectExpr("date", "from_rung", "weeks", "n", f"stack({len(TO)}, {stack}) AS (to_rung, x)")
        .groupBy("date", "from_rung", "weeks", "to_rung")
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
        *("date", "from_rung", "weeks", "to_rung"),
        f"n DIV {GRAIN} * {GRAIN} AS at_risk",
        f"x DIV {GRAIN} * {GRAIN} AS moved",
        "hazard",
        f"least(greatest(({middle} - {half}) / (1 + {Z2} / m), 0), hazard) AS low",
        f"greatest(least(({middle} + {half}) / (1 + {Z2} / m), 1), hazard) AS high",
    ).select(*FAN_TRANSITIONS.names)


def _earlier(pairs: DataFrame, days: int) -> DataFrame:
    """Return where pairs stood so many days before each date."""
    return pairs.select(F.date_add("date", days).alias("date"), *PAIR[1:], "rung")


JOB = Job((Read(FAN_LADDER, back=2 * STEP),), FAN_TRANSITIONS, fan_transitions)

if __name__ == "__main__":
    main(JOB)
