"""Any JSON value in any field of a record becomes a row that keeps its table's promises, or has a named reason; no batch ends of it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from feeds import HEADER, at, heard, listen, own, song, stream, streamed
from hypothesis import given, settings
from hypothesis import strategies as st
from pyspark.sql import functions as F

from jobs.contracts.events import AD_EVENTS, LISTENERS, MENTIONS, TRACKS, WEATHER
from jobs.publish import reason_of
from jobs.sources import SOURCES
from jobs.sources.parsing import Taking, _fields, keys, parse
from jobs.sources.reading import DDL

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from jobs.sources.source import Feed, Source

FEEDS = [pytest.param(source, feed, id=f"{source.name}-{feed.table.name}") for source in SOURCES.values() for feed in source.feeds]
LATE = datetime(2100, 1, 1, tzinfo=UTC)  # later than today, which Spark is apt to fill in
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
MOMENT = at(1, 8)
SENT = {"at": MOMENT.isoformat()}
# Each as JSON text: what Python's json would not write is among them.
VALUES = [
    *("null", "true", "false", "0", "-0", "-0.0", "-1", "1", "1.5", "-1.5", "1e999", "-1e999", "1e-400", "1e300", "NaN", "-Infinity"),
    *("2147483648", "9223372036854775807", "9223372036854775808", "-9223372036854775809", "1" + "0" * 400, "253402300800000", "1e17"),
    *('""', '" "', '"x"', '"\\u0000"', '"\\ud800"', '"\\udc00\\ud800"', '"\\ud83c\\udfb5"', '"' + "x" * 100_000 + '"', '"NA"', '"null"'),
    *("[]", "{}", "[1]", '["a", null]', '{"a": 1}', '{"artist_name": 7, "additional_info": [1]}', "[" * 500 + "]" * 500),
    *(
        '"2026-11-01"',
        '"10:00"',
        '"T10:00"',
        '"2026"',
        '"2026-11"',
        '"2026-02-30T00:00:00Z"',
        '"2026-11-01T25:61:00Z"',
        '"2026-11-01 8:00"',
    ),
    *('"+294247-01-10T04:00:54.775807Z"', '"-290308-12-21T19:59:05Z"', '"9999-12-31T23:59:59.999999-18:00"', '"0000-01-01T00:00:00Z"'),
    *('"10000-01-01T00:00:00Z"', '"2026-11-01T10:00:00+99:99"', '"2026-11-01T10:00:00 Mars/Base"', '"2026-11-01T10:00:00[Europe/Rome]"'),
    *(
        '"now"',
        '"today"',
        '"epoch"',
        '"1793606400"',
        '"1793606400000"',
        '"-1"',
        '"253402300800"',
        '"01 Nov 2026, 10:00"',
        '"32 Foo 2026 9:9"',
    ),
    *("1793606400", "1793606400000", "1793606400000000", "-62135596800", "4102444800", '"inf"', '"1e400"', '"0x10"', '"१२"', '"1_000"'),
    *('"Europe/Rome"', '"GMT+25"', '"impression"', '"granted"', '"under_18"', '"NextSong"', '"Thumbs Up"'),
]
GOOD: dict[str, dict[str, Any]] = {
    "native-bronze.plays": heard(1, MOMENT, artist="a", album="b", ms_played=5, track_ms=9, device="car", time_zone="Europe/Rome"),
    "native-bronze.feedback": own("feedback", 1, MOMENT, **SENT, action="like", track="t", artist="a", title="b"),
    f"native-{AD_EVENTS.name}": own("ad_event", 1, MOMENT, **SENT, impression="i", kind="click", campaign="c", category="food"),
    f"native-{LISTENERS.name}": own("statement", 1, MOMENT, **SENT, consent="granted", age_band="25_34"),
    f"native-{WEATHER.name}": {"place": "IT", "hour": at(2, 8).isoformat(), "issued_at": MOMENT.isoformat(), "temperature_c": 9.5},
    f"native-{MENTIONS.name}": {"mention_id": "m", "platform": "x", "text": "y", **SENT, "sent_at": MOMENT.isoformat()},
    f"native-{TRACKS.name}": dict(zip(HEADER, map(str, song("t1")), strict=True)),
    f"catalogue-{TRACKS.name}": dict(zip(HEADER, map(str, song("t1")), strict=True)),
    "eventsim-bronze.plays": streamed(MOMENT, "u", 1),
    "eventsim-bronze.feedback": streamed(MOMENT, "u", 1) | {"page": "Thumbs Up"},
    "listenbrainz-bronze.plays": listen("Rez", MOMENT, user_name="u", inserted_at=1793606400.5, created=None),
    "lastfm-bronze.plays": {"user": "u", "time": "2026-11-01T08:00:00Z", "artist": "a", "track": "b"},
    "spotify-bronze.plays": stream(MOMENT, 1_000, username="u", spotify_track_uri="spotify:track:1"),
}


def with_value(record: dict[str, Any], path: tuple[str, ...], value: str) -> str:
    """Return the record as JSON with the text of a value in one of its fields, or in a field of a field."""
    mark = "\x01here\x01"
    changed = json.loads(json.dumps(record))
    inner = changed
    for name in path[:-1]:
        inner = inner.setdefault(name, {}) if isinstance(inner.get(name), dict | None) else {}
    inner[path[-1]] = mark
    return json.dumps(changed).replace(json.dumps(mark), value)


def paths(feed: Feed) -> list[tuple[str, ...]]:
    """Return every field of the feed's record, those within fields too."""
    found: list[tuple[str, ...]] = []
    waiting = [((one.name,), one.dataType) for one in _fields(feed)]
    while waiting:
        path, kind = waiting.pop()
        found.append(path)
        waiting += [((*path, one.name), one.dataType) for one in getattr(kind, "fields", ())]
    return sorted(found)


def judged(spark: SparkSession, source: Source, feed: Feed, lines: list[str]) -> list[dict[str, Any]]:
    records = spark.createDataFrame([("f", n, line, None) for n, line in enumerate(lines)], DDL)
    taking = Taking(source.name, bytes(32), LATE)
    rows = parse(records, feed, taking).withColumn("reason", F.coalesce("reason", reason_of(feed.table)))
    assert keys(records, feed, taking).count() == len(lines), "keys read the same records, and end no batch either"
    # Python's calendar ends with the year 9999: only what is kept has to fit into it.
    shown = [
        F.when(F.col("reason").isNull(), F.col(one.name)).alias(one.name) if one.dtype in ("date", "timestamp") else one.name
        for one in feed.table.columns
    ]
    return [row.asDict() for row in rows.select(*shown, "reason", "payload").collect()]


@pytest.mark.parametrize(("source", "feed"), FEEDS)
def test_every_value_in_every_field(source: Source, feed: Feed, spark: SparkSession) -> None:
    good = GOOD[f"{source.name}-{feed.table.name}"]
    (row,) = judged(spark, source, feed, [json.dumps(good)])
    assert row["reason"] is None
    check(spark, source, feed, [with_value(good, path, value) for path in paths(feed) for value in VALUES])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.datetimes().map(str),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=max(2, settings.default.max_examples // 12))
@given(data=st.data())
def test_any_value_in_any_field(data: st.DataObject, spark: SparkSession) -> None:
    source = data.draw(st.sampled_from([one for one in SOURCES.values() if one.name != "native"]))
    feed = data.draw(st.sampled_from(source.feeds))
    good = GOOD[f"{source.name}-{feed.table.name}"]
    values = data.draw(st.lists(st.tuples(st.sampled_from(paths(feed)), JSON), min_size=40, max_size=200))
    check(spark, source, feed, [with_value(good, path, json.dumps(value)) for path, value in values])


def check(spark: SparkSession, source: Source, feed: Feed, lines: list[str]) -> None:
    rows = judged(spark, source, feed, lines)
    if feed.where == "true":
        assert len(rows) == len(lines)
    assert {row["position"] for row in rows} <= set(range(len(lines)))
    for row in rows:
        line = lines[row["position"]]
        if row["reason"] is not None:
            assert row["reason"] in named(feed), line[:500]
            assert not row["reason"].startswith(("wrong_type", "nan")) or row["payload"]
            continue
        assert all(row[name] is not None for name in feed.table.required), line[:500]
        if "event_ts" in row:
            when, known = (
                row[name].astimezone(UTC) if row[name].tzinfo else row[name].replace(tzinfo=UTC) for name in ("event_ts", "known_ts")
            )
            assert row["date"] == when.date()
            assert when >= EARLIEST
            assert when <= LATE or feed.table is WEATHER
            assert known >= when or feed.table is WEATHER
            assert near(when, line) or feed.table is WEATHER, line[:500]
        if row.get("ms_played") is not None:
            assert 0 <= row["ms_played"] <= 86_400_000


def near(when: datetime, line: str) -> bool:
    """Say whether the record names this day, as text or as a number."""
    days = {when + timedelta(days=n) for n in (-1, 0, 1)}
    texts = {f"{day:%Y-%m-%d}" for day in days} | {f"{day:%d %b %Y}" for day in days} | {str(int(when.timestamp()))[:4]}
    return any(text in line for text in texts)


def named(feed: Feed) -> set[str]:
    """Return every reason there is for a feed."""
    own_ = (
        {name for name, _ in feed.checks} | {rule.name for rule in feed.table.rules} | {f"missing_{name}" for name in feed.table.required}
    )
    fields = {f"wrong_type_{path[0]}" for path in paths(feed)}
    return own_ | fields | {"broken_json", "nan", "null_listener", "null_time", "past_time", "future_time", "unknown_time_zone"}
