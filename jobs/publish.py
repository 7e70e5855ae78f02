"""A batch's way into its table: split by the row rules, written once, audited where no reader sees it, adopted by one commit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import uuid4

import pyarrow as pa
from pyspark.sql import functions as F

from jobs.contracts.operations import QUARANTINE, VERDICTS
from jobs.journal import tell
from jobs.lake.commit import Note, stamp
from jobs.lake.files import partition_values, quoted
from jobs.lake.schema import arrow_schema
from jobs.lake.spark import conform
from validation.engine import audit
from validation.suites.suite import suite_version
from validation.verdict import HeldBack, OvertoneError, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from datetime import date

    from pyspark.sql import Column, DataFrame

    from jobs.lake.arrow import ArrowLake
    from jobs.lake.content import Content
    from jobs.lake.spark import SparkLake
    from validation.contract import Table

OK, REFUSED = "ok", "refused"  # lanes of a staged batch
EXTRA = "refused_for STRING, refused_row STRING"  # columns of a staged batch that are not the table's
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
    files: tuple[str, ...] = ()  # names of those it was read from, if it was
    beside: int = 0  # rows that came by the same files before, and lie in the table: refused ones are a share of these too

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


def publish(lake: SparkLake, frame: DataFrame, batch: Batch, replace: Collection[Mapping[str, str]] | None = None) -> Published:
    """Publish a frame as the whole content of the batch's dates (or of `replace`); one that breaks its contract raises `HeldBack`."""
    staged = f"run-{batch.run}-{uuid4().hex[:8]}"
    try:
        lake.stage(batch.table, split(frame, batch.table), staged, by=("lane",))
        return finish(lake, batch, staged, replace)
    except BaseException:
        lake.arrow.discard(batch.table, staged)
        raise


def finish(lake: SparkLake, batch: Batch, staged: str, replace: Collection[Mapping[str, str]] | None = None) -> Published:
    """Audit and adopt a folder staged by (lane, partition); `replace` overrides which partitions the commit replaces."""
    table, arrow = batch.table, lake.arrow
    good = staged_counts(arrow, table, staged).get(OK, 0)
    _refuse_foreign_dates(arrow, batch, staged)
    refused = refusals(lake, table, staged)
    frame = lake.staged(table, f"{staged}/lane={OK}") if good else None
    verdict = audit(frame if frame is not None else lake.empty(table), table, sum(refused.values()), batch.beside)
    record(arrow, batch, verdict)
    # What a batch that is held back is to be mended by: its bad rows are kept all the same.
    quarantine(lake, batch, staged, refused)
    told: dict[str, object] = {"table": table.name, "dates": batch.span, "batch": batch.run, "refused": refused}
    if not verdict.success:
        tell("held_back", **told, rules=", ".join(check.rule for check in verdict.failures), rows=good)
        why = ", ".join(f"{reason} {rows:,}" for reason, rows in sorted(refused.items(), key=lambda item: -item[1])) or "none"
        raise HeldBack(f"{verdict.sentence()} ({batch.span}; rows refused: {why}; overtone tables {table.name} shows the rules)", refused)
    if replace is None:
        forget(arrow, batch)  # before the commit: cut short in between, the batch is made again, and this with it
    partitions = _partitions(batch) if replace is None else replace
    note = Note(batch.run, batch.published, content=content_of(frame, table) if frame is not None else {})
    version = arrow.adopt(table, f"{staged}/lane={OK}", partitions, note, batch.base)
    arrow.discard(table, f"{staged}/lane={REFUSED}")
    tell("published", **told, version=version, rows=good)
    return Published(version, good, refused)


def split(frame: DataFrame, table: Table) -> DataFrame:
    """Add what a staged batch needs: why a row is refused and what it held, and the `lane` each row goes."""
    rows = conform(frame, table).withColumn("refused_for", reason_of(table))
    row = F.when(F.col("refused_for").isNotNull(), F.to_json(F.struct(*table.plain_columns)))
    return laned(rows.withColumn("refused_row", row), table, F.when(F.col("refused_for").isNull(), OK).otherwise(REFUSED))


def laned(rows: DataFrame, table: Table, lane: Column) -> DataFrame:
    """Add the lane. Refused rows leave their date behind: all of a task's then lie in one file."""
    marked = rows.withColumn("lane", lane)
    if not table.dated:
        return marked
    return marked.withColumn("date", F.when(F.col("lane") != REFUSED, F.col("date")))


def reason_of(table: Table) -> Column:
    """Return the first of a table's promises that a row breaks (a null verdict breaks a rule), null for a good row."""
    missing = [(F.col(name).isNull(), f"missing_{name}") for name in table.required]
    broken = [(~F.coalesce(F.expr(rule.predicate), F.lit(False)), rule.name) for rule in table.rules]  # noqa: FBT003
    reason = F.lit(None).cast("string")
    for condition, name in reversed([*missing, *broken]):
        reason = F.when(condition, F.lit(name)).otherwise(reason)
    return reason


def staged_counts(arrow: ArrowLake, table: Table, staged: str) -> dict[str, int]:
    """Return rows by lane of a staged folder, from the files' footers."""
    counts: dict[str, int] = {}
    for path in arrow.staged_files(table, staged):
        lane = partition_values(path)["lane"]
        counts[lane] = counts.get(lane, 0) + arrow.rows(table, path)
    return counts


def refusals(lake: SparkLake, table: Table, staged: str) -> dict[str, int]:
    """Return refused rows of a staged folder by reason."""
    frame = lake.staged(table, f"{staged}/lane={REFUSED}", extra=EXTRA)
    if frame is None:
        return {}
    return {row["refused_for"]: row["n"] for row in frame.groupBy("refused_for").agg(F.count("*").alias("n")).collect()}


def record(arrow: ArrowLake, batch: Batch, verdict: Verdict) -> None:
    """Keep every check of a verdict in ops.verdicts, replacing those of the same run."""
    now, suite = datetime.now(UTC), suite_version(batch.table)
    rows = [
        {
            "target": batch.table.name,
            "run": batch.run,
            "dates": batch.span,
            "files": list(batch.files),
            "rule": check.rule,
            "suite": suite,
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


def content_of(frame: DataFrame, table: Table) -> Content:
    """Return a mark of the rows of each date by the date they became known, whatever their order; nothing where a table declares none."""
    if not table.known_by:
        return {}
    rows = frame.groupBy("date", table.known_by).agg(
        F.expr(f"bit_xor(xxhash64({', '.join(table.names)}))").alias("hash"), F.count("*").alias("n")
    )
    found: Content = {}
    for row in rows.collect():
        known = found.setdefault(stamp(row["date"]), {})
        known[stamp(row[table.known_by])] = f"{row['hash'] & (2**64 - 1):016x}{row['n']:x}"
    return found


def quarantine(lake: SparkLake, batch: Batch, staged: str, refused: Mapping[str, int]) -> None:
    """Move refused rows to ops.quarantine; running again replaces what the same run wrote."""
    table = batch.table
    frame = lake.staged(table, f"{staged}/lane={REFUSED}", extra=EXTRA) if refused else None
    if frame is None:
        return
    origin = [(F.col(name) if name in table.by_name else F.lit(None)).alias(name) for name in ("feed", "file", "position")]
    rows = frame.select(
        F.lit(table.name).alias("target"),
        F.lit(batch.run).alias("run"),
        F.col("refused_for").alias("reason"),
        *origin,
        F.substring("refused_row", 1, PAYLOAD).alias("payload"),
        F.lit(datetime.now(UTC)).alias("refused_at"),
    )
    lake.arrow.replace(QUARANTINE, rows.limit(SAMPLE).toArrow(), {"target": table.name, "run": batch.run}, Note(batch.run))


def forget(arrow: ArrowLake, batch: Batch) -> None:
    """Take out of quarantine what earlier runs of the same dates refused: their rows were made anew."""
    mine = [row for row in arrow.read(VERDICTS, columns=["target", "run", "dates"]).to_pylist() if row["target"] == batch.table.name]
    earlier = {row["run"] for row in mine if row["dates"] == batch.span} - {batch.run}
    drop_refused(arrow, batch.table, batch.run, lambda row: row["run"] in earlier)


def drop_refused(arrow: ArrowLake, table: Table, by: str, gone: Callable[[Mapping[str, str]], bool]) -> None:
    """Delete from quarantine the rows refused for a table that `gone` says of by their run and file; `by` is the run that does it."""
    held = arrow.read(QUARANTINE, columns=["target", "run", "file"]).to_pylist()
    for run, file in sorted({(row["run"], row["file"] or "") for row in held if row["target"] == table.name and gone(row)}):
        arrow.delete(QUARANTINE, f"target = '{table.name}' AND run = '{run}' AND coalesce(file, '') = '{quoted(file)}'", Note(by))


def _partitions(batch: Batch) -> list[dict[str, str]] | None:
    return None if batch.dates is None else [{"date": day.isoformat()} for day in batch.dates]


def _refuse_foreign_dates(arrow: ArrowLake, batch: Batch, staged: str) -> None:
    if batch.dates is None or not batch.table.dated:
        return
    allowed = {day.isoformat() for day in batch.dates}
    found = {partition_values(path)["date"] for path in arrow.staged_files(batch.table, f"{staged}/lane={OK}")}
    if found - allowed:
        raise OvertoneError(
            f"{batch.table.name}: rows of {', '.join(sorted(found - allowed))} were made, outside of the dates asked for ({batch.span})"
        )
