"""Clusters of consenting listeners: k-means over standardised features, the best of several seeds, each told in words."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from pyspark import inheritable_thread_target
from pyspark.ml.clustering import KMeans, KMeansModel
from pyspark.ml.feature import Imputer, StandardScaler, VectorAssembler
from pyspark.sql import functions as F

from jobs.contracts.delivery import CLUSTER_PROFILES, CLUSTERS
from jobs.contracts.derived import USER_FEATURES
from jobs.contracts.silver import SILVER_LISTENERS
from jobs.features import USER
from jobs.features.rhythm import DAYPARTS, DEVICE_GROUPS
from jobs.features.taste import SLUGS
from jobs.run import NOTHING, PUBLISHED, Job, Outcome, Read, run
from validation.gates.release import GRAIN

if TYPE_CHECKING:
    from datetime import date

    from pyspark.sql import DataFrame

    from jobs.lake.spark import SparkLake

MOST = 8
EACH = 100  # listeners a cluster should have on average, or there are fewer clusters
FEWEST = 30  # listeners below which nothing is clustered
SEEDS = (1, 2, 3)
PER_PARTITION = 500_000
LEARNT = 25_000  # listeners, about, that centres are learnt from: more would move them by less than another seed does
FEATURES = (
    *("hours_28d", "active_days_28d", "skip_rate_28d", "session_minutes_28d", "episode_share_28d", "intent_share_28d", "likes_28d"),
    *(f"share_{name}_28d" for name in SLUGS.values()),
    *("mean_energy_28d", "mean_valence_28d", "mean_acousticness_28d"),
    *(f"{name}_share_28d" for name in (*DAYPARTS, "weekend", *DEVICE_GROUPS)),
)
MEANING = {feature.name: feature.meaning.rsplit(",", 1)[0] for feature in USER}
NOTABLE = 0.35  # standard deviations from everybody's mean that are worth a word


def cluster(lake: SparkLake, day: date) -> Outcome:
    """Cluster a date's consenting listeners and describe each cluster."""
    assigned, told = run(ASSIGN, lake, [day]), run(DESCRIBE, lake, [day])
    state = PUBLISHED if PUBLISHED in (assigned.state, told.state) else NOTHING
    sentence = assigned.sentence
    if assigned.state == PUBLISHED and not assigned.rows:
        sentence = f"{CLUSTERS.name}: nobody was clustered, fewer than {FEWEST} listeners of {day} agreed to advertising"
    return Outcome(CLUSTERS.name, state, assigned.dates, assigned.rows, version=assigned.version, sentence=sentence)


def clusters(features: DataFrame, listeners: DataFrame, *, dates: tuple[date, ...]) -> DataFrame:
    """Assign every consenting listener of each date to a cluster; c1 is the largest."""
    allowed = listeners.where("ads_allowed").select("date", "listener_id")
    mine = features.join(allowed, ["date", "listener_id"], "left_semi")
    parts = [_of_date(mine.where(F.col("date") == day), day) for day in dates]
    return _union(parts)


def profiles(assigned: DataFrame, features: DataFrame, *, dates: tuple[date, ...]) -> DataFrame:
    """Compare each cluster's mean of each feature with everybody's, in standard deviations, and name what stands out.

    A cluster of fewer than `GRAIN` listeners has no profile: it would be a description of people.
    """
    joined = assigned.where(F.col("date").isin(*dates)).join(features, ["date", "listener_id"], "inner")
    stack = ", ".join(f"'{name}', CAST({name} AS DOUBLE)" for name in FEATURES)
    long = joined.selectExpr("date", "cluster", f"stack({len(FEATURES)}, {stack}) AS (feature, value)").where("value IS NOT NULL")
    whole = long.groupBy("date", "feature").agg(F.avg("value").alias("all_mean"), F.stddev_pop("value").alias("all_sd"))
    sizes = joined.groupBy("date", "cluster").agg(F.count("*").alias("listeners")).where(F.col("listeners") >= GRAIN)
    each = long.groupBy("date", "cluster", "feature").agg(F.avg("value").alias("mean")).join(whole, ["date", "feature"], "inner")
    z = F.coalesce(F.try_divide(F.col("mean") - F.col("all_mean"), F.col("all_sd")), F.lit(0.0)).alias("z")
    found = each.select("date", "cluster", "feature", "mean", z)
    words = F.create_map(*(F.lit(part) for name in FEATURES for part in (name, MEANING[name])))
    ranked = F.sort_array(F.collect_list(F.struct((-F.abs("z")).alias("rank"), "z", words[F.col("feature")].alias("words"))))
    said = F.transform(
        F.filter(F.slice(ranked, 1, 3), lambda one: F.abs(one["z"]) >= NOTABLE),
        lambda one: F.concat(F.when(one["z"] > 0, "more: ").otherwise("less: "), one["words"]),
    )
    label = F.when(F.size(said) > 0, F.concat_ws("; ", said)).otherwise("close to everybody's average")
    labels = found.groupBy("date", "cluster").agg(label.alias("label"))
    return found.join(labels, ["date", "cluster"], "inner").join(sizes, ["date", "cluster"], "inner")


def _of_date(features: DataFrame, day: date) -> DataFrame:
    """Cluster one date; independent of how its rows were partitioned, since they are put in order first.

    Centres are learnt from a share of many listeners. A pseudonym is a keyed hash: those that begin low are drawn by chance.
    """
    rows = features.count()
    empty = features.where(F.lit(False)).select("date", "listener_id", F.lit("").alias("cluster"))  # noqa: FBT003
    if rows < FEWEST:
        return empty
    numbers = [F.col(name).cast("double").alias(name) for name in FEATURES]
    ordered = (
        features.select("listener_id", *numbers)
        .repartitionByRange(rows // PER_PARTITION + 1, "listener_id")
        .sortWithinPartitions("listener_id")
        .cache()
    )
    known = [name for name, n in ordered.select(*(F.count(name).alias(name) for name in FEATURES)).first().asDict().items() if n]  # type: ignore[union-attr]
    filled = Imputer(inputCols=known, outputCols=[f"{name}_filled" for name in known]).fit(ordered).transform(ordered)
    raw = VectorAssembler(inputCols=[f"{name}_filled" for name in known], outputCol="raw").transform(filled)
    points = (
        StandardScaler(inputCol="raw", outputCol="features", withMean=True)
        .fit(raw)
        .transform(raw)
        .select("listener_id", "features")
        .cache()
    )
    k = max(2, min(MOST, rows // EACH))
    some = points if rows <= LEARNT else points.where(F.col("listener_id") < f"{LEARNT * 16**8 // rows:08x}").cache()
    # Seeds are tried side by side: an iteration is a small job that waits on the driver more than it computes.
    threaded = inheritable_thread_target(features.sparkSession)
    with ThreadPoolExecutor(len(SEEDS)) as pool:
        fits: list[KMeansModel] = list(pool.map(threaded(lambda seed: KMeans(k=k, seed=seed, maxIter=30).fit(some)), SEEDS))
    best = min(fits, key=lambda fit: fit.summary.trainingCost)
    assigned = best.transform(points).select("listener_id", "prediction")
    sizes = {row["prediction"]: row["n"] for row in assigned.groupBy("prediction").agg(F.count("*").alias("n")).collect()}
    ranked = sorted(range(k), key=lambda number: (-sizes.get(number, 0), number))
    names = F.create_map(*(F.lit(part) for rank, number in enumerate(ranked, 1) for part in (number, f"c{rank}")))
    return assigned.select(F.lit(day).alias("date"), "listener_id", names[F.col("prediction")].alias("cluster"))


def _union(parts: list[DataFrame]) -> DataFrame:
    whole = parts[0]
    for part in parts[1:]:
        whole = whole.unionByName(part)
    return whole


ASSIGN = Job((Read(USER_FEATURES), Read(SILVER_LISTENERS)), CLUSTERS, clusters)
DESCRIBE = Job((Read(CLUSTERS), Read(USER_FEATURES)), CLUSTER_PROFILES, profiles)
