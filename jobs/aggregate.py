"""Applies feature records: daily measures by one aggregate, window features by one aggregate over them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import Window
from pyspark.sql import functions as F

from jobs.features import DISTINCTS
from jobs.features.feature import WINDOWS, column, counted

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from pyspark.sql import Column, DataFrame

    from jobs.features.feature import Distinct, Feature, Measure

WEATHER = """CASE WHEN temperature_c IS NULL OR rain_mm IS NULL THEN 'unknown' WHEN rain_mm >= 0.2 THEN 'rain'
WHEN temperature_c < 5 THEN 'dry_cold' WHEN temperature_c > 25 THEN 'dry_hot' ELSE 'dry_mild' END"""

DAILY = ("date", "listener_id", "known_date")


def each_date(dates: Sequence[date], *, first: Column, last: Column | None = None) -> Column:
    """Return a generator of one row for each of `dates` that lies between `first` and `last` (both included)."""
    asked = F.array(*(F.lit(day) for day in dates))
    if last is None:
        return F.explode(F.filter(asked, lambda day: day >= first))
    return F.explode(F.filter(asked, lambda day: (day >= first) & (day <= last)))


def daily(frame: DataFrame, of: str, measures: Sequence[Measure]) -> DataFrame:
    """Sum one day's rows of one kind into its measures, by listener, event date and the date they became known; others are 0."""
    own = [F.expr(m.sql).cast("bigint").alias(m.name) for m in measures if m.of == of]
    zero = [F.lit(0).cast("bigint").alias(m.name) for m in measures if m.of != of]
    return frame.withColumn("known_date", F.to_date("known_ts")).groupBy(*DAILY).agg(*own).select("*", *zero)


def items(listens: DataFrame, distincts: Sequence[Distinct]) -> DataFrame:
    """Gather one day's different items as hashes, sorted, by listener, event date and the date they became known.

    Apart from the sums, which are faster by themselves: lists make Spark sort what it aggregates.
    """
    hashes = {d.column: f"CASE WHEN ({d.sql}) IS NOT NULL THEN xxhash64({d.sql}) END" for d in distincts}
    gathered = [F.expr(f"array_sort(array_distinct(collect_list({sql}))) AS {name}") for name, sql in hashes.items()]
    return listens.withColumn("known_date", F.to_date("known_ts")).groupBy(*DAILY).agg(*gathered)


def windows(days: DataFrame, features: Sequence[Feature], *, dates: Sequence[date]) -> DataFrame:
    """Evaluate features for each asked date over the daily rows in their windows that were known by its end.

    `days` holds date, listener_id, known_date, the measures and the different items. A row of date d known on k counts for every
    asked date D with max(d, k) <= D < d + days. One pass over the days, whatever the dates are.
    """
    # A listener's days are brought together before each is repeated for every date that it counts for, not after.
    days = days.repartition("listener_id")
    summed, everybody = sums(days, features, dates=dates), totals_of(days, features, dates=dates)
    wanted = counted(features, {d.name for d in DISTINCTS})
    if wanted:
        summed = summed.join(different(days, wanted, dates=dates), ["date", "listener_id"], "left")
    return evaluated(summed, features, everybody)


def evaluated(
    summed: DataFrame, features: Sequence[Feature], everybody: DataFrame, *, keys: Sequence[str] = ("date", "listener_id", "known_date")
) -> DataFrame:
    """Make features of what their windows count: the keys and a column each of `counted`; null counts nothing.

    `everybody` holds a row for each date, as `totals` makes it.
    """
    used = counted(features, {name for feature in features for name in feature.measures})
    filled = [f"coalesce({name}, 0) AS {name}" for name in (column(*one) for one in used)]
    made = [f"CAST({feature.formula} AS {feature.dtype}) AS {feature.name}" for feature in features]
    whole = summed.selectExpr(*keys, *filled)
    beside = whole.join(F.broadcast(everybody), "date", "inner") if _of_all(features) else whole
    return beside.selectExpr(*keys, *made)


def totals(summed: DataFrame, features: Sequence[Feature]) -> DataFrame:
    """Add up what the windows of all listeners count, where a feature asks for it: date, and `all_` before each column's name."""
    added = [F.sum(name).alias(f"all_{name}") for name in _of_all(features)]
    return summed.groupBy("date").agg(F.count("*").alias("all_listeners"), *added)


def _of_all(features: Sequence[Feature]) -> list[str]:
    return sorted({column(*one) for feature in features for one in feature.of_all})


def sums(days: DataFrame, features: Sequence[Feature], *, dates: Sequence[date]) -> DataFrame:
    """Sum measures over every window that the features have, at the end of each asked date; integers, no join."""
    used = counted(features, {name for feature in features for name in feature.measures} - {d.name for d in DISTINCTS})
    reached = _reached(days, used, dates)
    return reached.groupBy("date", "listener_id").agg(F.max("known_date").alias("known_date"), *_added(used, ""))


def totals_of(days: DataFrame, features: Sequence[Feature], *, dates: Sequence[date]) -> DataFrame:
    """Return what `totals` returns of the sums of these days, without summing listener by listener."""
    used = sorted({one for feature in features for one in feature.of_all})
    return _reached(days, used, dates).groupBy("date").agg(F.count("*").alias("all_rows"), *_added(used, "all_"))


def _reached(days: DataFrame, used: Sequence[tuple[str, int]], dates: Sequence[date]) -> DataFrame:
    """Repeat each daily row for every asked date in whose longest window it lies."""
    asked = each_date(dates, first=F.greatest("date", "known_date"), last=F.date_add("date", max(WINDOWS) - 1))
    return days.select("listener_id", "known_date", F.col("date").alias("day"), *sorted({name for name, _ in used}), asked.alias("date"))


def _added(used: Sequence[tuple[str, int]], prefix: str) -> list[Column]:
    within = {w: f" FILTER (WHERE datediff(date, day) < {w})" if w < max(WINDOWS) else "" for w in WINDOWS}
    return [F.expr(f"sum({name}){within[w]} AS {prefix}{column(name, w)}") for name, w in used]


def different(days: DataFrame, wanted: Sequence[tuple[str, int]], *, dates: Sequence[date]) -> DataFrame:
    """Count different items over windows at the end of each asked date, exactly: `wanted` is (name of a distinct, days of a window).

    An item of date d known on k is in the window w of every date from max(d, k) to d + w - 1. What an earlier known row of the item
    covers already is taken off at the front; so each row begins and ends one stretch of its own, and a count is a running sum.
    """
    by_name = {d.name: d for d in DISTINCTS}
    names, first = sorted({name for name, _ in wanted}), min(dates)
    held = F.array(*(F.struct(F.lit(name).alias("name"), F.col(by_name[name].column).alias("items")) for name in names))
    seen = F.greatest("date", "known_date").alias("seen")
    each = days.select("listener_id", "date", seen, F.inline(held)).select(
        "listener_id", "date", "seen", "name", F.explode("items").alias("item")
    )
    before = F.max("date").over(
        Window.partitionBy("listener_id", "name", "item").orderBy("seen", "date").rowsBetween(Window.unboundedPreceding, -1)
    )
    stretches = F.array(
        *(
            F.struct(
                F.lit(w).alias("days"),
                F.greatest("seen", F.date_add("before", w), F.lit(first)).alias("from"),
                F.date_add("date", w).alias("to"),
            )
            for w in sorted({w for _, w in wanted})
        )
    )
    own = F.inline(F.filter(stretches, lambda one: one["from"] < one["to"]))
    kept = each.withColumn("before", before).select("listener_id", "name", own)
    ends = kept.select(*("listener_id", "name", "days"), F.expr("inline(array(struct(`from` AS at, 1 AS n), struct(to AS at, -1 AS n)))"))
    changes = ends.groupBy("listener_id", "at").agg(
        *(F.expr(f"sum(n) FILTER (WHERE name = '{name}' AND days = {w})").alias(column(name, w)) for name, w in wanted)
    )
    asked = changes.select("listener_id").distinct().select("listener_id", F.explode(F.array(*map(F.lit, dates))).alias("date"))
    marks = changes.withColumn("date", F.lit(None).cast("date")).unionByName(
        asked.withColumn("at", F.col("date")), allowMissingColumns=True
    )
    running = Window.partitionBy("listener_id").orderBy("at").rangeBetween(Window.unboundedPreceding, Window.currentRow)
    counts = [F.sum(column(name, w)).over(running).alias(column(name, w)) for name, w in wanted]
    return marks.select("listener_id", "date", *counts).where("date IS NOT NULL")


def forecasts(weather: DataFrame) -> DataFrame:
    """Return, a place and hour, the kind of weather by the latest forecast issued before that hour."""
    before = weather.where("known_ts <= event_ts")
    newest = before.groupBy("place", F.col("event_ts").alias("hour")).agg(
        F.max_by("temperature_c", "known_ts").alias("temperature_c"), F.max_by("rain_mm", "known_ts").alias("rain_mm")
    )
    return newest.select("place", "hour", F.expr(WEATHER).alias("weather"))


def longest() -> int:
    """Return the longest window in days."""
    return max(WINDOWS)
