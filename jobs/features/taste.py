"""What a listener plays: genres, the character of the tracks, where they were found.

The GS score is the mean cosine of plays to their mean (Anderson et al., Algorithmic Effects on the Diversity of Consumption on Spotify,
WWW 2020): for directions of length one, the length of their mean. Directions here are those of a track's moods from the middle. Few plays
make it large, so beside it stands what as many plays drawn from everybody's would score. Mainstreaminess is one less the Jensen-Shannon
divergence, a symmetric and bounded Kullback-Leibler, between a listener's genres and everybody's (after Schedl & Bauer, 2017).
"""

from __future__ import annotations

from jobs.features.feature import Distinct, Feature, Measure, billionths, signed, windowed

GENRES = ("pop", "rock", "rap", "r&b", "latin", "edm", "jazz", "classical")
SLUGS = {genre: genre.replace("&", "n") for genre in GENRES}
ASKED_FOR = "source IN ('search', 'library', 'profile', 'album')"
MOODS = ("energy", "valence", "danceability", "acousticness")
# A mean is over the plays that it sums: those of tracks all of whose moods are known.
DESCRIBED = " AND ".join(f"{mood} IS NOT NULL" for mood in MOODS)


def _thousandths(mood: str) -> str:
    return f"coalesce(sum(CAST(round({mood} * 1000) AS BIGINT)) FILTER (WHERE {DESCRIBED}), 0)"


def _direction(mood: str) -> str:
    length = "sqrt({})".format(" + ".join(f"pow({name} - 0.5, 2)" for name in MOODS))
    return f"coalesce(try_divide({mood} - 0.5, {length}), 0)"


MEASURES = (
    Measure("known_genre", "listens", "count_if(genre IS NOT NULL)", "plays of tracks whose genre is known"),
    *(Measure(f"genre_{SLUGS[g]}", "listens", f"count_if(genre = '{g}')", f"plays of {g}") for g in GENRES),
    Measure("described", "listens", f"count_if({DESCRIBED})", "plays of tracks with audio descriptors"),
    *(Measure(f"sum_{mood}", "listens", _thousandths(mood), f"sum of {mood} in thousandths") for mood in MOODS),
    *(
        Measure(f"toward_{mood}", "listens", billionths(_direction(mood), DESCRIBED), f"sum of one plus direction in {mood}")
        for mood in MOODS
    ),
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


def _squared(everybody: str = "") -> str:
    """Return SQL of the squared length of the mean direction, of a listener's plays or of everybody's."""
    length = " + ".join(f"pow({signed(f'toward_{mood}', 'described', everybody)}, 2)" for mood in MOODS)
    return f"try_divide({length}, pow({{{everybody}described}}, 2))"


def _parts(everybody: str = "") -> tuple[str, ...]:
    """Return SQL of the share of each genre, and of all others, among plays of known genre."""
    named = [f"{{{everybody}genre_{slug}}}" for slug in SLUGS.values()]
    others = f"({{{everybody}known_genre}} - {' - '.join(named)})"
    return tuple(f"try_divide({plays}, {{{everybody}known_genre}})" for plays in (*named, others))


def _toward_middle(share: str, other: str) -> str:
    return f"CASE WHEN {share} > 0 THEN {share} * log2(2 * {share} / ({share} + {other})) ELSE 0D END"


DIVERGENCE = " + ".join(
    f"{_toward_middle(mine, theirs)} + {_toward_middle(theirs, mine)}" for mine, theirs in zip(_parts(), _parts("all."), strict=True)
)
BY_CHANCE = f"sqrt({_squared('all.')} + try_divide(1 - {_squared('all.')}, {{described}}))"

TASTE = (
    *(feature for name in GENRES for feature in _genre(name)),
    *(feature for name in MOODS for feature in _mood(name)),
    *windowed("artists", "bigint", "{artists}", (7, 28, 90), "different artists played"),
    *windowed("tracks", "bigint", "{tracks}", (7, 28, 90), "different tracks played"),
    *windowed(
        "repeat_share", "double", "1 - try_divide({tracks}, {plays})", (28, 90), "share of plays of a track played before in the window"
    ),
    *windowed("gs_score", "double", f"sqrt({_squared()})", (90,), "how alike the moods of plays are: 1 a specialist, 0 a generalist"),
    *windowed("gs_by_chance", "double", BY_CHANCE, (90,), "GS score of as many plays drawn from everybody's"),
    *windowed(
        "mainstream",
        "double",
        f"CASE WHEN {{known_genre}} > 0 THEN 1 - ({DIVERGENCE}) / 2 END",
        (90,),
        "how close the genres played are to everybody's: 1 the same, 0 none in common",
    ),
    *windowed("intent_share", "double", "try_divide({intentional}, {sourced})", (28, 90), "share of plays the listener asked for"),
)
