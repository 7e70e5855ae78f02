"""Clusters: k-means finds planted groups, the same ones every time, and says in words what sets each apart."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from sklearn.cluster import KMeans
from small_lake import DAY, put, said, who

from jobs.contracts.delivery import CLUSTER_MODELS, CLUSTER_PROFILES, CLUSTERS, LINEAGE
from jobs.contracts.derived import USER_FEATURES
from jobs.contracts.silver import SILVER_LISTENERS
from jobs.lake.schema import arrow_schema
from jobs.run import NOTHING, PUBLISHED
from targeting import centres
from targeting.clusters import EACH, FEWEST, MOST, cluster, clusters, models
from targeting.naming import FEATURES, NOTABLE
from targeting.profiles import MEANING, profiles
from validation.gates.release import GRAIN

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from jobs.lake.spark import SparkLake

SIZES = (150, 100, 60)
# What sets each group apart, in standard deviations of the noise.
PLANTED = (
    {"hours_28d": 12.0, "share_pop_28d": 9.0},
    {"night_share_28d": 12.0, "car_share_28d": 9.0, "hours_28d": -3.0},
    {"mean_energy_28d": -12.0, "episode_share_28d": 12.0, "skip_rate_28d": -9.0},
)
WHOLE = ("likes_28d", "active_days_28d")  # features that are counts


def blobs(seed: int = 0, day: Any = DAY) -> tuple[list[dict[str, Any]], list[int]]:
    """Return feature rows in shuffled order, and the group each was drawn from; one value in fifty is unknown."""
    rng = np.random.default_rng(seed)
    groups = [group for group, size in enumerate(SIZES) for _ in range(size)]
    rng.shuffle(groups)
    rows = []
    for n, group in enumerate(groups):
        row: dict[str, Any] = {"date": day, "listener_id": who(n), "known_date": day}
        for name in FEATURES:
            value = rng.normal() + PLANTED[group].get(name, 0.0)
            row[name] = round(100 * value) if name in WHOLE else value
            if rng.random() < 0.02:
                row[name] = None
        rows.append(row)
    return rows, groups


def frame(spark: SparkSession, table: Any, rows: list[dict[str, Any]]) -> DataFrame:
    return spark.createDataFrame(pa.Table.from_pylist(rows, arrow_schema(table)))


def matrix(rows: list[dict[str, Any]]) -> Any:
    """Features as k-means should see them: unknown is the mean, every column has mean 0 and standard deviation 1."""
    raw = np.array([[np.nan if row[name] is None else float(row[name]) for name in FEATURES] for row in rows])
    filled = np.where(np.isnan(raw), np.nanmean(raw, axis=0), raw)
    return (filled - filled.mean(axis=0)) / filled.std(axis=0, ddof=1)


def cost(points: Any, labels: Any) -> float:
    return float(sum(((points[labels == one] - points[labels == one].mean(axis=0)) ** 2).sum() for one in np.unique(labels)))


def assigned_by(features: DataFrame, listeners: DataFrame) -> DataFrame:
    """Learn clusters on a first date and assign listeners to them."""
    spark = features.sparkSession
    learnt = models(features, listeners, frame(spark, CLUSTER_MODELS, []), frame(spark, CLUSTERS, []), dates=(DAY,))
    return clusters(features, listeners, learnt, frame(spark, CLUSTERS, []), dates=(DAY,))


@pytest.fixture(scope="module")
def found(spark: SparkSession) -> tuple[list[dict[str, Any]], list[int], DataFrame, dict[str, str]]:
    """Planted rows, their groups, and the cluster of each; forty far-off strangers never agreed."""
    rows, groups = blobs()
    strangers = [{**rows[n], "listener_id": who(1_000 + n), "hours_28d": 1e6} for n in range(40)]
    stated = [said(n) for n in range(len(rows))] + [said(1_000 + n, consent="refused") for n in range(20)]
    features = frame(spark, USER_FEATURES, rows + strangers)
    assigned = assigned_by(features, frame(spark, SILVER_LISTENERS, stated)).cache()
    return rows, groups, assigned, {row["listener_id"]: row["cluster"] for row in assigned.collect()}


def test_planted_groups_are_found_and_named_by_size(found: Any) -> None:
    rows, groups, _, names = found
    assert len(rows) // EACH == len(SIZES) <= MOST
    for n, group in enumerate(groups):
        assert names[who(n)] == f"c{group + 1}"


def test_only_listeners_who_agreed_are_clustered(found: Any) -> None:
    rows, _, assigned, names = found
    assert set(names) == {row["listener_id"] for row in rows}
    assert assigned.count() == len(rows)
    assert {row["date"] for row in assigned.select("date").distinct().collect()} == {DAY}


def test_of_many_listeners_a_share_teaches_and_all_are_assigned(spark: SparkSession, found: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Centres learnt from two thirds; all are assigned."""
    rows, groups, _, _ = found
    names = {row["listener_id"]: hashlib.sha256(row["listener_id"].encode()).hexdigest()[:32] for row in rows}
    features = frame(spark, USER_FEATURES, [row | {"listener_id": names[row["listener_id"]]} for row in rows])
    listeners = frame(spark, SILVER_LISTENERS, [said(0, listener_id=name) for name in names.values()])
    taught: list[int] = []
    learn = centres.learn

    def counting(points: Any, *rest: Any) -> Any:
        taught.append(len(points))
        return learn(points, *rest)

    monkeypatch.setattr("targeting.refresh.learn", counting)
    monkeypatch.setattr("targeting.clusters.LEARNT", 200)
    assigned = {row["listener_id"]: row["cluster"] for row in assigned_by(features, listeners).collect()}
    assert len(set(taught)) == 1
    assert 160 < taught[0] < 240
    assert [assigned[names[who(n)]] for n in range(len(rows))] == [f"c{group + 1}" for group in groups]


def test_the_best_of_several_seeds_is_kept(spark: SparkSession) -> None:
    """Four planted groups for three clusters: seeds differ; what is kept is as good as the best of twenty of scikit-learn's."""
    rng = np.random.default_rng(5)
    centres = rng.normal(scale=6, size=(4, len(FEATURES)))
    rows, _ = blobs(5)
    for n, row in enumerate(rows):
        values = centres[n % 4] + rng.normal(size=len(FEATURES))
        row |= {name: round(value) if name in WHOLE else float(value) for name, value in zip(FEATURES, values, strict=True)}
    listeners = frame(spark, SILVER_LISTENERS, [said(n) for n in range(len(rows))])
    kept = assigned_by(frame(spark, USER_FEATURES, rows), listeners).collect()
    names = {row["listener_id"]: row["cluster"] for row in kept}
    points = matrix(rows)
    mine = cost(points, np.array([names[row["listener_id"]] for row in rows]))
    each = [cost(points, KMeans(3, n_init=1, random_state=seed).fit(points).labels_) for seed in range(20)]
    assert mine < min(each) * 1.01
    assert max(each) > min(each) * 1.001, "or any seed would do"


def test_neither_order_nor_partitions_of_the_rows_matter(spark: SparkSession, found: Any) -> None:
    rows, _, _, names = found
    listeners = frame(spark, SILVER_LISTENERS, [said(n) for n in range(len(rows))])
    turned = frame(spark, USER_FEATURES, rows[::-1]).repartition(3)
    again = assigned_by(turned, listeners).collect()
    assert {row["listener_id"]: row["cluster"] for row in again} == names


def test_a_profile_compares_means_with_everybodys(spark: SparkSession, found: Any) -> None:
    rows, groups, assigned, _ = found
    told = profiles(assigned, frame(spark, USER_FEATURES, rows), dates=(DAY,)).collect()
    assert len(told) == len(SIZES) * len(FEATURES)
    raw = {name: np.array([np.nan if row[name] is None else float(row[name]) for row in rows]) for name in FEATURES}
    for row in told:
        group = int(row["cluster"][1:]) - 1
        values = raw[row["feature"]]
        mean = np.nanmean(values[np.array(groups) == group])
        assert row["mean"] == pytest.approx(mean)
        assert row["z"] == pytest.approx((mean - np.nanmean(values)) / np.nanstd(values))
        assert row["listeners"] == SIZES[group]


def test_a_profile_names_what_stands_out(spark: SparkSession, found: Any) -> None:
    """The label's parts are the planted features with their direction, the strongest first."""
    rows, _, assigned, _ = found
    told = profiles(assigned, frame(spark, USER_FEATURES, rows), dates=(DAY,)).collect()
    for group, planted in enumerate(PLANTED):
        mine = {row["feature"]: row for row in told if row["cluster"] == f"c{group + 1}"}
        strongest = sorted(mine.values(), key=lambda row: -abs(row["z"]))[:3]
        wanted = [f"{'more' if row['z'] > 0 else 'less'}: {MEANING[row['feature']]}" for row in strongest if abs(row["z"]) >= NOTABLE]
        (label,) = {row["label"] for row in mine.values()}
        assert label == "; ".join(wanted)
        for name in [name for name, shift in planted.items() if shift >= 9]:
            assert f"more: {MEANING[name]}" in label
    assert "_28d" not in label
    assert "last 28 days" not in label


def test_a_cluster_like_everybody_is_called_so(spark: SparkSession) -> None:
    """All are in one cluster, so nothing stands out; a feature that never varies has no distance."""
    rows = [{"date": DAY, "listener_id": who(n), "known_date": DAY, "hours_28d": 1.0} for n in range(GRAIN)]
    assigned = frame(spark, CLUSTERS, [{"date": DAY, "listener_id": who(n), "cluster": "c1"} for n in range(GRAIN)])
    told = profiles(assigned, frame(spark, USER_FEATURES, rows), dates=(DAY,)).collect()
    assert [(row["feature"], row["z"], row["label"]) for row in told] == [("hours_28d", 0.0, "close to everybody's average")]


def test_a_cluster_of_a_few_people_is_not_described(spark: SparkSession) -> None:
    few = GRAIN - 1
    rows = [{"date": DAY, "listener_id": who(n), "known_date": DAY, "hours_28d": float(n < few)} for n in range(few + GRAIN)]
    names = [{"date": DAY, "listener_id": who(n), "cluster": "c2" if n < few else "c1"} for n in range(few + GRAIN)]
    told = profiles(frame(spark, CLUSTERS, names), frame(spark, USER_FEATURES, rows), dates=(DAY,)).collect()
    assert {row["cluster"] for row in told} == {"c1"}


@pytest.mark.parametrize(("people", "groups"), [(FEWEST - 1, 0), (FEWEST, 1)])
def test_too_few_listeners_are_left_alone(spark: SparkSession, people: int, groups: int) -> None:
    rows, _ = blobs()
    listeners = frame(spark, SILVER_LISTENERS, [said(n) for n in range(people)])
    kept = assigned_by(frame(spark, USER_FEATURES, rows), listeners).collect()
    assert len({row["cluster"] for row in kept}) == groups
    assert len(kept) == (people if groups else 0)


def test_that_there_are_too_few_is_said(lake: SparkLake) -> None:
    rows, _ = blobs()
    put(lake.arrow, USER_FEATURES, rows, DAY)
    put(lake.arrow, SILVER_LISTENERS, [said(n) for n in range(FEWEST - 1)], DAY)
    first = cluster(lake, DAY)
    assert first.state == PUBLISHED
    assert first.sentence == "targeting.clusters: nobody was clustered, fewer than 30 listeners of 2026-11-09 agreed to advertising"
    assert lake.arrow.read(CLUSTERS).num_rows == lake.arrow.read(CLUSTER_PROFILES).num_rows == 0
    assert cluster(lake, DAY).state == NOTHING


def later(rows: list[dict[str, Any]], seed: int, day: Any) -> list[dict[str, Any]]:
    """The same listeners on a later date, a little different."""
    rng = np.random.default_rng(seed)
    moved = [
        {name: value if name in WHOLE or not isinstance(value, float) else value + rng.normal(scale=0.1) for name, value in row.items()}
        for row in rows
    ]
    return [{**row, "date": day, "known_date": day} for row in moved]


def test_a_day_follows_from_the_last_one_before(lake: SparkLake, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three dates, with one between them that nobody worked on; on the last the new clusters fail the gate, and the old ones go on.

    Listener 0 turns up among another group's: the first time it stays where it was, the second it follows.
    """
    rows, groups = blobs()
    other = next(n for n, group in enumerate(groups) if group != groups[0])
    days = [DAY, DAY + timedelta(days=2), DAY + timedelta(days=3)]
    told = []
    for n, day in enumerate(days):
        these = later(rows, n, day)
        if n:
            these[0] = {**these[other], "listener_id": who(0)}
        put(lake.arrow, USER_FEATURES, these, day)
        put(lake.arrow, SILVER_LISTENERS, [said(m, day=day) for m in range(len(rows))], day)
        if day == days[2]:
            monkeypatch.setattr("targeting.refresh.steadiness", lambda *_: 0.5)
        told.append(cluster(lake, day))
    kept = {day: {row["listener_id"]: row for row in lake.arrow.read(CLUSTERS, [day]).to_pylist()} for day in days}
    own, others = (f"c{groups[n] + 1}" for n in (0, other))
    assert [kept[day][who(0)]["cluster"] for day in days] == [own, own, others]
    assert [kept[day][who(0)]["nearest"] for day in days] == [own, others, others]
    for n in range(1, len(rows)):
        assert {kept[day][who(n)]["cluster"] for day in days} == {f"c{groups[n] + 1}"}
    reason = f"the clusters of {days[1]} were kept: steadiness is 0.5000, at least 0.8 is asked"
    assert "new" not in told[0].sentence, "that everything is born on a first date is no news"
    assert told[2].sentence.endswith(reason)
    events = {(row["date"], row["cluster"], row["event"], row["reason"]) for row in lake.arrow.read(LINEAGE).to_pylist()}
    assert events == {(day, f"c{n}", *what) for day, what in ((DAY, ("birth", None)), (days[2], ("kept", reason))) for n in (1, 2, 3)}
    models = [sorted(lake.arrow.read(CLUSTER_MODELS, [day]).to_pylist(), key=lambda row: row["cluster"]) for day in days]
    assert [{row["fitted"] for row in mine} for mine in models] == [{days[0]}, {days[1]}, {days[1]}]
    assert [row["centre"] for row in models[2]] == [row["centre"] for row in models[1]] != [row["centre"] for row in models[0]]
    tables = (CLUSTER_MODELS, CLUSTERS, LINEAGE, CLUSTER_PROFILES)
    versions = [lake.arrow.version(table) for table in tables]
    assert cluster(lake, days[2]).state == NOTHING
    assert versions == [lake.arrow.version(table) for table in tables]


def test_as_many_clusters_as_there_are_groups_and_yesterdays_unless_others_are_clearly_better() -> None:
    rows, _ = blobs()
    raw = np.array([[np.nan if row[name] is None else float(row[name]) for name in FEATURES] for row in rows])
    points = centres.Scale.of(raw).points(raw)
    assert points == pytest.approx(matrix(rows), abs=1e-9)
    fresh = centres.learn(points, None, MOST)
    assert sorted(np.bincount(centres.nearest(points, fresh.centres))) == sorted(SIZES)
    assert fresh.start is None
    turned = centres.learn(points, fresh.centres[::-1] + 0.01, MOST, seed=9)
    assert turned.start is not None
    assert turned.centres == pytest.approx(fresh.centres[::-1], abs=1e-6), "in yesterday's order"
    poor = centres.learn(points, fresh.centres[:2], MOST)
    assert (len(poor.centres), poor.start) == (3, None)
    assert centres.steadiness(points, fresh) > 0.99
    alike = np.ones((60, 4))
    assert len(centres.learn(alike, np.ones((2, 4)), MOST).centres) == 1
    assert centres.steadiness(alike, centres.learn(alike, None, MOST)) == 1.0
    noise = np.random.default_rng(0).normal(size=(400, 5))
    assert len(centres.learn(noise, None, MOST).centres) == 1, "there are no groups in noise"
    assert centres.steadiness(noise, centres.Learnt(centres.KMeans(4, n_init=1, random_state=0).fit(noise).cluster_centers_, None)) < 0.8
