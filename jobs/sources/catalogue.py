"""A catalogue of tracks with audio descriptors: CSV, one line a track and playlist; the genre is the most frequent one."""

from __future__ import annotations

from jobs.contracts.events import DESCRIPTORS, TRACKS
from jobs.sources.source import Feed, Form, Source

MARKS = ("track_id", "track_name", "track_artist")
NUMBERS = (*DESCRIPTORS, "tempo", "loudness", "duration_ms")
# A year alone, or a month, is its first day; 0000 says that nobody knows.
RELEASED = "nullif(try_to_date(rpad(track_album_release_date, 10, '-01-01'), 'yyyy-MM-dd'), DATE'0000-01-01')"
FIELDS = (*MARKS, "track_album_release_date", "playlist_genre", "playlist_subgenre", "isrc", "mbid", *NUMBERS)
# R writes NA for what is missing; one of the two alone may be a name.
NAMELESS = "(trim(track_name) = 'NA' AND trim(track_artist) = 'NA')"
WRONG = " OR ".join(
    f"(trim({name}) <> '' AND (try_cast({name} AS DOUBLE) IS NULL OR isnan(try_cast({name} AS DOUBLE))))" for name in NUMBERS
)

TRACKS_FEED = Feed(
    TRACKS,
    ", ".join(f"{name} STRING" for name in FIELDS),
    {
        "native_key": "nullif(trim(track_id), '')",
        "isrc": "nullif(trim(isrc), '')",
        "mbid": "nullif(trim(mbid), '')",
        "artist_name": "nullif(trim(track_artist), '')",
        "track_name": "nullif(trim(track_name), '')",
        "release_date": RELEASED,
        "genre": "lower(nullif(trim(playlist_genre), ''))",
        "subgenre": "lower(nullif(trim(playlist_subgenre), ''))",
        "track_ms": "try_cast(try_cast(duration_ms AS DOUBLE) AS BIGINT)",
        **{name: f"try_cast({name} AS DOUBLE)" for name in (*DESCRIPTORS, "tempo", "loudness")},
    },
    files=("*.csv", "*.csv.gz"),
    checks=(
        ("null_track", f"coalesce(trim(track_id), '') = '' OR coalesce(trim(track_name), '') = '' OR {NAMELESS}"),
        ("null_artist", "coalesce(trim(track_artist), '') = ''"),
        ("wrong_type_number", WRONG),
    ),
    majority=("genre", "subgenre"),
)

CATALOGUE = Source(
    "catalogue",
    "a track catalogue with audio descriptors (CSV with track_id, track_name, track_artist, ...)",
    forms=(Form("*.csv", "csv", marks=MARKS),),
    feeds=(TRACKS_FEED,),
)
