"""Declarations refuse to contradict themselves, and say what they derive."""

from __future__ import annotations

import pytest

from validation.contract import Column, ContractError, Expectation, Purpose, Table, did_you_mean
from validation.verdict import Check, Conflict, HeldBack, OvertoneError, Refused, Verdict, WrongUse

COLUMNS = (
    Column("date", "date", "day", required=True),
    Column("listener_id", "string", "who", required=True, identifies=True),
    Column("plays", "bigint", "how many"),
)


def declare(**changes: object) -> Table:
    given: dict[str, object] = {
        "name": "silver.days",
        "row": "one day",
        "key": ("date", "listener_id"),
        "columns": COLUMNS,
        "purpose": Purpose.SERVICE,
        "retention_days": 10,
    }
    return Table(**(given | changes))


def test_a_table_derives_its_schema_and_lists() -> None:
    table = declare()
    assert table.ddl == "date DATE NOT NULL, listener_id STRING NOT NULL, plays BIGINT"
    assert table.names == ("date", "listener_id", "plays")
    assert table.required == ("date", "listener_id")
    assert table.plain_columns == ("date", "plays")
    assert table.dated
    assert not declare(partition=()).dated


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": "days"}, "layer.noun"),
        ({"name": "Silver.Days"}, "layer.noun"),
        ({"columns": (*COLUMNS, COLUMNS[0])}, "declared twice"),
        ({"key": ("listner_id",)}, "did you mean 'listener_id'"),
        ({"partition": ("day",)}, "'day' is not declared"),
        ({"fresh_hours": 0}, "fresh_hours is 0; it is 1 or more, of a table with dates"),
        ({"fresh_hours": 6, "partition": ()}, "fresh_hours is 6; it is 1 or more, of a table with dates"),
    ],
)
def test_a_table_that_contradicts_itself_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ContractError, match=message):
        declare(**changes)


@pytest.mark.parametrize(
    ("name", "dtype", "message"), [("Date", "date", "lower_snake_case"), ("day", "datetime", "unknown type 'datetime'")]
)
def test_a_column_is_well_named_and_typed(name: str, dtype: str, message: str) -> None:
    with pytest.raises(ContractError, match=message):
        Column(name, dtype, "a day")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"statistic": "median", "column": "plays"}, "unknown statistic 'median'"),
        ({"statistic": "values", "column": "plays"}, "'values' and to it alone"),
        ({"statistic": "mean", "column": "plays", "allowed": ("a",)}, "'values' and to it alone"),
    ],
)
def test_an_expectation_must_make_sense(given: dict[str, object], message: str) -> None:
    with pytest.raises(ContractError, match=message):
        Expectation(**given)


def test_an_expectation_is_named_by_what_it_asks() -> None:
    assert Expectation("mean", "plays", low=1).name == "mean of plays"
    assert Expectation("rows", low=1).name == "rows"


def test_a_wrong_word_gets_the_nearest_or_the_choices() -> None:
    assert did_you_mean("playz", ["plays", "skips"]) == "; did you mean 'plays'?"
    assert did_you_mean("xyz", ["b", "a"]) == "; choose from a, b"


def test_errors_carry_the_exit_codes() -> None:
    assert {kind.__name__: kind.exit_code for kind in (OvertoneError, WrongUse, HeldBack, Refused, Conflict)} == {
        "OvertoneError": 1,
        "WrongUse": 2,
        "HeldBack": 3,
        "Refused": 4,
        "Conflict": 1,
    }


def test_a_verdict_says_what_failed_and_names_at_most_three_rows() -> None:
    good = Check("key_unique", success=True)
    bad = Check("some", success=False, observed="4 rows", expected="at least one play", failed_rows=4, sample_keys=("a", "b", "c", "d"))
    verdict = Verdict("silver.days", (good, bad), 1_000)
    assert not verdict.success
    assert verdict.failures == (bad,)
    expected = "silver.days: held back, 1 of 2 checks failed: some (observed 4 rows, expected at least one play, for example a, b, c)"
    assert verdict.sentence() == expected
    assert Verdict("silver.days", (good,), 1_000).sentence() == "silver.days: 1 checks passed on 1,000 rows"
