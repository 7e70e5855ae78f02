"""What is said elsewhere about artists: a murmur by fame, and talk that swells with, or before, a trend."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from jobs.world import draws
from jobs.world.places import DAY_MS
from jobs.world.words import PRAISE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from jobs.world.catalogue import Catalogue
    from jobs.world.draws import Floats, Ints
    from jobs.world.preset import World
    from jobs.world.trends import Trend

PLATFORMS = ("microblog", "forum", "video", "press")
MURMUR = 0.05  # mentions of a middling artist a day
TALK = 25.0  # mentions a day at the height of a trend's talk
MOST = 120


def rate(world: World, catalogue: Catalogue, trends: Sequence[Trend]) -> Floats:
    """Return the mean number of mentions of each artist on each date, shape (artists, days)."""
    fame = np.bincount(catalogue.artist, weights=catalogue.popularity, minlength=world.artists)
    means = np.repeat((MURMUR * fame / fame.mean())[:, None], world.days, axis=1)
    for trend in trends:
        means[trend.artist] += TALK * trend.talk(np.arange(world.days))
    return means


def rows(world: World, catalogue: Catalogue, trends: Sequence[Trend]) -> Iterator[tuple[int, str]]:
    """Yield (day of arrival counted from 1970, line) of each mention."""
    artists = draws.key(world.seed, "mentions", np.arange(world.artists))
    cells = draws.sub(artists[:, None], np.arange(world.days))
    count = draws.poisson(cells, "count", rate(world, catalogue, trends), MOST)
    artist, day = (np.repeat(axis.ravel(), count.ravel()) for axis in np.indices(count.shape))
    nth = np.arange(len(artist)) - np.repeat(np.cumsum(count) - count.ravel(), count.ravel())
    keys = draws.sub(cells[artist, day], nth)
    at = world.start_ms + day * DAY_MS + (draws.uniform(keys, "at") * (DAY_MS - 60_000)).astype(np.int64)
    picks = (keys.tolist(), artist.tolist(), at.tolist(), draws.bits(keys, "what").tolist(), _titles(catalogue, artist))
    for key, who, moment, what, title in zip(*picks, strict=True):
        yield moment // DAY_MS, _line(catalogue.artist_names[who], title, key, what, moment)


def _titles(catalogue: Catalogue, artist: Ints) -> list[str]:
    """Return a track's title for each artist: the one that the catalogue lists first."""
    first = {a: t for t, a in reversed(list(enumerate(catalogue.artist.tolist())))}
    return [catalogue.titles[first[a]] for a in artist.tolist()]


def _line(artist: str, title: str, key: int, what: int, at: int) -> str:
    language = ("de", "en")[what % 2]
    text = PRAISE[language][what // 2 % len(PRAISE[language])]
    row: dict[str, object] = {
        "mention_id": f"m{key}",
        "platform": PLATFORMS[what // 16 % 4],
        "text": text.format(artist=artist, title=title),
    }
    row["language"] = language
    if what // 64 % 4:  # three of four are tagged with the artist
        row["artist"] = artist
    if "{title}" in text and what // 256 % 2:
        row["title"] = title
    row |= {"at": f"{np.datetime64(at, 'ms')}Z", "sent_at": f"{np.datetime64(at + 30_000, 'ms')}Z"}
    return json.dumps(row, ensure_ascii=False, separators=(",", ":"))
