"""Who ends up in an audience, and whether features say the same twice."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pyspark.sql import functions as F
from results import Measured, Row, row
from worlds import Size, lake_of

from jobs.contracts.delivery import MEMBERS
from jobs.contracts.derived import USER_DAYS, USER_FEATURES
from jobs.contracts.silver import LISTENS
from jobs.lake.key import load_key
from jobs.run import consenting
from jobs.sources.pseudonym import pseudonym
from jobs.user_features import JOB
from jobs.world import truth
from jobs.world.people import raw_ids

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from jobs.lake.spark import SparkLake


def audiences(size: Size) -> list[Row]:
    """Count members of audiences who, as planted, are minors or did not agree."""
    members, wrong = {}, {}
    for seed in size.seeds:
        lake = lake_of(size, seed)
        inside = set(lake.arrow.read(MEMBERS, [size.last], columns=["listener_id"]).column("listener_id").to_pylist())
        members[seed] = Measured.exactly(len(inside))
        wrong[seed] = Measured.exactly(len(inside - _agreed(lake, size, seed)))
    command = "make truth NAME=audiences"
    return [
        row(
            "audience_members",
            "different listeners in audiences, that the next row is about some",
            f">= {size.listeners // 20}",
            members,
            command,
        ),
        row(
            "audience_not_agreed",
            "members of audiences who are minors, of unknown age, or without consent on that date",
            "== 0",
            wrong,
            command,
        ),
    ]


def _agreed(lake: SparkLake, size: Size, seed: int) -> set[str]:
    """Return the pseudonyms of planted adults who consent on the last date."""
    people = lake.arrow.read(truth.LISTENERS, columns=["listener", "age_band", "consent", "withdraws"]).to_pylist()
    key, world = load_key(lake.address), size.world(seed)
    raw = dict(zip((one["listener"] for one in people), raw_ids(world, _numbers(people)), strict=True))
    adults = [one for one in people if one["consent"] == "granted" and one["age_band"] not in ("under_18", "unknown")]
    willing = [one for one in adults if one["withdraws"] is None or one["withdraws"] > size.last]
    return {pseudonym(key, "native", raw[one["listener"]]) for one in willing}


def _numbers(people: list[dict[str, object]]) -> NDArray[np.int64]:
    return np.array([one["listener"] for one in people], dtype=np.int64)


def features(size: Size) -> list[Row]:
    """Compute the last date's features again, by themselves and straight from the listens."""
    again, direct = {}, {}
    for seed in size.seeds:
        lake = lake_of(size, seed)
        published = lake.read(USER_FEATURES, [size.last]).select(*USER_FEATURES.names)
        rebuilt = consenting(JOB, lake, JOB.build(lake.read(USER_DAYS), dates=(size.last,)), (size.last,)).select(*USER_FEATURES.names)
        apart = published.exceptAll(rebuilt).count() + rebuilt.exceptAll(published).count()
        again[seed] = Measured.exactly(apart)
        direct[seed] = Measured.exactly(_mismatches(lake, size))
    command = "make truth NAME=features"
    return [
        row("features_twice", "rows of the last date's features that differ when computed a second time", "== 0", again, command),
        row(
            "features_direct",
            "listeners whose 90-day plays, hours or skip rate differ from a sum over their listens",
            "== 0",
            direct,
            command,
        ),
    ]


def _mismatches(lake: SparkLake, size: Size) -> int:
    known = lake.read(LISTENS).where(F.to_date("known_ts") <= F.lit(size.last)).where(F.datediff(F.lit(size.last), "date").between(0, 89))
    summed = known.groupBy("listener_id").agg(
        F.count("*").alias("plays"),
        F.sum(F.coalesce("ms_played", F.lit(0))).alias("ms"),
        F.sum(F.col("skipped").cast("int")).alias("skips"),
        F.count("skipped").alias("judged"),
    )
    published = lake.read(USER_FEATURES, [size.last]).select("listener_id", "plays_90d", "hours_90d", "skip_rate_90d")
    both = published.join(summed, "listener_id", "full")
    rate = "coalesce(abs(skip_rate_90d - try_divide(skips, judged)) < 1e-9, judged = 0)"
    same = F.expr(f"plays_90d <=> plays AND abs(hours_90d - ms / 3600000D) < 1e-9 AND {rate}")
    return both.where(~F.coalesce(same, F.lit(False))).count()
