"""Who is in two segments: counted as plain Python counts, of few listeners nothing, and drawn as the table says."""

from __future__ import annotations

import random
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from batches import batch
from small_lake import DAY, one, put, who

from jobs.contracts.derived import SEGMENT_OVERLAPS, USER_SEGMENTS
from jobs.lake.address import Address
from jobs.lake.arrow import ArrowLake
from jobs.segment_overlaps import segment_overlaps
from jobs.segments import SEGMENTS
from targeting.drawing import Trend
from targeting.segment_overlaps import MOST, overlaps

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import SparkSession

NAMES = [segment.name for segment in SEGMENTS[:5]]


@pytest.mark.spark
def test_pairs_are_counted_where_ten_listeners_are_in_both(spark: SparkSession) -> None:
    rng = random.Random(3)
    dates = (DAY, DAY - timedelta(days=1))
    mine = {(day, who(n)): sorted(rng.sample(NAMES, rng.randrange(1, 4))) for day in dates for n in range(45)}
    rows = [one(USER_SEGMENTS, date=day, listener_id=who, segment=name) for (day, who), names in mine.items() for name in names]
    found = segment_overlaps(batch(spark, USER_SEGMENTS, rows), dates=dates).select(*SEGMENT_OVERLAPS.names).collect()
    counts = Counter((day, a, b) for (day, _), names in mine.items() for a in names for b in names if a <= b)
    assert {tuple(row)[:3]: row["listeners"] for row in found} == {key: n for key, n in counts.items() if n >= 10}
    assert len(found) == len({tuple(row)[:3] for row in found})
    assert min(counts.values()) < 10, "a pair too small to be told puts it to the test"


def test_shares_are_of_the_row_and_trends_end_with_the_date(tmp_path: Path) -> None:
    lake = ArrowLake(Address.parse(str(tmp_path / "lake")))
    for back, size in ((8, 50), (7, 80), (0, 100)):
        rows = [("active", "active", size), ("active", "mellow", 20), ("mellow", "mellow", 40)]
        day = DAY - timedelta(days=back)
        put(lake, SEGMENT_OVERLAPS, [dict(zip(SEGMENT_OVERLAPS.names, (day, *row), strict=True)) for row in rows], day)
    found = overlaps(lake, DAY)
    assert found.names == ("active", "mellow")
    assert (found.cells["active", "mellow"].share, found.cells["mellow", "active"].share) == (0.2, 0.5)
    assert found.trends["active"].values == (50, 80, 100)
    assert overlaps(lake, DAY - timedelta(days=7)).trends["active"].values == (50, 80)
    assert overlaps(lake, DAY + timedelta(days=1)).names == ()


def test_no_more_segments_are_laid_side_by_side_than_can_be_read(tmp_path: Path) -> None:
    lake = ArrowLake(Address.parse(str(tmp_path / "lake")))
    rows = [{"date": DAY, "segment": s.name, "other": s.name, "listeners": 10 + n} for n, s in enumerate(SEGMENTS)]
    put(lake, SEGMENT_OVERLAPS, rows, DAY)
    found = overlaps(lake, DAY)
    assert found.names == tuple(s.name for s in SEGMENTS[: -MOST - 1 : -1])
    assert len(found.trends) == len(SEGMENTS)


def test_a_trend_is_scaled_to_its_largest_and_compared_with_a_week_before() -> None:
    trend = Trend(tuple(float(n) for n in (10, 20, 20, 20, 20, 20, 20, 15)))
    assert trend.change == 0.5
    points = [tuple(map(float, point.split(","))) for point in trend.line.split()]
    assert [x for x, _ in points] == pytest.approx([n * trend.width / 7 for n in range(8)], abs=0.05)
    assert points[1][1] == 1
    assert points[0][1] == pytest.approx(trend.height / 2, abs=0.1)
    assert (Trend((5.0,)).change, Trend((0.0,) * 8).change) == (None, None)
