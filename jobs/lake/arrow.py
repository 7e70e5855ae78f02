"""The lake without a JVM: Delta tables through delta-rs, frames are pyarrow tables."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from datetime import date
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.fs as pafs
import pyarrow.parquet as pq
from deltalake import CommitProperties, DeltaTable, Field, Schema, Transaction, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError

from jobs.lake.address import Address, folder
from jobs.lake.commit import Commit, Note
from jobs.lake.committed import EVERY, HOOKS, checkpointed, first
from jobs.lake.files import HIDDEN, add_action, covered, mark_of, partition_values, properties, quoted, remove_action
from jobs.lake.schema import arrow_schema, conform
from validation.verdict import Conflict, OvertoneError

if TYPE_CHECKING:
    from deltalake.transaction import AddAction, RemoveAction

    from validation.contract import Table

Partition = Mapping[str, str]
TRIES = 5  # of a commit, where only upkeep was ahead of it
# Statistics of file contents would keep identifying values in the log after erasure. What is published for which date is read
# from the commits, so the log outlives the rows.
PROPERTIES = {
    "delta.dataSkippingNumIndexedCols": "0",
    "delta.checkpointInterval": str(EVERY),
    "delta.logRetentionDuration": "interval 4000 days",
}


class ArrowLake:
    """Delta tables below one address. A table that does not exist yet reads as an empty typed frame."""

    def __init__(self, address: Address) -> None:
        self.address = address

    def uri(self, table: Table) -> str:
        """Return where a table lies, as delta-rs and pyarrow spell it."""
        return self.address.arrow(folder(table.name))

    def exists(self, table: Table) -> bool:
        """Say whether the table was ever created."""
        return bool(DeltaTable.is_deltatable(self.uri(table)))

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
        system, root = pafs.FileSystem.from_uri(self.uri(table))
        stored = opened.to_pyarrow_dataset(filesystem=pafs.SubTreeFileSystem(root, system))
        known = [name for name in wanted.names if name in stored.schema.names]
        return conform(stored.to_table(columns=known, filter=where), wanted)

    def overwrite(self, table: Table, frame: pa.Table, dates: Collection[date] | None, note: Note) -> int:
        """Replace exactly these dates, or the whole table if None, in one commit; return the version."""
        where = None if dates is None else "date IN ({})".format(", ".join(f"'{day}'" for day in sorted(dates)))
        return self._commit(table, frame, note, mode="overwrite", predicate=where)

    def replace(self, table: Table, frame: pa.Table, where: Partition, note: Note) -> int:
        """Replace the rows whose columns equal `where` in one commit; return the version."""
        predicate = " AND ".join(f"{name} = '{quoted(value)}'" for name, value in where.items())
        return self._commit(table, frame, note, mode="overwrite", predicate=predicate)

    def append(self, table: Table, frame: pa.Table, note: Note) -> int:
        """Add rows in one commit; return the version."""
        return self._commit(table, frame, note, mode="append")

    def delete(self, table: Table, where: str, note: Note) -> int:
        """Delete the rows for which an SQL predicate holds in one commit, if there are any; return the version."""
        opened = self._opened(table)
        with first(table):
            opened.delete(where, commit_properties=properties(note), **HOOKS)
        return checkpointed(self.uri(table), self._opened(table).version())

    def merge(self, table: Table, frame: pa.Table, note: Note) -> int:
        """Insert rows, or replace those of equal key, in one commit; return the version."""
        self.create(table)
        opened = self._opened(table)
        same = " AND ".join(f"old.{name} = new.{name}" for name in table.key)
        rows = conform(frame, arrow_schema(table))
        merger = opened.merge(rows, same, "new", "old", commit_properties=properties(note), **HOOKS)
        with first(table):
            merger.when_matched_update_all().when_not_matched_insert_all().execute()
        return checkpointed(self.uri(table), self._opened(table).version())

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

    def log(self, table: Table, version: int | None = None) -> list[dict[str, Any]]:
        """Return the log's rows of the data files in force, of the latest or of one version: path, bytes, records, partition."""
        opened = self._open(table, version)
        return pa.table(opened.get_add_actions(flatten=True)).to_pylist() if opened else []

    def files(self, table: Table) -> dict[str, tuple[str, ...]]:
        """Return the data files in force by date ('' for a table without dates), names sorted."""
        found: dict[str, list[str]] = {}
        for row in self.log(table):
            found.setdefault(str(row.get("partition.date") or ""), []).append(row["path"])
        return {day: tuple(sorted(paths)) for day, paths in found.items()}

    def marks(self, table: Table) -> dict[str, str]:
        """Return, by date ('' for a table without dates), a mark of the content in force: equal as long as no row changed.

        It is that of the files' names, which are never used twice; files that upkeep put together carry the mark of those they replaced.
        """
        return {day: mark_of(paths) for day, paths in self.files(table).items()}

    def horizon(self, table: Table) -> date | None:
        """Return the first date that retention has kept; None where nothing was ever dropped."""
        dropped = [date.fromisoformat(commit.note.expired) for commit in self.history(table) if commit.note.expired]
        return max(dropped, default=None)

    def count(self, table: Table) -> int:
        """Return the number of rows, from the log alone."""
        return sum(row["num_records"] or 0 for row in self.log(table))

    def create(self, table: Table) -> None:
        """Create the table empty unless it exists; columns declared since then are added to it, null in its old rows."""
        schema = Schema.from_arrow(arrow_schema(table))
        for left in reversed(range(TRIES)):
            opened = self._open(table)
            if opened is None:
                DeltaTable.create(self.uri(table), schema, mode="ignore", partition_by=list(table.partition), configuration=PROPERTIES)
                return
            known = {field.name for field in opened.schema().fields}
            added = [Field(field.name, field.type, nullable=True) for field in schema.fields if field.name not in known]
            if not added:
                return
            with suppress(CommitFailedError) if left else first(table):  # whoever was ahead may have added them
                opened.alter.add_columns(added, **HOOKS)
                return

    def adopt(self, table: Table, staged: str, replace: Collection[Partition] | None, note: Note, base: int) -> int:
        """Make staged Parquet files part of the table by one commit; return the version.

        `staged` is a folder below the table's, laid out by partition. `replace` names the partitions whose present files go:
        None all, empty none. `base` is the version the batch was computed against: whatever anybody published since makes
        this raise `Conflict`, and nothing changes.
        """
        adds = [self._add(table, path) for path in self.staged_files(table, staged)]
        return self.exchange(table, adds, lambda row: covered(row, replace), note, base)

    def unmoved(self, table: Table, base: int) -> DeltaTable:
        """Return the table as it is. If anybody published since version `base` raise `Conflict`; upkeep, which changes no row, may have."""
        opened = self._opened(table)
        since = opened.history(opened.version() - base) if opened.version() > base else []
        if not all(Commit.read(raw).note.upkeep for raw in since):
            raise Conflict(f"{table.name}: version {opened.version()} was published while this run worked on version {base}; run again")
        return opened

    def exchange(self, table: Table, adds: list[AddAction], gone: Callable[[Partition], bool], note: Note, base: int) -> int:
        """Add files and remove those of `gone` rows of the log by one commit; return the version. `base` is as in `adopt`."""
        for left in reversed(range(TRIES)):
            opened = self.unmoved(table, base)
            removes = [remove_action(row, table, data_change=not note.upkeep) for row in self.log(table, opened.version()) if gone(row)]
            with suppress(CommitFailedError) if left else first(table):
                return self._exchange(table, opened, [*adds, *removes], note)
        raise Conflict(f"{table.name}: others published without a pause; run again")

    def _exchange(self, table: Table, opened: DeltaTable, actions: list[AddAction | RemoveAction], note: Note) -> int:
        # Two writers that both name this application id conflict, whatever they touch: the second is refused.
        turn = Transaction("overtone.publish", opened.version() + 1, int(time.time() * 1000))
        known = {"userMetadata": note.dumps()}
        told = CommitProperties(custom_metadata=known, app_transactions=[turn], max_commit_retries=0)
        opened.create_write_transaction(actions, "append", opened.schema(), [*table.partition], commit_properties=told, **HOOKS)
        return checkpointed(self.uri(table), opened.version() + 1)

    def staged_files(self, table: Table, staged: str) -> list[str]:
        """Return the Parquet files below a staged folder, relative to the table's folder, sorted.

        Below names that begin with _ or . lies what tasks that failed, or came second, wrote and never committed.
        """
        filesystem, root = pafs.FileSystem.from_uri(self.uri(table))
        selector = pafs.FileSelector(f"{root}/{staged}", recursive=True, allow_not_found=True)
        found = (info.path[len(root) + 1 :] for info in filesystem.get_file_info(selector) if info.is_file)
        return sorted(path for path in found if path.endswith(".parquet") and not HIDDEN.search(path))

    def rows(self, table: Table, path: str) -> int:
        """Return the number of rows of a Parquet file below the table's folder, from its footer."""
        filesystem, root = pafs.FileSystem.from_uri(self.uri(table))
        return int(pq.read_metadata(f"{root}/{path}", filesystem=filesystem).num_rows)

    def discard(self, table: Table, staged: str) -> None:
        """Delete a staged folder that will not be adopted; one that a commit made part of the table stays, whatever went wrong after."""
        filesystem, root = pafs.FileSystem.from_uri(self.uri(table))
        if any(row["path"].startswith(f"{staged}/") for row in self.log(table)):
            return
        if filesystem.get_file_info(f"{root}/{staged}").type is pafs.FileType.Directory:
            filesystem.delete_dir(f"{root}/{staged}")

    def _add(self, table: Table, path: str) -> AddAction:
        filesystem, root = pafs.FileSystem.from_uri(self.uri(table))
        known = partition_values(path)
        size = filesystem.get_file_info(f"{root}/{path}").size
        return add_action(path, size, self.rows(table, path), {name: known.get(name) for name in table.partition})

    def _commit(self, table: Table, frame: pa.Table, note: Note, **how: Any) -> int:
        self.create(table)
        opened = self._opened(table)
        with first(table):
            write_deltalake(opened, conform(frame, arrow_schema(table)), commit_properties=properties(note), **HOOKS, **how)
        return checkpointed(self.uri(table), self._opened(table).version())

    def _open(self, table: Table, version: int | None = None) -> DeltaTable | None:
        try:
            return DeltaTable(self.uri(table), version=version)
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
