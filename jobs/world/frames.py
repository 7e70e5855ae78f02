"""A world as Spark frames: one task makes the listeners of one file and streams their rows; nothing is gathered anywhere."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from jobs.world import block as blocks
from jobs.world import facts, feeds, lines, static, truth
from jobs.world import stage as stages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pyspark.sql import DataFrame, SparkSession

    from jobs.world.block import Block
    from jobs.world.feeds import Rows
    from jobs.world.preset import World
    from jobs.world.stage import Stage

FEED_LINES = "feed STRING, day DATE, part INT, rows INT, lines STRING"
PLANTED = "feed STRING, date DATE, kind STRING, rows BIGINT"
TRUTH = {truth.LISTENERS: facts.listeners, truth.IMPRESSIONS: facts.impressions}
DAYS_A_BATCH = 10
SECONDS_BETWEEN = 5.0  # words of progress


def files(world: World) -> range:
    """Return the numbers of the files that the listeners to be made fall into."""
    low, high = world.made
    return range(low // world.per_file, (high - 1) // world.per_file + 1)


def feed_lines(spark: SparkSession, world: World) -> DataFrame:
    """Return the lines of all feeds, many in a value, with the day they arrive on and the number of the file they belong to."""
    # One more task than files: it makes what belongs to no listener.
    units = spark.range(files(world).start - 1, files(world).stop, 1, len(files(world)) + 1)
    return units.mapInArrow(partial(_feed_lines, world), FEED_LINES)


def of_truth(spark: SparkSession, world: World, rows: Callable[[Block], pa.RecordBatch], schema: str) -> DataFrame:
    """Return the truth about all listeners, block by block."""
    units = spark.range(files(world).start, files(world).stop, 1, len(files(world)))
    return units.mapInArrow(partial(_of_truth, world, rows), schema.replace(" NOT NULL", ""))


def planted(block: Block) -> pa.RecordBatch:
    """Return the defects planted into the feeds of a block: feed, day of arrival, kind, rows."""
    deliveries = (feeds.plays(block), feeds.feedback(block)[-1], feeds.ad_events(block)[-1])
    found = [(delivery.feed, *row) for delivery in deliveries for row in delivery.planted()]
    feed, day, kind, rows = ([row[k] for row in found] for k in range(4))
    days = pa.array(day, pa.int32()).cast(pa.date32())
    arrays = [pa.array(feed, pa.string()), days, pa.array(kind, pa.string()), pa.array(rows, pa.int64())]
    return pa.RecordBatch.from_arrays(arrays, ["feed", "date", "kind", "rows"])


@contextmanager
def progress(spark: SparkSession, say: Callable[[str], None]) -> Iterator[None]:
    """Say now and then how many tasks of the stages at work are done."""
    over = threading.Event()

    def watch() -> None:
        tracker = spark.sparkContext.statusTracker()
        before = 0
        while not over.wait(SECONDS_BETWEEN):
            found = [info for stage in tracker.getActiveStageIds() if (info := tracker.getStageInfo(stage))]
            done = sum(info.numCompletedTasks for info in found)
            if done > before:
                say(f"world: {done} of {sum(info.numTasks for info in found)} groups of listeners made")
            before = max(before, done)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()


def _feed_lines(world: World, units: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    stage = stages.build(world)
    for unit in _numbers(units):
        if unit < files(world).start:
            for rows in static.feeds(stage):
                yield from _batches(rows, 0)
            continue
        parts = lines.Parts(stage)
        for block in _blocks(stage, unit):
            for rows in feeds.of_block(block, parts):
                yield from _batches(rows, unit)


def _of_truth(world: World, rows: Callable[[Block], pa.RecordBatch], units: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    stage = stages.build(world)
    for unit in _numbers(units):
        for block in _blocks(stage, unit):
            yield rows(block)


def _blocks(stage: Stage, file: int) -> Iterator[Block]:
    for first in blocks.starts(stage.world, file):
        yield blocks.live(stage, first)


def _numbers(units: Iterator[pa.RecordBatch]) -> Iterator[int]:
    for batch in units:
        yield from batch.column(0).to_pylist()


def _batches(rows: Rows, part: int) -> Iterator[pa.RecordBatch]:
    """Yield the lines gathered by day: one value for many lines spares Spark the cost of a row each."""
    order = np.argsort(rows.day, kind="stable")
    day, first = np.unique(rows.day[order], return_index=True)
    ends = np.append(first, len(order)).astype("int32")
    texts = pc.binary_join(pa.ListArray.from_arrays(pa.array(ends), rows.line.take(pa.array(order))), "\n")
    days, counts = pa.array(day.astype("int32")).cast(pa.date32()), pa.array(np.diff(ends))
    for start in range(0, len(day), DAYS_A_BATCH):
        size = min(DAYS_A_BATCH, len(day) - start)
        columns: list[Any] = [pa.repeat(rows.feed, size), days.slice(start, size), pa.repeat(pa.scalar(part, pa.int32()), size)]
        columns += [counts.slice(start, size), texts.slice(start, size)]
        yield pa.RecordBatch.from_arrays(columns, ["feed", "day", "part", "rows", "lines"])
