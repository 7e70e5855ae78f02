"""Audits a batch: runs a table's suite with Great Expectations on the real Spark frame and says what it found.

The only module that knows Great Expectations.
"""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any, ClassVar

import great_expectations as gx
from great_expectations.data_context.types.base import ProgressBarsConfig
from great_expectations.expectations.core.expect_column_mean_to_be_between import ExpectColumnMeanToBeBetween
from great_expectations.expectations.core.expect_column_proportion_of_non_null_values_to_be_between import (
    ExpectColumnProportionOfNonNullValuesToBeBetween,
)
from great_expectations.expectations.core.expect_column_unique_value_count_to_be_between import ExpectColumnUniqueValueCountToBeBetween
from great_expectations.expectations.core.expect_table_columns_to_match_set import ExpectTableColumnsToMatchSet
from great_expectations.expectations.core.expect_table_row_count_to_be_between import ExpectTableRowCountToBeBetween
from great_expectations.expectations.core.unexpected_rows_expectation import UnexpectedRowsExpectation
from great_expectations.expectations.expectation import BatchExpectation, Expectation
from pyspark.logger import PySparkLogger
from pyspark.sql import Window
from pyspark.sql import functions as F

from validation.suites.checks import (
    columns_check,
    key_check,
    rejected_check,
    rows_check,
    rule_check,
    statistic_check,
    types_check,
)
from validation.suites.queries import broken, broken_rules, label, shared_hashes
from validation.suites.suite import ROWS, Columns, Item, RowRules, Rows, Statistic, Types, UniqueKey, content, shape
from validation.verdict import OvertoneError, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from great_expectations.core.expectation_validation_result import ExpectationValidationResult
    from great_expectations.datasource.fluent.interfaces import Batch
    from pyspark.sql import DataFrame

    from validation.contract import Expectation as Contracted
    from validation.contract import Rule, Table
    from validation.verdict import Check

VIEW = "tmp_view"  # the name under which Great Expectations queries a frame, and leaves it behind
LIBRARY, QUERIES = "great_expectations", "SQLQueryContextLogger"  # names of loggers
DATA_ERROR = re.compile(r"\[([A-Z0-9_.]+)\].*SQLSTATE: 22", re.DOTALL)


class UnexpectedRows(UnexpectedRowsExpectation):
    """A query that must return no row. Unlike its parent it runs the query once, not a second time to count."""

    metric_dependencies: ClassVar[tuple[str, ...]] = ("unexpected_rows_query.table",)

    def _validate(self, metrics: dict[str, Any], runtime_configuration: Any = None, execution_engine: Any = None) -> dict[str, Any]:  # noqa: ARG002
        rows = metrics["unexpected_rows_query.table"]
        return {"success": not rows, "result": {"observed_value": len(rows), "details": {"unexpected_rows": rows}}}


class ColumnTypes(BatchExpectation):
    """Every column has exactly its declared type; details hold the others as Spark spells them."""

    types: dict[str, str]
    metric_dependencies: ClassVar[tuple[str, ...]] = ("table.column_types",)
    success_keys: ClassVar[tuple[str, ...]] = ("types",)

    def _validate(self, metrics: dict[str, Any], runtime_configuration: Any = None, execution_engine: Any = None) -> dict[str, Any]:  # noqa: ARG002
        found = {column["name"]: column["type"].simpleString() for column in metrics["table.column_types"]}
        wrong = {name: found[name] for name, dtype in self.types.items() if name in found and found[name] != dtype}
        return {"success": not wrong, "result": {"observed_value": len(wrong), "details": {"wrong": wrong}}}


def audit(frame: DataFrame, table: Table, rejected: int = 0, beside: int = 0, *, sample: int = 5) -> Verdict:
    """Run a table's suite on a batch and return every check; what cannot be run at all raises `OvertoneError`.

    `rejected` is the number of rows split off before, `beside` that of rows which count for their share, but lie elsewhere.
    Up to `sample` violating rows a rule are named, as `validation.suites.queries.label` calls them; they are looked for only
    after a rule was found broken. A batch of the wrong shape, or without rows, is asked nothing more.
    """
    _hush()
    batch = _batch(frame, table)
    found = _run(batch, frame, table, shape(table))
    rows = int(found[ROWS].result["observed_value"])
    checks = [_shape_check(item, found[item.name], frame) for item in shape(table)]
    if rows and all(check.success for check in checks if check.rule != ROWS):
        asked = content(table)
        found = _run(batch, frame, table, asked)
        for item in asked:
            checks += _content_checks(item, found[item.name], frame, table, sample)
    return Verdict(table.name, (*checks, rejected_check(table, rows + beside, rejected)), rows, rejected)


def _hush() -> None:
    """Let no word of Great Expectations reach the process's log, whoever set that up: what it says, the verdict says.

    A level would not do: some of its modules give their own logger one.
    """
    # Spark gives this one words that no plain logger takes, so it has to be made by Spark.
    PySparkLogger.getLogger(QUERIES)
    for name, logger in list(logging.root.manager.loggerDict.items()):
        if name.partition(".")[0] in (LIBRARY, QUERIES) and isinstance(logger, logging.Logger):
            logger.disabled = True
    logging.getLogger(LIBRARY).propagate = False  # and those that are not there yet


def _batch(frame: DataFrame, table: Table) -> Batch:
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    # Great Expectations caches a frame unless told otherwise; a big staged batch is cheaper to read again.
    asset = context.data_sources.add_spark(name="spark", persist=False).add_dataframe_asset(name=table.name)
    return asset.add_batch_definition_whole_dataframe("whole").get_batch({"dataframe": frame})


def _run(batch: Batch, frame: DataFrame, table: Table, items: Sequence[Item]) -> dict[str, ExpectationValidationResult]:
    """Run items as one Great Expectations suite and return each one's result by name."""
    suite = gx.ExpectationSuite(name=table.name, expectations=[_expectation(item) for item in items])
    try:
        results = batch.validate(suite, result_format="COMPLETE").results
    finally:
        frame.sparkSession.catalog.dropTempView(VIEW)
    for result in results:
        _refuse_exception(table, result)
    return {_name(result): result for result in results}


def _expectation(item: Item) -> Expectation:
    meta = {"name": item.name}
    match item:
        case Columns(names):
            return ExpectTableColumnsToMatchSet(column_set=list(names), exact_match=True, meta=meta)
        case Types(types):
            return ColumnTypes(types=dict(types), meta=meta)
        case Rows(low, high):
            return ExpectTableRowCountToBeBetween(min_value=low, max_value=high, meta=meta)
        case RowRules(rules):
            return UnexpectedRows(unexpected_rows_query=broken_rules(rules), meta=meta)
        case UniqueKey():
            return UnexpectedRows(unexpected_rows_query=shared_hashes(item), meta=meta)
        case Statistic(asked):
            return _statistic(asked, meta)


def _statistic(asked: Contracted, meta: dict[str, str]) -> Expectation:
    column, low, high = asked.column, asked.low, asked.high
    match asked.statistic:
        case "mean":
            return ExpectColumnMeanToBeBetween(column=column, min_value=low, max_value=high, meta=meta)
        case "distinct":
            least, most = (None if end is None else int(end) for end in (low, high))
            return ExpectColumnUniqueValueCountToBeBetween(column=column, min_value=least, max_value=most, meta=meta)
        case "null_share":
            least_known, most_known = (None if end is None else round(1 - end, 12) for end in (high, low))
            return ExpectColumnProportionOfNonNullValuesToBeBetween(column=column, min_value=least_known, max_value=most_known, meta=meta)
    raise OvertoneError(f"no Great Expectations check is known for the expectation {asked.name!r}")


def _refuse_exception(table: Table, result: ExpectationValidationResult) -> None:
    """A check that could not be run says nothing about the batch: it is an error, not a verdict."""
    info: Mapping[str, Any] = result.exception_info or {}
    for entry in [info] if "raised_exception" in info else info.values():
        if entry.get("raised_exception"):
            raise OvertoneError(f"{table.name}: the check {_name(result)} could not be run: {_reason(str(entry.get('exception_message')))}")


def _reason(message: str) -> str:
    """Return what went wrong in one line. Errors about data (SQLSTATE 22) quote the data: of them only the class is told."""
    data = DATA_ERROR.search(message)
    return f"[{data[1]}], a value of the batch that is withheld here; rules use try_ functions" if data else message.strip().split("\n")[0]


def _name(result: ExpectationValidationResult) -> str:
    config = result.expectation_config
    return str(config.meta["name"]) if config is not None and config.meta else ""


def _shape_check(item: Item, result: ExpectationValidationResult, frame: DataFrame) -> Check:
    match item:
        case Columns():
            return columns_check(item, frame.columns)
        case Types():
            return types_check(item, result.result["details"]["wrong"])
        case Rows():
            return rows_check(item, result.result["observed_value"], success=bool(result.success))
    raise OvertoneError(f"{item.name} is no check of a batch's shape")


def _content_checks(item: Item, result: ExpectationValidationResult, frame: DataFrame, table: Table, sample: int) -> list[Check]:
    match item:
        case RowRules(rules):
            counts = {row["rule"]: int(row["n"]) for row in result.result["details"]["unexpected_rows"]}
            named = _violators(frame, table, [rule for rule in rules if rule.name in counts], sample)
            return [rule_check(rule, counts.get(rule.name, 0), named.get(rule.name, ())) for rule in rules]
        case UniqueKey():
            return [key_check(item) if result.success else _shared_keys(item, frame, table, sample)]
        case Statistic(asked):
            observed = result.result.get("observed_value")
            if asked.statistic == "null_share" and observed is not None:
                observed = 1 - observed
            return [statistic_check(item, observed, success=bool(result.success))]
    raise OvertoneError(f"{item.name} is no check of a batch's content")


def _violators(frame: DataFrame, table: Table, rules: Sequence[Rule], sample: int) -> dict[str, tuple[str, ...]]:
    """Name rows that break each rule, the first `sample` in order of their labels, in one pass over the batch."""
    if not rules:
        return {}
    names = F.array_compact(F.array(*(F.when(F.expr(broken(rule)), rule.name) for rule in rules)))
    rows = frame.select(F.explode(names).alias("rule"), F.expr(label(table)).alias("row"))
    # Spark keeps no more than `sample` rows a rule while it numbers them.
    rank = F.row_number().over(Window.partitionBy("rule").orderBy("row"))
    named: dict[str, list[str]] = {}
    for found in rows.withColumn("rank", rank).where(F.col("rank") <= sample).collect():
        named.setdefault(found["rule"], []).append(found["row"])
    return {rule: tuple(sorted(labels)) for rule, labels in named.items()}


def _shared_keys(key: UniqueKey, frame: DataFrame, table: Table, sample: int) -> Check:
    """Look again, exactly, at the rows whose keys share a hash: two keys may do so without being equal."""
    names = list(key.columns)
    known = frame.dropna(subset=names).withColumn("_hash", F.xxhash64(*names))  # no declared column starts with an underscore
    shared = known.groupBy("_hash").agg(F.count("*").alias("_n")).where("_n > 1")
    suspects = known.join(shared, "_hash", "left_semi").select(*names, F.expr(label(table)).alias("_row")).persist()
    try:
        twice = suspects.groupBy(*names).agg(F.count("*").alias("_n"), F.min("_row").alias("_first"), F.max("_row").alias("_last"))
        twice = twice.where("_n > 1")
        totals = twice.agg(F.count("*").alias("keys"), F.sum("_n").alias("rows")).first()
        if totals is None or not totals["keys"]:
            return key_check(key)
        named = twice.select(F.explode(F.array_distinct(F.array("_first", "_last"))).alias("row")).orderBy("row").limit(sample)
        return key_check(key, int(totals["keys"]), int(totals["rows"]), tuple(found["row"] for found in named.collect()))
    finally:
        suspects.unpersist()
