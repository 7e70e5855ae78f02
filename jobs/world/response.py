"""How listeners respond to ads, as planted: chances of a click, of hearing an ad out, and of a conversion with and without it.

The log-odds of a click have two parts. The reachable one depends on the long-run shares of listening (genre, energy, hour,
device, skips) and on the moment (device, slot, hour, weather, ads of the last week): what a pipeline can count. The hidden
one (whims of a listener for a category, the creative, the day) no feature represents.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from jobs.world import draws
from jobs.world.ads import CATEGORIES, WEEK_MS
from jobs.world.catalogue import GENRE_SHARES, GENRES
from jobs.world.people import DAYPARTS, DEVICES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jobs.world.ads import Ads
    from jobs.world.draws import Bools, Floats, Ints
    from jobs.world.people import People
    from jobs.world.preset import World

CATEGORY_LOGITS = np.array([0.0, 0.15, -0.1, 0.1, 0.3, 0.2, -0.1, -0.45])
BASE = -3.2  # about one ad in 25 is answered: enough for a month of a small world to tell a lowest decile of chances
# What draws a listener to a category: trait -> change of log-odds for a standard deviation of it.
APPETITES: dict[str, dict[str, float]] = {
    "auto": {"rock": 0.45, "car": 0.50},
    "beauty": {"pop": 0.50, "r&b": 0.35},
    "electronics": {"edm": 0.50, "desktop": 0.30},
    "fashion": {"rap": 0.45, "r&b": 0.35},
    "food": {"latin": 0.35, "speaker": 0.45},
    "gaming": {"edm": 0.30, "rap": 0.25, "late": 0.45},
    "travel": {"latin": 0.50, "explore": 0.35},
    "finance": {"classical": 0.40, "jazz": 0.35, "morning": 0.30},
}
EVERYWHERE = {"impatience": -0.40, "energy": 0.25}
MOMENT = {"car": -1.0, "speaker": -0.7, "tv": -0.5, "desktop": 0.2, "mobile": 0.3, "pre": 0.2, "post": -0.4, "late": 0.25, "weekend": 0.15}
WEATHER_MOMENT = {("food", "rain"): 0.45, ("travel", "hot"): 0.40}
FATIGUE = -0.30  # for a unit of log(1 + ads heard in the last seven days)
WHIM_CATEGORY, WHIM_LISTENER, WHIM_CREATIVE, WHIM_DAY = 0.65, 0.30, 0.30, 0.30  # standard deviations of the hidden part
WHIM = float(np.sqrt(WHIM_CATEGORY**2 + WHIM_LISTENER**2 + WHIM_CREATIVE**2 + WHIM_DAY**2))
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(9)
LATE_CLICK = 0.04  # chance of a click after the half hour that counts, as a share of the chance of one within
NO_SIGNAL = 0.04  # everybody's chance of a click in a world without signal


@dataclass(frozen=True)
class Chances:
    """Planted probabilities, one an ad opportunity. `reachable` is the click's, given all that features could say."""

    click: Floats
    reachable: Floats
    complete: Floats
    convert_shown: Floats
    convert_held: Floats


@dataclass(frozen=True)
class Outcomes:
    """What came of each opportunity; times in milliseconds, 0 where it did not happen."""

    clicked: Ints  # within half an hour
    clicked_late: Ints
    heard: Floats  # share of the ad that was heard
    converted: Ints


def build(world: World, people: People, ads: Ads, circumstances: Mapping[str, Bools]) -> Chances:
    """Return the chances of each opportunity under these circumstances (of clock, device, slot and weather)."""
    traits = _traits(people)
    seen = BASE + _appetite(traits, ads) + _moment(ads, circumstances)
    click, reachable = draws.logistic(seen + _whims(world, people, ads)), _averaged(seen)
    if not world.signal:
        click = reachable = np.full(len(ads), NO_SIGNAL)
    complete = draws.logistic(
        1.9 + 0.7 * circumstances["car"] + 0.3 * circumstances["speaker"] - 0.5 * circumstances["post"] - 0.5 * people.impatience[ads.who]
    )
    pair = draws.sub(people.keys[ads.who], ads.category)
    wants = 0.5 * draws.normal(pair, "wants") + 0.4 * (_appetite(traits, ads) - CATEGORY_LOGITS[ads.category])
    persuaded = 0.5 + 0.5 * draws.normal(pair, "persuaded") + 0.4 * people.explore[ads.who] - 0.3 * people.impatience[ads.who]
    held = -5.0 + wants
    return Chances(click, reachable, complete, draws.logistic(held + persuaded), draws.logistic(held))


def _traits(people: People) -> dict[str, Floats]:
    """Return what of a listener long-run counts show, each about standardised."""
    genres = np.log((people.theta + 0.02) / (GENRE_SHARES + 0.02))
    found = {name: genres[:, g] for g, name in enumerate(GENRES)}
    devices = draws.shares(people.devices)
    found |= {name: 4.0 * (devices[:, DEVICES.index(name)] - 0.12) for name in ("car", "speaker", "desktop")}
    found |= {
        "late": 6.0 * (people.dayparts[:, DAYPARTS.index("late")] - 0.2),
        "morning": 6.0 * (people.dayparts[:, DAYPARTS.index("morning")] - 0.2),
    }
    return found | {"explore": 5.0 * (people.explore - 0.38), "impatience": people.impatience, "energy": people.energy}


def _appetite(traits: Mapping[str, Floats], ads: Ads) -> Floats:
    """Return the reachable log-odds that a listener brings to a category; a strong taste saturates."""
    size = len(traits["energy"])
    everywhere = sum(np.clip(traits[name], -2, 2) * slope for name, slope in EVERYWHERE.items())
    columns = [
        CATEGORY_LOGITS[c]
        + everywhere
        + sum((np.clip(traits[name], -2, 2) * slope for name, slope in APPETITES[category].items()), np.zeros(size))
        for c, category in enumerate(CATEGORIES)
    ]
    return np.asarray(np.stack(columns, axis=1)[ads.who, ads.category])


def _moment(ads: Ads, circumstances: Mapping[str, Bools]) -> Floats:
    """Return the reachable log-odds of the moment: where, when, in what weather and after how many ads."""
    total = FATIGUE * np.log1p(ads.week)
    for name, size in MOMENT.items():
        total = total + size * circumstances[name]
    for (category, name), size in WEATHER_MOMENT.items():
        total = total + size * (circumstances[name] & (ads.category == CATEGORIES.index(category)))
    return np.asarray(total)


def _whims(world: World, people: People, ads: Ads) -> Floats:
    """Return the hidden log-odds."""
    listener = people.keys[ads.who]
    creative = draws.key(world.seed, "creative", ads.category * 100 + ads.creative)
    return np.asarray(
        WHIM_CATEGORY * draws.normal(draws.sub(listener, ads.category), "whim")
        + WHIM_LISTENER * draws.normal(listener, "whim of all")
        + WHIM_CREATIVE * draws.normal(creative, "quality")
        + WHIM_DAY * draws.normal(draws.sub(listener, ads.day + 2), "whim of the day")
    )


def _averaged(seen: Floats) -> Floats:
    """Return the mean probability over the hidden part, by Gauss-Hermite quadrature."""
    weights = WEIGHTS / WEIGHTS.sum()
    return np.asarray(sum(w * draws.logistic(seen + WHIM * x) for x, w in zip(NODES, weights, strict=True)))


def outcomes(ads: Ads, chances: Chances) -> Outcomes:
    """Draw what came of each opportunity; without an ad there is no click, but a conversion may come all the same."""
    click = draws.uniform(ads.keys, "click")
    wait = np.minimum(2_000 - 40_000 * np.log(1 - draws.uniform(ads.keys, "click wait")), 29 * 60_000).astype(np.int64)
    late = (31 * 60_000 + 90 * 60_000 * draws.uniform(ads.keys, "late wait")).astype(np.int64)
    clicked = ads.shown & (click < chances.click)
    clicked_late = ads.shown & ~clicked & draws.chance(ads.keys, "late click", LATE_CLICK * chances.click)
    whole = draws.chance(ads.keys, "complete", chances.complete)
    heard = np.where(ads.shown, np.where(whole, 1.0, draws.uniform(ads.keys, "heard")), 0.0)
    chance = np.where(ads.shown, chances.convert_shown, chances.convert_held)
    delay = np.minimum(60_000 - 20 * 3_600_000 * np.log(1 - draws.uniform(ads.keys, "delay")), WEEK_MS - 1).astype(np.int64)
    converted = draws.chance(ads.keys, "convert", chance)
    return Outcomes((ads.at + wait) * clicked, (ads.at + late) * clicked_late, heard, (ads.at + delay) * converted)
