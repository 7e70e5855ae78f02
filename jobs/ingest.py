"""bronze.*: takes the files of a feed in: one row a record, pseudonymised, deduplicated; what is bad goes to quarantine.

spark-submit jobs/ingest.py eventsim FOLDER --basis assume --lake ./build/lake

A file is known by the hash of its bytes: taking it in again changes nothing, whatever it is called. Each table's rows enter
by one commit that names the files, so a run that was killed goes on with what is missing.
"""

from __future__ import annotations

import hashlib
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from jobs import ledger
from jobs.console import Parser, a_path, guarded, parsed, say, somebody
from jobs.contracts.events import LISTENERS, PLAYS
from jobs.fingerprint import fingerprint
from jobs.intake import Count, Intake, take
from jobs.journal import recorded, tell
from jobs.lake.address import Address
from jobs.lake.committed import in_turn
from jobs.lake.key import load_key
from jobs.lake.schema import arrow_schema
from jobs.lake.spark import SparkLake
from jobs.publish import Batch, publish
from jobs.sources import SOURCES
from jobs.sources.consent import basis_of, statements
from jobs.sources.files import Skipped, Taken, find
from jobs.sources.parsing import Taking
from validation.contract import did_you_mean
from validation.verdict import HeldBack, WrongUse

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from pathlib import Path

    from jobs.sources.source import Feed, Source


@dataclass(frozen=True)
class Report:
    """What taking in did."""

    source: str
    intakes: tuple[Intake, ...]
    skipped: tuple[Skipped, ...]
    known: int  # files that were taken in before
    stated: int  # statements of consent added by --basis
    basis: str

    @property
    def changed(self) -> bool:
        """Whether anything was published."""
        return bool(self.intakes) or self.stated > 0

    @property
    def kept(self) -> int:
        """Rows published."""
        return sum(one.total.kept for one in self.intakes)

    @property
    def sentence(self) -> str:
        """Say it in one line."""
        if not self.changed:
            return f"ingest {self.source}: nothing to do, all files were taken in before"
        total = sum((one.total for one in self.intakes), Count())
        counts = f"{total.kept:,} kept, {total.quarantined:,} quarantined, {total.deduplicated:,} known already"
        return f"ingest {self.source}: {total.rows_in:,} records: {counts}{'; consent is ASSUMED' if self.basis == 'assume' else ''}"

    def data(self) -> dict[str, Any]:
        """Return the report as plain values."""
        tables = [
            {
                "table": one.table,
                "files": len(one.by_file),
                "rows_in": one.total.rows_in,
                "kept": one.total.kept,
                "quarantined": one.total.quarantined,
                "deduplicated": one.total.deduplicated,
                "reasons": dict(one.reasons),
                "dates": [day.isoformat() for day in one.dates],
            }
            for one in self.intakes
        ]
        skipped = [{"file": one.name, "would_take": list(one.takers), "why": one.why} for one in self.skipped]
        return {
            "source": self.source,
            "basis": self.basis,
            "tables": tables,
            "skipped": skipped,
            "known": self.known,
            "stated": self.stated,
        }

    def text(self) -> str:
        """Return the report for people."""
        lines = [self.sentence]
        for one in self.intakes:
            reasons = ", ".join(f"{reason} {rows:,}" for reason, rows in sorted(one.reasons.items(), key=lambda item: -item[1]))
            total = one.total
            counts = f"{total.rows_in:,} in = {total.kept:,} kept + {total.quarantined:,} quarantined + {total.deduplicated:,} known"
            lines.append(f"  {one.table}: {counts}{f' ({reasons})' if reasons else ''}{f'; {len(one.dates)} dates' if one.dates else ''}")
        lines += [f"  {one.sentence}" for one in self.skipped]
        if self.stated:
            lines.append(f"  {self.stated:,} statements of consent by --basis {self.basis}")
        return "\n".join(lines)


def ingest(
    lake: SparkLake, source: str, paths: Sequence[str | Path], *, clock: datetime, basis: str = "none", user: str | None = None
) -> Report:
    """Take in the files below `paths` that the lake does not know yet; `clock` is the moment nothing may lie after."""
    if source not in SOURCES:
        raise WrongUse(f"unknown source {source!r}{did_you_mean(source, SOURCES)}")
    adapter = SOURCES[source]
    kind, consents = basis_of(basis)
    if adapter.states_consent and kind != "none":
        raise WrongUse(f"--basis {basis}: the {source} feed brings listeners' own statements; leave --basis out")
    taking = Taking(source, load_key(lake.address), clock, user)
    said = statements(consents, taking) if consents else []
    taken, skipped = find(adapter, paths, SOURCES)
    with _explained(adapter, user):
        tried = [in_turn(lambda feed=feed: _take_new(lake, feed, taken, taking)) for feed in adapter.feeds]  # type: ignore[misc]
    intakes = [one for one in tried if one]
    stated = 0
    if kind == "assume":
        stated = in_turn(lambda: _assume(lake, taking))
    elif said:
        stated = in_turn(lambda: _state(lake, said, taking, str(consents)))
    before = len(taken) - len({file for one in intakes for file in one.by_file})
    return Report(source, tuple(intakes), tuple(skipped), before, stated, kind)


def _take_new(lake: SparkLake, feed: Feed, taken: Sequence[Taken], taking: Taking) -> Intake | None:
    """Take in the files of a feed that its table does not know; return None if it knows all."""
    new = _new(feed, taken, ledger.known(lake.arrow, [feed.table]))
    if not new:
        return None
    done = take(lake, feed, new, taking)
    ledger.enter(lake.arrow, taking, done, new)
    _tell(taking.source, done)
    return done


def _tell(source: str, done: Intake) -> None:
    total, files = done.total, len(done.by_file)
    counts = {"kept": total.kept, "quarantined": total.quarantined, "known": total.deduplicated, "refused": dict(done.reasons)}
    tell("taken_in", name=source, table=done.table, batch=done.run, files=files, **counts)


@contextmanager
def _explained(source: Source, user: str | None) -> Iterator[None]:
    """Add to a refusal what the operator can do about it."""
    try:
        yield
    except HeldBack as held:
        if user or not source.needs_user or "null_listener" not in held.refused:
            raise
        raise HeldBack(f"{held}; where files do not say whose listening it is, --user NAME does", held.refused) from held


def _new(feed: Feed, taken: Sequence[Taken], known: Collection[tuple[str, str]]) -> list[Taken]:
    """Return a feed's files that its table does not know; of files of equal content the first counts."""
    fresh = {one.sha256: one for one in reversed(taken) if feed.takes(one.path.name) and (feed.table.name, one.sha256) not in known}
    return list(reversed(fresh.values()))


def _assume(lake: SparkLake, taking: Taking) -> int:
    """Add, for every listener of the feed without one, the statement that consent is assumed from the first play on."""
    plays = lake.arrow.read(PLAYS, columns=["feed", "listener_id", "event_ts", "known_ts"])
    mine = plays.filter(pc.equal(plays.column("feed"), taking.source))
    first = mine.group_by("listener_id").aggregate([("event_ts", "min"), ("known_ts", "min")]).to_pylist()
    rows = [_row(taking, row["listener_id"], row["event_ts_min"], row["known_ts_min"]) | {"basis": "assume"} for row in first]
    return _add(lake, rows)


def _state(lake: SparkLake, said: Sequence[Any], taking: Taking, file: str) -> int:
    rows = [
        _row(taking, one.listener_id, one.moment, one.moment)
        | {"basis": "file", "consent": one.consent, "age_band": one.age_band, "time_zone": one.time_zone, "position": one.position}
        | {"file": file.rsplit("/", 1)[-1]}
        for one in said
    ]
    return _add(lake, rows)


def _row(taking: Taking, listener: str, event: datetime, known: datetime) -> dict[str, Any]:
    return {
        "date": event.date(),
        "feed": taking.source,
        "listener_id": listener,
        "event_ts": event,
        "known_ts": known,
        "ingested_at": taking.clock,
        "consent": "granted",
        "age_band": "unknown",
        "file": "--basis",
        "position": 0,
    }


def _add(lake: SparkLake, rows: list[dict[str, Any]]) -> int:
    """Publish statements that the lake does not hold yet, audited like any other batch."""
    for row in rows:
        parts = (row["feed"], row["basis"], row["listener_id"], row["event_ts"].isoformat(), row["consent"], row["age_band"])
        row["event_id"] = hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:32]
    held = set(lake.arrow.read(LISTENERS, columns=["event_id"]).column("event_id").to_pylist())
    new = {row["event_id"]: row for row in rows if row["event_id"] not in held}
    if not new:
        return 0
    lake.arrow.create(LISTENERS)
    dates = tuple(sorted({row["date"] for row in new.values()}))
    run, files = fingerprint([LISTENERS.name, *sorted(new)]), tuple(sorted({row["file"] for row in new.values()}))
    batch = Batch(LISTENERS, dates, run, {}, lake.arrow.version(LISTENERS) or 0, files)
    frame = lake.spark.createDataFrame(pa.Table.from_pylist(list(new.values()), arrow_schema(LISTENERS)))
    return publish(lake, frame, batch, replace=()).rows


def main(argv: Sequence[str] | None = None) -> None:
    """Take files in from the command line and end the process with the platform's exit code."""
    parser = Parser(description="Take the files of a feed into the lake.", epilog="example: eventsim ./feed --basis assume")
    parser.add_argument("source", help=f"one of {', '.join(SOURCES)}")
    parser.add_argument("paths", type=a_path, nargs="+", metavar="PATH", help="files, or folders of files")
    parser.add_argument("--basis", default="none", help="none (default), assume or file:consent.csv")
    parser.add_argument("--user", type=somebody, help="whose listening it is, for feeds that do not say")
    parser.add_argument("--lake", help="folder or URI of the lake (default: OVERTONE_LAKE, else ./build/lake)")
    options = parsed(parser, argv)

    def action() -> None:
        lake = SparkLake(Address.choose(options.lake))
        done = ingest(lake, options.source, options.paths, clock=datetime.now(UTC), basis=options.basis, user=options.user)
        say(done.text())

    sys.exit(guarded(recorded("jobs.ingest", options.lake)(action)))


if __name__ == "__main__":
    main()
