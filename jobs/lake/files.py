"""A table's data files as its log tells of them: their partition, their actions, and a mark of what they hold together."""

from __future__ import annotations

import hashlib
import re
import time
from typing import TYPE_CHECKING
from urllib.parse import unquote

from deltalake import CommitProperties
from deltalake.transaction import AddAction, RemoveAction

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from jobs.lake.commit import Note
    from validation.contract import Table

# How a file is called that upkeep put together from others: by the mark of those, and as which of how many such files.
KEPT = re.compile(r"(?:^|/)kept-(?P<mark>[0-9a-f]{16})-(?P<number>\d+)of(?P<of>\d+)\.parquet$")

HIDDEN = re.compile(r"(^|/)(_|\.[^/])")  # names of files and folders that Hadoop and Spark pass over, and so do we


def mark_of(paths: Collection[str]) -> str:
    """Return 16 hex digits for the files of one partition; those that were put together from others have the others' mark."""
    found = [KEPT.search(path) for path in paths]
    kept = {(one["mark"], int(one["of"])) for one in found if one}
    if None not in found and len(kept) == 1:
        mark, whole = kept.pop()
        if len(paths) == whole:
            return str(mark)
    return hashlib.sha256("\0".join(sorted(paths)).encode()).hexdigest()[:16]


def partition_values(path: str) -> dict[str, str]:
    """Read `name=value` folders out of a path, as Spark writes them (percent-encoded)."""
    parts = (part.split("=", 1) for part in path.split("/")[:-1] if "=" in part)
    return {name: unquote(value) for name, value in parts}


def covered(row: Mapping[str, object], replace: Collection[Mapping[str, str]] | None) -> bool:
    """Say whether a file, a row of the log, lies in one of these partitions; None stands for all."""
    if replace is None:
        return True
    return any(all(str(row[f"partition.{name}"]) == value for name, value in partition.items()) for partition in replace)


def values(row: Mapping[str, object], table: Table) -> dict[str, str | None]:
    """Return the partition of a file, a row of the log."""
    return {name: None if row[f"partition.{name}"] is None else str(row[f"partition.{name}"]) for name in table.partition}


def add_action(path: str, size: int, rows: int, partition: Mapping[str, str | None], *, data_change: bool = True) -> AddAction:
    """Return the action that makes a file of so many bytes and rows part of the table; of what it holds the log says no more."""
    return AddAction(path, size, dict(partition), _now(), data_change=data_change, stats=f'{{"numRecords": {rows}}}')


def remove_action(row: Mapping[str, object], table: Table, *, data_change: bool) -> RemoveAction:
    """Return the action that takes a file, a row of the log, out of the table."""
    return RemoveAction(path=str(row["path"]), deletion_timestamp=_now(), data_change=data_change, partition_values=values(row, table))


def properties(note: Note) -> CommitProperties:
    """Return a commit's metadata for delta-rs."""
    return CommitProperties(custom_metadata={"userMetadata": note.dumps()})


def _now() -> int:
    return int(time.time() * 1000)


def quoted(value: str) -> str:
    """Return text as it stands within the quotes of an SQL string."""
    return value.replace("'", "''")
