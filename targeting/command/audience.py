"""`overtone audience`: build, look at and export the audiences of the booked campaigns."""

from __future__ import annotations

import json
from datetime import date
from typing import TYPE_CHECKING, Any

from jobs.console import a_path, iso_date, no_file
from jobs.contracts.delivery import AUDIENCE_MOMENTS, AUDIENCES, BOOKINGS, CLUSTER_PROFILES
from jobs.contracts.derived import USER_FEATURES
from jobs.run import PUBLISHED
from targeting.binding import number
from targeting.campaigns import load
from targeting.command.day import CAMPAIGNS
from targeting.command.place import among, nothing, opened
from targeting.command.reply import Reply, cell, table
from targeting.wording import asks, explained, habits
from validation.contract import did_you_mean
from validation.gates.release import GRAIN
from validation.verdict import Refused, WrongUse

if TYPE_CHECKING:
    import argparse
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from jobs.lake.arrow import ArrowLake

HELP = "build, list, show or export audiences"
EXAMPLE = "overtone audience show morning_coffee"
COLUMNS = ("audience", "advertiser", "state", "listeners", "holdout", "minimum", "basis", "reason")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    build = actions.add_parser(
        "build", help="build the audiences of the campaign file", epilog="example: overtone audience build --date 2026-11-09"
    )
    build.add_argument("--campaigns", type=a_path, default=CAMPAIGNS, help=f"campaign file (default: {CAMPAIGNS})")
    export = actions.add_parser(
        "export", help="write the audiences that may be released", epilog="example: overtone audience export --date 2026-11-09"
    )
    export.add_argument("--exports", type=a_path, help="folder for exported audiences (default: beside the lake)")
    listed = actions.add_parser("list", help="audiences of a date", epilog="example: overtone audience list --json")
    show = actions.add_parser("show", help="one audience with its definition", epilog=f"example: {EXAMPLE}")
    show.add_argument("name", help="name of the audience")
    for sub in (build, export):
        sub.add_argument("--date", type=iso_date, required=True, help="date of the features it is made from")
    for sub in (listed, show):
        sub.add_argument("--date", type=iso_date, help="date (default: the latest that has audiences)")


def run(options: argparse.Namespace) -> Reply:
    """Do what the action says."""
    lake = opened(options.lake)
    if options.action in ("build", "export"):
        return _make(options, lake)
    rows = audiences(lake, options.date)
    none = nothing(lake, _none(lake, options.date))
    if options.action == "list":
        return Reply(rows, table(rows, COLUMNS, empty=none))
    names = [str(row["audience"]) for row in rows]
    if options.name not in names:
        raise WrongUse(f"unknown audience {options.name!r}{did_you_mean(options.name, names) if names else f'; {none}'}")
    row = rows[names.index(options.name)]
    definition, mine = json.loads(str(row["definition"])), _moments(lake, row)
    groups = _groups(lake, date.fromisoformat(str(row["date"])), definition["clusters"])
    told = {one["cluster"]: f"{one['listeners']:,} listeners{': ' if one['why'] else ''}{one['why']}" for one in groups}
    words = asks(definition, {str(one["cluster"]): str(one["name"]) for one in groups if one["name"]})
    said = _page({**row, "asks for": words, **told, "listens": habits(mine)})
    return Reply({**row, "definition": definition, "clusters": groups, "moments": mine}, said)


def audiences(lake: ArrowLake, day: date | None) -> list[dict[str, object]]:
    """Return a date's audiences (default: the latest date's) with the state of their booking."""
    known = sorted(lake.files(AUDIENCES))
    chosen = day.isoformat() if day else (known[-1] if known else "")
    if chosen not in known:
        return []
    dates = [date.fromisoformat(chosen)]
    booked = {row["campaign"]: row["state"] for row in lake.read(BOOKINGS, dates).to_pylist()}
    rows = lake.read(AUDIENCES, dates).to_pylist()
    return [{**row, "date": str(row["date"]), "booking": booked.get(row["audience"])} for row in sorted(rows, key=lambda r: r["audience"])]


def _moments(lake: ArrowLake, row: Mapping[str, object]) -> list[dict[str, object]]:
    rows = lake.read(AUDIENCE_MOMENTS, [date.fromisoformat(str(row["date"]))], columns=["audience", "moment", "share", "everyone"])
    mine = [one for one in rows.to_pylist() if one.pop("audience") == row["audience"]]
    return sorted(mine, key=lambda one: (-one["share"], one["moment"]))


def _groups(lake: ArrowLake, day: date, asked: Collection[str]) -> list[dict[str, Any]]:
    """Return the clusters that an audience asks for: what each is called, its size, and in what it is above everybody."""
    rows = [row for row in lake.read(CLUSTER_PROFILES, [day]).to_pylist() if row["cluster"] in asked and row["listeners"] >= GRAIN]
    found = {row["cluster"]: {name: row[name] for name in ("cluster", "name")} for row in rows}
    sizes = {row["cluster"]: row["listeners"] // GRAIN * GRAIN for row in rows}
    return [
        {**found[name], "listeners": sizes[name], "why": explained(row for row in rows if row["cluster"] == name)}
        for name in sorted(found, key=number)
    ]


def _none(lake: ArrowLake, day: date | None) -> str:
    dates = sorted(lake.files(AUDIENCES))
    if day and dates:
        return f"no audience of {day} was built; there are some of {', '.join(dates)}"
    return "no audience was built yet; overtone audience build --help"


def _page(row: Mapping[str, object]) -> str:
    return "\n".join(f"{name:14} {cell(value)}" for name, value in row.items())


def _make(options: argparse.Namespace, lake: ArrowLake) -> Reply:
    if options.action == "export":
        return _export(lake, options.date, options.exports or lake.address.beside("-exports"))
    load(options.campaigns)  # a mistake in the file is said first
    among(options.date, lake.files(USER_FEATURES), "listener features", f"overtone day --date {options.date}")
    from jobs.lake.spark import SparkLake
    from targeting.command import stages

    day = stages.Day(SparkLake(lake.address), (options.date,), options.campaigns, lake.address.beside("-exports"))
    done = stages.audiences(day)
    return Reply({"rows": done.rows, "changed": done.changed, "said": done.sentence}, done.sentence)


def _export(lake: ArrowLake, day: date, folder: Path) -> Reply:
    no_file("--exports", folder)
    among(day, lake.files(AUDIENCES), "audiences", f"overtone audience build --date {day}")
    from targeting.exports import export

    done = export(lake, day, folder)
    if done.rejected and not done.rows:
        raise Refused(done.sentence)
    return Reply({"rows": done.rows, "changed": done.state == PUBLISHED, "said": done.sentence}, done.sentence)
