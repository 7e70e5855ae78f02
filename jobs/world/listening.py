"""Plays: which track follows which, from where, skipped or heard, liked or not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from jobs.world import draws, effects, words
from jobs.world.catalogue import ENERGY_BINS, EPISODES_PER_SHOW, GENRES, episode_ms

if TYPE_CHECKING:
    from jobs.world.catalogue import Catalogue
    from jobs.world.draws import Bools, Floats, Ints, Keys
    from jobs.world.people import People
    from jobs.world.sessions import Sessions

ASKED = ("search", "library", "album", "profile")
OFFERED = ("playlist", "editorial", "radio", "autoplay")
SOURCES = ASKED + OFFERED
ASKED_SHARES = np.array([0.25, 0.50, 0.15, 0.10])
OFFERED_SHARES = np.array([0.45, 0.20, 0.15, 0.20])
PLAYLISTS = 60  # per genre
ACTIONS = ("like", "save", "playlist_add", "share", "follow", "dislike", "unlike")
ACTION_SHARES = np.array([0.55, 0.17, 0.13, 0.06, 0.03, 0.04, 0.02])
MOST_FAVOURITES = 40
SPREAD = 0.8  # of a play's energy around the listener's own


@dataclass(frozen=True)
class Plays:
    """Plays of a block, in order of sessions. `item` numbers tracks, then episodes; times in milliseconds."""

    session: Ints
    nth: Ints  # within the session
    keys: Keys
    item: Ints
    length: Ints
    skipped: Bools
    heard: Ints
    gap: Ints  # silence before the play
    source: Ints
    playlist: Ints
    liked: Bools

    def __len__(self) -> int:
        return len(self.session)


def build(people: People, sessions: Sessions, catalogue: Catalogue) -> Plays:
    """Draw the plays of all sessions."""
    session = np.repeat(np.arange(len(sessions)), sessions.plays)
    nth = np.arange(len(session)) - np.repeat(np.cumsum(sessions.plays) - sessions.plays, sessions.plays)
    keys = draws.sub(sessions.keys[session], nth)
    who = sessions.who[session]
    genre, item, strange, odd = _chosen(people, sessions, session, keys, catalogue)
    episode = draws.uniform(keys, "episode") < people.podcasts[who]
    item, length = _items(people, who, keys, catalogue, np.where(episode, -1, item))
    asked = draws.uniform(keys, "asked") < draws.logistic(0.7 * people.intent[who] - 0.2 - 0.8 * strange)
    source = np.where(
        asked,
        draws.choose(keys, "source", np.cumsum(ASKED_SHARES)),
        len(ASKED) + draws.choose(keys, "source", np.cumsum(OFFERED_SHARES)),
    )
    logit = (
        -1.6
        + 0.85 * people.impatience[who]
        + 0.5 * strange
        + 0.4 * odd
        + np.asarray(effects.shift("skip", sessions.circumstances))[session]
    )
    skipped = draws.uniform(keys, "skip") < draws.logistic(logit - 1.0 * episode)
    return Plays(
        session, nth, keys, item, length, skipped, _heard(keys, length, skipped), (300 + 2_700 * draws.uniform(keys, "gap")).astype(np.int64), source,
        genre * PLAYLISTS + (draws.uniform(keys, "playlist") * PLAYLISTS).astype(np.int64), ~skipped & (draws.uniform(keys, "like") < people.liking[who]),
    )  # fmt: skip


def _chosen(people: People, sessions: Sessions, session: Ints, keys: Keys, catalogue: Catalogue) -> tuple[Ints, Ints, Bools, Floats]:
    """Return genre, track, whether it is no favourite, and how far its energy is from what suited the moment."""
    who = sessions.who[session]
    weights = people.theta[sessions.who] * np.exp(effects.genre_shifts(sessions.circumstances))
    genre = draws.choose(keys, "genre", np.cumsum(weights, axis=1)[session])
    mood = 0.7 * people.energy[sessions.who] + np.asarray(effects.shift("energy", sessions.circumstances))
    stray = draws.normal(keys, "energy")
    level = draws.logistic(1.7 * (mood[session] + SPREAD * stray) / np.sqrt(0.7**2 + SPREAD**2))
    energy_bin = np.minimum((level * ENERGY_BINS).astype(np.int64), ENERGY_BINS - 1)
    strange = draws.uniform(keys, "explore") < people.explore[who]
    rank = np.minimum(draws.geometric(keys, "rank", people.loyalty[who]), MOST_FAVOURITES)
    favourite = draws.sub(people.keys[who], genre, energy_bin, rank)
    draw = np.where(strange, draws.uniform(keys, "track"), draws.uniform(favourite, "favourite"))
    return genre, catalogue.pick(genre, energy_bin, draw), strange, np.abs(stray)


def _items(people: People, who: Ints, keys: Keys, catalogue: Catalogue, track: Ints) -> tuple[Ints, Ints]:
    """Return item numbers and lengths; where `track` is -1, an episode of one of the listener's three shows."""
    item, length = track.copy(), catalogue.track_ms[track]
    at = np.flatnonzero(track < 0)
    show = draws.sub(people.keys[who[at]], (draws.uniform(keys[at], "show") * 3).astype(np.int64))
    number = (draws.uniform(keys[at], "number") * EPISODES_PER_SHOW).astype(np.int64)
    item[at] = len(catalogue.keys) + draws.choose(show, "show", np.arange(1.0, len(words.SHOWS) + 1)) * EPISODES_PER_SHOW + number
    length[at] = np.array([episode_ms(n) for n in range(EPISODES_PER_SHOW)])[number]
    return item, length


def _heard(keys: Keys, length: Ints, skipped: Bools) -> Ints:
    """Return milliseconds heard: most skips come within 30 s, most other plays run to the end."""
    much, early = draws.uniform(keys, "heard"), draws.uniform(keys, "early")
    left = np.where(early < 0.85, 1_500 + 28_000 * much, 30_000 + (0.8 * length - 30_000) * much)  # noqa: PLR2004
    stayed = np.where(early < 0.93, 1.0, 0.4 + 0.5 * much) * length  # noqa: PLR2004
    return np.minimum(np.where(skipped, np.maximum(left, 1_500), stayed), length).astype(np.int64)


def offsets(plays: Plays, sessions: Sessions, pause: Ints) -> tuple[Ints, Ints]:
    """Return each play's start after its session's, and the sessions' lengths; `pause` holds the ads before a play."""
    lead = np.where(plays.nth > 0, plays.gap, 0) + pause
    step = lead + plays.heard
    end = np.cumsum(step)
    first = np.cumsum(sessions.plays) - sessions.plays
    begun = (end - step)[first]
    last = first + sessions.plays - 1
    return end - plays.heard - begun[plays.session], end[last] - begun


def genre_of_playlist(playlist: int) -> str:
    """Return the name under which the feed knows a playlist."""
    return f"pl-{GENRES[playlist // PLAYLISTS]}-{playlist % PLAYLISTS}"
