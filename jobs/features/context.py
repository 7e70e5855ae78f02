"""What a context is and what is measured in it, records only: one line a level of detail, one line a measure.

A context is when, on what, where and in which weather somebody listens; it says nothing of who does.
"""

from __future__ import annotations

from dataclasses import dataclass

DAY_TYPES = ("weekday", "weekend", "holiday")
WEATHER_KINDS = ("dry_mild", "dry_cold", "dry_hot", "rain", "unknown")


@dataclass(frozen=True)
class Level:
    """How finely contexts are told apart: all that is in `by` is. A level's `by` begins with all of the next one's, its parent's."""

    name: str
    by: tuple[str, ...]
    meaning: str


@dataclass(frozen=True)
class Outcome:
    """A mean over plays: the sum `total` over `plays`, in thousandths; `square` is the sum of squares, for the spread within."""

    name: str
    plays: str
    total: str
    square: str


# From what tells least apart: each level's `by` begins with its parent's, so cells that are sorted once are sorted for all levels.
PART = ("daypart", "day_type", "device", "weather")
LEVELS = (
    Level("region", (*PART, "local_hour", "country", "region"), "hour, kind of day, device, region and weather"),
    Level("country", (*PART, "local_hour", "country"), "hour, kind of day, device, country and weather"),
    Level("weather", PART, "part of the day, kind of day, device and weather"),
    Level("device", PART[:3], "part of the day, kind of day and device"),
    Level("daypart", PART[:2], "part of the day and kind of day"),
    Level("all", (), "all listening"),
)

DESCRIBED = "energy IS NOT NULL AND valence IS NOT NULL"


def _thousandths(sql: str) -> str:
    return f"coalesce(sum(CAST({sql} AS BIGINT)) FILTER (WHERE {DESCRIBED}), 0)"


SUMS = {
    "plays": "count(*)",
    "judged": "count_if(skipped IS NOT NULL)",
    "skips": "1000 * count_if(skipped)",
    "skips_squared": "1000000 * count_if(skipped)",
    "described": f"count_if({DESCRIBED})",
    **{mood: _thousandths(f"round({mood} * 1000)") for mood in ("energy", "valence")},
    **{f"{mood}_squared": _thousandths(f"pow(round({mood} * 1000), 2)") for mood in ("energy", "valence")},
}
OUTCOMES = (
    Outcome("skip_rate", "judged", "skips", "skips_squared"),
    Outcome("mean_energy", "described", "energy", "energy_squared"),
    Outcome("mean_valence", "described", "valence", "valence_squared"),
)
