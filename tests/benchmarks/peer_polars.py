"""A day's 28 features made anew from 90 days of listens by Polars, lazily, on its streaming engine."""

from __future__ import annotations

import sys
from datetime import date
from pathlib import Path

import polars as pl

TODAY = date(2026, 11, 1)
place = Path(sys.argv[1])
age = (pl.lit(TODAY) - pl.col("date")).dt.total_days()
listens = pl.scan_parquet(str(place / "slim/*/*.parquet")).filter(pl.col("known") <= TODAY).with_columns(age=age.cast(pl.Int16))


def of(days: int, counted: pl.Expr) -> pl.Expr:
    return counted.filter(pl.col("age") < days)


sums = listens.group_by("listener").agg(
    *(of(w, pl.col("ms")).len().alias(f"plays_{w}d") for w in (1, 7, 28, 90)),
    *((of(w, pl.col("ms").cast(pl.Int64)).sum() / 3_600_000).alias(f"hours_{w}d") for w in (1, 7, 28, 90)),
    *(of(w, pl.col("skipped")).mean().alias(f"skip_rate_{w}d") for w in (7, 28, 90)),
    *(of(w, pl.col("completed")).mean().alias(f"completion_rate_{w}d") for w in (28, 90)),
    *(of(w, pl.col("local_date").dt.weekday() >= 6).mean().alias(f"weekend_share_{w}d") for w in (28, 90)),
    *(of(28, pl.col("device") == name).mean().alias(f"{name}_share_28d") for name in ("mobile", "car")),
)


def different(item: str, name: str) -> pl.LazyFrame:
    """Count different items: the age at which each was last played is enough."""
    last = listens.group_by("listener", item).agg(pl.col("age").min())
    return last.group_by("listener").agg(*((pl.col("age") < w).sum().alias(f"{name}_{w}d") for w in (7, 28, 90)))


made = sums
for counts in (different("artist", "artists"), different("track", "tracks"), different("date", "active_days")):
    made = made.join(counts, on="listener", how="left")
repeats = [(1 - pl.col(f"tracks_{w}d") / pl.col(f"plays_{w}d")).alias(f"repeat_share_{w}d") for w in (28, 90)]
rates = [name for name in made.collect_schema().names() if "share" in name or "rate" in name]
whole = made.with_columns(*repeats).with_columns(pl.col(rates + [f"repeat_share_{w}d" for w in (28, 90)]).fill_nan(None))
whole.sink_parquet(place / "polars.parquet")
