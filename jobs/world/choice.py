"""Which track a play is: a favourite or a strange one, by genre, energy, popularity and trend; or an episode."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from jobs.world import draws, effects, listing, words
from jobs.world.catalogue import ENERGY_BINS

if TYPE_CHECKING:
    from jobs.world.draws import Bools, Floats, Ints, Keys
    from jobs.world.people import People
    from jobs.world.sessions import Sessions
    from jobs.world.stage import Stage

MOST_FAVOURITES = 40  # of a listener in a genre and energy
TASTE, SPREAD = 0.7, 0.8  # weight of a listener's own energy, and how far plays stray around it
STEEP = 1.7  # makes a logistic curve of a normal one


@dataclass(frozen=True)
class Choice:
    """What was chosen for each play. `item` numbers tracks, then episodes; `length` is in milliseconds."""

    item: Ints
    length: Ints
    genre: Ints
    episode: Bools
    strange: Bools  # not one of the listener's favourites
    stray: Floats  # how far its energy is from what suited the moment


def build(stage: Stage, people: People, sessions: Sessions, plays: tuple[Ints, Keys]) -> Choice:
    """Choose a track or an episode for each play, given plays' sessions and keys."""
    session, keys = plays
    who = sessions.who[session]
    weights = people.theta[sessions.who] * np.exp(effects.genre_shifts(sessions.circumstances))
    genre = draws.choose(keys, "genre", np.cumsum(weights, axis=1)[session])
    mood = TASTE * people.energy[sessions.who] + effects.shift("energy", sessions.circumstances)
    stray = draws.normal(keys, "energy")
    level = draws.logistic(STEEP * (mood[session] + SPREAD * stray) / np.hypot(TASTE, SPREAD))
    energy_bin = np.minimum((level * ENERGY_BINS).astype(np.int64), ENERGY_BINS - 1)
    strange = draws.chance(keys, "explore", people.explore[who])
    rank = np.minimum(draws.geometric(keys, "rank", people.loyalty[who]), MOST_FAVOURITES)
    favourite = draws.sub(people.keys[who], genre, energy_bin, rank)
    draw = np.where(strange, draws.uniform(keys, "track"), draws.uniform(favourite, "favourite"))
    track = stage.catalogue.pick(genre, energy_bin, draw)
    _follow_trends(stage, track, (np.where(strange, genre, -1), sessions.day[session], keys))
    item, length, episode = _with_episodes(stage, people, who, keys, track)
    return Choice(item, length, genre, episode, strange, np.abs(stray))


def _follow_trends(stage: Stage, track: Ints, plays: tuple[Ints, Ints, Keys]) -> None:
    """Replace tracks by those of trending artists; `plays` are (genre, local day, key), the genre -1 where none may be."""
    genre, day, keys = plays
    for trend in stage.trends:
        may = np.flatnonzero(genre == trend.genre)
        caught = may[draws.chance(keys[may], f"trend {trend.number}", trend.share(day[may]))]
        track[caught] = trend.tracks[(draws.uniform(keys[caught], "trending") * len(trend.tracks)).astype(np.int64)]


def _with_episodes(stage: Stage, people: People, who: Ints, keys: Keys, track: Ints) -> tuple[Ints, Ints, Bools]:
    """Put an episode of one of the listener's three shows in the place of some tracks; return items, lengths, which."""
    item, length = track.copy(), stage.catalogue.track_ms[track]
    episode = draws.chance(keys, "episode", people.podcasts[who])
    at = np.flatnonzero(episode)
    favourite = draws.sub(people.keys[who[at]], (draws.uniform(keys[at], "which show") * 3).astype(np.int64))
    show = draws.choose(favourite, "show", np.arange(1.0, len(words.SHOWS) + 1))
    number = (draws.uniform(keys[at], "number") * listing.EPISODES).astype(np.int64)
    item[at] = len(stage.catalogue.keys) + show * listing.EPISODES + number
    length[at] = np.array([listing.episode_ms(n) for n in range(listing.EPISODES)])[number]
    return item, length, episode
