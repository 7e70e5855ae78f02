"""What all listeners of a world share; made anew by each task, from the seed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from jobs.world import catalogue, trends, weather
from jobs.world.places import Clocks

if TYPE_CHECKING:
    from jobs.world.preset import World


@dataclass(frozen=True)
class Stage:
    """The world's parameters, catalogue, clocks, weather and trends."""

    world: World
    catalogue: catalogue.Catalogue
    clocks: Clocks
    weather: weather.Weather
    trends: tuple[trends.Trend, ...]


def build(world: World) -> Stage:
    """Make what all listeners share."""
    tracks = catalogue.build(world)
    return Stage(world, tracks, Clocks(world), weather.build(world), trends.build(world, tracks))
