"""Every segment: a predicate over features that exist, which lets some listeners in and keeps some out."""

from __future__ import annotations

import random
import re
from collections import Counter
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import pytest
from batches import batch
from pyspark.sql import functions as F
from small_lake import one, who

from jobs.assign import memberships
from jobs.contracts.derived import RATES, USER_FEATURES, USER_SEGMENTS
from jobs.features import USER
from jobs.segments import SEGMENTS
from validation.contract import IDENTIFIER

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyspark.sql import DataFrame, SparkSession

    from jobs.segments.segment import Segment

pytestmark = pytest.mark.spark
DTYPES = {feature.name: feature.dtype for feature in USER}
KEYWORDS = {"AND", "OR", "NOT", "IS", "NULL", "BETWEEN"}
every_segment = pytest.mark.parametrize("segment", SEGMENTS, ids=attrgetter("name"))
# One listener at the border and one just outside, told from what each segment says it means.
BORDERS: Mapping[str, tuple[dict[str, float], dict[str, float]]] = {
    "active": ({"active_days_28d": 4}, {"active_days_28d": 3}),
    "heavy_listeners": ({"hours_28d": 20.0}, {"hours_28d": 19.99}),
    "light_listeners": ({"hours_28d": 4.99}, {"hours_28d": 5.0}),
    "new_or_returning": ({"plays_28d": 3, "plays_90d": 3}, {"plays_28d": 3, "plays_90d": 4}),
    "lapsing": ({"plays_7d": 0, "plays_28d": 10}, {"plays_7d": 1, "plays_28d": 10}),
    "cooling": ({"plays_7d": 1, "play_momentum_28d": -0.7}, {"plays_7d": 0, "play_momentum_28d": -0.7}),
    "recently_upgraded": ({"paid_change_90d": 0.5}, {"paid_change_90d": 0.49}),
    "specialists": (
        {"active_days_28d": 4, "gs_score_90d": 0.75, "gs_by_chance_90d": 0.5},
        {"active_days_28d": 4, "gs_score_90d": 0.5, "gs_by_chance_90d": 0.5},
    ),
    "niche_listeners": ({"active_days_28d": 4, "mainstream_90d": 0.6}, {"active_days_28d": 4, "mainstream_90d": 0.61}),
    "night_owls": (
        {"active_days_28d": 4, "night_share_28d": 0.25, "late_share_28d": 0.25},
        {"active_days_28d": 4, "night_share_28d": 0.25, "late_share_28d": 0.24},
    ),
    "commuters": (
        {"active_days_28d": 4, "morning_share_28d": 0.25, "evening_share_28d": 0.25, "weekend_share_28d": 0.3},
        {"active_days_28d": 4, "morning_share_28d": 0.25, "evening_share_28d": 0.25, "weekend_share_28d": 0.31},
    ),
    "impatient": ({"active_days_28d": 4, "skip_rate_28d": 0.4}, {"active_days_28d": 3, "skip_rate_28d": 0.4}),
    "jazz_listeners": ({"active_days_28d": 4, "share_jazz_28d": 0.3}, {"active_days_28d": 4, "share_jazz_28d": 0.29}),
}


@pytest.fixture(scope="module")
def features(spark: SparkSession) -> DataFrame:
    return spark.createDataFrame([], USER_FEATURES.ddl)


@every_segment
def test_it_is_a_predicate_over_features_that_exist(segment: Segment, features: DataFrame) -> None:
    assert features.select(F.expr(segment.when)).schema[0].dataType.simpleString() == "boolean"
    named = set(re.findall(r"\b[A-Za-z_]\w*\b", segment.when)) - KEYWORDS
    assert named <= set(DTYPES)
    assert named


@every_segment
def test_it_has_a_name_and_says_what_it_means(segment: Segment) -> None:
    assert IDENTIFIER.fullmatch(segment.name)
    assert segment.meaning.strip()
    assert Counter(one.name for one in SEGMENTS)[segment.name] == 1
    assert Counter(one.when for one in SEGMENTS)[segment.when] == 1
    assert segment.name in USER_SEGMENTS.expectations[0].allowed


def drawn(rng: random.Random, name: str) -> float:
    if "_change_" in name or "_momentum_" in name:
        return rng.uniform(-2, 2)
    if name in RATES or name.startswith(("mean_", "gs_", "mainstream_", "hour_focus_")):
        return rng.random()
    return rng.randint(0, 20) if DTYPES[name] == "bigint" else rng.uniform(0, 40)


def test_each_lets_some_in_and_keeps_some_out_and_nobody_of_whom_nothing_is_known(spark: SparkSession) -> None:
    rng = random.Random(5)
    rows = [{"listener_id": who(n), **{name: drawn(rng, name) for name in DTYPES}} for n in range(400)]
    for row in rows[:200]:  # windows nest: many listeners have no plays before the last 28 days
        row["plays_90d"] = row["plays_28d"]
    unknown = {"listener_id": who(999)}
    frame = batch(spark, USER_FEATURES, [one(USER_FEATURES, **row) for row in (*rows, unknown)])
    found = memberships(frame, SEGMENTS).collect()
    assert len({(row["listener_id"], row["segment"]) for row in found}) == len(found)
    sizes = Counter(row["segment"] for row in found)
    assert all(0 < sizes[segment.name] < len(rows) for segment in SEGMENTS), sizes
    assert who(999) not in {row["listener_id"] for row in found}


def test_borders_lie_where_the_meaning_says(spark: SparkSession) -> None:
    rows: list[dict[str, Any]] = []
    for name, borders in BORDERS.items():
        rows += [one(USER_FEATURES, listener_id=f"{name} {side}", **row) for side, row in zip(("in", "out"), borders, strict=True)]
    found = {(row["listener_id"], row["segment"]) for row in memberships(batch(spark, USER_FEATURES, rows), SEGMENTS).collect()}
    assert {name for name in BORDERS if (f"{name} in", name) in found} == set(BORDERS)
    assert not {name for name in BORDERS if (f"{name} out", name) in found}
