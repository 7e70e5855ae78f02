"""Taste and rhythm in small worlds of their own: what few plays make of a listener without a taste, and of one who has one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from draws import DAY, apart, frame, ids
from results import Measured, Row, row
from sklearn.metrics import roc_auc_score

from jobs.contracts.events import AD_EVENTS, FEEDBACK
from jobs.contracts.silver import LISTENS, SESSIONS
from jobs.features import USER
from jobs.lake.address import Address
from jobs.lake.spark import SparkLake
from jobs.user_days import user_days
from jobs.windows import windows

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from worlds import Size

    Ints = NDArray[np.int64]
    Floats = NDArray[np.float64]

COMMAND = "make truth NAME=taste"
COUNTS = (10, 30, 100)  # plays of a listener
LISTENERS = 600  # of each count
TRACKS, LIKED = 3_000, 900  # a specialist plays those tracks alone that are most like one of them
MOODS = ("energy", "valence", "danceability", "acousticness")
HOURS, FAVOURED, PULL = 24, 5, 0.6  # of a day, those that a listener favours, the share of plays that they draw
REPLICATES = 200
MADE = ("gs_score_90d", "gs_by_chance_90d", "hour_entropy_28d")


@dataclass(frozen=True)
class Heard:
    """Listeners in the order of their numbers: how many plays, whether specialists, and what is made of their plays."""

    plays: Ints
    special: NDArray[np.bool_]
    score: Floats
    chance: Floats
    entropy: Floats
    plain: Floats  # entropy of frequencies as they are


def taste(size: Size) -> list[Row]:
    """Measure on every seed."""
    lake = SparkLake(Address.parse(str(size.folder / "taste")))
    found = {seed: of_worlds(lake, np.random.default_rng(seed)) for seed in size.seeds}
    counts = f"{', '.join(map(str, COUNTS[:-1]))} or {COUNTS[-1]} plays"
    says = {
        "gs_null": (
            f"listeners of {counts} like everybody's: how far their squared GS score lies from the one by chance, worst",
            "<= 0.02",
        ),
        "gs_specialists": (f"AUC of GS score less the one by chance, specialists among others of {counts}", ">= 0.9"),
        "entropy_bias": (f"error of the mean entropy of hours at {COUNTS[1]} plays, as a share of that of plain frequencies", "<= 0.5"),
    }
    return [row(name, what, goal, {seed: one[name] for seed, one in found.items()}, COMMAND) for name, (what, goal) in says.items()]


def of_worlds(lake: SparkLake, rng: np.random.Generator, listeners: int = LISTENERS) -> dict[str, Measured]:
    """Measure in a world where nobody has a taste, and in one where every third listener has one."""
    alike, mixed = heard(lake, rng, listeners, 0), heard(lake, rng, listeners, listeners // 3)
    nulls = [apart((alike.score**2 - alike.chance**2)[alike.plays == count]) for count in COUNTS]
    true = _entropy(np.concatenate((np.full(FAVOURED, PULL / FAVOURED), np.zeros(HOURS - FAVOURED))) + (1 - PULL) / HOURS)
    few = alike.plays == COUNTS[1]
    corrected, plain = alike.entropy[few] - true, alike.plain[few] - true

    above = mixed.score - mixed.chance
    return {
        "gs_null": max(nulls, key=lambda one: one.high),
        "gs_specialists": _resampled(rng, len(above), lambda pick: float(roc_auc_score(mixed.special[pick], above[pick]))),
        "entropy_bias": _resampled(rng, int(few.sum()), lambda pick: abs(float(corrected[pick].mean() / plain[pick].mean()))),
    }


def heard(lake: SparkLake, rng: np.random.Generator, listeners: int, specialists: int) -> Heard:
    """Draw the plays of one date and make features of them, from plays on."""
    plays = np.repeat(COUNTS, listeners)
    special = np.tile(np.arange(listeners) < specialists, len(COUNTS))
    who = np.repeat(np.arange(len(plays)), plays)
    moods = rng.beta(2, 1.5, (TRACKS, len(MOODS)))
    track = rng.integers(0, TRACKS, len(who))
    for one in np.flatnonzero(special):
        liked = np.argsort(((moods - moods[rng.integers(0, TRACKS)]) ** 2).sum(axis=1))[:LIKED]
        track[who == one] = rng.choice(liked, plays[one])
    favoured = rng.integers(0, HOURS, len(plays))[who] + rng.integers(0, FAVOURED, len(who))
    hour = np.where(rng.random(len(who)) < PULL, favoured % HOURS, rng.integers(0, HOURS, len(who)))
    days = np.full(len(who), np.datetime64(DAY))
    names = {"listener_id": ids("l", who), "track_id": ids("t", track), "artist_id": ids("a", track), "kind": np.full(len(who), "track")}
    when = {"date": days, "local_date": days, "local_hour": hour, "known_ts": days.astype("datetime64[us]")}
    listens = frame(lake.spark, LISTENS, names | when | {mood: moods[track, n] for n, mood in enumerate(MOODS)})
    counted = user_days(listens, *(lake.empty(table) for table in (SESSIONS, FEEDBACK, AD_EVENTS)), dates=(DAY,))
    features = [feature for feature in USER if feature.name in MADE]
    made = windows(counted, features, dates=(DAY,)).select("listener_id", *MADE).toPandas().set_index("listener_id")
    values = [made[name].loc[ids("l", np.arange(len(plays)))].to_numpy(float) for name in MADE]
    shares = np.zeros((len(plays), HOURS))
    np.add.at(shares, (who, hour), 1 / plays[who])
    return Heard(plays, special, *values, np.array([_entropy(one) for one in shares]))


def _entropy(shares: Floats) -> float:
    used = shares[shares > 0]
    return float(-(used * np.log2(used)).sum())


def _resampled(rng: np.random.Generator, count: int, measured: Callable[[Ints], float]) -> Measured:
    """Return a quantity with the interval that it has over listeners drawn again."""
    drawn = sorted(measured(rng.integers(0, count, count)) for _ in range(REPLICATES))
    return Measured(measured(np.arange(count)), drawn[int(0.025 * REPLICATES)], drawn[int(0.975 * REPLICATES)])
