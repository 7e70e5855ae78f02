"""`overtone features`: what is known of listeners, what it means and may be used for, and whether it drifts."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from jobs.console import iso_date
from jobs.contracts.derived import USER_FEATURES
from jobs.features import FAMILIES
from targeting.command.place import among, nothing, opened
from targeting.command.reply import Reply, table
from targeting.feature_catalogue import catalogue, compared_with

if TYPE_CHECKING:
    import argparse

HELP = "list the listener features with meaning, window, purpose, how often they are unknown and whether they drift"
EXAMPLE = "overtone features --family taste --date 2026-11-09"
COLUMNS = ("name", "meaning", "days", "purpose", "unknown", "drift")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--family", choices=sorted(FAMILIES), help="one family (default: all)")
    parser.add_argument("--date", type=iso_date, help="date (default: the latest that has features)")


def run(options: argparse.Namespace) -> Reply:
    """List the features as of a date."""
    lake = opened(options.lake)
    dates = sorted(lake.files(USER_FEATURES))
    if options.date:
        among(options.date, dates, "listener features", f"overtone day --date {options.date}")
    day = options.date or (iso_date(dates[-1]) if dates else None)
    if day is None:
        return Reply([], nothing(lake, "no listener features are published yet; overtone day --help"))
    found = [one for one in catalogue(lake, day) if options.family in (None, one.family)]
    rows = [
        {
            **asdict(one),
            "unknown": None if one.unknown is None else f"{one.unknown:.1%}",
            "drift": None if one.drift is None else f"{one.drift:.2f}{' drifts' if one.drifted else ''}",
        }
        for one in found
    ]
    before = compared_with(lake, day)
    head = f"{len(found)} features of {day}" + (f"; drift is the population stability index against {before}" if before else "")
    return Reply([asdict(one) for one in found], f"{head}\n\n{table(rows, COLUMNS, empty='')}")
