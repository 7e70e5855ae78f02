"""Every table's suite: a batch in order passes it, and each rule broken alone is named together with the row."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING

import pytest
from batches import bad_rows, batch, broken_by, good_rows
from pyspark.sql import functions as F

from jobs.catalogue import TABLES
from validation.engine import audit
from validation.suites.checks import promised
from validation.suites.queries import label
from validation.suites.suite import KEY_UNIQUE, MISSING, REJECTED_SHARE, ROWS, row_rules

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from validation.contract import Expectation, Table

pytestmark = pytest.mark.spark
ALL = 10_000  # more violating rows than any batch here has
every_table = pytest.mark.parametrize("table", TABLES.values(), ids=attrgetter("name"))
STATISTICS = [(t, e) for t in TABLES.values() for e in t.expectations if e.statistic not in ("values", "rows")]


def labels(frame: DataFrame, table: Table) -> list[str]:
    return [found["row"] for found in frame.select(F.expr(label(table)).alias("row")).collect()]


@every_table
def test_a_batch_in_order_passes_every_promise(spark: SparkSession, table: Table) -> None:
    verdict = audit(batch(spark, table, good_rows(table, 20)), table, rejected=1)
    assert verdict.success, verdict.sentence()
    assert verdict.rows == 20
    assert [check.rule for check in verdict.checks] == [check.rule for check in promised(table)]
    assert len({check.rule for check in verdict.checks}) == len(verdict.checks)


@every_table
def test_each_rule_broken_alone_is_named_with_its_row(spark: SparkSession, table: Table) -> None:
    bad = bad_rows(spark, table)
    names = [rule.name for rule in row_rules(table)]
    assert set(bad) == set(names), "no row was found that breaks these alone: say in batches.GIVEN what a good row looks like"
    for name, found in bad.items():
        others = [rule for rule in row_rules(table) if rule.name in found.rules - {name}]
        assert all(name.startswith(MISSING) and name.removeprefix(MISSING) in rule.predicate for rule in others)
    good = good_rows(table, 20)
    frame = batch(spark, table, [*good, good[7], *(bad[name].row for name in names)])
    twice, *rest = labels(frame, table)[20:]
    called = dict(zip(names, rest, strict=True))
    assert len({twice, *rest}) == len(names) + 1
    verdict = audit(frame, table, sample=ALL)
    checks = {check.rule: check for check in verdict.checks}
    for name in names:
        expected = sorted(called[other] for other in names if name in bad[other].rules)
        assert checks[name].sample_keys == tuple(expected), name
        assert checks[name].failed_rows == len(expected), name
    assert checks[KEY_UNIQUE].sample_keys == (twice,)
    assert checks[KEY_UNIQUE].failed_rows == 2
    assert {check.rule for check in verdict.failures} <= {*names, KEY_UNIQUE, *(e.name for e in table.expectations)}


@every_table
def test_a_batch_of_the_wrong_shape_is_asked_no_more(spark: SparkSession, table: Table) -> None:
    frame = batch(spark, table, good_rows(table, 3))
    last = table.names[-1]
    failed = {
        "columns": audit(frame.withColumnRenamed(last, f"{last}_renamed"), table).failures,
        "types": audit(frame.withColumn(last, F.array(F.lit(1))), table).failures,
    }
    for rule, failures in failed.items():
        assert [check.rule for check in failures] == [rule]
        assert last in failures[0].observed


@every_table
def test_no_rows_and_too_many_refused_rows(spark: SparkSession, table: Table) -> None:
    empty = batch(spark, table, [])
    needs_rows = not table.may_be_empty or any(e.statistic == ROWS and e.low for e in table.expectations)
    broken = [ROWS] if needs_rows else []
    assert [check.rule for check in audit(empty, table).failures] == broken
    assert [check.rule for check in audit(empty, table, rejected=1).failures] == [*broken, REJECTED_SHARE]


@pytest.mark.parametrize(("table", "expectation"), STATISTICS, ids=lambda value: value.name)
def test_each_statistic_out_of_bounds_is_named(spark: SparkSession, table: Table, expectation: Expectation) -> None:
    rows = [row | {expectation.column: out_of_bounds(expectation)} for row in good_rows(table, 20)]
    others = set().union(*broken_by(spark, table, rows))
    assert all(expectation.column in rule.predicate for rule in row_rules(table) if rule.name in others)
    verdict = audit(batch(spark, table, rows), table)
    assert {check.rule for check in verdict.failures} == {expectation.name, *others}


def out_of_bounds(expectation: Expectation) -> float | None:
    """A value which, if every row holds it, puts the statistic out of its bounds; `distinct` would need several."""
    if expectation.statistic == "mean":
        return 10 * expectation.high + 1 if expectation.high is not None else expectation.low - 1
    assert (expectation.statistic, expectation.high is not None) == ("null_share", True), "say here what violates it"
    return None
