"""Going back: what was published of a table at an earlier version, made its content again by one commit."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pyarrow.fs as pafs

from jobs.lake.commit import Note, stamp
from jobs.lake.files import add_action, mark_of, values
from validation.verdict import OvertoneError, WrongUse

if TYPE_CHECKING:
    from datetime import date

    from jobs.lake.arrow import ArrowLake
    from jobs.lake.commit import Commit
    from validation.contract import Table

ISO = re.compile(r"\d{4}-\d\d-\d\d")


def publications(lake: ArrowLake, table: Table, day: date | None) -> list[tuple[Commit, int, str]]:
    """Return the commits after which a date (or a table without dates) held other rows than before, newest first.

    Beside each: how many rows it held then, and the mark of its files. Upkeep changes no row and is left out.
    """
    found: list[tuple[Commit, int, str]] = []
    for commit in reversed(lake.history(table)):
        dates = [key for key in commit.note.published if ISO.fullmatch(key)]
        if commit.note.upkeep or (day and dates and day.isoformat() not in dates):
            continue
        rows = of_date(lake, table, day, commit.version)
        mark = mark_of([str(row["path"]) for row in rows])
        if mark != found[-1][2] if found else rows:
            found.append((commit, sum(row["num_records"] or 0 for row in rows), mark))
    return found[::-1]


def restore(lake: ArrowLake, table: Table, day: date | None, version: int, published: str) -> int | None:
    """Make a date (or a table without dates) what it was at a version; return the new version, None if it is that already.

    `published` is the fingerprint that it counts as published under. Files that upkeep has deleted since raise `OvertoneError`.
    """
    base = lake.version(table)
    if base is None or not 0 <= version <= base:
        raise WrongUse(f"{table.name} has no version {version}; {'it was never published' if base is None else f'choose 0 to {base}'}")
    wanted, there = of_date(lake, table, day, version), of_date(lake, table, day, base)
    names, present = ({str(row["path"]) for row in rows} for rows in (wanted, there))
    if names == present:
        return None
    lost = sorted(name for name in gone(lake, table, day, version) if name not in present)
    if lost:
        raise OvertoneError(f"{table.name}: {len(lost)} files of version {version} are deleted, such as {lost[0]}; nothing was changed")
    adds = [
        add_action(row["path"], row["size_bytes"], row["num_records"] or 0, values(row, table))
        for row in wanted
        if row["path"] not in present
    ]
    note = Note(f"restore of version {version}", {stamp(day): published})
    return lake.exchange(table, adds, lambda row: row["path"] in present - names, note, base)


def of_date(lake: ArrowLake, table: Table, day: date | None, version: int) -> list[dict[str, Any]]:
    """Return the log's rows of a date's files (of all files for None) at a version."""
    return [row for row in lake.log(table, version) if day is None or str(row["partition.date"]) == day.isoformat()]


def gone(lake: ArrowLake, table: Table, day: date | None, version: int) -> list[str]:
    """Return the files of a date at a version, as the log names them, that upkeep has deleted since."""
    system, root = pafs.FileSystem.from_uri(lake.uri(table))
    names = [str(row["path"]) for row in of_date(lake, table, day, version)]
    return [name for name in names if system.get_file_info(f"{root}/{unquote(name)}").type is pafs.FileType.NotFound]
