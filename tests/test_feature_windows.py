"""Windows and examples against plain Python over random acts that became known early, late or never in time."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from acts import BY_ROWS, DAY, FIRST, HOUR, MINUTE, Row, acts, counted, expected, frame
from small_lake import who

from jobs.contracts.derived import EXAMPLES, USER_FEATURES
from jobs.contracts.events import AD_EVENTS, WEATHER
from jobs.contracts.silver import SILVER_LISTENERS
from jobs.examples import JOB as EXAMPLES_JOB
from jobs.examples import examples
from jobs.features import USER
from jobs.publish import reason_of
from jobs.run import targets
from jobs.user_features import JOB as FEATURES_JOB
from jobs.user_features import user_features

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession


pytestmark = pytest.mark.spark
DATES = tuple(FIRST + n * DAY for n in (*range(5), 30, 88, 89, 90, 91, 100, 117, 118, 119, 139, 150))


# ---- listeners' features ---------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def drawn() -> dict[str, list[Row]]:
    return acts()


@pytest.fixture(scope="module")
def days(spark: SparkSession, drawn: dict[str, list[Row]]) -> DataFrame:
    """The daily counts of all dates, computed once."""
    return counted(spark, drawn)


@pytest.fixture(scope="module")
def in_one_pass(days: DataFrame) -> dict[tuple[date, str], Row]:
    return {(row["date"], row["listener_id"]): row.asDict() for row in user_features(days, dates=DATES).collect()}


def test_every_feature_equals_a_sum_over_the_acts_in_its_window(
    drawn: dict[str, list[Row]], in_one_pass: dict[tuple[date, str], Row]
) -> None:
    oracle = expected(drawn, DATES)
    assert set(in_one_pass) == set(oracle)
    assert {name for features in oracle.values() for name in features} == {f.name for f in USER}
    for key, features in oracle.items():
        for name, value in features.items():
            near = None if value is None else pytest.approx(value, rel=1e-12, abs=1e-5 if name in BY_ROWS else 0)
            found = in_one_pass[key][name]
            assert found == near or (name == "mean_hour_28d" and abs(found - value) == pytest.approx(24)), (key, name)
        assert in_one_pass[key]["known_date"] <= key[0]


def test_the_acts_put_windows_to_the_test(drawn: dict[str, list[Row]], in_one_pass: dict[tuple[date, str], Row]) -> None:
    """Of each hard case there is one: without these the comparison above would prove little."""
    late = [row for row in drawn["listens"] if row["known_ts"].date() > row["date"]]
    assert [row for row in late if (row["known_ts"].date() - row["date"]).days >= 90]
    assert [row for row in drawn["listens"] if row["known_ts"] == datetime.combine(row["date"] + DAY, time(), UTC)]
    mine = {listener: sorted(day for day, who in in_one_pass if who == listener) for _, listener in in_one_pass}
    gone = {who for who, found in mine.items() if any(DATES.index(b) - DATES.index(a) > 1 for a, b in pairwise(found))}
    assert gone, "somebody stops for longer than 90 days and returns"
    assert {row["plays_7d"] == 0 and row["plays_28d"] > 0 for row in in_one_pass.values()} == {True, False}
    assert who(99) not in mine


def test_a_range_in_one_pass_equals_date_by_date(days: DataFrame, in_one_pass: dict[tuple[date, str], Row]) -> None:
    (read,) = FEATURES_JOB.reads
    chosen = (DATES[2], DATES[9], DATES[-1])
    alone = [user_features(days.where(f"datediff(DATE'{day}', date) BETWEEN 0 AND {read.back}"), dates=(day,)) for day in chosen]
    found = {(row["date"], row["listener_id"]): row.asDict() for one in alone for row in one.collect()}
    assert found == {key: row for key, row in in_one_pass.items() if key[0] in chosen}
    assert found


def test_a_date_counts_once_on_the_row_by_which_its_first_play_was_known(days: DataFrame, drawn: dict[str, list[Row]]) -> None:
    first: dict[tuple[str, date], date] = {}
    for row in drawn["listens"]:
        key = row["listener_id"], row["date"]
        first[key] = min(first.get(key, date.max), row["known_ts"].date())
    marked = [(row["listener_id"], row["date"], row["known_date"]) for row in days.where("active_days = 1").collect()]
    assert sorted(marked) == sorted((*key, known) for key, known in first.items())
    assert days.where("active_days NOT IN (0, 1)").count() == 0


# ---- examples --------------------------------------------------------------------------------------------------------

SHOWN = datetime(2026, 7, 3, 23, 45, tzinfo=UTC)
TODAY, EVENING = SHOWN.date(), SHOWN.date() - DAY
LATEST = SHOWN + timedelta(hours=48, minutes=30)
# case -> acts on the impression (kind, when, known when), click, completion
ACTS: dict[str, tuple[tuple[tuple[str, datetime, datetime], ...], bool, bool]] = {
    "nothing": ((), False, False),
    "click at once": ((("click", SHOWN, SHOWN),), True, False),
    "click after midnight": ((("click", SHOWN + 20 * MINUTE, SHOWN + 20 * MINUTE),), True, False),
    "click on the minute": ((("click", SHOWN + 30 * MINUTE, SHOWN + 30 * MINUTE),), True, False),
    "click too late": ((("click", SHOWN + 31 * MINUTE, SHOWN + 31 * MINUTE),), False, False),
    "click before it was shown": ((("click", SHOWN - MINUTE, SHOWN),), False, False),
    "click known just in time": ((("click", SHOWN + MINUTE, LATEST - MINUTE),), True, False),
    "click known too late": ((("click", SHOWN + MINUTE, LATEST),), False, False),
    "heard to the end": ((("complete", SHOWN + MINUTE, SHOWN + MINUTE),), False, True),
    "both, twice": ((("complete", SHOWN + MINUTE, SHOWN + MINUTE), *[("click", SHOWN + MINUTE, SHOWN + 2 * MINUTE)] * 2), True, True),
    "half of it": ((("midpoint", SHOWN + MINUTE, SHOWN + MINUTE), ("conversion", SHOWN + MINUTE, SHOWN + MINUTE)), False, False),
}
NUMBER = {case: n for n, case in enumerate(ACTS)}


@pytest.fixture(scope="module")
def made(spark: SparkSession) -> dict[str, Row]:
    """One example a case, each of a listener of its own, with the reason why the contract would refuse it."""
    ads = [_ad(case, "impression", SHOWN, SHOWN) for case in ACTS]
    ads += [_ad(case, *act) for case, (told, _, _) in ACTS.items() for act in told]
    ads += [_ad("withheld", "holdout", SHOWN, SHOWN), _ad("of another date", "impression", SHOWN + DAY, SHOWN + DAY)]
    known = [{"date": day, "known_date": day, "plays_1d": n, "plays_90d": 9} for n, day in enumerate((EVENING - DAY, EVENING, TODAY))]
    features = [row | {"listener_id": who(NUMBER[case])} for case in ACTS if case != "nothing" for row in known]
    # The planted leak: a row of the evening before that holds something learned on the day itself.
    leak = {"date": EVENING, "listener_id": who(NUMBER["click at once"]), "known_date": TODAY, "plays_1d": 7}
    features = [row for row in features if (row["listener_id"], row["date"]) != (leak["listener_id"], EVENING)] + [leak]
    home = {"place": "DE-BY", "time_zone": "Europe/Berlin"}
    homes = [{"listener_id": who(NUMBER[case]), "date": day, **home} for case in ACTS for day in (EVENING, TODAY) if case != "half of it"]
    homes.append({"listener_id": who(NUMBER["half of it"]), "date": TODAY, **home})  # said on the day itself
    rain = [{"temperature_c": 12.0, "rain_mm": mm, "known_ts": at} for mm, at in ((0.0, SHOWN - 9 * HOUR), (1.0, SHOWN - HOUR))]
    hour = SHOWN.replace(minute=0)
    wet = [row | {"place": "DE-BY", "date": TODAY, "event_ts": hour} for row in (*rain, {**rain[0], "known_ts": hour + MINUTE})]
    frames = ((AD_EVENTS, ads), (USER_FEATURES, features), (SILVER_LISTENERS, homes), (WEATHER, wet))
    found = examples(*(frame(spark, table, rows) for table, rows in frames), dates=(TODAY,))
    rows = found.withColumn("refused_for", reason_of(EXAMPLES)).collect()
    assert len(rows) == len({row["impression_id"] for row in rows})
    return {row["impression_id"]: row.asDict() for row in rows}


def _ad(case: str, kind: str, when: datetime, known: datetime) -> Row:
    times = {"date": when.date(), "event_ts": when, "known_ts": known}
    return {"impression_id": case, "listener_id": who(NUMBER.get(case, 50)), "kind": kind, "device": "car", **times}


def test_an_example_is_an_impression_of_the_date_that_was_shown(made: dict[str, Row]) -> None:
    assert set(made) == set(ACTS)


@pytest.mark.parametrize("case", ACTS)
def test_labels_count_what_happened_and_was_known_in_time(made: dict[str, Row], case: str) -> None:
    assert (made[case]["click"], made[case]["completion"]) == ACTS[case][1:]


def test_only_features_of_the_evening_before_join(made: dict[str, Row]) -> None:
    ordinary = [row for case, row in made.items() if case not in ("nothing", "click at once")]
    assert {(row["features_date"], row["features_known"], row["plays_1d"]) for row in ordinary} == {(EVENING, EVENING, 1)}
    assert (made["nothing"]["plays_90d"], made["nothing"]["features_known"], made["nothing"]["refused_for"]) == (None, None, None)


def test_a_planted_leak_is_caught_and_alone(made: dict[str, Row]) -> None:
    assert {case: row["refused_for"] for case, row in made.items() if row["refused_for"]} == {"click at once": "features_known_before"}


def test_the_context_is_what_was_known_before(made: dict[str, Row]) -> None:
    local = {(row["daypart"], row["day_type"], row["weather"]) for case, row in made.items() if case != "half of it"}
    assert local == {("night", "weekend", "rain")}, "a quarter to two on Saturday in Berlin, by the newest forecast before the hour"
    late = made["half of it"]
    assert (late["daypart"], late["day_type"], late["weather"]) == ("late", "weekday", "unknown"), (
        "a home stated later that day is not known yet"
    )


def test_a_row_is_labelled_only_when_nothing_can_arrive_in_time_any_more(made: dict[str, Row]) -> None:
    assert {row["known_ts"].replace(tzinfo=UTC) for row in made.values()} == {LATEST}
    for asked in (TODAY, TODAY + 9 * DAY):
        (written,) = targets(EXAMPLES_JOB, [asked])
        last = datetime.combine(written, time.max, UTC) + timedelta(hours=48, minutes=30)
        assert last < datetime.combine(asked + DAY, time(), UTC), "settled before the day that writes it ends"
        assert datetime.combine(written + DAY, time.max, UTC) + timedelta(hours=48, minutes=30) > datetime.combine(asked + DAY, time(), UTC)
