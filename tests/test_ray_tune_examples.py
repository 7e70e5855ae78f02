"""Examples out of the lake: only of listeners who allow it, only what was known, categories of what is learnt from."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest

from jobs.contracts.derived import EXAMPLES
from jobs.contracts.silver import SILVER_LISTENERS
from jobs.lake.address import Address
from jobs.lake.arrow import ArrowLake
from jobs.lake.commit import Note
from jobs.lake.schema import arrow_schema
from ray_tune.examples import allowed, drawn, encoded, read
from ray_tune.models import MODELS
from ray_tune.models.model import Model, Split

if TYPE_CHECKING:
    from pathlib import Path

FIRST = date(2026, 11, 1)
AS_OF = FIRST + timedelta(days=9)


@pytest.fixture
def model() -> Model:
    one = MODELS["response"]
    return replace(one, features=("plays_7d", "skip_rate_28d"), categories=("device", "slot"), split=Split(0.1, 0.1, 0.2, 5))


def example(day: date, listener: str, **given: object) -> dict[str, object]:
    at = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
    known = {"date": day, "impression_id": f"{listener}-{day}", "listener_id": listener, "event_ts": at, "known_ts": at}
    context = {"category": "auto", "device": "mobile", "daypart": "midday", "day_type": "weekday", "weather": "rain", "campaign": "c"}
    labels = {"click": False, "completion": True, "features_date": day - timedelta(days=1)}
    return known | context | labels | {"plays_7d": 3, "skip_rate_28d": 0.25, "slot": "pre"} | given


def statement(listener: str, day: date = AS_OF, *, yes: bool = True) -> dict[str, object]:
    consent = "granted" if yes else "withdrawn"
    at = datetime(2026, 10, 1, tzinfo=UTC)
    return {
        "date": day, "listener_id": listener, "consent": consent, "basis": "feed", "age_band": "25_34", "ads_allowed": yes, "known_ts": at,
    }  # fmt: skip


@pytest.fixture
def lake(tmp_path: Path) -> ArrowLake:
    return ArrowLake(Address.parse(str(tmp_path / "lake")))


def fill(lake: ArrowLake, examples: list[dict[str, object]], statements: list[dict[str, object]]) -> None:
    lake.append(EXAMPLES, pa.Table.from_pylist(examples, arrow_schema(EXAMPLES)), Note())
    lake.append(SILVER_LISTENERS, pa.Table.from_pylist(statements, arrow_schema(SILVER_LISTENERS)), Note())


def test_only_listeners_who_allow_it_at_the_end_of_as_of(lake: ArrowLake, model: Model) -> None:
    """One withdrew on the last day, one agreed only later, of one nothing is known: none of their past serves."""
    early, later = AS_OF - timedelta(days=1), AS_OF + timedelta(days=1)
    rows = [example(FIRST, name) for name in ("yes", "withdrew", "unknown", "later")]
    said = [statement("yes"), statement("withdrew", early), statement("withdrew", yes=False), statement("later", later)]
    fill(lake, rows, said)
    assert allowed(lake, AS_OF).to_pylist() == ["yes"]
    assert read(lake, model, AS_OF).frame.num_rows == 1
    assert read(lake, model, early).frame.num_rows == 1


def test_only_what_was_known_by_then(lake: ArrowLake, model: Model) -> None:
    midnight = datetime(AS_OF.year, AS_OF.month, AS_OF.day, tzinfo=UTC) + timedelta(days=1)
    rows = [
        example(FIRST, "a"),
        example(FIRST + timedelta(days=1), "a", known_ts=midnight - timedelta(microseconds=1), click=True),
        example(FIRST + timedelta(days=2), "a", known_ts=midnight),
        example(AS_OF + timedelta(days=1), "a", known_ts=midnight - timedelta(days=1)),
    ]
    fill(lake, rows, [statement("a")])
    found = read(lake, model, AS_OF)
    assert found.dates == (FIRST, FIRST + timedelta(days=1))
    assert found.positives == 1


def test_of_too_many_the_same_share_of_listeners_is_read_whole(lake: ArrowLake, model: Model) -> None:
    people = [hashlib.sha256(str(n).encode()).hexdigest()[:32] for n in range(400)]
    days = [FIRST + timedelta(days=n) for n in range(3)]
    fill(lake, [example(day, who) for day in days for who in people], [statement(who) for who in people])
    assert read(lake, model, AS_OF).share == read(lake, replace(model, most=1_200), AS_OF).share == 1.0
    few, fewer = (read(lake, replace(model, most=most), AS_OF) for most in (300, 150))
    assert (few.share, fewer.share) == (0.25, 0.125)
    for one in (few, fewer):
        listeners = len(np.unique(one.listeners))
        assert abs(listeners - 400 * one.share) < 4 * (400 * one.share * (1 - one.share)) ** 0.5
        assert one.frame.num_rows == 3 * listeners
    agreed = pa.array(people)
    assert set(drawn(agreed, 0.125).to_pylist()) < set(drawn(agreed, 0.25).to_pylist()) < set(people)


def test_values_come_as_they_are(lake: ArrowLake, model: Model) -> None:
    rows = [
        example(FIRST, "a", plays_7d=7, skip_rate_28d=None, slot="post", click=True),
        example(FIRST + timedelta(days=1), "b", slot=None),
        example(FIRST + timedelta(days=2), "a", device="car"),
    ]
    fill(lake, rows, [statement("a"), statement("b")])
    found = read(lake, model, AS_OF)
    by_day = {int(day): place for place, day in enumerate(found.days - found.days.min())}
    first, second, third = (by_day[n] for n in range(3))
    assert found.frame.column_names == list(model.columns)
    assert found.frame["plays_7d"][first].as_py() == 7.0
    assert found.frame["skip_rate_28d"][first].as_py() is None
    assert found.labels[[first, second, third]].tolist() == [1.0, 0.0, 0.0]
    assert found.listeners[first] == found.listeners[third] != found.listeners[second]
    assert set(found.listeners) == {0, 1}


def test_parts_are_encoded_with_the_categories_they_learn_from(lake: ArrowLake, model: Model) -> None:
    """A device first seen on a later day is unknown to the model, not a new code."""
    days = [FIRST + timedelta(days=n) for n in range(5)]
    devices = ["mobile", "car", "car", "tv", "tv"]
    fill(lake, [example(day, "a", device=device) for day, device in zip(days, devices, strict=True)], [statement("a")])
    found = read(lake, model, AS_OF)
    parts = model.split.cut(found.dates)
    data = encoded(found, model, parts)
    assert [len(part.labels) for part in (data.train, data.valid, data.calibrate)] == [2, 1, 1]
    assert data.categories == {"device": ["car", "mobile"], "slot": ["pre"]}
    place = model.columns.index("device")
    assert sorted(data.train.matrix[:, place].tolist()) == [0.0, 1.0]
    assert np.isnan(data.calibrate.matrix[0, place])
    assert found.of(parts.test).dates == (days[4],)


def test_an_empty_lake_gives_no_examples(lake: ArrowLake, model: Model) -> None:
    found = read(lake, model, AS_OF)
    assert (found.frame.num_rows, found.positives, found.dates) == (0, 0, ())
