"""The records of the feature layer: what is counted a day (`Measure`, `Distinct`) and what is made of it over a window (`Feature`).

A measure is additive: its daily values may be summed over any window. How many different items there were is not, so a day keeps
which ones. A feature is an SQL expression over what a window counts, written with names in braces:
`try_divide({skips}, {plays})` over 28 days. `{plays@7}` is the same count over another window, `{all.plays}` that of everybody.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from validation.contract import ContractError, Purpose

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

WINDOWS = (1, 7, 28, 90)
TERM = re.compile(r"{(?P<all>all\.)?(?P<name>\w+)(?:@(?P<days>\d+))?}")


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
class Distinct:
    """How many different items a listener played: `sql` is the item of a row of listens, null for a row without one."""

    name: str
    sql: str
    meaning: str

    @property
    def column(self) -> str:
        """Where a day keeps its different items, each as 64 bits of its hash.

        Of a listener's million items two share one with a chance of 3e-8, so a count of them is exact.
        """
        return f"{self.name}_seen"


@dataclass(frozen=True)
class Feature:
    """A column of the feature table: `sql` over what a window of so many `days` counts."""

    name: str
    dtype: str
    sql: str
    days: int
    meaning: str
    purpose: Purpose = Purpose.CONTENT

    def __post_init__(self) -> None:
        for days in (self.days, *(days for _, days in self.counts)):
            if days not in WINDOWS:
                raise ContractError(f"feature {self.name}: {days} days is no window; choose from {WINDOWS}")

    @property
    def measures(self) -> tuple[str, ...]:
        """Names of the measures and different items that the expression uses, in order of first use."""
        return tuple(dict.fromkeys(name for name, _ in self.counts))

    @property
    def counts(self) -> tuple[tuple[str, int], ...]:
        """What it counts of a listener, or of everybody, over how many days, in order of first use."""
        return tuple(dict.fromkeys(self._count(term) for term in TERM.finditer(self.sql)))

    @property
    def of_all(self) -> tuple[tuple[str, int], ...]:
        """What of it is counted of everybody."""
        return tuple(dict.fromkeys(self._count(term) for term in TERM.finditer(self.sql) if term["all"]))

    @property
    def formula(self) -> str:
        """Its expression over columns: `column` of what a listener's windows count, `all_` before it for everybody's."""
        return TERM.sub(lambda term: f"{'all_' if term['all'] else ''}{column(*self._count(term))}", self.sql)

    @property
    def total(self) -> bool:
        """Whether it sums one measure, and so grows with the window, rather than setting one count against another."""
        return len(self.counts) == 1 and not self.of_all

    def _count(self, term: re.Match[str]) -> tuple[str, int]:
        return term["name"], int(term["days"] or self.days)


def windowed(
    name: str, dtype: str, sql: str, days: tuple[int, ...], meaning: str, *, purpose: Purpose = Purpose.CONTENT
) -> tuple[Feature, ...]:
    """Return the same feature over several windows, named `name_7d`, `name_28d`, ..."""
    spans = {d: f"last {d} days" if d > 1 else "last day" for d in days}
    return tuple(Feature(f"{name}_{d}d", dtype, sql, d, f"{meaning}, {spans[d]}", purpose) for d in days)


def billionths(sql: str, where: str = "true") -> str:
    """Return an SQL aggregate that sums what lies between -1 and 1, plus one each: whole numbers, none of them negative."""
    return f"coalesce(sum(CAST(round(1000000000 * (1 + {sql})) AS BIGINT)) FILTER (WHERE {where}), 0)"


def signed(name: str, of: str = "plays", everybody: str = "") -> str:
    """Return SQL of the sum that `billionths` gathered over so many plays."""
    return f"({{{everybody}{name}}} / 1000000000D - {{{everybody}{of}}})"


def column(name: str, days: int) -> str:
    """Return what a measure's sum, or a count of different items, over a window is called."""
    return f"{name}__{days}"


def counted(features: Iterable[Feature], names: Collection[str]) -> tuple[tuple[str, int], ...]:
    """Return which of `names` the features count over which windows, sorted."""
    return tuple(sorted({(name, days) for feature in features for name, days in feature.counts if name in names}))
