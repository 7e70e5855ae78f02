"""Features rolled on from date to date equal those of one pass over the history; a late row moves the dates that could know it alone."""

from __future__ import annotations

import shutil
from datetime import UTC, date, datetime, time
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from acts import DAY, FIRST, acts, counted
from small_lake import one, who

from jobs import state
from jobs.contracts.derived import USER_DAYS, USER_FEATURES, USER_STATE
from jobs.contracts.silver import LISTENS
from jobs.lake.address import Address
from jobs.lake.commit import Note
from jobs.lake.content import ALWAYS, content, known_on
from jobs.lake.schema import arrow_schema
from jobs.lake.spark import SparkLake
from jobs.lake.versions import restore
from jobs.run import NOTHING, run, stale
from jobs.user_days import JOB as DAYS_JOB
from jobs.user_features import JOB, begin, roll, shown, user_features

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import DataFrame, SparkSession

pytestmark = pytest.mark.spark
ROLLED = range(86, 93)  # days from the first on: the longest window fills up in between, and begins to let go


@pytest.fixture(scope="module")
def days(spark: SparkSession) -> DataFrame:
    return counted(spark, acts())


def rows(frame: DataFrame) -> list[str]:
    return sorted(map(repr, frame.select(*sorted(frame.columns)).collect()))


def kept(frame: DataFrame) -> DataFrame:
    """Return a state as a lake would: written, and read back."""
    return frame.sparkSession.createDataFrame(frame.select(*USER_STATE.names).toArrow(), USER_STATE.ddl)


def test_a_state_that_rolls_on_is_the_state_made_from_nothing(days: DataFrame) -> None:
    """Both in every column, and their features those of one pass; among the acts are late ones, breaks and who stops for good."""
    dates = [FIRST + n * DAY for n in ROLLED]
    one_pass = {day: [] for day in dates}
    for row in user_features(days, dates=tuple(dates)).collect():
        one_pass[row["date"]].append(row.asDict())
    now = kept(begin(days, day=dates[0]))
    tardy = {row["known_date"] for row in days.where("known_date > date").select("known_date").collect()}
    assert tardy & set(dates[1:]), "something is late on one of the dates"
    for day in dates[1:]:
        came = days.where(f"known_date = DATE'{day}' AND date < known_date").collect()
        late = [str(row["date"]) for row in came]
        now = kept(roll(now, days, day=day, late=late))
        found = sorted((row.asDict() for row in shown(now).collect()), key=lambda row: row["listener_id"])
        assert found == sorted(one_pass[day], key=lambda row: row["listener_id"])
    assert rows(now) == rows(kept(begin(days, day=dates[-1])))


def test_a_roll_reads_whole_dates_and_no_others(days: DataFrame) -> None:
    day = FIRST + 92 * DAY
    wanted = {day - n * DAY for n in (0, 1, 7, 28, 90)} | {day - 3 * DAY}
    others = days.where(~days["date"].isin(sorted(wanted)))
    untouched = others.selectExpr("*").withColumn("plays", others["plays"] + 1_000)
    before = kept(begin(days, day=day - DAY))
    late = [str(day - 3 * DAY)]
    assert rows(roll(before, days, day=day, late=late)) == rows(
        roll(before, untouched.unionByName(days.where(days["date"].isin(sorted(wanted)))), day=day, late=late)
    )


# ---- on a lake -------------------------------------------------------------------------------------------------------

NIGHTS = [date(2026, 11, 1) + n * DAY for n in range(5)]


def played(lake: SparkLake, day: date, *plays: tuple[int, str, int]) -> None:
    """Make plays the whole of a date: listener, track, and how many days later each became known."""
    noon = datetime.combine(day, time(12), UTC)
    made = [
        one(LISTENS, date=day, event_id=f"{day} {n}", listener_id=who(listener), event_ts=noon, known_ts=noon + later * DAY, local_date=day)
        | {"track_id": track, "artist_id": track, "skipped": False, "ms_played": 60_000}
        for n, (listener, track, later) in enumerate(plays)
    ]
    lake.arrow.overwrite(LISTENS, pa.Table.from_pylist(made, arrow_schema(LISTENS)), [day], Note("test"))


def published(lake: SparkLake, table: Any = USER_FEATURES) -> list[str]:
    return sorted(map(repr, lake.arrow.read(table).to_pylist()))


@pytest.fixture(scope="module")
def made(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a lake: three dates, each made in its night."""
    folder = tmp_path_factory.mktemp("nights") / "lake"
    lake = SparkLake(Address.parse(str(folder)))
    for n, day in enumerate(NIGHTS[:3]):
        played(lake, day, (1, f"t{n}", 0), (2, "same", 0))
        run(DAYS_JOB, lake, [day])
        run(JOB, lake, [day])
    return folder


@pytest.fixture
def nights(made: Path, lake: SparkLake, tmp_path: Path) -> SparkLake:
    """A copy of that lake."""
    shutil.copytree(made, tmp_path / "lake")
    return lake


def test_night_after_night_is_what_one_pass_makes(nights: SparkLake) -> None:
    assert set(nights.arrow.files(USER_STATE)) == {str(day) for day in NIGHTS[:3]}
    by_night = published(nights)
    frame = nights.read(USER_DAYS)
    assert by_night == sorted(map(repr, _declared(user_features(frame, dates=tuple(NIGHTS[:3])))))
    (row,) = nights.read(USER_FEATURES, [NIGHTS[2]]).where(f"listener_id = '{who(1)}'").collect()
    assert (row["tracks_7d"], row["plays_7d"], row["repeat_share_28d"]) == (3, 3, 0.0)


def _declared(frame: DataFrame) -> list[dict[str, Any]]:
    ads = [column.name for column in USER_FEATURES.columns if column.purpose]
    found = [{name: row[name] for name in USER_FEATURES.names} for row in frame.collect()]
    return [row | dict.fromkeys(ads) for row in found]  # nobody agreed to these


def test_a_late_play_makes_the_dates_stale_that_could_know_it_and_no_earlier_one(nights: SparkLake) -> None:
    played(nights, NIGHTS[1], (1, "t1", 0), (2, "same", 0), (1, "late", 1))
    run(DAYS_JOB, nights, [NIGHTS[1]])
    assert known_on(content(nights.arrow, USER_DAYS), NIGHTS[2]) == (str(NIGHTS[1]), str(NIGHTS[2]))
    assert sorted(stale(JOB, nights.arrow, NIGHTS[:3])) == [NIGHTS[2]]
    run(JOB, nights, NIGHTS[:3])
    assert published(nights) == sorted(map(repr, _declared(user_features(nights.read(USER_DAYS), dates=tuple(NIGHTS[:3])))))
    (row,) = nights.read(USER_FEATURES, [NIGHTS[2]]).where(f"listener_id = '{who(1)}'").collect()
    assert (row["tracks_7d"], row["plays_7d"]) == (4, 4)


def test_rows_made_again_that_are_the_same_make_nothing_stale(nights: SparkLake) -> None:
    played(nights, NIGHTS[1], (2, "same", 0), (1, "t1", 0))
    assert run(DAYS_JOB, nights, [NIGHTS[1]]).rows == 2
    assert run(JOB, nights, NIGHTS[:3]).state == NOTHING


def test_without_its_states_a_lake_is_the_same_lake(nights: SparkLake) -> None:
    before = published(nights)
    nights.arrow.overwrite(USER_STATE, nights.arrow.read(USER_STATE).slice(0, 0), None, Note("gone"))
    assert run(JOB, nights, NIGHTS[:3]).state == NOTHING
    played(nights, NIGHTS[3], (1, "t3", 0))
    run(DAYS_JOB, nights, [NIGHTS[3]])
    run(JOB, nights, [NIGHTS[3]])
    assert [row for row in published(nights) if not row.startswith(f"{{'date': {NIGHTS[3]!r}")] == before
    assert published(nights) == sorted(map(repr, _declared(user_features(nights.read(USER_DAYS), dates=tuple(NIGHTS[:4])))))


def test_a_state_of_other_inputs_does_not_count_and_a_night_left_out_is_rolled_through(nights: SparkLake) -> None:
    """A date was changed, the one after it never made, and only the third is asked for."""
    played(nights, NIGHTS[2], (1, "other", 0), (3, "new", 0))
    played(nights, NIGHTS[4], (1, "t4", 0))
    run(DAYS_JOB, nights, NIGHTS[2:5])
    wrong = nights.arrow.published(USER_STATE)[str(NIGHTS[2])]
    run(JOB, nights, [NIGHTS[4]])
    assert set(nights.arrow.files(USER_STATE)) == {str(day) for day in NIGHTS}
    assert nights.arrow.published(USER_STATE)[str(NIGHTS[2])] != wrong
    wanted = _declared(user_features(nights.read(USER_DAYS), dates=(NIGHTS[4],)))
    assert [row for row in published(nights) if row.startswith(f"{{'date': {NIGHTS[4]!r}")] == sorted(map(repr, wanted))


def test_many_dates_are_one_pass_and_keep_no_state(lake: SparkLake) -> None:
    for n in range(state.FEW + 2):
        played(lake, NIGHTS[0] + n * DAY, (1, f"t{n}", 0))
    asked = [NIGHTS[0] + n * DAY for n in range(state.FEW + 2)]
    run(DAYS_JOB, lake, asked)
    assert run(JOB, lake, asked).rows == len(asked)
    assert not lake.arrow.exists(USER_STATE)


def test_a_date_that_was_restored_is_known_by_its_files(nights: SparkLake) -> None:
    version = nights.arrow.version(USER_DAYS)
    played(nights, NIGHTS[2], (1, "other", 0))
    run(DAYS_JOB, nights, [NIGHTS[2]])
    assert version is not None
    restore(nights.arrow, USER_DAYS, NIGHTS[2], version, "restored")
    found = content(nights.arrow, USER_DAYS)
    assert set(found[str(NIGHTS[2])]) == {ALWAYS}
    assert set(found[str(NIGHTS[1])]) == {str(NIGHTS[1])}
    assert sorted(stale(JOB, nights.arrow, NIGHTS[:3])) == [NIGHTS[2]]
    nights.arrow.delete(USER_DAYS, f"listener_id = '{who(2)}'", Note("erased"))
    assert {known for of in content(nights.arrow, USER_DAYS).values() for known in of} == {ALWAYS}
    assert sorted(stale(JOB, nights.arrow, NIGHTS[:3])) == NIGHTS[:3]
