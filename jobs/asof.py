"""The point-in-time join: rows with what was known of each at its own moment, by two clocks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyspark.sql import Window
from pyspark.sql import functions as F

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql import DataFrame


@dataclass(frozen=True)
class Facts:
    """What there is to know: `values` of the frame's rows, each of which holds from `happened` on and was known from `known` on (SQL)."""

    frame: DataFrame
    by: Sequence[str]
    happened: str
    known: str
    values: Sequence[str]


def as_of(rows: DataFrame, facts: Facts, *, at: str, within: str = "") -> DataFrame:
    """Return every row with the values of the newest fact of the same `by` that had happened and was known at the row's moment `at`.

    The newest is the one that happened last, of equal ones that which was known last. `within` (an SQL interval) leaves the values null
    where the newest is older than that. A fact counts from the moment on that it has both happened and is known, so one sort by moment
    and one running maximum find it: nothing is joined, and no row is doubled or lost.
    """
    keys = [F.col(name).alias(f"key_{n}") for n, name in enumerate(facts.by)]
    names = [f"key_{n}" for n in range(len(keys))]
    told = F.struct(F.expr(facts.happened).alias("happened"), F.expr(facts.known).alias("known"), *facts.values).alias("fact")
    there = facts.frame.select(*keys, told).where(" AND ".join(f"{name} IS NOT NULL" for name in names))
    moments = there.select(*names, F.expr("greatest(fact.happened, fact.known)").alias("moment"), "fact")
    asking = rows.select(*keys, F.expr(at).alias("moment"), F.struct(*(rows[f"`{name}`"] for name in rows.columns)).alias("row"))
    # Of one moment facts come first: what is known at the moment itself counts.
    earlier = Window.partitionBy(*names).orderBy("moment", F.col("row").isNotNull()).rowsBetween(Window.unboundedPreceding, 0)
    both = asking.unionByName(moments, allowMissingColumns=True).withColumn("fact", F.max("fact").over(earlier))
    young = f"fact.happened >= moment - {within}" if within else "true"
    found = [F.expr(f"CASE WHEN {young} THEN fact.{name} END AS {name}") for name in facts.values]
    return both.where("row IS NOT NULL").select("row.*", *found)
