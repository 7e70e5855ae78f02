"""One day's listener features: rolled on by our own jobs, audits and commits included, against Polars and DuckDB making them anew.

All start as processes from nothing. Ours read that day's listens and the state of the evening before; the peers read 90 days of them,
from a copy that spares them our ids of 32 digits (64-bit numbers), and make the 28 features named in `SHARED`; ours make all there are.
What they make is compared value by value. Lakes are kept in build/features and made again only for other code.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import peers
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from meter import GIB, Use, use
from pairs import spread
from results import BUILD, Row, row

from jobs.contracts.derived import USER_FEATURES
from jobs.contracts.silver import LISTENS
from jobs.fingerprint import code_of
from jobs.lake.address import Address
from jobs.lake.commit import Note
from jobs.lake.spark import SparkLake
from jobs.run import run
from jobs.user_days import JOB as DAYS_JOB
from jobs.user_features import JOB as FEATURES_JOB

if TYPE_CHECKING:
    from collections.abc import Collection

    from pyspark.sql import DataFrame

    from validation.contract import Table

EVENTS = (20_000_000, 200_000_000)
LISTENERS, DAYS, TODAY = 100_000, 90, date(2026, 11, 1)
FIRST = TODAY - timedelta(days=DAYS)
TRACKS, TRACKS_AN_ARTIST = 1_000_000, 10
REPEATS, CHUNK = 3, 10
COMMAND = "make bench NAME=features"
SHARED = (
    *(f"{name}_{days}d" for name in ("plays", "hours") for days in (1, 7, 28, 90)),
    *(f"{name}_{days}d" for name in ("active_days", "skip_rate", "artists", "tracks") for days in (7, 28, 90)),
    *(f"{name}_{days}d" for name in ("completion_rate", "repeat_share", "weekend_share") for days in (28, 90)),
    *("mobile_share_28d", "car_share_28d"),
)


def measure() -> list[Row]:
    """Measure every size `REPEATS` times in turn: ours, Polars, DuckDB."""
    python = peers.python()
    found: dict[int, dict[str, list[Use]]] = {}
    for events in EVENTS:
        place = prepared(events)
        ways = {
            "ours": [sys.executable, __file__, "roll", place],
            "polars": [python, Path(__file__).with_name("peer_polars.py"), place],
            "duckdb": [python, Path(__file__).with_name("peer_duckdb.py"), place],
        }
        found[events] = {name: [] for name in ways}
        for _ in range(REPEATS):
            _linked(place)
            for name, command in ways.items():
                found[events][name].append(use(command))
        _compared(place)
        sys.stderr.write(_told(events, found[events]))
    return _rows(found)


def _rows(found: dict[int, dict[str, list[Use]]]) -> list[Row]:
    rows, most = [], EVENTS[-1]
    for kind, unit, goal in (("wall", "seconds", 3), ("cpu", "processor seconds", 3), ("memory", "peak memory", 3)):
        for peer in ("polars", "duckdb"):
            ratios = [getattr(a, kind) / getattr(b, kind) for a, b in zip(found[most]["ours"], found[most][peer], strict=True)]
            what = f"{unit} of a day's features at {most:,} events of history, over what {peer} takes to make 28 of them anew"
            rows.append(row(f"features_{kind}_{peer}", what, f"<= {1 / goal:.3f}", {0: spread(ratios)}, COMMAND))
    for kind in ("wall", "cpu"):
        ratios = [getattr(a, kind) / getattr(b, kind) for a, b in zip(found[most]["ours"], found[EVENTS[0]]["ours"], strict=True)]
        what = f"{kind} seconds at {most:,} events of history, ten times as many a day, over those at {EVENTS[0]:,}"
        rows.append(row(f"features_{kind}_tenfold", what, "<= 10", {0: spread(ratios)}, COMMAND))
    return rows


def _told(events: int, found: dict[str, list[Use]]) -> str:
    lines = [f"{events:,} events: wall s, cpu s, peak GiB, of each run"]
    for name, uses in found.items():
        lines += [f"  {name:8} {one.wall:8.1f} {one.cpu:8.1f} {one.memory / GIB:6.2f}" for one in uses]
    return "\n".join(lines) + "\n"


def prepared(events: int) -> Path:
    """Return the folder of a lake that is ready for the last day's features; made unless it is there."""
    code = code_of("jobs.user_features")[:4] + code_of("jobs.user_days")[:4]
    place = BUILD / "features" / f"{events}-{code}"
    if not (place / "done").exists():
        for old in place.parent.glob(f"{events}-*"):
            shutil.rmtree(old)
        subprocess.run([sys.executable, __file__, "prepare", place, "--events", str(events)], check=True)
    return place


class Drawn(SparkLake):
    """A lake whose listens are drawn whenever they are read: to write 200 million of them would take longer than to count them."""

    def __init__(self, address: Address, events: int) -> None:
        super().__init__(address)
        self.events, self.dates = events, [TODAY]

    def read(self, table: Table, dates: Collection[date] | None = None, version: int | None = None) -> DataFrame:
        """Return the listens of `self.dates`; of other tables what lies there."""
        return self.drawn(self.dates) if table is LISTENS else super().read(table, dates, version)

    def drawn(self, dates: list[date], step: int = 1) -> DataFrame:
        """Draw the listens of these dates, which follow one another, or every `step`-th of them."""
        a_day, first = self.events // DAYS, (dates[0] - FIRST).days
        ids = self.spark.range(first * a_day, (first + len(dates)) * a_day, step, numPartitions=2 * len(dates))
        return ids.selectExpr(*drawn(self.events))


def prepare(place: Path, events: int) -> None:
    """Make the daily counts of 90 dates, the state of the evening before the last, its listens, and the peers' copy of all listens."""
    lake = Drawn(Address.parse(str(place / "lake")), events)
    dates = [FIRST + timedelta(days=n) for n in range(DAYS)]
    numbers = [f"xxhash64({name}) AS {name[:-3]}" for name in ("listener_id", "artist_id", "track_id")]
    told = ("date", "CAST(known_ts AS DATE) AS known", "CAST(ms_played AS INT) AS ms", "skipped", "completed", "local_date", "device")
    for n in range(0, len(dates), CHUNK):
        lake.dates = dates[n : n + CHUNK]
        lake.overwrite(LISTENS, lake.drawn(lake.dates, events // DAYS), lake.dates, Note("benchmark"))  # one a date: it is there
        run(DAYS_JOB, lake, lake.dates)
        sys.stderr.write(f"{events:,} events: {n + len(lake.dates)} of {len(dates)} dates are counted\n")
    run(FEATURES_JOB, lake, [dates[-1]])
    lake.overwrite(LISTENS, lake.drawn([TODAY]), [TODAY], Note("benchmark"))
    for day in [*dates[1:], TODAY]:
        lake.drawn([day]).selectExpr(*numbers, *told).write.parquet(str(place / f"slim/{day}"))
    (place / "done").touch()


def drawn(events: int) -> list[str]:
    """Return a row of listens by its number: few listeners play much, most plays repeat, a few become known days later."""
    day = f"date_add(DATE'{FIRST}', CAST(id DIV {events // DAYS} AS INT))"
    uniform = {n: f"(pmod(xxhash64(id, {n}), 1000003) / 1000003D)" for n in range(8)}
    listener = f"CAST({LISTENERS} * pow({uniform[0]}, 1.5) AS INT)"
    library = max(20, events // LISTENERS)
    track = f"pmod(xxhash64({listener}, CAST({library} * pow({uniform[1]}, 2.5) AS INT)), {TRACKS})"
    late = f"CASE WHEN {uniform[2]} < 0.005 THEN 3 WHEN {uniform[2]} < 0.02 THEN 1 ELSE 0 END"
    values = {
        "date": day,
        "event_id": "hex(xxhash64(id, 'event'))",
        "feed": "'bench'",
        "listener_id": f"md5(CAST({listener} AS STRING))",
        "event_ts": f"CAST({day} AS TIMESTAMP) + make_dt_interval(0, CAST(24 * {uniform[3]} AS INT))",
        "known_ts": f"CAST(date_add({day}, {late}) AS TIMESTAMP) + make_dt_interval(0, 23, 30)",
        "time_zone": "'UTC'",
        "local_date": day,
        "local_hour": f"CAST(24 * {uniform[3]} AS INT)",
        "track_id": f"md5(CAST({track} AS STRING))",
        "artist_id": f"md5(CONCAT('artist', {track} DIV {TRACKS_AN_ARTIST}))",
        "kind": "'track'",
        "ms_played": f"CAST(240000 * {uniform[4]} AS BIGINT)",
        "skipped": f"{uniform[5]} < 0.2",
        "completed": f"{uniform[5]} > 0.4",
        "device": f"element_at(array('mobile', 'desktop', 'speaker', 'car'), 1 + CAST(4 * {uniform[6]} AS INT))",
    }
    return [f"{values.get(column.name, f'CAST(NULL AS {column.dtype})')} AS {column.name}" for column in LISTENS.columns]


def _linked(place: Path) -> None:
    """Lay a lake to be rolled on beside the prepared one; data files are never written twice, so links will do."""
    shutil.rmtree(place / "run", ignore_errors=True)

    def lay(old: str, new: str) -> None:
        (os.link if old.endswith(".parquet") else shutil.copy2)(old, new)

    shutil.copytree(place / "lake", place / "run", copy_function=lay)


def roll(place: Path) -> None:
    """Make the last day's counts and features."""
    lake = SparkLake(Address.parse(str(place / "run")))
    for job in (DAYS_JOB, FEATURES_JOB):
        sys.stderr.write(run(job, lake, [TODAY]).sentence + "\n")


def _compared(place: Path) -> None:
    """Hold what was made against what the peers made, listener by listener; a value that differs ends the benchmark."""
    lake = SparkLake(Address.parse(str(place / "run")))
    ours = lake.read(USER_FEATURES, [TODAY]).selectExpr("xxhash64(listener_id) AS listener", *SHARED).toArrow().sort_by("listener")
    for peer in ("polars", "duckdb"):
        theirs = pq.read_table(place / f"{peer}.parquet").sort_by("listener").select(ours.column_names)
        if theirs.num_rows != ours.num_rows:
            raise SystemExit(f"{peer} made {theirs.num_rows:,} rows, ours are {ours.num_rows:,}")
        for name in ours.column_names:
            a, b = (pc.fill_null(one.column(name).cast(pa.float64() if name != "listener" else pa.int64()), -1) for one in (ours, theirs))
            apart = pc.max(pc.abs(pc.subtract(a, b))).as_py()
            if apart > 1e-9:
                raise SystemExit(f"{name}: {peer}'s values are up to {apart} from ours")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("prepare", "roll"))
    parser.add_argument("place", type=Path)
    parser.add_argument("--events", type=int, default=EVENTS[0])
    options = parser.parse_args()
    if options.what == "prepare":
        prepare(options.place, options.events)
    else:
        roll(options.place)
