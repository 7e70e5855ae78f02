"""Clusters of consenting listeners: those of the last date before, learnt on; who is in which, and what became of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from jobs.contracts.delivery import CLUSTER_MODELS, CLUSTERS, LINEAGE
from jobs.contracts.derived import USER_FEATURES
from jobs.contracts.silver import SILVER_LISTENERS
from jobs.run import NOTHING, PUBLISHED, Job, Outcome, Read, run
from targeting.binding import news
from targeting.naming import FEATURES
from targeting.profiles import DESCRIBE

if TYPE_CHECKING:
    from datetime import date

    from pyspark.sql import DataFrame

    from jobs.console import Dates
    from jobs.lake.spark import SparkLake
    from targeting.refresh import Model, Sample

MOST = 8
EACH = 100  # listeners a cluster should have on average, or there are fewer clusters
FEWEST = 30  # listeners below which nothing is clustered
LEARNT = 25_000  # listeners, about, that centres are learnt from: more would move them by less than another seed does
THERE = ("survived", "kept")  # events of clusters that the date before had too
SURE = 0.1  # margin above which a listener is surely nearer to another cluster


def cluster(lake: SparkLake, day: date) -> Outcome:
    """Bring a date's clusters up to date: learn them, assign listeners, record what happened, describe each."""
    learnt, assigned, recorded, told = (run(job, lake, [day]) for job in JOBS)
    state = PUBLISHED if PUBLISHED in (one.state for one in (learnt, assigned, recorded, told)) else NOTHING
    words = assigned.sentence
    if assigned.state == PUBLISHED and not assigned.rows:
        words = f"{CLUSTERS.name}: nobody was clustered, fewer than {FEWEST} listeners of {day} agreed to advertising"
    elif state == PUBLISHED:
        words = "; ".join((words, *news(lake.arrow.read(LINEAGE, [day]).to_pylist())))
    return Outcome(CLUSTERS.name, state, assigned.dates, assigned.rows, version=assigned.version, sentence=words)


def models(features: DataFrame, listeners: DataFrame, earlier: DataFrame, assigned: DataFrame, *, dates: Dates) -> DataFrame:
    """Learn a date's clusters from those of the last date before: its model, and the listeners `assigned` by it."""
    from targeting.refresh import Model, refresh

    (day,) = dates
    mine = _consenting(features, listeners, day)
    people = mine.count()
    rows: list[dict[str, Any]] = []
    if people >= FEWEST:
        before = Model.of([row.asDict() for row in earlier.collect()], FEATURES)
        rows = refresh(day, _sample(mine, assigned, people), FEATURES, before, max(2, min(MOST, people // EACH)))
    values = [tuple(row[name] for name in CLUSTER_MODELS.names) for row in rows]
    return features.sparkSession.createDataFrame(values, CLUSTER_MODELS.ddl)


def clusters(features: DataFrame, listeners: DataFrame, models: DataFrame, assigned: DataFrame, *, dates: Dates) -> DataFrame:
    """Assign every consenting listener of a date to the nearest centre, or leave them where they were.

    Between two clusters that were both there before, a listener changes who is surely nearer to the same other one twice in a row.
    """
    from targeting.refresh import Model

    (day,) = dates
    mine = _consenting(features, listeners, day)
    rows = [row.asDict() for row in models.where(F.col("date") == day).collect()]
    model = Model.of(rows, FEATURES)
    if model is None:
        return mine.where("false").select("date", "listener_id", *(F.lit(None).cast(kind).alias(name) for name, kind in ADDED))
    old = _listed(row["cluster"] for row in rows if row["event"] in THERE)
    near = mine.select("date", "listener_id", F.expr(_nearest(model)).alias("near"))
    margin = f"coalesce(tanh((get(near, 1).apart - near[0].apart) / {4 * model.spread}D), 1D)"
    placed = near.selectExpr("date", "listener_id", "near[0].name AS nearest", f"{margin} AS margin")
    was = assigned.selectExpr("listener_id", "cluster AS was", "nearest AS was_nearest", "margin AS was_margin")
    twice = f"margin > {SURE} AND coalesce(was_nearest = nearest AND was_margin > {SURE}, false)"
    stays = f"was IN ({old}) AND nearest IN ({old}) AND NOT ({twice})"
    both = placed.join(was, "listener_id", "left")
    return both.selectExpr("date", "listener_id", f"CASE WHEN {stays} THEN was ELSE nearest END AS cluster", "nearest", "margin")


def lineage(models: DataFrame, _: DataFrame, *, dates: Dates) -> DataFrame:
    """Return what happened to clusters; of the features only their being there counts."""
    return models.where(F.col("date").isin(*dates)).where("event <> 'survived'").select(*LINEAGE.names)


def _consenting(features: DataFrame, listeners: DataFrame, day: date) -> DataFrame:
    """Return the features of a date's listeners who agreed, as numbers."""
    allowed = listeners.where("ads_allowed").select("date", "listener_id")
    numbers = [F.col(name).cast("double").alias(name) for name in FEATURES]
    dated = features.where(F.col("date") == day).select("date", "listener_id", *numbers)
    return dated.join(allowed, ["date", "listener_id"], "left_semi")


def _sample(mine: DataFrame, assigned: DataFrame, people: int) -> Sample:
    """Return the listeners that centres are learnt from, in the order of their ids, so that partitions do not matter.

    A pseudonym is a keyed hash: those that begin low are drawn by chance, and they are the same ones from date to date.
    """
    import numpy as np

    from targeting.refresh import Sample

    here = mine.select("listener_id", *FEATURES, F.lit(1).alias("here"))
    both = here.join(assigned.selectExpr("listener_id", "cluster AS was"), "listener_id", "full")
    some = both if people <= LEARNT else both.where(F.col("listener_id") < f"{LEARNT * 16**8 // people:08x}")
    found = some.orderBy("listener_id").toArrow()
    there = found.filter(found.column("here").is_valid())
    gone = found.filter(found.column("here").is_null()).column("was").to_pylist()
    raw = np.column_stack([there.column(name).to_numpy() for name in FEATURES])
    return Sample(raw, [name or "" for name in there.column("was").to_pylist()], {name: gone.count(name) for name in set(gone)})


def _nearest(model: Model) -> str:
    """Return SQL of the clusters by distance, as an array of (apart, name); `apart` is the squared distance less what all share."""
    centres, scale = model.scale.points(model.centres), model.scale
    weights = -2 * centres / scale.sd
    bases = (centres**2).sum(axis=1) - (weights * scale.mean).sum(axis=1)
    known = [f"coalesce({name}, {float(mean)!r}D)" for name, mean in zip(FEATURES, scale.mean, strict=True)]
    found = []
    for name, base, weight in zip(model.names, bases, weights, strict=True):
        terms = " + ".join(f"{value} * {float(one)!r}D" for value, one in zip(known, weight, strict=True))
        found.append(f"named_struct('apart', {float(base)!r}D + {terms}, 'name', '{name}')")
    return f"array_sort(array({', '.join(found)}))"


def _listed(words: Any) -> str:
    return ", ".join(f"'{word}'" for word in sorted(words)) or "NULL"


ADDED = tuple((name, CLUSTERS.by_name[name].dtype) for name in ("cluster", "nearest", "margin"))
HERE, BEFORE = (Read(USER_FEATURES), Read(SILVER_LISTENERS)), Read(CLUSTERS, latest=True)
LEARN = Job((*HERE, Read(CLUSTER_MODELS, latest=True), BEFORE), CLUSTER_MODELS, models)
ASSIGN = Job((*HERE, Read(CLUSTER_MODELS), BEFORE), CLUSTERS, clusters)
RECORD = Job((Read(CLUSTER_MODELS), Read(USER_FEATURES)), LINEAGE, lineage)
JOBS = (LEARN, ASSIGN, RECORD, DESCRIBE)
