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

# A sequence with the items of one more day, `new`, which may be any day of the window: those that stand among younger days' stay there.
PLACE, NEXT = "array_position(seq, new.day)", "array_position(seq, new.day - 1)"
YOUNGER, REST = f"slice(seq, 1, {PLACE} - 1)", f"slice(seq, {NEXT}, size(seq))"
OWN = f"slice(seq, {PLACE} + 1, {NEXT} - {PLACE} - 1)"
ADDED = f"array_except(new.items, {YOUNGER})"
MERGED = f"concat({YOUNGER}, array(new.day), array_sort(array_union({OWN}, {ADDED})), array_except({REST}, new.items))"


def rolled(state: DataFrame, days: DataFrame, day: date, late: Sequence[str]) -> DataFrame:
    """Return the state at the end of `day` from that of the day before.

    `late` names the dates (ISO) some of whose rows became known that day. Of the history those dates are read, and the ones that leave
    a window; no others.
    """
    before = state.select("listener_id", "known", *(column(name, w) for name, w in SUMS), *SEEN)
    first = day - timedelta(days=LONGEST - 1)
    missed = [one for one in late if str(first) <= one < str(day)]
    entering = days.where(f"{_of([*missed, str(day)])} AND known_date = DATE'{day}'")
    leaving = days.where(f"{_of([str(day - timedelta(days=w)) for w in WINDOWS])} AND known_date < DATE'{day}'")
    moves = entering.selectExpr("*", "1 AS sign").unionByName(leaving.selectExpr("*", "-1 AS sign"))
    both = before.join(_weighed(moves, day).groupBy("listener_id").agg(*map(F.expr, _sums("d_"))), "listener_id", "full")
    today, names = (day - EPOCH).days, [column(name, w) for name, w in SUMS]
    played = entering.where(f"date = DATE'{day}'").selectExpr("listener_id", "true AS acted", *(f"{name} AS d_{name}" for name in SEEN))
    sums = [f"coalesce({name}, 0) + coalesce(d_{name}, 0) AS {name}" for name in names]
    moved = both.join(played, "listener_id", "left").selectExpr(
        "listener_id", f"{_known(day)} AS known", *sums, *(f"{_seen(name, today)} AS {name}" for name in SEEN)
    )
    whole = _with_late(moved, entering.where(f"date < DATE'{day}'"), day) if missed else moved
    # What has left the longest window ends up behind the number of the day that left it.
    kept = [f"slice({name}, 1, array_position({name}, {today - LONGEST})) AS {name}" for name in SEEN]
    dated = whole.selectExpr(f"DATE'{day}' AS date", "listener_id", "known", *names, *kept)
    return dated.where("array_max(known) IS NOT NULL")


def _known(day: date) -> str:
    """Return SQL of the latest dates on which acts of each age became known, a day later; what was done today is known today."""
    older = f"coalesce(slice(known, 1, {LONGEST - 1}), array_repeat(CAST(NULL AS DATE), {LONGEST - 1}))"
    return f"concat(array(CASE WHEN acted THEN DATE'{day}' END), {older})"


def _seen(name: str, today: int) -> str:
    """Return SQL of the sequence of items with today's number and items put before it, and taken out where they stood."""
    before = f"coalesce({name}, {_numbers(today - 1, today - LONGEST)})"
    played = f"concat(array({today}L), d_{name}, array_except({before}, d_{name}))"
    return f"CASE WHEN d_{name} IS NULL THEN concat(array({today}L), {before}) ELSE {played} END"


def _numbers(newest: int, oldest: int) -> str:
    return f"transform(sequence({newest}, {oldest}), number -> CAST(number AS BIGINT))"


def _with_late(moved: DataFrame, came: DataFrame, day: date) -> DataFrame:
    """Take in what of earlier days became known today. Those few listeners' sequences are gone through day by day, which is slow."""
    groups = [f"collect_list(struct(CAST(unix_date(date) AS BIGINT) AS day, {name} AS items)) AS d_{name}" for name in SEEN]
    ages = f"collect_set(datediff(DATE'{day}', date)) AS ages"
    both = moved.join(came.groupBy("listener_id").agg(*map(F.expr, (ages, *groups))), "listener_id", "left")
    known = f"transform(known, (was, age) -> CASE WHEN array_contains(ages, age) THEN DATE'{day}' ELSE was END)"
    made = {"known": known} | {name: f"aggregate(d_{name}, {name}, (seq, new) -> {MERGED})" for name in SEEN}
    changed = (f"CASE WHEN ages IS NULL THEN {name} ELSE {sql} END AS {name}" for name, sql in made.items())
    return both.selectExpr("listener_id", *(column(name, w) for name, w in SUMS), *changed)


def _of(dates: Sequence[str]) -> str:
    return "date IN ({})".format(", ".join(f"DATE'{day}'" for day in sorted(dates)))


def begun(days: DataFrame, day: date) -> DataFrame:
    """Return the state at the end of `day` made from all daily rows of the longest window that were known by then."""
    first, today = day - timedelta(days=LONGEST - 1), (day - EPOCH).days
    there = days.where(f"date BETWEEN DATE'{first}' AND DATE'{day}' AND known_date <= DATE'{day}'").withColumn("sign", F.lit(1))
    whole = _weighed(there, day).groupBy("listener_id").agg(*map(F.expr, _sums("")))
    dated = there.groupBy("listener_id", "date").agg(F.max("known_date").alias("of_day"))
    known = f"transform(sequence(0, {LONGEST - 1}), age -> of_days[date_sub(DATE'{day}', age)])"
    whole = whole.join(_by_day(dated, known, "known"), "listener_id", "inner")
    for name in SEEN:
        last = (
            there.select("listener_id", "date", F.explode(name).alias("item"))
            .groupBy("listener_id", "item")
            .agg(F.max("date").alias("date"))
        )
        held = last.groupBy("listener_id", "date").agg(F.array_sort(F.collect_list("item")).alias("of_day"))
        stretch = "concat(array(CAST(unix_date(day) AS BIGINT)), coalesce(of_days[day], array()))"
        days_back = f"sequence(DATE'{day}', DATE'{first}', INTERVAL -1 DAY)"
        seen = f"concat(flatten(transform({days_back}, day -> {stretch})), array({today - LONGEST}L))"
        whole = whole.join(_by_day(held, seen, name), "listener_id", "left")
    empty = _numbers(today, today - LONGEST)
    sums = [column(name, w) for name, w in SUMS]
    return whole.selectExpr(
        f"DATE'{day}' AS date", "listener_id", "known", *sums, *(f"coalesce({name}, {empty}) AS {name}" for name in SEEN)
    )


def _by_day(rows: DataFrame, sql: str, name: str) -> DataFrame:
    """Return, a listener, what SQL makes of the map `of_days` from date to what was held on it."""
    held = rows.groupBy("listener_id").agg(F.map_from_entries(F.collect_list(F.struct("date", "of_day"))).alias("of_days"))
    return held.select("listener_id", F.expr(sql).alias(name))


def summed(state: DataFrame) -> DataFrame:
    """Return what the windows of a state count: date, listener_id, known_date and a column each of `SUMS` and `DIFFERENT`."""
    place = "array_position({name}_seen, CAST(unix_date(date) - {w} AS BIGINT)) - 1 - {w}"
    counts = [f"{place.format(name=name, w=w)} AS {column(name, w)}" for name, w in DIFFERENT]
    return state.selectExpr("date", "listener_id", "array_max(known) AS known_date", *(column(name, w) for name, w in SUMS), *counts)


def _weighed(moves: DataFrame, day: date) -> DataFrame:
    """Add how a row counts in each window, `in_w`: 1 where it enters, -1 where it leaves, 0 where it stays out."""
    age = f"datediff(DATE'{day}', date)"
    weight = "CAST(CASE WHEN sign > 0 AND {age} < {w} THEN 1 WHEN sign < 0 AND {age} = {w} THEN -1 ELSE 0 END AS BIGINT) AS in_{w}"
    return moves.selectExpr("*", *(weight.format(age=age, w=w) for w in WINDOWS))


def _sums(prefix: str) -> list[str]:
    return [f"sum({name} * in_{w}) AS {prefix}{column(name, w)}" for name, w in SUMS]
