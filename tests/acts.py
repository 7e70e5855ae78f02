"""Random acts of a few listeners, known early, late or never in time, and what every feature makes of them in plain Python."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from batches import batch
from small_lake import one, who

from jobs.contracts.derived import USER_DAYS
from jobs.contracts.events import AD_EVENTS, FEEDBACK
from jobs.contracts.silver import LISTENS, SESSIONS
from jobs.features import USER
from jobs.user_days import user_days

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pyspark.sql import DataFrame, SparkSession

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
        "genre_pop": lambda row: row["genre"] == "pop",
        "genre_rnb": lambda row: row["genre"] == "r&b",
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
        "on_mobile": lambda row: row["device"] == "mobile",
        "on_car": lambda row: row["device"] == "car",
    },
    "sessions": {
        "sessions": lambda _: 1,
        "session_ms": lambda row: (row["ended_ts"] - row["started_ts"]) // timedelta(milliseconds=1),
    },
    "feedback": {
        "likes": lambda row: row["action"] in ("like", "save", "playlist_add"),
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


def try_divide(above: float, below: float) -> float | None:
    return above / below if below else None


def expected(drawn: Drawn, asked: Iterable[date]) -> dict[tuple[date, str], dict[str, float | None]]:
    """Evaluate features act by act; listeners without a play in 90 days have none."""
    found = {}
    for day in asked:
        for listener in sorted({row["listener_id"] for rows in drawn.values() for row in rows}):
            sums = {key: n for days in (1, 7, 28, 90) for key, n in added(drawn, listener, day, days).items()}
            if sums["plays", 90]:
                found[day, listener] = {f.name: evaluated(f.sql, f.days, sums) for f in USER if set(f.measures) <= {n for n, _ in sums}}
    return found


def added(drawn: Drawn, listener: str, day: date, days: int) -> dict[tuple[str, int], int]:
    """Add up a listener's acts dated on or before the date, known before its end and younger than the window."""
    sums = {("active_days", days): 0}
    for of, measures in ADDS.items():
        mine = [row for row in drawn[of] if row["listener_id"] == listener and 0 <= (day - row["date"]).days < days]
        known = [row for row in mine if row["known_ts"].date() <= day]
        sums |= {(name, days): sum(int(adds(row)) for row in known) for name, adds in measures.items()}
        if of == "listens":
            sums["active_days", days] = len({row["date"] for row in known})
            sums |= {(name, days): len({row[item] for row in known}) for name, item in ITEMS.items()}
    return sums


def evaluated(sql: str, days: int, sums: dict[tuple[str, int], int]) -> float | None:
    """Evaluate a feature's expression with Python's own arithmetic; division by a literal of a null is null."""
    formula = re.sub(r"(\d)D\b", r"\1", re.sub(r"{(\w+)}", lambda name: str(sums[name[1], days]), sql))
    ratio = re.fullmatch(r"(.*)try_divide\((\d+), (\d+)\)(.*)", formula)
    if ratio:
        share = try_divide(int(ratio[2]), int(ratio[3]))
        return None if share is None else eval(f"{ratio[1]}{share!r}{ratio[4]}")  # noqa: S307
    return eval(formula)  # type: ignore[no-any-return]  # noqa: S307
