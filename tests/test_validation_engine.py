"""The audit itself: what it answers on real Spark frames, what it does not say, what it does when it cannot run."""

from __future__ import annotations

import logging
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from validation.contract import Column, Expectation, Purpose, Rule, Table
from validation.engine import audit
from validation.verdict import OvertoneError

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from validation.verdict import Check, Verdict

pytestmark = pytest.mark.spark


def declare(**changes: object) -> Table:
    given: dict[str, object] = {
        "name": "test.visits",
        "row": "one visit",
        "key": ("id",),
        "columns": (
            Column("id", "string", "the visit", required=True, identifies=True),
            Column("place", "string", "where"),
            Column("minutes", "double", "how long"),
        ),
        "purpose": Purpose.SERVICE,
        "retention_days": 1,
        "partition": (),
    }
    return Table(**(given | changes))


def frame(spark: SparkSession, rows: list[tuple[object, ...]], ddl: str = "id STRING, place STRING, minutes DOUBLE") -> DataFrame:
    return spark.createDataFrame(rows, ddl)


def check(verdict: Verdict, rule: str) -> Check:
    (found,) = [one for one in verdict.checks if one.rule == rule]
    return found


SOME: list[tuple[object, ...]] = [("a", "home", 1.0), ("b", "home", 2.0), ("c", "work", 3.0), ("d", None, None)]


def test_a_verdict_counts_rows_and_speaks_in_one_sentence(spark: SparkSession) -> None:
    verdict = audit(frame(spark, SOME), declare(rules=(Rule("short", "minutes < 3", "visits are short"),)))
    assert verdict.rows == 4
    # A predicate that is null is broken, not passed.
    assert check(verdict, "short").failed_rows == 2
    assert "short (observed 2 rows, expected visits are short, for example #" in verdict.sentence()


def test_identifying_values_are_never_told(spark: SparkSession) -> None:
    rows = [("secret-1", "home", 1.0), ("secret-1", "home", 2.0), ("secret-2", None, None)]
    verdict = audit(frame(spark, rows), declare(rules=(Rule("placed", "place IS NOT NULL", "somewhere"),)))
    assert len(verdict.failures) == 2
    assert "secret" not in repr(verdict)
    assert all(len(key) == len("#01234567") for one in verdict.failures for key in one.sample_keys)


def test_a_row_is_called_by_its_plain_key_and_found_again_by_its_surrogate(spark: SparkSession) -> None:
    table = declare(key=("place", "id"), rules=(Rule("short", "minutes < 3", "visits are short"),))
    data = frame(spark, SOME[:3])
    (named,) = check(audit(data, table), "short").sample_keys
    place, surrogate = named.split(" #")
    assert place == "place=work"
    assert [row["id"] for row in data.where(f"lower(hex(xxhash64(place, id))) LIKE '{surrogate}%'").collect()] == ["c"]


def test_where_a_table_knows_a_rows_origin_the_row_is_called_by_it(spark: SparkSession) -> None:
    columns = (*declare().columns, Column("file", "string", "file"), Column("position", "bigint", "line"))
    table = declare(columns=columns, rules=(Rule("short", "minutes < 2", "visits are short"),))
    data = frame(spark, [("a", "home", 9.0, "visits.jsonl", 17)], "id STRING, place STRING, minutes DOUBLE, file STRING, position BIGINT")
    assert check(audit(data, table), "short").sample_keys[0].startswith("visits.jsonl:17 #")


def test_no_more_rows_are_named_than_asked_for_and_all_are_counted(spark: SparkSession) -> None:
    table = declare(key=("place",), rules=(Rule("never", "false", "nothing is right"),))
    data = spark.range(500).selectExpr(
        "CAST(id AS STRING) AS id", "concat('p', lpad(CAST(id AS STRING), 3, '0')) AS place", "1D AS minutes"
    )
    found = check(audit(data, table, sample=3), "never")
    assert found.failed_rows == 500
    assert found.sample_keys == ("place=p000", "place=p001", "place=p002")
    assert check(audit(data, table, sample=0), "never").sample_keys == ()


def test_keys_that_share_a_hash_are_not_the_same_key(spark: SparkSession) -> None:
    # xxhash64 skips nulls, so these two hash alike; the exact second look tells them apart.
    columns = (Column("id", "string", "one half", required=True), Column("place", "string", "other half", required=True))
    table = declare(key=("id", "place"), columns=columns)
    data = frame(spark, [("a", None), (None, "a")], "id STRING, place STRING")
    hashes = {row["h"] for row in data.selectExpr("xxhash64(id, place) AS h").collect()}
    verdict = audit(data, table)
    assert len(hashes) == 1
    assert check(verdict, "key_unique").success
    assert [one.rule for one in verdict.failures] == ["missing_id", "missing_place"]


def test_a_key_with_an_allowed_null_equals_no_other(spark: SparkSession) -> None:
    table = declare(key=("id", "place"))
    assert audit(frame(spark, [("a", None, 1.0), ("a", None, 1.0), ("a", "home", 1.0)]), table).success
    assert [one.rule for one in audit(frame(spark, [("a", "home", 1.0), ("a", "home", 2.0)]), table).failures] == ["key_unique"]


@pytest.mark.parametrize(
    ("inside", "outside", "observed"),
    [
        (Expectation("mean", "minutes", low=2, high=2), Expectation("mean", "minutes", low=2.1), "2"),
        (Expectation("mean", "minutes", high=2), Expectation("mean", "minutes", high=1.9), "2"),
        (Expectation("distinct", "place", low=2, high=2), Expectation("distinct", "place", low=3), "2"),
        (Expectation("distinct", "place", high=2), Expectation("distinct", "place", high=1), "2"),
        (Expectation("null_share", "minutes", low=0.25, high=0.25), Expectation("null_share", "minutes", high=0.2), "0.25"),
        (Expectation("null_share", "minutes", low=0.2), Expectation("null_share", "minutes", low=0.3), "0.25"),
        (Expectation("rows", low=4, high=4), Expectation("rows", low=5), "4"),
        (Expectation("rows", high=4), Expectation("rows", high=3), "4"),
    ],
    ids=lambda value: f"{value.name}-{value.low}-{value.high}" if isinstance(value, Expectation) else "",
)
def test_statistics_at_and_beyond_their_bounds(spark: SparkSession, inside: Expectation, outside: Expectation, observed: str) -> None:
    data = frame(spark, SOME)
    assert audit(data, declare(expectations=(inside,))).success
    (failure,) = audit(data, declare(expectations=(outside,))).failures
    assert (failure.rule, failure.observed) == (outside.name, observed)


def test_a_value_outside_of_its_list_is_named_and_null_is_no_value(spark: SparkSession) -> None:
    table = declare(key=("place",), expectations=(Expectation("values", "place", allowed=("home", "o'clock")),))
    data = frame(spark, [("a", "home", 1.0), ("b", "o'clock", 1.0), ("c", None, 1.0), ("d", "moon", 1.0)])
    (failure,) = audit(data, table).failures
    assert (failure.rule, failure.failed_rows, failure.sample_keys) == ("values of place", 1, ("place=moon",))


def test_a_mean_of_nothing_is_not_within_bounds(spark: SparkSession) -> None:
    data = frame(spark, [("a", "home", None)])
    (failure,) = audit(data, declare(expectations=(Expectation("mean", "minutes", high=5),))).failures
    assert failure.observed == "no value"


def test_nan_is_out_of_every_range(spark: SparkSession) -> None:
    table = declare(rules=(Rule("share", "minutes BETWEEN 0 AND 1", "a share"),), expectations=(Expectation("mean", "minutes", high=1),))
    assert [one.rule for one in audit(frame(spark, [("a", "home", float("nan"))]), table).failures] == ["share", "mean of minutes"]


def test_predicates_may_hold_braces_quotes_and_backslashes(spark: SparkSession) -> None:
    rules = (Rule("it's", r"place RLIKE '^[a-z]{1,4}$' OR place = 'a\\b{c}'", "short or odd"),)
    data = frame(spark, [("a", "home", 1.0), ("b", r"a\b{c}", 1.0), ("c", "mansion", 1.0)])
    (failure,) = audit(data, declare(key=("place",), rules=rules)).failures
    assert (failure.rule, failure.sample_keys) == ("it's", ("place=mansion",))


def test_a_rule_that_cannot_be_run_is_an_error_not_a_verdict(spark: SparkSession) -> None:
    with pytest.raises(OvertoneError, match=r"test\.visits: the check row_rules could not be run: .*`minuets`.*minutes"):
        audit(frame(spark, SOME), declare(rules=(Rule("short", "minuets < 3", "visits are short"),)))
    with pytest.raises(OvertoneError, match="the check mean of hours could not be run"):
        audit(frame(spark, SOME), declare(expectations=(Expectation("mean", "hours", low=0),)))


def test_an_error_about_data_does_not_quote_it(spark: SparkSession) -> None:
    with pytest.raises(OvertoneError, match=r"\[CAST_INVALID_INPUT\]") as caught:
        audit(frame(spark, [("secret-7", "home", 1.0)]), declare(rules=(Rule("number", "CAST(id AS INT) > 0", "a number"),)))
    assert "secret" not in str(caught.value)


def test_an_audit_leaves_nothing_behind_and_says_nothing(
    spark: SparkSession, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    data = frame(spark, SOME)
    with caplog.at_level(logging.INFO):  # as where another library has set the process's log to tell everything
        audit(data, declare(rules=(Rule("short", "minutes < 3", "visits are short"),)))
    assert not [record.name for record in caplog.records if record.name.startswith("great_expectations")]
    assert not [view.name for view in spark.catalog.listTables()]
    assert not data.is_cached
    assert data.storageLevel.useMemory is False
    output = capfd.readouterr()
    assert output.out == ""
    assert "Calculating" not in output.err


def test_importing_the_engine_prints_nothing_and_survives() -> None:
    # Without four libraries of Spark Connect this import ends the interpreter with exit code 0, so the last word matters.
    done = subprocess.run([sys.executable, "-c", "import validation.engine; print('alive')"], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("alive\n", "")
