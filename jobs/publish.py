"""A batch's way into its table: split by the row rules, written once, audited where no reader sees it, adopted by one commit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import uuid4

import pyarrow as pa
from pyspark.sql import functions as F

from jobs.contracts.operations import QUARANTINE, VERDICTS
from jobs.lake.arrow import arrow_schema, partition_values
from jobs.lake.commit import Note
from jobs.lake.spark import conform
from validation.engine import audit
from validation.verdict import HeldBack, OvertoneError, Verdict

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import date

    from pyspark.sql import Column, DataFrame

    from jobs.lake.arrow import ArrowLake
    from jobs.lake.spark import SparkLake
    from validation.contract import Table

OK = "ok"
PAYLOAD = 2_000  # characters of a refused row that are kept
SAMPLE = 100_000  # refused rows of one run that are kept whole; the counts are always exact


@dataclass(frozen=True)
class Batch:
    """What a run is about to publish: the table, the dates it replaces (None: the whole table), and its fingerprints."""

    table: Table
    dates: tuple[date, ...] | None
    run: str
    published: Mapping[str, str]
    base: int

    @property
    def span(self) -> str:
        """The dates in words."""
        if not self.dates:
            return "all"
        return f"{self.dates[0]}..{self.dates[-1]}" if len(self.dates) > 1 else str(self.dates[0])


@dataclass(frozen=True)
class Published:
    """What was published: version, rows kept and rows refused by reason."""

    version: int
    rows: int
    refused: Mapping[str, int]


def publish(lake: SparkLake, frame: DataFrame, batch: Batch) -> Published:
    """Publish a frame as the whole content of the batch's dates; a batch that breaks its contract raises `HeldBack`."""
    staged = f"run-{batch.run}-{uuid4().hex[:8]}"
    try:
        lake.stage(batch.table, split(frame, batch.table), staged, by=("reason",))
        return finish(lake, batch, staged)
    except BaseException:
        lake.arrow.discard(batch.table, staged)
        raise


def finish(
    lake: SparkLake, batch: Batch, staged: str, *, replace: Collection[Mapping[str, str]] | None = None, payload: bool = False
) -> Published:
    """Audit and adopt a folder staged by (reason, partition).

    `replace` overrides which partitions the commit replaces; with `payload` the refused rows bring their own.
    """
    table, arrow = batch.table, lake.arrow
    counts = staged_counts(arrow, table, staged)
    good, refused = counts.pop(OK, 0), counts
    _refuse_foreign_dates(arrow, batch, staged)
    frame = lake.staged(table, f"{staged}/reason={OK}") if good else None
    verdict = audit(frame if frame is not None else lake.empty(table), table, rejected=sum(refused.values()))
    record(arrow, batch, verdict)
    if not verdict.success:
        why = ", ".join(f"{reason} {rows:,}" for reason, rows in sorted(refused.items(), key=lambda item: -item[1])) or "none"
        raise HeldBack(f"{verdict.sentence()} ({batch.span}; rows refused: {why}; overtone tables {table.name} shows the rules)")
    quarantine(lake, batch, staged, refused, payload=payload)
    partitions = _partitions(batch) if replace is None else replace
    version = arrow.adopt(table, f"{staged}/reason={OK}", partitions, Note(batch.run, batch.published), batch.base)
    for reason in refused:
        arrow.discard(table, f"{staged}/reason={reason}")
    return Published(version, good, refused)


def split(frame: DataFrame, table: Table) -> DataFrame:
    """Add a column `reason`: the first required value missing or rule broken (a null verdict breaks it), or 'ok'."""
    return conform(frame, table).withColumn("reason", reason_of(table))


def reason_of(table: Table) -> Column:
    """Return the first of a table's promises that a row breaks, or 'ok'."""
    missing = [(F.col(name).isNull(), f"missing_{name}") for name in table.required]
    broken = [(~F.coalesce(F.expr(rule.predicate), F.lit(False)), rule.name) for rule in table.rules]  # noqa: FBT003
    reason = F.lit(OK)
    for condition, name in reversed([*missing, *broken]):
        reason = F.when(condition, F.lit(name)).otherwise(reason)
    return reason


def staged_counts(arrow: ArrowLake, table: Table, staged: str) -> dict[str, int]:
    """Return rows by reason of a staged folder, from the files' footers."""
    counts: dict[str, int] = {}
    for path in arrow.staged_files(table, staged):
        reason = partition_values(path)["reason"]
        counts[reason] = counts.get(reason, 0) + arrow.rows(table, path)
    return counts


def record(arrow: ArrowLake, batch: Batch, verdict: Verdict) -> None:
    """Keep every check of a verdict in ops.verdicts, replacing those of the same run."""
    now = datetime.now(UTC)
    rows = [
        {
            "target": batch.table.name,
            "run": batch.run,
            "dates": batch.span,
            "rule": check.rule,
            "success": check.success,
            "observed": check.observed,
            "expected": check.expected,
            "failed_rows": check.failed_rows,
            "rows": verdict.rows,
            "rejected": verdict.rejected,
            "audited_at": now,
        }
        for check in verdict.checks
    ]
    frame = pa.Table.from_pylist(rows, arrow_schema(VERDICTS))
    arrow.replace(VERDICTS, frame, {"target": batch.table.name, "run": batch.run}, Note(batch.run))


def quarantine(lake: SparkLake, batch: Batch, staged: str, refused: Mapping[str, int], *, payload: bool = False) -> None:
    """Move rows split off by the table's own rules to ops.quarantine; running again replaces what the same run wrote."""
    if not refused:
        return
    table = batch.table
    frame = lake.staged(table, staged, extra="reason STRING, payload STRING" if payload else "reason STRING")
    if frame is None:
        raise OvertoneError(f"{table.name}: the staged folder {staged} vanished while the run was using it")
    text = F.col("payload") if payload else F.to_json(F.struct(*(F.col(name) for name in table.plain_columns)))
    origin = {name: F.col(name) if name in table.by_name else F.lit(None) for name in ("feed", "file", "position")}
    rows = frame.where(F.col("reason") != OK).select(
        F.lit(table.name).alias("target"),
        F.lit(batch.run).alias("run"),
        origin["feed"].cast("string").alias("feed"),
        "reason",
        origin["file"].cast("string").alias("file"),
        origin["position"].cast("bigint").alias("position"),
        F.substring(text, 1, PAYLOAD).alias("payload"),
        F.lit(datetime.now(UTC)).alias("refused_at"),
    )
    lake.arrow.replace(QUARANTINE, rows.limit(SAMPLE).toArrow(), {"target": table.name, "run": batch.run}, Note(batch.run))


def _partitions(batch: Batch) -> list[dict[str, str]] | None:
    return None if batch.dates is None else [{"date": day.isoformat()} for day in batch.dates]


def _refuse_foreign_dates(arrow: ArrowLake, batch: Batch, staged: str) -> None:
    if batch.dates is None or not batch.table.dated:
        return
    allowed = {day.isoformat() for day in batch.dates}
    found = {partition_values(path)["date"] for path in arrow.staged_files(batch.table, f"{staged}/reason={OK}")}
    if found - allowed:
        raise OvertoneError(
            f"{batch.table.name}: rows of {', '.join(sorted(found - allowed))} were made, outside of the dates asked for ({batch.span})"
        )
