"""Fans against oracles: rungs counted in plain Python, the top 2 %'s share and hazards in numpy, and what is told of few."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from math import ceil, sqrt
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from batches import batch
from small_lake import one, who

from jobs.artist_fans import FLOOR, Z, artist_fans
from jobs.contracts.fans import ANY, EVERY_ARTIST, FAN_LADDER, GONE, RUNGS
from jobs.contracts.silver import LISTENS, SILVER_TRACKS
from jobs.fan_ladder import DAYS, fan_ladder
from jobs.fan_transitions import STEP, fan_transitions
from validation.gates.release import GRAIN

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

pytestmark = pytest.mark.spark
D = date(2026, 11, 9)
SOURCES = ("search", "library", "profile", "album", "editorial", "radio", "autoplay", "playlist", None)
ASKED = SOURCES[:4]
Row = dict[str, Any]


def play(n: int, heard: tuple[str, str], day: date, source: str | None, *, late: int = 0, kind: str = "track") -> Row:
    known = datetime(day.year, day.month, day.day, 13, tzinfo=UTC) + timedelta(days=late)
    names = {"listener_id": who(n), "artist_id": heard[0], "track_id": heard[1], "date": day, "source": source, "kind": kind}
    return one(LISTENS, **names, known_ts=known)


def rungs(plays: list[Row], day: date) -> dict[tuple[str, str], Row]:
    """The ladder in plain Python, from the words of the issue."""
    known = [p for p in plays if p["kind"] == "track" and day - timedelta(days=27) <= p["date"] <= day and p["known_ts"].date() <= day]
    pairs: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for p in known:
        pairs[p["listener_id"], p["artist_id"]].append(p)
    whole, found = Counter(p["listener_id"] for p in known), {}
    for (listener, artist), mine in pairs.items():
        active = [p for p in mine if p["source"] in ASKED]
        found[listener, artist] = {
            "plays": len(mine),
            "tracks": len({p["track_id"] for p in mine}),
            "active_plays": len(active),
            "active_days": len({p["date"] for p in active}),
            "active_tracks": len({p["track_id"] for p in active}),
            "unsourced": sum(p["source"] is None for p in mine),
            "share": len(mine) / whole[listener],
        }
    names = ("active_plays", "active_days", "active_tracks")
    faithful = {pair for pair, row in found.items() if row["active_days"] >= 5 and row["active_tracks"] >= 3}
    for (listener, artist), row in found.items():
        rivals = [[found[pair][name] for name in names] for pair in faithful if pair[1] == artist]
        above = sum(other > [row[name] for name in names] for other in rivals)
        if (listener, artist) in faithful and above < max(1, ceil(0.02 * sum(a == artist for _, a in found))):
            row["rung"] = "super"
        elif row["active_days"] >= 2:
            row["rung"] = "moderate"
        elif row["active_plays"]:
            row["rung"] = "light"
        else:
            row["rung"] = "unknown" if row["unsourced"] else "programmed"
    return found


def test_rungs_are_those_that_plain_python_counts(spark: SparkSession) -> None:
    rng = np.random.default_rng(0)
    first = D - timedelta(days=40)
    plays = [
        play(
            int(rng.integers(4)),
            (f"a{rng.integers(3)}", f"t{rng.integers(5)}"),
            first + timedelta(days=int(rng.integers(42))),
            SOURCES[rng.integers(len(SOURCES))],
            late=int(rng.choice([0, 0, 0, 9])),
            kind="episode" if rng.random() < 0.05 else "track",
        )
        for _ in range(400)
    ]
    plays += [play(7, ("quiet", "t"), D, None), play(8, ("a0", "t"), D - timedelta(days=28), "search"), play(9, ("a0", "t"), D, "radio")]
    dates = (D - timedelta(days=STEP), D)
    found = fan_ladder(batch(spark, LISTENS, plays), dates=dates).collect()
    names = [name for name in FAN_LADDER.names if name not in ("date", "listener_id", "artist_id")]
    for day in dates:
        mine = {(row.listener_id, row.artist_id): {name: row[name] for name in names} for row in found if row.date == day}
        assert mine == rungs(plays, day)
    assert {row.rung for row in found} == set(RUNGS)


def test_of_a_hundred_listeners_the_two_who_ask_for_most_may_be_super(spark: SparkSession) -> None:
    """The rule keeps whoever is faithful but not among them out, and lets equal ones stand equal."""
    days = [D - timedelta(days=n) for n in range(6)]
    asks = {0: 4, 1: 3, 2: 2, 3: 2}  # plays a day of those who come on six days
    plays = [play(n, ("a", f"t{k}"), day, "library") for n, often in asks.items() for day in days for k in range(often + 1)]
    plays += [play(4, ("a", "t"), day, "search") for day in days for _ in range(9)]  # one song, however often, makes no fan
    plays += [play(n, ("a", "t"), D, "radio") for n in range(5, 100)]
    found = {row.listener_id: row.rung for row in fan_ladder(batch(spark, LISTENS, plays), dates=(D,)).collect()}
    assert [found[who(n)] for n in range(5)] == ["super", "super", "moderate", "moderate", "moderate"]
    assert Counter(found.values())["programmed"] == 95


def ladder(spark: SparkSession, rows: list[Row]) -> DataFrame:
    return batch(spark, FAN_LADDER, [one(FAN_LADDER, **{"date": D, "plays": 1} | row) for row in rows])


def catalogue(spark: SparkSession, *rows: Row) -> DataFrame:
    return batch(spark, SILVER_TRACKS, [one(SILVER_TRACKS, **{"date": D} | row) for row in rows])


def student(k: int) -> float:
    return Z + (Z**3 + Z) / (4 * k)


def lorenz(plays: list[int]) -> tuple[float, float, float]:
    """The top 2 %'s share with its interval on the scale of log odds, by the influence of each listener."""
    x = np.sort(np.array(plays, dtype=float))[::-1]
    k = ceil(0.02 * len(x))
    share, q = x[:k].sum() / x.sum(), x[k - 1]
    spread = sqrt(float(((np.maximum(x - q, 0) + k / len(x) * q - share * x) ** 2).sum())) / x.sum()
    half, odds = student(k) * spread / (share * (1 - share)), np.log(share / (1 - share))
    return share, 1 / (1 + np.exp(half - odds)), 1 / (1 + np.exp(-half - odds))


def test_an_artists_rungs_and_the_share_of_its_top_listeners(spark: SparkSession) -> None:
    rng = np.random.default_rng(1)
    plays = [int(n) for n in rng.geometric(0.1, 601)]
    rows = [
        {"listener_id": who(n), "artist_id": "big", "plays": x, "rung": RUNGS[1 + n % 3], "active_plays": 0} for n, x in enumerate(plays)
    ]
    rows += [{"listener_id": who(n), "artist_id": "some", "plays": 2, "rung": "unknown"} for n in range(19)]
    rows += [{"listener_id": who(n), "artist_id": "few", "plays": 9, "rung": "super"} for n in range(GRAIN - 1)]
    named = [
        {"artist_id": "big", "artist_name": name, "genre": genre}
        for name, genre in (("Big", "pop"), ("Big", None), ("big", "rock"), ("Big", "rock"))
    ]
    long_ago = {"artist_id": "some", "artist_name": "Some", "date": D - timedelta(days=DAYS)}
    found = {row.artist_id: row for row in artist_fans(ladder(spark, rows), catalogue(spark, *named, long_ago), dates=(D,)).collect()}
    assert set(found) == {"big", "some", EVERY_ARTIST}, "fewer than ten listeners are told of nowhere"
    big, some, whole = found["big"], found["some"], found[EVERY_ARTIST]
    assert (big.artist_name, big.genre, big.listeners, big.programmed, big.light, big.moderate) == ("Big", "rock", 600, 200, 200, 200)
    assert (big.top_share, big.top_low, big.top_high) == pytest.approx(lorenz(plays))
    assert (some.artist_name, some.listeners, some.unknown, some.super, some.top_share) == (None, 10, 10, 0, None), (
        "one listener is no group"
    )
    assert whole.listeners == (601 + 19 + GRAIN - 1) // 10 * 10
    assert (whole.top_share, whole.top_low, whole.top_high) == pytest.approx(lorenz(plays)), f"artists under {FLOOR} have no top"


def test_hazards_and_their_intervals(spark: SparkSession) -> None:
    """Twelve listeners with five artists each; of some all artists move as one, so that sixty pairs are far fewer than sixty."""
    before, now = D - timedelta(days=STEP), D
    to = {n: "moderate" if n < 4 else "light" for n in range(12)}
    rows = [{"date": before, "listener_id": who(n), "artist_id": f"a{k}", "rung": "light"} for n in range(12) for k in range(5)]
    rows += [{"date": now, "listener_id": who(n), "artist_id": f"a{k}", "rung": to[n]} for n in range(12) for k in range(5) if n < 11]
    rows += [{"date": before, "listener_id": who(n), "artist_id": "b", "rung": "super"} for n in range(GRAIN - 1)]
    rows += [{"date": before, "listener_id": who(n), "artist_id": "c", "rung": "unknown"} for n in range(12)]
    ways = fan_transitions(ladder(spark, rows), dates=(now,)).collect()
    assert {row.weeks for row in ways} == {ANY}, "without a ladder of two weeks ago nobody knows how long"
    found = {(row.from_rung, row.to_rung): row for row in ways}
    assert {way for way, _ in found} == {"light"}, "too few stood on the rung of super, and nobody leaves a rung that nobody knows"
    assert {to: (row.at_risk, row.moved) for (_, to), row in found.items()} == {
        **dict.fromkeys(RUNGS, (60, 0)),
        "moderate": (60, 20),
        "light": (60, 30),
        GONE: (60, 0),
    }
    one_way = found["light", "moderate"]
    m, h, z2 = 12, 20 / 60, Z**2  # as many pairs as listeners
    middle, half = (h + z2 / (2 * m)) / (1 + z2 / m), sqrt(z2 * (h * (1 - h) / m + z2 / (4 * m * m))) / (1 + z2 / m)
    assert (one_way.hazard, one_way.low, one_way.high) == pytest.approx((h, middle - half, middle + half))
    never = found["light", "super"]
    assert (never.hazard, never.low, never.high) == pytest.approx((0, 0, z2 / m / (1 + z2 / m)))


def test_hazards_by_time_on_a_rung(spark: SparkSession) -> None:
    """Of thirty listeners twelve came to the rung in the week before, from another or from nowhere, and eight of them leave it."""
    rows = [{"date": D - timedelta(days=STEP), "listener_id": who(n), "artist_id": "a", "rung": "light"} for n in range(30)]
    earlier = {n: "light" if n >= 12 else "moderate" for n in range(6, 30)}
    rows += [{"date": D - timedelta(days=2 * STEP), "listener_id": who(n), "artist_id": "a", "rung": rung} for n, rung in earlier.items()]
    rows += [{"date": D, "listener_id": who(n), "artist_id": "a", "rung": "light"} for n in range(8, 30)]
    found = {(row.weeks, row.to_rung): row for row in fan_transitions(ladder(spark, rows), dates=(D,)).collect()}
    assert {weeks: round(found[weeks, GONE].hazard, 6) for weeks in (ANY, 1, 2)} == {ANY: round(8 / 30, 6), 1: round(8 / 12, 6), 2: 0}
    assert {weeks: found[weeks, GONE].at_risk for weeks in (ANY, 1, 2)} == {ANY: 30, 1: 10, 2: 10}


def test_nothing_moves_from_a_date_that_is_not_there(spark: SparkSession) -> None:
    rows = [{"date": D - timedelta(days=STEP), "listener_id": who(n), "artist_id": "a", "rung": "light"} for n in range(20)]
    assert fan_transitions(ladder(spark, rows), dates=(D,)).count() == 0
