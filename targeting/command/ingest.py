"""`overtone ingest`: take files of a feed into the lake."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from jobs.console import a_path, somebody
from jobs.lake.address import Address
from jobs.sources import SOURCES
from targeting.command.reply import Reply

if TYPE_CHECKING:
    import argparse

HELP = "take the files of a feed into the lake; files taken in before change nothing"
EXAMPLE = "overtone ingest eventsim ./feed --basis assume"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("source", help=f"the feed's form: {', '.join(SOURCES)}")
    parser.add_argument("paths", type=a_path, nargs="+", metavar="PATH", help="files, or folders of files")
    parser.add_argument("--basis", default="none", help="consent to advertising profiles: none (default), file:consent.csv or assume")
    parser.add_argument("--user", type=somebody, help="whose listening it is, for feeds that do not say")


def run(options: argparse.Namespace) -> Reply:
    """Take the files in and say what became of every row."""
    from jobs.ingest import ingest
    from jobs.lake.spark import SparkLake

    lake = SparkLake(Address.choose(options.lake))
    report = ingest(lake, options.source, options.paths, basis=options.basis, user=options.user, clock=datetime.now(UTC))
    return Reply(report.data(), report.text())
