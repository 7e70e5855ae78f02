"""`overtone communities`: who listens alike, as published; and `find`, the same on any table of one's own."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from jobs.console import SEEDS, a_path, iso_date, whole
from jobs.contracts.fans import COMMUNITY_ARTISTS
from targeting.command.place import nothing, opened
from targeting.command.reply import Reply, table
from targeting.fans import communities
from targeting.wording import counted
from validation.contract import did_you_mean
from validation.gates.release import GRAIN
from validation.verdict import WrongUse

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping
    from pathlib import Path

    from targeting.own_table import Found

HELP = "list or show communities of listeners, or find communities in a table of your own"
EXAMPLE = "overtone communities find plays.csv --counts user,artist,plays"
COLUMNS = ("community", "listeners", "artists", "label")
ARTISTS = ("artist", "members who play it", "of all", "times as many")
SHOWN = 15  # artists of a community that are told


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    find = actions.add_parser("find", help="find communities in a CSV, Parquet or Delta table", epilog=f"example: {EXAMPLE}")
    find.add_argument("TABLE", type=a_path, help="a CSV (.csv, .csv.gz, .tsv), a Parquet file or folder, or a Delta table's folder")
    find.add_argument(
        "--edges", metavar="A,B[,WEIGHT]", help="columns of an edge's two ends and its weight (default: the first two columns)"
    )
    find.add_argument("--counts", metavar="LISTENER,ITEM,COUNT", help="columns of counts, in place of edges: who, what, how often")
    find.add_argument(
        "--least", type=whole(1), default=GRAIN, help=f"members below which nothing is told of a community (default: {GRAIN})"
    )
    find.add_argument("--seed", type=whole(0, SEEDS - 1), default=1, help="seed (default: 1)")
    find.add_argument("--before", type=a_path, help="an earlier --out to go on from: names stay")
    find.add_argument("--out", type=a_path, help="file for each one's community, .csv or .parquet")
    listed = actions.add_parser("list", help="communities of a date", epilog="example: overtone communities list")
    show = actions.add_parser("show", help="one community and what it listens to", epilog="example: overtone communities show m1")
    show.add_argument("name", help="name of the community")
    for sub in (listed, show):
        sub.add_argument("--date", type=iso_date, help="date (default: the latest that has communities)")


def run(options: argparse.Namespace) -> Reply:
    """Do what the action says."""
    if options.action == "find":
        return _find(options)
    lake = opened(options.lake)
    known = sorted(lake.files(COMMUNITY_ARTISTS))
    chosen = options.date.isoformat() if options.date else (known[-1] if known else "")
    found = communities(lake, date.fromisoformat(chosen)) if chosen in known else ()
    none = nothing(lake, f"no communities{f' of {chosen}' if chosen else ''} were found: too few listeners agreed, or none looked for them")
    if options.action == "list":
        rows = [{**one, "artists": len(one["played"])} for one in found]
        return Reply(rows, table(rows, COLUMNS, empty=none))
    names = [str(one["community"]) for one in found]
    if options.name not in names:
        raise WrongUse(f"unknown community {options.name!r}{did_you_mean(options.name, names) if names else f'; {none}'}")
    mine = found[names.index(options.name)]
    return Reply(mine, _page(mine))


def _page(one: Mapping[str, Any]) -> str:
    told = [row for row in one["played"] if row["share"] is not None][:SHOWN]
    shown = [
        dict(
            zip(
                ARTISTS,
                (
                    row["artist_name"] or row["artist_id"],
                    f"{row['share']:.0%}",
                    f"{row['usual']:.0%}",
                    f"{row['share'] / row['usual']:.1f}",
                ),
                strict=True,
            )
        )
        for row in told
    ]
    said = f"{one['community']}: about {counted(one['listeners'], 'listener')} who agreed to advertising; they stand out by {one['label']}"
    return f"{said}\n\n{table(shown, ARTISTS, empty='too few members play any one artist to be told of')}"


def _find(options: argparse.Namespace) -> Reply:
    from jobs.lake.foreign import read_foreign
    from targeting import own_table

    if options.edges is not None and options.counts is not None:
        raise WrongUse(f"--edges {options.edges} and --counts {options.counts} contradict each other; name one of them")
    if options.out and options.out.suffix not in (".csv", ".parquet"):
        raise WrongUse(f"--out {str(options.out)!r}: give a file that ends with .csv or .parquet")
    frame = read_foreign(options.TABLE)
    before = _before(options.before) if options.before else None
    if options.counts is not None:
        links = own_table.counts(frame, options.counts.split(","))
    else:
        links = own_table.edges(frame, frame.column_names[:2] if options.edges is None else options.edges.split(","))
    found = own_table.find(links, least=options.least, seed=options.seed, before=before)
    if options.out:
        _write(found, options.out)
    rows = [{**vars(one), "share": round(one.share, 4)} for one in found.communities]
    shown = [{**row, "share": f"{row['share']:.1%}"} for row in rows]
    said = (
        f"{counted(len(rows), 'community').replace('communitys', 'communities')} of {len(links.first):,}, modularity {found.modularity:.3f}"
    )
    said += f"; {found.small:,} more of fewer than {options.least} members are told of nowhere" if found.small else ""
    text = table(shown, ("community", "members", "share", *(["label"] if options.counts is not None else [])), empty="")
    data = {"communities": rows, "modularity": found.modularity, "nodes": len(links.first), "too_small": found.small}
    return Reply(data, f"{text}\n\n{said}".lstrip())


def _before(path: Path) -> dict[str, str]:
    from jobs.lake.foreign import read_foreign

    frame = read_foreign(path)
    for name in ("node", "community"):
        if name not in frame.column_names:
            raise WrongUse(f"--before {str(path)!r} has no column {name!r}; give what --out wrote before")
    return dict(zip(frame["node"].to_pylist(), frame["community"].to_pylist(), strict=True))


def _write(found: Found, path: Path) -> None:
    import pyarrow as pa
    from pyarrow import csv, parquet

    frame = pa.table({"node": found.nodes.tolist(), "community": found.names.tolist()})
    try:
        (csv.write_csv if path.suffix == ".csv" else parquet.write_table)(frame, str(path))
    except OSError as error:
        raise WrongUse(f"--out {str(path)!r} cannot be written: {error.strerror or error}") from error
