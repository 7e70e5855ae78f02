"""The records of the feature layer: what is counted a day (`Measure`) and what is made of it over a window (`Feature`).

A measure is additive: its daily values may be summed over any window. A feature is an SQL expression over window sums,
written with measure names in braces: `try_divide({skips}, {plays})` over 28 days.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from validation.contract import ContractError, Purpose

WINDOWS = (1, 7, 28, 90)
NAMES = re.compile(r"{(\w+)}")


@dataclass(frozen=True)
class Measure:
    """An additive daily count of one listener: an SQL aggregate over that day's rows of `of`.

    `of` is listens, sessions, feedback or ad_events; `dates` counts a date once, on the row by which it became known.
    """

    name: str
    of: str
    sql: str
    meaning: str


@dataclass(frozen=True)
class Feature:
    """A column of the feature table: `sql` over the window sums of measures, `days` long."""

    name: str
    dtype: str
    sql: str
    days: int
    meaning: str
    purpose: Purpose = Purpose.CONTENT

    def __post_init__(self) -> None:
        if self.days not in WINDOWS:
            raise ContractError(f"feature {self.name}: {self.days} days is no window; choose from {WINDOWS}")

    @property
    def measures(self) -> tuple[str, ...]:
        """Names of the measures that the expression uses, in order of first use."""
        return tuple(dict.fromkeys(NAMES.findall(self.sql)))

    @property
    def total(self) -> bool:
        """Whether it sums one measure, and so grows with the window, rather than setting one measure against another."""
        return len(self.measures) == 1


def windowed(
    name: str, dtype: str, sql: str, days: tuple[int, ...], meaning: str, *, purpose: Purpose = Purpose.CONTENT
) -> tuple[Feature, ...]:
    """Return the same feature over several windows, named `name_7d`, `name_28d`, ..."""
    spans = {d: f"last {d} days" if d > 1 else "last day" for d in days}
    return tuple(Feature(f"{name}_{d}d", dtype, sql, d, f"{meaning}, {spans[d]}", purpose) for d in days)
