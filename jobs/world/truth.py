"""What is true in a known-truth world: tables that only tests and measurements read, never a pipeline job.

A listener is told by number; `people.raw_ids` gives the id that the feeds use, so no raw id stands in a table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from jobs.world import ads, effects, sessions
from jobs.world.catalogue import GENRES, KNOWN_BY, Catalogue, said_genre
from jobs.world.people import AGES, CONSENTS, DAYPARTS, DEVICES, NEVER
from jobs.world.places import DAY_MS, HOUR_MS, PLACES
from validation.contract import Column, Purpose, Table

if TYPE_CHECKING:
    from jobs.world.block import Block
    from jobs.world.draws import Ints
    from jobs.world.preset import World
    from jobs.world.weather import Weather

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
TABLES = (LISTENERS, IMPRESSIONS, TRACKS, WEATHER, CONTEXT_EFFECTS, DEFECTS)


def listeners(block: Block) -> pa.RecordBatch:
    """Return rows of truth.listeners for a block."""
    crowd, world = block.people, block.stage.world
    made = np.flatnonzero(block.made)
    hours = sessions.circadian(crowd)
    columns: dict[str, Any] = {"listener": crowd.number}
    columns |= {name: getattr(crowd, name) for name in LATENT}
    columns |= {f"share_{slug}": crowd.theta[:, g] for g, slug in enumerate(SLUGS)}
    columns |= {f"hour_{h}": hours[:, h] for h in range(24)}
    columns |= {f"in_{name}": crowd.dayparts[:, k] for k, name in enumerate(DAYPARTS)}
    columns |= {f"on_{name}": crowd.devices[:, k] for k, name in enumerate(DEVICES)}
    columns |= {"home": _named([p.code for p in PLACES], crowd.home), "time_zone": _named([p.zone for p in PLACES], crowd.home)}
    columns["trip_place"] = _named([p.code for p in PLACES], np.where(crowd.trip_from < NEVER, crowd.trip_place, -1))
    columns |= {name: _dates(world, getattr(crowd, name)) for name in ("trip_from", "trip_to", "begins", "ends", "upgrades", "withdraws")}
    columns |= {"free": crowd.free, "age_band": _named(AGES, crowd.age), "consent": _named(CONSENTS, crowd.consent)}
    return _batch(LISTENERS, columns).take(pa.array(made))


def impressions(block: Block) -> pa.RecordBatch:
    """Return rows of truth.impressions for a block."""
    rows, chances, outcomes = block.ads, block.chances, block.outcomes
    campaigns, creatives = ads.campaign_names()
    which = rows.category * ads.CAMPAIGNS * ads.CREATIVES + rows.creative
    columns: dict[str, Any] = {
        "date": pa.array((rows.at // DAY_MS).astype(np.int32)).cast(pa.date32()),
        "impression": [f"i{key}" for key in rows.keys.tolist()],
        "listener": block.people.number[rows.who],
        "event_ts": _moments(rows.at),
        "category": _named(ads.CATEGORIES, rows.category),
        "campaign": _named(campaigns, which),
        "creative": _named(creatives, which),
        "slot": _named(ads.SLOTS, rows.slot),
        "device": _named(DEVICES, rows.device),
        "shown": rows.shown,
        "week_ads": rows.week,
        "p_click": chances.click,
        "p_reachable": chances.reachable,
        "p_complete": chances.complete,
        "p_convert_shown": chances.convert_shown,
        "p_convert_held": chances.convert_held,
        "tau": chances.convert_shown - chances.convert_held,
        "clicked": outcomes.clicked > 0,
        "completed": outcomes.heard == 1.0,
        "converted": outcomes.converted > 0,
    }
    return _batch(IMPRESSIONS, columns)


def tracks(catalogue: Catalogue) -> pa.Table:
    """Return truth.tracks."""
    columns = {
        "track": catalogue.ids(),
        "artist": [catalogue.artist_names[a] for a in catalogue.artist.tolist()],
        "title": catalogue.titles,
        "genre": _named(GENRES, catalogue.genre),
        "said_genre": _named(GENRES, said_genre(catalogue)),
        "known_by": _named(KNOWN_BY, catalogue.known_by),
        "popularity": catalogue.popularity,
    }
    return pa.Table.from_batches([_batch(TRACKS, columns)])


def weather(found: Weather) -> pa.Table:
    """Return truth.weather."""
    places, hours = found.wet.shape
    columns = {
        "place": _named([p.code for p in PLACES], np.repeat(np.arange(places), hours)),
        "hour": _moments(np.tile(found.origin_ms + np.arange(hours) * HOUR_MS, places)),
        "temperature_c": found.temperature.ravel(),
        "rain_mm": found.rain.ravel(),
    }
    return pa.Table.from_batches([_batch(WEATHER, columns)])


def context_effects() -> pa.Table:
    """Return truth.context_effects."""
    found = effects.EFFECTS
    columns = {
        "circumstance": [e.when for e in found],
        "outcome": [e.on for e in found],
        "size": [e.size for e in found],
        "null_by_design": [e.size == 0 for e in found],
    }
    return pa.Table.from_batches([_batch(CONTEXT_EFFECTS, columns)])


def _batch(table: Table, columns: dict[str, Any]) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays(
        [pa.array(columns[name]) if not isinstance(columns[name], pa.Array) else columns[name] for name in table.names], list(table.names)
    )


def _named(names: Any, which: Ints) -> pa.Array:
    """Return the name of each number; null where it is negative."""
    return pa.array(list(names)).take(pa.array(which, mask=which < 0))


def _moments(ms: Ints) -> pa.Array:
    return pa.array(ms * 1000).cast(pa.timestamp("us", tz="UTC"))


def _dates(world: World, day: Ints) -> pa.Array:
    """Return local days as dates; null outside of the world."""
    outside = (day < 0) | (day >= world.days + 10)
    return pa.array((np.where(outside, 0, day) + world.start_ms // DAY_MS).astype(np.int32), mask=outside).cast(pa.date32())
