"""Make a known-truth world: feed files into a folder, truth into a lake."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
from pyspark.sql import Observation
from pyspark.sql import functions as F

from jobs.lake.commit import Note
from jobs.world import block, feeds, frames, lines, truth
from jobs.world.files import Folder

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pyspark.sql import DataFrame

    from jobs.lake.address import Address
    from jobs.lake.arrow import ArrowLake
    from jobs.lake.spark import SparkLake
    from jobs.world.preset import World

FEEDS = ("plays", "feedback", "ads", "listeners", "weather", "tracks", "mentions")


@dataclass(frozen=True)
class Made:
    """What was made: rows by feed, files, and the seconds that the feed files took."""

    rows: Mapping[str, int]
    files: int
    seconds: float

    @property
    def rows_per_second(self) -> float:
        """Feed rows made and written a second."""
        return sum(self.rows.values()) / self.seconds if self.seconds else 0.0


def spec(world: World) -> str:
    """Return a hash of all that a world's bytes depend on: its parameters and this package's code."""
    digest = hashlib.sha256(repr(world).encode())
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:32]


def is_made(world: World, folder: Folder, lake: ArrowLake) -> bool:
    """Say whether this very world lies in the folder and its truth in the lake; needs no Spark."""
    manifest = folder.manifest()
    newest = lake.history(truth.DEFECTS, 1)
    return manifest.get("spec") == spec(world) and manifest.get("state") == "made" and bool(newest) and newest[0].note.run == spec(world)


def make(world: World, out: Address, lake: SparkLake, say: Callable[[str], None]) -> Made:
    """Make a world; a folder that holds other files raises `WrongUse`."""
    folder = Folder(out)
    folder.clear()
    folder.state({"spec": spec(world), "state": "being made", "world": repr(world)})
    began = time.monotonic()
    counts = Observation()
    found = frames.feed_lines(lake.spark, world)
    found = found.observe(counts, *(F.count_if(F.col("feed") == feed).alias(feed) for feed in FEEDS))
    names = folder.write(found)
    made = Made(counts.get, len(names), time.monotonic() - began)
    say(f"{sum(made.rows.values()):,} rows in {made.files} files, {made.seconds:.1f} s, {made.rows_per_second:,.0f} rows/s")
    _write_truth(world, folder, lake)
    folder.state({"spec": spec(world), "state": "made", "world": repr(world), "rows": dict(made.rows)})
    say(f"truth written in {time.monotonic() - began - made.seconds:.1f} s")
    return made


def _write_truth(world: World, folder: Folder, lake: SparkLake) -> None:
    """Write the truth tables; the table of defects last, as its commit says that all is there."""
    note = Note(run=spec(world))
    for table, rows in frames.TRUTH.items():
        lake.overwrite(table, frames.of_truth(lake.spark, world, rows, table.ddl), None, note)
    stage = block.stage(world)
    small = {
        truth.TRACKS: truth.tracks(stage.catalogue),
        truth.WEATHER: truth.weather(stage.weather),
        truth.CONTEXT_EFFECTS: truth.context_effects(),
    }
    for table, frame in small.items():
        lake.arrow.overwrite(table, frame, None, note)
    planted = (
        frames.of_truth(lake.spark, world, frames.planted, frames.PLANTED).groupBy("feed", "date", "kind").agg(F.sum("rows").alias("rows"))
    )
    lake.arrow.overwrite(truth.DEFECTS, _with_damage(world, folder, stage, planted), None, note)


def _with_damage(world: World, folder: Folder, stage: block.Stage, planted: DataFrame) -> pa.Table:
    """Return the counts of planted defects, those of the damaged files among them, which are written now."""
    rows = [row.asDict() for row in planted.collect()]  # one a feed, day and kind
    if world.damaged and world.made[0] == 0:
        first = block.live(stage, 0)
        text = lines.plays(first, lines.Parts(stage), feeds.plays(first).sent).slice(0, 6).to_pylist()
        counts = folder.damage(world.last, text)
        rows += [{"feed": "plays-damaged", "date": world.last, "kind": kind, "rows": n} for kind, n in counts.items()]
    names = truth.DEFECTS.names
    return pa.table({name: [row[name] for row in rows] for name in names})
