"""Feeds that no one here made: what is published is what plain Python reads in the raw files, no row more and none less."""

from __future__ import annotations

import csv
import gzip
import json
import math
import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
from feeds import pseudonym_of, stored

from jobs.catalogue import TABLES
from jobs.contracts.operations import QUARANTINE
from jobs.ingest import Report, ingest
from jobs.lake.key import load_key

if TYPE_CHECKING:
    from pathlib import Path

    from jobs.lake.spark import SparkLake

CLOCK = datetime(2026, 11, 20, tzinfo=UTC)
PLAYS, TRACKS = TABLES["bronze.plays"], TABLES["bronze.tracks"]
Row = dict[str, Any]


def plays(lake: SparkLake, *names: str) -> list[tuple[Any, ...]]:
    """Return the named columns of all plays, times as text."""
    found = lake.arrow.read(PLAYS, columns=list(names)).to_pylist()
    return in_order(tuple(row[name] for name in names) for row in found)


def in_order(rows: Any) -> list[tuple[Any, ...]]:
    return sorted((tuple(moment(one) if isinstance(one, datetime) else one for one in row) for row in rows), key=str)


def moment(when: datetime) -> str:
    return when.astimezone(UTC).isoformat()


def counts(report: Report, table: str = "bronze.plays") -> tuple[int, int, int]:
    total = next(one.total for one in report.intakes if one.table == table)
    return total.kept, total.quarantined, total.deduplicated


def test_the_event_log_of_a_music_service(lake: SparkLake, real_data: Path) -> None:
    with gzip.open(real_data / "eventsim/events.jsonl.gz", "rt", encoding="utf-8") as file:
        events = [json.loads(line) for line in file]
    songs = [event for event in events if event["page"] == "NextSong"]
    assert (len(events), len(songs)) == (8056, 6820)
    report = ingest(lake, "eventsim", [real_data / "eventsim"], clock=CLOCK, basis="assume")
    assert counts(report) == (6820, 0, 0)
    assert counts(report, "bronze.feedback") == (0, 0, 0)
    assert report.stated == len({song["userId"] for song in songs})

    key = load_key(lake.address)
    states = {event["location"]: re.search(r", ([A-Z]{2})", event["location"]).group(1) for event in songs}  # type: ignore[union-attr]
    expected = [
        (
            pseudonym_of(key, "eventsim", song["userId"]),
            datetime.fromtimestamp(song["ts"] // 1000, UTC) + timedelta(milliseconds=song["ts"] % 1000),
            song["artist"].strip(" "),
            song["song"].strip(" "),
            round(song["length"] * 1000),
            song["level"],
            str(song["sessionId"]),
            f"US-{states[song['location']]}",
        )
        for song in songs
    ]
    names = ("listener_id", "event_ts", "artist_name", "track_name", "track_ms", "plan", "native_session", "place")
    assert plays(lake, *names) == in_order(expected)
    assert plays(lake, "position") == in_order((n,) for n, event in enumerate(events) if event["page"] == "NextSong")
    assert all(zone for (zone,) in plays(lake, "time_zone"))
    devices = Counter(device for (device,) in plays(lake, "device"))
    assert devices["mobile"] + devices["tablet"] == sum("iPhone" in song["userAgent"] or "iPad" in song["userAgent"] for song in songs)
    assert devices["unknown"] == 0


def listens_of(folder: Path) -> tuple[list[Row], int]:
    """Return every listen of submissions, exports and dumps as (listener, time, arrival, artist, title), and how many are none."""
    found: list[Row] = []
    for path in sorted(folder.iterdir()):
        if path.suffix == ".parquet":
            found += pq.read_table(path).to_pylist()
        elif path.suffix == ".jsonl":
            found += [json.loads(line) for line in path.read_text().splitlines()]
        elif path.suffix == ".json" and isinstance(submission := json.loads(path.read_text()), dict):
            found += submission["payload"]
    good = [row for one in found if (row := listen_of(one))]
    return good, len(found) - len(good)


def listen_of(one: Row) -> Row | None:
    about = {"artist_name": one.get("artist_name"), "track_name": one.get("recording_name")} | (one.get("track_metadata") or {})
    when = one.get("listened_at")
    if when is None or (isinstance(when, float) and math.isnan(when)) or not about["track_name"]:
        return None
    at = when.to_pydatetime().replace(tzinfo=UTC) if hasattr(when, "to_pydatetime") else datetime.fromtimestamp(int(when), UTC)
    known = at + timedelta(minutes=1)
    if "inserted_at" in one:
        known = datetime.fromtimestamp(one["inserted_at"], UTC)
    if "created" in one:
        known = one["created"].to_pydatetime().replace(tzinfo=UTC)
    return {"who": str(one.get("user_id") or "me"), "at": at, "known": known, "artist": about["artist_name"], "title": about["track_name"]}


def test_listens_as_submitted_exported_and_dumped(lake: SparkLake, real_data: Path) -> None:
    good, bad = listens_of(real_data / "listenbrainz")
    once = {(row["who"], row["at"], row["artist"], row["title"]): row for row in sorted(good, key=lambda row: row["known"], reverse=True)}
    assert len(good) > 30
    assert bad == 4
    report = ingest(lake, "listenbrainz", [real_data / "listenbrainz"], clock=CLOCK, user="me")
    assert counts(report) == (len(once), bad, len(good) - len(once))
    key = load_key(lake.address)
    expected = [
        (pseudonym_of(key, "listenbrainz", row["who"]), row["at"], row["known"], row["artist"], row["title"]) for row in once.values()
    ]
    assert plays(lake, "listener_id", "event_ts", "known_ts", "artist_name", "track_name") == in_order(expected)
    names = {stored("listenbrainz", path.name, path.read_bytes()): path.name for path in (real_data / "listenbrainz").iterdir()}
    refused = Counter((names[row["file"]], row["reason"]) for row in lake.arrow.read(QUARANTINE).to_pylist())
    assert refused == {
        ("invalid_listen_nan_in_json.json", "nan"): 1,
        ("invalid_listen_null_listened_at.json", "null_time"): 1,
        ("invalid_listen_null_track_metadata.json", "null_track"): 1,
        ("too_many_tags.json", "null_time"): 1,
    }
    others = {one.name: one.takers for one in report.skipped}
    assert others == {"librefm.csv": ("lastfm",)} | {path.name: ("spotify",) for path in (real_data / "listenbrainz").glob("spotify_*")}


def test_a_librefm_export(lake: SparkLake, real_data: Path) -> None:
    text = (real_data / "listenbrainz/librefm.csv").read_text().splitlines()
    rows = list(csv.DictReader(text[text.index("Artist,Track,Album,Time") :]))
    assert len(rows) == 3
    report = ingest(lake, "lastfm", [real_data / "listenbrainz"], clock=CLOCK, user="me")
    assert counts(report) == (3, 0, 0)
    expected = [(datetime.fromtimestamp(int(row["Time"]), UTC), row["Artist"], row["Track"], row["Album"] or None) for row in rows]
    assert plays(lake, "event_ts", "artist_name", "track_name", "album_name") == in_order(expected)


def test_extended_streaming_histories_in_both_spellings(lake: SparkLake, real_data: Path) -> None:
    files = sorted((real_data / "listenbrainz").glob("spotify_*.json"))
    rows = [row for path in files for row in json.loads(path.read_text())]
    assert {"ip_addr", "ip_addr_decrypted"} <= set().union(*rows)
    good = [row for row in rows if row.get("ts") and row.get("ms_played") is not None and row["spotify_track_uri"]]
    once = {(row.get("username") or "me", row["ts"], row["spotify_track_uri"], row["ms_played"]): row for row in reversed(good)}
    report = ingest(lake, "spotify", [real_data / "listenbrainz"], clock=CLOCK, user="me")
    assert counts(report) == (len(once), len(rows) - len(good), len(good) - len(once))
    assert len(once) > 15
    assert len(good) - len(once) >= 3
    key = load_key(lake.address)
    expected = [
        (
            pseudonym_of(key, "spotify", who),
            datetime.fromisoformat(ended) - timedelta(milliseconds=heard),
            datetime.fromisoformat(ended) + timedelta(minutes=1),
            uri,
            row["master_metadata_album_artist_name"],
            row["master_metadata_track_name"],
            heard,
            "track",
        )
        for (who, ended, uri, heard), row in once.items()
    ]
    names = ("listener_id", "event_ts", "known_ts", "native_key", "artist_name", "track_name", "ms_played", "kind")
    assert plays(lake, *names) == in_order(expected)
    assert {place for (place,) in plays(lake, "place")} == {
        row["conn_country"] if row["conn_country"] not in ("", "ZZ") else None for row in once.values()
    }


def test_a_catalogue_with_audio_descriptors(lake: SparkLake, real_data: Path) -> None:
    with gzip.open(real_data / "spotify-songs/spotify_songs.csv.gz", "rt", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 32_833
    named = [row for row in rows if (row["track_name"], row["track_artist"]) != ("NA", "NA")]
    assert len(rows) - len(named) == 5
    by_key: dict[str, list[Row]] = {}
    for row in named:
        by_key.setdefault(row["track_id"], []).append(row)
    report = ingest(lake, "catalogue", [real_data / "spotify-songs"], clock=CLOCK)
    refused = lake.arrow.read(QUARANTINE).num_rows
    found = {row["native_key"]: row for row in lake.arrow.read(TRACKS).to_pylist()}
    kept, quarantined, deduplicated = counts(report, "bronze.tracks")
    assert (kept, quarantined, kept + quarantined + deduplicated) == (len(found), refused, 32_833)
    assert found.keys() == by_key.keys()
    assert {row["reason"] for row in lake.arrow.read(QUARANTINE).to_pylist()} == {"null_track"}
    assert refused == len(rows) - len(named)
    for key, row in found.items():
        first = by_key[key][0]
        assert (row["track_name"], row["artist_name"]) == (first["track_name"].strip(), first["track_artist"].strip())
        assert row["release_date"].isoformat() == (first["track_album_release_date"] + "-01-01")[:10]
        assert (row["tempo"], row["energy"]) == (float(first["tempo"]), float(first["energy"]))
        assert row["genre"] == most_frequent(one["playlist_genre"] for one in by_key[key])
        assert row["subgenre"] == most_frequent(one["playlist_subgenre"] for one in by_key[key])


def most_frequent(values: Any) -> str:
    """Return the most frequent value, of several the first by alphabet."""
    return min(Counter(values).items(), key=lambda item: (-item[1], item[0]))[0]
