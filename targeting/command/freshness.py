"""`overtone freshness`: which tables are late by their own promise, and a notice to whoever wants to know."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

from jobs.catalogue import TABLES
from jobs.console import iso_moment
from jobs.contracts.operations import VERDICTS
from jobs.lake.commit import WHOLE
from targeting.command.place import nothing, opened
from targeting.command.reply import Reply, table
from validation.verdict import OvertoneError, WrongUse

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Mapping, Sequence

    from jobs.lake.arrow import ArrowLake
    from validation.contract import Table

HELP = "say which tables are late by their own promise (overtone tables); with --notice, tell somebody, once a miss"
EXAMPLE = "overtone freshness --notice /var/log/overtone-late.jsonl"
COLUMNS = ("table", "hours", "expected", "published", "at", "state", "late_hours", "why")
FRESH, NONE, LATE, NEVER, HELD = "fresh", "none yet", "late", "never published", "held back"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True)
class Freshness:
    """One table at one moment: the newest date it owes, the newest it has, and the first one it owes and has not."""

    table: str
    hours: int
    expected: date
    published: date | None
    at: datetime | None  # when the newest date was published last
    missing: date | None = None  # the first date owed
    late_hours: float | None = None  # since that was due; None for a table that was never published
    state: str = FRESH
    why: str = ""

    @property
    def late(self) -> bool:
        """Whether a promise is broken."""
        return self.state not in (FRESH, NONE)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--at", type=iso_moment, help="judge by this moment, such as 2026-11-10T06:00 (UTC unless it says; default: now)")
    parser.add_argument("--notice", metavar="FILE|URL", help="append new misses and recoveries to a file, or POST them to an http(s) URL")


def run(options: argparse.Namespace) -> Reply:
    """Judge every table that promises something; the exit code is 1 if any is late, or somebody could not be told."""
    lake, now = opened(options.lake), options.at or datetime.now(UTC)
    found = judge(lake, now)
    rows, late = [told(one) for one in found], [told(one) for one in found if one.late]
    notice, arrived = _tell(lake, now, late, options.notice) if options.notice is not None else ("", True)
    said = (
        f"{len(late)} of {len(found)} tables are late at {now:%Y-%m-%d %H:%M} UTC"
        if late
        else f"no table is late at {now:%Y-%m-%d %H:%M} UTC"
    )
    words = "\n".join(part for part in (nothing(lake, ""), said, notice) if part)
    data = {"at": now.isoformat(), "lake": lake.address.uri, "tables": rows, "notice": notice or None}
    return Reply(data, f"{table(rows, COLUMNS, empty='')}\n\n{words}", exit_code=1 if late or not arrived else 0)


def judge(lake: ArrowLake, now: datetime) -> list[Freshness]:
    """Return how fresh each table is that promises to be, left to right."""
    held = held_back(lake)
    return [judged(one, published(lake, one), held, now) for one in TABLES.values() if one.fresh_hours is not None]


def held_back(lake: ArrowLake) -> list[dict[str, object]]:
    """Return failed checks of batches that no later ones replaced: those of all their files, or, made by a job, of all their dates."""
    rows = sorted(lake.read(VERDICTS).to_pylist(), key=lambda row: row["audited_at"])
    batches = {(row["target"], row["run"]): row for row in rows}
    newest = {(target, part): run for (target, run), row in batches.items() for part in (*(row["files"] or ()), *_parts(row["dates"]))}
    standing = {key for key, row in batches.items() if any(newest[key[0], part] == key[1] for part in row["files"] or _parts(row["dates"]))}
    return [
        {"table": row["target"], **{name: row[name] for name in ("dates", "rule", "observed", "expected", "failed_rows", "audited_at")}}
        for row in rows
        if not row["success"] and (row["target"], row["run"]) in standing
    ]


def published(lake: ArrowLake, one: Table) -> dict[date, datetime | None]:
    """Return the dates that were published, each with the commit that did it last.

    The commits of jobs name their dates. Those of an intake name files: dates that only they brought are read from the table's
    partitions, and are as old as the newest intake at most.
    """
    commits = [commit for commit in lake.history(one) if commit.note.published]
    newest: dict[date, datetime | None] = dict.fromkeys(
        map(date.fromisoformat, filter(None, lake.files(one))), commits[0].at if commits else None
    )
    named: dict[date, datetime | None] = {}
    for commit in reversed(commits):
        named |= {day: commit.at for day in map(_date, commit.note.published) if day}
    return newest | named


def judged(one: Table, known: Mapping[date, datetime | None], held: Sequence[Mapping[str, object]], now: datetime) -> Freshness:
    """Judge one table by the dates it has.

    It owes every date from its newest to the expected one; and older ones that were held back and not published since, while a
    later date was.
    """
    hours, newest = one.fresh_hours or 0, max(known, default=None)
    expected = (now - hours * HOUR).date() - DAY
    plain = Freshness(one.name, hours, expected, newest, known[newest] if newest else None)
    rules: dict[date, set[str]] = {}
    for found in held:
        for day in _span(str(found["dates"])) if found["table"] == one.name else ():
            rules.setdefault(day, set()).add(str(found["rule"]))
    whole = {str(found["rule"]) for found in held if _nameless(found, plain)}
    owed = {day for day in rules if day <= expected and day not in known}
    if newest is None and not one.may_be_empty:
        owed.add(expected)
    elif newest is not None and newest < expected:
        owed.add(newest + DAY)
    if not owed:
        return plain if newest else replace(plain, state=NONE, why="nothing need be published")
    missing = min(owed)
    state, why = LATE if newest else NEVER, f"{missing} is missing" if newest else "no date was ever published"
    if broken := rules.get(missing, whole):
        state, why = HELD, f"{missing if missing in rules else 'a batch'} was held back: {', '.join(sorted(broken))}"
    return replace(
        plain, missing=missing, late_hours=round((now - due(missing, hours)) / HOUR, 1) if newest else None, state=state, why=why
    )


def _nameless(found: Mapping[str, object], one: Freshness) -> bool:
    """Say whether a batch without a good row, and so without dates, was held back after a table's newest publication."""
    at = found["audited_at"]
    return found["table"] == one.table and found["dates"] == WHOLE and (one.at is None or (isinstance(at, datetime) and at > one.at))


def due(day: date, hours: int) -> datetime:
    """Return the moment by which a date is to be published."""
    return datetime.combine(day + DAY, time(), UTC) + hours * HOUR


def told(one: Freshness) -> dict[str, object]:
    """Return it as plain values."""
    at = one.at.strftime("%Y-%m-%d %H:%M") if one.at else None
    days = {"expected": str(one.expected), "published": str(one.published) if one.published else None}
    return {**vars(one), **days, "at": at, "missing": str(one.missing) if one.missing else None}


def _tell(lake: ArrowLake, now: datetime, late: Iterable[dict[str, object]], target: str) -> tuple[str, bool]:
    """Tell the target what is new; return a sentence, and whether it arrived."""
    from targeting.command.notice import tell_once

    try:
        return tell_once(lake.address, now, {str(one["table"]): one for one in late}, target), True
    except WrongUse:
        raise
    except OvertoneError as error:
        return str(error), False


def _span(dates: str) -> list[date]:
    """Return the dates of a batch as its verdict spells them: one, first..last, or 'all'."""
    first, _, last = dates.partition("..")
    start, end = _date(first), _date(last or first)
    return [start + n * DAY for n in range((end - start).days + 1)] if start and end else []


def _parts(dates: str) -> list[str]:
    return [str(day) for day in _span(dates)] or [dates]


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
