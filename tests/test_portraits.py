"""Portraits against an oracle in plain Python: artists, discoveries, moments, weather and places of random listeners."""

from __future__ import annotations

import math
import random
from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from batches import batch
from small_lake import one, who

from jobs.contracts.context import SESSION_MOMENTS
from jobs.contracts.fans import FAN_LADDER
from jobs.contracts.portraits import USER_PORTRAITS
from jobs.moments import MOMENTS
from jobs.moments.portrait import FAMILIES, PORTRAIT
from jobs.user_portraits import user_portraits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark
D = date(2026, 11, 9)
WEEK = timedelta(days=7)
NAMES = [moment.name for moment in MOMENTS]
WEATHERS = ("rain", "dry_cold", "dry_mild", "unknown")
Row = dict[str, Any]
Values = dict[str, float | None]


def pairs(day: date, plays: dict[tuple[int, str], int]) -> list[Row]:
    """Return a date's ladder: how often whom each listener played."""
    whole: Counter[int] = Counter()
    for (listener, _), n in plays.items():
        whole[listener] += n
    return [
        one(FAN_LADDER, date=day, listener_id=who(listener), artist_id=artist, plays=n, share=n / whole[listener])
        for (listener, artist), n in plays.items()
    ]


def drawn(seed: int) -> tuple[list[Row], list[Row]]:
    """Draw three weeks of ladders, in which artists come, stay and are left, and sessions, some known late."""
    rng = random.Random(seed)
    ladder, plays = [], {}
    for back in (2, 1, 0):
        for listener in range(8):
            for artist in "abcdefghij":
                was = plays.get((listener, artist), 0)
                plays[listener, artist] = was + rng.choice((0, 0, 0, 1, 4)) if rng.random() > 0.1 else 0
        plays = {pair: n for pair, n in plays.items() if n and not (pair[0] == 7 and back == 0)}
        ladder += pairs(D - back * WEEK, plays)
    sessions = []
    for n in range(300):
        began = datetime(2026, 10, 5, 12, tzinfo=UTC) + timedelta(days=rng.randrange(36))
        more = {"weather": rng.choice(WEATHERS), "place": rng.choice(("DE-BE", "DE-BY", "US-NY", None)), "moment": rng.choice(NAMES)}
        more |= {"mean_energy": rng.choice((None, round(rng.random(), 3))), "known_ts": began + timedelta(days=rng.choice((0, 0, 0, 5)))}
        sessions.append(one(SESSION_MOMENTS, date=began.date(), session_id=str(n), listener_id=who(rng.randrange(3, 12)), **more))
    return ladder, sessions


def divided(above: float, below: float) -> float | None:
    return above / below if below else None


def by_listener(rows: list[Row]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for row in rows:
        found[row["listener_id"]][row["artist_id"]] = row["plays"]
    return found


def artists(ladder: list[Row], day: date) -> dict[str, Values]:
    """What the words of each feature say, counted one by one."""
    now, week, fortnight = (by_listener([row for row in ladder if row["date"] == day - n * WEEK]) for n in range(3))
    everybody: Counter[str] = Counter()
    for mine in now.values():
        everybody.update(mine)
    found = {who: set(mine) - set(fortnight.get(who, {})) for who, mine in week.items()}
    kept = {who: {a for a in mine if now.get(who, {}).get(a, 0) > week[who][a]} for who, mine in found.items()}
    usual = divided(sum(map(len, kept.values())), sum(map(len, found.values())))
    rows = {}
    for listener in set(now) | set(week):
        mine = now.get(listener, {})
        n = sum(mine.values())
        drawn_two = sum(k * (k - 1) for k in mine.values())
        new = set(mine) - set(week.get(listener, {}))
        first, then = len(found.get(listener, ())), len(kept.get(listener, ()))
        rows[listener] = {
            "artist_concentration_28d": divided(drawn_two, n * (n - 1)),
            "artist_mainstream_28d": 1 - divergence(shares(mine), shares(everybody)) if mine else None,
            "exploration_rate_28d": divided(len(new), len(mine)) if week else None,
            "discovery_conversion_28d": (then + 5 * usual) / (first + 5) if fortnight and first and usual is not None else None,
        }
    return rows


def shares(plays: Mapping[str, int]) -> dict[str, float]:
    return {artist: k / sum(plays.values()) for artist, k in plays.items()}


def divergence(mine: dict[str, float], theirs: dict[str, float]) -> float:
    """Jensen-Shannon in bits, over every artist there is."""
    middle = {a: (mine.get(a, 0) + p) / 2 for a, p in theirs.items()}
    return sum(p * math.log2(p / middle[a]) / 2 for side in (mine, theirs) for a, p in side.items())


def moments(sessions: list[Row], day: date) -> dict[str, Values]:
    near = [s for s in sessions if day - timedelta(days=27) <= s["date"] <= day and s["known_ts"].date() <= day]
    usual, rows = Counter(s["moment"] for s in near), {}
    for listener in {s["listener_id"] for s in near}:
        mine = [s for s in near if s["listener_id"] == listener]
        had, places = Counter(s["moment"] for s in mine), Counter(s["place"] for s in mine if s["place"])
        energies = {rain: [s["mean_energy"] for s in mine if s["mean_energy"] is not None and rain(s)] for rain in (is_wet, is_dry)}
        wet, dry = energies[is_wet], energies[is_dry]
        row: Values = {f"moment_{name}_28d": (had[name] + 5 * usual[name] / len(near)) / (len(mine) + 5) for name in NAMES}
        row |= {"places_28d": len(places), "home_share_28d": divided(max(places.values(), default=0), places.total())}
        row["weather_sensitivity_28d"] = None
        if wet and dry:
            both = 1 / (1 / len(wet) + 1 / len(dry))
            row["weather_sensitivity_28d"] = (sum(wet) / len(wet) - sum(dry) / len(dry)) * both / (both + 10)
        rows[listener] = row
    return rows


def is_wet(session: Row) -> bool:
    return session["weather"] == "rain"


def is_dry(session: Row) -> bool:
    return str(session["weather"]).startswith("dry")


@pytest.mark.parametrize("seed", range(3))
def test_every_value_is_that_of_plain_python(spark: SparkSession, seed: int) -> None:
    ladder, sessions = drawn(seed)
    dates = (D - WEEK, D)
    found = user_portraits(batch(spark, FAN_LADDER, ladder), batch(spark, SESSION_MOMENTS, sessions), dates=dates).collect()
    for day in dates:
        of_artists, of_moments = artists(ladder, day), moments(sessions, day)
        mine = {row.listener_id: row.asDict() for row in found if row.date == day}
        assert set(mine) == {row["listener_id"] for row in ladder if row["date"] == day} | set(of_moments)
        for listener, row in mine.items():
            expected = of_artists.get(listener, {}) | of_moments.get(listener, {"places_28d": 0})
            for feature in PORTRAIT:
                assert row[feature.name] == pytest.approx(expected.get(feature.name), abs=1e-6), (seed, day, listener, feature.name)


def test_before_a_second_week_no_artist_is_called_new_and_before_a_third_none_kept(spark: SparkSession) -> None:
    ladder = [*pairs(D - WEEK, {(1, "a"): 2}), *pairs(D, {(1, "a"): 3, (1, "b"): 1})]
    frames = batch(spark, FAN_LADDER, ladder), batch(spark, SESSION_MOMENTS, [])
    first, second = user_portraits(*frames, dates=(D - WEEK, D)).orderBy("date").collect()
    assert (first.exploration_rate_28d, first.discovery_conversion_28d) == (None, None)
    assert (second.exploration_rate_28d, second.discovery_conversion_28d) == (0.5, None)


def test_families_share_no_name_and_stand_in_the_table() -> None:
    names = [feature.name for family in FAMILIES.values() for feature in family]
    assert len(names) == len(set(names))
    assert set(names) <= set(USER_PORTRAITS.names)
    assert {f"moment_{name}_28d" for name in NAMES} <= set(names)
