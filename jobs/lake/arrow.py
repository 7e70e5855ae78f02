"""The lake without a JVM: Delta tables through delta-rs, frames are pyarrow tables."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.fs as pafs
import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable, Field, Schema, Transaction, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError
from deltalake.transaction import AddAction, RemoveAction

from jobs.lake.address import Address, folder
from jobs.lake.commit import Commit, Note
from jobs.lake.schema import arrow_schema, conform
from validation.verdict import Conflict, OvertoneError

if TYPE_CHECKING:
    from datetime import date

    from validation.contract import Table

Partition = Mapping[str, str]
# Statistics of file contents would keep identifying values in the log after erasure. What is published for which date is read
# from the commits, so the log outlives the rows.
PROPERTIES = {"delta.dataSkippingNumIndexedCols": "0", "delta.checkpointInterval": "50", "delta.logRetentionDuration": "interval 4000 days"}


class ArrowLake:
    """Delta tables below one address. A table that does not exist yet reads as an empty typed frame."""

    def __init__(self, address: Address) -> None:
        self.address = address

    def exists(self, table: Table) -> bool:
        """Say whether the table was ever created."""
        return bool(DeltaTable.is_deltatable(self._uri(table)))

    def version(self, table: Table) -> int | None:
        """Return the latest version, or None where the table does not exist."""
        opened = self._open(table)
        return opened.version() if opened else None

    def read(
        self, table: Table, dates: Collection[date] | None = None, version: int | None = None, columns: list[str] | None = None
    ) -> pa.Table:
        """Return the rows of these dates (all, if None) of the latest or of one version."""
        schema = arrow_schema(table)
        wanted = schema if columns is None else pa.schema([schema.field(name) for name in columns])
        opened = self._open(table, version)
        if opened is None:
            return wanted.empty_table()
        if opened.metadata().configuration.get("delta.columnMapping.mode", "none") != "none":
            raise OvertoneError(f"{table.name}: column mapping is on; pyarrow would read nulls in silence. Rewrite the table without it.")
        where = None if dates is None else ds.field("date").isin(sorted(dates))
        # Through delta-rs' own file system Arrow's threads call Python, and one that still does while Python ends aborts the process.
        system, root = pafs.FileSystem.from_uri(self._uri(table))
        stored = opened.to_pyarrow_dataset(filesystem=pafs.SubTreeFileSystem(root, system))
        known = [name for name in wanted.names if name in stored.schema.names]
        return conform(stored.to_table(columns=known, filter=where), wanted)

    def overwrite(self, table: Table, frame: pa.Table, dates: Collection[date] | None, note: Note) -> int:
        """Replace exactly these dates, or the whole table if None, in one commit; return the version."""
        where = None if dates is None else "date IN ({})".format(", ".join(f"'{day}'" for day in sorted(dates)))
        return self._commit(table, frame, note, mode="overwrite", predicate=where)

    def replace(self, table: Table, frame: pa.Table, where: Partition, note: Note) -> int:
        """Replace the rows whose columns equal `where` in one commit; return the version."""
        predicate = " AND ".join(f"{name} = '{_quoted(value)}'" for name, value in where.items())
        return self._commit(table, frame, note, mode="overwrite", predicate=predicate)

    def append(self, table: Table, frame: pa.Table, note: Note) -> int:
        """Add rows in one commit; return the version."""
        return self._commit(table, frame, note, mode="append")

    def merge(self, table: Table, frame: pa.Table, note: Note) -> int:
        """Insert rows, or replace those of equal key, in one commit; return the version."""
        self.create(table)
        opened = self._opened(table)
        same = " AND ".join(f"old.{name} = new.{name}" for name in table.key)
        merger = opened.merge(
            conform(frame, arrow_schema(table)), same, source_alias="new", target_alias="old", commit_properties=_properties(note)
        )
        with _first(table):
            merger.when_matched_update_all().when_not_matched_insert_all().execute()
        return self._opened(table).version()

    def history(self, table: Table, limit: int | None = None) -> list[Commit]:
        """Return commits, newest first."""
        opened = self._open(table)
        return [Commit.read(raw) for raw in opened.history(limit)] if opened else []

    def published(self, table: Table) -> dict[str, str]:
        """Return, for each date ever published (or 'all'), the fingerprint of its newest publication."""
        newest: dict[str, str] = {}
        for commit in self.history(table):
            newest = {**commit.note.published, **newest}
        return newest

    def files(self, table: Table) -> dict[str, tuple[str, ...]]:
        """Return the data files in force by date ('' for a table without dates), names sorted."""
        opened = self._open(table)
        if opened is None:
            return {}
        found: dict[str, list[str]] = {}
        for row in pa.table(opened.get_add_actions(flatten=True)).to_pylist():
            found.setdefault(str(row.get("partition.date") or ""), []).append(row["path"])
        return {day: tuple(sorted(paths)) for day, paths in found.items()}

    def count(self, table: Table) -> int:
        """Return the number of rows, from the log alone."""
        opened = self._open(table)
        return sum(row["num_records"] or 0 for row in pa.table(opened.get_add_actions(flatten=True)).to_pylist()) if opened else 0

    def create(self, table: Table) -> None:
        """Create the table empty unless it exists; columns declared since then are added to it, null in its old rows."""
        schema = Schema.from_arrow(arrow_schema(table))
        opened = self._open(table)
        if opened is None:
            DeltaTable.create(self._uri(table), schema, mode="ignore", partition_by=list(table.partition), configuration=PROPERTIES)
            return
        known = {field.name for field in opened.schema().fields}
        if added := [Field(field.name, field.type, nullable=True) for field in schema.fields if field.name not in known]:
            opened.alter.add_columns(added)

    def adopt(self, table: Table, staged: str, replace: Collection[Partition] | None, note: Note, base: int) -> int:
        """Make staged Parquet files part of the table by one commit; return the version.

        `staged` is a folder below the table's, laid out by partition. `replace` names the partitions whose present files go:
        None all, empty none. `base` is the version the batch was computed against: whatever anybody published since makes
        this raise `Conflict`, and nothing changes.
        """
        opened = self._opened(table)
        adds = [self._add(table, path) for path in self.staged_files(table, staged)]
        removes = [_remove(row, table) for row in pa.table(opened.get_add_actions(flatten=True)).to_pylist() if _covered(row, replace)]
        # Two writers that both name this application id conflict, whatever they touch: the second is refused.
        turn = Transaction("overtone.publish", base + 1, int(time.time() * 1000))
        properties = CommitProperties(custom_metadata={"userMetadata": note.dumps()}, app_transactions=[turn], max_commit_retries=0)
        if opened.version() != base:
            raise Conflict(f"{table.name}: version {opened.version()} was published while this run worked on version {base}; run again")
        with _first(table):
            opened.create_write_transaction(
                [*adds, *removes], "append", opened.schema(), partition_by=list(table.partition), commit_properties=properties
            )
        return self._opened(table).version()

    def staged_files(self, table: Table, staged: str) -> list[str]:
        """Return the Parquet files below a staged folder, relative to the table's folder, sorted."""
        filesystem, root = pafs.FileSystem.from_uri(self._uri(table))
        selector = pafs.FileSelector(f"{root}/{staged}", recursive=True, allow_not_found=True)
        found = (info.path for info in filesystem.get_file_info(selector) if info.is_file and info.path.endswith(".parquet"))
        return sorted(path[len(root) + 1 :] for path in found)

    def rows(self, table: Table, path: str) -> int:
        """Return the number of rows of a Parquet file below the table's folder, from its footer."""
        filesystem, root = pafs.FileSystem.from_uri(self._uri(table))
        return int(pq.read_metadata(f"{root}/{path}", filesystem=filesystem).num_rows)

    def discard(self, table: Table, staged: str) -> None:
        """Delete a staged folder that will not be adopted."""
        filesystem, root = pafs.FileSystem.from_uri(self._uri(table))
        if filesystem.get_file_info(f"{root}/{staged}").type is pafs.FileType.Directory:
            filesystem.delete_dir(f"{root}/{staged}")

    def _add(self, table: Table, path: str) -> AddAction:
        filesystem, root = pafs.FileSystem.from_uri(self._uri(table))
        rows = self.rows(table, path)
        size = filesystem.get_file_info(f"{root}/{path}").size
        values = {name: partition_values(path).get(name) for name in table.partition}
        return AddAction(path, size, values, int(time.time() * 1000), data_change=True, stats=f'{{"numRecords": {rows}}}')

    def _commit(self, table: Table, frame: pa.Table, note: Note, **how: Any) -> int:
        self.create(table)
        opened = self._opened(table)
        with _first(table):
            write_deltalake(opened, conform(frame, arrow_schema(table)), commit_properties=_properties(note), **how)
        return self._opened(table).version()

    def _uri(self, table: Table) -> str:
        return self.address.arrow(folder(table.name))

    def _open(self, table: Table, version: int | None = None) -> DeltaTable | None:
        try:
            return DeltaTable(self._uri(table), version=version)
        except TableNotFoundError:
            return None
        except DeltaError as error:
            what = "its log" if version is None else f"version {version}"
            raise OvertoneError(f"{table.name} in {self.address.uri}: {what} cannot be read: {str(error).splitlines()[0]}") from error

    def _opened(self, table: Table) -> DeltaTable:
        opened = self._open(table)
        if opened is None:
            raise OvertoneError(f"{table.name} does not exist in {self.address.uri}")
        return opened


@contextmanager
def _first(table: Table) -> Iterator[None]:
    """Tell a writer whom another was ahead of."""
    try:
        yield
    except CommitFailedError as error:
        raise Conflict(f"{table.name}: another run published first ({error}); run again") from error


def partition_values(path: str) -> dict[str, str]:
    """Read `name=value` folders out of a path, as Spark writes them (percent-encoded)."""
    parts = (part.split("=", 1) for part in path.split("/")[:-1] if "=" in part)
    return {name: unquote(value) for name, value in parts}


def _covered(row: Mapping[str, object], replace: Collection[Partition] | None) -> bool:
    if replace is None:
        return True
    return any(all(str(row[f"partition.{name}"]) == value for name, value in partition.items()) for partition in replace)


def _remove(row: Mapping[str, object], table: Table) -> RemoveAction:
    values = {name: None if row[f"partition.{name}"] is None else str(row[f"partition.{name}"]) for name in table.partition}
    return RemoveAction(path=str(row["path"]), deletion_timestamp=int(time.time() * 1000), data_change=True, partition_values=values)


def _properties(note: Note) -> CommitProperties:
    return CommitProperties(custom_metadata={"userMetadata": note.dumps()})


def _quoted(value: str) -> str:
    return value.replace("'", "''")
