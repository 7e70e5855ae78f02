"""`overtone tables`: every table of the platform, left to right, with its contract."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from jobs import catalogue
from targeting.command.reply import Reply, table
from validation.suites.suite import suite_version

if TYPE_CHECKING:
    import argparse

    from validation.contract import Table

HELP = "list the tables with their keys, columns, rules, purpose, retention and when they are due"
EXAMPLE = "overtone tables features.user_features"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("name", nargs="?", help="one table, with its columns and rules")


def run(options: argparse.Namespace) -> Reply:
    """List all tables, or show one."""
    if options.name is not None:
        one = catalogue.table(options.name)
        return Reply(describe(one), _page(one))
    found = [describe(one) for one in catalogue.TABLES.values()]
    rows = [{**row, "key": ", ".join(row["key"]), "columns": len(row["columns"]), "rules": len(row["rules"])} for row in found]
    return Reply(
        found, table(rows, ("name", "key", "columns", "rules", "purpose", "retention_days", "fresh_hours", "row"), empty="no tables")
    )


def describe(one: Table) -> dict[str, Any]:
    """Return a table's declaration as plain values."""
    return {
        "name": one.name,
        "row": one.row,
        "key": list(one.key),
        "partition": list(one.partition),
        "purpose": str(one.purpose),
        "retention_days": one.retention_days,
        "fresh_hours": one.fresh_hours,
        "rejected_share": one.rejected_share,
        "suite": suite_version(one),
        "columns": [{**asdict(column), "purpose": str(column.purpose or one.purpose)} for column in one.columns],
        "rules": [asdict(rule) for rule in one.rules],
        "expectations": [asdict(expectation) for expectation in one.expectations],
    }


def _page(one: Table) -> str:
    columns = [{"column": c.name, "type": c.dtype, "required": c.required, "meaning": c.meaning} for c in one.columns]
    rules = [{"rule": r.name, "predicate": r.predicate, "meaning": r.meaning} for r in one.rules]
    due = "no date is due" if one.fresh_hours is None else f"a date is due {one.fresh_hours} hours after its end"
    kept = f"kept {one.retention_days} days; {due}; suite {suite_version(one)}"
    head = f"{one.name}: {one.row}\nkey {', '.join(one.key)}; partition {', '.join(one.partition) or 'none'}; purpose {one.purpose}; {kept}"
    return "\n\n".join(
        (
            head,
            table(columns, ("column", "type", "required", "meaning"), empty=""),
            table(rules, ("rule", "meaning", "predicate"), empty="no row rules"),
        )
    )
