"""Feeds that no listener is part of: the catalogue's file, the weather forecasts, and what is said elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from jobs.world import listing, mentions, weather
from jobs.world.feeds import Rows
from jobs.world.places import DAY_MS, HOUR_MS, PLACES
from jobs.world.preset import MARGIN_DAYS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from jobs.world.stage import Stage


def feeds(stage: Stage) -> Iterator[Rows]:
    """Yield the rows of these feeds."""
    text = listing.csv_lines(stage.catalogue, stage.world)
    yield Rows("tracks", np.full(len(text), stage.world.start_ms // DAY_MS), pa.array(text))
    for lead in weather.LEADS:
        yield forecasts(stage, lead)
    said = list(mentions.rows(stage.world, stage.catalogue, stage.trends))
    yield Rows("mentions", np.array([day for day, _ in said], dtype=np.int64), pa.array([line for _, line in said], pa.string()))


def forecasts(stage: Stage, lead: int) -> Rows:
    """Return the forecasts issued `lead` hours before each hour of the world's dates."""
    world = stage.world
    temperature, rain = weather.forecast(stage.weather, world, lead)
    hours = np.arange(MARGIN_DAYS * 24, (MARGIN_DAYS + world.days) * 24)
    moments = stage.weather.origin_ms + hours * HOUR_MS
    days, texts = [], []
    for p, place in enumerate(PLACES):
        for h, at in zip(hours.tolist(), moments.tolist(), strict=True):
            issued = at - lead * HOUR_MS
            days.append(issued // DAY_MS)
            texts.append(
                f'{{"place":"{place.code}","hour":"{_iso(at)}","issued_at":"{_iso(issued)}",'
                f'"temperature_c":{temperature[p, h]},"rain_mm":{rain[p, h]}}}'
            )
    return Rows("weather", np.array(days), pa.array(texts))


def _iso(ms: int) -> str:
    return f"{np.datetime64(ms, 'ms')}Z"
