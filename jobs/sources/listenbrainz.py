"""ListenBrainz: submissions (JSON), exports (JSON lines) and dumps (Parquet) of listens."""

from __future__ import annotations

from jobs.contracts.events import PLAYS
from jobs.sources import moments
from jobs.sources.source import Feed, Form, Source

INFO = "track_metadata.additional_info"
# Epoch seconds as a number or as text in submissions and exports, a timestamp in dumps.
LISTENED = f"coalesce({moments.of_seconds('try_cast(listened_at AS DOUBLE)')}, {moments.of_text('listened_at')})"
# When it arrived: exports and dumps say so, submissions do not.
ARRIVED = f"coalesce({moments.of_seconds('inserted_at')}, {moments.of_text('created')}, {LISTENED} + INTERVAL 1 MINUTE)"
ARTIST = "coalesce(track_metadata.artist_name, artist_name)"
TITLE = "coalesce(track_metadata.track_name, recording_name)"
# What clients add is free-form: a wrong type in it is no reason to refuse a listen.
ISRC = f"nullif(regexp_extract(replace(upper({INFO}.isrc), '-', ''), '[A-Z]{{2}}[A-Z0-9]{{3}}[0-9]{{7}}', 0), '')"
LENGTH = f"coalesce(try_cast({INFO}.duration_ms AS DOUBLE), 1000 * try_cast({INFO}.duration AS DOUBLE))"
SPOTIFY = f"nullif(regexp_extract({INFO}.spotify_id, 'track/([A-Za-z0-9]+)', 1), '')"

PLAYS_FEED = Feed(
    PLAYS,
    "listened_at STRING, inserted_at DOUBLE, created STRING, "
    "user_name STRING, user_id STRING, artist_name STRING, recording_name STRING, release_name STRING, "
    "recording_mbid STRING, track_metadata STRUCT<artist_name: STRING, track_name: STRING, release_name: STRING, "
    "mbid_mapping: STRUCT<recording_mbid: STRING>, "
    "additional_info: STRUCT<recording_mbid: STRING, isrc: STRING, duration_ms: STRING, duration: STRING, spotify_id: STRING>>",
    {
        "event_ts": LISTENED,
        "known_ts": f"greatest({ARRIVED}, {LISTENED})",
        "native_key": SPOTIFY,
        "isrc": ISRC,
        "mbid": f"coalesce(nullif({INFO}.recording_mbid, ''), nullif(recording_mbid, ''), track_metadata.mbid_mapping.recording_mbid)",
        "artist_name": f"nullif(trim({ARTIST}), '')",
        "track_name": f"nullif(trim({TITLE}), '')",
        "album_name": "nullif(trim(coalesce(track_metadata.release_name, release_name)), '')",
        "kind": "'track'",
        "ms_played": "CAST(NULL AS BIGINT)",
        "track_ms": f"try_cast(round({LENGTH}) AS BIGINT)",
        "skipped": "CAST(NULL AS BOOLEAN)",
        "source": "CAST(NULL AS STRING)",
        "playlist": "CAST(NULL AS STRING)",
        "device": "'unknown'",
        "place": "CAST(NULL AS STRING)",
        "time_zone": "CAST(NULL AS STRING)",
        "plan": "CAST(NULL AS STRING)",
        "native_session": "CAST(NULL AS STRING)",
    },
    key=("listener_id", LISTENED, ARTIST, TITLE),
    listener="coalesce(nullif(user_name, ''), user_id)",
    checks=(
        ("null_time", "listened_at IS NULL"),
        ("bad_time", f"{LISTENED} IS NULL"),
        ("null_track", f"coalesce(trim({TITLE}), '') = '' OR coalesce(trim({ARTIST}), '') = ''"),
        ("negative_duration", f"{LENGTH} < 0"),
    ),
    identifying=("user_name", "user_id"),
)

LISTENBRAINZ = Source(
    "listenbrainz",
    "ListenBrainz submissions (JSON), exports (JSON lines) and dumps (Parquet)",
    forms=(
        Form("*.json", "elements", marks=("track_metadata",), inside="payload"),
        *(Form(pattern, "lines", marks=("track_metadata",)) for pattern in ("*.jsonl", "*.listens")),
        Form("*.parquet", "parquet"),
    ),
    feeds=(PLAYS_FEED,),
    needs_user=True,
)
