"""The catalogue: artists, tracks with audio descriptors, genres that overlap, and the podcast episodes beside them."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np

from jobs.world import draws, words

if TYPE_CHECKING:
    from jobs.world.draws import Bools, Floats, Ints, Keys
    from jobs.world.preset import World

GENRES = ("pop", "rock", "rap", "r&b", "latin", "edm", "jazz", "classical")
GENRE_SHARES = np.array([0.22, 0.18, 0.15, 0.11, 0.11, 0.11, 0.07, 0.05])
SUBGENRES = {
    "pop": ("dance pop", "indie pop", "deutschpop"), "rock": ("classic rock", "hard rock", "album rock"),
    "rap": ("hip hop", "trap", "deutschrap"), "r&b": ("neo soul", "urban contemporary", "new jack swing"),
    "latin": ("reggaeton", "latin pop", "tropical"), "edm": ("big room", "electro house", "techno"),
    "jazz": ("swing", "bebop", "nu jazz"), "classical": ("baroque", "romantic", "piano"),
}  # fmt: skip
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
EPISODES_PER_SHOW = 40
LETTERS = np.frombuffer(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", dtype="S1")
HEADER = (
    "track_id,track_name,track_artist,track_popularity,track_album_id,track_album_name,track_album_release_date,playlist_name,playlist_id,"
    "playlist_genre,playlist_subgenre,danceability,energy,key,loudness,mode,speechiness,acousticness,instrumentalness,liveness,valence,tempo,"
    "duration_ms,isrc"
)


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
    bin_of: Ints
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
        has = (draws.uniform(self.keys, "isrc") < 0.8) | (self.known_by == KNOWN_BY.index("isrc"))  # noqa: PLR2004
        return [f"QZOVT26{n:05d}" if h and n < 100_000 else "" for n, h in enumerate(has.tolist())]  # noqa: PLR2004


def build(world: World) -> Catalogue:
    """Make the catalogue of a world; it does not depend on listeners or dates."""
    artist_keys = draws.key(world.seed, "artist", np.arange(world.artists))
    keys = draws.key(world.seed, "track", np.arange(world.tracks))
    first, second, fame, tilt = _artists(artist_keys)
    artist = np.where(
        np.arange(world.tracks) < world.artists,
        np.arange(world.tracks) % world.artists,
        draws.choose(keys, "artist", np.cumsum(np.sqrt(fame))),
    )
    genre = np.where(draws.uniform(keys, "genre") < 0.82, first[artist], second[artist])  # noqa: PLR2004
    other = np.where(genre == first[artist], second[artist], first[artist])
    descriptors, tempo, loudness, track_ms = _sound(keys, genre, tilt[artist])
    popularity = fame[artist] ** 0.7 * np.exp(0.8 * draws.normal(keys, "popularity"))
    bin_of = _energy_bins(genre, descriptors[:, ENERGY])
    group = genre * ENERGY_BINS + bin_of
    order = np.argsort(group, kind="stable")
    return Catalogue(
        keys, artist, words.artists(artist_keys), words.titles(artist_keys[artist], _nth(artist)), genre, other, descriptors, tempo, loudness, track_ms,
        popularity, draws.choose(keys, "known_by", np.cumsum(KNOWN_BY_SHARES)), bin_of, order, np.cumsum(popularity[order]),
        np.searchsorted(group[order], np.arange(len(GENRES) * ENERGY_BINS + 1)),
    )  # fmt: skip


def _artists(keys: Keys) -> tuple[Ints, Ints, Floats, Floats]:
    """Return each artist's first and second genre, fame and (artists, 10) tilt of the sound, in standard deviations."""
    # Golden-ratio steps keep every genre present in the smallest catalogue.
    spread = (np.arange(len(keys)) + 0.5) * 0.6180339887498949 % 1.0
    first = np.searchsorted(np.cumsum(GENRE_SHARES), spread).clip(max=len(GENRES) - 1)
    near = np.exp(-3.0 * np.abs(CENTRES[:, None, :7] - CENTRES[None, :, :7]).sum(-1)) * GENRE_SHARES
    np.fill_diagonal(near, 0.0)
    second = draws.choose(keys, "second", np.cumsum(near, axis=1)[first])
    rank = np.argsort(np.argsort(draws.uniform(keys, "fame")))
    return first, second, (rank + 3.0) ** -0.8, draws.normals(keys, "sound", CENTRES.shape[1])


def _sound(keys: Keys, genre: Ints, tilt: Floats) -> tuple[Floats, Floats, Floats, Ints]:
    """Return descriptors in 0..1, tempo, loudness and length in milliseconds: genre, artist and track each add a part."""
    noise = 0.45 * tilt + 0.6 * draws.normals(keys, "sound", CENTRES.shape[1])
    centre = CENTRES[genre]
    unit = np.log(centre[:, :7] / (1 - centre[:, :7])) + noise[:, :7]
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


def playlists(catalogue: Catalogue) -> tuple[Ints, Ints]:
    """Return the playlist rows as (track, genre said there): one or three a track, so that one genre is most frequent."""
    three = draws.uniform(catalogue.keys, "playlists") < 0.4  # noqa: PLR2004
    track = np.repeat(np.arange(len(three)), np.where(three, 3, 1))
    nth = np.arange(len(track)) - np.searchsorted(track, track)
    own: Bools = draws.uniform(draws.sub(catalogue.keys[track], nth), "playlist genre") < 0.9  # noqa: PLR2004
    return track, np.where(own, catalogue.genre[track], catalogue.second[track])


def said_genre(catalogue: Catalogue) -> Ints:
    """Return each track's most frequent genre over its playlist rows: all that a reader of the catalogue can know."""
    track, genre = playlists(catalogue)
    votes = np.zeros((len(catalogue.keys), len(GENRES)), dtype=np.int64)
    np.add.at(votes, (track, genre), 1)
    return votes.argmax(axis=1)


def csv_lines(catalogue: Catalogue, world: World) -> list[str]:
    """Return the catalogue's file, header first: a row for each playlist a track is in; some tracks are in none."""
    track, genre = playlists(catalogue)
    ids, isrcs = catalogue.ids(), catalogue.isrcs()
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    released = draws.bits(catalogue.keys, "released") % np.uint64(9_000)
    listed = catalogue.known_by != KNOWN_BY.index("none")
    for row, (t, g) in enumerate(zip(track.tolist(), genre.tolist(), strict=True)):
        if not listed[t]:
            continue
        name = GENRES[g]
        sound = dict(zip(DESCRIPTORS, catalogue.descriptors[t].tolist(), strict=True))
        date = (world.first - timedelta(days=30 + int(released[t]))).isoformat()
        writer.writerow((
            ids[t], catalogue.titles[t], catalogue.artist_names[catalogue.artist[t]], int(100 * catalogue.popularity[t] / (1 + catalogue.popularity[t])),
            f"al{t // 3}", f"{catalogue.titles[t]} LP", date if t % 7 else date[:4], f"{name} {row % 60}", f"pl-{name}-{row % 60}", name,
            SUBGENRES[name][t % 3], sound["danceability"], sound["energy"], t % 12, catalogue.loudness[t], t % 2, sound["speechiness"],
            sound["acousticness"], sound["instrumentalness"], sound["liveness"], sound["valence"], catalogue.tempo[t], catalogue.track_ms[t], isrcs[t],
        ))  # fmt: skip
    return [HEADER, *buffer.getvalue().splitlines()]


def items(catalogue: Catalogue) -> list[dict[str, object]]:
    """Return for each track, then each episode, what a play's row says of it."""
    ids, isrcs = catalogue.ids(), catalogue.isrcs()
    found = []
    for t, (known, artist) in enumerate(zip(catalogue.known_by.tolist(), catalogue.artist.tolist(), strict=True)):
        exact = KNOWN_BY[known] == "exact"
        item: dict[str, object] = {"track": ids[t] if exact else f"x{ids[t][::-1]}"}
        if isrcs[t] and KNOWN_BY[known] in ("exact", "isrc"):
            item["isrc"] = isrcs[t]
        item |= {"artist": catalogue.artist_names[artist], "title": catalogue.titles[t], "album": f"{catalogue.titles[t]} LP"}
        found.append({**item, "kind": "track", "track_ms": int(catalogue.track_ms[t])})
    for show, name in enumerate(words.SHOWS):
        found += [
            {"track": f"ep{show}-{n}", "artist": name, "title": f"{name} #{n}", "album": name, "kind": "episode", "track_ms": episode_ms(n)}
            for n in range(EPISODES_PER_SHOW)
        ]
    return found


def episode_ms(number: int) -> int:
    """Return the length of an episode by its number within the show: 15 to 50 minutes."""
    return 900_000 + number * 7_919 % 36 * 60_000
