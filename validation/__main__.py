"""Audits a published table, and renders what all audits found.

python -m validation table silver.listens --date 2026-11-01 --lake ./build/lake
python -m validation docs --lake ./build/lake --out ./build/docs
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from validation.suites.suite import REJECTED_SHARE
from validation.verdict import Check, HeldBack, Verdict, WrongUse

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

LAKE = "folder or URI of the lake (default: OVERTONE_LAKE, else ./build/lake)"


def main(argv: Sequence[str] | None = None) -> None:
    """Run one command and end the process with the platform's exit code: 3 if the table breaks its contract."""
    from jobs.console import Parser, a_path, add_dates, guarded, parsed
    from jobs.journal import recorded

    parser = Parser(prog="python -m validation", description="Audit tables and show what audits found.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    table = commands.add_parser(
        "table", help="audit a published table", epilog="example: python -m validation table silver.listens --date 2026-11-01"
    )
    table.add_argument("name", help="name of the table, such as silver.listens")
    add_dates(table)
    table.add_argument("--lake", help=LAKE)
    table.set_defaults(action=audit_table)
    docs = commands.add_parser("docs", help="render every verdict as HTML", epilog="example: python -m validation docs --out ./build/docs")
    docs.add_argument("--lake", help=LAKE)
    docs.add_argument("--out", type=a_path, default=Path("build/docs"), help="folder to write to (default: ./build/docs)")
    docs.set_defaults(action=render_docs)
    options = parsed(parser, argv)
    logged = recorded(f"validation {options.command}", options.lake)
    sys.exit(guarded(logged(lambda: options.action(options))))


def audit_table(options: argparse.Namespace) -> None:
    """Audit what is published of a table and print every check; a broken one raises `HeldBack`."""
    from jobs.catalogue import table
    from jobs.console import asked, say
    from jobs.lake.address import Address
    from jobs.lake.arrow import ArrowLake

    found = table(options.name)
    dates = asked(options) if found.dated else None
    if not found.dated and (options.date or options.first or options.last):
        raise WrongUse(f"{found.name} is not partitioned by date; leave --date, --from and --to out")
    address = Address.choose(options.lake)
    if not ArrowLake(address).exists(found):
        raise WrongUse(f"{found.name} was never published in {address.uri}")
    from jobs.lake.spark import SparkLake
    from validation.engine import audit

    verdict = audit(SparkLake(address).read(found, dates), found)
    say(report(verdict))
    if not verdict.success:
        raise HeldBack(verdict.sentence())


def render_docs(options: argparse.Namespace) -> None:
    """Render the verdicts kept in a lake and print where the index lies; it starts no Spark."""
    from jobs.catalogue import TABLES
    from jobs.console import no_file, say
    from jobs.contracts.operations import VERDICTS
    from jobs.lake.address import Address
    from jobs.lake.arrow import ArrowLake
    from validation.pages import render

    no_file("--out", options.out)
    lake = ArrowLake(Address.choose(options.lake))
    say(str(render(TABLES.values(), lake.read(VERDICTS).to_pylist(), options.out)))


def report(verdict: Verdict) -> str:
    """Return every check as a line of text, then the summary. What was refused before publishing is not asked again."""
    checks = [check for check in verdict.checks if check.rule != REJECTED_SHARE]
    width = max(len(check.rule) for check in checks)
    broken = sum(not check.success for check in checks)
    total = f"{verdict.table}: {len(checks) - broken} of {len(checks)} checks passed on {verdict.rows:,} rows"
    return "\n".join((*(_line(check, width) for check in checks), total))


def _line(check: Check, width: int) -> str:
    rows = f"; rows {', '.join(check.sample_keys)}" if check.sample_keys else ""
    return f"{'ok    ' if check.success else 'BROKEN'}  {check.rule.ljust(width)}  {check.observed} (expected {check.expected}){rows}"


if __name__ == "__main__":
    main()
