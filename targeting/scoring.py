"""Batch scoring: every consenting listener's click probability in each advertiser category, by the champion.

A listener is scored in the usual context: the device and daypart of most plays, a weekday, the break's middle, weather
unknown. What varies from one impression to the next is the decision service's business.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
from pyspark.sql import functions as F

from jobs.contracts.delivery import SCORES
from jobs.contracts.derived import USER_FEATURES
from jobs.contracts.silver import SILVER_LISTENERS
from jobs.features import USER
from jobs.features.rhythm import DAYPARTS, DEVICE_GROUPS
from jobs.lake.schema import arrow_schema
from jobs.run import NOTHING, Job, Outcome, Read, run
from ray_tune import registry
from ray_tune.ledger import serving
from ray_tune.scorer import Scorer
from targeting.campaigns import CATEGORIES
from validation.verdict import OvertoneError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import date

    from pyspark.sql import DataFrame

    from jobs.lake.arrow import ArrowLake
    from jobs.lake.spark import SparkLake

MODEL = "response"
# Below this many rows the driver scores them itself: handing Arrow to Python workers costs more than the trees.
DRIVER_ROWS = 400_000
SCORED = ("date", "listener_id", "category", "score", "model_version")


def score(lake: SparkLake, day: date) -> Outcome:
    """Score a date with the champion; without one nothing is scored, and that is said."""
    version = serving(lake.arrow, MODEL)
    if version is None:
        sentence = f"{SCORES.name}: skipped, no model was approved as champion (overtone model list)"
        return Outcome(SCORES.name, NOTHING, (), sentence=sentence)
    return run(job(lambda: _champion(lake.arrow), version), lake, [day])


def job(fetch: Callable[[], Scorer], version: str) -> Job:
    """Return the scoring job for one model version; the scorer is fetched only when there are rows to make."""

    def build(features: DataFrame, listeners: DataFrame, *, dates: tuple[date, ...]) -> DataFrame:
        return scores(features, listeners, fetch(), dates=dates)

    return Job((Read(USER_FEATURES), Read(SILVER_LISTENERS)), SCORES, build, args={"model": MODEL, "version": version})


def _champion(lake: ArrowLake) -> Scorer:
    """Load the scorer that serves; the registry's alias, which a killed approval may have left behind, is set right by the way."""
    found = registry.champion(lake, MODEL)
    if found is None:
        raise OvertoneError(f"the approval of {MODEL!r} was taken back while its scores were made; run again")
    return found


def scores(
    features: DataFrame, listeners: DataFrame, scorer: Scorer, *, dates: tuple[date, ...], on_driver: bool | None = None
) -> DataFrame:
    """Return one row a consenting listener and category with its score."""
    allowed = listeners.where("ads_allowed").select("date", "listener_id")
    asked = usual(features.where(F.col("date").isin(*dates)).join(allowed, ["date", "listener_id"], "left_semi"))
    small = asked.count() <= DRIVER_ROWS if on_driver is None else on_driver
    if small:
        return features.sparkSession.createDataFrame(_scored(asked.toArrow(), scorer))
    text = scorer.to_json()

    def each(parts: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        own = Scorer.from_json(text)
        for part in parts:
            yield from _scored(pa.Table.from_batches([part]), own).to_batches()

    return asked.mapInArrow(each, SCORES.ddl.replace(" NOT NULL", ""))


def usual(features: DataFrame) -> DataFrame:
    """Return one row a listener and category, in the listener's usual context."""
    device = _largest({name: f"{name}_share_28d" for name in DEVICE_GROUPS}, "mobile")
    daypart = _largest({name: f"{name}_share_28d" for name in DAYPARTS}, "evening")
    categories = ", ".join(f"'{name}'" for name in CATEGORIES)
    return features.select(
        "date",
        "listener_id",
        *(feature.name for feature in USER),
        F.expr(f"{device} AS device"),
        F.expr(f"{daypart} AS daypart"),
        F.lit("weekday").alias("day_type"),
        F.lit("unknown").alias("weather"),
        F.lit("mid").alias("slot"),
        F.explode(F.expr(f"array({categories})")).alias("category"),
    )


def _largest(shares: dict[str, str], fallback: str) -> str:
    """Return SQL for the name with the largest share; `fallback` where all are zero or unknown."""
    pairs = ", ".join(f"named_struct('share', coalesce({column}, 0), 'name', '{name}')" for name, column in shares.items())
    return f"CASE WHEN greatest({', '.join(shares.values())}) > 0 THEN array_max(array({pairs})).name ELSE '{fallback}' END"


def _scored(frame: pa.Table, scorer: Scorer) -> pa.Table:
    found = scorer.score(frame, threads=1)
    version = pa.array([scorer.version] * frame.num_rows, pa.string())
    columns = [*(frame.column(name) for name in SCORED[:3]), pa.array(found, pa.float64()), version]
    return pa.table(columns, names=list(SCORED)).cast(pa.schema([pa.field(one.name, one.type) for one in arrow_schema(SCORES)]))
