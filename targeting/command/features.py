"""`overtone features`: what is known of listeners, and what was known of them at moments of one's own."""

from __future__ import annotations

import argparse
import os
import shutil
from collections import Counter
from dataclasses import asdict
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from jobs.console import FIRST, LAST, a_path, iso_date, iso_moment, no_file, whole
from jobs.contracts.derived import USER_FEATURES
from jobs.features import USER
from targeting.command.place import among, nothing, opened
from targeting.command.reply import Reply, table
from targeting.feature_catalogue import FAMILIES, catalogue, compared_with
from validation.contract import did_you_mean
from validation.verdict import WrongUse

if TYPE_CHECKING:
    from pathlib import Path

    from jobs.asof import Part
    from jobs.lake.arrow import ArrowLake

HELP = "list the listener features, or join them to rows of your own as they were known at each row's moment"
EXAMPLE = "overtone features list --family taste"
COLUMNS = ("name", "meaning", "days", "purpose", "unknown", "drift")
LISTENER, MOMENT, DATED = "listener_id", "event_ts", "features_date"
ENDS = {"happened": "date", "known": "known_date"}
BOUNDS = pa.array([FIRST, LAST + timedelta(days=1)]).cast(pa.timestamp("us", "UTC"))
NAMES = tuple(feature.name for feature in USER)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listed = actions.add_parser(
        "list",
        help="features with meaning, window, purpose, how often they are unknown and whether they drift",
        epilog=f"example: {EXAMPLE}",
    )
    listed.add_argument("--family", choices=sorted(FAMILIES), help="one family (default: all)")
    listed.add_argument("--date", type=iso_date, help="date (default: the latest that has features)")
    join = actions.add_parser(
        "join",
        help="rows with features as they were known at each row's moment; no row is lost",
        epilog="example: overtone features join sales.csv --out sales-with-features --columns plays_28d,skip_rate_28d",
    )
    join.add_argument("rows", type=a_path, metavar="ROWS", help=f"CSV, Parquet or Delta table with {LISTENER} and {MOMENT} (UTC)")
    join.add_argument("--out", type=a_path, required=True, help="new folder of Parquet files")
    join.add_argument("--columns", type=_columns, default=NAMES, help="features, comma between (default: all)")
    join.add_argument("--within", type=whole(1, 400), default=7, help="days after which features are too old to be joined (default: 7)")


def run(options: argparse.Namespace) -> Reply:
    """List the features as of a date, or join them."""
    return _join(options) if options.action == "join" else _list(options)


def _list(options: argparse.Namespace) -> Reply:
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


def _columns(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(","))
    for name in names:
        if name not in NAMES:
            raise argparse.ArgumentTypeError(f"unknown feature {name!r}{did_you_mean(name, NAMES)}")
    return names


def _join(options: argparse.Namespace) -> Reply:
    from jobs.lake.foreign import read_foreign
    from jobs.lake.still import StillLake

    no_file("--out", options.out.parent)
    if options.out.exists():
        raise WrongUse(f"--out: {options.out} is there already; give a new folder")
    rows = _checked(options.rows, read_foreign(options.rows), options.columns)
    lake = opened(options.lake)
    if not lake.files(USER_FEATURES):
        raise WrongUse(nothing(lake, "no listener features are published yet; overtone day --help"))
    found = _known(StillLake(lake), rows, options.columns, timedelta(days=options.within))
    for name in found.column_names:
        rows = rows.append_column(name, found[name])
    scratch = options.out.with_name(f".{options.out.name}.{os.getpid()}")
    try:
        scratch.mkdir()
        pq.write_table(rows, scratch / "part-0.parquet")
        scratch.rename(options.out)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    known = len(rows) - rows[DATED].null_count
    said = f"{len(rows):,} rows in {options.out}, {known:,} of them with features that were known then"
    return Reply({"rows": len(rows), "known": known, "out": str(options.out.resolve())}, said)


def _known(lake: ArrowLake, rows: pa.Table, columns: tuple[str, ...], within: timedelta) -> pa.Table:
    """Return the features of each row's listener as they were known at its moment."""
    from jobs.asof import as_of

    ends = pc.min_max(rows[MOMENT]).as_py()
    dates = sorted(map(date.fromisoformat, lake.files(USER_FEATURES)))
    first, last = (ends[name] and ends[name].date() for name in ("min", "max"))
    needed = [day for day in dates if first and first - within - timedelta(days=1) <= day <= last]
    return as_of(rows[LISTENER], rows[MOMENT], [_part(lake, day, columns) for day in needed or dates[:1]], within)


def _part(lake: ArrowLake, day: date, columns: tuple[str, ...]) -> Part:
    """Return the features of a date, which hold from the next midnight (UTC) on, and are known from the one after `known_date`."""
    from jobs.asof import Part

    def clocks() -> pa.Table:
        told = lake.read(USER_FEATURES, [day], columns=[LISTENER, "date", "known_date"])
        ends = {name: pc.add(told[column].cast(pa.timestamp("us", "UTC")), timedelta(days=1)) for name, column in ENDS.items()}
        return pa.table({"who": told[LISTENER], **ends})

    def values() -> pa.Table:
        return lake.read(USER_FEATURES, [day], columns=["date", *columns]).rename_columns([DATED, *columns])

    return Part(clocks, values)


def _checked(path: Path, rows: pa.Table, columns: tuple[str, ...]) -> pa.Table:
    """Return rows that have a listener and a moment, now in UTC; whatever else they hold goes along. Others raise `WrongUse`."""
    _look(path, rows.column_names, columns)
    moments = rows[MOMENT]
    if pa.types.is_string(moments.type) or pa.types.is_large_string(moments.type):
        moments = pa.chunked_array([[_moment(path, text) for text in moments.to_pylist()]], pa.timestamp("us", "UTC"))
    elif not (pa.types.is_timestamp(moments.type) or pa.types.is_date(moments.type)):
        raise WrongUse(f"ROWS: {path}: column {MOMENT!r} is {moments.type}; it must be a timestamp")
    moments = moments.cast(pa.timestamp("us", "UTC"), safe=False)
    far = moments.filter(pc.or_(pc.less(moments, BOUNDS[0]), pc.greater_equal(moments, BOUNDS[1])))
    if len(far):
        raise WrongUse(f"ROWS: {path}: {far[0].value} microseconds from 1970 lie too far off; choose between {FIRST} and {LAST}")
    return rows.set_column(rows.column_names.index(MOMENT), MOMENT, moments)


def _moment(path: Path, text: str | None) -> datetime | None:
    try:
        return iso_moment(text) if text else None
    except argparse.ArgumentTypeError as error:
        raise WrongUse(f"ROWS: {path}: {error}") from error


def _look(path: Path, names: list[str], columns: tuple[str, ...]) -> None:
    """Raise `WrongUse` unless there are a listener and a moment, and no column would be there twice."""
    for name in (LISTENER, MOMENT):
        if name not in names:
            raise WrongUse(f"ROWS: {path} has no column {name!r}; it has {', '.join(names) or 'none'}")
    twice = sorted(name for name, n in Counter(name.lower() for name in names).items() if n > 1)
    if twice:
        raise WrongUse(f"ROWS: {path} has column {twice[0]!r} more than once; name each column once")
    taken = sorted({*columns, DATED} & {name.lower() for name in names})
    if taken:
        raise WrongUse(f"ROWS: {path} has a column {taken[0]!r} of its own; rename it, or leave it out of --columns")
