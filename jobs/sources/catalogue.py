"""A track catalogue with audio descriptors: CSV with a header, one row a track and playlist it stands in.

A track stands there once for every playlist; its genre is the most frequent one. Positions are line numbers.
"""

from __future__ import annotations

import re

from jobs.contracts.events import DESCRIPTORS, TRACKS
from jobs.sources.source import Feed, Form, Layout, Refusal, Source, mentions

NUMBERS = (*DESCRIPTORS, "tempo", "loudness", "duration_ms")


def known(name: str) -> str:
    """Return a field, null where it is empty or spelt NA."""
    return f"nullif(nullif(trim(r.{name}), ''), 'NA')"


def number(name: str) -> str:
    """Return a field as a number, null where it is none."""
    return f"try_cast({known(name)} AS DOUBLE)"


# A year or a month alone stands for its first day.
RELEASED = "try_cast(CASE length(r.{0}) WHEN 4 THEN concat(r.{0}, '-01-01') WHEN 7 THEN concat(r.{0}, '-01') ELSE r.{0} END AS DATE)"

TRACKS_FORM = Form(
    "tracks",
    Layout.CSV,
    dict.fromkeys(
        ("track_id", "track_name", "track_artist", "track_album_release_date", "playlist_genre", "playlist_subgenre", "isrc", *NUMBERS),
        "STRING",
    ),
    (
        Feed(
            TRACKS,
            {
                "native_key": known("track_id"),
                "isrc": known("isrc"),
                "artist_name": known("track_artist"),
                "track_name": known("track_name"),
                "release_date": RELEASED.format("track_album_release_date"),
                "genre": f"lower({known('playlist_genre')})",
                "subgenre": f"lower({known('playlist_subgenre')})",
                "track_ms": f"CAST(round({number('duration_ms')}) AS BIGINT)",
                **{name: number(name) for name in ("tempo", "loudness", *DESCRIPTORS)},
            },
            refusals=(
                Refusal("null_track", "artist_name IS NULL OR track_name IS NULL"),
                *(Refusal(f"wrong_type:{name}", f"{known(name)} IS NOT NULL AND {number(name)} IS NULL") for name in NUMBERS),
                *(Refusal("nan", f"isnan({number(name)}) OR abs({number(name)}) > 1e12") for name in NUMBERS),
            ),
            modal=("genre", "subgenre"),
        ),
    ),
    re.compile(r"\.csv(\.gz)?$"),
    mentions(b"track_id", b"danceability"),
    header=("track_id", "track_name", "track_artist", "danceability"),
)

CATALOGUE = Source("catalogue", (TRACKS_FORM,))
