"""`overtone features`: what is known of listeners, and what was known of them at moments of one's own."""

from __future__ import annotations

import argparse
import csv
import os
import shutil
from collections import Counter
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from jobs.console import a_path, iso_date, no_file, whole
from jobs.contracts.derived import USER_FEATURES
from jobs.features import USER
from targeting.command.place import among, nothing, opened
from targeting.command.reply import Reply, table
from targeting.feature_catalogue import FAMILIES, catalogue, compared_with
from validation.contract import did_you_mean
from validation.verdict import WrongUse

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import DataFrame, SparkSession

    from jobs.lake.arrow import ArrowLake

HELP = "list the listener features, or join them to rows of your own as they were known at each row's moment"
EXAMPLE = "overtone features list --family taste"
COLUMNS = ("name", "meaning", "days", "purpose", "unknown", "drift")
LISTENER, MOMENT, DATED = "listener_id", "event_ts", "features_date"
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
    join.add_argument("rows", type=a_path, metavar="ROWS", help=f"CSV or Parquet file with {LISTENER} and {MOMENT} (UTC)")
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
    no_file("--out", options.out.parent)
    if options.out.exists():
        raise WrongUse(f"--out: {options.out} is there already; give a new folder")
    _look(options.rows, options.columns)
    lake = opened(options.lake)
    if not lake.files(USER_FEATURES):
        raise WrongUse(nothing(lake, "no listener features are published yet; overtone day --help"))
    rows, known = _joined(lake, options)
    said = f"{rows:,} rows in {options.out}, {known:,} of them with features that were known then"
    return Reply({"rows": rows, "known": known, "out": str(options.out.resolve())}, said)


def _joined(lake: ArrowLake, options: argparse.Namespace) -> tuple[int, int]:
    from pyspark.sql import functions as F

    from jobs.asof import Facts, as_of
    from jobs.lake.spark import SparkLake

    spark = SparkLake(lake.address)
    rows = _read(spark.spark, options.rows)
    first, last = rows.agg(F.to_date(F.min(MOMENT)), F.to_date(F.max(MOMENT))).first() or (None, None)
    days = [] if first is None else [first + timedelta(days=n) for n in range(-options.within - 1, (last - first).days + 1)]
    # A date's features are of its end, and hold from then on.
    began = "CAST(date_add({}, 1) AS TIMESTAMP)"
    told = spark.read(USER_FEATURES, days).withColumnRenamed("date", DATED)
    facts = Facts(told, (LISTENER,), began.format(DATED), began.format("known_date"), (DATED, *options.columns))
    made = as_of(rows, facts, at=MOMENT, within=f"INTERVAL {options.within} DAYS")
    scratch = options.out.with_name(f".{options.out.name}.{os.getpid()}")
    try:
        made.write.parquet(str(scratch.absolute()))
        written = spark.spark.read.parquet(str(scratch.absolute())).agg(F.count("*"), F.count(DATED)).first()
        scratch.rename(options.out)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return (written[0], written[1]) if written else (0, 0)


def _names(file: Path) -> list[str]:
    if not file.is_file():
        raise WrongUse(f"ROWS: there is no file {str(file)!r}")
    if file.suffix == ".csv":
        with file.open(encoding="utf-8", errors="replace", newline="") as lines:
            return next(csv.reader(lines), [])
    try:
        return list(pq.read_schema(file).names)
    except pa.ArrowInvalid as error:
        raise WrongUse(f"ROWS: {file} is no Parquet file, and does not end in .csv") from error


def _look(file: Path, columns: tuple[str, ...]) -> None:
    """Raise `WrongUse` unless the file has a listener and a moment, and no column that would be there twice."""
    names = _names(file)
    for name in (LISTENER, MOMENT):
        if name not in names:
            raise WrongUse(f"ROWS: {file} has no column {name!r}; it has {', '.join(names) or 'none'}")
    twice = sorted(name for name, n in Counter(name.lower() for name in names).items() if n > 1)
    if twice:
        raise WrongUse(f"ROWS: {file} has column {twice[0]!r} more than once; name each column once")
    taken = sorted({*columns, DATED} & {name.lower() for name in names})
    if taken:
        raise WrongUse(f"ROWS: {file} has a column {taken[0]!r} of its own; rename it, or leave it out of --columns")


def _read(spark: SparkSession, file: Path) -> DataFrame:
    """Read rows with a listener and a moment; whatever else they hold goes along."""
    rows = spark.read.csv(str(file.absolute()), header=True) if file.suffix == ".csv" else spark.read.parquet(str(file.absolute()))
    dtype = dict(rows.dtypes)[MOMENT]
    if dtype == "string":
        wrong = rows.where(f"{MOMENT} IS NOT NULL AND try_to_timestamp({MOMENT}) IS NULL").select(MOMENT).first()
        if wrong:
            raise WrongUse(f"ROWS: {file}: {wrong[0]!r} is no moment; give 2026-11-01T20:15:00Z")
    elif not dtype.startswith(("timestamp", "date")):
        raise WrongUse(f"ROWS: {file}: column {MOMENT!r} is {dtype}; it must be a timestamp")
    return rows.withColumn(MOMENT, rows[MOMENT].cast("timestamp"))
