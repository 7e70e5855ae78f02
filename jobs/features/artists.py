"""How a listener's plays spread over artists: few or many, known to everybody or not, new ones found and kept.

Over pairs of a listener and an artist, by their plays of the 28 days that end with the date (`now`), a week before (`week`) and two weeks
before (`fortnight`). What a listener plays of an artist for the first time since more than 28 days is a discovery. Concentration is
Simpson's index without bias (Nature 163, 1949): how likely two plays drawn from the listener's are of one artist, however many there are.
"""

from __future__ import annotations

from jobs.features.feature import Feature, Measure, billionths, signed, windowed

FOUND = "week > 0 AND fortnight = 0"
PRIOR = 5  # artists found that everybody's conversion weighs
# Twice the Jensen-Shannon divergence in bits, less one: what an artist that the listener does not play adds is its share of all plays.
APART = "share * log2(2 * share / (share + usual)) + usual * log2(usual / (share + usual))"

MEASURES = (
    Measure("plays", "pairs", "coalesce(sum(now), 0)", "plays of tracks"),
    Measure("twos", "pairs", "coalesce(sum(now * (now - 1)), 0)", "ordered pairs of plays of one artist"),
    Measure("artists", "pairs", "count_if(now > 0)", "artists played"),
    Measure("new_artists", "pairs", "count_if(now > 0 AND week = 0)", "artists not played in the 28 days to a week ago"),
    Measure("found_artists", "pairs", f"count_if({FOUND})", "artists that were new a week ago"),
    Measure("kept_artists", "pairs", f"count_if({FOUND} AND now > week)", "artists that were new a week ago, and played since"),
    Measure("week_plays", "pairs", "coalesce(sum(week), 0)", "plays as of a week ago"),
    Measure("fortnight_plays", "pairs", "coalesce(sum(fortnight), 0)", "plays as of two weeks ago"),
    Measure("apart", "pairs", billionths(APART, "now > 0"), "sum of one plus what each artist adds to the divergence from everybody"),
)

CONVERTED = f"({{kept_artists}} + {PRIOR} * {{all.kept_artists}} / {{all.found_artists}}) / ({{found_artists}} + {PRIOR})"

ARTISTS: tuple[Feature, ...] = (
    *windowed(
        "artist_concentration",
        "double",
        "try_divide({twos}, {plays} * ({plays} - 1))",
        (28,),
        "chance that two plays are of one artist: 1 a single artist, 0 as many artists as plays",
    ),
    *windowed(
        "artist_mainstream",
        "double",
        f"CASE WHEN {{plays}} > 0 THEN 0.5 - {signed('apart', 'artists')} / 2 END",
        (28,),
        "how close the artists played are to everybody's: 1 the same, 0 none in common; few plays make it small",
    ),
    *windowed(
        "exploration_rate",
        "double",
        "CASE WHEN {all.week_plays} > 0 THEN try_divide({new_artists}, {artists}) END",
        (28,),
        "share of artists that are new in the last week",
    ),
    *windowed(
        "discovery_conversion",
        "double",
        f"CASE WHEN {{all.fortnight_plays}} > 0 AND {{found_artists}} > 0 THEN {CONVERTED} END",
        (28,),
        f"share of artists new a week ago that were played since, drawn to everybody's with the weight of {PRIOR}",
    ),
)
