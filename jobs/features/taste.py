"""What a listener plays: genres, the character of the tracks, where they were found."""

from __future__ import annotations

from jobs.features.feature import Measure, windowed

GENRES = ("pop", "rock", "rap", "r&b", "latin", "edm", "jazz", "classical")
SLUGS = {genre: genre.replace("&", "n") for genre in GENRES}
MOODS = ("energy", "valence", "danceability", "acousticness")
SOURCES = ("search", "library", "playlist", "editorial", "radio", "album", "profile", "autoplay")

MEASURES = (
    Measure("known_genre", "listens", "count_if(genre IS NOT NULL)", "plays of tracks whose genre is known"),
    *(Measure(f"genre_{SLUGS[g]}", "listens", f"count_if(genre = '{g}')", f"plays of {g}") for g in GENRES),
    Measure("described", "listens", "count_if(energy IS NOT NULL)", "plays of tracks with audio descriptors"),
    *(Measure(f"sum_{m}", "listens", f"coalesce(sum(CAST(round({m} * 1000) AS BIGINT)), 0)", f"sum of {m} in thousandths") for m in MOODS),
    Measure("sourced", "listens", "count_if(source IS NOT NULL)", "plays of which the source is known"),
    Measure("intentional", "listens", "count_if(source IN ('search', 'library', 'profile', 'album'))", "plays the listener asked for"),
)

TASTE = (
    *(f for g in GENRES for f in windowed(f"share_{SLUGS[g]}", "double", f"try_divide({{genre_{SLUGS[g]}}}, {{known_genre}})", (28, 90), f"share of {g} among plays of known genre")),
    *(f for m in MOODS for f in windowed(f"mean_{m}", "double", f"try_divide({{sum_{m}}}, {{described}}) / 1000D", (28, 90), f"mean {m} of tracks played")),
    *windowed("intent_share", "double", "try_divide({intentional}, {sourced})", (28, 90), "share of plays the listener asked for"),
)
