"""Ads: opportunities between plays, who was spared at random, and what was heard, clicked and bought."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from jobs.world import draws, effects
from jobs.world.people import CONSENTS, DEVICES
from jobs.world.places import DAY_MS, HOUR_MS, SATURDAY

if TYPE_CHECKING:
    from jobs.world.draws import Bools, Ints, Keys
    from jobs.world.people import People
    from jobs.world.sessions import Sessions
    from jobs.world.stage import Stage

CATEGORIES = ("auto", "beauty", "electronics", "fashion", "food", "gaming", "travel", "finance")
SLOTS = ("pre", "mid", "post")
SLOT_CHANCES = (0.30, 0.48, 0.13)
CATEGORY_SHARES = np.array([0.14, 0.12, 0.12, 0.14, 0.16, 0.12, 0.10, 0.10])
CAMPAIGNS, CREATIVES = 2, 2  # campaigns of a category, creatives of a campaign
UNPERSONALISED = 0.6  # of the opportunities are filled where ads may not be personalised
HOLDOUT = 0.10
AD_MS = 30_000
LEAST_FOR_MID = 3  # plays of a session that has room for an ad in the middle
BREAK_MS = 31_000  # an ad and the silence around it
WEEK_MS = 7 * DAY_MS


@dataclass(frozen=True)
class Breaks:
    """Where ads may go: the session, the slot, and the play (position in the block's plays) before which the ad sits."""

    session: Ints
    slot: Ints
    keys: Keys
    play: Ints  # for a post-roll, the session's last play
    shown: Bools

    def pause(self, plays: int) -> Ints:
        """Return the milliseconds of ads before each of so many plays."""
        fills = self.shown & (self.slot != SLOTS.index("post"))
        return np.asarray(np.bincount(self.play[fills], minlength=plays) * BREAK_MS)


@dataclass(frozen=True)
class Ads:
    """Opportunities of a block, ordered by listener and time. `creative` counts within the category; `week` is the
    number of ads heard in the seven days before."""

    who: Ints
    keys: Keys
    at: Ints
    day: Ints
    place: Ints
    device: Ints
    slot: Ints
    category: Ints
    creative: Ints
    shown: Bools
    week: Ints

    def __len__(self) -> int:
        return len(self.who)


def breaks(people: People, sessions: Sessions) -> Breaks:
    """Draw the opportunities of all sessions of listeners on the free plan."""
    keys = draws.sub(sessions.keys[:, None], 1_000 + np.arange(len(SLOTS)))
    who = sessions.who
    personal = (people.consent[who] == CONSENTS.index("granted")) & (people.age[who] > 0)
    fill = np.where(personal, 1.0, UNPERSONALISED) * people.free_on(who, sessions.day)
    open_ = draws.chance(keys, "opportunity", np.array(SLOT_CHANCES) * fill[:, None])
    open_[:, 1] &= sessions.plays >= LEAST_FOR_MID
    session, slot = np.nonzero(open_)
    keys = keys[session, slot]
    first = (np.cumsum(sessions.plays) - sessions.plays)[session]
    middle = 1 + (draws.uniform(keys, "middle") * (sessions.plays[session] - 1)).astype(np.int64)
    play = first + np.choose(slot, [np.zeros_like(middle), middle, sessions.plays[session] - 1])
    return Breaks(session, slot, keys, play, draws.uniform(keys, "holdout") >= HOLDOUT)


def build(sessions: Sessions, found: Breaks, begins: Ints, ends: Ints) -> Ads:
    """Place the opportunities in time, given when plays begin and end."""
    post = found.slot == SLOTS.index("post")
    at = np.where(post, ends[found.play] + 500, begins[found.play] - np.where(found.shown, BREAK_MS - 500, 200))
    who = sessions.who[found.session]
    category = draws.choose(found.keys, "category", np.cumsum(CATEGORY_SHARES))
    creative = (draws.uniform(found.keys, "creative") * CAMPAIGNS * CREATIVES).astype(np.int64)
    session = found.session
    return Ads(
        who, found.keys, at, sessions.day[session], sessions.place[session], sessions.device[session], found.slot, category, creative,
        found.shown, _heard_before(who, at, found.shown),
    )  # fmt: skip


def _heard_before(who: Ints, at: Ints, shown: Bools) -> Ints:
    """Count each listener's ads shown in the seven days before each moment; rows come ordered by listener and time."""
    lane = who * 10**13 + at
    heard = lane[shown]
    return np.asarray(np.searchsorted(heard, lane, side="left") - np.searchsorted(heard, lane - WEEK_MS, side="left"))


def circumstances(stage: Stage, ads: Ads) -> dict[str, Bools]:
    """Return what holds at the moment of each opportunity: of the clock, the device, the slot and the weather."""
    world = stage.world
    local = stage.clocks.local(ads.place, ads.at)
    hour = local // HOUR_MS % 24
    weekend = (local // DAY_MS - world.start_ms // DAY_MS + world.first.weekday()) % 7 >= SATURDAY
    devices = {name: ads.device == DEVICES.index(name) for name in DEVICES}
    slots = {name: ads.slot == s for s, name in enumerate(SLOTS)}
    return effects.of_clock(hour, weekend) | devices | slots | effects.of_weather(*stage.weather.at(ads.place, ads.at))


def campaign_names() -> tuple[list[str], list[str]]:
    """Return campaign and creative of (category, creative), each in row-major order."""
    campaigns = [f"{name}-{k + 1}" for name in CATEGORIES for k in range(CAMPAIGNS) for _ in range(CREATIVES)]
    creatives = [f"{name}-{k + 1}-{'ab'[j]}" for name in CATEGORIES for k in range(CAMPAIGNS) for j in range(CREATIVES)]
    return campaigns, creatives
