"""Contexts, moments, fans and portraits of feeds that no one here made: what they do not tell is unknown, and nothing is guessed."""

from __future__ import annotations

from datetime import UTC, date, datetime
from importlib import import_module
from typing import TYPE_CHECKING

import pytest

from jobs.contracts.context import CONTEXT_FEATURES, MOMENT_FEATURES, SESSION_MOMENTS
from jobs.contracts.events import PLAYS
from jobs.contracts.fans import ARTIST_FANS, FAN_LADDER, FAN_TRANSITIONS
from jobs.contracts.portraits import USER_PORTRAITS
from jobs.contracts.silver import LISTENS, SESSIONS
from jobs.ingest import ingest
from jobs.lake.address import Address
from jobs.lake.spark import SparkLake
from jobs.run import run

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import SparkSession

pytestmark = [pytest.mark.spark, pytest.mark.slow]
CLOCK = datetime(2026, 11, 20, tzinfo=UTC)
FEEDS = {"eventsim": "eventsim", "listenbrainz": "listenbrainz", "lastfm": "listenbrainz"}
STAGES = ("listeners", "tracks", "listens", "sessions", "context_features", "session_moments", "moment_features")
LATEST = ("fan_ladder", "artist_fans", "fan_transitions", "user_portraits")  # made of the last date, as a day makes them
SERVICE = date(2018, 11, 30)  # the last date of the music service's log; the others are exports of single listeners


@pytest.fixture(scope="module")
def heard(compiling: SparkSession, real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> SparkLake:
    """A lake that took in three feeds and went through the stages up to moments, and fans."""
    lake = SparkLake(Address.parse(str(tmp_path_factory.mktemp("real") / "lake")))
    for feed, folder in FEEDS.items():
        ingest(lake, feed, [real_data / folder], clock=CLOCK, user=None if feed == "eventsim" else "me")
    dates = sorted(date.fromisoformat(day) for day in lake.arrow.files(PLAYS))
    for name in STAGES:
        run(import_module(f"jobs.{name}").JOB, lake, dates)
    for name in LATEST:
        for day in (SERVICE, dates[-1]):
            run(import_module(f"jobs.{name}").JOB, lake, [day])
    return lake


def test_every_session_has_a_moment_though_little_is_known_of_it(heard: SparkLake) -> None:
    sessions, moments = (heard.arrow.read(table).to_pylist() for table in (SESSIONS, SESSION_MOMENTS))
    assert {row["session_id"] for row in moments} == {row["session_id"] for row in sessions}
    assert len(moments) > 500
    assert {row["weather"] for row in moments} == {"unknown"}
    assert {row["mean_energy"] for row in moments} == {None}
    assert "unknown" in {row["device"] for row in moments}
    assert len({row["moment"] for row in moments}) > 3


def test_contexts_and_moments_are_told_of_ten_listeners_at_least(heard: SparkLake) -> None:
    contexts, moments = (heard.arrow.read(table).to_pylist() for table in (CONTEXT_FEATURES, MOMENT_FEATURES))
    assert {row["weather"] for row in contexts} <= {"unknown", "any"}
    assert {row["mean_energy"] for row in contexts} == {None}
    assert {row["level"] for row in contexts} >= {"weather", "device", "daypart", "all"}
    assert min(row["listeners"] for row in (*contexts, *moments)) >= 10
    alone = [day for day, n in _listeners(heard).items() if n < 10]
    assert not {row["date"] for row in (*contexts, *moments)} & set(alone), "of a single person's export nothing is told"


def test_who_plays_what_is_counted_though_no_feed_says_how_a_play_began(heard: SparkLake) -> None:
    ladder = [row for row in heard.arrow.read(FAN_LADDER).to_pylist() if row["date"] == SERVICE]
    listens = [row for row in heard.arrow.read(LISTENS).to_pylist() if 0 <= (SERVICE - row["date"]).days < 28 and row["artist_id"]]
    assert sum(row["plays"] for row in ladder) == len(listens) > 5_000
    assert {(row["listener_id"], row["artist_id"]) for row in ladder} == {(row["listener_id"], row["artist_id"]) for row in listens}
    assert {row["rung"] for row in ladder} == {"unknown"}, "whether somebody chose it or was given it is told by none"
    artists = heard.arrow.read(ARTIST_FANS).to_pylist()
    assert {row["date"] for row in artists} == {SERVICE}, "of a single listener's artists nothing is told"
    assert min(row["listeners"] for row in artists) >= 10
    assert {row["top_share"] for row in artists} == {None}, "two in a hundred of so few are not one"
    assert not heard.arrow.read(FAN_TRANSITIONS).num_rows, "nobody is known to have moved"


def test_portraits_say_what_is_known_and_no_more(heard: SparkLake) -> None:
    portraits = heard.arrow.read(USER_PORTRAITS).to_pylist()
    shares = [name for name in portraits[0] if name.startswith("moment_")]
    assert {row["date"] for row in portraits} == {SERVICE, max(_listeners(heard))}
    assert {round(sum(row[name] for name in shares), 9) for row in portraits} == {1}
    for name in ("weather_sensitivity_28d", "exploration_rate_28d", "discovery_conversion_28d"):
        assert {row[name] for row in portraits} == {None}, f"{name}: a month, and no weather, cannot tell"
    assert all(0 <= row["artist_mainstream_28d"] <= 1 for row in portraits)
    assert {row["home_share_28d"] is None for row in portraits} == {True, False}


def _listeners(lake: SparkLake) -> dict[date, int]:
    rows = lake.arrow.read(SESSIONS, columns=["date", "listener_id"]).to_pylist()
    days = {row["date"] for row in rows}
    return {day: len({row["listener_id"] for row in rows if 0 <= (day - row["date"]).days < 28}) for day in days}
