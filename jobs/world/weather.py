"""Weather: what it was, hour by hour and place by place, and the forecasts issued 24 and 6 hours before."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np

from jobs.world import draws
from jobs.world.places import DAY_MS, HOUR_MS, PLACES, hours_ahead
from jobs.world.preset import MARGIN_DAYS

if TYPE_CHECKING:
    from jobs.world.draws import Bools, Floats, Ints
    from jobs.world.preset import World

LEADS = {24: (0.85, 1.6), 6: (0.95, 0.8)}  # hours ahead -> correlation of the rain state, error of the temperature in degrees
PERSISTENCE = 0.92  # of the hidden states from hour to hour
HOT, COLD = 22.0, 8.0  # degrees Celsius, above and below which the world's listeners feel it


@dataclass(frozen=True)
class Weather:
    """Arrays (places, hours) from `origin_ms` on: degrees Celsius, and the hidden state above whose threshold it rains."""

    origin_ms: int
    temperature: Floats
    wet: Floats
    threshold: Floats  # (places, 1)

    @property
    def rain(self) -> Floats:
        """Millimetres of rain in the hour."""
        return _millimetres(self.wet, self.threshold)

    def at(self, place: Ints, utc_ms: Ints) -> tuple[Bools, Floats]:
        """Return whether it rains and the temperature at these places and moments."""
        hour = np.clip((utc_ms - self.origin_ms) // HOUR_MS, 0, self.wet.shape[1] - 1)
        return self.wet[place, hour] > self.threshold[place, 0], self.temperature[place, hour]


def build(world: World) -> Weather:
    """Make the weather of a world; it does not depend on listeners."""
    hours = np.arange((world.days + 2 * MARGIN_DAYS) * 24)
    places = draws.key(world.seed, "weather", np.arange(len(PLACES)))
    keys = draws.sub(places[:, None], hours)
    days = hours / 24 - MARGIN_DAYS
    season = np.array([[p.warmth] for p in PLACES]) - np.array([[p.cooling] for p in PLACES]) * days
    offsets = hours_ahead(world.first)[:, None]
    daily = 4.0 * np.cos(2 * np.pi * ((hours + offsets) % 24 - 15) / 24)
    temperature = season + daily + 2.5 * _persistent(draws.normal(keys, "temperature"))
    threshold = np.array([[NormalDist().inv_cdf(1 - p.wetness)] for p in PLACES])
    origin = world.start_ms - MARGIN_DAYS * DAY_MS
    return Weather(origin, np.round(temperature, 1), _persistent(draws.normal(keys, "wet")), threshold)


def _persistent(noise: Floats) -> Floats:
    """Return stationary first-order autoregressive series of unit variance along the last axis."""
    series = noise.copy()
    for h in range(1, series.shape[1]):
        series[:, h] = PERSISTENCE * series[:, h - 1] + np.sqrt(1 - PERSISTENCE**2) * noise[:, h]
    return series


def _millimetres(wet: Floats, threshold: Floats) -> Floats:
    return np.asarray(np.round(np.where(wet > threshold, 0.2 + 2.0 * (wet - threshold) ** 2, 0.0), 1), dtype=np.float64)


def forecast(weather: Weather, world: World, lead: int) -> tuple[Floats, Floats]:
    """Return temperature and rain as forecast `lead` hours before, arrays (places, hours)."""
    closeness, error = LEADS[lead]
    places = draws.key(world.seed, "weather", np.arange(len(PLACES)))
    keys = draws.sub(places[:, None], np.arange(weather.wet.shape[1]), np.array(lead))
    wet = closeness * weather.wet + np.sqrt(1 - closeness**2) * draws.normal(keys, "forecast wet")
    temperature = np.round(weather.temperature + error * draws.normal(keys, "forecast temperature"), 1)
    return temperature, _millimetres(wet, weather.threshold)
