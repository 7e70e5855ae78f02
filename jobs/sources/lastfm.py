"""Last.fm and Libre.fm: the 1K-users listening history (TSV without header) and personal exports (CSV)."""

from __future__ import annotations

from jobs.contracts.events import PLAYS
from jobs.sources.source import Feed, Form, Source

COLUMNS = ("user", "time", "artist_mbid", "artist", "track_mbid", "track")
# The history writes ISO times, the exports epoch seconds.
SCROBBLED = "coalesce(timestamp_seconds(try_cast(time AS BIGINT)), try_to_timestamp(time))"

PLAYS_FEED = Feed(
    PLAYS,
    "user STRING, time STRING, artist STRING, artist_mbid STRING, album STRING, track STRING, track_mbid STRING",
    {
        "event_ts": SCROBBLED,
        "known_ts": f"{SCROBBLED} + INTERVAL 1 MINUTE",
        "native_key": "CAST(NULL AS STRING)",
        "isrc": "CAST(NULL AS STRING)",
        "mbid": "nullif(trim(track_mbid), '')",
        "artist_name": "nullif(trim(artist), '')",
        "track_name": "nullif(trim(track), '')",
        "album_name": "nullif(trim(album), '')",
        "kind": "'track'",
        "ms_played": "CAST(NULL AS BIGINT)",
        "track_ms": "CAST(NULL AS BIGINT)",
        "skipped": "CAST(NULL AS BOOLEAN)",
        "source": "CAST(NULL AS STRING)",
        "playlist": "CAST(NULL AS STRING)",
        "device": "'unknown'",
        "place": "CAST(NULL AS STRING)",
        "time_zone": "CAST(NULL AS STRING)",
        "plan": "CAST(NULL AS STRING)",
        "native_session": "CAST(NULL AS STRING)",
    },
    key=("listener_id", SCROBBLED, "artist", "track"),
    listener="user",
    checks=(
        ("null_time", "coalesce(trim(time), '') = ''"),
        ("bad_time", f"{SCROBBLED} IS NULL"),
        ("null_track", "coalesce(trim(track), '') = '' OR coalesce(trim(artist), '') = ''"),
    ),
    identifying=("user",),
)

LASTFM = Source(
    "lastfm",
    "Last.fm 1K-users history (TSV) and Last.fm or Libre.fm exports (CSV)",
    forms=(
        Form("*.tsv", "tsv", names=COLUMNS),
        Form(
            "*.csv",
            "csv",
            marks=("Artist", "Track", "Time"),
            renamed={"Artist": "artist", "Track": "track", "Album": "album", "Time": "time"},
        ),
        Form("*.csv", "csv", marks=("uts", "artist", "track"), renamed={"uts": "time"}),
    ),
    feeds=(PLAYS_FEED,),
    needs_user=True,
)
