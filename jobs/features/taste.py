"""What a listener plays: genres, the character of the tracks, where they were found."""

from __future__ import annotations

from jobs.features.feature import Distinct, Feature, Measure, windowed

GENRES = ("pop", "rock", "rap", "r&b", "latin", "edm", "jazz", "classical")
SLUGS = {genre: genre.replace("&", "n") for genre in GENRES}
ASKED_FOR = "source IN ('search', 'library', 'profile', 'album')"
MOODS = ("energy", "valence", "danceability", "acousticness")
# A mean is over the plays that it sums: those of tracks all of whose moods are known.
DESCRIBED = " AND ".join(f"{mood} IS NOT NULL" for mood in MOODS)


def _thousandths(mood: str) -> str:
    return f"coalesce(sum(CAST(round({mood} * 1000) AS BIGINT)) FILTER (WHERE {DESCRIBED}), 0)"


MEASURES = (
    Measure("known_genre", "listens", "count_if(genre IS NOT NULL)", "plays of tracks whose genre is known"),
    *(Measure(f"genre_{SLUGS[g]}", "listens", f"count_if(genre = '{g}')", f"plays of {g}") for g in GENRES),
    Measure("described", "listens", f"count_if({DESCRIBED})", "plays of tracks with audio descriptors"),
    *(Measure(f"sum_{mood}", "listens", _thousandths(mood), f"sum of {mood} in thousandths") for mood in MOODS),
    Measure("sourced", "listens", "count_if(source IS NOT NULL)", "plays of which the source is known"),
    Measure("intentional", "listens", f"count_if({ASKED_FOR})", "plays the listener asked for"),
)

DISTINCTS = (
    Distinct("artists", "artist_id", "different artists played"),
    Distinct("tracks", "track_id", "different tracks played"),
)


def _genre(name: str) -> tuple[Feature, ...]:
    slug = SLUGS[name]
    share = f"try_divide({{genre_{slug}}}, {{known_genre}})"
    return windowed(f"share_{slug}", "double", share, (28, 90), f"share of {name} among plays of known genre")


def _mood(name: str) -> tuple[Feature, ...]:
    mean = f"try_divide({{sum_{name}}}, {{described}}) / 1000D"
    return windowed(f"mean_{name}", "double", mean, (28, 90), f"mean {name} of tracks played")


TASTE = (
    *(feature for name in GENRES for feature in _genre(name)),
    *(feature for name in MOODS for feature in _mood(name)),
    *windowed("artists", "bigint", "{artists}", (7, 28, 90), "different artists played"),
    *windowed("tracks", "bigint", "{tracks}", (7, 28, 90), "different tracks played"),
    *windowed(
        "repeat_share", "double", "1 - try_divide({tracks}, {plays})", (28, 90), "share of plays of a track played before in the window"
    ),
    *windowed("intent_share", "double", "try_divide({intentional}, {sourced})", (28, 90), "share of plays the listener asked for"),
)
