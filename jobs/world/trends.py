"""Trends: artists whose plays swell for some weeks, and the talk about them, which mostly comes days before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from jobs.world import draws

if TYPE_CHECKING:
    from jobs.world.catalogue import Catalogue
    from jobs.world.draws import Floats, Ints
    from jobs.world.preset import World

EVERY_DAYS = 6  # one trend begins about every so many days
RISE_DAYS = 4.0
PEAK = 0.30  # of the plays of a genre that are no favourites go to the artist at the height of a trend
LEADING = 0.6  # of the trends are talked about before they are heard


@dataclass(frozen=True)
class Trend:
    """One artist's swell; days count from the world's first date. `lead` is how many days the talk comes earlier."""

    number: int
    artist: int
    genre: int
    tracks: Ints
    begins: int
    lead: int

    def share(self, day: Ints) -> Floats:
        """Return the share of unfamiliar plays of the genre that go to the artist on these days."""
        return PEAK * self._height(day)

    def talk(self, day: Ints) -> Floats:
        """Return how loud the talk is on these days, 1 at its height."""
        return self._height(day + self.lead)

    def _height(self, day: Ints) -> Floats:
        age = np.maximum(day - self.begins, 0) / RISE_DAYS
        return np.asarray(age * np.exp(1.0 - age))


def build(world: World, catalogue: Catalogue) -> tuple[Trend, ...]:
    """Draw the trends of a world."""
    keys = draws.key(world.seed, "trend", np.arange(max(1, world.days // EVERY_DAYS)))
    artists = draws.bits(keys, "artist") % np.uint64(world.artists)
    begins = np.floor(draws.uniform(keys, "begins") * world.days)
    leads = np.where(draws.chance(keys, "leads", LEADING), 3 + np.floor(5 * draws.uniform(keys, "lead")), 0)
    found = []
    for number, (artist, begin, lead) in enumerate(zip(artists.tolist(), begins.tolist(), leads.tolist(), strict=True)):
        tracks = np.flatnonzero(catalogue.artist == artist)
        genre = int(catalogue.genre[tracks[0]])
        found.append(Trend(number, artist, genre, tracks[catalogue.genre[tracks] == genre], int(begin), int(lead)))
    return tuple(found)
