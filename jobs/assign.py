"""Applies rules to rows: which segments a listener is in, which part of the day and of the week an hour is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from jobs.features.rhythm import DAYPARTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql import DataFrame

    from jobs.segments.segment import Segment

DAY_TYPE = "CASE WHEN dayofweek(local_date) IN (1, 7) THEN 'weekend' ELSE 'weekday' END"


def daypart(hour: str) -> str:
    """Return SQL that names the part of the day a local hour lies in."""
    cases = " ".join(f"WHEN {hour} BETWEEN {low} AND {high} THEN '{name}'" for name, (low, high) in DAYPARTS.items())
    return f"CASE {cases} END"


def memberships(features: DataFrame, segments: Sequence[Segment]) -> DataFrame:
    """Return one row for each segment whose predicate holds for a row of features; a null predicate does not."""
    flags = F.array(*(F.when(F.expr(segment.when), F.lit(segment.name)) for segment in segments))
    return features.select("date", "listener_id", F.explode(F.array_compact(flags)).alias("segment"))
