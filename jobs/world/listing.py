"""How tracks are told to the outside: the catalogue's file, and the names of tracks and podcast episodes in the feeds."""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np

from jobs.world import draws, words
from jobs.world.catalogue import DESCRIPTORS, GENRES, KNOWN_BY

if TYPE_CHECKING:
    from jobs.world.catalogue import Catalogue
    from jobs.world.draws import Ints
    from jobs.world.preset import World

SUBGENRES = {
    "pop": ("dance pop", "indie pop", "deutschpop"),
    "rock": ("classic rock", "hard rock", "album rock"),
    "rap": ("hip hop", "trap", "deutschrap"),
    "r&b": ("neo soul", "urban contemporary", "new jack swing"),
    "latin": ("reggaeton", "latin pop", "tropical"),
    "edm": ("big room", "electro house", "techno"),
    "jazz": ("swing", "bebop", "nu jazz"),
    "classical": ("baroque", "romantic", "piano"),
}
PLAYLISTS = 60  # of a genre
EPISODES = 40  # of a show


def playlists(catalogue: Catalogue) -> tuple[Ints, Ints]:
    """Return the playlist rows as (track, genre said there): one or three a track, so that one genre is most frequent."""
    three = draws.chance(catalogue.keys, "playlists", 0.4)
    track = np.repeat(np.arange(len(three)), np.where(three, 3, 1))
    nth = np.arange(len(track)) - np.searchsorted(track, track)
    own = draws.chance(draws.sub(catalogue.keys[track], nth), "playlist genre", 0.9)
    return track, np.where(own, catalogue.genre[track], catalogue.second[track])


def said_genre(catalogue: Catalogue) -> Ints:
    """Return each track's most frequent genre over its playlist rows: all that a reader of the catalogue can know."""
    track, genre = playlists(catalogue)
    votes = np.zeros((len(catalogue.keys), len(GENRES)), dtype=np.int64)
    np.add.at(votes, (track, genre), 1)
    return np.asarray(votes.argmax(axis=1))


def csv_lines(catalogue: Catalogue, world: World) -> list[str]:
    """Return the catalogue's file, header first: a row for each playlist a track is in; some tracks are in none."""
    track, genre = playlists(catalogue)
    listed = catalogue.known_by[track] != KNOWN_BY.index("none")
    track, genre = track[listed], genre[listed]
    names, t = [GENRES[g] for g in genre.tolist()], track.tolist()
    ids, isrcs = catalogue.ids(), catalogue.isrcs()
    sound = {name: catalogue.descriptors[track, k].tolist() for k, name in enumerate(DESCRIPTORS)}
    columns = {
        "track_id": [ids[n] for n in t],
        "track_name": [catalogue.titles[n] for n in t],
        "track_artist": [catalogue.artist_names[a] for a in catalogue.artist[track].tolist()],
        "track_popularity": (100 * catalogue.popularity / (1 + catalogue.popularity)).astype(np.int64)[track].tolist(),
        "track_album_id": [f"al{n // 3}" for n in t],
        "track_album_name": [f"{catalogue.titles[n]} LP" for n in t],
        "track_album_release_date": _released(catalogue, world, track),
        "playlist_name": [f"{name} {n % PLAYLISTS}" for n, name in enumerate(names)],
        "playlist_id": [f"pl-{name}-{n % PLAYLISTS}" for n, name in enumerate(names)],
        "playlist_genre": names,
        "playlist_subgenre": [SUBGENRES[name][n % 3] for n, name in zip(t, names, strict=True)],
        "danceability": sound["danceability"],
        "energy": sound["energy"],
        "key": (track % 12).tolist(),
        "loudness": catalogue.loudness[track].tolist(),
        "mode": (track % 2).tolist(),
        **{name: sound[name] for name in ("speechiness", "acousticness", "instrumentalness", "liveness", "valence")},
        "tempo": catalogue.tempo[track].tolist(),
        "duration_ms": catalogue.track_ms[track].tolist(),
        "isrc": [isrcs[n] for n in t],
    }
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(zip(*columns.values(), strict=True))
    return buffer.getvalue().splitlines()


def _released(catalogue: Catalogue, world: World, track: Ints) -> list[str]:
    """Return release dates; of every seventh track only the year is known."""
    ages = (draws.uniform(catalogue.keys, "released") * 9_000).astype(np.int64)[track].tolist()
    dates = [(world.first - timedelta(days=30 + age)).isoformat() for age in ages]
    return [date if n % 7 else date[:4] for n, date in zip(track.tolist(), dates, strict=True)]


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
            for n in range(EPISODES)
        ]
    return found


def episode_ms(number: int) -> int:
    """Return the length of an episode by its number within the show: 15 to 50 minutes."""
    return 900_000 + number * 7_919 % 36 * 60_000


def playlist_id(playlist: int) -> str:
    """Return the feed's id of a playlist numbered genre by genre."""
    return f"pl-{GENRES[playlist // PLAYLISTS]}-{playlist % PLAYLISTS}"
