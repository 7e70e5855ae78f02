"""Rows that were refused, taken in after all: once a rule, an adapter or a setting was mended, the same files are read again.

Quarantine keeps too little of a row to make it again (shortened, and without what identifies), so the files are needed. What
the table holds of them is known by its keys; what is refused still stays in quarantine.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Any

from jobs import ledger
from jobs.contracts.operations import FILES
from jobs.intake import take
from jobs.lake.key import load_key
from jobs.publish import drop_refused
from jobs.sources import SOURCES
from jobs.sources.files import find
from jobs.sources.parsing import Taking
from validation.contract import did_you_mean
from validation.verdict import WrongUse

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from jobs.lake.spark import SparkLake
    from jobs.sources.files import Taken
    from jobs.sources.source import Feed


@dataclass(frozen=True)
class Released:
    """What reading files again brought to one table: rows let in, rows refused still, by reason where any was let in."""

    table: str
    files: int
    released: int
    refused: int
    reasons: Mapping[str, int]

    @property
    def sentence(self) -> str:
        """Say it in one line."""
        why = ", ".join(f"{reason} {rows:,}" for reason, rows in sorted(self.reasons.items(), key=lambda item: -item[1]))
        still = f"{self.refused:,} refused still{f' ({why})' if why else ''}"
        return f"{self.table}: {self.released:,} rows released from {self.files} file{'s' if self.files != 1 else ''}, {still}"

    def __add__(self, other: Released) -> Released:
        """Return what two readings brought to one table."""
        files, released, refused = self.files + other.files, self.released + other.released, self.refused + other.refused
        return Released(self.table, files, released, refused, Counter(self.reasons) + Counter(other.reasons))


def release(lake: SparkLake, source: str, paths: Sequence[str | Path], *, clock: datetime, user: str | None = None) -> list[Released]:
    """Read files again of which rows were refused; return what that brought, a table. Files of which none was are passed over."""
    if source not in SOURCES:
        raise WrongUse(f"unknown source {source!r}{did_you_mean(source, SOURCES)}")
    adapter = SOURCES[source]
    taking = Taking(source, load_key(lake.address), clock, user)
    taken, _ = find(adapter, paths, SOURCES)
    entries = ledger.known(lake.arrow, {feed.table.name: feed.table for feed in adapter.feeds}.values())
    found = []
    for feed in adapter.feeds:
        files = _known(feed, taken, entries)
        _forget(lake, feed, files)  # a release that was cut short left that undone
        refused = [one for one in files if entries[feed.table.name, one.sha256]["quarantined"]]
        if refused:
            found.append(reduce(add, [_again(lake, feed, part, taking, entries) for part in _apart(refused)]))
    return found


def _known(feed: Feed, taken: Sequence[Taken], entries: Mapping[tuple[str, str], Mapping[str, Any]]) -> list[Taken]:
    """Return the files that the feed's table took in, called as they were then."""
    mine = {one.sha256: one for one in taken if feed.takes(one.path.name)}
    rows = [(one, entries.get((feed.table.name, sha256))) for sha256, one in mine.items()]
    return [replace(one, name=row["file"]) for one, row in rows if row]


def _apart(files: Sequence[Taken]) -> list[list[Taken]]:
    """Divide files so that no two of one name are read at once: a table tells its rows' files by their names alone."""
    parts: list[dict[str, Taken]] = []
    for one in files:
        part = next((part for part in parts if one.name not in part), None)
        if part is None:
            parts.append(part := {})
        part[one.name] = one
    return [list(part.values()) for part in parts]


def _again(
    lake: SparkLake, feed: Feed, files: Sequence[Taken], taking: Taking, entries: Mapping[tuple[str, str], Mapping[str, Any]]
) -> Released:
    table = feed.table
    before = {one.name: ledger.count_of(entries[table.name, one.sha256]) for one in files}
    done = take(lake, feed, files, taking, before)
    kept, refused = done.total.kept - sum(one.kept for one in before.values()), done.total.quarantined
    if kept:
        ledger.enter(lake.arrow, taking, done, files)
        _forget(lake, feed, files)
    return Released(table.name, len(files), kept, refused, done.reasons)


def _forget(lake: SparkLake, feed: Feed, files: Sequence[Taken]) -> None:
    """Take out of quarantine what earlier readings of files refused: all but what the ledger names as their last one."""
    names = {one.name for one in files}
    last = {(row["file"], row["run"]) for row in lake.arrow.read(FILES).to_pylist() if row["target"] == feed.table.name}
    drop_refused(lake.arrow, feed.table, "release", lambda row: row["file"] in names and (row["file"], row["run"]) not in last)
