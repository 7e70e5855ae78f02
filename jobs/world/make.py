"""Make a known-truth world: feed files into a folder, truth into a lake."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import pyarrow as pa
from pyspark.sql import Observation
from pyspark.sql import functions as F

from jobs.lake.commit import Note
from jobs.world import block, facts, feeds, frames, lines, oracle, stage, truth
from jobs.world.files import Folder
from jobs.world.manifest import BEING_MADE, MADE, is_made, spec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pyspark.sql import DataFrame

    from jobs.lake.address import Address
    from jobs.lake.arrow import ArrowLake
    from jobs.lake.spark import SparkLake
    from jobs.world.preset import World

FEEDS = ("plays", "feedback", "ads", "listeners", "weather", "mentions", "tracks")
SAMPLE = 6  # rows that the damaged files repeat


@dataclass(frozen=True)
class Made:
    """What was made: rows by feed, files, and the seconds that the feed files took; nothing if it was there already."""

    by_feed: Mapping[str, int]
    files: int
    seconds: float

    @property
    def changed(self) -> bool:
        """Whether anything was made."""
        return bool(self.by_feed)

    @property
    def rows(self) -> int:
        """Feed rows made."""
        return sum(self.by_feed.values())

    @property
    def sentence(self) -> str:
        """Say in one line what was made and how fast."""
        if not self.changed:
            return "world: nothing to do, this very world was made before"
        return f"world: {self.rows:,} rows in {self.files} files, {self.seconds:.1f} s, {self.rows / self.seconds:,.0f} rows/s"


def quiet(_: str) -> None:
    """Say nothing."""


def make(world: World, out: Address, lake: SparkLake, say: Callable[[str], None] = quiet) -> Made:
    """Make a world unless it is there; an earlier world in the folder gives way, foreign files there raise `WrongUse`."""
    folder = Folder(out)
    if is_made(world, folder, lake.arrow):
        return Made({}, 0, 0.0)
    folder.clear()
    folder.state({"spec": spec(world), "state": BEING_MADE, "world": repr(world)})
    spark = lake.spark
    began = time.monotonic()
    counts = Observation()
    found = frames.feed_lines(spark, world)
    found = found.observe(counts, *(F.sum(F.when(F.col("feed") == feed, F.col("rows")).otherwise(0)).alias(feed) for feed in FEEDS))
    with frames.progress(spark, say):
        names = folder.write(found)
    made = Made(counts.get, len(names), time.monotonic() - began)
    say(made.sentence)
    _write_truth(world, folder, lake)
    folder.state({"spec": spec(world), "state": MADE, "world": repr(world), "rows": made.by_feed})
    say(f"world: truth written, {time.monotonic() - began - made.seconds:.1f} s")
    for ceiling in _ceilings(world, lake.arrow):
        say(f"world: {ceiling.sentence()}")
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
