"""What kind of day a local date is where somebody listens: weekday, weekend or public holiday, by region.

The holiday calendar is that of the library `holidays`: 250 countries, 650 of their subdivisions (ISO 3166), each with its own weekend.
A region that it does not know goes by its country; where no country is known either, Saturday and Sunday are the weekend.
"""

from __future__ import annotations

from datetime import timedelta
from functools import cache
from importlib.metadata import version
from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from jobs.assign import DAY_TYPE

if TYPE_CHECKING:
    from datetime import date

    from pyspark.sql import DataFrame

COUNTRY = "split_part({}, '-', 1)"
CALENDAR = {"calendar": version("holidays")}  # what a job's rows depend on besides its tables and our code
Days = dict["date", str]


def typed(frame: DataFrame, first: date, last: date) -> DataFrame:
    """Add `day_type` to rows with `place` and `local_date`, for UTC dates from `first` to `last` (a clock is at most a day off)."""
    rows = list(exceptions(first - timedelta(days=1), last + timedelta(days=1)).items())
    days = F.broadcast(frame.sparkSession.createDataFrame(rows, "region STRING, days MAP<DATE, STRING>"))
    own = days.selectExpr("region AS place", "days AS own")
    nation = days.selectExpr("region AS country", "days AS nation")
    joined = frame.join(own, "place", "left").withColumn("country", F.expr(COUNTRY.format("place"))).join(nation, "country", "left")
    named = F.expr(f"coalesce(try_element_at(coalesce(own, nation), local_date), {DAY_TYPE})")
    return joined.select(*frame.columns, named.alias("day_type"))


def exceptions(first: date, last: date) -> dict[str, Days]:
    """Return, by region, the dates that are not what their place in the week says of them; a region without any is there, empty."""
    span = [first + timedelta(days=n) for n in range((last - first).days + 1)]
    kept = [_kept(year) for year in range(first.year, last.year + 1)]
    found = {}
    for region, (weekend, _) in kept[0].items():
        off = frozenset().union(*(year[region][1] for year in kept))
        # A holiday that falls on a weekend changes nothing about it.
        types = {day: "weekend" if day.weekday() in weekend else "holiday" if day in off else "weekday" for day in span}
        found[region] = {day: kind for day, kind in types.items() if kind != _usual(day)}
    return found


@cache
def _kept(year: int) -> dict[str, tuple[frozenset[int], frozenset[date]]]:
    """Return, by region, the days of the week that are its weekend (0 is Monday), and its public holidays of a year."""
    import holidays

    regions = {}
    for country, parts in holidays.list_supported_countries(include_aliases=False).items():
        for part in (None, *parts):
            calendar = holidays.country_holidays(country, subdiv=part, years=year, expand=False)
            regions[f"{country}-{part}" if part else country] = frozenset(calendar.weekend), frozenset(calendar)
    return regions


def _usual(day: date) -> str:
    return "weekend" if day.isoweekday() > 5 else "weekday"  # noqa: PLR2004  # Saturday and Sunday
