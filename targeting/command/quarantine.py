"""`overtone quarantine`: rows that were refused, and why."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from jobs import catalogue
from jobs.console import a_path, somebody, whole
from jobs.contracts.operations import QUARANTINE
from jobs.lake.address import Address
from jobs.sources import SOURCES
from targeting.command.place import nothing, opened
from targeting.command.reply import Reply, table

if TYPE_CHECKING:
    import argparse

HELP = "list refused rows by table and reason, or let in those that are refused no more"
EXAMPLE = "overtone quarantine list --target bronze.plays --rows 5"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    found = actions.add_parser("list", help="count refused rows by table, feed and reason", epilog=f"example: {EXAMPLE}")
    found.add_argument("--target", help="only rows meant for this table")
    found.add_argument("--rows", type=whole(0), default=0, metavar="N", help="show the first N rows instead of the counts")
    again = "example: overtone quarantine release eventsim ./feed"
    free = actions.add_parser("release", help="read files again and let in what is refused no more", epilog=again)
    free.add_argument("source", help=f"the feed's form: {', '.join(SOURCES)}")
    free.add_argument("paths", type=a_path, nargs="+", metavar="PATH", help="the files as they were taken in, or folders of them")
    free.add_argument("--user", type=somebody, help="whose listening it is, for feeds that do not say")


def run(options: argparse.Namespace) -> Reply:
    """Count refused rows, show some, or let in those that are refused no more."""
    if options.action == "release":
        return _release(options)
    target = catalogue.table(options.target).name if options.target is not None else None
    lake = opened(options.lake)
    none = nothing(lake, f"nothing was refused{f' for {target}' if target else ''}")
    rows = lake.read(QUARANTINE).to_pylist()
    kept = [row for row in rows if target in (None, row["target"])]
    if options.rows:
        shown = sorted(kept, key=lambda row: (row["target"], row["reason"], row["file"] or "", row["position"] or 0))[: options.rows]
        return Reply(shown, table(shown, ("target", "reason", "file", "position", "payload"), empty=none))
    counts = Counter((row["target"], row["feed"], row["reason"]) for row in kept)
    data = [{"target": t, "feed": f, "reason": r, "rows": n} for (t, f, r), n in sorted(counts.items(), key=lambda item: -item[1])]
    return Reply(data, table(data, ("target", "feed", "reason", "rows"), empty=none))


def _release(options: argparse.Namespace) -> Reply:
    from jobs.lake.spark import SparkLake
    from jobs.release import release

    lake = SparkLake(Address.choose(options.lake))
    done = release(lake, options.source, options.paths, clock=datetime.now(UTC), user=options.user)
    lines = [one.sentence for one in done] or ["nothing to release: of these files no row was refused"]
    if any(one.released for one in done):
        lines.append("overtone day --stale brings what is made of them up to date")
    return Reply([asdict(one) for one in done], "\n".join(lines))
