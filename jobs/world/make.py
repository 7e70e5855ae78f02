"""Make a known-truth world: feed files into a folder, truth into a lake."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
from pyspark.sql import Observation
from pyspark.sql import functions as F

from jobs.lake.commit import Note
from jobs.world import block, facts, feeds, frames, lines, oracle, stage, truth

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pyspark.sql import DataFrame

    from jobs.lake.arrow import ArrowLake
    from jobs.lake.spark import SparkLake
    from jobs.world.files import Folder
    from jobs.world.preset import World

FEEDS = ("plays", "feedback", "ads", "listeners", "weather", "mentions", "tracks")
SAMPLE = 6  # rows that the damaged files repeat


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
    """Say whether this very world lies in the folder and its truth in the lake."""
    manifest, newest = folder.manifest(), lake.history(truth.DEFECTS, 1)
    return manifest.get("spec") == spec(world) and manifest.get("state") == "made" and bool(newest) and newest[0].note.run == spec(world)


def make(world: World, folder: Folder, lake: SparkLake, say: Callable[[str], None]) -> Made:
    """Make a world; a folder that holds other files raises `WrongUse`."""
    folder.clear()
    folder.state({"spec": spec(world), "state": "being made", "world": repr(world)})
    spark = lake.spark
    began = time.monotonic()
    counts = Observation()
    found = frames.feed_lines(spark, world)
    found = found.observe(counts, *(F.sum(F.when(F.col("feed") == feed, F.col("rows")).otherwise(0)).alias(feed) for feed in FEEDS))
    with frames.progress(spark, say):
        names = folder.write(found)
    made = Made(counts.get, len(names), time.monotonic() - began)
    say(f"{sum(made.rows.values()):,} rows in {made.files} files, {made.seconds:.1f} s, {made.rows_per_second:,.0f} rows/s")
    _write_truth(world, folder, lake)
    folder.state({"spec": spec(world), "state": "made", "world": repr(world), "rows": dict(made.rows)})
    say(f"truth written, {time.monotonic() - began - made.seconds:.1f} s")
    for ceiling in _ceilings(world, lake.arrow):
        say(ceiling.sentence())
    return made


def _ceilings(world: World, lake: ArrowLake) -> list[oracle.Ceiling]:
    """Return what the impressions of the world's middle date allow, if there are any; one date is small in any world."""
    middle = world.first + timedelta(days=world.days // 2)
    rows = lake.read(truth.IMPRESSIONS, [middle], columns=["p_click", "p_reachable", "shown"])
    shown = rows.column("shown").to_numpy(zero_copy_only=False)
    click, reachable = (rows.column(name).to_numpy()[shown] for name in ("p_click", "p_reachable"))
    return [oracle.ceiling(click, reachable)] if shown.any() else []


def _write_truth(world: World, folder: Folder, lake: SparkLake) -> None:
    """Write the truth tables; the table of defects last, as its commit says that all is there."""
    note = Note(run=spec(world))
    for table, rows in frames.TRUTH.items():
        lake.arrow.create(table)
        base, staged = lake.arrow.version(table), f"made-{note.run}"
        lake.arrow.discard(table, staged)
        lake.stage(table, frames.of_truth(lake.spark, world, rows, table.ddl), staged)
        lake.arrow.adopt(table, staged, None, note, -1 if base is None else base)
    on = stage.build(world)
    small = {
        truth.TRACKS: facts.tracks(on.catalogue),
        truth.WEATHER: facts.weather(on.weather),
        truth.TRENDS: facts.trends(on),
        truth.CONTEXT_EFFECTS: facts.context_effects(),
    }
    for table, frame in small.items():
        lake.arrow.overwrite(table, frame, None, note)
    planted = frames.of_truth(lake.spark, world, frames.planted, frames.PLANTED)
    counted = planted.groupBy("feed", "date", "kind").agg(F.sum("rows").alias("rows"))
    lake.arrow.overwrite(truth.DEFECTS, _with_damage(folder, on, counted), None, note)


def _with_damage(folder: Folder, on: stage.Stage, counted: DataFrame) -> pa.Table:
    """Write the damaged files, and return the counts of planted defects, theirs included."""
    rows = [row.asDict() for row in counted.collect()]  # one a feed, day and kind
    if on.world.damaged and on.world.made[0] == 0:
        first = block.live(on, 0)
        text = lines.plays(first, lines.Parts(on), feeds.plays(first).sent).slice(0, SAMPLE).to_pylist()
        planted = folder.damage(on.world.last, text)
        rows += [{"feed": "damaged", "date": on.world.last, "kind": kind, "rows": n} for kind, n in planted.items()]
    return pa.table({name: [row[name] for row in rows] for name in truth.DEFECTS.names})
