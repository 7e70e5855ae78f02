"""A day's 28 features made anew from 90 days of listens by DuckDB."""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb

place = Path(sys.argv[1])
windows = (1, 7, 28, 90)


def each(sql: str, name: str, days: tuple[int, ...]) -> list[str]:
    return [f"{sql.format(w=f'FILTER (WHERE age < {w})')} AS {name}_{w}d" for w in days]


sums = [
    *each("count(*) {w}", "plays", windows),
    *each("coalesce(sum(ms) {w}, 0) / 3600000", "hours", windows),
    *each("avg(CAST(skipped AS INT)) {w}", "skip_rate", windows[1:]),
    *each("avg(CAST(completed AS INT)) {w}", "completion_rate", windows[2:]),
    *each("avg(CAST(isodow(local_date) >= 6 AS INT)) {w}", "weekend_share", windows[2:]),
    *each("avg(CAST(device = 'mobile' AS INT)) {w}", "mobile_share", windows[2:3]),
    *each("avg(CAST(device = 'car' AS INT)) {w}", "car_share", windows[2:3]),
]


def different(item: str, name: str) -> str:
    """Count different items: the age at which each was last played is enough."""
    last = f"SELECT listener, min(age) AS age FROM listens GROUP BY listener, {item}"
    return f"SELECT listener, {', '.join(each('count(*) {w}', name, windows[1:]))} FROM ({last}) GROUP BY listener"


recent = f"""
SELECT *, DATE '2026-11-01' - date AS age FROM read_parquet('{place}/slim/*/*.parquet') WHERE known <= DATE '2026-11-01'
"""
whole = f"""
WITH listens AS ({recent}),
  sums AS (SELECT listener, {", ".join(sums)} FROM listens GROUP BY listener),
  artists AS ({different("artist", "artists")}), tracks AS ({different("track", "tracks")}), days AS ({different("date", "active_days")})
SELECT *, CASE WHEN plays_28d > 0 THEN 1 - tracks_28d / plays_28d END AS repeat_share_28d, 1 - tracks_90d / plays_90d AS repeat_share_90d
FROM sums JOIN artists USING (listener) JOIN tracks USING (listener) JOIN days USING (listener)
"""
duckdb.connect().execute(f"COPY ({whole}) TO '{place}/duckdb.parquet' (FORMAT parquet)")
