"""A world as Spark frames: one task makes the listeners of one file and streams their rows; nothing is gathered anywhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from jobs.world import block as blocks
from jobs.world import feeds, lines, static, truth

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

    from jobs.world.block import Block, Stage
    from jobs.world.feeds import Rows
    from jobs.world.preset import World

FEED_LINES = "feed STRING, day DATE, part INT, line STRING"
PLANTED = "feed STRING, date DATE, kind STRING, rows BIGINT"
ROWS_A_BATCH = 20_000


def files(world: World) -> range:
    """Return the numbers of the files that the listeners to be made fall into."""
    low, high = world.made
    return range(low // world.per_file, (high - 1) // world.per_file + 1)


def feed_lines(spark: SparkSession, world: World) -> DataFrame:
    """Return all lines of all feeds with the day they arrive on and the number of the file they belong to."""
    # One more task than files: it makes what belongs to no listener.
    units = spark.range(files(world).start - 1, files(world).stop, 1, len(files(world)) + 1)
    return units.mapInArrow(partial(_feed_lines, world), FEED_LINES)


def of_truth(spark: SparkSession, world: World, rows: Callable[[Block], pa.RecordBatch], schema: str) -> DataFrame:
    """Return the truth about all listeners, block by block."""
    units = spark.range(files(world).start, files(world).stop, 1, len(files(world)))
    return units.mapInArrow(partial(_of_truth, world, rows), schema.replace(" NOT NULL", ""))


def planted(block: Block) -> pa.RecordBatch:
    """Return the defects planted into the feeds of a block: feed, day of arrival, kind, rows."""
    found = [(d.feed, *row) for d in (feeds.plays(block), feeds.feedback(block)[-1], feeds.ad_events(block)[-1]) for row in d.planted()]
    feed, day, kind, rows = ([row[k] for row in found] for k in range(4))
    arrays = [
        pa.array(feed, pa.string()),
        pa.array(day, pa.int32()).cast(pa.date32()),
        pa.array(kind, pa.string()),
        pa.array(rows, pa.int64()),
    ]
    return pa.RecordBatch.from_arrays(arrays, ["feed", "date", "kind", "rows"])


def _feed_lines(world: World, units: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    stage = blocks.stage(world)
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
    stage = blocks.stage(world)
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
    days = pa.array(rows.day.astype(np.int32)).cast(pa.date32())
    for start in range(0, len(rows.day), ROWS_A_BATCH):
        line = rows.line.slice(start, ROWS_A_BATCH)
        size = len(line)
        arrays: list[Any] = [pa.repeat(rows.feed, size), days.slice(start, size), pa.repeat(pa.scalar(part, pa.int32()), size), line]
        yield pa.RecordBatch.from_arrays(arrays, ["feed", "day", "part", "line"])


TRUTH = {truth.LISTENERS: truth.listeners, truth.IMPRESSIONS: truth.impressions}
