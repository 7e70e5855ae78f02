"""The point-in-time join of a million rows with two million facts of ten values beside Feast's offline stores, DuckDB and Dask.

All start as processes from nothing, read the same two Parquet files and write one. Facts are known when they happen, for Feast asks only
one clock; on a second set of facts, some known a day late, what Feast joins before it was known is counted.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from datetime import timedelta
from pathlib import Path

import numpy as np
import peers
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from meter import GIB, Use, use
from pairs import spread
from results import BUILD, Measured, Row, row

from jobs.asof import CLOCKS, Part, as_of

# Twenty facts a listener: of a hundred, Dask would lay each beside every row of the listener and fill 24 GiB.
ROWS, FACTS, LISTENERS, DAYS, SEED = 1_000_000, 2_000_000, 100_000, 90, 7
VALUES = tuple(f"v{n}" for n in range(10))
DAY = 86_400_000_000  # microseconds
LATE = 0.05  # of the facts of the second set become known a day after they happened
STORES = ("duckdb", "dask")
REPEATS = 3
PLACE = BUILD / "pointintime"
COMMAND = "make bench NAME=pointintime"


def measure() -> list[Row]:
    """Measure ours and Feast's stores `REPEATS` times in turn, and hold every value against ours."""
    place = PLACE / "punctual"
    prepare(place, late=0)
    found: dict[str, list[Use]] = {"ours": [], **{store: [] for store in STORES}}
    for _ in range(REPEATS):
        for name, uses in found.items():
            uses.append(use(command(name, place)))
    for name, uses in found.items():
        told = "; ".join(f"{one.wall:.1f} s wall, {one.cpu:.1f} s cpu, {one.memory / GIB:.2f} GiB" for one in uses)
        sys.stderr.write(f"{name:7} {told}\n")
    rows = [_exactly("pointintime_rows", "rows that ours loses or doubles", "== 0", ROWS - len(read(place, "ours")))]
    for store in STORES:
        walls = [ours.wall / theirs.wall for ours, theirs in zip(found["ours"], found[store], strict=True)]
        what = f"wall seconds over Feast's on {store}"
        rows.append(row(f"pointintime_{store}", what, "<= 0.5" if store == "duckdb" else "< 1", {0: spread(walls)}, COMMAND))
        lost, apart = compared(read(place, "ours"), read(place, store))
        sys.stderr.write(f"Feast on {store} loses {lost:,} of {ROWS:,} rows\n")
        rows.append(_exactly(f"pointintime_{store}_values", f"values that differ in rows that Feast keeps on {store}", "== 0", apart))
    return [*rows, _leaked()]


def _leaked() -> Row:
    place = PLACE / "late"
    prepare(place, late=LATE)
    for name in ("ours", "duckdb"):
        use(command(name, place))
    _, apart = compared(read(place, "ours"), read(place, "duckdb"))
    sys.stderr.write(
        f"where {LATE:.0%} of the facts come a day late, Feast joins {apart / len(VALUES):,.0f} rows with what was not yet known\n"
    )
    return _exactly("pointintime_leaks", "values that Feast joins before they were known; ours joins none", "> 0", apart)


def _exactly(name: str, what: str, goal: str, value: float) -> Row:
    return row(name, what, goal, {0: Measured.exactly(value)}, COMMAND)


def command(name: str, place: Path) -> list[str | Path]:
    """Return what makes one side's result."""
    if name == "ours":
        return [sys.executable, __file__, place]
    return [peers.python(), Path(__file__).with_name("peer_feast.py"), place, name]


def prepare(place: Path, *, late: float) -> None:
    """Write rows and facts at random moments of 90 days."""
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    rng = np.random.default_rng(SEED)
    start = np.datetime64("2026-08-01T00:00:00", "us")
    happened = start + rng.integers(0, DAYS * DAY, FACTS).astype("timedelta64[us]")
    known = happened + np.where(rng.random(FACTS) < late, DAY, 0).astype("timedelta64[us]")
    facts = {"listener_id": rng.integers(0, LISTENERS, FACTS), "happened": _utc(happened), "known": _utc(known)}
    pq.write_table(pa.table(facts | {name: rng.random(FACTS) for name in VALUES}), place / "facts.parquet")
    moments = start + rng.integers(0, DAYS * DAY, ROWS).astype("timedelta64[us]")
    rows = {"sale": np.arange(ROWS), "listener_id": rng.integers(0, LISTENERS, ROWS), "event_timestamp": _utc(moments)}
    pq.write_table(pa.table(rows), place / "rows.parquet")


def _utc(moments: np.ndarray) -> pa.Array:
    return pa.array(moments).cast(pa.timestamp("us", "UTC"))


def join(place: Path) -> None:
    """Join as `overtone features join` does."""

    def read(*columns: str) -> pa.Table:
        return pq.read_table(place / "facts.parquet", columns=[*columns])

    facts = Part(lambda: read("listener_id", "happened", "known").rename_columns(CLOCKS), lambda: read(*VALUES))
    rows = pq.read_table(place / "rows.parquet")
    found = as_of(rows["listener_id"], rows["event_timestamp"], [facts], timedelta(days=7))
    pq.write_table(pa.table([*rows.columns, *found.columns], [*rows.column_names, *found.column_names]), place / "ours.parquet")


def read(place: Path, name: str) -> pa.Table:
    """Return one side's rows in the order of sales."""
    return pq.read_table(place / f"{name}.parquet", columns=["sale", *VALUES]).sort_by("sale")


def compared(ours: pa.Table, theirs: pa.Table) -> tuple[int, int]:
    """Return how many rows theirs lacks, and how many values differ in those it has."""
    kept = ours.filter(pc.is_in(ours["sale"], theirs["sale"]))
    apart = 0
    for name in VALUES:
        a, b = (pc.fill_null(pc.fill_null(one[name], float("nan")), float("nan")).to_numpy() for one in (kept, theirs))
        apart += int((~((a == b) | (np.isnan(a) & np.isnan(b)))).sum())
    return len(ours) - len(theirs), apart


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("place", type=Path)
    join(parser.parse_args().place)
