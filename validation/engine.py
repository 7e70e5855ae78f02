"""Audits a batch: runs a table's suite with Great Expectations on the real Spark frame and says what it found.

The only module that knows Great Expectations.
"""

from __future__ import annotations

import logging
from functools import reduce
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
from pyspark.sql import functions as F

from validation.suites.queries import broken, broken_rules, label, shared_hashes
from validation.suites.suite import (
    REJECTED_SHARE,
    Columns,
    Item,
    RowRules,
    Rows,
    Statistic,
    Types,
    UniqueKey,
    content,
    shape,
)
from validation.verdict import Check, OvertoneError, Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from great_expectations.core.expectation_validation_result import ExpectationValidationResult
    from pyspark.sql import DataFrame

    from validation.contract import Rule, Table

VIEW = "tmp_view"  # the name Great Expectations registers a frame under to query it


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


def audit(frame: DataFrame, table: Table, rejected: int = 0, *, sample: int = 5) -> Verdict:
    """Run a table's suite on a batch and return every check; what cannot be run at all raises `OvertoneError`.

    `rejected` is the number of rows split off before. Up to `sample` violating rows a rule are named, as
    `validation.suites.queries.label` calls them; they are looked for only after a rule was found broken. A batch of the
    wrong shape, or without rows, is asked nothing more.
    """
    _quiet()
    found = _run(frame, table, shape(table))
    checks = [_shape_check(item, found[item.name]) for item in shape(table)]
    rows = int(found["rows"].result["observed_value"])
    checks.append(_rejected_share(table, rows, rejected))
    if rows and all(check.success for check in checks[:2]):
        asked = content(table)
        found = _run(frame, table, asked)
        for item in asked:
            checks += _content_checks(item, found[item.name], frame, table, sample)
    return Verdict(table.name, tuple(checks), rows, rejected)


def _quiet() -> None:
    for name in ("great_expectations", "SQLQueryContextLogger"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def _run(frame: DataFrame, table: Table, items: Sequence[Item]) -> dict[str, ExpectationValidationResult]:
    """Run items as one Great Expectations suite and return each one's result by name."""
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    source = context.data_sources.add_spark(name="spark", persist=False)
    batch = source.add_dataframe_asset(name=table.name).add_batch_definition_whole_dataframe("whole").get_batch({"dataframe": frame})
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
            return _statistic(asked.statistic, asked.column, asked.low, asked.high, meta)


def _statistic(statistic: str, column: str, low: float | None, high: float | None, meta: dict[str, str]) -> Expectation:
    match statistic:
        case "mean":
            return ExpectColumnMeanToBeBetween(column=column, min_value=low, max_value=high, meta=meta)
        case "distinct":
            least, most = (None if end is None else int(end) for end in (low, high))
            return ExpectColumnUniqueValueCountToBeBetween(column=column, min_value=least, max_value=most, meta=meta)
        case "null_share":
            known_low, known_high = (None if end is None else 1 - end for end in (high, low))
            return ExpectColumnProportionOfNonNullValuesToBeBetween(column=column, min_value=known_low, max_value=known_high, meta=meta)
    raise OvertoneError(f"no Great Expectations check is known for the statistic {statistic!r} of {column}")


def _refuse_exception(table: Table, result: ExpectationValidationResult) -> None:
    """A check that could not be run says nothing about the batch: it is an error, not a verdict."""
    info: Mapping[str, Any] = result.exception_info or {}
    entries = [info] if "raised_exception" in info else list(info.values())
    for entry in entries:
        if entry.get("raised_exception"):
            raise OvertoneError(
                f"{table.name}: the check {_name(result)} could not be run: {_first_line(str(entry.get('exception_message')))}"
            )


def _name(result: ExpectationValidationResult) -> str:
    config = result.expectation_config
    return str(config.meta["name"]) if config is not None and config.meta else ""


def _shape_check(item: Item, result: ExpectationValidationResult) -> Check:
    found, success = result.result, bool(result.success)
    match item:
        case Columns(names):
            wrong = found["details"].get("mismatched", {}) if not success else {}
            parts = [f"{kind} {', '.join(wrong[kind])}" for kind in ("missing", "unexpected") if wrong.get(kind)]
            return Check(item.name, success, "; ".join(parts) or f"{len(names)} columns", f"exactly the {len(names)} declared columns")
        case Types(types):
            parts = [f"{name} is {dtype}, not {dict(types)[name]}" for name, dtype in found["details"]["wrong"].items()]
            return Check(item.name, success, "; ".join(parts) or "as declared", "the declared types")
        case Rows(low, high):
            return Check(item.name, success, f"{found['observed_value']:,}", _bounds(low, high))
    raise OvertoneError(f"{item.name} is no check of a batch's shape")


def _rejected_share(table: Table, rows: int, rejected: int) -> Check:
    share = rejected / (rows + rejected) if rejected else 0.0
    return Check(REJECTED_SHARE, share <= table.rejected_share, f"{share:.2%}", f"at most {table.rejected_share:.2%}", rejected)


def _content_checks(item: Item, result: ExpectationValidationResult, frame: DataFrame, table: Table, sample: int) -> list[Check]:
    match item:
        case RowRules(rules):
            counts = {row["rule"]: int(row["n"]) for row in result.result["details"]["unexpected_rows"]}
            keys = _violators(frame, table, [rule for rule in rules if rule.name in counts], sample)
            return [_row_check(rule, counts.get(rule.name, 0), keys.get(rule.name, ())) for rule in rules]
        case UniqueKey():
            return [_key_check(item, frame, table, sample) if not result.success else _unique(item)]
        case Statistic(asked):
            observed = result.result.get("observed_value")
            if asked.statistic == "null_share" and observed is not None:
                observed = 1 - observed
            shown = "no value" if observed is None else f"{observed:,.6g}"
            return [Check(item.name, bool(result.success), shown, _bounds(asked.low, asked.high))]
    raise OvertoneError(f"{item.name} is no check of a batch's content")


def _row_check(rule: Rule, broken_rows: int, keys: tuple[str, ...]) -> Check:
    return Check(rule.name, not broken_rows, f"{broken_rows:,} rows" if broken_rows else "every row", rule.meaning, broken_rows, keys)


def _violators(frame: DataFrame, table: Table, rules: Sequence[Rule], sample: int) -> dict[str, tuple[str, ...]]:
    """Name some rows that break each rule; one job, which stops reading as soon as it has enough."""
    if not rules or not sample:
        return {}
    parts = [
        frame.where(broken(rule)).select(F.lit(rule.name).alias("rule"), F.expr(label(table)).alias("row")).limit(sample) for rule in rules
    ]
    named: dict[str, list[str]] = {}
    for found in reduce(lambda left, right: left.unionAll(right), parts).collect():
        named.setdefault(found["rule"], []).append(found["row"])
    return {rule: tuple(sorted(rows)) for rule, rows in named.items()}


def _key_check(key: UniqueKey, frame: DataFrame, table: Table, sample: int) -> Check:
    """Look again, exactly: two keys may share a hash without being equal."""
    twice = frame.dropna(subset=list(key.columns)).groupBy(*key.columns).agg(F.count("*").alias("n")).where("n > 1")
    totals = twice.agg(F.count("*").alias("keys"), F.coalesce(F.sum("n"), F.lit(0)).alias("rows")).first()
    if totals is None or not totals["keys"]:
        return _unique(key)
    whole = frame.join(twice.limit(sample), list(key.columns), "left_semi")
    rows = whole.select(F.expr(label(table)).alias("row")).distinct().limit(sample).collect()
    named = tuple(sorted(found["row"] for found in rows))
    return Check(
        key.name,
        success=False,
        observed=f"{totals['keys']:,} keys in {totals['rows']:,} rows",
        expected=_once(key),
        failed_rows=int(totals["rows"]),
        sample_keys=named,
    )


def _unique(key: UniqueKey) -> Check:
    return Check(key.name, success=True, observed="every key once", expected=_once(key))


def _once(key: UniqueKey) -> str:
    return f"every ({', '.join(key.columns)}) once"


def _bounds(low: float | None, high: float | None) -> str:
    if low is not None and high is not None:
        return f"{low:,g} to {high:,g}" if low != high else f"{low:,g}"
    return f"at least {low:,g}" if low is not None else f"at most {high:,g}" if high is not None else "anything"


def _first_line(message: str) -> str:
    return message.strip().splitlines()[0] if message.strip() else "no reason given"
