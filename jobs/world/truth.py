"""What is true in a known-truth world: tables that only tests and measurements read, never a pipeline job.

A listener is told by number; `people.raw_ids` gives the id that the feeds use, so no raw id stands in a table.
"""

from __future__ import annotations

from jobs.world.catalogue import GENRES, KNOWN_BY
from jobs.world.people import DAYPARTS, DEVICES
from validation.contract import Column, Purpose, Table

SLUGS = tuple(genre.replace("&", "n") for genre in GENRES)
KEPT_DAYS = 3_650
LATENT = ("energy", "explore", "loyalty", "impatience", "liking", "intent", "podcasts", "sessions_per_day", "session_plays")


def _table(name: str, row: str, key: tuple[str, ...], columns: tuple[Column, ...], *, dated: bool = False) -> Table:
    return Table(name, row, key, columns, Purpose.OPERATIONS, KEPT_DAYS, partition=("date",) if dated else (), may_be_empty=True)


NUMBER = Column("listener", "bigint", "number of the listener", required=True, identifies=True)
LISTENERS = _table(
    "truth.listeners",
    "one listener as planted",
    ("listener",),
    (
        NUMBER,
        *(Column(name, "double", f"latent {name}", required=True) for name in LATENT),
        *(Column(f"share_{slug}", "double", f"long-run share of {slug} without circumstances", required=True) for slug in SLUGS),
        *(Column(f"hour_{h}", "double", f"share of weekday sessions begun in local hour {h}", required=True) for h in range(24)),
        *(Column(f"in_{name}", "double", f"weight of the {name}", required=True) for name in DAYPARTS),
        *(Column(f"on_{name}", "double", f"log weight of {name}, -30 where there is none", required=True) for name in DEVICES),
        Column("home", "string", "ISO 3166 region", required=True),
        Column("time_zone", "string", "home zone", required=True),
        Column("trip_place", "string", "where a trip leads, null without one"),
        Column("trip_from", "date", "first local date of the trip"),
        Column("trip_to", "date", "local date of being home again"),
        Column("begins", "date", "first local date with listening, null if before the world"),
        Column("ends", "date", "local date after the last with listening, null if after the world"),
        Column("free", "boolean", "on the free plan at first", required=True),
        Column("upgrades", "date", "date of moving to the paid plan"),
        Column("age_band", "string", "stated age band", required=True),
        Column("consent", "string", "granted, refused, unknown, or silent: stated nothing at all", required=True),
        Column("withdraws", "date", "date of withdrawing a consent that was granted"),
    ),
)
IMPRESSIONS = _table(
    "truth.impressions",
    "one ad opportunity, shown or held out",
    ("impression",),
    (
        Column("date", "date", "UTC date", required=True),
        Column("impression", "string", "the feed's own id of the opportunity", required=True, identifies=True),
        NUMBER,
        Column("event_ts", "timestamp", "moment", required=True),
        *(Column(name, "string", name, required=True) for name in ("category", "campaign", "creative", "slot", "device")),
        Column("shown", "boolean", "false: held out at random", required=True),
        Column("week_ads", "bigint", "ads heard in the seven days before", required=True),
        Column("p_click", "double", "chance of a click within 30 minutes if shown", required=True),
        Column("p_reachable", "double", "the same chance given all that features could say", required=True),
        Column("p_complete", "double", "chance of being heard out if shown", required=True),
        Column("p_convert_shown", "double", "chance of a conversion within 7 days if shown", required=True),
        Column("p_convert_held", "double", "the same if held out", required=True),
        Column("tau", "double", "uplift: the difference of the two", required=True),
        Column("clicked", "boolean", "clicked within 30 minutes", required=True),
        Column("completed", "boolean", "heard out", required=True),
        Column("converted", "boolean", "converted within 7 days, perhaps after the world's end", required=True),
    ),
    dated=True,
)
TRACKS = _table(
    "truth.tracks",
    "one track",
    ("track",),
    (
        Column("track", "string", "the catalogue's own id", required=True),
        Column("artist", "string", "artist", required=True),
        Column("title", "string", "title", required=True),
        Column("genre", "string", "genre that listeners choose it by", required=True),
        Column("said_genre", "string", "genre that most of its playlists say", required=True),
        Column("known_by", "string", f"what ties a play of it to the catalogue: {', '.join(KNOWN_BY)}", required=True),
        Column("popularity", "double", "weight within its genre and energy", required=True),
    ),
)
WEATHER = _table(
    "truth.weather",
    "one hour at one place as it was",
    ("place", "hour"),
    (
        Column("place", "string", "ISO 3166 region", required=True),
        Column("hour", "timestamp", "begin of the hour (UTC)", required=True),
        Column("temperature_c", "double", "degrees Celsius", required=True),
        Column("rain_mm", "double", "millimetres", required=True),
    ),
)
TRENDS = _table(
    "truth.trends",
    "one artist's swell",
    ("artist", "begins"),
    (
        Column("artist", "string", "artist", required=True),
        Column("genre", "string", "genre whose unfamiliar plays it takes a share of", required=True),
        Column("begins", "date", "local date on which plays begin to swell; the height comes four days later", required=True),
        Column("lead_days", "bigint", "how many days earlier the talk swells; 0: at the same time", required=True),
    ),
)
CONTEXT_EFFECTS = _table(
    "truth.context_effects",
    "one planted effect of circumstances on listening, all other circumstances equal",
    ("circumstance", "outcome"),
    (
        Column("circumstance", "string", "when", required=True),
        Column("outcome", "string", "on what", required=True),
        Column("size", "double", "standard deviations for energy, log-odds or log weight otherwise", required=True),
        Column("null_by_design", "boolean", "nothing may be found here", required=True),
    ),
)
DEFECTS = _table(
    "truth.defects",
    "how many rows of one kind of defect a feed's files of one day hold",
    ("feed", "date", "kind"),
    (
        Column("feed", "string", "feed", required=True),
        Column("date", "date", "UTC date of arrival, which names the file", required=True),
        Column("kind", "string", "late, duplicate, or the way in which a row is broken", required=True),
        Column("rows", "bigint", "rows", required=True),
    ),
)
TABLES = (LISTENERS, IMPRESSIONS, TRACKS, WEATHER, TRENDS, CONTEXT_EFFECTS, DEFECTS)
