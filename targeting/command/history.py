"""`overtone table`: what was published of a table and when, and going back to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobs import catalogue
from jobs.console import iso_date, whole
from jobs.contracts import events
from jobs.lake.commit import stamp
from jobs.lake.versions import publications, restore
from jobs.run import fingerprints
from targeting.command.place import among, opened
from targeting.command.reply import Reply, table
from targeting.command.status import jobs_of, stale_dates
from validation.verdict import WrongUse

if TYPE_CHECKING:
    import argparse
    from datetime import date

    from jobs.lake.arrow import ArrowLake
    from validation.contract import Table

HELP = "what was published of a table and when; bring an earlier publication of a date back"
EXAMPLE = "overtone table restore silver.listens --date 2026-11-08 --version 3"
SETTLED = "it counts as up to date until its inputs or its code change"
ANEW = "it is made anew by the next overtone audience build"
TAKES_IN = "its files count as taken in all the same: rows that went with this come back only with their version"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    told = "example: overtone table history silver.listens --date 2026-11-08"
    actions.add_parser("history", help="the versions that changed a date, newest first", epilog=told)
    back = actions.add_parser("restore", help="make a date what it was at a version", epilog=f"example: {EXAMPLE}")
    back.add_argument("--version", type=whole(0), required=True, help="a version that `overtone table history` lists")
    for sub in actions.choices.values():
        sub.add_argument("name", help="name of the table, such as silver.listens")
        sub.add_argument("--date", type=iso_date, help="the UTC date, for a table that has dates")


def run(options: argparse.Namespace) -> Reply:
    """Tell a date's publications, or go back to one."""
    lake, one = opened(options.lake), catalogue.table(options.name)
    day = _day(lake, one, options.date)
    if options.action == "restore":
        return _restore(lake, one, day, options.version)
    found = publications(lake, one, day)
    now = stamp(day)
    rows = [
        {"version": c.version, "at": f"{c.at:%Y-%m-%d %H:%M:%S}", "rows": n, "run": c.note.run, "published_as": c.note.published.get(now)}
        for c, n, _ in found
    ]
    return Reply(rows, table(rows, ("version", "at", "rows", "run"), empty=f"{one.name} holds nothing{f' of {day}' if day else ''}"))


def _day(lake: ArrowLake, one: Table, day: date | None) -> date | None:
    if not one.dated:
        if day:
            raise WrongUse(f"{one.name} is not partitioned by date; leave --date out")
        return None
    if day is None:
        raise WrongUse(f"{one.name} is partitioned by date: name one with --date")
    known = {*lake.files(one), *lake.published(one)}
    # A date of which nothing is left may have been published before.
    if day.isoformat() not in known and not publications(lake, one, day):
        among(day, known, f"rows of {one.name}", f"overtone tables {one.name}")
    return day


def _restore(lake: ArrowLake, one: Table, day: date | None, version: int) -> Reply:
    listed = sorted(commit.version for commit, _, _ in publications(lake, one, day))
    if version not in listed:
        which = f"choose among {', '.join(map(str, listed))}" if listed else "none did"
        raise WrongUse(f"version {version} of {one.name} is none that changed {day or 'it'}; {which} (overtone table history)")
    before = stale_dates(lake)
    made = restore(lake, one, day, version, _fingerprint(lake, one, day))
    what = one.name if day is None else f"{one.name} of {day}"
    if made is None:
        said = f"nothing to do: {what} is what it was at version {version}"
        return Reply({"version": lake.version(one), "changed": False, "stale": {}}, said)
    after = stale_dates(lake)
    stale = {name: new for name, days in after.items() if (new := sorted({*days} - {*before.get(name, [])}))}
    then = [name for name in followers(lake, one.name) if name not in stale]
    lines = [f"{what} is again what it was at version {version} (version {made})", *_counts_as(lake, one)]
    lines += [f"stale by it: {name} of {', '.join(days)}" for name, days in stale.items()] or ["nothing became stale by it"]
    lines += [f"made of it, if by way of others: {', '.join(then)}"] if then else []
    lines += ["overtone day --stale brings all that is made of it up to date"] if stale or then else []
    return Reply({"version": made, "changed": True, "stale": stale, "follows": then}, "\n".join(lines))


def _counts_as(lake: ArrowLake, one: Table) -> list[str]:
    """Say what becomes of a table that was brought back; nothing of one that no job makes."""
    from targeting import audiences

    if one in events.EVENTS:
        return [TAKES_IN]
    if one in [job.writes for job in audiences.jobs(())]:
        return [ANEW]
    return [SETTLED] if one in [job.writes for job in jobs_of(lake)] else []


def followers(lake: ArrowLake, name: str) -> list[str]:
    """Return what is made of a table, directly or not, as far as the lake has made it before: tables, models and exports."""
    made_of = {job.writes.name: {read.table.name for read in job.inputs} for job in jobs_of(lake)} | _made_by()
    found = {name}
    while more := {other for other, reads in made_of.items() if other not in found and reads & found}:
        found |= more
    return [other for other in made_of if other in found - {name}]


def _made_by() -> dict[str, set[str]]:
    """Return the tables that each of those is made of that no fingerprint of a job tells of."""
    from jobs.contracts.delivery import TRAININGS
    from jobs.contracts.silver import SILVER_LISTENERS
    from ray_tune.models import MODELS
    from targeting import audiences
    from targeting.exports.deliver import LINEAGE

    found = {job.writes.name: {read.table.name for read in job.inputs} for job in audiences.jobs(())}
    trained = {model.examples.name for model in MODELS.values()} | {SILVER_LISTENERS.name}
    return {TRAININGS.name: trained} | found | {"exports": {table.name for table in LINEAGE}}


def _fingerprint(lake: ArrowLake, one: Table, day: date | None) -> str:
    """Return what the date would be published under if it were made now: so that nobody makes it anew over what was brought back."""
    for job in jobs_of(lake):
        if job.writes is one and day is not None:
            return fingerprints(job, lake, (day,)).get(day, "restored")
    return "restored"
