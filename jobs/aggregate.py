"""Applies feature records: daily measures by one aggregate, window features by one aggregate over them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from jobs.features.feature import WINDOWS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from pyspark.sql import Column, DataFrame

    from jobs.features.feature import Feature, Measure

WEATHER = """CASE WHEN temperature_c IS NULL OR rain_mm IS NULL THEN 'unknown' WHEN rain_mm >= 0.2 THEN 'rain'
WHEN temperature_c < 5 THEN 'dry_cold' WHEN temperature_c > 25 THEN 'dry_hot' ELSE 'dry_mild' END"""


def each_date(dates: Sequence[date], *, first: Column, last: Column | None = None) -> Column:
    """Return a generator of one row for each of `dates` that lies between `first` and `last` (both included)."""
    asked = F.array(*(F.lit(day) for day in dates))
    if last is None:
        return F.explode(F.filter(asked, lambda day: day >= first))
    return F.explode(F.filter(asked, lambda day: (day >= first) & (day <= last)))


def daily(frame: DataFrame, of: str, measures: Sequence[Measure]) -> DataFrame:
    """Sum one day's rows of one kind into its measures, by listener, event date and the date they became known; others are 0."""
    keys = (F.col("date"), F.col("listener_id"), F.to_date("known_ts").alias("known_date"))
    own = [F.expr(m.sql).cast("bigint").alias(m.name) for m in measures if m.of == of]
    zero = [F.lit(0).cast("bigint").alias(m.name) for m in measures if m.of != of]
    return frame.groupBy(*keys).agg(*own).select("*", *zero)


def windows(days: DataFrame, features: Sequence[Feature], *, dates: Sequence[date]) -> DataFrame:
    """Evaluate features for each asked date over the daily rows in their windows that were known by its end.

    `days` holds date, listener_id, known_date and the measures. A row of date d known on k counts for every asked date D
    with max(d, k) <= D < d + days. One pass, integer sums, no join.
    """
    # A listener's days are brought together before each is repeated for every date that it counts for, not after.
    days = days.repartition("listener_id")
    widest = max(feature.days for feature in features)
    seen = F.greatest("date", "known_date")
    used = sorted({(name, feature.days) for feature in features for name in feature.measures})
    names = sorted({name for name, _ in used})
    asked = each_date(dates, first=seen, last=F.date_add("date", widest - 1))
    reached = days.select("listener_id", "known_date", F.col("date").alias("day"), *names, asked.alias("date"))
    age = "datediff(date, day)"
    sums = [F.expr(f"sum({name}) FILTER (WHERE {age} < {w})" if w < widest else f"sum({name})").alias(f"{name}__{w}") for name, w in used]
    filled = [F.coalesce(F.col(f"{name}__{w}"), F.lit(0)).alias(f"{name}__{w}") for name, w in used]
    summed = reached.groupBy("date", "listener_id").agg(F.max("known_date").alias("known_date"), *sums)
    expressions = [F.expr(formula(feature)).cast(feature.dtype).alias(feature.name) for feature in features]
    return summed.select("date", "listener_id", "known_date", *filled).select("date", "listener_id", "known_date", *expressions)


def formula(feature: Feature) -> str:
    """Return a feature's SQL with its measures replaced by their window sums."""
    return feature.sql.format_map({name: f"{name}__{feature.days}" for name in feature.measures})


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
