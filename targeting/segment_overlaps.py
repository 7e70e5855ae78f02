"""How segments moved and who is in two of them, as the page shows it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from jobs.contracts.derived import SEGMENT_OVERLAPS
from targeting.drawing import STRONG, Trend, heat

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from jobs.lake.arrow import ArrowLake

MOST = 14  # segments of the matrix: the largest
BACK = 27  # days before the date that a trend goes back


@dataclass(frozen=True)
class Cell:
    """The share of a row's segment that is in the column's too, and its colour."""

    share: float
    color: str


@dataclass(frozen=True)
class Overlaps:
    """The largest segments' names, the trend of every segment's size, and by (row, column) who is in both."""

    names: tuple[str, ...]
    trends: Mapping[str, Trend]
    cells: Mapping[tuple[str, str], Cell]


def overlaps(lake: ArrowLake, day: date) -> Overlaps:
    """Read a date's overlaps and the sizes of the 28 dates that end with it; what is too small to be told is missing."""
    rows = lake.read(SEGMENT_OVERLAPS, [day], columns=["segment", "other", "listeners"]).to_pylist()
    both = {pair: row["listeners"] for row in rows for pair in ((row["segment"], row["other"]), (row["other"], row["segment"]))}
    sizes = {name: listeners for (name, other), listeners in both.items() if name == other}
    names = sorted(sizes, key=lambda name: (-sizes[name], name))
    cells = {(one, other): _cell(both[one, other] / sizes[one]) for one in names for other in names if (one, other) in both}
    return Overlaps(tuple(names[:MOST]), {name: Trend(values) for name, values in _sizes(lake, day, names).items()}, cells)


def _sizes(lake: ArrowLake, day: date, names: list[str]) -> dict[str, tuple[float, ...]]:
    dates = [day - timedelta(days=n) for n in range(BACK, -1, -1)]
    rows = lake.read(SEGMENT_OVERLAPS, dates).to_pylist()
    found = {(row["segment"], row["date"]): row["listeners"] for row in rows if row["segment"] == row["other"]}
    there = sorted({row["date"] for row in rows})
    return {name: tuple(float(found.get((name, one), 0)) for one in there) for name in names}


def _cell(part: float) -> Cell:
    return Cell(part, heat(part * STRONG))
