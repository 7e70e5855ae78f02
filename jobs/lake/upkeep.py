"""What keeps a lake small over the years: old dates go, small files are put together, files that no version needs are deleted.

Nothing of it changes a row that is kept: what is made of a table does not become stale by it, and a run at the same time is not
disturbed. What drops dates or puts files together is one commit a table; cut short, upkeep goes on where it stopped.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote
from uuid import uuid4

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.fs as pafs
import pyarrow.parquet as pq
from deltalake import DeltaTable

from jobs.lake.commit import Note
from jobs.lake.files import add_action, mark_of, values
from jobs.lake.schema import arrow_schema, conform

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date, datetime

    from deltalake.transaction import AddAction

    from jobs.lake.arrow import ArrowLake
    from validation.contract import Table

WHOLE = 256 << 20  # bytes of Parquet that are put into one file
ROWS = 500_000  # of a row group
FEWER = 2  # as many files as a partition needs that make it worth writing anew
DAYS_KEPT = 7  # that files outlive the last version that needs them: for readers of it, for runs that stage, and for `table restore`
RUN = "maintain"


@dataclass(frozen=True)
class Size:
    """What a table takes up: files in force and their bytes, and all bytes below its folder."""

    files: int
    bytes: int
    disk: int


def size(lake: ArrowLake, table: Table) -> Size:
    """Measure a table."""
    system, root = pafs.FileSystem.from_uri(lake.uri(table))
    every = system.get_file_info(pafs.FileSelector(root, recursive=True, allow_not_found=True))
    rows = lake.log(table)
    return Size(len(rows), sum(row["size_bytes"] for row in rows), sum(info.size for info in every if info.is_file))


def expire(lake: ArrowLake, table: Table, now: datetime) -> int:
    """Drop what is older than the table's retention at `now`; return the rows dropped."""
    first = (now - timedelta(days=table.retention_days)).date()
    if table.dated:
        return _drop_dates(lake, table, first)
    return _drop_rows(lake, table, first) if table.aged_by else 0


def compact(lake: ArrowLake, table: Table) -> int:
    """Rewrite each partition that half as many files could hold; return how many files there are fewer."""
    base = lake.version(table)
    adds: list[AddAction] = []
    gone: set[str] = set()
    place = f"kept/{uuid4().hex[:8]}"  # a folder of its own: who does the same at the same time writes another
    try:
        for files in _partitions(lake, table):
            sets = _sets(files)
            if len(files) >= FEWER * len(sets):
                adds += _rewritten(lake, table, sets, place)
                gone |= {row["path"] for row in files}
    except BaseException:
        lake.discard(table, place)  # on a full disk what is half written is in everybody's way
        raise
    if base is None or not gone:
        return 0
    lake.exchange(table, adds, lambda row: row["path"] in gone, Note(RUN, upkeep=True), base)
    return len(gone) - len(adds)


def vacuum(lake: ArrowLake, table: Table) -> int:
    """Delete files that no version of the last `DAYS_KEPT` days needs, staged batches of killed runs among them; return how many."""
    opened, hours = DeltaTable(lake.uri(table)), 24 * DAYS_KEPT
    system, root = pafs.FileSystem.from_uri(lake.uri(table))
    # The log goes on naming what was deleted before.
    named = [f"{root}/{path}" for path in opened.vacuum(hours, dry_run=True, full=True)]
    there = [info.path for info in system.get_file_info(named) if info.is_file]
    for path in there:  # delta-rs would begin with a commit, for which a full disk has no room
        system.delete_file(path)
    return len(there)


def _drop_dates(lake: ArrowLake, table: Table, first: date) -> int:
    base, old = lake.version(table), [row for row in lake.log(table) if row["partition.date"] and str(row["partition.date"]) < str(first)]
    if base is None or not old:
        return 0
    gone = {row["path"] for row in old}
    lake.exchange(table, [], lambda row: row["path"] in gone, Note(RUN, upkeep=True, expired=first.isoformat()), base)
    return sum(row["num_records"] or 0 for row in old)


def _drop_rows(lake: ArrowLake, table: Table, first: date) -> int:
    before = lake.count(table)
    column = lake.read(table, columns=[table.aged_by]).column(table.aged_by)
    oldest = pc.min(column).as_py()
    if oldest is None or oldest.date() >= first:
        return 0
    lake.delete(table, f"{table.aged_by} < '{first}'", Note(RUN, upkeep=True, expired=first.isoformat()))
    return before - lake.count(table)


def _partitions(lake: ArrowLake, table: Table) -> list[list[Mapping[str, Any]]]:
    found: dict[tuple[tuple[str, str | None], ...], list[Mapping[str, Any]]] = {}
    for row in sorted(lake.log(table), key=lambda row: str(row["path"])):
        found.setdefault(tuple(values(row, table).items()), []).append(row)
    return list(found.values())


def _sets(files: Sequence[Mapping[str, Any]]) -> list[list[Mapping[str, Any]]]:
    """Divide a partition's files into sets that become one file each."""
    sets: list[list[Mapping[str, Any]]] = []
    room = 0
    for row in files:
        room -= row["size_bytes"]
        if room < 0:
            sets.append([])
            room = WHOLE - row["size_bytes"]
        sets[-1].append(row)
    return sets


def _rewritten(lake: ArrowLake, table: Table, sets: Sequence[Sequence[Mapping[str, Any]]], place: str) -> list[AddAction]:
    """Write each set of a partition's files as one, and return how the log names it."""
    system, root = pafs.FileSystem.from_uri(lake.uri(table))
    whole = arrow_schema(table)
    schema = pa.schema([whole.field(name) for name in whole.names if name not in table.partition])
    mark = mark_of([row["path"] for files in sets for row in files])
    system.create_dir(f"{root}/{place}", recursive=True)
    adds = []
    for number, files in enumerate(sets, 1):
        path, rows = f"{place}/kept-{mark}-{number}of{len(sets)}.parquet", 0
        with pq.ParquetWriter(f"{root}/{path}", schema, filesystem=system, compression="zstd", compression_level=3) as writer:
            for part in _parts(system, [f"{root}/{unquote(row['path'])}" for row in files], schema):
                writer.write_table(part)
                rows += part.num_rows
        size = system.get_file_info(f"{root}/{path}").size
        adds.append(add_action(path, size, rows, values(files[0], table), data_change=False))
    return adds


def _parts(system: pafs.FileSystem, paths: Sequence[str], schema: pa.Schema) -> Iterator[pa.Table]:
    """Yield what Parquet files hold, in order, as row groups of a good size: many small ones would repeat their dictionaries."""
    waiting: list[pa.Table] = []
    for path in paths:
        with pq.ParquetFile(system.open_input_file(path)) as file:
            for batch in file.iter_batches(ROWS):
                waiting.append(conform(pa.Table.from_batches([batch]), schema))
                if sum(part.num_rows for part in waiting) >= ROWS:
                    yield pa.concat_tables(waiting)
                    waiting = []
    if waiting:
        yield pa.concat_tables(waiting)
