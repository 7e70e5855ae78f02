"""`overtone quarantine`: rows that were refused, and why."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from jobs import catalogue
from jobs.contracts.operations import QUARANTINE
from targeting.command.place import nothing, opened
from targeting.command.reply import Reply, table
from validation.verdict import WrongUse

if TYPE_CHECKING:
    import argparse

HELP = "list refused rows by table and reason"
EXAMPLE = "overtone quarantine list --target bronze.plays --rows 5"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    found = actions.add_parser("list", help="count refused rows by table, feed and reason", epilog=f"example: {EXAMPLE}")
    found.add_argument("--target", help="only rows meant for this table")
    found.add_argument("--rows", type=int, default=0, metavar="N", help="show the first N rows instead of the counts")


def run(options: argparse.Namespace) -> Reply:
    """Count refused rows, or show some."""
    if options.rows < 0:
        raise WrongUse(f"--rows is {options.rows}; it has to be 0 or more")
    target = catalogue.table(options.target).name if options.target else None
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
