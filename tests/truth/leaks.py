"""Leaks planted in examples: values that count late rows before they were known, found one by one, and what they would claim."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from pyspark.sql import functions as F
from results import Measured, Row, row
from worlds import Size, lake_of

from jobs import replays
from jobs.contracts.derived import EXAMPLES, USER_DAYS
from jobs.features import USER
from jobs.run import frames
from jobs.windows import windows
from targeting.command.leaks import naive

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from jobs.lake.spark import SparkLake

COMMAND = "make truth NAME=leaks"
DATES = 3  # the last ones that have examples
KEY = ("date", "impression_id", "feature")


def leaks(size: Size) -> list[Row]:
    """Measure on every seed."""
    found = {seed: of_lake(lake_of(size, seed)) for seed in size.seeds}
    gaps = {seed: Measured(*naive(lake_of(size, seed), size.last)["auc"]["gap"]) for seed in size.seeds}
    says = {
        "leaks_honest": ("values of honest examples that are listed as not yet known", "== 0"),
        "leaks_caught": ("share of planted values, which count late rows before they were known, that are listed", "== 1"),
        "leaks_others": ("values listed besides the planted ones", "== 0"),
    }
    rows = [row(name, what, goal, {seed: one[name] for seed, one in found.items()}, COMMAND) for name, (what, goal) in says.items()]
    return [*rows, row("leaks_claim", "AUC that a join by event dates alone would claim, less what there is", "> 0", gaps, COMMAND)]


def of_lake(lake: SparkLake) -> dict[str, Measured]:
    """Count what is listed of honest examples, and of some in which values were made with hindsight."""
    dates = tuple(sorted(map(date.fromisoformat, lake.arrow.files(EXAMPLES)))[-DATES:])
    examples, *others = frames(replays.JOB, lake, dates)
    listed = _keys(replays.leaked(examples, *others, dates=dates))
    honest = examples.where(F.col("date").isin(*dates)).localCheckpoint()
    dishonest = with_hindsight(honest, lake.read(USER_DAYS), dates).localCheckpoint()
    planted = _keys(_values(honest, "told").join(_values(dishonest, "planted"), [*KEY]).where("NOT told <=> planted"))
    found = _keys(replays.leaked(dishonest, *others, dates=dates))
    if not planted:
        raise SystemExit("no value was planted: this world has no late rows")
    return {
        "leaks_honest": Measured.exactly(len(listed)),
        "leaks_caught": Measured.exactly(len(found & planted) / len(planted)),
        "leaks_others": Measured.exactly(len(found - planted)),
    }


def with_hindsight(examples: DataFrame, days: DataFrame, dates: tuple[date, ...]) -> DataFrame:
    """Return the examples with every value that late rows would have changed as if these had been known when they happened."""
    evenings = tuple(day - timedelta(days=1) for day in dates)
    ways = {"then": days, "later": days.withColumn("known_date", F.col("date"))}
    for prefix, frame in ways.items():
        made = windows(frame, USER, dates=evenings).withColumn("date", F.date_add("date", 1))
        named = made.select("date", "listener_id", *(F.col(f.name).alias(f"{prefix}_{f.name}") for f in USER))
        examples = examples.join(named, ["date", "listener_id"], "left")
    late = "CASE WHEN {0} <=> then_{0} AND NOT later_{0} <=> then_{0} THEN later_{0} ELSE {0} END AS {0}"
    own = {f.name for f in USER}
    return examples.selectExpr(*(late.format(name) if name in own else name for name in EXAMPLES.names))


def _values(examples: DataFrame, name: str) -> DataFrame:
    pairs = ", ".join(f"'{f.name}', CAST({f.name} AS DOUBLE)" for f in USER)
    return examples.selectExpr("date", "impression_id", f"stack({len(USER)}, {pairs}) AS (feature, {name})")


def _keys(values: DataFrame) -> set[tuple[object, ...]]:
    return {tuple(one) for one in values.select(*KEY).distinct().collect()}
