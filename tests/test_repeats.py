"""Events that come again are found among all that was taken in, which is read where it lies and by its keys alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from feeds import ANNA, CLOCK, at, heard, lines, put

from jobs import repeats
from jobs.contracts.events import PLAYS
from jobs.ingest import ingest
from jobs.sources import SOURCES
from jobs.sources.parsing import tells_date

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import SparkSession

    from jobs.lake.spark import SparkLake

NATIVE = SOURCES["native"].feeds


@pytest.mark.parametrize("few", [repeats.BROADCAST, 0], ids=["few", "many"])
def test_an_event_that_is_sent_again_with_another_date_is_one_event(
    few: int, lake: SparkLake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether another event of its old date comes along or none: the first word stands."""
    monkeypatch.setattr(repeats, "BROADCAST", few)

    def play(number: int, day: int, hour: int) -> dict[str, object]:
        moment = f"2026-11-0{day}T{hour:02}:59:00Z"
        who = {"play_id": f"p{number}", "listener": ANNA, "track": f"t{number}", "artist": "Band", "title": f"Song {number}"}
        return {**who, "kind": "track", "started_at": moment, "sent_at": moment, "ms_played": 60_000}

    put(tmp_path / "one", {"plays-1.jsonl": lines(play(777, 1, 23), play(1, 1, 8))})
    put(tmp_path / "two", {"plays-2.jsonl": lines(play(777, 2, 0), play(2, 1, 9))})
    put(tmp_path / "three", {"plays-3.jsonl": lines(play(777, 3, 0), play(1, 4, 0), play(3, 5, 9), play(3, 6, 9))})
    known = [ingest(lake, "native", [tmp_path / place], clock=CLOCK).intakes[0].total.deduplicated for place in ("one", "two", "three")]
    rows = lake.arrow.read(PLAYS).to_pylist()
    assert sorted((row["native_key"], row["date"].day) for row in rows) == [("t1", 1), ("t2", 1), ("t3", 5), ("t777", 1)]
    assert known == [0, 1, 3]


@pytest.mark.parametrize("few", [repeats.BROADCAST, 0], ids=["few", "many"])
def test_what_was_taken_in_is_read_by_its_key_alone_and_not_shuffled(
    few: int, lake: SparkLake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ingest(lake, "native", [put(tmp_path, {"plays-1.jsonl": lines(heard(1, at(1, 8)))})], clock=CLOCK)
    monkeypatch.setattr(repeats, "BROADCAST", few)
    feed = next(feed for feed in NATIVE if feed.table is PLAYS)
    asked = lake.read(PLAYS).select("date", repeats.hashed(PLAYS))
    repeats.held(lake, feed, asked, [repeats.hashed(PLAYS)], 1).explain()
    plan = capsys.readouterr().out.splitlines()
    scan = next(number for number, line in enumerate(plan) if "FileScan" in line)
    assert "ReadSchema: struct<event_id:string>" in plan[scan]
    above = [line.strip(" :+-*()0123456789").split()[0] for line in plan[:scan]]
    joined = above.index("BroadcastHashJoin")
    assert "Exchange" not in above[joined:], "it meets the new keys where it is read"


def test_of_rows_that_nobody_asked_for_almost_none_pass(spark: SparkSession) -> None:
    there, wanted = spark.range(-50_000, 50_000), spark.range(-1_000, 9_000)
    passed = {row["id"] for row in repeats._likely(there, wanted, 10_000).collect()}  # noqa: SLF001
    assert passed >= set(range(-1_000, 9_000))
    assert 10_000 < len(passed) < 10_000 + 90_000 / 10


def test_only_where_the_key_tells_the_moment_are_other_dates_left_out() -> None:
    told = {(source.name, feed.table.name) for source in SOURCES.values() for feed in source.feeds if feed.table.dated and tells_date(feed)}
    plays = {(name, "bronze.plays") for name in ("eventsim", "listenbrainz", "lastfm", "spotify")}
    assert told == plays | {("eventsim", "bronze.feedback"), ("native", "bronze.weather")}
