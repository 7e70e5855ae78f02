"""The runner: what is stale runs, what breaks its contract stays out, readers see the old or the new and nothing between."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from pyspark.sql import functions as F

from jobs.console import days, guarded
from jobs.contracts.operations import QUARANTINE, VERDICTS
from jobs.contracts.silver import SILVER_LISTENERS
from jobs.fingerprint import _reach, code_of, fingerprint
from jobs.lake.arrow import ArrowLake
from jobs.lake.commit import Note
from jobs.lake.faults import FAULTS
from jobs.lake.schema import arrow_schema
from jobs.run import NOTHING, PUBLISHED, Job, Read, fingerprints, frames, run, stale
from validation.contract import Column, Purpose, Rule, Table
from validation.verdict import HeldBack, OvertoneError, WrongUse

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from jobs.lake.spark import SparkLake

COLUMNS = (
    Column("date", "date", "day", required=True),
    Column("listener_id", "string", "who", required=True, identifies=True),
    Column("n", "bigint", "count"),
)
EVENTS = Table("try.events", "one event", ("date", "listener_id"), COLUMNS, Purpose.SERVICE, retention_days=1)
SUMS = Table(
    "try.sums",
    "one sum",
    ("date", "listener_id"),
    COLUMNS,
    Purpose.SERVICE,
    retention_days=1,
    rules=(Rule("not_negative", "n >= 0", "counts"),),
    rejected_share=0.3,
)
TARGETED = Table("try.targeted", "one target", ("date", "listener_id"), COLUMNS, Purpose.ADS, retention_days=1)
D = [date(2026, 11, 1) + timedelta(days=n) for n in range(5)]


def two_day_sums(events: DataFrame, *, dates: tuple[date, ...]) -> DataFrame:
    """Sum today's and yesterday's counts of each listener."""
    shifted = events.withColumn("date", F.explode(F.array("date", F.date_add("date", 1))))
    return shifted.where(F.col("date").isin(*dates)).groupBy("date", "listener_id").agg(F.sum("n").alias("n"))


JOB = Job((Read(EVENTS, back=1),), SUMS, two_day_sums)


def feed(lake: SparkLake, day: date, **counts: int | None) -> None:
    rows = [{"date": day, "listener_id": who, "n": n} for who, n in counts.items()]
    lake.arrow.overwrite(EVENTS, pa.Table.from_pylist(rows, arrow_schema(EVENTS)), [day], Note("feed"))


def agree(lake: SparkLake, day: date, **allowed: bool) -> None:
    """Let listeners say whether they agree to advertising, as in force at the end of a day."""
    plain = {"date": day, "basis": "feed", "age_band": "25_34", "known_ts": datetime(2026, 10, 1, tzinfo=UTC)}
    said = [plain | {"listener_id": who, "consent": "granted" if yes else "withdrawn", "ads_allowed": yes} for who, yes in allowed.items()]
    lake.arrow.overwrite(SILVER_LISTENERS, pa.Table.from_pylist(said, arrow_schema(SILVER_LISTENERS)), [day], Note("said"))


def content(lake: SparkLake, table: Table = SUMS) -> list[tuple[Any, ...]]:
    return sorted((row["date"].day, row["listener_id"], row["n"]) for row in lake.arrow.read(table).to_pylist())


def test_a_range_is_published_in_one_commit_and_not_again(lake: SparkLake) -> None:
    feed(lake, D[0], a=1, b=2)
    feed(lake, D[1], a=10)
    first = run(JOB, lake, D[:2])
    assert (first.state, first.rows, first.rejected, first.dates) == (PUBLISHED, 4, 0, tuple(D[:2]))
    assert content(lake) == [(1, "a", 1), (1, "b", 2), (2, "a", 11), (2, "b", 2)]
    versions = {table.name: lake.arrow.version(table) for table in (SUMS, VERDICTS, QUARANTINE)}
    again = run(JOB, lake, D[:2])
    assert (again.state, again.dates) == (NOTHING, ())
    assert versions == {table.name: lake.arrow.version(table) for table in (SUMS, VERDICTS, QUARANTINE)}


def test_a_changed_date_reruns_exactly_the_dates_that_read_it(lake: SparkLake) -> None:
    for day in D[:4]:
        feed(lake, day, a=1)
    run(JOB, lake, D[:4])
    feed(lake, D[1], a=5)
    assert sorted(stale(JOB, lake.arrow, D[:4])) == [D[1], D[2]]
    outcome = run(JOB, lake, D[:4])
    assert outcome.dates == (D[1], D[2])
    assert content(lake) == [(1, "a", 1), (2, "a", 6), (3, "a", 6), (4, "a", 2)]


def test_a_table_may_follow_from_its_own_last_date_before(lake: SparkLake) -> None:
    """A date depends on the last one that there is before it, whichever that is: not on older ones, not on itself, and on nothing alone."""
    job = Job((Read(EVENTS), Read(SUMS, latest=True)), SUMS, two_day_sums)

    def put(day: date, n: int) -> None:
        rows = pa.Table.from_pylist([{"date": day, "listener_id": "a", "n": n}], arrow_schema(SUMS))
        lake.arrow.overwrite(SUMS, rows, [day], Note("test"))

    for day in (D[0], D[3]):
        feed(lake, day, a=1)
    alone = fingerprints(job, lake.arrow, D)
    assert list(alone) == [D[0], D[3]]
    put(D[0], 1)
    after = fingerprints(job, lake.arrow, D)
    assert list(after) == [D[0], D[3]], "a date before makes no rows by itself"
    assert [after[day] == alone[day] for day in after] == [True, False]
    put(D[2], 2)
    put(D[3], 3)
    later = fingerprints(job, lake.arrow, D)
    put(D[0], 9)
    assert later == fingerprints(job, lake.arrow, D)
    (_, mine), (_, first) = (frames(job, lake, (day,)) for day in (D[3], D[0]))
    assert [(row["date"], row["n"]) for row in mine.collect()] == [(D[2], 2)]
    assert first.isEmpty()


def test_arguments_and_code_are_part_of_what_a_date_depends_on(lake: SparkLake) -> None:
    feed(lake, D[0], a=1)
    run(JOB, lake, D[:1])
    assert not stale(JOB, lake.arrow, D[:1])
    assert stale(Job(JOB.reads, JOB.writes, JOB.build, args={"model": "2"}), lake.arrow, D[:1])
    assert {"jobs.run", "jobs.lake.spark", "validation.contract"} <= set(_reach("jobs.run"))
    assert code_of("jobs.run") != code_of("jobs.lake.spark")
    assert fingerprint(["ab", "c"]) != fingerprint(["a", "bc"])


def test_dates_without_any_input_are_left_out(lake: SparkLake) -> None:
    feed(lake, D[1], a=1)
    outcome = run(JOB, lake, D)
    assert outcome.dates == (D[1], D[2])


def test_offsets_say_which_dates_are_rewritten(lake: SparkLake) -> None:
    feed(lake, D[1], a=1)
    outcome = run(Job(JOB.reads, SUMS, two_day_sums, rewrites=(-1, 0)), lake, [D[2]])
    assert outcome.dates == (D[1], D[2])


def test_refused_rows_go_to_quarantine_with_their_reason(lake: SparkLake) -> None:
    feed(lake, D[0], a=1, b=-7, c=3, d=4)
    outcome = run(JOB, lake, D[:1])
    assert (outcome.rows, outcome.rejected) == (3, 1)
    refused = lake.arrow.read(QUARANTINE).to_pylist()
    assert [(row["target"], row["reason"]) for row in refused] == [("try.sums", "not_negative")]
    assert '"n":-7' in refused[0]["payload"]
    assert "listener_id" not in refused[0]["payload"]


def test_what_was_refused_is_in_quarantine_no_more_once_the_same_dates_were_made_anew(lake: SparkLake) -> None:
    feed(lake, D[0], a=1, b=2, c=3, **{f"x{n}": n + 1 for n in range(30)}, bad=-7)
    feed(lake, D[1], **{f"x{n}": n + 1 for n in range(30)}, bad=-8)
    run(JOB, lake, D[:1])
    run(JOB, lake, D[1:2])
    assert lake.arrow.count(QUARANTINE) == 2
    feed(lake, D[0], a=1, b=2)
    run(JOB, lake, D[:1])
    assert [json.loads(row["payload"])["n"] for row in lake.arrow.read(QUARANTINE).to_pylist()] == [-15], (
        "of the other date, which sums two"
    )


def test_a_run_that_ends_right_after_its_commit_leaves_nothing_of_earlier_runs_in_quarantine(
    lake: SparkLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = {f"x{n}": n + 1 for n in range(30)}
    feed(lake, D[0], **good, bad=-7)
    run(JOB, lake, D[:1])
    feed(lake, D[0], **good)
    adopt = ArrowLake.adopt

    def last(*args: Any) -> int:
        adopt(*args)
        raise KeyboardInterrupt

    monkeypatch.setattr(ArrowLake, "adopt", last)
    with pytest.raises(KeyboardInterrupt):
        run(JOB, lake, D[:1])
    monkeypatch.undo()
    assert run(JOB, lake, D[:1]).state == NOTHING
    assert lake.arrow.count(QUARANTINE) == 0


def test_too_many_refused_rows_hold_the_batch_back_and_nothing_changes(lake: SparkLake) -> None:
    feed(lake, D[0], a=1)
    run(JOB, lake, D[:1])
    before = (content(lake), lake.arrow.version(SUMS))
    feed(lake, D[0], a=1, b=-1, c=-1)
    with pytest.raises(HeldBack, match=r"try\.sums.*rejected_share"):
        run(JOB, lake, D[:1])
    assert (content(lake), lake.arrow.version(SUMS)) == before
    assert {(row["target"], row["reason"]) for row in lake.arrow.read(QUARANTINE).to_pylist()} == {("try.sums", "not_negative")}
    failed = [row["rule"] for row in lake.arrow.read(VERDICTS).to_pylist() if not row["success"]]
    assert failed == ["rejected_share"]
    left = {path.removeprefix("./") for path in lake.arrow.staged_files(SUMS, ".")}
    assert left == {path for paths in lake.arrow.files(SUMS).values() for path in paths}


def test_a_job_that_writes_outside_of_its_dates_is_stopped(lake: SparkLake) -> None:
    feed(lake, D[0], a=1)

    def wrong(events: DataFrame, *, dates: tuple[date, ...]) -> DataFrame:
        return events.withColumn("date", F.date_add("date", len(dates)))

    with pytest.raises(OvertoneError, match=r"2026-11-02 were made, outside of the dates asked for \(2026-11-01\)"):
        run(Job((Read(EVENTS),), SUMS, wrong), lake, D[:1])
    assert content(lake) == []


def test_tables_for_advertising_hold_only_those_who_agreed(lake: SparkLake) -> None:
    feed(lake, D[0], yes=1, no=2, silent=3)
    feed(lake, D[1], yes=1, no=2)

    agree(lake, D[0], yes=True, no=False)
    agree(lake, D[1], yes=False, no=False)
    job = Job((Read(EVENTS),), TARGETED, lambda events, dates: events.where(F.col("date").isin(*dates)))
    run(job, lake, D[:2])
    assert content(lake, TARGETED) == [(1, "yes", 1)]


def test_a_column_for_advertising_is_null_for_who_did_not_agree(lake: SparkLake) -> None:
    guarded_table = replace(SUMS, name="try.guarded", columns=(*COLUMNS[:2], replace(COLUMNS[2], purpose=Purpose.ADS)), rules=())
    job = replace(JOB, writes=guarded_table)
    for day in D[:2]:
        feed(lake, day, a=1, b=2, c=3)
    agree(lake, D[0], a=True, b=False)
    agree(lake, D[1], a=True, b=True)
    run(job, lake, D[:2])
    assert content(lake, guarded_table) == [(1, "a", 1), (1, "b", None), (1, "c", None), (2, "a", 2), (2, "b", 4), (2, "c", None)]
    agree(lake, D[1], a=False, b=True)
    assert set(stale(job, lake.arrow, D[:2])) == {D[1]}
    run(job, lake, D[:2])
    assert (2, "a", None) in content(lake, guarded_table)


def test_a_reader_who_polls_sees_the_old_or_the_new(lake: SparkLake) -> None:
    feed(lake, D[0], a=1, b=2)
    run(JOB, lake, D[:1])
    old = content(lake)
    seen: list[list[tuple[Any, ...]]] = []
    stop = threading.Event()

    def poll() -> None:
        while not stop.is_set():
            seen.append(content(lake))

    reader = threading.Thread(target=poll)
    reader.start()
    try:
        feed(lake, D[0], a=5, c=6)
        run(JOB, lake, D[:1])
    finally:
        stop.set()
        reader.join()
    new = content(lake)
    assert new == [(1, "a", 5), (1, "c", 6)]
    assert all(view in (old, new) for view in seen)
    assert old in seen


def test_dates_of_a_range() -> None:
    assert days(D[0], D[2]) == tuple(D[:3])
    with pytest.raises(WrongUse, match="lies after"):
        days(D[1], D[0])


@pytest.mark.parametrize(("error", "code"), [(WrongUse("x"), 2), (HeldBack("x"), 3), (OvertoneError("x"), 1), (None, 0)])
def test_exit_codes(error: Exception | None, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    def action() -> None:
        if error:
            raise error

    assert guarded(action) == code
    assert capsys.readouterr().err == ("overtone: x\n" if error else "")


def test_a_column_declared_later_is_added_to_a_table_that_exists(lake: SparkLake) -> None:
    for n, day in enumerate(D[:2]):
        feed(lake, day, a=n + 1)
    run(JOB, lake, D[:2])
    wider = replace(SUMS, columns=(*COLUMNS, Column("twice", "bigint", "double the count")))

    def doubled(events: DataFrame, *, dates: tuple[date, ...]) -> DataFrame:
        return two_day_sums(events, dates=dates).withColumn("twice", F.col("n") * 2)

    job = Job(JOB.reads, wider, doubled)
    run(job, lake, D[1:2])
    for rows in (lake.arrow.read(wider).to_pylist(), lake.read(wider).collect()):
        assert sorted((row["date"], row["n"], row["twice"]) for row in rows) == [(D[0], 1, None), (D[1], 3, 6)]
    assert run(job, lake, D[1:2]).state == NOTHING


@pytest.mark.parametrize("words", FAULTS)
def test_a_store_that_cannot_is_told_in_words_and_a_bug_is_not_hidden(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        raise RuntimeError("the query failed") from OSError(28, words, "/lake/x.parquet")

    assert guarded(fail) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"overtone: {words}: ")
    assert said.endswith("run again; nothing of the batch was published\n")
    with pytest.raises(KeyError, match="bug"):
        guarded(lambda: (_ for _ in ()).throw(KeyError("bug")))
