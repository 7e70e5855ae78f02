"""Window counts at the end of many dates in one pass: a daily row is added where it enters a window and taken off where it leaves it.

What a window counts of a listener at the end of an asked date is then a running sum over the asked dates, however long the window is. A
row of date d that became known on k is in the window of w days from max(d, k) on, and out of it from d + w on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import Window
from pyspark.sql import functions as F

from jobs.aggregate import evaluated, first_asked, of_everybody
from jobs.features import DISTINCTS
from jobs.features.feature import WINDOWS, column, counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date

    from pyspark.sql import DataFrame

    from jobs.features.feature import Feature

LONGEST = max(WINDOWS)
ROW = ("listener_id", "date", "known_date")
# What a repeated row does: it comes into all windows, or (its days) leaves one, or only says that it is there, for it was known late.
COMES, STAYS, KINDS = 0, LONGEST + 1, LONGEST + 2


def windows(days: DataFrame, features: Sequence[Feature], *, dates: Sequence[date]) -> DataFrame:
    """Evaluate features for each asked date over the daily rows in their windows that were known by its end.

    `days` holds date, listener_id, known_date, the measures and the different items.
    """
    asked, items = sorted(dates), {d.name for d in DISTINCTS}
    sums = counted(features, {name for feature in features for name in feature.measures} - items)
    kinds = counted(features, items)
    of_all = of_everybody(features)
    # A listener's rows are brought together once; what is made of them stays there.
    mine = _by_then(days, asked).repartition("listener_id")
    both = mine.join(came_and_went(mine, kinds), [*ROW], "left") if kinds else mine
    added = _added(sums) | _items(kinds)
    summed = _running(changes(both, asked), ("listener_id",), added, asked).where("known_date IS NOT NULL")
    everybody = _whole(changes(_by_then(days, asked), asked), _added(of_all, "all_"), asked) if of_all else None
    return evaluated(summed, features, everybody)


def changes(days: DataFrame, asked: Sequence[date]) -> DataFrame:
    """Repeat each row by what it `does`: COMES into all windows, or leaves the window of so many days, or STAYS (if it was known late).

    `at` is the place of the first asked date that sees it; a change that none sees is left out. A row that the same date sees come into a
    window and leave it is not counted there: `in_w` is 1, -1 or 0.
    """
    offs = {f"off_{w}": first_asked(asked, F.date_add("date", w)) for w in WINDOWS}
    placed = days.withColumns({"enters": first_asked(asked, F.greatest("date", "known_date"))} | offs)
    counts = {w: f"(off_{w} IS NULL OR off_{w} > enters)" for w in WINDOWS}
    # A place and what is done there are one number: Spark compiles the repeating of numbers, not that of records.
    moves = ", ".join((f"enters * {KINDS} + {COMES}", *(f"off_{w} * {KINDS} + {w}" for w in WINDOWS)))
    stays = f"sequence(enters * {KINDS} + {STAYS}, (coalesce(off_{LONGEST}, {len(asked)}) - 1) * {KINDS} + {STAYS}, {KINDS})"
    told_late = f"CASE WHEN known_date > date AND {counts[LONGEST]} THEN {stays} ELSE CAST(array() AS ARRAY<INT>) END"
    weight = "CAST(CASE WHEN NOT {counts} THEN 0 WHEN does = {comes} THEN 1 WHEN does = {w} THEN -1 ELSE 0 END AS BIGINT) AS in_{w}"
    repeated = placed.selectExpr("*", f"explode(concat(array({moves}), {told_late})) AS move").where("move IS NOT NULL")
    return repeated.selectExpr("*", f"move DIV {KINDS} AS at", f"move % {KINDS} AS does").selectExpr(
        "* EXCEPT (date, known_date, move)",
        f"CASE WHEN does = {COMES} AND known_date = date THEN date END AS on_time",
        f"CASE WHEN does = {STAYS} THEN known_date END AS late",
        *(weight.format(counts=counts[w], comes=COMES, w=w) for w in WINDOWS),
    )


def came_and_went(days: DataFrame, kinds: Iterable[tuple[str, int]]) -> DataFrame:
    """Count a row's different items that come into each window with it, `x_came`, and that leave it as the row does, `x_went`.

    An item is in a window while any row of it is. Rows are gone through as they became known; one that is no younger than another before
    it changes nothing. The next younger one keeps the item in a window if it becomes known before the item has left.
    """
    names = {d.name: d.column for d in DISTINCTS if d.name in {name for name, _ in kinds}}
    held = F.array(*(F.struct(F.lit(n).alias("kind"), F.col(name).alias("items")) for n, name in enumerate(names.values())))
    each = days.select(*ROW, F.greatest("date", "known_date").alias("seen"), F.inline(held)).select(
        *ROW, "seen", "kind", F.explode("items").alias("item")
    )
    # One number before all else: rows are sorted by it, far faster than by names.
    same = Window.partitionBy("hash", "listener_id", "kind", "item").orderBy("seen", "date")
    hashed = each.withColumn("hash", F.xxhash64("listener_id", "kind", "item"))
    before = F.max("date").over(same.rowsBetween(Window.unboundedPreceding, -1))
    younger = hashed.withColumn("before", before).where("before IS NULL OR date > before")
    told = younger.withColumn("after", F.lead("seen").over(same))
    there = "date_add(date, {w}) > seen"
    came, went = "(before IS NULL OR seen >= date_add(before, {w}))", "(after IS NULL OR after >= date_add(date, {w}))"
    numbers = {name: n for n, name in enumerate(names)}
    counts = [
        F.expr(f"count_if(kind = {numbers[name]} AND {there.format(w=w)} AND {which.format(w=w)}) AS {column(name, w)}_{said}")
        for name, w in kinds
        for said, which in (("came", came), ("went", went))
    ]
    return told.groupBy(*ROW).agg(*counts)


def _by_then(days: DataFrame, asked: Sequence[date]) -> DataFrame:
    return days.where(F.greatest("date", "known_date") <= asked[-1])


def _added(counts: Iterable[tuple[str, int]], prefix: str = "") -> dict[str, str]:
    return {f"{prefix}{column(name, w)}": f"{name} * in_{w}" for name, w in counts}


def _items(kinds: Iterable[tuple[str, int]]) -> dict[str, str]:
    sql = "CASE does WHEN {comes} THEN {counts}_came WHEN {w} THEN -{counts}_went END"
    return {column(name, w): sql.format(comes=COMES, w=w, counts=column(name, w)) for name, w in kinds}


def _running(moved: DataFrame, by: tuple[str, ...], added: Mapping[str, str], asked: Sequence[date]) -> DataFrame:
    """Add changes up to what is counted at the end of each asked date, and say when the latest of it became known.

    Of the changes that a date sees first the last one holds the sum; what is known latest is sorted last.
    """
    order = Window.partitionBy(*by).orderBy("at", F.asc_nulls_first("late"))
    up_to_here = order.rowsBetween(Window.unboundedPreceding, Window.currentRow)
    counts = [F.sum(F.expr(sql)).over(up_to_here).alias(name) for name, sql in added.items()]
    until = F.lead("at", 1, len(asked)).over(order)
    told = moved.select(*by, "at", until.alias("until"), "late", F.max("on_time").over(up_to_here).alias("on_time"), *counts)
    each = F.explode(F.slice(F.array(*map(F.lit, asked)), F.col("at").cast("int") + 1, (F.col("until") - F.col("at")).cast("int"))).alias(
        "date"
    )
    known = f"greatest(CASE WHEN on_time > date_sub(date, {LONGEST}) THEN on_time END, late) AS known_date"
    return told.where("at < until").select(*by, each, "late", "on_time", *added).selectExpr("date", *by, known, *added)


def _whole(moved: DataFrame, added: Mapping[str, str], asked: Sequence[date]) -> DataFrame:
    """Add up what is counted of everybody at the end of each asked date."""
    nulls = (F.lit(None).cast("date").alias(name) for name in ("late", "on_time"))
    rows = moved.groupBy("at").agg(*(F.expr(f"sum({sql}) AS {name}") for name, sql in added.items()))
    one = rows.select(F.lit("all").alias("whose"), "*", *nulls)
    return _running(one, ("whose",), {name: name for name in added}, asked).drop("whose", "known_date")
