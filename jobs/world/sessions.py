"""Sessions: when, where and on what a listener begins to listen, and under which circumstances."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from jobs.world import draws, effects
from jobs.world.places import DAY_MS, HOUR_MS, SATURDAY

if TYPE_CHECKING:
    from jobs.world.draws import Bools, Floats, Ints, Keys
    from jobs.world.people import People
    from jobs.world.preset import World
    from jobs.world.stage import Stage

MOST_A_DAY = 12
MOST_PLAYS = 60
APART_MS = 31 * 60_000  # at least, between the end of a session and the next one's start


@dataclass(frozen=True)
class Sessions:
    """Sessions of a block of listeners, ordered by listener and start. `who` is the position in the block."""

    who: Ints
    keys: Keys
    day: Ints  # local day, counted from the world's first date
    place: Ints
    start: Ints  # milliseconds since 1970 UTC
    device: Ints
    plays: Ints
    circumstances: dict[str, Bools]

    def __len__(self) -> int:
        return len(self.who)


def build(stage: Stage, people: People) -> Sessions:
    """Draw the sessions that start within the world's dates."""
    world = stage.world
    who, day, keys = _begun(world, people)
    place = people.place_on(who, day)
    weekend = _weekend(world, day)
    hour = _hour(people, who, keys, weekend)
    local = world.start_ms + day * DAY_MS + hour * HOUR_MS + (draws.uniform(keys, "minute") * HOUR_MS).astype(np.int64)
    start = stage.clocks.utc(place, local, second=draws.chance(keys, "fold", 0.5))
    inside = (start >= world.start_ms) & (start < world.end_ms)
    order = np.flatnonzero(inside)
    order = order[np.lexsort((keys[order], start[order], who[order]))]
    who, day, keys, place, start = who[order], day[order], keys[order], place[order], start[order]
    clock = effects.of_clock(hour[order], weekend[order])
    device = draws.choose(keys, "device", np.cumsum(draws.shares(people.devices[who] + effects.device_shifts(clock)), axis=1))
    plays = 1 + np.minimum(draws.geometric(keys, "plays", people.session_plays[who]), MOST_PLAYS)
    seen = clock | effects.of_device(device) | effects.of_weather(*stage.weather.at(place, start))
    return Sessions(who, keys, day, place, start, device, plays, seen)


def _begun(world: World, people: People) -> tuple[Ints, Ints, Keys]:
    """Return (listener, local day, key) of each session; local days reach one beyond the UTC dates on either side."""
    days = np.arange(-1, world.days + 1)
    lift = np.exp(effects.shift("sessions", {"weekend": _weekend(world, days)}))
    keys = draws.sub(people.keys[:, None], days + 2)
    mood = np.exp(0.5 * draws.normal(keys, "day") - 0.125)
    active = (days >= people.begins[:, None]) & (days < people.ends[:, None])
    mean = np.minimum(people.sessions_per_day[:, None] * lift * mood, MOST_A_DAY) * active
    count = draws.poisson(keys, "sessions", mean, MOST_A_DAY).ravel()
    cell = np.repeat(np.arange(len(count)), count)
    nth = np.arange(len(cell)) - np.repeat(np.cumsum(count) - count, count)
    return cell // len(days), days[cell % len(days)], draws.sub(keys.ravel()[cell], nth)


def _weekend(world: World, day: Ints) -> Bools:
    return np.asarray((day + world.first.weekday()) % 7 >= SATURDAY)


def _hour(people: People, who: Ints, keys: Keys, weekend: Bools) -> Ints:
    """Draw local hours from each listener's own clock; at weekends everything happens an hour later."""
    return (draws.choose(keys, "hour", people.hours[who]) + weekend) % 24


def apart(sessions: Sessions, length: Ints) -> Ints:
    """Return starts moved later just so far that no session begins within `APART_MS` of the end of the one before."""
    step = length + APART_MS
    before = np.cumsum(step) - step
    first = np.searchsorted(sessions.who, sessions.who)
    before -= before[first]
    lane = sessions.who * 10**13  # keeps the running maximum within a listener
    return np.asarray(np.maximum.accumulate(sessions.start - before + lane) - lane + before)


def circadian(people: People) -> Floats:
    """Return each listener's share of sessions by local hour on a weekday, shape (listeners, 24)."""
    weights = np.diff(people.hours, axis=1, prepend=0.0)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True))
