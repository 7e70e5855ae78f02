"""What each date of a table holds, told by when its rows became known: a late row changes nothing for who asks as of an earlier date."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobs.lake.commit import stamp

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

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
