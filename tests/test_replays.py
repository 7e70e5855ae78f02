"""Training examples against what was known before them: nothing is found in honest ones, and every planted value in dishonest ones."""

from __future__ import annotations

import json
from datetime import UTC, datetime, time
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pyarrow as pa
import pytest
from acts import DAY, HOUR
from small_lake import one, put, said, who

from jobs.contracts.derived import EXAMPLES, REPLAYS, USER_DAYS, USER_FEATURES
from jobs.contracts.events import AD_EVENTS
from jobs.contracts.silver import LISTENS, SILVER_LISTENERS
from jobs.examples import JOB as EXAMPLES_JOB
from jobs.features import USER
from jobs.lake.commit import Note
from jobs.lake.content import served
from jobs.lake.schema import arrow_schema
from jobs.lake.versions import of_date
from jobs.replays import joined_naively
from jobs.run import run
from jobs.user_days import JOB as DAYS_JOB
from jobs.user_features import JOB as FEATURES_JOB
from targeting.__main__ import main
from validation.gates.leaks import Compared, leaks

if TYPE_CHECKING:
    from datetime import date

    from jobs.lake.spark import SparkLake

TODAY = datetime.now(UTC).date()  # commits are of today, so this is the one date that is worked on while it lasts
EVENING = TODAY - DAY
LATE, PUNCTUAL = (1, 2), (3, 4)


def play(listener: int, day: date, known: datetime, name: str) -> dict[str, Any]:
    noon = datetime.combine(day, time(12), UTC)
    row = {"event_id": name, "listener_id": who(listener), "date": day, "event_ts": noon, "known_ts": known, "local_date": day}
    return row | {"track_id": name, "artist_id": name, "skipped": False, "ms_played": 60_000}


def heard(lake: SparkLake, *more: dict[str, Any]) -> None:
    """Let everybody play at noon, known at once, some more known only the day after next; make the dates' features again."""
    dates = [EVENING - DAY, EVENING]
    rows = [play(n, day, datetime.combine(day, time(12), UTC), f"{n} {day}") for n in (*LATE, *PUNCTUAL) for day in dates]
    rows += [play(n, EVENING, datetime.combine(TODAY, time(9), UTC), f"late {n}") for n in LATE]
    put(lake.arrow, LISTENS, [*rows, *more], *dates)
    run(DAYS_JOB, lake, dates)
    run(FEATURES_JOB, lake, dates)


@pytest.fixture
def told(lake: SparkLake) -> SparkLake:
    """A lake with an impression a listener today, and their examples."""
    put(lake.arrow, SILVER_LISTENERS, [said(n, day=day) for n in (*LATE, *PUNCTUAL) for day in (EVENING, TODAY)], EVENING, TODAY)
    heard(lake)
    shown = datetime.combine(TODAY, time(10), UTC)
    mine = {"date": TODAY, "event_ts": shown, "known_ts": shown, "kind": "impression", "category": "cars", "device": "mobile"}
    ads = [one(AD_EVENTS, event_id=f"i{n}", impression_id=f"i{n}", listener_id=who(n), **mine) for n in (*LATE, *PUNCTUAL)]
    lake.arrow.overwrite(AD_EVENTS, pa.Table.from_pylist(ads, arrow_schema(AD_EVENTS)), [TODAY], Note("test"))
    run(EXAMPLES_JOB, lake, [TODAY + 3 * DAY])
    assert lake.arrow.count(EXAMPLES) == 4
    return lake


def answer(lake: SparkLake, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any]]:
    capsys.readouterr()
    try:
        main(["leaks", "--date", str(TODAY), "--lake", str(lake.address.path), "--json", *words])
        code = 0
    except SystemExit as end:
        code = int(end.code or 0)
    return code, json.loads(capsys.readouterr().out)


def test_honest_examples_hold_nothing_that_was_not_known(told: SparkLake, capsys: pytest.CaptureFixture[str]) -> None:
    code, data = answer(told, capsys)
    assert (code, data["leaked"]) == (0, [])
    compared = {(row["clock"], row["feature"]): (row["examples"], row["leaked"]) for row in told.arrow.read(REPLAYS, [TODAY]).to_pylist()}
    assert compared == {(clock, feature.name): (4, 0) for clock in ("known", "version") for feature in USER}


def test_every_value_with_a_late_row_in_it_is_found_and_no_other(told: SparkLake, capsys: pytest.CaptureFixture[str]) -> None:
    honest = {row["impression_id"]: row for row in told.arrow.read(EXAMPLES).to_pylist()}
    leaky = joined_naively(told.read(EXAMPLES), told.read(USER_DAYS)).select(*EXAMPLES.names).toArrow()
    told.arrow.overwrite(EXAMPLES, leaky, [TODAY], Note("test"))
    planted = {
        (row["impression_id"], feature.name)
        for row in leaky.to_pylist()
        for feature in USER
        if row[feature.name] != honest[row["impression_id"]][feature.name]
    }
    assert {name for name, _ in planted} >= {f"i{n}" for n in LATE}
    assert {name for name, feature in planted if feature == "plays_28d"} == {f"i{n}" for n in LATE}
    code, data = answer(told, capsys)
    assert code == 4
    for clock in ("known", "version"):
        assert {(row["impression_id"], row["feature"]) for row in data["leaked"] if row["clock"] == clock} == planted
    (one_value,) = [row for row in data["leaked"] if (row["clock"], row["impression_id"], row["feature"]) == ("known", "i1", "plays_28d")]
    assert (one_value["found"], one_value["known"]) == (3.0, 2.0)


def test_what_a_feed_says_was_known_but_came_later_is_found_by_the_versions(told: SparkLake, capsys: pytest.CaptureFixture[str]) -> None:
    """The files of another service come a day late and say they do not: by their own word nothing leaked."""
    heard(told, play(3, EVENING, datetime.combine(EVENING, time(12), UTC) + HOUR, "came later"))
    run(EXAMPLES_JOB, told, [TODAY + 3 * DAY])
    code, data = answer(told, capsys)
    assert code == 4
    assert {(row["clock"], row["impression_id"]) for row in data["leaked"]} == {("version", "i3")}
    assert {"plays_1d", "plays_28d", "tracks_28d"} <= {row["feature"] for row in data["leaked"]}


def test_the_version_that_served_is_the_first_of_the_day_after(told: SparkLake) -> None:
    first = served(told.arrow, USER_FEATURES)
    heard(told, play(3, EVENING, datetime.combine(EVENING, time(12), UTC), "again"))
    assert served(told.arrow, USER_FEATURES) == first
    assert set(first) == {str(EVENING)}, "the date before served yesterday, and nothing was published then"


def test_a_version_whose_files_upkeep_has_deleted_is_nothing_to_compare_with(told: SparkLake, capsys: pytest.CaptureFixture[str]) -> None:
    first = served(told.arrow, USER_FEATURES)[str(EVENING)]
    heard(told, play(3, EVENING, datetime.combine(EVENING, time(12), UTC), "again"))
    run(EXAMPLES_JOB, told, [TODAY + 3 * DAY])
    (folder,) = told.address.path.glob("**/user_features")
    for row in of_date(told.arrow, USER_FEATURES, EVENING, first):
        (folder / unquote(row["path"])).unlink()
    code, data = answer(told, capsys)
    assert (code, [row["found"] for row in data["clocks"] if row["clock"] == "version"]) == (0, ["nothing to compare"])


def test_a_clock_that_has_nothing_to_compare_passes_and_one_value_is_too_many() -> None:
    verdict = leaks("examples.response", [Compared("known", "plays_1d", 10, 0), Compared("known", "hours_1d", 10, 1)])
    known, version = verdict.checks
    assert (known.success, version.success) == (False, True)
    assert (known.observed, version.observed) == ("1 of 20 values (hours_1d 1)", "nothing to compare")
    assert leaks("examples.response", []).success
