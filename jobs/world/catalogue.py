"""The catalogue: artists, and tracks with audio descriptors in genres that overlap."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from jobs.world import draws, words

if TYPE_CHECKING:
    from jobs.world.draws import Floats, Ints, Keys
    from jobs.world.preset import World

GENRES = ("pop", "rock", "rap", "r&b", "latin", "edm", "jazz", "classical")
GENRE_SHARES = np.array([0.22, 0.18, 0.15, 0.11, 0.11, 0.11, 0.07, 0.05])
DESCRIPTORS = ("danceability", "energy", "valence", "acousticness", "instrumentalness", "liveness", "speechiness")
ENERGY = DESCRIPTORS.index("energy")
# Typical values by genre: the descriptors, then tempo in beats per minute, loudness in dB and length in seconds.
CENTRES = np.array(
    [
        [0.64, 0.68, 0.52, 0.20, 0.02, 0.18, 0.07, 118, -6, 205],
        [0.50, 0.76, 0.52, 0.12, 0.05, 0.20, 0.06, 125, -7, 235],
        [0.72, 0.64, 0.50, 0.20, 0.02, 0.19, 0.22, 115, -7, 190],
        [0.66, 0.56, 0.50, 0.30, 0.02, 0.16, 0.10, 108, -8, 215],
        [0.72, 0.70, 0.62, 0.22, 0.01, 0.18, 0.10, 112, -6, 205],
        [0.66, 0.80, 0.42, 0.06, 0.30, 0.20, 0.08, 126, -5, 200],
        [0.52, 0.38, 0.46, 0.68, 0.40, 0.15, 0.05, 110, -13, 290],
        [0.30, 0.20, 0.28, 0.90, 0.75, 0.13, 0.045, 98, -20, 320],
    ]
)
ENERGY_BINS = 6  # tracks of a genre in six groups of equal size by energy
# How the track in a play is told to be the track in the catalogue: by its id, by ISRC, by names alone, or not at all.
KNOWN_BY = ("exact", "isrc", "name", "none")
KNOWN_BY_SHARES = np.array([0.90, 0.05, 0.03, 0.02])
LETTERS = np.frombuffer(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", dtype="S1")
UNIT = len(DESCRIPTORS)


@dataclass(frozen=True)
class Catalogue:
    """All tracks, by number. `order` lists tracks by (genre, energy bin); `cumulative` runs over their popularity there."""

    keys: Keys
    artist: Ints
    artist_names: list[str]
    titles: list[str]
    genre: Ints
    second: Ints
    descriptors: Floats  # (tracks, 7)
    tempo: Floats
    loudness: Floats
    track_ms: Ints
    popularity: Floats
    known_by: Ints
    order: Ints
    cumulative: Floats
    starts: Ints  # (genre * ENERGY_BINS + bin) -> first position in `order`; one more at the end

    def pick(self, genre: Ints, energy_bin: Ints, draw: Floats) -> Ints:
        """Return a track of each (genre, energy bin) by popularity, given draws from [0, 1)."""
        group = genre * ENERGY_BINS + energy_bin
        first, end = self.starts[group], self.starts[group + 1]
        floor = np.concatenate([[0.0], self.cumulative])
        target = floor[first] + draw * (floor[end] - floor[first])
        return np.asarray(self.order[np.clip(np.searchsorted(self.cumulative, target, side="right"), first, end - 1)])

    def ids(self) -> list[str]:
        """Return the catalogue's own track ids, 22 letters and digits each."""
        return _base62(self.keys, 22)

    def isrcs(self) -> list[str]:
        """Return an ISRC for each track, empty where it has none."""
        has = draws.chance(self.keys, "isrc", 0.8) | (self.known_by == KNOWN_BY.index("isrc"))
        return [f"QZ{chr(65 + n // 100_000)}OV26{n % 100_000:05d}" if h else "" for n, h in enumerate(has.tolist())]

    def by_artist(self, artist: int) -> Ints:
        """Return the numbers of an artist's tracks."""
        return np.flatnonzero(self.artist == artist)


def build(world: World) -> Catalogue:
    """Make the catalogue of a world; it does not depend on listeners or dates."""
    artist_keys = draws.key(world.seed, "artist", np.arange(world.artists))
    numbers = np.arange(world.tracks)
    keys = draws.key(world.seed, "track", numbers)
    first, second, fame, tilt = _artists(artist_keys)
    # Every artist has a track; famous ones have more.
    artist = np.where(numbers < world.artists, numbers, draws.choose(keys, "artist", np.cumsum(np.sqrt(fame))))
    own = draws.chance(keys, "genre", 0.82)
    genre, other = np.where(own, first[artist], second[artist]), np.where(own, second[artist], first[artist])
    descriptors, tempo, loudness, track_ms = _sound(keys, genre, tilt[artist])
    popularity = fame[artist] ** 0.7 * np.exp(0.8 * draws.normal(keys, "popularity"))
    group = genre * ENERGY_BINS + _energy_bins(genre, descriptors[:, ENERGY])
    order = np.argsort(group, kind="stable")
    return Catalogue(
        keys=keys,
        artist=artist,
        artist_names=words.artists(artist_keys),
        titles=words.titles(artist_keys[artist], _nth(artist)),
        genre=genre,
        second=other,
        descriptors=descriptors,
        tempo=tempo,
        loudness=loudness,
        track_ms=track_ms,
        popularity=popularity,
        known_by=draws.choose(keys, "known_by", np.cumsum(KNOWN_BY_SHARES)),
        order=order,
        cumulative=np.cumsum(popularity[order]),
        starts=np.searchsorted(group[order], np.arange(len(GENRES) * ENERGY_BINS + 1)),
    )


def _artists(keys: Keys) -> tuple[Ints, Ints, Floats, Floats]:
    """Return each artist's first and second genre, fame and (artists, 10) tilt of the sound, in standard deviations."""
    # Golden-ratio steps keep every genre present in the smallest catalogue.
    spread = (np.arange(len(keys)) + 0.5) * 0.6180339887498949 % 1.0
    first = np.minimum(np.searchsorted(np.cumsum(GENRE_SHARES), spread), len(GENRES) - 1)
    near = np.exp(-3.0 * np.abs(CENTRES[:, None, :UNIT] - CENTRES[None, :, :UNIT]).sum(-1)) * GENRE_SHARES
    np.fill_diagonal(near, 0.0)
    second = draws.choose(keys, "second", np.cumsum(near, axis=1)[first])
    rank = np.argsort(np.argsort(draws.uniform(keys, "fame")))
    return np.asarray(first), second, np.asarray((rank + 3.0) ** -0.8, dtype=np.float64), draws.normals(keys, "sound", CENTRES.shape[1])


def _sound(keys: Keys, genre: Ints, tilt: Floats) -> tuple[Floats, Floats, Floats, Ints]:
    """Return descriptors in 0..1, tempo, loudness and length in milliseconds: genre, artist and track each add a part."""
    noise = 0.45 * tilt + 0.6 * draws.normals(keys, "sound", CENTRES.shape[1])
    centre = CENTRES[genre]
    unit = np.log(centre[:, :UNIT] / (1 - centre[:, :UNIT])) + noise[:, :UNIT]
    tempo = np.clip(centre[:, 7] * np.exp(0.16 * noise[:, 7]), 50, 220)
    loudness = np.minimum(centre[:, 8] * np.exp(0.25 * noise[:, 8]), -1.0)
    seconds = np.clip(centre[:, 9] * np.exp(0.22 * noise[:, 9]), 45, 900)
    return np.round(draws.logistic(unit), 4), np.round(tempo, 3), np.round(loudness, 3), (seconds * 1000).astype(np.int64)


def _energy_bins(genre: Ints, energy: Floats) -> Ints:
    bins = np.zeros(len(genre), dtype=np.int64)
    for g in range(len(GENRES)):
        own = np.flatnonzero(genre == g)
        ranks = np.argsort(np.argsort(energy[own], kind="stable"))
        bins[own] = ranks * ENERGY_BINS // max(1, len(own))
    return bins


def _nth(artist: Ints) -> Ints:
    """Return for each track how many tracks of its artist come before it."""
    order = np.argsort(artist, kind="stable")
    starts = np.searchsorted(artist[order], artist[order])
    nth = np.empty(len(artist), dtype=np.int64)
    nth[order] = np.arange(len(artist)) - starts
    return nth


def _base62(keys: Keys, width: int) -> list[str]:
    digits = draws.bits(draws.sub(keys[:, None], np.arange(width)), "letter") % np.uint64(62)
    return [text.decode() for text in np.ascontiguousarray(LETTERS[digits.astype(np.int64)]).view(f"S{width}").ravel().tolist()]
