"""Where listeners live: twelve places in eleven time zones, and what a clock shows there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np

from jobs.world.preset import MARGIN_DAYS

if TYPE_CHECKING:
    from datetime import date

    from jobs.world.draws import Bools, Floats, Ints
    from jobs.world.preset import World

HOUR_MS = 3_600_000
DAY_MS = 86_400_000
SATURDAY = 5  # the first day of the weekend, counted from Monday = 0


@dataclass(frozen=True)
class Place:
    """A region (ISO 3166) with its zone, its share of listeners, its climate in October and what is spoken there."""

    code: str
    zone: str
    share: float
    warmth: float  # mean temperature on 1 October, degrees Celsius
    cooling: float  # degrees lost a day
    wetness: float  # share of hours with rain
    language: str


PLACES = (
    Place("DE-BE", "Europe/Berlin", 0.16, 13.0, 0.16, 0.14, "de"),
    Place("DE-BY", "Europe/Berlin", 0.14, 11.5, 0.17, 0.16, "de"),
    Place("GB", "Europe/London", 0.13, 13.5, 0.12, 0.20, "en"),
    Place("FR", "Europe/Paris", 0.08, 15.0, 0.15, 0.15, "en"),
    Place("ES", "Europe/Madrid", 0.07, 19.0, 0.17, 0.08, "en"),
    Place("SE", "Europe/Stockholm", 0.06, 10.0, 0.17, 0.17, "en"),
    Place("US-NY", "America/New_York", 0.11, 18.0, 0.19, 0.12, "en"),
    Place("US-CA", "America/Los_Angeles", 0.09, 21.0, 0.12, 0.04, "en"),
    Place("BR-SP", "America/Sao_Paulo", 0.06, 22.0, -0.05, 0.18, "en"),
    Place("JP", "Asia/Tokyo", 0.04, 21.0, 0.17, 0.16, "en"),
    Place("IN-MH", "Asia/Kolkata", 0.03, 28.0, 0.01, 0.10, "en"),
    Place("AU-NSW", "Australia/Sydney", 0.03, 17.0, -0.10, 0.12, "en"),
)


class Clocks:
    """Offsets of local time from UTC, hour by hour over a world's span; arrays are indexed by place."""

    def __init__(self, world: World) -> None:
        hours = (world.days + 2 * MARGIN_DAYS) * 24
        self.origin_ms = world.start_ms - MARGIN_DAYS * DAY_MS
        begin = datetime.fromtimestamp(self.origin_ms / 1000, UTC)
        moments = [begin + timedelta(hours=h) for h in range(hours)]
        zones = [ZoneInfo(place.zone) for place in PLACES]
        self._of_utc = np.array([[_ms(m.astimezone(zone)) for m in moments] for zone in zones])
        self._of_local = np.array([[[_ms(m.replace(tzinfo=zone, fold=fold)) for m in moments] for zone in zones] for fold in (0, 1)])

    def local(self, place: Ints, utc_ms: Ints) -> Ints:
        """Return what the clock shows at a UTC moment, as milliseconds since 1970 read off that clock."""
        return np.asarray(utc_ms + self._of_utc[place, self._hour(utc_ms)])

    def utc(self, place: Ints, local_ms: Ints, *, second: Bools) -> Ints:
        """Return the UTC moment at which the clock shows `local_ms`; `second` picks the later of an hour shown twice."""
        return np.asarray(local_ms - self._of_local[second.astype(np.int64), place, self._hour(local_ms)])

    def _hour(self, ms: Ints) -> Ints:
        return np.clip((ms - self.origin_ms) // HOUR_MS, 0, self._of_utc.shape[1] - 1)


def hours_ahead(day: date) -> Floats:
    """Return by how many hours each place's clock is ahead of UTC on a date's midnight."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return np.array([_ms(midnight.astimezone(ZoneInfo(place.zone))) / HOUR_MS for place in PLACES])


def _ms(moment: datetime) -> int:
    offset = moment.utcoffset()
    return int(offset.total_seconds() * 1000) if offset else 0
