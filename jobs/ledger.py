"""ops.files: which files were taken in, and what became of their records.

Every commit of an intake names its files and their counts, atomic with the rows; the ledger repeats them as a table. An entry
that a cut run could not write any more is written by the next one. What retention dropped of it stays dropped: the commits
outlive it, and their files are known all the same.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from jobs.contracts.operations import FILES
from jobs.intake import FILE, Count
from jobs.lake.commit import Note
from jobs.lake.schema import arrow_schema

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from jobs.intake import Intake
    from jobs.lake.arrow import ArrowLake
    from jobs.sources.files import Taken
    from jobs.sources.parsing import Taking
    from validation.contract import Table


def known(lake: ArrowLake, tables: Iterable[Table]) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the entry of every file that tables ever took in by (table, sha256), bringing the ledger up to the tables' own commits."""
    asked, ledger = list(tables), lake.read(FILES)
    mine = ledger.filter(pc.is_in(ledger.column("target"), pa.array([table.name for table in asked])))
    entered = {(row["target"], row["sha256"]): row for row in mine.to_pylist()}
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for row in (row for table in asked for row in _committed(lake, table)):
        found.setdefault((row["target"], row["sha256"]), row)  # the newest comes first
    missing = [row for key, row in found.items() if key not in entered or count_of(entered[key]) != count_of(row)]
    first = lake.horizon(FILES) if missing else None
    if kept := [row for row in missing if first is None or row["ingested_at"].date() >= first]:
        _enter(lake, kept, "recovered")
    return entered | found


def count_of(row: Mapping[str, Any]) -> Count:
    """Return what an entry says became of its file's records."""
    return Count(row["kept"], row["quarantined"], row["deduplicated"])


def enter(lake: ArrowLake, taking: Taking, done: Intake, files: Iterable[Taken]) -> None:
    """Enter the files of one intake."""
    by_name = {one.name: one for one in files}
    about = {"source": taking.source, "target": done.table, "run": done.run, "ingested_at": taking.clock}
    rows = [about | _counted(by_name[name].sha256, name, count) for name, count in done.by_file.items()]
    _enter(lake, rows, done.run)


def _committed(lake: ArrowLake, table: Table) -> list[dict[str, Any]]:
    rows = []
    for commit in lake.history(table):
        for key, text in commit.note.published.items():
            # Before commits told the counts they told the run: the ledger alone has those files.
            if key.startswith(FILE) and text.startswith("["):
                source, name, kept, quarantined, deduplicated, *when = json.loads(text)
                about = {"source": source, "target": table.name, "run": commit.note.run}
                about["ingested_at"] = datetime.fromisoformat(when[0]) if when else commit.at
                rows.append(about | _counted(key.removeprefix(FILE), name, Count(kept, quarantined, deduplicated)))
    return rows


def _counted(sha256: str, name: str, count: Count) -> dict[str, Any]:
    counts = {"rows_in": count.rows_in, "kept": count.kept, "quarantined": count.quarantined, "deduplicated": count.deduplicated}
    return {"sha256": sha256, "file": name, **counts}


def _enter(lake: ArrowLake, rows: list[dict[str, Any]], run: str) -> None:
    lake.merge(FILES, pa.Table.from_pylist(rows, arrow_schema(FILES)), Note(run))
