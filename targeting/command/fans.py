"""`overtone fans`: how close listeners are to artists, and how they move."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from jobs.console import iso_date
from jobs.contracts.fans import RUNGS
from targeting.command.place import nothing, opened
from targeting.command.reply import Reply, table
from targeting.fans import dates, fans, held
from validation.contract import did_you_mean
from validation.verdict import WrongUse

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

HELP = "list artists by their listeners' closeness, or show one artist's fans"
EXAMPLE = "overtone fans list"
COLUMNS = ("artist", "genre", "listeners", *reversed(RUNGS), "top 2% hold")
MOST = 30  # artists that are listed for people; --json lists all


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listed = actions.add_parser("list", help="rungs, weekly moves and artists of a date", epilog=f"example: {EXAMPLE}")
    show = actions.add_parser("show", help="one artist", epilog="example: overtone fans show Ada")
    show.add_argument("name", help="name of the artist")
    for sub in (listed, show):
        sub.add_argument("--date", type=iso_date, help="date (default: the latest that has fans)")


def run(options: argparse.Namespace) -> Reply:
    """Do what the action says."""
    lake = opened(options.lake)
    known = dates(lake)
    chosen = options.date.isoformat() if options.date else (known[-1] if known else "")
    none = nothing(
        lake,
        f"no fans{f' of {chosen}' if chosen else ''} are known; "
        + (f"there are some of {', '.join(known)}" if known else "overtone day --help"),
    )
    found = fans(lake, date.fromisoformat(chosen)) if chosen in known else None
    rows = [_row(one) for one in found.artists] if found else []
    if options.action == "show":
        names = [str(row["artist"]) for row in rows]
        if options.name not in names:
            raise WrongUse(f"unknown artist {options.name!r}{did_you_mean(options.name, names) if names else f'; {none}'}")
        mine = [row for row in rows if row["artist"] == options.name]
        return Reply(mine, table(mine, COLUMNS, empty=""))
    if found is None:
        return Reply({"date": None, "rungs": [], "sentences": [], "artists": []}, none)
    data = {"date": found.date, "rungs": dict(found.rungs), "sentences": found.sentences, "artists": rows}
    more = f"\n{len(rows) - MOST:,} more: --json lists them all" if len(rows) > MOST else ""
    rungs = table([{"rung": words, "pairs": n} for words, n in found.rungs], ("rung", "pairs"), empty="")
    return Reply(data, "\n\n".join((rungs, "\n".join(found.sentences), table(rows[:MOST], COLUMNS, empty=none) + more)))


def _row(one: Mapping[str, Any]) -> dict[str, Any]:
    rungs = {rung: one[rung] for rung in reversed(RUNGS)}
    return {
        "artist": one["artist_name"] or one["artist_id"],
        "genre": one["genre"],
        "listeners": one["listeners"],
        **rungs,
        "top 2% hold": held(one),
    }
