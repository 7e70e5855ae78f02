"""Batches made from a table's declaration: rows that keep every rule, and for each rule a row that breaks it alone.

Nothing here knows a rule by name. A row is built from types and allowed values; what breaks a rule is searched among
single and paired changes of the columns it mentions, and Spark says which rules each change breaks.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import combinations, product
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyspark.sql import functions as F

from jobs.lake.schema import ARROW
from validation.suites.suite import MISSING, row_rules

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from validation.contract import Rule, Table

DAY = date(2026, 11, 1)
NOON = datetime(2026, 11, 1, 12, tzinfo=UTC)
DEFAULTS: dict[str, Any] = {
    "string": "x",
    "boolean": False,
    "int": 1,
    "bigint": 1,
    "double": 0.5,
    "date": DAY,
    "timestamp": NOON,
    "array<string>": ["x"],
    "array<double>": [0.5],
    "array<bigint>": [1],
    "array<date>": [DAY],
}
# Values that types and lists of allowed values do not tell.
GIVEN: dict[str, dict[str, Any]] = {
    "examples.response": {"features_date": DAY - timedelta(days=1), "features_known": DAY - timedelta(days=1)},
    "segments.segment_overlaps": {"listeners": 10},
    **{name: {"listeners": 10} for name in ("features.context_features", "features.moment_features")},
    "features.fan_ladder": {"plays": 2},
    "features.artist_fans": {"listeners": 5},
}
WRONG: dict[str, tuple[Any, ...]] = {
    "string": ("nonsense",),
    "boolean": (True, False),
    "int": (-1, 0, 10**6),
    "bigint": (-1, 0, 10**12),
    "double": (-1e6, 1e6, float("nan")),
    "date": (DAY - timedelta(days=3), DAY + timedelta(days=3)),
    "timestamp": (NOON - timedelta(days=3), NOON + timedelta(days=3)),
}
TRIED = 6  # columns of a predicate in which a violation is searched
Row = dict[str, Any]


@dataclass(frozen=True)
class Broken:
    """A row and the names of the rules it breaks."""

    row: Row
    rules: frozenset[str]


def good_rows(table: Table, n: int, start: int = 0) -> list[Row]:
    """Return n rows of different keys that keep every rule."""
    row = {c.name: _allowed(table, c.name) or DEFAULTS[c.dtype] for c in table.columns} | GIVEN.get(table.name, {})
    return [row | _nth(table, start + i) for i in range(n)]


def bad_rows(spark: SparkSession, table: Table) -> dict[str, Broken]:
    """Return, by rule, a row that breaks it: alone, or where null breaks other rules too, with those of the same column."""
    rules = row_rules(table)
    tried = [(rule, change) for rule in rules for change in _changes(table, rule)]
    base = good_rows(table, 1)[0]
    found: dict[str, Broken] = {}
    breaks = broken_by(spark, table, [base | change for _, change in tried])
    for n, ((rule, change), broken) in enumerate(zip(tried, breaks, strict=True)):
        alone = broken == {rule.name} or (rule.name.startswith(MISSING) and rule.name in broken)
        if alone and rule.name not in found:
            row = base | _nth(table, 1000 + n) | change
            found[rule.name] = Broken(row, broken)
    return found


def broken_by(spark: SparkSession, table: Table, rows: list[Row]) -> list[frozenset[str]]:
    """Return the names of the rules that each row breaks, as Spark evaluates their predicates; null is broken too."""
    if not rows:
        return []
    frame = batch(spark, table, rows)
    kept = [F.coalesce(F.expr(rule.predicate), F.lit(False)).alias(rule.name) for rule in row_rules(table)]
    return [frozenset(name for name, good in found.asDict().items() if not good) for found in frame.select(*kept).collect()]


def batch(spark: SparkSession, table: Table, rows: list[Row]) -> DataFrame:
    """Return rows as a frame of the table's types, every column nullable, as staged Parquet reads back."""
    schema = pa.schema([pa.field(column.name, ARROW[column.dtype]) for column in table.columns])
    return spark.createDataFrame(pa.Table.from_pylist(rows, schema))


def _changes(table: Table, rule: Rule) -> list[Row]:
    mentioned = [name for name in dict.fromkeys(re.findall(r"\w+", rule.predicate)) if name in table.by_name][:TRIED]
    if rule.name.startswith(MISSING):
        return [{mentioned[0]: None}]
    values = {name: (*WRONG.get(table.by_name[name].dtype, ()), None) for name in mentioned}
    single = [{name: value} for name in mentioned for value in values[name]]
    paired = [dict(zip(two, both, strict=True)) for two in combinations(mentioned, 2) for both in product(*(values[name] for name in two))]
    return [*single, *(paired if len(mentioned) < TRIED else [])]


def _nth(table: Table, n: int) -> Row:
    """Return the change that gives the n-th row a key of its own."""
    for name in table.key:
        column = table.by_name[name]
        if column.dtype == "string" and _allowed(table, name) is None:
            return {name: f"{name}-{n}"}
    raise AssertionError(f"{table.name}: no key column may hold any text; say in GIVEN how rows differ")


def _allowed(table: Table, column: str) -> str | None:
    for expectation in table.expectations:
        if expectation.statistic == "values" and expectation.column == column:
            return expectation.allowed[0]
    for rule in table.rules:
        listed = re.search(rf"(?<!NOT )\b{column} IN \('([^']*)'", rule.predicate)
        if listed:
            return listed[1]
    return None
