"""Tiny files of every feed, written as the formats' public descriptions say, and the rows they must end in."""

from __future__ import annotations

import csv
import hashlib
import hmac
import io
import json
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from jobs.contracts.events import PLAYS
from jobs.sources import SOURCES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pytest

CLOCK = datetime(2026, 11, 20, tzinfo=UTC)
ANNA, BERT = "raw-anna-4711", "raw-bert-0815"
MINUTE = timedelta(minutes=1)
STRICT = ("no_fridge", "device = 'fridge'")
Row = dict[str, Any]


@dataclass(frozen=True)
class Example:
    """A source's good files and a late one: their content by name, the rows by table, and what is counted besides."""

    files: Mapping[str, bytes]
    rows: Mapping[str, list[Row]]
    late: Mapping[str, bytes]
    late_rows: Mapping[str, list[Row]]
    known_already: int = 1  # records of the late file that an earlier file brought


def at(day: int, hour: int, minute: int = 0, second: int = 0) -> datetime:
    """Return a moment of November 2026, UTC."""
    return datetime(2026, 11, day, hour, minute, second, tzinfo=UTC)


def pseudonym_of(key: bytes, source: str, raw: str) -> str:
    """Return what stands for a raw id: HMAC-SHA256 of feed, unit separator and id, 32 hex digits."""
    return hmac.new(key, f"{source}\x1f{raw}".encode(), hashlib.sha256).hexdigest()[:32]


def strict(monkeypatch: pytest.MonkeyPatch, *checks: tuple[str, str]) -> None:
    """Let the native adapter refuse more plays than it does."""
    native = SOURCES["native"]
    feeds = tuple(replace(feed, checks=(*feed.checks, *checks)) if feed.table is PLAYS else feed for feed in native.feeds)
    monkeypatch.setitem(SOURCES, "native", replace(native, feeds=feeds))


def put(folder: Path, files: Mapping[str, bytes]) -> Path:
    """Write files into a folder that is made if need be."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def lines(*rows: Row) -> bytes:
    """Return JSON lines."""
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def sheet(*rows: Iterable[object], delimiter: str = ",") -> bytes:
    """Return delimited text."""
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def parquet(*rows: Row) -> bytes:
    """Return a Parquet file."""
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(list(rows)), sink)
    return sink.getvalue().to_pybytes()


def play(listener: str, when: datetime, known: datetime | None = None, **values: Any) -> Row:
    """Return a row of bronze.plays; what is not given is null, a track on an unknown device, known a minute later."""
    return {"listener": listener, "event_ts": when, "known_ts": known or when + MINUTE, "kind": "track", "device": "unknown"} | values


# eventsim: https://github.com/Interana/eventsim, as in the Udacity "Sparkify" logs.
PHONE = '"Mozilla/5.0 (iPhone; CPU iPhone OS 7_1_2 like Mac OS X) AppleWebKit/537.51.2"'


def page(name: str, when: datetime, user: str, item: int, **values: Any) -> Row:
    """Return one page view."""
    head = {"ts": int(when.timestamp() * 1000), "userId": user, "sessionId": 12, "page": name, "auth": "Logged In", "method": "PUT"}
    body = {"status": 200, "level": "paid", "itemInSession": item, "location": "Phoenix-Mesa-Scottsdale, AZ", "userAgent": PHONE}
    tail = {"lastName": "Raw-Lastname", "firstName": "Raw-Firstname", "registration": 1540344794796.0, "gender": "F"}
    return head | body | tail | {"artist": None, "song": None, "length": None} | values


def streamed(when: datetime, user: str, item: int, **values: Any) -> Row:
    """Return the page view of a song."""
    return page("NextSong", when, user, item, artist="Des'ree", song="You Gotta Be", length=246.30812) | values


SONG = {"artist_name": "Des'ree", "track_name": "You Gotta Be", "track_ms": 246308, "plan": "paid", "native_session": "12"}
PHOENIX = {"device": "mobile", "place": "US-AZ", "time_zone": "America/Phoenix"}
NOWHERE = {"location": None, "userAgent": None}
EVENTSIM = Example(
    files={
        "2026/11/2026-11-01-events.json": lines(
            page("Home", at(1, 9), ANNA, 0),
            streamed(at(1, 9, 1), ANNA, 1),
            page("Thumbs Up", at(1, 9, 2), ANNA, 2, artist="Des'ree", song="You Gotta Be"),
            page("Home", at(1, 9, 3), "", 0, **NOWHERE),
        ),
        "more/all.json": json.dumps([streamed(at(2, 23, 59, 59), BERT, 1, level="free", **NOWHERE)]).encode(),
    },
    rows={
        "bronze.plays": [
            play(ANNA, at(1, 9, 1), **SONG, **PHOENIX, file="2026-11-01-events.json", position=1),
            play(BERT, at(2, 23, 59, 59), **SONG | {"plan": "free"}, file="all.json", position=0),
        ],
        "bronze.feedback": [
            {"listener": ANNA, "event_ts": at(1, 9, 2), "known_ts": at(1, 9, 3), "action": "like", "artist_name": "Des'ree"}
            | {"track_name": "You Gotta Be", "file": "2026-11-01-events.json", "position": 2}
        ],
    },
    late={"late.jsonl": lines(streamed(at(1, 9, 1), ANNA, 1), streamed(at(2, 8), BERT, 0, **NOWHERE))},
    late_rows={"bronze.plays": [play(BERT, at(2, 8), **SONG, file="late.jsonl", position=1)]},
)


# ListenBrainz: https://listenbrainz.readthedocs.io (JSON documentation, data dumps).
def listen(title: str, when: datetime, **values: Any) -> Row:
    """Return one listen as it is submitted."""
    return {"listened_at": int(when.timestamp()), "track_metadata": {"artist_name": "Kanye West", "track_name": title}} | values


MBID = "2cfad207-3f55-4aec-8120-86cf66e34d59"
INFO = {
    "isrc": ["GB-AYE-81-00053"],
    "duration_ms": "206760",
    "spotify_id": "https://open.spotify.com/track/2AX5E86cn9n2dgioZEjirI",
    "recording_mbid": "",
}
TOLD = {"artist_name": "The Stranglers", "track_name": "Golden Brown", "release_name": "La Folie", "additional_info": INFO}
EXPORTED = listen("", at(2, 8), inserted_at=at(2, 9).timestamp(), user_name=ANNA)
EXPORTED["track_metadata"] = TOLD | {"mbid_mapping": {"recording_mbid": MBID}}
DUMPED = {
    "listened_at": at(3, 7).replace(tzinfo=None),
    "created": at(4, 7).replace(tzinfo=None),
    "user_id": 815,
    "recording_msid": "17d89d1a-8b1e-4eb7-b284-76453b30f023",
    "artist_name": "Ott",
    "release_name": "Blumenkraft",
    "recording_name": "Splitting an Atom",
    "recording_mbid": MBID,
}
FADE = {"artist_name": "Kanye West", "track_name": "Fade"}
SINGLE = {"listen_type": "single", "payload": [listen("Fade", at(1, 12))]}
LISTENBRAINZ = Example(
    files={
        "single.json": json.dumps(SINGLE, indent=4).encode(),
        "listens/2026/11.jsonl": lines(EXPORTED),
        "listens/2025/11.jsonl": lines(listen("Sister", at(1, 13), user_name=ANNA)),
        "dump/1.parquet": parquet(DUMPED),
    },
    rows={
        "bronze.plays": [
            play("me", at(1, 12), **FADE, file="single.json", position=0),
            play(
                ANNA,
                at(2, 8),
                known=at(2, 9),
                native_key="2AX5E86cn9n2dgioZEjirI",
                isrc="GBAYE8100053",
                mbid=MBID,
                artist_name="The Stranglers",
                track_name="Golden Brown",
                album_name="La Folie",
                track_ms=206760,
                file="11.jsonl",
                position=0,
            ),
            play(ANNA, at(1, 13), artist_name="Kanye West", track_name="Sister", file="11.jsonl", position=0),
            play(
                "815",
                at(3, 7),
                known=at(4, 7),
                mbid=MBID,
                artist_name="Ott",
                track_name="Splitting an Atom",
                album_name="Blumenkraft",
                file="1.parquet",
                position=0,
            ),
        ]
    },
    late={
        "import.json": json.dumps({"listen_type": "import", "payload": [listen("Wolves", at(2, 1)), listen("Fade", at(1, 12))]}).encode()
    },
    late_rows={"bronze.plays": [play("me", at(2, 1), artist_name="Kanye West", track_name="Wolves", file="import.json", position=0)]},
)

# Last.fm: the 1K-users set's README; Libre.fm's and several exporters' CSV.
SCROBBLE = {"artist_name": "Underworld", "track_name": "Boy, Boy, Boy"}
HISTORY = [
    (ANNA, "2026-11-01T23:08:57Z", "", "Underworld", MBID, "Boy, Boy, Boy"),
    (BERT, "2026-11-02T13:54:10Z", "", "Underworld", "", "Boy, Boy, Boy"),
]
UTS = ("uts", "utc_time", "artist", "artist_mbid", "album", "album_mbid", "track", "track_mbid")
EPOCH = int(at(3, 6).timestamp() * 1000)
LASTFM = Example(
    files={
        "userid-timestamp-artid-artname-traid-traname.tsv": sheet(*HISTORY, delimiter="\t"),
        "librefm.csv": b"+ACM- Data export from Libre.fm,,,\n"
        + sheet(("Artist", "Track", "Album", "Time"), ("Oasis", "Wonderwall", "(What's the Story)", int(at(3, 1).timestamp()))),
        "recenttracks.csv": sheet(UTS, (int(at(3, 2).timestamp()), "03 Nov 2026, 02:00", "Oasis", "", "", "", "Lyla", MBID)),
        "headerless.csv": b'Oasis,Heathen,Lyla,"03 Nov 2026 03:00"\nOasis,,"Some ""Might"" Say","3 Nov 2026 4:05"\n',
        "dated.csv": sheet(("Artist", "Album", "Track", "Date"), ("Oasis", "", "Lyla", "2026-11-03T05:00:00.000Z")),
        "lastfmstats.csv": f'\ufeffArtist;Album;AlbumId;Track;Date#{ANNA}\n"Oasis; the";"";"";"Lyla";"{EPOCH}"\n'.encode(),
        "lastfmstats.json": json.dumps(
            {"username": ANNA, "scrobbles": [{"track": "Lyla", "artist": "Blur", "album": "", "albumId": "", "date": EPOCH}]}
        ).encode(),
        "kaggle.csv": sheet(
            ("", "Username", "Artist", "Track", "Album", "Date", "Time"), (0, ANNA, "Oasis", "Lyla", "", "03 Nov 2026", " 23:36")
        ),
    },
    rows={
        "bronze.plays": [
            play(ANNA, at(1, 23, 8, 57), **SCROBBLE, mbid=MBID, file="userid-timestamp-artid-artname-traid-traname.tsv", position=0),
            play(BERT, at(2, 13, 54, 10), **SCROBBLE, file="userid-timestamp-artid-artname-traid-traname.tsv", position=1),
            play(
                "me",
                at(3, 1),
                artist_name="Oasis",
                track_name="Wonderwall",
                album_name="(What's the Story)",
                file="librefm.csv",
                position=2,
            ),
            play("me", at(3, 2), artist_name="Oasis", track_name="Lyla", mbid=MBID, file="recenttracks.csv", position=1),
            play("me", at(3, 3), artist_name="Oasis", track_name="Lyla", album_name="Heathen", file="headerless.csv", position=0),
            play("me", at(3, 4, 5), artist_name="Oasis", track_name='Some "Might" Say', file="headerless.csv", position=1),
            play("me", at(3, 5), artist_name="Oasis", track_name="Lyla", file="dated.csv", position=1),
            play("me", at(3, 6), artist_name="Oasis; the", track_name="Lyla", file="lastfmstats.csv", position=1),
            play("me", at(3, 6), artist_name="Blur", track_name="Lyla", file="lastfmstats.json", position=0),
            play(ANNA, at(3, 23, 36), artist_name="Oasis", track_name="Lyla", file="kaggle.csv", position=1),
        ]
    },
    late={"late.tsv": sheet(HISTORY[1], (BERT, "2026-11-02T14:00:00Z", "", "Underworld", "", "Rez"), delimiter="\t")},
    late_rows={"bronze.plays": [play(BERT, at(2, 14), artist_name="Underworld", track_name="Rez", file="late.tsv", position=1)]},
)

# Spotify: "Understanding my data", extended and account data.
WHAT = [
    "master_metadata_track_name",
    "master_metadata_album_artist_name",
    "master_metadata_album_album_name",
    "spotify_track_uri",
    "episode_name",
    "episode_show_name",
    "spotify_episode_uri",
]
BOOK = ("audiobook_title", "audiobook_uri", "audiobook_chapter_uri", "audiobook_chapter_title")


def stream(ended: datetime, heard: int, **values: Any) -> Row:
    """Return one stream of the extended history."""
    head = {"ts": ended.isoformat().replace("+00:00", "Z"), "platform": "android", "ms_played": heard, "conn_country": "DE"}
    tail = {"reason_start": "clickrow", "reason_end": "trackdone", "shuffle": False, "skipped": False, "offline": False}
    return head | dict.fromkeys((*WHAT, *BOOK)) | tail | {"offline_timestamp": 0, "incognito_mode": False} | values


RED = {
    "master_metadata_track_name": "I Knew You Were Trouble",
    "master_metadata_album_artist_name": "Taylor Swift",
    "master_metadata_album_album_name": "Red",
    "spotify_track_uri": "spotify:track:6RjKVXi31fui9m4dbiGRrL",
}
TALK = {"episode_name": "Ep. 1", "episode_show_name": "A Talk", "spotify_episode_uri": "spotify:episode:e1"}
CHAPTER = {
    "audiobook_title": "Emma",
    "audiobook_uri": "spotify:show:b",
    "audiobook_chapter_uri": "spotify:episode:c1",
    "audiobook_chapter_title": "Chapter 1",
}
TROUBLE = {
    "native_key": RED["spotify_track_uri"],
    "artist_name": "Taylor Swift",
    "track_name": "I Knew You Were Trouble",
    "album_name": "Red",
}
HERE = {"device": "mobile", "place": "DE"}
OLD = {"username": ANNA, "ip_addr_decrypted": "192.0.2.77", "user_agent_decrypted": "unknown", "city": None, "region": None}
SPOTIFY = Example(
    files={
        "endsong_0.json": json.dumps([stream(at(1, 12), 60_000, **RED, **OLD) | {"skipped": None}], indent=2).encode(),
        "Streaming_History_Audio_2026_1.json": json.dumps(
            [
                stream(at(2, 0, 0, 30), 60_000, **RED, ip_addr="192.0.2.77")
                | {"platform": "web_player windows 10;chrome", "skipped": True},
                stream(at(2, 8), 0, **TALK) | {"conn_country": "ZZ"},
                stream(at(2, 9), 1_000, **CHAPTER) | {"platform": "Partner samsung tizen;tv"},
            ]
        ).encode(),
        "StreamingHistory_music_0.json": json.dumps(
            [{"endTime": "2026-11-03 10:01", "artistName": "Oasis", "trackName": "Lyla", "msPlayed": 60_000}], indent=2
        ).encode(),
        "StreamingHistory_podcast_0.json": json.dumps(
            [{"endTime": "2026-11-03 11:00", "podcastName": "A Talk", "episodeName": "Ep. 2", "msPlayed": 1_000}]
        ).encode(),
    },
    rows={
        "bronze.plays": [
            play(ANNA, at(1, 11, 59), known=at(1, 12, 1), **TROUBLE, **HERE, ms_played=60_000, file="endsong_0.json", position=0),
            play(
                "me",
                at(1, 23, 59, 30),
                known=at(2, 0, 1, 30),
                **TROUBLE,
                **HERE | {"device": "web"},
                ms_played=60_000,
                skipped=True,
                file="Streaming_History_Audio_2026_1.json",
                position=0,
            ),
            play(
                "me",
                at(2, 8),
                native_key="spotify:episode:e1",
                artist_name="A Talk",
                track_name="Ep. 1",
                kind="episode",
                ms_played=0,
                skipped=False,
                device="mobile",
                file="Streaming_History_Audio_2026_1.json",
                position=1,
            ),
            play(
                "me",
                at(2, 8, 59, 59),
                known=at(2, 9, 1),
                native_key="spotify:episode:c1",
                artist_name="Emma",
                track_name="Chapter 1",
                kind="episode",
                ms_played=1_000,
                skipped=False,
                device="tv",
                place="DE",
                file="Streaming_History_Audio_2026_1.json",
                position=2,
            ),
            play(
                "me",
                at(3, 10),
                known=at(3, 10, 2),
                artist_name="Oasis",
                track_name="Lyla",
                ms_played=60_000,
                file="StreamingHistory_music_0.json",
                position=0,
            ),
            play(
                "me",
                at(3, 10, 59, 59),
                known=at(3, 11, 1),
                artist_name="A Talk",
                track_name="Ep. 2",
                kind="episode",
                ms_played=1_000,
                file="StreamingHistory_podcast_0.json",
                position=0,
            ),
        ]
    },
    late={"Streaming_History_Audio_2026_2.json": json.dumps([stream(at(2, 8), 0, **TALK), stream(at(1, 12), 0, **RED)]).encode()},
    late_rows={
        "bronze.plays": [
            play("me", at(1, 12), **TROUBLE, **HERE, ms_played=0, skipped=False, file="Streaming_History_Audio_2026_2.json", position=1)
        ]
    },
)

# A catalogue as the CC0 "30000 Spotify Songs" table has it.
HEADER = [
    "track_id",
    "track_name",
    "track_artist",
    "track_album_release_date",
    "playlist_genre",
    "playlist_subgenre",
    "danceability",
    "energy",
    "valence",
    "acousticness",
    "instrumentalness",
    "liveness",
    "speechiness",
    "tempo",
    "loudness",
    "duration_ms",
]
UNIT = dict.fromkeys(("danceability", "energy", "valence", "acousticness", "instrumentalness", "liveness", "speechiness"), 0.25)


def song(key: str, released: str = "2019-06-14", genre: str = "pop", **values: Any) -> tuple[object, ...]:
    """Return a line of a catalogue: one track in one playlist."""
    row = {"track_id": key, "track_name": "Guts", "track_artist": "Budos Band", "track_album_release_date": released}
    row |= {"playlist_genre": genre, "playlist_subgenre": "Dance Pop", **UNIT, "tempo": 122.036, "loudness": -2.6, "duration_ms": 194754.0}
    return tuple((row | values)[name] for name in HEADER)


def listed(key: str, released: date, position: int, **values: Any) -> Row:
    """Return a row of bronze.tracks."""
    row = {"native_key": key, "artist_name": "Budos Band", "track_name": "Guts", "release_date": released, "genre": "pop"}
    row |= {"subgenre": "dance pop", "track_ms": 194754, "tempo": 122.036, "loudness": -2.6, **UNIT, "file": "songs.csv"}
    return row | {"position": position} | values


SONGS = sheet(
    HEADER,
    song("t1", genre="rock"),
    song("t2", "1979", tempo=""),
    song("t1", genre="Pop"),
    song("t3", "1979-05"),
    song("t1", genre="pop"),
)
CATALOGUE = Example(
    files={"songs.csv": SONGS},
    rows={
        "bronze.tracks": [
            listed("t1", date(2019, 6, 14), 1),
            listed("t2", date(1979, 1, 1), 2, tempo=None),
            listed("t3", date(1979, 5, 1), 4),
        ]
    },
    late={"late.csv": sheet(HEADER, song("t3", "1980"), song("t4", track_name="NA"))},
    late_rows={"bronze.tracks": [listed("t4", date(2019, 6, 14), 2, file="late.csv", track_name="NA")]},
)


# Our own feeds.
def own(what: str, number: int, when: datetime, **values: Any) -> Row:
    """Return a line of one of our own feeds, sent ten minutes after it happened."""
    return {f"{what}_id": f"{what}-{number}", "listener": ANNA, "sent_at": (when + 10 * MINUTE).isoformat()} | values


def heard(number: int, when: datetime, **values: Any) -> Row:
    """Return a line of the plays feed."""
    return own("play", number, when, started_at=when.isoformat(), track=f"t{number}", title="Guts", kind="track") | values


SEEN = {"known_ts": at(1, 8, 10), "event_ts": at(1, 8), "listener": ANNA}
NATIVE = Example(
    files={
        "plays-1.jsonl": lines(heard(1, at(1, 8), ms_played=5, device="car", time_zone="Europe/Rome"), heard(2, at(2, 8), device="fridge")),
        "feedback-1.jsonl": lines(own("feedback", 1, at(1, 8), at=at(1, 8).isoformat(), action="save", track="t1")),
        "ads-1.jsonl": lines(
            own("ad_event", 1, at(1, 8), at=at(1, 8).isoformat(), impression="i1", kind="click", campaign="c", category="food")
        ),
        "listeners-1.jsonl": lines(own("statement", 1, at(1, 8), at=at(1, 8).isoformat(), consent="granted", age_band="25_34")),
        "weather-1.jsonl": lines({"place": "IT", "hour": at(2, 8).isoformat(), "issued_at": at(1, 8).isoformat(), "temperature_c": 9.5}),
        "mentions-1.jsonl": lines(
            {"mention_id": "m1", "platform": "x", "text": "Guts!", "at": at(1, 8).isoformat(), "sent_at": at(1, 9).isoformat()}
        ),
        "songs.csv": SONGS,
    },
    rows={
        "bronze.plays": [
            play(ANNA, at(1, 8), known=at(1, 8, 10), native_key="t1", track_name="Guts", ms_played=5, device="car", time_zone="Europe/Rome")
            | {"file": "plays-1.jsonl", "position": 0},
            play(ANNA, at(2, 8), known=at(2, 8, 10), native_key="t2", track_name="Guts", file="plays-1.jsonl", position=1),
        ],
        "bronze.feedback": [SEEN | {"action": "save", "native_key": "t1", "file": "feedback-1.jsonl", "position": 0}],
        "bronze.ad_events": [
            SEEN
            | {"kind": "click", "impression_id": "i1", "campaign": "c", "category": "food", "device": "unknown"}
            | {"file": "ads-1.jsonl", "position": 0}
        ],
        "bronze.listeners": [
            SEEN | {"consent": "granted", "basis": "feed", "age_band": "25_34", "file": "listeners-1.jsonl", "position": 0}
        ],
        "bronze.weather": [
            {"place": "IT", "event_ts": at(2, 8), "known_ts": at(1, 8), "temperature_c": 9.5, "file": "weather-1.jsonl", "position": 0}
        ],
        "bronze.mentions": [
            {"event_ts": at(1, 8), "known_ts": at(1, 9), "platform": "x", "text": "Guts!", "file": "mentions-1.jsonl", "position": 0}
        ],
        "bronze.tracks": CATALOGUE.rows["bronze.tracks"],
    },
    late={"plays-2.jsonl": lines(heard(3, at(2, 9)), heard(1, at(1, 8)))},
    late_rows={
        "bronze.plays": [play(ANNA, at(2, 9), known=at(2, 9, 10), native_key="t3", track_name="Guts", file="plays-2.jsonl", position=0)]
    },
)
EXAMPLES = {
    "native": NATIVE,
    "eventsim": EVENTSIM,
    "listenbrainz": LISTENBRAINZ,
    "lastfm": LASTFM,
    "spotify": SPOTIFY,
    "catalogue": CATALOGUE,
}


def stored(source: str, file: str, content: bytes) -> str:
    """Return what tables call a file: a person's own export goes by its content."""
    if not SOURCES[source].needs_user:
        return file
    return hashlib.sha256(content).hexdigest()[:12] + Path(file).suffix
