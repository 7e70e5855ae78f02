"""Suites as data: what a declaration turns into, without Spark or Great Expectations."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest

from validation.contract import Column, Expectation, Purpose, Rule, Table
from validation.suites.checks import bounds, columns_check, key_check, promised, rejected_check, rule_check, types_check
from validation.suites.queries import broken, broken_rules, label, shared_hashes, surrogate, text
from validation.suites.suite import Columns, RowRules, Rows, Statistic, Types, UniqueKey, content, row_rules, shape, suite_version

COLUMNS = (
    Column("date", "date", "day", required=True),
    Column("who", "string", "listener", required=True, identifies=True),
    Column("kind", "string", "sort"),
    Column("plays", "bigint", "plays"),
)
TABLE = Table(
    "test.days",
    "one day of one listener",
    ("date", "who"),
    COLUMNS,
    Purpose.SERVICE,
    10,
    rules=(Rule("some", "plays > 0", "at least one play"),),
    expectations=(
        Expectation("values", "kind", allowed=("a", "it's")),
        Expectation("mean", "plays", low=1),
        Expectation("rows", low=5, high=9),
    ),
)


def test_another_declaration_is_another_version_of_the_suite_and_another_wording_is_not() -> None:
    more = (*COLUMNS, Column("likes", "bigint", "likes"))
    others = [replace(TABLE, columns=more), replace(TABLE, key=("who",)), replace(TABLE, rules=()), replace(TABLE, rejected_share=0.01)]
    assert len({suite_version(table) for table in (TABLE, *others)}) == 5
    assert suite_version(replace(TABLE, row="said otherwise", retention_days=11)) == suite_version(TABLE)


def test_shape_is_columns_types_and_rows() -> None:
    columns, types, rows = shape(TABLE)
    assert columns == Columns(("date", "who", "kind", "plays"))
    assert types == Types((("date", "date"), ("who", "string"), ("kind", "string"), ("plays", "bigint")))
    assert rows == Rows(5, 9)


@pytest.mark.parametrize(
    ("may_be_empty", "declared", "expected"),
    [
        (False, (), Rows(1)),
        (True, (), Rows(0)),
        (True, (Expectation("rows", low=3),), Rows(3)),
        (False, (Expectation("rows", high=7),), Rows(1, 7)),
    ],
)
def test_rows_are_asked_for_unless_a_table_may_be_empty(may_be_empty: bool, declared: tuple[Expectation, ...], expected: Rows) -> None:
    table = Table("test.t", "one", ("date",), COLUMNS, Purpose.SERVICE, 1, expectations=declared, may_be_empty=may_be_empty, partition=())
    assert shape(table)[-1] == expected


def test_content_is_rules_in_one_item_key_and_statistics() -> None:
    rules, key, statistic = content(TABLE)
    assert isinstance(rules, RowRules)
    assert [rule.name for rule in rules.rules] == ["missing_date", "missing_who", "some", "values of kind"]
    assert key == UniqueKey(("date", "who"))
    assert statistic == Statistic(Expectation("mean", "plays", low=1))
    assert rules.rules == row_rules(TABLE)
    assert rules.rules[-1].predicate == r"kind IS NULL OR kind IN ('a', 'it\'s')"


def test_a_table_without_promises_about_content_is_asked_none() -> None:
    table = Table("test.t", "one", (), (Column("a", "string", "a"),), Purpose.SERVICE, 1, partition=())
    assert content(table) == ()
    assert [check.rule for check in promised(table)] == ["columns", "types", "rows", "rejected_share"]


def test_key_columns_that_may_be_null_are_known_to_the_suite() -> None:
    table = Table("test.t", "one", ("who", "kind"), COLUMNS, Purpose.SERVICE, 1, partition=())
    (key,) = [item for item in content(table) if isinstance(item, UniqueKey)]
    assert key.nullable == ("kind",)
    assert "WHERE kind IS NOT NULL)" in shared_hashes(key)


def test_rules_become_one_query_that_names_them() -> None:
    query = broken_rules((Rule("a", "x > 0", ""), Rule("b{}", "y RLIKE 'z{2}'", "")))
    assert query.count("{batch}") == 1
    assert query.format(batch="t") == (
        "SELECT rule, n FROM (SELECT stack(2, 'a', c0, 'b{}', c1) AS (rule, n) FROM (SELECT count_if(NOT coalesce((x > 0), false)) AS c0, "
        "count_if(NOT coalesce((y RLIKE 'z{2}'), false)) AS c1 FROM t)) WHERE n > 0"
    )
    assert broken(Rule("a", "x OR y", "")) == "NOT coalesce((x OR y), false)"


def test_labels_hold_plain_columns_only() -> None:
    assert label(TABLE) == f"concat_ws(' ', concat('date=', coalesce(CAST(date AS STRING), 'null')), concat('#', {surrogate(TABLE)}))"
    plain = Table("test.t", "one", ("date", "kind"), COLUMNS, Purpose.SERVICE, 1)
    assert "xxhash64" not in label(plain)


@pytest.mark.parametrize(("value", "literal"), [("a", "'a'"), ("it's", r"'it\'s'"), ("a\\b", r"'a\\b'")])
def test_values_become_literals(value: str, literal: str) -> None:
    assert text(value) == literal


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (1, 2, "1 to 2"),
        (3, 3, "3"),
        (1, None, "at least 1"),
        (None, 0.5, "at most 0.5"),
        (None, None, "anything"),
        (0, 4_000, "0 to 4,000"),
    ],
)
def test_bounds_in_words(low: float | None, high: float | None, words: str) -> None:
    assert bounds(low, high) == words


def test_checks_say_what_is_wrong() -> None:
    found = columns_check(Columns(("a", "b")), ("a", "c"))
    assert (found.success, found.observed) == (False, "missing b; unexpected c")
    assert columns_check(Columns(("a", "b")), ("b", "a")).success
    assert types_check(Types((("a", "int"),)), {"a": "string"}).observed == "a is string, not int"
    assert rule_check(Rule("r", "x", "why"), 1, ("k",)).observed == "1 row"
    assert key_check(UniqueKey(("a",)), 2, 5).observed == "2 keys in 5 rows"
    assert key_check(UniqueKey(("a",))).success


@pytest.mark.parametrize(("rows", "rejected", "success"), [(95, 5, True), (94, 6, False), (0, 0, True), (0, 1, False), (10, 0, True)])
def test_the_refused_share_counts_refused_rows_in_the_whole(rows: int, rejected: int, success: bool) -> None:
    assert TABLE.rejected_share == 0.05
    assert rejected_check(TABLE, rows, rejected).success is success


def test_promises_are_all_kept_by_a_batch_in_order() -> None:
    names = [check.rule for check in promised(TABLE)]
    assert names[:3] == ["columns", "types", "rows"]
    assert names[3:] == ["missing_date", "missing_who", "some", "values of kind", "key_unique", "mean of plays", "rejected_share"]
    assert all(check.success and check.expected for check in promised(TABLE))


def test_suites_gates_and_pages_need_no_heavy_library() -> None:
    heavy = "great_expectations, pyspark, pandas, pyarrow, deltalake"
    program = (
        "import sys, validation.suites.checks, validation.gates.promotion, validation.gates.release, validation.pages; "
        f"print(sorted(set('{heavy}'.split(', ')) & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
