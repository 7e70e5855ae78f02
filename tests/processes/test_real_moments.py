"""Contexts and moments of feeds that no one here made: no weather, no music described, often no device, and nothing is guessed."""

from __future__ import annotations

from datetime import UTC, date, datetime
from importlib import import_module
from typing import TYPE_CHECKING

import pytest

from jobs.contracts.context import CONTEXT_FEATURES, MOMENT_FEATURES, SESSION_MOMENTS
from jobs.contracts.events import PLAYS
from jobs.contracts.silver import SESSIONS
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


@pytest.fixture(scope="module")
def heard(compiling: SparkSession, real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> SparkLake:
    """A lake that took in three feeds and went through the stages up to moments."""
    lake = SparkLake(Address.parse(str(tmp_path_factory.mktemp("real") / "lake")))
    for feed, folder in FEEDS.items():
        ingest(lake, feed, [real_data / folder], clock=CLOCK, user=None if feed == "eventsim" else "me")
    dates = sorted(date.fromisoformat(day) for day in lake.arrow.files(PLAYS))
    for name in STAGES:
        run(import_module(f"jobs.{name}").JOB, lake, dates)
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


def _listeners(lake: SparkLake) -> dict[date, int]:
    rows = lake.arrow.read(SESSIONS, columns=["date", "listener_id"]).to_pylist()
    days = {row["date"] for row in rows}
    return {day: len({row["listener_id"] for row in rows if 0 <= (day - row["date"]).days < 28}) for day in days}
