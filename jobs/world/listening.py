"""Plays: which follows which, from where, skipped or heard, liked or not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from jobs.world import choice, draws, effects, listing

if TYPE_CHECKING:
    from jobs.world.draws import Bools, Ints, Keys
    from jobs.world.people import People
    from jobs.world.sessions import Sessions
    from jobs.world.stage import Stage

ASKED = ("search", "library", "album", "profile")
OFFERED = ("playlist", "editorial", "radio", "autoplay")
SOURCES = ASKED + OFFERED
ASKED_SHARES = np.array([0.25, 0.50, 0.15, 0.10])
OFFERED_SHARES = np.array([0.45, 0.20, 0.15, 0.20])
ACTIONS = ("like", "save", "playlist_add", "share", "follow", "dislike", "unlike")
ACTION_SHARES = np.array([0.55, 0.17, 0.13, 0.06, 0.03, 0.04, 0.02])
EARLY_SKIPS = 0.85  # of the skips come within half a minute
HALF_MINUTE_MS = 30_000
WHOLE = 0.93  # of the plays that are not skipped run to the end


@dataclass(frozen=True)
class Plays:
    """Plays of a block, in order of sessions. `item` numbers tracks, then episodes; times in milliseconds."""

    session: Ints
    nth: Ints  # within the session
    keys: Keys
    item: Ints
    skipped: Bools
    heard: Ints
    gap: Ints  # silence before the play
    source: Ints
    playlist: Ints
    liked: Bools

    def __len__(self) -> int:
        return len(self.session)


def build(stage: Stage, people: People, sessions: Sessions) -> Plays:
    """Draw the plays of all sessions."""
    session = np.repeat(np.arange(len(sessions)), sessions.plays)
    nth = np.arange(len(session)) - np.repeat(np.cumsum(sessions.plays) - sessions.plays, sessions.plays)
    keys = draws.sub(sessions.keys[session], nth)
    who = sessions.who[session]
    chosen = choice.build(stage, people, sessions, (session, keys))
    bored = -1.6 + 0.85 * people.impatience[who] + 0.5 * chosen.strange + 0.4 * chosen.stray - 1.0 * chosen.episode
    skipped = draws.chance(keys, "skip", draws.logistic(bored + effects.shift("skip", sessions.circumstances)[session]))
    return Plays(
        session=session,
        nth=nth,
        keys=keys,
        item=chosen.item,
        skipped=skipped,
        heard=_heard(keys, chosen.length, skipped),
        gap=(300 + 2_700 * draws.uniform(keys, "gap")).astype(np.int64),
        source=_sources(keys, draws.logistic(0.7 * people.intent[who] - 0.2 - 0.8 * chosen.strange)),
        playlist=chosen.genre * listing.PLAYLISTS + (draws.uniform(keys, "playlist") * listing.PLAYLISTS).astype(np.int64),
        liked=~skipped & draws.chance(keys, "like", people.liking[who]),
    )


def _sources(keys: Keys, asked: object) -> Ints:
    """Return where plays come from, given the chance that a play was asked for by name."""
    offered = len(ASKED) + draws.choose(keys, "offered", np.cumsum(OFFERED_SHARES))
    return np.where(draws.chance(keys, "asked", asked), draws.choose(keys, "source", np.cumsum(ASKED_SHARES)), offered)


def _heard(keys: Keys, length: Ints, skipped: Bools) -> Ints:
    """Return milliseconds heard: most skips come within 30 s, most other plays run to the end."""
    much, luck = draws.uniform(keys, "heard"), draws.uniform(keys, "ending")
    early = 1_500 + (HALF_MINUTE_MS - 2_000) * much
    left = np.where(luck < EARLY_SKIPS, early, HALF_MINUTE_MS + (0.8 * length - HALF_MINUTE_MS) * much)
    stayed = np.where(luck < WHOLE, 1.0, 0.4 + 0.5 * much) * length
    return np.asarray(np.minimum(np.where(skipped, np.maximum(left, 1_500), stayed), length).astype(np.int64))


def offsets(plays: Plays, sessions: Sessions, pause: Ints) -> tuple[Ints, Ints]:
    """Return each play's start after its session's, and the sessions' lengths; `pause` holds the ads before a play."""
    lead = np.where(plays.nth > 0, plays.gap, 0) + pause
    end = np.cumsum(lead + plays.heard)
    last = np.cumsum(sessions.plays) - 1
    begun = np.concatenate([[0], end[last[:-1]]])
    return end - plays.heard - begun[plays.session], end[last] - begun
