"""Impressions that a model did not learn from: its score beside the planted probability."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from jobs.contracts.delivery import TRAININGS
from jobs.examples import JOB
from jobs.lake.schema import arrow_schema, conform
from jobs.run import consenting
from jobs.world import truth
from ray_tune.examples import read
from ray_tune.models import MODELS
from ray_tune.registry import scorer

if TYPE_CHECKING:
    from datetime import date

    from jobs.lake.spark import SparkLake

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
RESPONSE = MODELS["response"]
REPLICATES = 300


@dataclass(frozen=True)
class Seen:
    """Test impressions: calibrated score, planted chance of a click, the part of it that features can tell, listener from 0."""

    score: Floats
    chance: Floats
    reachable: Floats
    listener: Ints

    def resampled(self, rng: np.random.Generator) -> list[Ints]:
        """Return the rows of replicates in which whole listeners are drawn anew."""
        order = np.argsort(self.listener, kind="stable")
        rows = np.split(order, np.flatnonzero(np.diff(self.listener[order])) + 1)
        return [np.concatenate([rows[i] for i in rng.integers(len(rows), size=len(rows))]) for _ in range(REPLICATES)]


def newest(lake: SparkLake) -> dict[str, object]:
    """Return the newest training that made a version."""
    made = [row for row in lake.arrow.read(TRAININGS).to_pylist() if row["version"]]
    return max(made, key=lambda row: row["trained_at"])


def unseen(lake: SparkLake, as_of: date) -> Seen:
    """Return the impressions from the newest training's first test date to `as_of`: a planted chance need not settle like a label."""
    settled = RESPONSE.split.cut(read(lake.arrow, RESPONSE, as_of).dates).test
    key = RESPONSE.examples.key[0]
    columns = [key, "listener_id", *RESPONSE.columns]
    published = lake.arrow.read(RESPONSE.examples, settled, columns=columns)
    examples = pa.concat_tables([published, unsettled(lake, settled[-1], as_of, columns)])
    planted = lake.arrow.read(truth.IMPRESSIONS, columns=["impression", "p_click", "p_reachable"])
    rows = examples.join(planted, keys=key, right_keys="impression", join_type="inner")
    found = scorer(lake.arrow, RESPONSE.name, str(newest(lake)["version"])).score(rows)
    listener = np.unique(rows["listener_id"].to_numpy(zero_copy_only=False), return_inverse=True)[1]
    return Seen(found, rows["p_click"].to_numpy(), rows["p_reachable"].to_numpy(), listener.astype(np.int64))


def unsettled(lake: SparkLake, after: date, until: date, columns: list[str]) -> pa.Table:
    """Return examples of the dates after `after` as the pipeline's own job would write them once their labels are settled."""
    dates = tuple(after + timedelta(days=n) for n in range(1, (until - after).days + 1))
    made = consenting(JOB, lake, JOB.build(*(lake.read(one.table) for one in JOB.reads), dates=dates), dates)
    return conform(made.select(*columns).toArrow(), pa.schema([arrow_schema(RESPONSE.examples).field(name) for name in columns]))
