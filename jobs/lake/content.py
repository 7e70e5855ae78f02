"""What each date of a table holds, told by when its rows became known: a late row changes nothing for who asks as of an earlier date."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

from jobs.lake.commit import stamp

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jobs.lake.arrow import ArrowLake
    from validation.contract import Table

ALWAYS = ""  # stands for the date on which rows became known where a commit does not tell: known to whoever asks

Content = dict[str, dict[str, str]]


def content(lake: ArrowLake, table: Table) -> Content:
    """Return the marks of each date in force; where its newest commit tells none, that of its files, under `ALWAYS`."""
    newest: dict[str, Mapping[str, str]] = {}
    for commit in lake.history(table):
        if commit.note.upkeep:
            continue
        if not commit.note.published:
            break  # rows may have gone from any date
        newest = {**{day: commit.note.content.get(day, {}) for day in commit.note.published}, **newest}
    return {day: dict(newest.get(day) or {ALWAYS: mark}) for day, mark in lake.marks(table).items()}


def known_on(of: Content, day: date) -> tuple[str, ...]:
    """Return the dates some of whose rows may have become known on a date."""
    return tuple(sorted(date for date, known in of.items() if ALWAYS in known or stamp(day) in known))


def served(lake: ArrowLake, table: Table) -> dict[str, int]:
    """Return, by date, the version whose rows of it served the next date first, where that was worked on while it lasted.

    That is the first publication of the date on the day after it, else the last one before; what came later was not there in time.
    """
    found: dict[str, int] = {}
    for commit in reversed(lake.history(table)):
        for day in commit.note.published if not commit.note.upkeep else ():
            began = datetime.combine(date.fromisoformat(day) + timedelta(days=1), time(), UTC)
            if commit.at < began or (day not in found and commit.at < began + timedelta(days=1)):
                found[day] = commit.version
    return found
