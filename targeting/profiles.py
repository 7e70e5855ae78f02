"""What sets each cluster apart: its means against everybody's, the lift with its interval, a label and a name."""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from jobs.contracts.delivery import CLUSTER_PROFILES, CLUSTERS
from jobs.contracts.derived import USER_FEATURES
from jobs.features import USER
from jobs.run import Job, Read
from targeting.naming import FEATURES, NOTABLE, Compared, names
from validation.gates.release import GRAIN

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pyspark.sql import DataFrame

    from jobs.console import Dates

MEANING = {feature.name: feature.meaning.rsplit(",", 1)[0] for feature in USER}
SAID = 3  # features of a label
NORMAL = 1.96  # standard errors on either side of a 95 % interval
MEMBERS = "listeners"  # stands for a feature that everybody has: its count is the cluster's size

Moments = tuple[int, float, float]  # of known values: how many, their mean, their variance (divided by the number)


def profiles(assigned: DataFrame, features: DataFrame, *, dates: Dates) -> DataFrame:
    """Compare each cluster's mean of each feature with everybody's, and name what stands out.

    A cluster of fewer than `GRAIN` listeners has no profile: it would be a description of people.
    """
    joined = assigned.where(F.col("date").isin(*dates)).join(features, ["date", "listener_id"], "inner")
    stack = ", ".join(f"'{name}', CAST({name} AS DOUBLE)" for name in FEATURES)
    long = joined.selectExpr("date", "cluster", f"stack({len(FEATURES) + 1}, {stack}, '{MEMBERS}', 1D) AS (feature, value)")
    known = long.where("value IS NOT NULL").groupBy("date", "cluster", "feature")
    rows = known.agg(F.count("*").alias("n"), F.avg("value").alias("mean"), F.var_pop("value").alias("variance")).collect()
    held: dict[Any, dict[str, dict[str, Moments]]] = defaultdict(lambda: defaultdict(dict))
    for row in rows:
        held[row["date"]][row["cluster"]][row["feature"]] = (row["n"], row["mean"], row["variance"])
    told = [{"date": day, **row} for day in sorted(held) for row in described(held[day])]
    return assigned.sparkSession.createDataFrame(
        [tuple(row[name] for name in CLUSTER_PROFILES.names) for row in told], CLUSTER_PROFILES.ddl
    )


def described(clusters: Mapping[str, Mapping[str, Moments]]) -> list[dict[str, Any]]:
    """Return the rows of a date's clusters from the moments of each feature, all clusters' together being everybody's."""
    whole = {name: pooled([one[name] for one in clusters.values() if name in one]) for name in FEATURES}
    told = {cluster: one for cluster, one in sorted(clusters.items()) if one[MEMBERS][0] >= GRAIN}
    found = {cluster: [compared(name, one[name], whole[name]) for name in FEATURES if name in one] for cluster, one in told.items()}
    called = names(found)
    return [
        {
            "cluster": cluster,
            "name": called[cluster],
            "label": label(found[cluster]),
            "listeners": one[MEMBERS][0],
            "feature": each.feature,
            "mean": one[each.feature][1],
            "z": each.z,
            "lift": each.lift,
            "lift_low": each.low,
            "lift_high": each.high,
        }
        for cluster, one in told.items()
        for each in found[cluster]
    ]


def compared(feature: str, own: Moments, whole: Moments) -> Compared:
    """Compare a cluster's mean with everybody's, of whom it is a part.

    The lift is `m / (w m + (1 - w) r)`, w being the cluster's part of the listeners, m its mean and r that of the rest, which are
    independent: its standard error is the delta method's.
    """
    n, mean, variance = own
    total, all_mean, all_variance = whole
    z = (mean - all_mean) / math.sqrt(all_variance) if all_variance > 0 else 0.0
    if all_mean <= 0:
        return Compared(feature, z)
    rest = total - n
    rest_mean = (total * all_mean - n * mean) / rest if rest else 0.0
    outside = total * (all_variance + all_mean**2) - n * (variance + mean**2)
    rest_variance = max(outside / rest - rest_mean**2, 0.0) if rest else 0.0
    part, lift = n / total, mean / all_mean
    error = _squared_error(variance, n) * (1 - part * lift) ** 2 + (_squared_error(rest_variance, rest) * ((1 - part) * lift) ** 2)
    around = NORMAL * math.sqrt(error) / all_mean
    return Compared(feature, z, lift, max(lift - around, 0.0), lift + around)


def _squared_error(variance: float, n: int) -> float:
    return variance / (n - 1) if n > 1 else 0.0


def pooled(parts: Sequence[Moments]) -> Moments:
    """Return the moments of several groups together."""
    n = sum(part[0] for part in parts)
    mean = sum(part[0] * part[1] for part in parts) / n if n else 0.0
    return n, mean, sum(part[0] * (part[2] + (part[1] - mean) ** 2) for part in parts) / n if n else 0.0


def label(found: Sequence[Compared]) -> str:
    """Return the features that stand out most, with their direction."""
    strongest = sorted(found, key=lambda one: (-abs(one.z), -one.z, MEANING[one.feature]))[:SAID]
    said = [f"{'more' if one.z > 0 else 'less'}: {MEANING[one.feature]}" for one in strongest if abs(one.z) >= NOTABLE]
    return "; ".join(said) or "close to everybody's average"


DESCRIBE = Job((Read(CLUSTERS), Read(USER_FEATURES)), CLUSTER_PROFILES, profiles)
