"""Publishing an audited batch: adopting the staged files against writing it a second time with Delta's own replaceWhere."""

from __future__ import annotations

import shutil
import tempfile
from datetime import date, timedelta
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from pairs import ratio
from results import Row, row

from jobs.lake.address import Address
from jobs.lake.commit import Note
from jobs.lake.spark import SparkLake
from validation.contract import Column, Purpose, Table

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

ROWS, DATES, SEED = 1_000_000, 10, 7
COLUMNS = (
    Column("date", "date", "day", required=True),
    Column("id", "string", "key", required=True, identifies=True),
    Column("x", "double", "value"),
    Column("y", "double", "value"),
    Column("word", "string", "word"),
)
TABLE = Table("bench.rows", "one row", ("date", "id"), COLUMNS, Purpose.SERVICE, retention_days=1)


def measure() -> list[Row]:
    folder = Path(tempfile.mkdtemp(prefix="overtone-bench-"))
    try:
        return [_publish(SparkLake(Address.parse(str(folder / "lake"))))]
    finally:
        shutil.rmtree(folder)


def rows(lake: SparkLake) -> DataFrame:
    """Return the batch: ten dates, a 32-digit key, two numbers and a word."""
    return lake.spark.range(ROWS).selectExpr(
        f"date_add(DATE'2026-01-01', CAST(id % {DATES} AS INT)) AS date",
        "sha2(CAST(id AS STRING), 256) AS id",
        f"rand({SEED}) AS x",
        f"randn({SEED}) AS y",
        "concat('word', CAST(id % 1000 AS STRING)) AS word",
    )


def _publish(lake: SparkLake) -> Row:
    days = [date(2026, 1, 1) + timedelta(days=n) for n in range(DATES)]
    numbers = count()
    lake.arrow.create(TABLE)
    lake.stage(TABLE, rows(lake), "run-seen")

    def adopt() -> None:
        # Only the step after the audit is timed, for both: staging is the same work.
        staged = f"run-{next(numbers)}"
        source = lake.address.path
        if source is not None:
            shutil.copytree(source / "bench/rows/run-seen", source / "bench/rows" / staged, copy_function=_link)
        base = lake.arrow.version(TABLE)
        lake.arrow.adopt(TABLE, staged, [{"date": str(day)} for day in days], Note(staged), -1 if base is None else base)

    def again() -> None:
        staged = lake.staged(TABLE, "run-seen")
        if staged is not None:
            lake.overwrite(TABLE, staged, days, Note("again"))

    measured = ratio(adopt, again, pairs=6)
    what = f"wall time of publishing {ROWS:,} audited rows by adopting the staged files, over Delta's replaceWhere from the same files"
    return row("publish", what, "<= 0.2", {SEED: measured}, "make bench NAME=publish")


def _link(source: str, target: str) -> None:
    Path(target).hardlink_to(source)
