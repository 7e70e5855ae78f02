"""Fans and communities: how close each listener is to each artist, how listeners move, who listens alike."""

from __future__ import annotations

from jobs.contracts.events import LISTENER
from validation.contract import Column, Expectation, Purpose, Rule, Table

# From far to near. `unknown`: the feed does not say where plays came from, so nobody can tell whether the listener asked for them.
RUNGS = ("unknown", "programmed", "light", "moderate", "super")
DAYS = 28  # that a rung looks back
TOP = 0.02  # of an artist's listeners are at the top
GONE = "gone"  # a week later: not one play in 28 days
ANY = 0  # weeks on a rung: however many
EVERY_ARTIST = "all"  # in place of an artist's id

DAY = Column("date", "date", "last day of the 28 (UTC)", required=True)
ARTIST = Column("artist_id", "string", "one id for an artist", required=True)

FAN_LADDER = Table(
    "features.fan_ladder",
    "one listener and one artist whom that listener played in the last 28 days, as far as known by the end of the date",
    ("date", "listener_id", "artist_id"),
    (
        DAY,
        LISTENER,
        ARTIST,
        Column("plays", "bigint", "plays of the artist's tracks", required=True),
        Column("tracks", "bigint", "different tracks of the artist played", required=True),
        Column(
            "active_plays", "bigint", "plays that the listener asked for: by search, from the library, a profile or an album", required=True
        ),
        Column("active_days", "bigint", "days with such a play", required=True),
        Column("active_tracks", "bigint", "different tracks so played", required=True),
        Column("unsourced", "bigint", "plays of which nobody knows where they came from", required=True),
        Column("share", "double", "share of the listener's plays that are this artist's", required=True),
        Column("rung", "string", f"one of {', '.join(RUNGS)}", required=True),
    ),
    Purpose.CONTENT,
    retention_days=17,  # a row a pair and date, of which two weeks before are needed; what lasts is told of artists and of everybody
    rules=(
        Rule("parts_of_plays", "active_plays + unsourced <= plays AND tracks <= plays", "parts are no larger than the whole"),
        Rule(
            "days_and_tracks",
            "active_days <= least(active_plays, 28) AND active_tracks <= least(active_plays, tracks)",
            "at most one a play",
        ),
        Rule("share_of_plays", "share > 0 AND share <= 1", "a share lies in 0..1"),
    ),
    expectations=(Expectation("values", "rung", allowed=RUNGS),),
    may_be_empty=True,
)

ARTIST_FANS = Table(
    "features.artist_fans",
    "one artist with enough listeners in the last 28 days, or all artists together: how many stand on which rung, what the top 2 % play",
    ("date", "artist_id"),
    (
        DAY,
        Column(
            "artist_id", "string", f"one id for an artist; {EVERY_ARTIST!r} for all artists, who count a listener once each", required=True
        ),
        Column("artist_name", "string", "artist"),
        Column("genre", "string", "the artist's most frequent genre; null where no catalogue knows it"),
        Column("listeners", "bigint", "listeners, rounded down to 10", required=True),
        *(Column(rung, "bigint", f"listeners on the rung {rung!r}, rounded down to 10", required=True) for rung in RUNGS),
        Column("plays", "bigint", "plays, rounded down to 10", required=True),
        Column("top_share", "double", "share of plays that the top 2 % of listeners hold; null where these are too few to be told of"),
        Column("top_low", "double", "lower end of its 95 % interval, over listeners"),
        Column("top_high", "double", "upper end of its 95 % interval, over listeners"),
    ),
    Purpose.CONTENT,
    retention_days=400,
    rules=(
        Rule("rungs_add_up", f"{' + '.join(RUNGS)} <= listeners", "each listener stands on one rung"),
        Rule(
            "interval_in_order",
            "top_share IS NULL OR (0 <= top_low AND top_low <= top_share AND top_share <= top_high AND top_high <= 1)",
            "it encloses the share",
        ),
    ),
    may_be_empty=True,
)

FAN_TRANSITIONS = Table(
    "features.fan_transitions",
    "one way from a rung a week ago to a rung now, by how long one had stood there: how likely a listener goes it with an artist in a week",
    ("date", "from_rung", "weeks", "to_rung"),
    (
        Column("date", "date", "last day of the week (UTC)", required=True),
        Column("from_rung", "string", f"rung a week before: one of {', '.join(RUNGS[1:])}", required=True),
        Column(
            "weeks",
            "int",
            f"weeks that they had stood there a week before: 1 not yet two, 2 two or more; {ANY} for all together",
            required=True,
        ),
        Column("to_rung", "string", f"rung on the date: one of {', '.join((*RUNGS, GONE))}", required=True),
        Column("at_risk", "bigint", "pairs of a listener and an artist that stood there, rounded down to 10", required=True),
        Column("moved", "bigint", "those of them that stand here now, rounded down to 10", required=True),
        Column("hazard", "double", "share of those at risk", required=True),
        Column("low", "double", "lower end of its 95 % interval, over listeners", required=True),
        Column("high", "double", "upper end of its 95 % interval, over listeners", required=True),
    ),
    Purpose.CONTENT,
    retention_days=400,
    rules=(
        Rule("few_weeks", f"weeks BETWEEN {ANY} AND 2", "more is not looked back"),
        Rule("part_of_those_at_risk", "moved BETWEEN 0 AND at_risk", "no more move than stood there"),
        Rule("interval_around", "0 <= low AND low <= hazard AND hazard <= high AND high <= 1", "the interval encloses the hazard"),
    ),
    may_be_empty=True,
)

COMMUNITY_ARTISTS = Table(
    "targeting.community_artists",
    "one artist in the community that it belongs to, and how far its listeners there exceed what is usual",
    ("date", "artist_id"),
    (
        DAY,
        ARTIST,
        Column("artist_name", "string", "artist"),
        Column("community", "string", "name of the community; it stays from date to date", required=True),
        Column("label", "string", "what over-indexes in the community, in words", required=True),
        Column("listeners", "bigint", "members of the community, rounded down to 10", required=True),
        Column("share", "double", "share of members who play the artist; null where they are too few to be told of"),
        Column("usual", "double", "share of all listeners in communities who do"),
        Column("rarity", "double", "what a play of the artist weighs: the rarer its listeners, the more", required=True),
        Column("part", "double", "the artist's part of all weight", required=True),
    ),
    Purpose.ADS,
    retention_days=200,
    rules=(Rule("shares", "(share IS NULL OR share BETWEEN 0 AND 1) AND part BETWEEN 0 AND 1 AND rarity > 0", "shares lie in 0..1"),),
    may_be_empty=True,
)

COMMUNITIES = Table(
    "targeting.communities",
    "one consenting listener's community: people who play the same artists",
    ("date", "listener_id"),
    (DAY, LISTENER, Column("community", "string", "name of the community", required=True)),
    Purpose.ADS,
    retention_days=60,
    may_be_empty=True,
)

FANS = (FAN_LADDER, ARTIST_FANS, FAN_TRANSITIONS, COMMUNITY_ARTISTS, COMMUNITIES)
