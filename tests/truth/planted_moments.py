"""Sessions with a planted moment, drawn in ways that the product's mixture cannot represent.

Hours and lengths have heavy tails, the character of the music is correlated within a session and shifted by listener, devices are
those a listener owns, habits differ between listeners, and one session in 25 mixes the clock of one moment with the music of another.
It shares no code with what infers moments; what it knows of a session's chances is the oracle.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from math import pi
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FIRST, DAYS = date(2026, 12, 14), 14  # Christmas is on a Friday, and counts as a day off
OFF = np.array([(FIRST + timedelta(days=n)).isoweekday() > 5 or n == 11 for n in range(DAYS)])
DEVICES = ("mobile", "desktop", "speaker", "car", "tv", "tablet", "web")
OWNED = (0.97, 0.75, 0.55, 0.5, 0.4, 0.35, 0.6)
AMBIGUOUS, LOST_HOURS, NU = 0.04, 0.04, 5
UNKNOWN_DEVICE, UNKNOWN_MUSIC = 0.05, 0.1


@dataclass(frozen=True)
class Planted:
    """A moment as planted: weights on working days and days off, hours as (middle, spread) pairs, weights of devices, log minutes,
    log-odds of a skip, and the character of the music: log-odds of energy, valence and acousticness, and beats per minute.
    """

    name: str
    weights: tuple[float, float]
    hours: tuple[tuple[float, float], ...]
    devices: tuple[float, ...]
    minutes: float
    skips: float
    music: tuple[float, float, float, float]


PLANTED = (
    Planted("waking_up", (0.11, 0.08), ((7.1, 1.1),), (6, 0.5, 5, 0.3, 0.5, 0.5, 0.5), 2.9, -1.6, (0.0, 0.5, -0.4, 112)),
    Planted("commute", (0.22, 0.02), ((7.8, 0.9), (17.4, 1.2)), (6, 0.1, 0.05, 8, 0.05, 0.2, 0.1), 3.2, -0.7, (0.5, 0.1, -1.0, 118)),
    Planted("focus", (0.17, 0.04), ((10.2, 1.6), (14.6, 1.6)), (1.5, 9, 0.6, 0.05, 0.1, 0.5, 5), 4.3, -2.4, (-0.5, -0.4, 0.4, 104)),
    Planted("workout", (0.09, 0.09), ((6.9, 0.9), (18.3, 1.3)), (9, 0.2, 0.6, 0.05, 0.5, 0.3, 0.2), 3.8, -1.2, (1.6, 0.5, -2.0, 135)),
    Planted("party", (0.02, 0.13), ((22.3, 1.9),), (2.5, 0.8, 7, 0.2, 3, 0.5, 0.8), 4.9, -1.0, (1.2, 1.2, -1.7, 124)),
    Planted("family", (0.07, 0.26), ((10.2, 1.7), (16.0, 2.0)), (1, 0.5, 7, 0.6, 5, 3, 0.4), 3.8, -1.5, (0.2, 1.2, -0.3, 114)),
    Planted("wind_down", (0.13, 0.13), ((20.8, 1.3),), (2.5, 0.6, 6, 0.05, 3.5, 2, 0.5), 3.7, -2.0, (-1.0, -0.2, 0.8, 94)),
    Planted("sleep", (0.08, 0.08), ((23.2, 1.2),), (6, 0.2, 4, 0.02, 0.4, 2, 0.2), 3.9, -3.5, (-2.2, -0.6, 1.7, 76)),
    Planted("background", (0.11, 0.17), ((13.0, 3.8),), (4, 2, 3, 1, 1.5, 1, 2), 3.6, -0.9, (0.2, 0.1, -0.6, 113)),
)
SCALE = np.array([0.26, 0.28, 0.32, 5.2])  # of the music around a moment's, in the units of `Planted.music`
TIES = np.array([[1, 0.5, -0.6, 0.4], [0.5, 1, -0.2, 0.2], [-0.6, -0.2, 1, -0.3], [0.4, 0.2, -0.3, 1]])
COVARIANCE = TIES * np.outer(SCALE, SCALE)


@dataclass(frozen=True)
class Drawn:
    """Sessions: the planted moment, what the oracle would say it is, the listener, and the rows that a lake would hold."""

    moment: Ints
    oracle: Ints
    listener: Ints
    rows: list[dict[str, Any]]


@dataclass(frozen=True)
class Habits:
    """What listeners are like: how often each moment comes, which devices they have and like, how patient they are, their music."""

    moments: Floats
    devices: Floats
    patience: Floats
    music: Floats


@dataclass(frozen=True)
class Heard:
    """What sessions were like: hour, device, minutes, plays, skips and character of the music."""

    hour: Floats
    device: Ints
    minutes: Floats
    plays: Ints
    skips: Ints
    music: Floats
    known: tuple[NDArray[np.bool_], NDArray[np.bool_]]  # device, music


def draw(seed: int, listeners: int, each: int) -> Drawn:
    """Draw sessions of listeners, `each` on average, and the most probable moment of each by the chances they were drawn with."""
    rng = np.random.default_rng(seed)
    n = listeners * each
    who, day = rng.integers(listeners, size=n), rng.integers(DAYS, size=n)
    owned = rng.random((listeners, len(DEVICES))) < OWNED
    habits = Habits(
        np.exp(0.4 * rng.normal(size=(listeners, len(PLANTED)))),
        np.exp(0.6 * rng.normal(size=(listeners, len(DEVICES)))) * owned + 1e-9,
        0.6 * rng.normal(size=listeners),
        rng.multivariate_normal(np.zeros(4), 0.1 * COVARIANCE, size=listeners),
    )
    shares = np.array([one.weights for one in PLANTED]).T[OFF[day].astype(int)] * habits.moments[who]
    shares /= shares.sum(axis=1, keepdims=True)
    moment = _choose(rng, shares)
    heard = _heard(rng, habits, who, moment)
    oracle = (np.log(shares) + _clock(heard, habits, who) + _content(heard, habits, who)).argmax(axis=1)
    return Drawn(moment, oracle, who, [_row(heard, i, int(who[i]), int(day[i])) for i in range(n)])


def _heard(rng: np.random.Generator, habits: Habits, who: Ints, moment: Ints) -> Heard:
    n, k = len(who), len(PLANTED)
    music_of = np.where(rng.random(n) < AMBIGUOUS, (moment + rng.integers(1, k, size=n)) % k, moment)
    minutes = np.exp(_of("minutes")[moment] + 0.45 * rng.standard_t(NU, size=n)).clip(1, 1_000)
    tails = np.sqrt(NU / rng.chisquare(NU, size=n))[:, None]
    music = _of("music")[music_of] + habits.music[who] + rng.multivariate_normal(np.zeros(4), COVARIANCE, size=n) * tails
    plays = np.maximum(1, rng.poisson(minutes / 3.5))
    skips = rng.binomial(plays, _logistic(_of("skips")[music_of] + habits.patience[who]))
    device = _choose(rng, habits.devices[who] * _of("devices")[moment])
    known = rng.random(n) >= UNKNOWN_DEVICE, rng.random(n) >= UNKNOWN_MUSIC
    return Heard(_hours(rng, moment), device, minutes, plays, skips, music, known)


def _of(name: str) -> Floats:
    return np.array([getattr(one, name) for one in PLANTED], dtype=np.float64)


def _clock(heard: Heard, habits: Habits, who: Ints) -> Floats:
    """Return the log-chance of hour, device and length under each moment, shape (sessions, moments)."""
    devices = _of("devices")
    own = habits.devices[who]
    by_device = np.log(own[np.arange(len(who)), heard.device][:, None] * devices.T[heard.device] / (own @ devices.T))
    length = -(NU + 1) / 2 * np.log1p(((np.log(heard.minutes)[:, None] - _of("minutes")) / 0.45) ** 2 / NU)
    return np.asarray(_hour_chance(heard.hour) + np.where(heard.known[0][:, None], by_device, 0.0) + length)


def _content(heard: Heard, habits: Habits, who: Ints) -> Floats:
    """Return the log-chance of skips and music under each moment, which may have another moment's; what all share is left out."""
    chance = _logistic(_of("skips") + habits.patience[who][:, None])
    found = heard.skips[:, None] * np.log(chance) + (heard.plays - heard.skips)[:, None] * np.log1p(-chance)
    gap = heard.music[:, None] - _of("music") - habits.music[who][:, None]
    music = -(NU + 4) / 2 * np.log1p(np.einsum("nmi,ij,nmj->nm", gap, np.linalg.inv(COVARIANCE), gap) / NU)
    found += np.where(heard.known[1][:, None], music, 0.0)
    alike = np.exp(found - found.max(axis=1, keepdims=True))
    others = (alike.sum(axis=1, keepdims=True) - alike) / (len(PLANTED) - 1)
    return np.asarray(np.log((1 - AMBIGUOUS) * alike + AMBIGUOUS * others))


def _row(heard: Heard, i: int, who: int, day: int) -> dict[str, Any]:
    start = datetime.combine(FIRST + timedelta(days=day), datetime.min.time(), UTC) + timedelta(hours=heard.hour[i])
    end = start + timedelta(minutes=float(heard.minutes[i]))
    ids = {"session_id": f"{i:032x}", "listener_id": f"{who:032x}", "date": start.date()}
    local = {"local_date": start.date(), "local_hour": start.hour, "place": "DE-BE"}
    counts = {"plays": int(heard.plays[i]), "judged": int(heard.plays[i]), "skips": int(heard.skips[i]), "episodes": 0}
    device = DEVICES[heard.device[i]] if heard.known[0][i] else "unknown"
    music = _music(heard.music[i]) if heard.known[1][i] else {}
    return ids | local | counts | music | {"device": device, "started_ts": start, "ended_ts": end, "known_ts": start}


def _music(character: Floats) -> dict[str, float]:
    unit = dict(zip(("mean_energy", "mean_valence", "mean_acousticness"), _logistic(character[:3]).tolist(), strict=True))
    return unit | {"mean_tempo": float(character[3])}


def _choose(rng: np.random.Generator, weights: Floats) -> Ints:
    sums = np.cumsum(weights, axis=1)
    return np.asarray((rng.random(len(weights))[:, None] * sums[:, -1:] > sums).sum(axis=1))


def _hours(rng: np.random.Generator, moment: Ints) -> Floats:
    found = rng.uniform(0, 24, size=len(moment))
    for number, one in enumerate(PLANTED):
        mine = np.flatnonzero((moment == number) & (rng.random(len(moment)) >= LOST_HOURS))
        middle, spread = np.array(one.hours)[rng.integers(len(one.hours), size=len(mine))].T
        found[mine] = rng.normal(middle, spread) % 24
    return found


def _hour_chance(hour: Floats) -> Floats:
    """Return log-densities of the hours under each moment, shape (sessions, moments); a clock has no end."""
    found = []
    for one in PLANTED:
        gap = np.array([[(hour - middle + turn) / spread for middle, spread in one.hours] for turn in (-24, 0, 24)])
        spreads = np.array([spread for _, spread in one.hours])[None, :, None]
        found.append((np.exp(-0.5 * gap**2) / spreads / np.sqrt(2 * pi)).sum(axis=0).mean(axis=0))
    return np.log((1 - LOST_HOURS) * np.array(found).T + LOST_HOURS / 24)


def _logistic(x: Floats) -> Floats:
    return 1 / (1 + np.exp(-x))
