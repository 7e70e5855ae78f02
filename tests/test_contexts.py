"""Context cells against plain Python, empirical Bayes included; local clocks, holidays, and weather that is not there."""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import UTC, date, datetime, time
from itertools import pairwise
from statistics import fmean, pvariance
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from acts import DAY, FIRST, HOUR, MINUTE, Row, frame
from small_lake import who

from jobs.context_features import answered, context_features
from jobs.contracts.context import CONTEXT_FEATURES
from jobs.contracts.events import PLAYS, WEATHER
from jobs.contracts.silver import LISTENS, SILVER_LISTENERS, SILVER_TRACKS
from jobs.day_types import exceptions, typed
from jobs.features.context import LEVELS
from jobs.listens import listens

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyspark.sql import DataFrame, SparkSession

pytestmark = pytest.mark.spark
LAST = FIRST + 30 * DAY
CELL = ("level", "daypart", "local_hour", "day_type", "device", "place", "weather")
MEANS = ("skip_rate", "mean_energy", "mean_valence")


def part_of(hour: int) -> str:
    return "night" if hour < 6 else "morning" if hour < 10 else "midday" if hour < 16 else "evening" if hour < 20 else "late"


def kind_of(forecasts: list[Row], place: str | None, hour: datetime) -> str:
    """Name the weather by the newest forecast issued before the hour."""
    mine = [row for row in forecasts if (row["place"], row["event_ts"]) == (place, hour) and row["known_ts"] <= hour]
    if not mine:
        return "unknown"
    newest = max(mine, key=lambda row: row["known_ts"])
    degrees, rain = newest["temperature_c"], newest["rain_mm"]
    if degrees is None or rain is None:
        return "unknown"
    return "rain" if rain >= 0.2 else "dry_cold" if degrees < 5 else "dry_hot" if degrees > 25 else "dry_mild"


def weather(rng: random.Random, first: date, n: int) -> list[Row]:
    """Draw forecasts of every third hour, each issued twice or, wrongly, after the hour."""
    rows = []
    for hours in range(0, 24 * n, 3):
        hour = datetime.combine(first, time(), UTC) + hours * HOUR
        for issued in (hour - 24 * HOUR, hour, hour + HOUR):
            values = {"temperature_c": rng.choice((-5.0, 12.0, 30.0, None)), "rain_mm": rng.choice((0.0, 0.1, 0.2, 4.0, None))}
            rows.append({"place": "DE-BY", "date": hour.date(), "event_ts": hour, "known_ts": issued, **values})
    return rows


@pytest.fixture(scope="module")
def forecasts() -> list[Row]:
    return weather(random.Random(3), FIRST, 31)


@pytest.fixture(scope="module")
def plays() -> list[Row]:
    """Draw plays of sixty listeners who skip more in the car; some become known late, some never in time."""
    rng, rows = random.Random(4), []
    for n in range(2_500):
        moment = datetime.combine(FIRST, time(), UTC) + rng.randrange(31 * 8) * 3 * HOUR + rng.randrange(60) * MINUTE
        local, device = moment + 2 * HOUR, rng.choice(("car", "tv"))
        row = {"event_id": who(n), "listener_id": who(rng.randrange(60)), "date": moment.date(), "event_ts": moment}
        row |= {"known_ts": moment + rng.choice((0, 0, 1, 24, 300)) * HOUR, "place": rng.choice(("DE-BY", "DE-BY", "DE-XX", "FR", None))}
        row |= {"local_date": local.date(), "local_hour": local.hour, "device": device}
        row |= {"skipped": rng.choice((None, rng.random() < (0.6 if device == "car" else 0.2)))}
        row |= {"energy": rng.choice((None, 0.2, 0.8, 0.8 if local.hour < 12 else 0.2)), "valence": rng.choice((None, 0.4))}
        rows.append(row)
    return rows


@pytest.fixture(scope="module")
def found(spark: SparkSession, plays: list[Row], forecasts: list[Row]) -> list[Row]:
    return computed(spark, plays, forecasts, (FIRST + 20 * DAY, LAST))


def computed(spark: SparkSession, plays: list[Row], forecasts: list[Row], dates: Sequence[date], parts: int = 1) -> list[Row]:
    frames = frame(spark, LISTENS, plays).repartition(parts), frame(spark, WEATHER, forecasts)
    return [row.asDict() for row in context_features(*frames, dates=tuple(dates)).collect()]


def cell_of(row: Row, level: str, kind: str) -> tuple[Any, ...]:
    """Return the cell of a play, by hand."""
    day = "weekend" if row["local_date"].isoweekday() >= 6 else "holiday" if (row["place"], row["local_date"]) in OFF else "weekday"
    place = row["place"] or "unknown"
    daypart, hour = part_of(row["local_hour"]), row["local_hour"]
    return {
        "region": (level, daypart, hour, day, row["device"], place, kind),
        "country": (level, daypart, hour, day, row["device"], place.split("-")[0], kind),
        "weather": (level, daypart, None, day, row["device"], "any", kind),
        "device": (level, daypart, None, day, row["device"], "any", "any"),
        "daypart": (level, daypart, None, day, "any", "any", "any"),
        "all": (level, "any", None, "any", "any", "any", "any"),
    }[level]


OFF = {("FR", date(2026, 7, 14))}
VALUES = {
    "skip_rate": lambda row: row["skipped"],
    "mean_energy": lambda row: None if row["valence"] is None else row["energy"],
    "mean_valence": lambda row: None if row["energy"] is None else row["valence"],
}


def oracle(plays: list[Row], forecasts: list[Row], day: date) -> dict[tuple[Any, ...], Row]:
    """Count and shrink by hand, from all listening down to the finest cells."""
    known = [row for row in plays if row["date"] <= day < row["date"] + 28 * DAY and row["known_ts"].date() <= day]
    kinds = {row["event_id"]: kind_of(forecasts, row["place"], row["event_ts"].replace(minute=0)) for row in known}
    levels = [level.name for level in LEVELS][::-1]
    path = {row["event_id"]: [cell_of(row, level, kinds[row["event_id"]]) for level in levels] for row in known}
    told: dict[tuple[Any, ...], Row] = {}
    for depth in range(len(levels)):
        mine: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
        for row in known:
            mine[path[row["event_id"]][depth]].append(row)
        above = {path[row["event_id"]][depth]: path[row["event_id"]][depth - 1] for row in known} if depth else {}
        for cell, rows in mine.items():
            told[cell] = {"rows": rows, "listeners": len({row["listener_id"] for row in rows}), "parent": above.get(cell)}
        for name, value in VALUES.items():
            numbers = {cell: [float(v) for row in rows if (v := value(row)) is not None] for cell, rows in mine.items()}
            shrink(told, numbers, name)
    return told


def shrink(told: dict[tuple[Any, ...], Row], numbers: dict[tuple[Any, ...], list[float]], name: str) -> None:
    """Kleinman's estimate of how alike two plays of a cell are, and each cell's share of its own mean."""
    apart, rest, pairs = 0.0, 0.0, 0.0
    for cell, own in numbers.items():
        told[cell][f"numbers {name}"] = own
        parent = told[cell]["parent"]
        if parent and own:
            all_of = told[parent][f"numbers {name}"]
            if (spread := pvariance(all_of)) > 1e-12:
                apart += len(own) * (fmean(own) - fmean(all_of)) ** 2 / spread
            rest += 1 - len(own) / len(all_of)
            pairs += (len(own) - 1) * (1 - len(own) / len(all_of))
    alike = min(max((apart - rest) / pairs, 0.0), 1.0) if pairs else 0.0
    for cell, own in numbers.items():
        parent = told[cell]["parent"]
        weight = len(own) * alike / (1 + (len(own) - 1) * alike) if own else 0.0
        above = told[parent][name] if parent else fmean(own)
        told[cell][name] = above + weight * (fmean(own) - above) if own else above


def test_cells_and_their_shrunk_means_equal_a_count_by_hand(plays: list[Row], forecasts: list[Row], found: list[Row]) -> None:
    for day in (FIRST + 20 * DAY, LAST):
        cells = {tuple(row[name] for name in CELL): row for row in found if row["date"] == day}
        told = oracle(plays, forecasts, day)
        enough = {cell for cell, one in told.items() if one["listeners"] >= 10 and not (cell[0] == "region" and "-" not in cell[5])}
        assert set(cells) == enough
        assert {cell[0] for cell in cells} == {level.name for level in LEVELS}
        whole = len(told[cell_of(plays[0], "all", "")]["rows"])
        for cell, row in cells.items():
            one = told[cell]
            assert (row["plays"], row["listeners"]) == (len(one["rows"]) // 10 * 10, min(one["listeners"], 90) // 10 * 10), cell
            assert row["play_share"] == pytest.approx(row["plays"] / (whole // 10 * 10), abs=1e-6)
            assert [row[name] for name in MEANS] == pytest.approx([one[name] for name in MEANS], abs=6e-5), cell


def test_every_level_tells_all_apart_that_its_parent_does() -> None:
    assert all(set(parent.by) < set(level.by) for level, parent in pairwise(LEVELS))
    assert not LEVELS[-1].by


def test_a_context_is_answered_by_the_finest_cell_there_is(spark: SparkSession, plays: list[Row], found: list[Row]) -> None:
    published = {tuple(row[name] for name in CELL): row for row in found if row["date"] == LAST}
    asked = {cell_of(row, "region", kind): row for row in plays for kind in ("rain", "unknown", "dry_hot")}
    rows = [(LAST, *cell[1:5], cell[5].split("-")[0], *cell[5:]) for cell in asked]
    names = "date DATE, daypart STRING, local_hour INT, day_type STRING, device STRING, country STRING, region STRING, weather STRING"
    told = answered(spark.createDataFrame(rows, names), frame(spark, CONTEXT_FEATURES, [*published.values()])).collect()
    assert len(told) == len(asked)
    for row in told:
        key = ("region", *(row[name] for name in ("daypart", "local_hour", "day_type", "device", "region", "weather")))
        chain = (cell_of(asked[key], level.name, row["weather"]) for level in LEVELS)
        cell = next(cell for cell in chain if cell in published)
        assert [row[name] for name in ("level", "plays", *MEANS)] == [published[cell][name] for name in ("level", "plays", *MEANS)]
    assert {row["level"] for row in told} >= {"country", "weather", "device"}


def test_rows_do_not_depend_on_partitions_nor_on_the_other_dates_asked(
    spark: SparkSession, plays: list[Row], forecasts: list[Row], found: list[Row]
) -> None:
    again = computed(spark, plays[::-1], forecasts, (LAST,), parts=5)
    assert sorted(map(str, again)) == sorted(str(row) for row in found if row["date"] == LAST)


def test_without_weather_it_is_the_model_without_weather(spark: SparkSession, plays: list[Row], found: list[Row]) -> None:
    dry = computed(spark, plays, [], (LAST,))
    coarse = ("device", "daypart", "all")
    untouched = [[str(row) for row in rows if row["level"] in coarse and row["date"] == LAST] for rows in (dry, found)]
    assert sorted(untouched[0]) == sorted(untouched[1])
    by_device = {(row["daypart"], row["day_type"], row["device"]): row for row in dry if row["level"] == "device"}
    unknown = [row for row in dry if row["level"] == "weather"]
    assert {row["weather"] for row in dry} == {"unknown", "any"}
    assert len(unknown) == len(by_device)
    for row in unknown:
        same = by_device[row["daypart"], row["day_type"], row["device"]]
        assert [row[name] for name in (*MEANS, "plays")] == [same[name] for name in (*MEANS, "plays")]


def test_it_names_no_listener_and_asks_nobodys_consent() -> None:
    assert not [column.name for column in CONTEXT_FEATURES.columns if column.identifies or "listener_id" in column.name]
    assert CONTEXT_FEATURES.purpose.value == "service"


# ---- whose day and hour it is ----------------------------------------------------------------------------------------

CLOCKS = {
    "Europe/Berlin": ("DE-BE", (date(2026, 3, 29), date(2026, 10, 25), date(2026, 12, 24), date(2026, 12, 31))),
    "America/New_York": ("US-NY", (date(2026, 3, 8), date(2026, 11, 1), date(2026, 11, 26))),
    "America/Sao_Paulo": ("BR-SP", (date(2026, 10, 12),)),
    "Asia/Kolkata": ("IN-MH", (date(2026, 10, 2),)),
}


@pytest.fixture(scope="module")
def heard(spark: SparkSession) -> list[Row]:
    """Play every half hour, from the evening before a change of clocks or a holiday until the morning after, and name the day."""
    rows = []
    for zone, (place, days) in CLOCKS.items():
        for day in days:
            for n in range(-4, 56):
                moment = datetime.combine(day, time(), UTC) + n * 30 * MINUTE
                row = {"event_id": who(len(rows)), "date": moment.date(), "event_ts": moment, "known_ts": moment}
                rows.append(row | {"time_zone": zone, "place": place, "kind": "track", "device": "car"})
    dates = tuple(sorted({row["date"] for row in rows}))
    nobody, nothing = frame(spark, SILVER_LISTENERS, []), frame(spark, SILVER_TRACKS, [])
    made: DataFrame = listens(frame(spark, PLAYS, rows), nothing, nobody, dates=dates).drop("track_id", "artist_id")
    return [row.asDict() for row in typed(made, dates[0], dates[-1]).collect()]


def test_the_hour_and_the_date_are_those_of_the_local_clock(heard: list[Row]) -> None:
    assert len(heard) == 9 * 60
    for row in heard:
        local = row["event_ts"].replace(tzinfo=UTC).astimezone(ZoneInfo(row["time_zone"]))
        assert (row["local_date"], row["local_hour"]) == (local.date(), local.hour), row["event_ts"]
    twice = [row["event_ts"] for row in heard if (row["place"], row["local_date"], row["local_hour"]) == ("DE-BE", date(2026, 10, 25), 2)]
    assert len(twice) == 4, "the hour that a clock shows twice"
    assert not [row for row in heard if (row["place"], row["local_date"], row["local_hour"]) == ("DE-BE", date(2026, 3, 29), 2)]


def test_half_past_eleven_at_night_in_utc_is_the_next_day_in_berlin(heard: list[Row]) -> None:
    moments = {row["event_ts"]: row for row in heard if row["place"] == "DE-BE"}
    eve, new_year = moments[datetime(2026, 12, 24, 23, 30)], moments[datetime(2026, 12, 31, 23, 30)]  # noqa: DTZ001  # Spark's UTC
    assert (eve["local_date"], eve["local_hour"], eve["day_type"]) == (date(2026, 12, 25), 0, "holiday")
    assert (new_year["local_date"], new_year["local_hour"], new_year["day_type"]) == (date(2027, 1, 1), 0, "holiday")
    before = moments[datetime(2026, 12, 24, 22, 30)]  # noqa: DTZ001
    assert (before["local_date"], before["local_hour"], before["day_type"]) == (date(2026, 12, 24), 23, "weekday")


def test_days_are_named_by_the_calendar_of_the_place(heard: list[Row]) -> None:
    off = {"US-NY": {date(2026, 11, 26)}, "BR-SP": {date(2026, 10, 12)}, "IN-MH": {date(2026, 10, 2)}}
    off["DE-BE"] = {date(2026, 12, 25), date(2027, 1, 1)}
    for row in heard:
        weekend = row["local_date"].isoweekday() >= 6
        expected = "weekend" if weekend else "holiday" if row["local_date"] in off[row["place"]] else "weekday"
        assert row["day_type"] == expected, (row["place"], row["local_date"])


def test_regions_go_by_their_own_calendar_and_unknown_ones_by_their_country(spark: SparkSession) -> None:
    rows = [
        ("DE-BY", date(2026, 1, 6), "holiday"),  # Epiphany, in Bavaria but not in Berlin
        ("DE-BE", date(2026, 1, 6), "weekday"),
        ("DE-XX", date(2026, 1, 1), "holiday"),
        ("DE-XX", date(2026, 1, 6), "weekday"),
        ("SA", date(2026, 1, 2), "weekend"),  # a Friday
        ("SA", date(2026, 1, 4), "weekday"),  # a Sunday
        ("nowhere", date(2026, 1, 4), "weekend"),
        (None, date(2026, 1, 1), "weekday"),
    ]
    made = typed(spark.createDataFrame(rows, "place STRING, local_date DATE, expected STRING"), date(2026, 1, 1), date(2026, 1, 6))
    assert made.columns == ["place", "local_date", "expected", "day_type"]
    told = made.collect()
    assert len(told) == len(rows)
    assert [row for row in told if row["day_type"] != row["expected"]] == []


def test_a_calendar_covers_the_dates_asked_over_a_turn_of_the_year() -> None:
    days = exceptions(date(2026, 12, 24), date(2027, 1, 2))["FR"]
    assert days == {date(2026, 12, 25): "holiday", date(2027, 1, 1): "holiday"}
