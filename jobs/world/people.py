"""Listeners: latent tastes, habits, homes, devices, plans, and what they said about consent and age."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from jobs.world import draws
from jobs.world.catalogue import GENRE_SHARES, GENRES
from jobs.world.places import PLACES

if TYPE_CHECKING:
    from jobs.world.draws import Bools, Floats, Ints, Keys
    from jobs.world.preset import World

DEVICES = ("mobile", "desktop", "speaker", "car", "tv", "tablet", "web", "unknown")
DEVICE_LOGITS = np.array([1.7, 0.7, 0.6, 0.5, -0.6, -0.5, -0.4, -3.5])
DEVICE_OWNED = np.array([1.0, 0.7, 0.45, 0.45, 0.35, 0.3, 0.6, 1.0])  # share of listeners who have one at all
DAYPARTS = ("night", "morning", "midday", "evening", "late")
DAYPART_HOURS = (2.0, 7.8, 12.8, 17.8, 21.5)  # hour around which a daypart's listening gathers
DAYPART_LOGITS = np.array([-1.6, 0.3, 0.2, 0.6, 0.2])
AGES = ("under_18", "18_24", "25_34", "35_44", "45_54", "55_plus", "unknown")
AGE_SHARES = np.array([0.06, 0.19, 0.26, 0.19, 0.14, 0.12, 0.04])
CONSENTS = ("granted", "refused", "unknown", "silent")  # silent: never states anything
CONSENT_SHARES = np.array([0.70, 0.20, 0.05, 0.05])
WITHDRAWING = 0.03  # of those who granted
FREE = 0.62
NEVER = 1 << 40  # a day index beyond every world


@dataclass(frozen=True)
class People:
    """A block of listeners, one element an entity; days count from the world's first local date."""

    number: Ints
    keys: Keys
    theta: Floats  # (listeners, genres) long-run genre shares
    energy: Floats  # preference for energetic tracks within a genre, standard normal
    explore: Floats  # chance that a play is no favourite
    loyalty: Floats  # mean rank drawn among favourites: the smaller, the more the same tracks return
    impatience: Floats  # standard normal; log-odds of a skip rise with it
    liking: Floats  # chance to like a play that was not skipped
    intent: Floats  # log-odds that a play was asked for by name
    podcasts: Floats  # share of plays that are episodes
    sessions_per_day: Floats
    session_plays: Floats  # mean plays of a session beyond the first
    hours: Floats  # (listeners, 24) running sums of hour weights on a weekday
    dayparts: Floats  # (listeners, 5) weights of the dayparts
    devices: Floats  # (listeners, devices) log weights
    home: Ints
    trip_place: Ints
    trip_from: Ints
    trip_to: Ints
    begins: Ints  # first local day with listening
    ends: Ints  # local day after the last
    free: Bools  # on the free plan at first
    upgrades: Ints  # local day of moving to the paid plan
    age: Ints
    consent: Ints
    withdraws: Ints  # local day of withdrawing consent

    def place_on(self, who: Ints, day: Ints) -> Ints:
        """Return where listeners (positions in the block) are on local days."""
        away = (day >= self.trip_from[who]) & (day < self.trip_to[who])
        return np.where(away, self.trip_place[who], self.home[who])

    def free_on(self, who: Ints, day: Ints) -> Bools:
        """Return whether listeners hear ads on local days."""
        return np.asarray(self.free[who] & (day < self.upgrades[who]))


def raw_ids(world: World, numbers: Ints) -> list[str]:
    """Return the feed's own ids of listeners; nothing but the feed files holds them."""
    return [f"u{bits:016x}" for bits in draws.key(world.seed, "listener", numbers).tolist()]


def build(world: World, numbers: Ints) -> People:
    """Make listeners by their numbers."""
    keys = draws.key(world.seed, "listener", numbers)
    impatience = draws.normal(keys, "impatience")
    plays = 1.0 + np.exp(0.9 + 0.4 * draws.normal(keys, "session plays"))
    spread = 0.7
    rate = world.plays_per_day * np.exp(spread * draws.normal(keys, "rate") - spread**2 / 2)
    podcasts = np.where(draws.chance(keys, "podcast fan", 0.15), 0.1 + 0.3 * draws.uniform(keys, "podcasts"), 0.005)
    dayparts = draws.shares(DAYPART_LOGITS + 0.9 * draws.normals(keys, "dayparts", len(DAYPARTS)))
    return People(
        number=np.asarray(numbers),
        keys=keys,
        theta=draws.shares(0.7 * np.log(GENRE_SHARES) + 1.3 * draws.normals(keys, "taste", len(GENRES))),
        energy=draws.normal(keys, "energy"),
        explore=draws.logistic(-0.6 + 0.9 * draws.normal(keys, "explore")),
        loyalty=np.exp(1.6 + 0.6 * draws.normal(keys, "loyalty")),
        impatience=impatience,
        liking=draws.logistic(-4.2 + 0.8 * draws.normal(keys, "liking")),
        intent=draws.normal(keys, "intent"),
        podcasts=podcasts,
        sessions_per_day=rate / plays,
        session_plays=plays - 1.0,
        hours=np.cumsum(_hours(dayparts), axis=1),
        dayparts=dayparts,
        devices=_devices(keys),
        **_homes(keys, world),
        **_statements(keys, world),
    )


def _hours(dayparts: Floats) -> Floats:
    """Return (listeners, 24) weights: a bump on the clock's circle for each daypart."""
    distance = np.abs(np.arange(24)[None, :] + 0.5 - np.array(DAYPART_HOURS)[:, None])
    bumps = np.exp(-0.5 * (np.minimum(distance, 24 - distance) / 1.6) ** 2)
    # Summed one daypart after the other: the result must not depend on how a matrix product is split.
    return np.asarray(sum(dayparts[:, k : k + 1] * bumps[k] for k in range(len(DAYPARTS))))


def _devices(keys: Keys) -> Floats:
    owned = draws.chance(draws.sub(keys[:, None], np.arange(len(DEVICES))), "owned", DEVICE_OWNED)
    return np.where(owned, DEVICE_LOGITS + draws.normals(keys, "devices", len(DEVICES)), -30.0)


def _homes(keys: Keys, world: World) -> dict[str, Any]:
    places = np.cumsum([place.share for place in PLACES])
    travels = draws.chance(keys, "travels", 0.08)
    leaves = (draws.uniform(keys, "leaves") * world.days).astype(np.int64)
    joins = draws.chance(keys, "joins", 0.06)
    stops = draws.chance(keys, "stops", 0.05)
    return {
        "home": draws.choose(keys, "home", places),
        "trip_place": draws.choose(keys, "trip", places),
        "trip_from": np.where(travels, leaves, NEVER),
        "trip_to": np.where(travels, leaves + 3 + (draws.uniform(keys, "nights") * 5).astype(np.int64), NEVER),
        "begins": np.where(joins, (draws.uniform(keys, "begins") * world.days).astype(np.int64), -2),
        "ends": np.where(stops, (draws.uniform(keys, "ends") * world.days).astype(np.int64) + 1, NEVER),
    }


def _statements(keys: Keys, world: World) -> dict[str, Any]:
    consent = draws.choose(keys, "consent", np.cumsum(CONSENT_SHARES))
    withdraws = (consent == CONSENTS.index("granted")) & draws.chance(keys, "withdraws", WITHDRAWING)
    middle = 1 + (draws.uniform(keys, "withdrawal") * (world.days - 1)).astype(np.int64)
    upgrades = draws.chance(keys, "upgrades", 0.04)
    return {
        "free": draws.chance(keys, "free", FREE),
        "upgrades": np.where(upgrades, (draws.uniform(keys, "upgrade") * world.days).astype(np.int64), NEVER),
        "age": draws.choose(keys, "age", np.cumsum(AGE_SHARES)),
        "consent": consent,
        "withdraws": np.where(withdraws, middle, NEVER),
    }
