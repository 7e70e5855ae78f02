"""Rolls window counts on from one date to the next: what a date adds, less what leaves its windows; the history is not read again.

A listener's different items stand in one sequence, newest first: a day's number (days since 1970), the items last played that day,
sorted, the number of the day before, ... down to the number of the day that has just left the longest window. So many items lie before
a number as were played since that day, and removing today's items from what was there moves them to the front. Hashes of 64 bits
and numbers below a hundred thousand do not meet.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from jobs.features import DISTINCTS, USER
from jobs.features.feature import WINDOWS, column, counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql import DataFrame

LONGEST = max(WINDOWS)
SUMS = counted(USER, {name for feature in USER for name in feature.measures} - {d.name for d in DISTINCTS})
DIFFERENT = counted(USER, {d.name for d in DISTINCTS})
SEEN = tuple(d.column for d in DISTINCTS)
EPOCH = date(1970, 1, 1)

# The latest date on which acts of each age became known, shifted by the day that has passed.
NONE = f"array_repeat(CAST(NULL AS DATE), {LONGEST})"
SHIFTED = f"coalesce(concat(array(CAST(NULL AS DATE)), slice(known, 1, {LONGEST - 1})), {NONE})"
NEWER = "array_max(transform(filter(acts, act -> act.age = age), act -> act.known))"
KNOWN = f"CASE WHEN coalesce(size(acts), 0) = 0 THEN {SHIFTED} ELSE transform({SHIFTED}, (was, age) -> greatest(was, {NEWER})) END"

# A sequence with the items of one more day, `new`, which may be any day of the window: those that stand among younger days' stay there.
PLACE, NEXT = "array_position(seq, new.day)", "array_position(seq, new.day - 1)"
YOUNGER = f"slice(seq, 1, {PLACE} - 1)"
OWN, OLDER = f"slice(seq, {PLACE} + 1, {NEXT} - {PLACE} - 1)", f"slice(seq, {NEXT}, size(seq))"
ADDED = f"array_except(new.items, {YOUNGER})"
MERGED = f"concat({YOUNGER}, array(new.day), array_sort(array_union({OWN}, {ADDED})), array_except({OLDER}, new.items))"


def moving(days: DataFrame, day: date, late: Sequence[str]) -> DataFrame:
    """Return the daily rows that change any window from the day before to `day`: those first seen that day, and those that leave.

    `late` names the dates (ISO) some of whose rows became known that day. Whole dates are read, and no others.
    """
    first = day - timedelta(days=LONGEST - 1)
    entering = _of([one for one in {*late, str(day)} if str(first) <= one <= str(day)])
    leaving = _of([str(day - timedelta(days=w)) for w in WINDOWS])
    seen = days.where(f"{entering} AND greatest(date, known_date) = DATE'{day}'")
    gone = days.where(f"{leaving} AND known_date < DATE'{day}'")
    return seen.selectExpr("*", "1 AS sign").unionByName(gone.selectExpr("*", "-1 AS sign"))


def _of(dates: Sequence[str]) -> str:
    return "date IN ({})".format(", ".join(f"DATE'{day}'" for day in sorted(dates)))


def all_known(days: DataFrame, day: date) -> DataFrame:
    """Return all daily rows of the longest window that were known by the end of `day`, as if they were first seen that day."""
    first = day - timedelta(days=LONGEST - 1)
    return days.where(f"date BETWEEN DATE'{first}' AND DATE'{day}' AND known_date <= DATE'{day}'").selectExpr("*", "1 AS sign")


def rolled(state: DataFrame, moves: DataFrame, day: date) -> DataFrame:
    """Return the state at the end of `day` from that of the day before (or none at all) and the rows that move."""
    before = state.select("listener_id", "known", *(column(name, w) for name, w in SUMS), *SEEN)
    both = before.join(_changes(moves, day), "listener_id", "full")
    today, names = (day - EPOCH).days, [column(name, w) for name, w in SUMS]
    sums = [f"coalesce({name}, 0) + coalesce(d_{name}, 0) AS {name}" for name in names]
    found = both.selectExpr("listener_id", f"{KNOWN} AS known", *sums, *(f"{_seen(name, today)} AS {name}" for name in SEEN))
    # What has left the longest window ends up behind the number of the day that left it.
    kept = [f"slice({name}, 1, array_position({name}, {today - LONGEST})) AS {name}" for name in SEEN]
    dated = found.selectExpr(f"DATE'{day}' AS date", "listener_id", "known", *names, *kept)
    return dated.where("exists(known, one -> one IS NOT NULL)")


def summed(state: DataFrame) -> DataFrame:
    """Return what the windows of a state count: date, listener_id, known_date and a column each of `SUMS` and `DIFFERENT`."""
    place = "array_position({name}_seen, CAST(unix_date(date) - {w} AS BIGINT)) - 1 - {w}"
    counts = [f"{place.format(name=name, w=w)} AS {column(name, w)}" for name, w in DIFFERENT]
    return state.selectExpr("date", "listener_id", "array_max(known) AS known_date", *(column(name, w) for name, w in SUMS), *counts)


def _changes(moves: DataFrame, day: date) -> DataFrame:
    """Sum, a listener, what moves: by measure and window, with the different items by the day they were played."""
    age = f"datediff(DATE'{day}', date)"
    weights = [
        f"CAST(CASE WHEN sign > 0 AND {age} < {w} THEN 1 WHEN sign < 0 AND {age} = {w} THEN -1 ELSE 0 END AS BIGINT) AS in_{w}"
        for w in WINDOWS
    ]
    sums = [f"sum({name} * in_{w}) AS d_{column(name, w)}" for name, w in SUMS]
    acts = f"collect_list(struct({age} AS age, known_date AS known)) FILTER (WHERE sign > 0) AS acts"
    group = "struct(CAST(unix_date(date) AS BIGINT) AS day, {name} AS items)"
    items = [f"sort_array(collect_list({group.format(name=name)}) FILTER (WHERE sign > 0), false) AS d_{name}" for name in SEEN]
    return moves.selectExpr("*", *weights).groupBy("listener_id").agg(*map(F.expr, (*sums, acts, *items)))


def _seen(name: str, today: int) -> str:
    """Return SQL of the sequence of items with today's number put before it, and what moved taken in.

    `d_name` holds what moved by day, newest first. Mostly that is today alone: its items come right after its number, and where they
    stood before they are taken out.
    """
    before = f"coalesce({name}, transform(sequence({today - 1}, {today - LONGEST}), number -> CAST(number AS BIGINT)))"
    fresh = f"concat(array({today}L), d_{name}[0].items, array_except({before}, d_{name}[0].items))"
    merged = f"aggregate(d_{name}, concat(array({today}L), {before}), (seq, new) -> {MERGED})"
    return f"""CASE WHEN coalesce(size(d_{name}), 0) = 0 THEN concat(array({today}L), {before})
        WHEN size(d_{name}) = 1 AND d_{name}[0].day = {today} THEN {fresh} ELSE {merged} END"""
