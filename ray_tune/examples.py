"""Training examples out of the lake: who may be profiled, what was known, encoded once, cut by time."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from jobs.contracts.silver import SILVER_LISTENERS
from jobs.lake.schema import arrow_schema
from ray_tune.scorer import Matrix, encode

if TYPE_CHECKING:
    from jobs.lake.arrow import ArrowLake
    from ray_tune.models.model import Model, Parts

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
EPOCH = date(1970, 1, 1)


@dataclass(frozen=True)
class Examples:
    """Rows of `frame` (the model's inputs), with label (0 or 1), date (days since 1970, rising) and listener (numbered from 0).

    `share` is the part of the listeners that they are of, if there were too many.
    """

    frame: pa.Table
    labels: Floats
    days: Ints
    listeners: Ints
    share: float = 1.0

    @property
    def dates(self) -> tuple[date, ...]:
        """The different dates, in order."""
        return tuple(EPOCH + timedelta(days=int(day)) for day in np.unique(self.days))

    @property
    def positives(self) -> int:
        """How many labels are 1."""
        return int(self.labels.sum())

    def of(self, dates: tuple[date, ...]) -> Examples:
        """Return the examples from the first to the last of these dates, listeners numbered anew; nothing is copied but the numbers."""
        first, last = ((day - EPOCH).days for day in (min(dates), max(dates)))
        inside = slice(*np.searchsorted(self.days, [first, last + 1]).tolist())
        listeners = np.unique(self.listeners[inside], return_inverse=True)[1]
        return Examples(self.frame[inside], self.labels[inside], self.days[inside], listeners)


@dataclass(frozen=True)
class Part:
    """Rows that a booster sees, encoded: `matrix` of shape (rows, columns)."""

    matrix: Matrix
    labels: Floats

    def rows(self, first: int, end: int) -> Part:
        """Return some of the rows; nothing is copied."""
        return Part(self.matrix[first:end], self.labels[first:end])


@dataclass(frozen=True)
class Encoded:
    """What a booster learns from, is stopped by and is calibrated on, one after the other in time; `ends` are the ends of the first two.

    The lists of categories are those of the dates it learns from.
    """

    categories: dict[str, list[str]]
    whole: Part
    ends: tuple[int, int]

    @property
    def train(self) -> Part:
        """The oldest days."""
        return self.whole.rows(0, self.ends[0])

    @property
    def valid(self) -> Part:
        """The days after them."""
        return self.whole.rows(*self.ends)

    @property
    def early(self) -> Part:
        """Both together."""
        return self.whole.rows(0, self.ends[1])

    @property
    def calibrate(self) -> Part:
        """The newest days."""
        return self.whole.rows(self.ends[1], len(self.whole.labels))


def read(lake: ArrowLake, model: Model, as_of: date) -> Examples:
    """Read the model's examples known by the end of `as_of`, of listeners who allow advertising by then.

    They come in the order of dates and keys: sampling goes by place, and the order of files is chance. Of more than `model.most`
    those of a share of the listeners are read, date by date: what a training needs of memory does not grow with the log.
    """
    key = list(model.examples.key)
    columns = [*model.columns, model.label, "date", "known_ts", "listener_id", *key]
    sizes: Counter[date] = Counter()
    for one in lake.log(model.examples):
        sizes[date.fromisoformat(str(one["partition.date"]))] += one["num_records"]
    dates = sorted(day for day in sizes if day <= as_of)
    share = min(1.0, model.most / max(1, sum(sizes[day] for day in dates)))
    agreed = drawn(allowed(lake, as_of), share)
    until = pa.scalar(datetime.combine(as_of + timedelta(days=1), time(), UTC), arrow_schema(model.examples).field("known_ts").type)
    parts = [narrow(lake.read(model.examples, [], columns=columns), model)]
    for day in dates:
        rows = lake.read(model.examples, [day], columns=columns)
        mine = pc.and_(pc.less(rows["known_ts"], until), pc.is_in(rows["listener_id"], value_set=agreed))
        parts.append(narrow(rows.filter(mine).sort_by([(name, "ascending") for name in key]), model))
    rows = pa.concat_tables(parts)
    listeners = rows["listener_id"].combine_chunks().dictionary_encode().indices.to_numpy(zero_copy_only=False)
    labels = rows[model.label].cast(pa.float64()).to_numpy()
    days = rows["date"].cast(pa.int32()).to_numpy().astype(np.int64)
    return Examples(rows.select(model.columns), labels, days, listeners.astype(np.int64), share)


def narrow(rows: pa.Table, model: Model) -> pa.Table:
    """Return what is kept of rows read, in half the bytes: the inputs, label, date and listener."""
    inputs = [rows[name].cast(pa.float32(), safe=False) for name in model.features] + [rows[name] for name in model.categories]
    rest = (model.label, "date", "listener_id")
    return pa.table([*inputs, *(rows[name] for name in rest)], names=[*model.columns, *rest])


def drawn(listeners: pa.Array, share: float) -> pa.Array:
    """Return a share of listeners, always the same ones: a pseudonym is a keyed hash, so those that begin low are drawn by chance."""
    return listeners if share >= 1 else listeners.filter(pc.less(listeners, f"{int(share * 16**8):08x}"))


def allowed(lake: ArrowLake, as_of: date) -> pa.Array:
    """Return the ids of listeners who allow advertising at the end of `as_of`."""
    state = lake.read(SILVER_LISTENERS, [as_of], columns=["listener_id", "ads_allowed"])
    return state.filter(state["ads_allowed"])["listener_id"].combine_chunks()


def encoded(examples: Examples, model: Model, parts: Parts) -> Encoded:
    """Encode the parts that a booster learns from, is stopped by and is calibrated on; the test part stays out."""
    train, early = (len(examples.of(dates).labels) for dates in (parts.train, (*parts.train, *parts.valid)))
    rows = examples.of((*parts.train, *parts.valid, *parts.calibrate))
    learnt = rows.frame[:early]
    categories = {name: sorted(value for value in pc.unique(learnt[name]).to_pylist() if value is not None) for name in model.categories}
    return Encoded(categories, Part(encode(rows.frame, model.columns, categories), rows.labels), (train, early))
