"""Last.fm and Libre.fm: the 1K-users listening history (TSV without header) and personal exports (CSV of several spellings, JSON)."""

from __future__ import annotations

from jobs.contracts.events import PLAYS
from jobs.sources import moments
from jobs.sources.source import Feed, Form, Source

COLUMNS = ("user", "time", "artist_mbid", "artist", "track_mbid", "track")
EXPORTED = ("artist", "album", "track", "date")
RENAMED = {"uts": "time", "username": "user"}
# The history writes ISO times; exports write those, epoch seconds or milliseconds, or "02 Jan 2020, 10:00", in one column or in two.
SAID = "trim(concat_ws(' ', trim(date), trim(time)))"
COUNT = "coalesce(try_cast(time AS BIGINT), try_cast(date AS BIGINT))"
SCROBBLED = f"""coalesce({moments.of_seconds(COUNT)}, {moments.of_millis(COUNT)}, {moments.of_text(SAID)},
try_to_timestamp(replace({SAID}, ',', ''), 'd MMM yyyy H:mm[:ss]'))"""

PLAYS_FEED = Feed(
    PLAYS,
    "user STRING, date STRING, time STRING, artist STRING, artist_mbid STRING, album STRING, track STRING, track_mbid STRING",
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
        ("null_time", f"{SAID} = ''"),
        ("bad_time", f"{SCROBBLED} IS NULL"),
        ("null_track", "coalesce(trim(track), '') = '' OR coalesce(trim(artist), '') = ''"),
    ),
    identifying=("user",),
)

LASTFM = Source(
    "lastfm",
    "Last.fm 1K-users history (TSV) and Last.fm or Libre.fm exports (CSV, JSON)",
    forms=(
        Form("*.tsv", "tsv", looks=rf"\A[^\t\n]+\t{moments.DAY}T", names=COLUMNS),
        *(Form("*.csv", "csv", marks=("artist", "track", when), renamed=RENAMED) for when in ("uts", "time", "date")),
        Form("*.csv", "csv", marks=("artist", "track", "date"), delimiter=";"),
        Form("*.csv", "csv", looks=r'\A[^\n]*,"?[0-9]{1,2} [A-Z][a-z]{2} [0-9]{4},? [0-9]{1,2}:[0-9]{2}"?\r?\n', names=EXPORTED),
        Form("*.json", "elements", marks=('"track"', '"artist"', '"date"'), looks='"scrobbles"', inside="scrobbles"),
    ),
    feeds=(PLAYS_FEED,),
    needs_user=True,
)
