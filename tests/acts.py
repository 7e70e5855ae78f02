"""Random acts of a few listeners, known early, late or never in time, and what every feature makes of them in plain Python."""

from __future__ import annotations

import cmath
import math
import random
import re
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
from batches import batch
from small_lake import one, who

from jobs.contracts.derived import USER_DAYS
from jobs.contracts.events import AD_EVENTS, FEEDBACK
from jobs.contracts.silver import LISTENS, SESSIONS
from jobs.features import USER
from jobs.features.feature import TERM, WINDOWS
from jobs.features.taste import SLUGS
from jobs.user_days import user_days

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pyspark.sql import DataFrame, SparkSession

    from jobs.features.feature import Feature
    from validation.contract import Table

Row = dict[str, Any]
Drawn = dict[str, list[Row]]
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)
FIRST = date(2026, 7, 1)
SPAN = 140  # days with acts: longer than the longest window
TABLES = {"listens": LISTENS, "sessions": SESSIONS, "feedback": FEEDBACK, "ad_events": AD_EVENTS}


def frame(spark: SparkSession, table: Table, rows: Iterable[Row]) -> DataFrame:
    """Return rows of a table, plain values where none is given."""
    return batch(spark, table, [one(table, **row) for row in rows])


def counted(spark: SparkSession, drawn: Drawn) -> DataFrame:
    """Return the daily counts of all dates, computed once."""
    frames = [frame(spark, table, drawn[of]) for of, table in TABLES.items()]
    made = user_days(*frames, dates=tuple(FIRST + n * DAY for n in range(SPAN)))
    return spark.createDataFrame(made.select(*USER_DAYS.names).toArrow())


def acts() -> Drawn:
    """Draw acts of listeners: some every day, some who stop and return, some heard of late, one known of only by likes."""
    rng = random.Random(11)
    found: Drawn = {"listens": [], "sessions": [], "feedback": [], "ad_events": []}
    breaks = [(0, 0), (20, 60), (40, 131), (1, 139), (100, 140), (3, 95)]  # from, to: nothing between
    for n in range(18):
        quiet = breaks[n % len(breaks)]
        for _ in range(60):
            days = rng.randrange(SPAN)
            if not quiet[0] <= days < quiet[1]:
                _draw(found, rng, who(n), FIRST + days * DAY)
    found["feedback"] += [row | {"listener_id": who(99)} for row in found["feedback"][:5]]
    return found


def _draw(found: Drawn, rng: random.Random, listener: str, day: date) -> None:
    moment = datetime.combine(day, time(rng.randrange(24), rng.randrange(60)), UTC)
    midnight = datetime.combine(day + DAY, time(), UTC)
    late = rng.choice((moment, moment, moment + HOUR, midnight - timedelta(microseconds=1), midnight, moment + rng.randrange(1, 100) * DAY))
    row = {"listener_id": listener, "date": day, "event_ts": moment, "known_ts": max(moment, late)}
    of = rng.choice(("listens", "listens", "listens", "sessions", "feedback", "ad_events"))
    if of == "listens":
        moods = rng.choice(([0.25, 0.5, 0.75, 1.0], [rng.random() for _ in range(4)], [0.5, None, 0.5, 0.5], [None] * 4))
        row |= dict(zip(("energy", "valence", "danceability", "acousticness"), moods, strict=True))
        row |= {"ms_played": rng.choice((None, 10_000, 200_000)), "skipped": rng.choice((None, True, False))}
        row |= {"completed": rng.choice((None, True, False)), "kind": rng.choice(("track", "track", "episode"))}
        row |= {"genre": rng.choice((None, "pop", "r&b", "schlager")), "source": rng.choice((None, "search", "radio", "album"))}
        row |= {"artist_id": f"artist {rng.randrange(6)}", "track_id": f"track {rng.randrange(25)}"}
        row |= {"plan": rng.choice((None, "free", "paid"))}
        row |= {"local_hour": rng.randrange(24), "local_date": day, "device": rng.choice(("mobile", "car", "tv"))}
    elif of == "sessions":
        row |= {"started_ts": moment, "ended_ts": moment + rng.randrange(90) * MINUTE}
        del row["event_ts"]
    elif of == "feedback":
        row["action"] = rng.choice(("like", "save", "playlist_add", "dislike", "unlike", "unsave", "share", "follow"))
    else:
        row["kind"] = rng.choice(("impression", "impression", "holdout", "click", "complete", "midpoint"))
    found[of].append(row)


Counts = Callable[[Row], int]


def _moods(row: Row) -> bool:
    return None not in [row[name] for name in ("energy", "valence", "danceability", "acousticness")]


def _thousandths(name: str) -> Counts:
    return lambda row: round(row[name] * 1000) if _moods(row) else 0


def _is(name: str, value: str) -> Counts:
    return lambda row: row[name] == value


def _hour(low: int, high: int) -> Counts:
    return lambda row: low <= row["local_hour"] <= high


# What each measure adds for one act, in plain Python; days are counted apart.
ADDS: dict[str, dict[str, Counts]] = {
    "listens": {
        "plays": lambda _: 1,
        "ms_played": lambda row: row["ms_played"] or 0,
        "judged": lambda row: row["skipped"] is not None,
        "skips": lambda row: row["skipped"] is True,
        "timed": lambda row: row["completed"] is not None,
        "completes": lambda row: row["completed"] is True,
        "episodes": lambda row: row["kind"] == "episode",
        "known_genre": lambda row: row["genre"] is not None,
        **{f"genre_{slug}": _is("genre", genre) for genre, slug in SLUGS.items()},
        "described": _moods,
        **{f"sum_{name}": _thousandths(name) for name in ("energy", "valence", "danceability", "acousticness")},
        "sourced": lambda row: row["source"] is not None,
        "intentional": lambda row: row["source"] in ("search", "album"),
        "in_night": _hour(0, 5),
        "in_morning": _hour(6, 9),
        "in_midday": _hour(10, 15),
        "in_evening": _hour(16, 19),
        "in_late": _hour(20, 23),
        "on_weekend": lambda row: row["local_date"].isoweekday() >= 6,
        **{f"on_{device}": _is("device", device) for device in ("mobile", "desktop", "speaker", "car")},
        "planned": lambda row: row["plan"] is not None,
        "paid": _is("plan", "paid"),
    },
    "sessions": {
        "sessions": lambda _: 1,
        "session_ms": lambda row: (row["ended_ts"] - row["started_ts"]) // timedelta(milliseconds=1),
    },
    "feedback": {
        "likes": lambda row: row["action"] in ("like", "save", "playlist_add"),
        "playlist_adds": _is("action", "playlist_add"),
        "dislikes": lambda row: row["action"] in ("dislike", "unlike", "unsave"),
        "shares": lambda row: row["action"] == "share",
    },
    "ad_events": {
        "ads_heard": lambda row: row["kind"] == "impression",
        "ads_clicked": lambda row: row["kind"] == "click",
        "ads_completed": lambda row: row["kind"] == "complete",
    },
}


# What tells different items apart.
ITEMS = {"artists": "artist_id", "tracks": "track_id"}


def try_divide(above: float | None, below: float) -> float | None:
    return above / below if below and above is not None else None


def coalesce(value: float | None, other: float) -> float:
    return other if value is None else value


SQL = {"try_divide": try_divide, "coalesce": coalesce, "ln": math.log, "least": min}


def expected(drawn: Drawn, asked: Iterable[date]) -> dict[tuple[date, str], dict[str, float | None]]:
    """Evaluate features act by act; listeners without a play in 90 days have none."""
    found = {}
    listeners = sorted({row["listener_id"] for rows in drawn.values() for row in rows})
    for day in asked:
        known = {(listener, days): _known(drawn, listener, day, days) for listener in listeners for days in WINDOWS}
        sums = {listener: {key: n for days in WINDOWS for key, n in added(known[listener, days], days).items()} for listener in listeners}
        of_all = {key: sum(mine[key] for mine in sums.values()) for key in sums[listeners[0]]}
        for listener in listeners:
            if sums[listener]["plays", 90]:
                found[day, listener] = {f.name: evaluated(f, sums[listener], of_all) for f in USER if f.name not in BY_ROWS} | {
                    name: of(known[listener, days]["listens"], [row for one in listeners for row in known[one, days]["listens"]])
                    for name, (of, days) in BY_ROWS.items()
                }
    return found


def _known(drawn: Drawn, listener: str, day: date, days: int) -> Drawn:
    """Return a listener's acts dated on or before the date, known before its end and younger than the window."""
    mine = {
        of: [row for row in rows if row["listener_id"] == listener and 0 <= (day - row["date"]).days < days] for of, rows in drawn.items()
    }
    return {of: [row for row in rows if row["known_ts"].date() <= day] for of, rows in mine.items()}


def added(known: Drawn, days: int) -> dict[tuple[str, int], int]:
    """Add up what measures count of acts."""
    sums = {(name, days): sum(int(adds(row)) for row in known[of]) for of, measures in ADDS.items() for name, adds in measures.items()}
    sums["active_days", days] = len({row["date"] for row in known["listens"]})
    return sums | {(name, days): len({row[item] for row in known["listens"]}) for name, item in ITEMS.items()}


def evaluated(feature: Feature, sums: dict[tuple[str, int], int], of_all: dict[tuple[str, int], int]) -> float | None:
    """Evaluate a feature's expression with Python's own arithmetic; what is made of a null is null."""

    def value(term: re.Match[str]) -> str:
        return str((of_all if term["all"] else sums)[term["name"], int(term["days"] or feature.days)])

    try:
        return eval(re.sub(r"(\d)D\b", r"\1", TERM.sub(value, feature.sql)), dict(SQL))  # type: ignore[no-any-return]  # noqa: S307
    except TypeError:
        return None


# ---- features that are more than sums, from the rows themselves: of a listener's plays, and everybody's ---------------


def turned(plays: list[Row]) -> complex:
    return sum((cmath.exp(2j * math.pi * (row["local_hour"] + 0.5) / 24) for row in plays), 0j)


def mean_hour(plays: list[Row], _: list[Row]) -> float | None:
    return cmath.phase(turned(plays)) % (2 * math.pi) * 12 / math.pi if abs(turned(plays)) > 0.001 else None


def hour_focus(plays: list[Row], _: list[Row]) -> float | None:
    return try_divide(abs(turned(plays)), len(plays))


def hour_entropy(plays: list[Row], _: list[Row]) -> float | None:
    """Return Grassberger's estimate, at most that of 48 hours that are all alike; logarithms of few as in closed form, of many nearly."""
    bins = Counter((row["local_hour"], row["local_date"].isoweekday() >= 6) for row in plays)
    if not plays:
        return None
    few = {1: -np.euler_gamma - math.log(2), 2: 2 - np.euler_gamma - math.log(2), 3: 2 - np.euler_gamma - math.log(2)}
    logs = {n: few[n] if n in few else math.log(n // 2 * 2) + 1 / (6 * (n // 2 * 2) ** 2) for n in bins.values()}
    nats = math.log(len(plays)) - sum(n * logs[n] for n in bins.values()) / len(plays)
    return min(nats / math.log(2), math.log2(48))


def _mean_direction(plays: list[Row]) -> list[float] | None:
    moods = [[row[name] - 0.5 for name in ("energy", "valence", "danceability", "acousticness")] for row in plays if _moods(row)]
    directions = [[value / math.hypot(*one) if any(one) else 0.0 for value in one] for one in moods]
    return [sum(values) / len(directions) for values in zip(*directions, strict=True)] if directions else None


def gs_score(plays: list[Row], _: list[Row]) -> float | None:
    mean = _mean_direction(plays)
    return None if mean is None else math.hypot(*mean)


def gs_by_chance(plays: list[Row], everybody: list[Row]) -> float | None:
    mean, n = _mean_direction(everybody), sum(map(_moods, plays))
    return math.sqrt(math.hypot(*mean) ** 2 + (1 - math.hypot(*mean) ** 2) / n) if mean and n else None


def mainstream(plays: list[Row], everybody: list[Row]) -> float | None:
    def shares(rows: list[Row]) -> dict[str, float]:
        known = [row["genre"] if row["genre"] in SLUGS else "other" for row in rows if row["genre"] is not None]
        return {genre: n / len(known) for genre, n in Counter(known).items()}

    mine, theirs = shares(plays), shares(everybody)
    middle = {genre: (mine.get(genre, 0) + theirs[genre]) / 2 for genre in theirs}
    apart = sum(p * math.log2(p / middle[genre]) for one in (mine, theirs) for genre, p in one.items())
    return 1 - apart / 2 if mine else None


BY_ROWS: dict[str, tuple[Callable[[list[Row], list[Row]], float | None], int]] = {
    "mean_hour_28d": (mean_hour, 28),
    "hour_focus_28d": (hour_focus, 28),
    "hour_entropy_28d": (hour_entropy, 28),
    "gs_score_90d": (gs_score, 90),
    "gs_by_chance_90d": (gs_by_chance, 90),
    "mainstream_90d": (mainstream, 90),
}
