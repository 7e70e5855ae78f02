"""`overtone maintain`: keep the lake small: retention enforced, small files put together, files that nobody needs deleted."""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import TYPE_CHECKING

from jobs.catalogue import TABLES
from jobs.console import a_path, iso_date, no_file, note
from jobs.lake import upkeep
from jobs.lake.faults import full
from targeting.command.place import nothing, opened
from targeting.command.reply import Reply, table
from validation.verdict import Conflict, WrongUse

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from jobs.lake.arrow import ArrowLake
    from validation.contract import Table

HELP = "keep the lake small: drop what is past its retention, put small files together, delete files that nobody needs"
EXAMPLE = "overtone maintain"
COLUMNS = ("table", "rows_dropped", "files_before", "files", "files_deleted", "disk_before", "disk", "in_force", "left")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "--date", type=iso_date, help="the UTC date from which retention is counted back, at the latest today (default: today)"
    )
    parser.add_argument("--exports", type=a_path, help="folder that audiences are exported to (default: beside the lake)")


def run(options: argparse.Namespace) -> Reply:
    """Maintain every table, what is made of others first: cut short, nothing is left whose inputs are gone already."""
    lake, now = opened(options.lake), datetime.now(UTC)
    if options.date and options.date > now.date():
        raise WrongUse(f"--date {options.date} lies ahead: rows would be dropped before their time; choose {now.date()} (UTC) or earlier")
    exports = options.exports or lake.address.beside("-exports")
    no_file("--exports", exports)
    if options.date:
        now = datetime.combine(options.date, time(), UTC)
    there = [one for one in reversed(TABLES.values()) if lake.exists(one)]
    rows = []
    for number, one in enumerate(there, 1):
        note(f"[{number:2}/{len(there)}] {one.name}")
        rows.append(maintain(lake, one, now))
    exported = _expired_exports(lake, exports, now)
    total = {name: sum(int(str(row[name])) for row in rows) for name in ("disk_before", "disk", "in_force")}
    shown = [{**row, **{name: _mib(row[name]) for name in total}} for row in rows]
    text = table(shown, COLUMNS, empty=nothing(lake, "no table"))
    return Reply({"tables": rows, **total, "exports_removed": exported}, f"{text}\n\n{_said(total, exported)}" if there else text)


def _said(total: Mapping[str, int], exported: int) -> str:
    waiting = total["disk"] - total["in_force"]
    replaced = f"{_mib(waiting)} are of versions replaced less than {upkeep.DAYS_KEPT} days ago"
    return (
        f"{_mib(total['disk_before'])} used before, {_mib(total['disk'])} now; {replaced}\n"
        f"{exported} expired export{'s' if exported != 1 else ''} removed"
    )


def maintain(lake: ArrowLake, one: Table, now: datetime) -> dict[str, object]:
    """Maintain one table and tell what it took up before and takes up now, in bytes.

    A step that a run is ahead of, or that the disk has no room for, is left. What frees room comes first, and needs none itself.
    """
    before, left = upkeep.size(lake, one), []

    def tried(name: str, step: Callable[[], int]) -> int:
        try:
            return step()
        except Conflict:
            left.append(f"{name}: a run published at the same time")
        except Exception as error:
            if not full(error):
                raise
            left.append(f"{name}: no room on the disk")
        return 0

    deleted = tried("vacuum", lambda: upkeep.vacuum(lake, one))
    dropped = tried("retention", lambda: upkeep.expire(lake, one, now))
    tried("compaction", lambda: upkeep.compact(lake, one))
    after = upkeep.size(lake, one)
    return {
        "table": one.name,
        "rows_dropped": dropped,
        "files_before": before.files,
        "files": after.files,
        "files_deleted": deleted,
        "disk_before": before.disk,
        "disk": after.disk,
        "in_force": after.bytes,
        "left": "; ".join(left) or None,
    }


def _expired_exports(lake: ArrowLake, folder: Path, now: datetime) -> int:
    from targeting.exports.deliver import expire

    return expire(lake, folder, now.date())


def _mib(size: object) -> str:
    return f"{int(str(size)) / 2**20:,.1f} MiB"
