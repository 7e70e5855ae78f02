"""Runs a job for a range of dates: decide what is stale, read, build, publish, say what happened.

run(JOB, lake, days(first, last))      # from Python
spark-submit jobs/listens.py --date 2026-11-01 --lake ./build/lake
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import reduce
from typing import TYPE_CHECKING

from jobs.console import Dates, Parser, add_dates, asked, guarded, parsed, say
from jobs.contracts.silver import SILVER_LISTENERS
from jobs.fingerprint import arguments, code_of, fingerprint, home
from jobs.journal import recorded
from jobs.lake.address import Address
from jobs.lake.commit import stamp
from jobs.lake.content import content, served
from jobs.lake.versions import gone
from validation.contract import Purpose, Table
from validation.verdict import OvertoneError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from pyspark.sql import DataFrame

    from jobs.lake.arrow import ArrowLake
    from jobs.lake.spark import SparkLake
    from jobs.state import Rolling


PUBLISHED, NOTHING = "published", "nothing to do"


@dataclass(frozen=True)
class Read:
    """A table that a job reads: to write date D it needs D-back..D+ahead, or everything up to D+ahead (`history`).

    With `as_known` it needs of these only what was known by the end of D: rows that became known later change nothing. With `served`
    it reads each date as it was when it first served the next one (VERSION AS OF), and no date that came too late for that. With `latest`
    it needs, of the dates before D, the last one that there is, and not D: so a table may follow from its own last date.
    """

    table: Table
    back: int = 0
    ahead: int = 0
    history: bool = False
    as_known: bool = False
    served: bool = False
    latest: bool = False

    def needs(self, day: date, partition: str) -> bool:
        """Say whether a partition (ISO date, '' for a table without dates) is read to write `day`."""
        if not partition:
            return True
        if self.latest:
            return date.fromisoformat(partition) < day
        first = date.min if self.history else day - timedelta(days=self.back)
        return first <= date.fromisoformat(partition) <= day + timedelta(days=self.ahead)

    def chosen(self, day: date, partitions: Iterable[str]) -> set[str]:
        """Return which of a table's partitions are read to write `day`."""
        found = {one for one in partitions if self.needs(day, one)}
        return {max(found)} if self.latest and found else found

    def marks(self, lake: ArrowLake) -> list[tuple[str, str, str]]:
        """Return what the table holds: by partition, and the date it became known ('': known to whoever asks), a mark of it."""
        if self.served:
            return [(partition, "", str(version)) for partition, version in served(lake, self.table).items()]
        if not self.as_known:
            return [(partition, "", mark) for partition, mark in lake.marks(self.table).items()]
        return [(partition, known, mark) for partition, of in content(lake, self.table).items() for known, mark in of.items()]


@dataclass(frozen=True)
class Job:
    """A stage: a pure function between declared tables.

    `build(*frames, dates=...)` gets one frame a read, in order, and returns rows of exactly these dates. `rewrites` are
    the dates written when date D is asked for, as offsets from D. `args` are whatever else the rows depend on. `rolling` is the
    shorter way to a few dates, where there is one; it gives the same rows.
    """

    reads: tuple[Read, ...]
    writes: Table
    build: Callable[..., DataFrame]
    rewrites: tuple[int, ...] = (0,)
    rolling: Rolling | None = None
    args: Mapping[str, str] = field(default_factory=dict)

    @property
    def needs_consent(self) -> bool:
        """Whether rows of listeners who may not be profiled for advertising are kept out by the runner."""
        return self.writes.purpose is Purpose.ADS and self.writes.dated and "listener_id" in self.writes.by_name

    @property
    def ads_columns(self) -> tuple[str, ...]:
        """Columns for advertising in a table that is not: the runner leaves them null for listeners who did not agree to it."""
        if self.writes.purpose is Purpose.ADS:
            return ()
        return tuple(column.name for column in self.writes.columns if column.purpose is Purpose.ADS)

    @property
    def inputs(self) -> tuple[Read, ...]:
        """All that is read, the consent state included."""
        return (*self.reads, Read(SILVER_LISTENERS)) if self.needs_consent or self.ads_columns else self.reads


@dataclass(frozen=True)
class Outcome:
    """What a run did, in numbers and in one sentence."""

    table: str
    state: str
    dates: Dates
    rows: int = 0
    rejected: int = 0
    version: int | None = None
    seconds: float = 0.0
    sentence: str = ""


def targets(job: Job, asked: Sequence[date]) -> Dates:
    """Return the dates that a job writes when these are asked for."""
    return tuple(sorted({day + timedelta(days=offset) for day in asked for offset in job.rewrites}))


def fingerprints(job: Job, lake: ArrowLake, dates: Sequence[date]) -> dict[date, str]:
    """Return what each date depends on; dates are left out for which no input exists at all, or retention has dropped some."""
    fixed = (job.writes.name, job.writes.ddl, arguments(job.args), code_of(home(job.build)))
    stored = [(read, read.marks(lake)) for read in job.inputs]
    kept_from = max((day for read in job.inputs if (day := _whole_from(read, lake))), default=date.min)
    found: dict[date, str] = {}
    for day in dates:
        chosen = [(read, marks, read.chosen(day, (part for part, _, _ in marks))) for read, marks in stored]
        used = [(read, *mark) for read, marks, parts in chosen for mark in marks if mark[0] in parts and mark[1] <= day.isoformat()]
        # Reference tables, or an earlier date, alone make no rows: a date counts once a dated input reaches it (or the job has none).
        reached = any(part and not read.latest for read, part, _, _ in used if read in job.reads)
        reached = reached or not any(read.table.dated for read in job.reads)
        if reached and day >= kept_from:
            marks = [" ".join((read.table.name, part, *([known] if known else []), mark)) for read, part, known, mark in used]
            found[day] = fingerprint((*fixed, day.isoformat(), *sorted(marks)))
    return found


def _whole_from(read: Read, lake: ArrowLake) -> date | None:
    """Return the first date for which nothing that it reads was dropped by retention; None where nothing was."""
    first = lake.horizon(read.table) if read.table.dated and not read.history else None
    return first + timedelta(days=max(read.back, read.latest)) if first else None


def stale(job: Job, lake: ArrowLake, asked: Sequence[date]) -> dict[date, str]:
    """Return the dates whose published rows do not match their inputs any more, with the fingerprint they should have."""
    published = lake.published(job.writes)
    wanted = fingerprints(job, lake, targets(job, asked))
    return {day: mark for day, mark in wanted.items() if published.get(stamp(day)) != mark}


def run(job: Job, lake: SparkLake, asked: Sequence[date]) -> Outcome:
    """Bring the asked dates of a job's table up to date in one pass; a batch that breaks its contract raises `HeldBack`."""
    started = time.monotonic()
    marks = stale(job, lake.arrow, asked)
    if not marks:
        return Outcome(job.writes.name, NOTHING, (), version=lake.arrow.version(job.writes), sentence=f"{job.writes.name}: nothing to do")
    # A JVM and Great Expectations take seconds to start: only a run that has something to do pays for them.
    from jobs.publish import Batch, publish

    dates = tuple(sorted(marks))
    lake.arrow.create(job.writes)
    base = lake.arrow.version(job.writes)
    if base is None:
        raise OvertoneError(f"{job.writes.name} could not be created in {lake.address.uri}")
    frame = consenting(job, lake, _built(job, lake, dates), dates)
    batch = Batch(job.writes, dates, fingerprint(marks[day] for day in dates), {stamp(day): marks[day] for day in dates}, base)
    done = publish(lake, frame, batch)
    refused = sum(done.refused.values())
    seconds = time.monotonic() - started
    sentence = f"{job.writes.name}: {done.rows:,} rows of {batch.span} in version {done.version}, {refused:,} refused, {seconds:.1f} s"
    return Outcome(job.writes.name, PUBLISHED, dates, done.rows, refused, done.version, seconds, sentence)


def _built(job: Job, lake: SparkLake, dates: Dates) -> DataFrame:
    if job.rolling:
        whole = [lake.read(read.table) for read in job.reads]
        late = [content(lake.arrow, read.table) for read in job.reads]
        rows = job.rolling.rows(lake, whole, late, dates, lambda days: fingerprints(job, lake.arrow, days))
        if rows is not None:
            return rows
    return job.build(*frames(job, lake, dates), dates=dates)


def frames(job: Job, lake: SparkLake, dates: Dates) -> list[DataFrame]:
    """Return what a job reads to write the dates."""
    return [_frame(read, lake, dates) for read in job.reads]


def consenting(job: Job, lake: SparkLake, frame: DataFrame, dates: Dates) -> DataFrame:
    """Keep, for a table made for advertising, only listeners who agreed to it by the end of the row's date; likewise single columns."""
    if not (job.needs_consent or job.ads_columns):
        return frame
    agreed = _frame(Read(SILVER_LISTENERS), lake, dates).where("ads_allowed").selectExpr("date", "listener_id", "true AS agreed")
    if job.needs_consent:
        return frame.join(agreed, ["date", "listener_id"], "left_semi")
    kept = (f"CASE WHEN agreed THEN {name} END AS {name}" if name in job.ads_columns else name for name in job.writes.names)
    return frame.join(agreed, ["date", "listener_id"], "left").selectExpr(*kept)


def main(job: Job, argv: Sequence[str] | None = None) -> None:
    """Run a job from the command line and end the process with the platform's exit code."""
    parser = Parser(description=f"Write {job.writes.name}: {job.writes.row}.", epilog="example: --date 2026-11-01")
    add_dates(parser)
    parser.add_argument("--lake", help="folder or URI of the lake (default: OVERTONE_LAKE, else ./build/lake)")
    options = parsed(parser, argv)
    from jobs.lake.spark import SparkLake

    logged = recorded(home(job.build), options.lake)
    sys.exit(guarded(logged(lambda: say(run(job, SparkLake(Address.choose(options.lake)), asked(options)).sentence))))


def _frame(read: Read, lake: SparkLake, dates: Dates) -> DataFrame:
    if not read.table.dated:
        return lake.read(read.table)
    if read.served:
        return _as_served(read, lake, dates)
    if read.latest:
        return lake.read(read.table, [date.fromisoformat(day) for day in read.chosen(dates[0], lake.arrow.files(read.table))])
    last = dates[-1] + timedelta(days=read.ahead)
    wanted = f"date <= DATE'{last}'"
    if not read.history:
        wanted += f" AND date >= DATE'{dates[0] - timedelta(days=read.back)}'"
    return lake.read(read.table).where(wanted)


def _as_served(read: Read, lake: SparkLake, dates: Dates) -> DataFrame:
    """Return each date that is needed as it served the next one, without those whose files upkeep has deleted since."""
    parts = [lake.empty(read.table)]
    for partition, version in served(lake.arrow, read.table).items():
        day = date.fromisoformat(partition)
        if any(read.needs(asked, partition) for asked in dates) and not gone(lake.arrow, read.table, day, version):
            parts.append(lake.read(read.table, [day], version))
    return reduce(lambda left, right: left.unionByName(right, allowMissingColumns=True), parts)
