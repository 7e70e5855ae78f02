"""Auditing a batch: the suite as we run it against the stock expectations that say the same."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import great_expectations as gx
import great_expectations.expectations as gxe
from great_expectations.data_context.types.base import ProgressBarsConfig
from pairs import ratio
from publish import ROWS, SEED, TABLE, rows
from results import Row, row

from jobs.lake.address import Address
from jobs.lake.spark import SparkLake
from validation.contract import Rule
from validation.engine import audit

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

RULES = (
    Rule("x_in_unit", "x BETWEEN 0 AND 1", "x"),
    Rule("word_known", "word LIKE 'word%'", "word"),
    Rule("y_finite", "abs(y) < 100", "y"),
)
AUDITED = replace(TABLE, rules=RULES)


def measure() -> list[Row]:
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    folder = Path(tempfile.mkdtemp(prefix="overtone-bench-"))
    try:
        lake = SparkLake(Address.parse(str(folder / "lake")))
        lake.stage(AUDITED, rows(lake), "run-seen")
        frame = lake.staged(AUDITED, "run-seen")
        if frame is None:
            message = "the batch was not written"
            raise RuntimeError(message)
        measured = ratio(lambda: _ours(frame), lambda: _stock(frame), pairs=6)
    finally:
        shutil.rmtree(folder)
    what = f"wall time of auditing {ROWS:,} rows (key, required, 3 rules), over Great Expectations' stock expectations for the same"
    return [row("audit", what, "<= 1", {SEED: measured}, "make bench NAME=audit")]


def _ours(frame: DataFrame) -> None:
    if not audit(frame, AUDITED).success:
        message = "the batch should pass"
        raise RuntimeError(message)


def _stock(frame: DataFrame) -> None:
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    batch = context.data_sources.add_spark(name="spark").add_dataframe_asset(name="rows").add_batch_definition_whole_dataframe("whole")
    suite = gx.ExpectationSuite(name="stock")
    suite.add_expectation(gxe.ExpectTableColumnsToMatchSet(column_set=list(AUDITED.names)))
    suite.add_expectation(gxe.ExpectTableRowCountToBeBetween(min_value=1))
    suite.add_expectation(gxe.ExpectCompoundColumnsToBeUnique(column_list=list(AUDITED.key)))
    for name in AUDITED.required:
        suite.add_expectation(gxe.ExpectColumnValuesToNotBeNull(column=name))
    suite.add_expectation(gxe.ExpectColumnValuesToBeBetween(column="x", min_value=0, max_value=1))
    suite.add_expectation(gxe.ExpectColumnValuesToBeBetween(column="y", min_value=-100, max_value=100))
    suite.add_expectation(gxe.ExpectColumnValuesToMatchRegex(column="word", regex="^word"))
    if not batch.get_batch(batch_parameters={"dataframe": frame}).validate(suite).success:
        message = "the batch should pass"
        raise RuntimeError(message)
