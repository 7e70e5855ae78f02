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
TWO_WEEKS_ON = f"now.told = date_add(then.told, {2 * STEP})"
Z2 = 1.959964**2
TO = (*RUNGS, GONE)
NAMES = "array({})".format(", ".join(f"'{rung}'" for rung in RUNGS))
PLACE = f"array_position({NAMES}, rung) - 1"
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
    there = ladder.select(F.col("date").alias("told")).distinct()
    asked = there.where(F.col("told").isin(*dates)).alias("now").join(there.alias("then"), F.expr(TWO_WEEKS_ON), "left")
    weeks = f"CASE WHEN known THEN array({ANY}, CASE WHEN from_rung <=> rung_before THEN 2 ELSE 1 END) ELSE array({ANY}) END"
    ways = (
        _pairs(ladder, dates)
        .where(f"from_rung > {RUNGS.index('unknown')}")
        .join(F.broadcast(asked.selectExpr("now.told AS date", "then.told IS NOT NULL AS known")), "date")
        .na.fill(TO.index(GONE), ["to_rung"])
        .selectExpr("*", f"explode({weeks}) AS weeks")
    )
    mine = ways.groupBy("date", "from_rung", "weeks", "listener_id").agg(
        F.count("*").alias("n"), *(F.count_if(F.col("to_rung") == n).alias(to) for n, to in enumerate(TO))
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
        "date",
        f"element_at({NAMES}, CAST(from_rung + 1 AS INT)) AS from_rung",
        *("weeks", "to_rung"),
        f"n DIV {GRAIN} * {GRAIN} AS at_risk",
        f"x DIV {GRAIN} * {GRAIN} AS moved",
        "hazard",
        f"least(greatest(({middle} - {half}) / (1 + {Z2} / m), 0), hazard) AS low",
        f"greatest(least(({middle} + {half}) / (1 + {Z2} / m), 1), hazard) AS high",
    ).select(*FAN_TRANSITIONS.names)


def _pairs(ladder: DataFrame, dates: tuple[date, ...]) -> DataFrame:
    """Return on which rung each pair of a listener and an artist stands at each date, a week and two weeks before it; null for none.

    Rungs go by their places, which group faster than words. Each row tells of its own date and of two that follow, and one grouping lays
    the three together: joined, a ladder that is small on disk would be sent to everybody and fit into no memory.
    """
    times = F.explode(F.array(*(F.struct(F.date_add("date", n * STEP).alias("date"), F.lit(n).alias("ago")) for n in range(3))))
    stands = ladder.select("listener_id", "artist_id", "rung", times.alias("at")).select("at.*", "listener_id", "artist_id", "rung")
    names = ("to_rung", "from_rung", "rung_before")
    rungs = [F.expr(f"max(CASE WHEN ago = {n} THEN {PLACE} END) AS {name}") for n, name in enumerate(names)]
    return stands.where(F.col("date").isin(*dates)).groupBy("date", "listener_id", "artist_id").agg(*rungs)


JOB = Job((Read(FAN_LADDER, back=2 * STEP),), FAN_TRANSITIONS, fan_transitions)

if __name__ == "__main__":
    main(JOB)
