"""Rolls a job's rows on from the state of an earlier date, where a fresh one lies near enough; else begins one for a single date.

A state is a cache: it counts only under the fingerprint that the job's rows of its date have now, and deleting all of them changes
no row. It is staged and adopted like any batch, but not audited: what is made of it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING
from uuid import uuid4

from jobs.journal import tell
from jobs.lake.commit import Note, stamp
from jobs.lake.content import known_on
from jobs.lake.spark import conform

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pyspark.sql import DataFrame

    from jobs.console import Dates
    from jobs.lake.content import Content
    from jobs.lake.spark import SparkLake
    from validation.contract import Table

    Marks = Callable[[Sequence[date]], dict[date, str]]

FEW = 7  # dates in a row that are rolled through; beyond, one pass over the history is shorter
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Rolling:
    """How a job's rows of a date follow from those of the date before, by way of a `table` of state, which is a cache.

    `begin(*frames, day=...)` makes a date's state from nothing, `roll(state, *frames, day=..., late=...)` from the state of the date
    before, `late` being the earlier dates some of whose rows became known that day; the frames are the job's tables whole.
    `shown(state)` are the job's rows.
    """

    table: Table
    begin: Callable[..., DataFrame]
    roll: Callable[..., DataFrame]
    shown: Callable[[DataFrame], DataFrame]

    def rows(self, lake: SparkLake, frames: Sequence[DataFrame], held: Sequence[Content], dates: Dates, marks: Marks) -> DataFrame | None:
        """Return the rows of the dates by way of their states; None where one pass over the history is the shorter way.

        `held` is the content of the tables that the frames are read from, `marks` tells the fingerprint of any date's rows.
        """
        wanted = marks([dates[-1] - n * DAY for n in range(FEW + 1)])
        fresh = self._fresh(lake, wanted)
        begun = max((day for day in fresh if day < dates[0]), default=None)
        if begun is None and len(dates) > 1:
            return None
        for day in sorted(day for day in wanted if day not in fresh and day >= (begun or dates[-1])):
            if begun is None:
                made = self.begin(*frames, day=day)
            else:
                late = {one for content in held for one in known_on(content, day)}
                made = self.roll(lake.read(self.table, [day - DAY]), *frames, day=day, late=sorted(late))
            self._keep(lake, made, day, wanted[day])
        return self.shown(lake.read(self.table, dates))

    def _fresh(self, lake: SparkLake, wanted: Mapping[date, str]) -> set[date]:
        """Return the dates whose state is there and is what it would be now."""
        there, published = lake.arrow.files(self.table), lake.arrow.published(self.table)
        return {day for day, mark in wanted.items() if stamp(day) in there and published.get(stamp(day)) == mark}

    def _keep(self, lake: SparkLake, made: DataFrame, day: date, mark: str) -> None:
        staged = f"run-{mark}-{uuid4().hex[:8]}"
        lake.arrow.create(self.table)
        base = lake.arrow.version(self.table) or 0
        try:
            lake.stage(self.table, conform(made, self.table), staged)
            version = lake.arrow.adopt(self.table, staged, [{"date": stamp(day)}], Note(mark, {stamp(day): mark}), base)
        except BaseException:
            lake.arrow.discard(self.table, staged)
            raise
        tell("published", table=self.table.name, dates=stamp(day), batch=mark, version=version)
