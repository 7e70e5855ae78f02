"""Silver against oracles: whose word is in force, which track it is, what time it was there, where a session ends."""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from batches import batch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyspark.sql import functions as F
from small_lake import one, who

from jobs.contracts.events import FEEDBACK, LISTENERS, PLAYS, TRACKS
from jobs.contracts.silver import ATTRIBUTES, HEARD, LISTENS, SILVER_LISTENERS
from jobs.listeners import listeners
from jobs.listens import listens
from jobs.sessions import JOB as SESSIONS_JOB
from jobs.sessions import sessions
from jobs.tracks import tracks

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pyspark.sql import DataFrame, SparkSession

    from validation.contract import Table

pytestmark = pytest.mark.spark
ROOT = Path(__file__).parent.parent
D = [date(2026, 11, 1) + timedelta(days=n) for n in range(6)]
Row = dict[str, Any]


def at(day: date, hour: int = 12, minute: int = 0) -> datetime:
    return datetime.combine(day, time(hour, minute), UTC)


def frame(spark: SparkSession, table: Table, rows: Iterable[Row]) -> DataFrame:
    return batch(spark, table, [one(table, **row) for row in rows])


# ---- listeners: the statement in force, as known then ----------------------------------------------------------------


def says(
    n: int, said: datetime, consent: str, *, known: datetime | None = None, age: str = "25_34", basis: str = "feed", **more: Any
) -> Row:
    times = {"date": said.date(), "event_ts": said, "known_ts": known or said}
    return {"listener_id": who(n), **times, "consent": consent, "age_band": age, "basis": basis, **more}


def test_the_newest_statement_known_by_then_is_in_force(spark: SparkSession) -> None:
    said = [
        says(1, at(D[0]), "granted"),
        says(1, at(D[2]), "withdrawn", known=at(D[4])),  # withdrew on the third, the feed said so on the fifth
        says(2, at(D[1], 23, 59), "granted", age="under_18"),
        says(3, at(D[0]), "granted", age="unknown"),
        says(4, at(D[0]), "granted", age="unknown", basis="assume"),
        says(5, at(D[3]), "granted", basis="assume"),
        says(5, at(D[0]), "refused", basis="file", place="DE-BY"),  # what was assumed yields, however new
        says(6, at(D[2], 23, 59), "granted", known=at(D[3], 0, 0)),
    ]
    rows = listeners(frame(spark, LISTENERS, said), dates=tuple(D[:5])).collect()
    state = {(row["listener_id"], D.index(row["date"])): (row["consent"], row["ads_allowed"]) for row in rows}
    assert len(state) == len(rows)
    yes, no = ("granted", True), ("granted", False)
    expected = {(who(1), n): yes for n in range(4)} | {(who(1), 4): ("withdrawn", False)}
    expected |= {(who(2), n): no for n in range(1, 5)}
    expected |= {(who(3), n): no for n in range(5)} | {(who(4), n): yes for n in range(5)}
    expected |= {(who(5), n): ("refused", False) for n in range(5)} | {(who(6), n): yes for n in range(3, 5)}
    assert state == expected
    assert {row["place"] for row in rows if row["listener_id"] == who(5)} == {"DE-BY"}


def test_state_a_date_equals_a_plain_reading_of_all_statements(spark: SparkSession) -> None:
    rng = random.Random(3)
    said = []
    for n in range(400):
        when = at(rng.choice(D), rng.randrange(24))
        known = when + timedelta(hours=rng.choice((0, 0, 1, 30, 60)))
        consent, age = rng.choice(("granted", "refused", "withdrawn", "unknown")), rng.choice(("under_18", "25_34", "unknown"))
        said.append(says(n % 40, when, consent, known=known, age=age, basis=rng.choice(("feed", "file", "assume")), plan=f"plan{n}"))
    expected = {}
    for day in D:
        for n in range(40):
            known_by_then = [s for s in said if s["listener_id"] == who(n) and s["known_ts"] < at(day, 0) + timedelta(days=1)]
            if known_by_then:
                newest = max(
                    known_by_then, key=lambda s: (s["basis"] != "assume", s["event_ts"], s["known_ts"], s["consent"], s["age_band"])
                )
                adult = newest["age_band"] == "25_34" or (newest["age_band"] == "unknown" and newest["basis"] == "assume")
                allowed = newest["consent"] == "granted" and adult
                expected[day, who(n)] = (newest["consent"], newest["known_ts"], newest["plan"], allowed)
    found = listeners(frame(spark, LISTENERS, said), dates=tuple(D)).withColumn("known", F.expr("unix_micros(known_ts)")).collect()
    moment = {row["known"]: datetime.fromtimestamp(row["known"] / 1e6, UTC) for row in found}
    assert {(r["date"], r["listener_id"]): (r["consent"], moment[r["known"]], r["plan"], r["ads_allowed"]) for r in found} == expected


# ---- tracks: exact id, then ISRC, then MusicBrainz id, then names ----------------------------------------------------

CATALOGUE = [
    {"native_key": "t1", "isrc": "GBAYE0000001", "mbid": "aaaa", "artist_name": "Sigur Rós", "track_name": "Hoppípolla", "genre": "rock"},
    {"native_key": "t2", "isrc": "GBAYE0000002", "mbid": "bbbb", "artist_name": "AC/DC", "track_name": "T.N.T.", "genre": "rock"},
    {"native_key": "t3", "artist_name": "Robyn", "track_name": "Dancing On My Own", "genre": "pop", "energy": 0.5},
    {"native_key": "t4", "artist_name": "Robyn", "track_name": "Dancing on My Own (Radio Edit)", "genre": "edm"},  # shares t3's name
    {"native_key": "t5", "artist_name": "Пикник", "track_name": "Иероглиф", "genre": "rock"},
]
HEARD_AS: list[tuple[str, Row, str, str | None]] = [
    # case, keys of the play, what should match it, the catalogue's key
    ("exact", {"native_key": "t1"}, "exact", "t1"),
    ("exact as a URI", {"native_key": "spotify:track:t1"}, "exact", "t1"),
    ("exact before ISRC", {"native_key": "t1", "isrc": "GBAYE0000002"}, "exact", "t1"),
    ("ISRC", {"native_key": "x9", "isrc": "gbaye0000002"}, "isrc", "t2"),
    ("ISRC before MusicBrainz id", {"isrc": "GBAYE0000002", "mbid": "aaaa"}, "isrc", "t2"),
    ("MusicBrainz id", {"mbid": "AAAA"}, "mbid", "t1"),
    ("MusicBrainz id before name", {"mbid": "aaaa", "artist_name": "Robyn", "track_name": "Dancing On My Own"}, "mbid", "t1"),
    ("accents", {"artist_name": "SIGUR ROS", "track_name": "hoppipolla"}, "name", "t1"),
    ("punctuation", {"artist_name": "ac dc", "track_name": "TNT"}, "name", "t2"),
    ("guests and remasters", {"artist_name": "Robyn feat. Nobody", "track_name": "Dancing On My Own - 2020 Remaster"}, "name", "t3"),
    ("smallest id of one name", {"artist_name": "robyn", "track_name": "Dancing on my own [Live]"}, "name", "t3"),
    ("other letters", {"artist_name": "ПИКНИК", "track_name": "иероглиф"}, "name", "t5"),
    ("title alone", {"track_name": "Hoppípolla"}, "none", None),
    ("another artist", {"artist_name": "Calum Scott", "track_name": "Dancing On My Own"}, "none", None),
    ("nowhere", {"native_key": "zzz"}, "none", None),
]


def test_tracks_are_matched_in_the_order_of_trust(spark: SparkSession) -> None:
    plays = [{"event_id": who(n), "feed": f"feed{n}", "date": D[0], **keys} for n, (_, keys, _, _) in enumerate(HEARD_AS)]
    found = tracks(*_tracks(spark, plays), dates=(D[0],)).collect()
    by_feed = {row["feed"]: row for row in found}
    assert len(found) == len(HEARD_AS)
    exact = {row["native_key"]: by_feed[f"feed{n}"]["track_id"] for n, (case, row, _, _) in enumerate(HEARD_AS) if case == "exact"}
    known: dict[str, str] = {}
    for n, (case, keys, how, key) in enumerate(HEARD_AS):
        row = by_feed[f"feed{n}"]
        assert row["matched_by"] == how, case
        entry = next((entry for entry in CATALOGUE if entry["native_key"] == key), {})
        for column in ATTRIBUTES:
            assert row[column.name] == entry.get(column.name), case
        assert (row["artist_name"], row["track_name"]) == tuple((entry or keys).get(name) for name in ("artist_name", "track_name")), case
        assert known.setdefault(key or case, row["track_id"]) == row["track_id"], f"{case}: one track, two ids"
    assert len(set(known.values())) == len(known)
    assert exact["t1"] == known["t1"]


def test_one_artist_has_one_id_whether_the_track_was_found_or_not(spark: SparkSession) -> None:
    names = [("Robyn", "Dancing On My Own"), ("ROBYN", "Never heard of"), ("Róbyn!", "Nor of this"), ("Calum Scott", "Dancing On My Own")]
    plays = [{"event_id": who(n), "date": D[0], "artist_name": a, "track_name": t} for n, (a, t) in enumerate(names)]
    ids = {row["artist_name"]: row["artist_id"] for row in tracks(*_tracks(spark, plays), dates=(D[0],)).collect()}
    assert ids["Robyn"] == ids["ROBYN"] == ids["Róbyn!"] != ids["Calum Scott"]


def test_a_track_is_listed_once_a_date_and_feed(spark: SparkSession) -> None:
    heard = {"feed": "a", "native_key": "t1"}
    empty = heard | {"isrc": "", "mbid": ""}  # says no more than the one above
    plays = [{"event_id": who(n), "date": day, **keys} for n, (day, keys) in enumerate([(D[0], heard), (D[0], empty), (D[1], heard)])]
    liked = [{"event_id": who(9), "date": D[0], **heard}, {"event_id": who(10), "date": D[0], "feed": "b", "native_key": "zzz"}]
    other = [{"event_id": who(11), "date": D[3], "feed": "c", "native_key": "t2"}]
    found = tracks(*_tracks(spark, plays + other, liked), dates=(D[0], D[1]))
    keyed = [(row["date"], row["feed"], row["matched_by"]) for row in found.collect()]
    assert sorted(keyed) == [(D[0], "a", "exact"), (D[0], "b", "none"), (D[1], "a", "exact")]


def _tracks(spark: SparkSession, plays: list[Row], liked: Iterable[Row] = ()) -> Iterator[DataFrame]:
    yield frame(spark, PLAYS, plays)
    yield frame(spark, FEEDBACK, liked)
    yield frame(spark, TRACKS, [{"feed": "catalogue", **entry} for entry in CATALOGUE])


# ---- listens: local time, skipped, completed -------------------------------------------------------------------------

ZONES = ("Europe/Berlin", "America/New_York", "America/Los_Angeles", "Asia/Kolkata", "Pacific/Kiritimati", "Pacific/Marquesas", "UTC")
MOMENTS = (
    datetime(2026, 10, 24, 23, 30, tzinfo=UTC),  # the next date in Berlin
    datetime(2026, 10, 25, 0, 30, tzinfo=UTC),  # 2:30 in Berlin, and an hour later, the clocks gone back, 2:30 again
    datetime(2026, 10, 25, 1, 30, tzinfo=UTC),
    datetime(2026, 3, 8, 6, 59, tzinfo=UTC),  # 1:59 in New York; a minute later it is 3:00
    datetime(2026, 3, 8, 7, 0, tzinfo=UTC),
    datetime(2026, 11, 1, 6, 30, tzinfo=UTC),  # still October in Los Angeles
    datetime(2026, 12, 31, 10, 0, tzinfo=UTC),  # next year on Kiritimati
)


def test_local_time_is_that_of_the_zones_own_clock(spark: SparkSession) -> None:
    rng = random.Random(1)
    moments = [*MOMENTS, *(datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=rng.randrange(525_600)) for _ in range(150))]
    cases = [(moment, zone) for moment in moments for zone in ZONES]
    plays = [_play(n, moment, time_zone=zone) for n, (moment, zone) in enumerate(cases)]
    found = {row["event_id"]: (row["local_date"], row["local_hour"]) for row in _listens(spark, plays).collect()}
    local = [moment.astimezone(ZoneInfo(zone)) for moment, zone in cases]
    assert found == {who(n): (there.date(), there.hour) for n, there in enumerate(local)}
    assert [found[who(ZONES.index("Europe/Berlin") + n * len(ZONES))][1] for n in (1, 2)] == [2, 2]


def test_the_plays_own_zone_counts_then_the_stated_one_of_that_date_then_utc(spark: SparkSession) -> None:
    late = at(D[1], 23, 30)
    plays = [_play(n, late, listener_id=who(n)) for n in range(4)] + [_play(4, late, listener_id=who(0), time_zone="Asia/Tokyo")]
    stated = [
        {"listener_id": who(0), "date": D[1], "time_zone": "Europe/Berlin"},
        {"listener_id": who(1), "date": D[1], "time_zone": None},
        {"listener_id": who(2), "date": D[2], "time_zone": "Europe/Berlin"},  # said a day too late
    ]
    found = {row["event_id"]: (row["time_zone"], row["local_date"], row["local_hour"]) for row in _listens(spark, plays, stated).collect()}
    utc = ("UTC", D[1], 23)
    assert found == {
        who(0): ("Europe/Berlin", D[2], 0),
        who(1): utc,
        who(2): utc,
        who(3): utc,
        who(4): ("Asia/Tokyo", D[2], 8),
    }


@pytest.fixture(scope="module")
def judged(spark: SparkSession) -> dict[str, Row]:
    """Plays of every kind of length and word of the feed, by case."""
    plays = [_play(n, at(D[0], 1), native_key="t", **row) for n, (row, _, _) in enumerate(JUDGED.values())]
    found = {row["event_id"]: row.asDict() for row in _listens(spark, plays).collect()}
    return {case: found[who(n)] for n, case in enumerate(JUDGED)}


JUDGED: dict[str, tuple[Row, bool | None, bool | None]] = {
    # case -> what the feed says, skipped, completed
    "29.999 s": ({"ms_played": 29_999}, True, None),
    "30 s": ({"ms_played": 30_000}, False, None),
    "30 s of a known length": ({"ms_played": 30_000, "track_ms": 200_000}, False, False),
    "9 tenths": ({"ms_played": 180_000, "track_ms": 200_000}, False, True),
    "just under 9 tenths": ({"ms_played": 179_999, "track_ms": 200_000}, False, False),
    "a jingle to its end": ({"ms_played": 19_000, "track_ms": 20_000}, False, True),
    "a jingle cut off": ({"ms_played": 10_000, "track_ms": 20_000}, True, False),
    "the feed says skipped": ({"ms_played": 190_000, "track_ms": 200_000, "skipped": True}, True, True),
    "the feed says not skipped": ({"ms_played": 1_000, "track_ms": 200_000, "skipped": False}, False, False),
    "only the feed's word": ({"skipped": True}, True, None),
    "nothing known": ({"track_ms": 200_000}, None, None),
}


@pytest.mark.parametrize("case", JUDGED)
def test_skipped_and_completed(judged: dict[str, Row], case: str) -> None:
    assert (judged[case]["skipped"], judged[case]["completed"]) == JUDGED[case][1:]


def test_a_play_knows_its_track_and_takes_its_length_from_the_catalogue_where_the_feed_is_silent(spark: SparkSession) -> None:
    entry = CATALOGUE[2] | {"track_ms": 100_000, "release_date": date(2010, 4, 20)}
    plays = [
        _play(0, at(D[0]), native_key="t3", ms_played=95_000),
        _play(1, at(D[0]), native_key="t3", ms_played=95_000, track_ms=200_000),
        _play(2, at(D[0]), native_key="nowhere", ms_played=95_000),
        _play(3, at(D[1]), native_key="t3", ms_played=95_000),
    ]
    heard = frame(spark, PLAYS, plays)
    found = tracks(heard, frame(spark, FEEDBACK, []), frame(spark, TRACKS, [{"feed": "catalogue", **entry}]), dates=(D[0],))
    rows = {row["event_id"]: row for row in listens(heard, found, frame(spark, SILVER_LISTENERS, []), dates=(D[0],)).collect()}
    assert set(rows) == {who(0), who(1), who(2)}, "only the dates asked for, each play once"
    assert [(rows[who(n)]["track_ms"], rows[who(n)]["completed"]) for n in range(3)] == [(100_000, True), (200_000, False), (None, None)]
    assert rows[who(0)]["track_id"] == rows[who(1)]["track_id"] != rows[who(2)]["track_id"] is not None
    for column in HEARD:
        assert rows[who(2)][column.name] is None
        assert rows[who(0)][column.name] == entry.get(column.name)


def _play(n: int, moment: datetime, **more: Any) -> Row:
    return {"event_id": who(n), "event_ts": moment, "known_ts": moment, "date": moment.date(), "track_name": "x", "device": "car", **more}


def _listens(spark: SparkSession, plays: list[Row], stated: Iterable[Row] = ()) -> DataFrame:
    """Return listens of plays whose tracks are in no catalogue."""
    heard = frame(spark, PLAYS, plays)
    dates = tuple(sorted({row["date"] for row in plays}))
    found = tracks(heard, frame(spark, FEEDBACK, []), frame(spark, TRACKS, []), dates=dates)
    return listens(heard, found, frame(spark, SILVER_LISTENERS, stated), dates=dates)


# ---- sessions: 30 idle minutes, whose date, what a later date changes -------------------------------------------------

MINUTE, GAP = timedelta(minutes=1), timedelta(minutes=30)
pauses = st.sampled_from((0, 1, 29, 30, 31, 240, 1439, 1440, 2000))
lengths = st.sampled_from((None, 0, 1, 29, 30, 200, 1000, 1440))
histories = st.lists(st.lists(st.tuples(pauses, lengths), min_size=1, max_size=14), min_size=10, max_size=30)


def heard_by(history: Iterable[tuple[int, int | None]], n: int) -> Iterator[Row]:
    """Yield plays: each begins some minutes after the end of the one before (or after its start, where it began in between)."""
    now = at(D[0], n % 24, 7 * n % 60)
    for number, (pause, length) in enumerate(history):
        now += pause * MINUTE
        if now < at(D[-1], 0) + timedelta(days=1):
            yield {"event_id": f"{who(n)}{number:03}", "listener_id": who(n), "start": now, "minutes": length}
            now += (length or 0) * MINUTE * (number % 3 != 2)


def plain_sessions(plays: Iterable[Row]) -> dict[tuple[str, datetime], tuple[datetime, int]]:
    """Cut as the contract says, play by play: (listener, start) -> (end, number of plays)."""
    found: dict[tuple[str, datetime], tuple[datetime, int]] = {}
    by_listener = defaultdict(list)
    for play in plays:
        by_listener[play["listener_id"]].append(play)
    for listener, mine in by_listener.items():
        reach, since, last, current = None, D[0], D[0], mine[0]["start"]
        for play in sorted(mine, key=lambda one: (one["start"], one["event_id"])):
            day, end = play["start"].date(), play["start"] + (play["minutes"] or 0) * MINUTE
            paused = reach is None or play["start"] - reach >= GAP
            since = day if paused else since
            if paused or (day > last and day > since + timedelta(days=1)):
                current = play["start"]
            longest, n = found.get((listener, current), (end, 0))
            found[listener, current] = (max(longest, end), n + 1)
            limit = at(day, 0) + timedelta(days=2) - GAP
            reach, last = max(min(end, limit), reach or end), day
    return found


@settings(max_examples=4, deadline=None, suppress_health_check=list(HealthCheck))
@given(histories)
def test_sessions_are_cut_as_by_hand_in_one_pass_or_date_by_date(spark: SparkSession, several: list[list[tuple[int, int | None]]]) -> None:
    plays = [play for n, history in enumerate(several) for play in heard_by(history, n)]
    rows = [_listen(play) for play in plays]
    heard = frame(spark, LISTENS, rows)
    whole = sessions(heard, dates=tuple(D)).withColumn("pass", F.lit("whole"))
    (read,) = SESSIONS_JOB.reads
    for day in D:
        near = [row for row in rows if read.needs(day, row["date"].isoformat())]
        if near:
            whole = whole.unionByName(sessions(frame(spark, LISTENS, near), dates=(day,)).withColumn("pass", F.lit("daily")))
    found = whole.withColumn("started", F.unix_millis("started_ts")).withColumn("ended", F.unix_millis("ended_ts")).collect()
    for one_pass in ("whole", "daily"):
        mine = [row for row in found if row["pass"] == one_pass]
        cut = {(r["listener_id"], _moment(r["started"])): (_moment(r["ended"]), r["plays"]) for r in mine}
        assert cut == plain_sessions(plays), one_pass
        assert all(row["date"] == _moment(row["started"]).date() for row in mine)
        assert len({row["session_id"] for row in mine}) == len(mine) == len(cut)


def test_a_session_remembers_what_was_heard_where_it_is_known(spark: SparkSession) -> None:
    known = (
        {"energy": 0.2, "tempo": 100.0, "kind": "episode", "place": "DE"},
        {"energy": 0.9, "skipped": False},
        {"skipped": True, "place": "FR"},
    )
    plays = [{"event_id": str(n), "listener_id": who(1), "start": at(D[0], 9, n), "minutes": 1} for n in range(3)]
    rows = [_listen(play) | {"kind": "track", "skipped": None} | more for play, more in zip(plays, known, strict=True)]
    (found,) = sessions(frame(spark, LISTENS, rows), dates=(D[0],)).collect()
    assert (found["place"], found["plays"], found["judged"], found["skips"], found["episodes"]) == ("DE", 3, 2, 1, 1)
    assert [found[f"mean_{name}"] for name in ("energy", "valence", "acousticness", "tempo")] == [0.55, None, None, 100.0]


def test_a_session_over_midnight_belongs_to_the_date_of_its_first_play_and_is_known_with_its_last(spark: SparkSession) -> None:
    evening = {"event_id": "b", "listener_id": who(1), "start": at(D[1], 23, 50), "minutes": 5, "device": "car", "skipped": True}
    after = {"event_id": "a", "listener_id": who(1), "start": at(D[2], 0, 10), "minutes": 3, "device": "tv", "skipped": None}
    before, later = ([_listen(play) for play in plays] for plays in ([evening], [evening, after]))
    (alone,) = sessions(frame(spark, LISTENS, before), dates=(D[0], D[1])).collect()
    assert (alone["date"], alone["plays"]) == (D[1], 1)
    (both,) = sessions(frame(spark, LISTENS, later), dates=(D[1], D[2])).collect()
    assert (both["date"], both["session_id"], both["device"], both["plays"]) == (D[1], alone["session_id"], "car", 2)
    assert (both["skips"], both["ms_played"], both["local_hour"]) == (1, 480_000, 23)
    assert both["known_ts"] > alone["known_ts"]
    assert SESSIONS_JOB.rewrites == (-1, 0), "who runs the second date lengthens the session of the first"


def test_a_play_of_unknown_length_is_taken_to_last_as_long_as_its_track(spark: SparkSession) -> None:
    lengths = {"track": (None, 5), "heard": (1, 5), "neither": (None, None)}
    plays = [
        _listen({"event_id": f"{n}", "listener_id": listener, "start": at(D[0], 12, 33 * n), "minutes": heard})
        | {"track_ms": track and track * 60_000}
        for listener, (heard, track) in lengths.items()
        for n in (0, 1)
    ]
    found = sessions(frame(spark, LISTENS, plays), dates=(D[0],)).groupBy("listener_id").count().collect()
    assert {row["listener_id"]: row["count"] for row in found} == {"track": 1, "heard": 2, "neither": 2}


def _listen(play: Row) -> Row:
    start, minutes = play["start"], play["minutes"]
    heard = {"ms_played": None if minutes is None else minutes * 60_000, "known_ts": start + (minutes or 0) * MINUTE}
    local = {"date": start.date(), "local_date": start.date(), "local_hour": start.hour, "event_ts": start}
    return {**heard, **local, "device": "web", **{name: play[name] for name in play if name not in ("start", "minutes")}}


def _moment(millis: int) -> datetime:
    return datetime.fromtimestamp(millis / 1000, UTC)


@pytest.mark.slow
def test_boundaries_of_a_real_log_are_found_again(
    spark: SparkSession, real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "tests/truth"))
    from intake import sessions as measure  # noqa: PLC0415
    from worlds import Size  # noqa: PLC0415

    rows = measure(Size(folder=tmp_path))
    assert [row.id for row in rows] == ["session_precision", "session_recall"]
    assert all(row.value is not None and 0.98 <= row.value <= 1 for row in rows), rows
