"""The truth about a block of listeners, or about what all share, as rows of the truth tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from jobs.world import ads, effects, sessions, truth
from jobs.world.catalogue import GENRES, KNOWN_BY
from jobs.world.listing import said_genre
from jobs.world.people import AGES, CONSENTS, DAYPARTS, DEVICES, NEVER
from jobs.world.places import DAY_MS, HOUR_MS, PLACES

if TYPE_CHECKING:
    from jobs.world.block import Block
    from jobs.world.catalogue import Catalogue
    from jobs.world.draws import Ints
    from jobs.world.preset import World
    from jobs.world.stage import Stage
    from jobs.world.weather import Weather
    from validation.contract import Table


def listeners(block: Block) -> pa.RecordBatch:
    """Return rows of truth.listeners for a block."""
    crowd, world = block.people, block.stage.world
    made = np.flatnonzero(block.made)
    hours = sessions.circadian(crowd)
    columns: dict[str, Any] = {"listener": crowd.number}
    columns |= {name: getattr(crowd, name) for name in truth.LATENT}
    columns |= {f"share_{slug}": crowd.theta[:, g] for g, slug in enumerate(truth.SLUGS)}
    columns |= {f"hour_{h}": hours[:, h] for h in range(24)}
    columns |= {f"in_{name}": crowd.dayparts[:, k] for k, name in enumerate(DAYPARTS)}
    columns |= {f"on_{name}": crowd.devices[:, k] for k, name in enumerate(DEVICES)}
    columns |= {"home": _named([p.code for p in PLACES], crowd.home), "time_zone": _named([p.zone for p in PLACES], crowd.home)}
    columns["trip_place"] = _named([p.code for p in PLACES], np.where(crowd.trip_from < NEVER, crowd.trip_place, -1))
    columns |= {name: _dates(world, getattr(crowd, name)) for name in ("trip_from", "trip_to", "begins", "ends", "upgrades", "withdraws")}
    columns |= {"free": crowd.free, "age_band": _named(AGES, crowd.age), "consent": _named(CONSENTS, crowd.consent)}
    return _batch(truth.LISTENERS, columns).take(pa.array(made))


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
    return _batch(truth.IMPRESSIONS, columns)


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
    return pa.Table.from_batches([_batch(truth.TRACKS, columns)])


def weather(found: Weather) -> pa.Table:
    """Return truth.weather."""
    places, hours = found.wet.shape
    columns = {
        "place": _named([p.code for p in PLACES], np.repeat(np.arange(places), hours)),
        "hour": _moments(np.tile(found.origin_ms + np.arange(hours) * HOUR_MS, places)),
        "temperature_c": found.temperature.ravel(),
        "rain_mm": found.rain.ravel(),
    }
    return pa.Table.from_batches([_batch(truth.WEATHER, columns)])


def trends(stage: Stage) -> pa.Table:
    """Return truth.trends."""
    found = stage.trends
    columns = {
        "artist": [stage.catalogue.artist_names[t.artist] for t in found],
        "genre": [GENRES[t.genre] for t in found],
        "begins": _dates(stage.world, np.array([t.begins for t in found], dtype=np.int64)),
        "lead_days": [t.lead for t in found],
    }
    return pa.Table.from_batches([_batch(truth.TRENDS, columns)])


def context_effects() -> pa.Table:
    """Return truth.context_effects."""
    found = effects.EFFECTS
    columns = {
        "circumstance": [e.when for e in found],
        "outcome": [e.on for e in found],
        "size": [e.size for e in found],
        "null_by_design": [e.size == 0 for e in found],
    }
    return pa.Table.from_batches([_batch(truth.CONTEXT_EFFECTS, columns)])


def _batch(table: Table, columns: dict[str, Any]) -> pa.RecordBatch:
    found = [columns[name] for name in table.names]
    return pa.RecordBatch.from_arrays([c if isinstance(c, pa.Array) else pa.array(c) for c in found], list(table.names))


def _named(names: Any, which: Ints) -> pa.Array:
    """Return the name of each number; null where it is negative."""
    return pa.array(list(names)).take(pa.array(which, mask=which < 0))


def _moments(ms: Ints) -> pa.Array:
    return pa.array(ms * 1000).cast(pa.timestamp("us", tz="UTC"))


def _dates(world: World, day: Ints) -> pa.Array:
    """Return local days as dates; null outside of the world."""
    outside = (day < 0) | (day >= world.days + 10)
    return pa.array((np.where(outside, 0, day) + world.start_ms // DAY_MS).astype(np.int32), mask=outside).cast(pa.date32())
