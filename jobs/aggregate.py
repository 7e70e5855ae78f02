"""Applies feature records: daily measures by one aggregate, window features by one aggregate over them."""

from __future__ import annotations

from bisect import bisect_left
from datetime import timedelta
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from jobs.features.feature import WINDOWS, column, counted

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from pyspark.sql import Column, DataFrame

    from jobs.features.feature import Distinct, Feature, Measure

WEATHER = """CASE WHEN temperature_c IS NULL OR rain_mm IS NULL THEN 'unknown' WHEN rain_mm >= 0.2 THEN 'rain'
WHEN temperature_c < 5 THEN 'dry_cold' WHEN temperature_c > 25 THEN 'dry_hot' ELSE 'dry_mild' END"""

DAILY = ("date", "listener_id", "known_date")


def each_date(dates: Sequence[date], *, first: Column, last: Column) -> Column:
    """Return a generator of one row for each of `dates` that lies between `first` and `last` (both included)."""
    asked = sorted(dates)
    begins, ends = first_asked(asked, first), F.coalesce(first_asked(asked, F.date_add(last, 1)), F.lit(len(asked)))
    # Found by their place, for that is compiled; what filters an array is not.
    return F.explode(F.slice(F.array(*map(F.lit, asked)), begins + 1, F.greatest(ends - begins, F.lit(0))))


def first_asked(asked: Sequence[date], day: Column) -> Column:
    """Return the place, from 0 on, of the first of the sorted dates `asked` that is no earlier than a day; null where there is none."""
    span = range((asked[-1] - asked[0]).days + 1)
    places = F.array(*(F.lit(bisect_left(asked, asked[0] + timedelta(days=n))) for n in span))
    return F.get(places, F.greatest(F.datediff(day, F.lit(asked[0])), F.lit(0)))


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


def evaluated(
    summed: DataFrame,
    features: Sequence[Feature],
    everybody: DataFrame | None,
    *,
    keys: Sequence[str] = DAILY,
) -> DataFrame:
    """Make features of what their windows count: the keys and a column each of `counted`; null counts nothing.

    `everybody` holds a row for each date, as `totals` makes it; none where no feature asks for it.
    """
    used = counted(features, {name for feature in features for name in feature.measures})
    filled = [f"coalesce({name}, 0) AS {name}" for name in (column(*one) for one in used)]
    made = [f"CAST({feature.formula} AS {feature.dtype}) AS {feature.name}" for feature in features]
    whole = summed.selectExpr(*keys, *filled)
    beside = whole.join(F.broadcast(everybody), "date", "inner") if everybody is not None else whole
    return beside.selectExpr(*keys, *made)


def among_all(summed: DataFrame, features: Sequence[Feature], *, keys: Sequence[str], where: str) -> DataFrame:
    """Evaluate features of rows that fulfil `where`, everybody's counts being those of all rows: what is summed is made once, for both.

    In an array it goes through one shuffle, which Spark makes once; of columns each side would ask for its own, and all be made twice.
    """
    names = [column(*one) for one in counted(features, {name for feature in features for name in feature.measures})]
    packed = summed.selectExpr(*keys, f"array({', '.join(f'coalesce({name}, 0)' for name in names)}) AS counts").repartition(*keys)
    rows = packed.selectExpr(*keys, *(f"counts[{place}] AS {name}" for place, name in enumerate(names)))
    return evaluated(rows.where(where), features, totals(rows, features), keys=keys)


def totals(summed: DataFrame, features: Sequence[Feature]) -> DataFrame:
    """Add up what the windows of all listeners count, where a feature asks for it: date, and `all_` before each column's name."""
    added = [F.sum(name).alias(f"all_{name}") for name in (column(*one) for one in of_everybody(features))]
    return summed.groupBy("date").agg(F.count("*").alias("all_listeners"), *added)


def of_everybody(features: Sequence[Feature]) -> tuple[tuple[str, int], ...]:
    """Return what the features count of everybody, and over which windows, sorted."""
    return tuple(sorted({one for feature in features for one in feature.of_all}))


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
