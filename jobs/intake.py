"""Takes the new files of one feed into its table: every record ends published, quarantined or known already.

Records are read twice: once for their keys alone, which finds the few that occur more than once or are known already, and
once whole, staged straight into the table's layout. Only the few are looked at again.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import astuple, dataclass
from datetime import date
from types import MappingProxyType
from typing import TYPE_CHECKING
from uuid import uuid4

from pyspark import StorageLevel
from pyspark.sql import Observation, Window
from pyspark.sql import functions as F

from jobs.fingerprint import fingerprint
from jobs.lake.files import partition_values
from jobs.publish import EXTRA, OK, REFUSED, Batch, finish, laned, reason_of, staged_counts
from jobs.repeats import hashed, held, repeated
from jobs.sources.files import packed
from jobs.sources.parsing import Taking, parse
from jobs.sources.reading import DDL, batches
from jobs.sources.records import UNREAD
from validation.verdict import OvertoneError, WrongUse

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import pyarrow as pa
    from pyspark.sql import DataFrame

    from jobs.lake.spark import SparkLake
    from jobs.sources.files import Taken
    from jobs.sources.source import Feed
    from validation.contract import Table

SUSPECT = "suspect"
FILE = "file:"  # and its hash: the key under which a commit names a file that it took in


@dataclass(frozen=True)
class Count:
    """What became of one file's records."""

    kept: int = 0
    quarantined: int = 0
    deduplicated: int = 0

    @property
    def rows_in(self) -> int:
        """Records found."""
        return self.kept + self.quarantined + self.deduplicated

    def after(self, before: Count) -> Count:
        """Return what became of a file's records in all, if this is what its second reading found: what was kept before is known now."""
        return Count(before.kept + self.kept, self.quarantined, self.deduplicated - before.kept)

    def __add__(self, other: Count) -> Count:
        return Count(self.kept + other.kept, self.quarantined + other.quarantined, self.deduplicated + other.deduplicated)


@dataclass(frozen=True)
class Intake:
    """What one feed's files brought to its table."""

    table: str
    run: str
    by_file: Mapping[str, Count]
    reasons: Mapping[str, int]
    dates: tuple[date, ...]

    @property
    def total(self) -> Count:
        """All files together."""
        return sum(self.by_file.values(), Count())


@dataclass(frozen=True)
class Staging:
    """A feed's rows on their way: the lake, the feed, and the folder they are staged in."""

    lake: SparkLake
    feed: Feed
    folder: str

    @property
    def dates(self) -> tuple[date, ...]:
        """The dates of the good rows staged."""
        paths = self.lake.arrow.staged_files(self.feed.table, f"{self.folder}/lane={OK}")
        return tuple(sorted({date.fromisoformat(partition_values(path)["date"]) for path in paths})) if self.feed.table.dated else ()

    def rows(self, lane: str = "") -> DataFrame:
        """Read staged rows back, of one lane or all with their lane."""
        name, extra = (f"{self.folder}/lane={lane}", EXTRA) if lane else (self.folder, f"{EXTRA}, lane STRING")
        found = self.lake.staged(self.feed.table, name, extra=extra)
        return found if found is not None else self.lake.spark.createDataFrame([], f"{self.feed.table.ddl}, {extra}")


def take(lake: SparkLake, feed: Feed, files: Sequence[Taken], taking: Taking, before: Mapping[str, Count] = MappingProxyType({})) -> Intake:
    """Publish the rows of files that the table does not know yet; they enter by one commit, or not at all.

    Files that were taken in `before` are so once more: what the table holds of them is known by its keys, and what was refused
    and is not any more enters. Where nothing does, nothing is published.
    """
    table = feed.table
    lake.arrow.create(table)
    base = lake.arrow.version(table) or 0
    again = ["again", taking.clock.isoformat()] if before else []
    run = fingerprint([table.name, *sorted(one.sha256 for one in files), *again])
    staging = Staging(lake, feed, f"run-{run}-{uuid4().hex[:8]}")
    seen = Observation("records")
    try:
        with _as_listed(lake, files) as first, _as_listed(lake, files) as records:
            rows = parse(records, feed, taking).observe(seen, F.count(F.lit(1)).alias("n"))
            lake.stage(table, _marked(rows, feed, repeated(lake, feed, first, taking)), staging.folder, by=("lane",))
        counts = _counts(staging, files, _resolve(staging))
        # Rows that another intake published meanwhile count as known by now, and what is left would look all refused.
        lake.arrow.unmoved(table, base)
        total = sum(counts.values(), Count())
        _account(table, total, seen.get["n"])
        counts = {name: one.after(before[name]) if before else one for name, one in counts.items()}
        if total.kept == 0 and (before or total.quarantined == 0):
            lake.arrow.discard(table, staging.folder)
            return Intake(table.name, run, counts, {}, ())
        when = taking.clock.isoformat()
        known = {f"{FILE}{one.sha256}": json.dumps([taking.source, one.name, *astuple(counts[one.name]), when]) for one in files}
        dates, names = staging.dates if table.dated else None, tuple(one.name for one in files)
        batch = Batch(table, dates, run, known, base, names, sum(one.kept for one in before.values()))
        done = finish(lake, batch, staging.folder, replace=())
    except BaseException:
        lake.arrow.discard(table, staging.folder)
        raise
    return Intake(table.name, run, counts, done.refused, batch.dates or ())


def _account(table: Table, total: Count, read: int) -> None:
    """Hold rows in = kept + quarantined + deduplicated."""
    if total.rows_in != read:
        raise OvertoneError(f"{table.name}: {read} records were read, {total.rows_in} accounted for; nothing was published")


@contextmanager
def _as_listed(lake: SparkLake, files: Sequence[Taken]) -> Iterator[DataFrame]:
    """Hand out the records of files, to be read once; if the bytes read were not those that were hashed, raise `WrongUse` in the end."""
    watch = Observation()
    yield read(lake, files).observe(watch, F.max(F.when(F.col("damage") == UNREAD, F.col("file"))).alias("unread"))
    odd = watch.get["unread"]
    if odd is not None:
        path = next(one.path for one in files if one.name == odd)
        raise WrongUse(f"{str(path)!r} was changed or removed while it was read; nothing of it was taken in: try again once it is complete")


def read(lake: SparkLake, files: Sequence[Taken]) -> DataFrame:
    """Return the records of files as (file, position, line, damage); a task a file, or several small ones."""
    given = [[(str(one.path), one.name, one.form, one.sha256) for one in part] for part in packed(files)]

    def cut(parts: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for part in parts:
            for number in part.column(0).to_pylist():
                for one in given[number]:
                    yield from batches(*one)

    return lake.spark.range(0, len(given), 1, len(given)).mapInArrow(cut, DDL)


def _marked(rows: DataFrame, feed: Feed, again: DataFrame) -> DataFrame:
    """Say of every row why it is refused, or that it is good, or good with a key that occurs again."""
    table = feed.table
    own = [F.col(column.name).cast(column.dtype).alias(column.name) for column in table.columns]
    typed = rows.select(*own, "payload", F.coalesce("reason", reason_of(table)).alias("refused_for"), hashed(table))
    joined = typed.join(again.select("hash", F.lit(True).alias("again")), "hash", "left")  # noqa: FBT003
    shown = F.when(F.col("refused_for").isNotNull(), F.coalesce("payload", F.to_json(F.struct(*table.plain_columns))))
    lane = F.when(F.col("refused_for").isNotNull(), REFUSED).when(F.col("again"), SUSPECT).otherwise(OK)
    whole = joined.select(*table.names, "refused_for", shown.alias("refused_row"), "again")
    return laned(whole, table, lane).drop("again")


def _resolve(staging: Staging) -> dict[str, int]:
    """Keep one good row a key: the one known first, none if the table holds the key. Return rows left out by file."""
    lake, table = staging.lake, staging.feed.table
    number = staged_counts(lake.arrow, table, staging.folder).get(SUSPECT, 0)
    if not number:
        return {}
    suspects = staging.rows(SUSPECT).persist(StorageLevel.DISK_ONLY)
    first = [name for name in ("known_ts", "file", "position") if name in table.names]
    same = Window.partitionBy(*table.key)
    voted = [
        F.coalesce(F.mode(name, deterministic=True).over(same), name).alias(name) if name in staging.feed.majority else F.col(name)
        for name in table.names
    ]
    best = suspects.select(*voted, F.row_number().over(same.orderBy(*first)).alias("nth")).where("nth = 1").drop("nth")
    if lake.arrow.files(table):
        known = held(lake, staging.feed, suspects, table.key, number)
        best = best.join(known, [*table.key], "left_anti").select(*table.names)
    best = best.persist(StorageLevel.DISK_ONLY)
    lake.stage(table, best, f"{staging.folder}/lane={OK}")
    before, after = (_by_file(frame) for frame in (suspects, best))
    lake.arrow.discard(table, f"{staging.folder}/lane={SUSPECT}")
    for frame in (suspects, best):
        frame.unpersist()
    return {file: n - after.get(file, 0) for file, n in before.items()}


def _by_file(frame: DataFrame) -> dict[str, int]:
    return {row["file"]: row["n"] for row in frame.groupBy("file").agg(F.count("*").alias("n")).collect()}


def _counts(staging: Staging, files: Iterable[Taken], doubled: Mapping[str, int]) -> dict[str, Count]:
    """Count what became of each file's records."""
    by = {one.name: Count(deduplicated=doubled.get(one.name, 0)) for one in files}
    bad = (F.col("lane") == REFUSED).alias("bad")
    for row in staging.rows().groupBy("file", bad).agg(F.count("*").alias("n")).collect():
        by[row["file"]] += Count(quarantined=row["n"]) if row["bad"] else Count(kept=row["n"])
    return by
