"""Last.fm and Libre.fm: the 1K-users listening history (TSV without header) and personal exports (CSV, several spellings)."""

from __future__ import annotations

from jobs.contracts.events import PLAYS
from jobs.sources import moments
from jobs.sources.source import Feed, Form, Source

COLUMNS = ("user", "time", "artist_mbid", "artist", "track_mbid", "track")
EXPORTED = ("artist", "album", "track", "time")
# The history writes ISO times, the exports epoch seconds or "02 Jan 2020, 10:00", some with the day in a column of its own.
SAID = "trim(concat_ws(' ', trim(day), trim(time)))"
SCROBBLED = f"""coalesce({moments.of_seconds("try_cast(time AS BIGINT)")}, {moments.of_text(SAID)},
try_to_timestamp(replace({SAID}, ',', ''), 'd MMM yyyy H:mm[:ss]'))"""

PLAYS_FEED = Feed(
    PLAYS,
    "user STRING, day STRING, time STRING, artist STRING, artist_mbid STRING, album STRING, track STRING, track_mbid STRING",
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
        Form("*.tsv", "tsv", looks=rf"\A[^\t\n]+\t{moments.DAY}T", names=COLUMNS),
        Form(
            "*.csv",
            "csv",
            marks=("Artist", "Track", "Time"),
            renamed={"Artist": "artist", "Track": "track", "Album": "album", "Date": "day", "Time": "time", "Username": "user"},
        ),
        Form("*.csv", "csv", marks=("uts", "artist", "track"), renamed={"uts": "time"}),
        Form("*.csv", "csv", looks=r'\A[^\n]*,"?[0-9]{1,2} [A-Z][a-z]{2} [0-9]{4},? [0-9]{1,2}:[0-9]{2}"?\r?\n', names=EXPORTED),
    ),
    feeds=(PLAYS_FEED,),
    needs_user=True,
)
