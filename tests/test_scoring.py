"""Batch scoring: a consenting listener's score is the model's own for the listener's usual context, wherever it is computed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import lightgbm as lgb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from small_lake import DAY, NOON, one, put, said, who

from jobs.contracts.delivery import APPROVALS, SCORES
from jobs.contracts.derived import USER_FEATURES
from jobs.contracts.events import PLAYS
from jobs.contracts.silver import SILVER_LISTENERS
from jobs.features import USER
from jobs.features.rhythm import DAYPARTS, DEVICE_GROUPS
from jobs.lake.address import Address
from jobs.lake.arrow import ArrowLake
from jobs.lake.schema import arrow_schema
from jobs.run import NOTHING, PUBLISHED, run
from ray_tune.calibrate import Calibrator
from ray_tune.models.response import RESPONSE
from ray_tune.scorer import Scorer, encode
from targeting.__main__ import main
from targeting.campaigns import CATEGORIES
from targeting.scoring import job, score, scores, usual
from validation.verdict import OvertoneError

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import DataFrame, SparkSession

    from jobs.lake.spark import SparkLake

PEOPLE = 60
NEXT = DAY + timedelta(days=1)
# What training saw: neither the weather nor one of the categories that are scored.
KNOWN = {
    "category": [name for name in CATEGORIES if name != "travel"],
    "slot": ["mid", "post", "pre"],
    "device": ["car", "desktop", "mobile", "speaker"],
    "daypart": sorted(DAYPARTS),
    "day_type": ["weekday", "weekend"],
    "weather": ["dry_mild", "rain"],
}


def features(seed: int = 0, people: int = PEOPLE, day: Any = DAY) -> list[dict[str, Any]]:
    """Return feature rows with a tenth of all numbers unknown."""
    rng = np.random.default_rng(seed)
    rows = []
    for n in range(people):
        row: dict[str, Any] = {"date": day, "listener_id": who(n), "known_date": day}
        for feature in USER:
            value = rng.random() if feature.dtype == "double" else int(rng.integers(0, 50))
            row[feature.name] = None if rng.random() < 0.1 else value
        rows.append(row)
    return rows


def frame(spark: SparkSession, table: Any, rows: list[dict[str, Any]]) -> DataFrame:
    return spark.createDataFrame(pa.Table.from_pylist(rows, arrow_schema(table)))


def expected_context(row: dict[str, Any]) -> dict[str, Any]:
    """The device and daypart of most plays; of equal ones the last by name; a phone in the evening where nothing is known."""

    def most(names: Any, fallback: str) -> str:
        shares = {name: row[f"{name}_share_28d"] or 0.0 for name in names}
        top = max(shares.values())
        return max(name for name, share in shares.items() if share == top) if top > 0 else fallback

    usual = {"device": most(DEVICE_GROUPS, "mobile"), "daypart": most(DAYPARTS, "evening")}
    return usual | {"day_type": "weekday", "weather": "unknown", "slot": "mid"}


def expected_rows(rows: list[dict[str, Any]]) -> pd.DataFrame:
    return pd.DataFrame([{**row, **expected_context(row), "category": category} for row in rows for category in CATEGORIES])


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    """A small model of the very inputs that the champion has."""
    rows = expected_rows(features(seed=9, people=200))
    rng = np.random.default_rng(3)
    for name, values in KNOWN.items():
        rows[name] = rng.choice(values, len(rows))
    names = (*RESPONSE.features, *RESPONSE.categories)
    odds = (
        rows["hours_28d"].astype(float).fillna(0) * 3
        + rows["category"].map({"gaming": 2.0}).fillna(0)
        + (rows["device"] == "car") * 1.5
        - 3
    )
    labels = (rng.random(len(rows)) < 1 / (1 + np.exp(-odds))).astype(float)
    places = [names.index(name) for name in KNOWN]
    data = lgb.Dataset(encode(rows, names, KNOWN), labels, categorical_feature=places, params={"verbosity": -1, "min_data_per_group": 5})
    booster = lgb.train({"objective": "binary", "verbosity": -1, "num_threads": 1, "min_data_in_leaf": 5}, data, 30)
    return Scorer("response", "3", names, KNOWN, Calibrator("platt", (), (0.1, 0.8)), booster.model_to_string())


def test_the_usual_context_is_where_most_plays_are(spark: SparkSession) -> None:
    rows = features()
    blank = dict.fromkeys([f"{name}_share_28d" for name in (*DEVICE_GROUPS, *DAYPARTS)])
    rows[0] |= blank
    rows[1] |= dict.fromkeys(blank, 0.0)
    rows[2] |= blank | {"car_share_28d": 0.01, "night_share_28d": 0.01}
    rows[3] |= blank | {"car_share_28d": 0.5, "speaker_share_28d": 0.5}
    found = usual(frame(spark, USER_FEATURES, rows)).toPandas()
    assert len(found) == PEOPLE * len(CATEGORIES)
    told = found.set_index(["listener_id", "category"])
    for row in rows:
        for name, value in expected_context(row).items():
            assert set(told.loc[row["listener_id"]][name]) == {value}
    assert [expected_context(row)["device"] for row in rows[:4]] == ["mobile", "mobile", "car", "speaker"]


@pytest.mark.parametrize("on_driver", [True, False])
def test_a_score_is_the_models_own(spark: SparkSession, scorer: Scorer, on_driver: bool) -> None:
    """On the driver and in Spark's workers alike, unknown numbers and values that training never saw included."""
    rows = features(seed=1)
    listeners = frame(spark, SILVER_LISTENERS, [said(n) for n in range(PEOPLE)])
    given = frame(spark, USER_FEATURES, rows + features(seed=2, day=NEXT))
    found = scores(given, listeners, scorer, dates=(DAY,), on_driver=on_driver).toPandas()
    wanted = expected_rows(rows)
    wanted["expected"] = scorer.score(wanted)
    both = found.merge(wanted[["listener_id", "category", "expected"]], on=["listener_id", "category"], validate="one_to_one")
    assert len(both) == len(found) == PEOPLE * len(CATEGORIES)
    assert np.abs(both["score"] - both["expected"]).max() < 1e-12
    assert both["score"].between(0, 1).all()
    assert both["score"].nunique() > PEOPLE
    assert set(found["model_version"]) == {"3"}
    assert set(found["date"]) == {DAY}


def test_only_listeners_who_agreed_are_scored(spark: SparkSession, scorer: Scorer) -> None:
    stated = [said(n, consent="granted" if n < 5 else "refused") for n in range(PEOPLE - 10)] + [said(5, day=NEXT)]
    found = scores(frame(spark, USER_FEATURES, features()), frame(spark, SILVER_LISTENERS, stated), scorer, dates=(DAY,))
    assert {row["listener_id"] for row in found.collect()} == {who(n) for n in range(5)}


def test_nobody_to_score_is_no_mistake(spark: SparkSession, scorer: Scorer) -> None:
    nobody = frame(spark, SILVER_LISTENERS, [])
    for on_driver in (True, False):
        assert scores(frame(spark, USER_FEATURES, features()), nobody, scorer, dates=(DAY,), on_driver=on_driver).count() == 0


def test_without_a_champion_nothing_is_scored_and_that_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One sentence, and the process ends with 0: there is nothing wrong with a platform that has no model yet."""
    put(ArrowLake(Address.parse(str(tmp_path / "lake"))), PLAYS, [one(PLAYS)], DAY)
    main(["day", "--date", "2026-11-09", "--only", "scores", "--lake", str(tmp_path / "lake")])
    told = capsys.readouterr()
    sentence = "targeting.scores: skipped, no model was approved as champion (overtone model list)\n"
    assert (told.out, told.err) == (sentence, f"[ 1/1] {sentence}")


def test_a_champion_scores_a_date_once(lake: SparkLake, scorer: Scorer) -> None:
    """Published through the runner; again there is nothing to do, and the model is not even fetched; another version scores anew."""
    put(lake.arrow, USER_FEATURES, features(), DAY)
    put(lake.arrow, SILVER_LISTENERS, [said(n) for n in range(20)], DAY)
    fetched: list[str] = []

    def fetch() -> Scorer:
        fetched.append("once")
        return scorer

    first = run(job(fetch, "3"), lake, [DAY])
    assert (first.state, first.rows) == (PUBLISHED, 20 * len(CATEGORIES))
    assert run(job(fetch, "3"), lake, [DAY]).state == NOTHING
    assert len(fetched) == 1
    approved = {"model": "response", "version": "3", "by": "Grace", "author": "Ada", "decision": "approved"}
    put(lake.arrow, APPROVALS, [one(APPROVALS, **approved, decided_at=NOON)])
    assert score(lake, DAY).state == NOTHING, "the champion is the version that scored"
    put(lake.arrow, APPROVALS, [one(APPROVALS, **approved | {"version": "4"}, decided_at=datetime(2026, 11, 10, tzinfo=UTC))])
    with pytest.raises(OvertoneError, match="version 4 of 'response' is not in the registry"):
        score(lake, DAY)
    assert set(lake.arrow.read(SCORES).column("model_version").to_pylist()) == {"3"}
