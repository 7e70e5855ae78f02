"""Fans in small worlds of their own: planted super listeners found, the top 2 %'s share and weekly hazards inside their intervals."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
from draws import DAY, apart, frame, ids, rate
from pyspark.sql import functions as F
from results import Measured, Row, row
from scipy.stats import norm

from jobs.artist_fans import artist_fans
from jobs.contracts.fans import ANY, FAN_LADDER, GONE
from jobs.contracts.silver import LISTENS, SILVER_TRACKS
from jobs.fan_ladder import fan_ladder
from jobs.fan_transitions import STEP, fan_transitions
from jobs.lake.address import Address
from jobs.lake.spark import SparkLake

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pyspark.sql import DataFrame, SparkSession
    from worlds import Size

COMMAND = "make truth NAME=fans"
ARTISTS, LISTENERS = 20, 1_500
TOP, SHARE = 0.02, 0.18  # of an artist's listeners, and of its streams that Spotify says they hold
REPLICATIONS = 1_000
WAYS = ("programmed", "moderate", GONE)  # off the rung of light
HAZARDS = np.array(((0.05, 0.08, 0.3), (0.02, 0.12, 0.15)))  # within a week, of those who had come there in the week before, and others
ASKED, HEARD = ("search", "library", "profile", "album"), ("editorial", "radio", "autoplay")


def fans(size: Size) -> list[Row]:
    """Measure rungs, shares and hazards on every seed."""
    spark = SparkLake(Address.parse(str(size.folder / "fans"))).spark
    found = {seed: superfans(spark, np.random.default_rng(seed)) for seed in size.seeds}
    shares = {seed: top_share(spark, np.random.default_rng(seed), REPLICATIONS) for seed in size.seeds}
    hazards = {seed: hazard(spark, np.random.default_rng(seed), REPLICATIONS) for seed in size.seeds}
    planted = f"planted super listeners, {TOP:.0%} of each artist's, among listeners who hear as much unasked or come as often"
    return [
        row(
            "superfan_precision",
            f"share of those on the rung super who are {planted}",
            ">= 0.9",
            {s: one[0] for s, one in found.items()},
            COMMAND,
        ),
        row("superfan_recall", f"share found on the rung super of {planted}", ">= 0.9", {s: one[1] for s, one in found.items()}, COMMAND),
        row(
            "top_share_error",
            f"mean share of streams of the top {TOP:.0%}, less the planted {SHARE:.0%}: its size",
            "<= 0.01",
            {s: one[0] for s, one in shares.items()},
            COMMAND,
        ),
        row(
            "top_share_coverage",
            f"share of {REPLICATIONS:,} artists of 1,000 listeners whose 95 % interval holds the planted share",
            ">= 0.85",
            {s: one[1] for s, one in shares.items()},
            COMMAND,
        ),
        row(
            "hazard_error",
            "farthest mean hazard of a way off a rung from the planted one, in the first week there, later, and in all",
            "<= 0.005",
            {s: one[0] for s, one in hazards.items()},
            COMMAND,
        ),
        row(
            "hazard_coverage",
            f"share of {REPLICATIONS:,} weeks whose 95 % intervals hold the planted hazard, the worst way and time",
            ">= 0.92",
            {s: one[1] for s, one in hazards.items()},
            COMMAND,
        ),
    ]


def superfans(spark: SparkSession, rng: np.random.Generator) -> tuple[Measured, Measured]:
    """Return precision and recall of the rung super, in listens of a month in which some ask for an artist nearly every day."""
    pairs = ARTISTS * LISTENERS
    planted = rng.permuted(np.tile(np.arange(LISTENERS) < TOP * LISTENERS, (ARTISTS, 1)), axis=1).ravel()
    unasked = 1 + rng.geometric(0.2, pairs) + np.where(rng.random(pairs) < 0.05, 40, 0)
    asked = np.where(planted, 20 + rng.poisson(20, pairs), rng.poisson(rng.gamma(0.5, 3, pairs)))
    # Some ask for one song all month long: as often as fans, but never for three.
    devoted = ~planted & (rng.random(pairs) < 0.01)
    asked = np.where(devoted, 40, asked)
    pair = np.concatenate((np.repeat(np.arange(pairs), asked), np.repeat(np.arange(pairs), unasked)))
    active = np.arange(len(pair)) < asked.sum()
    days = rng.integers(0, 28, len(pair))
    track = np.where(devoted[pair] & active, 0, rng.integers(0, 12, len(pair)))
    source = np.where(
        active, np.array(ASKED)[rng.integers(0, len(ASKED), len(pair))], np.array(HEARD)[rng.integers(0, len(HEARD), len(pair))]
    )
    listens = {
        "date": np.datetime64(DAY) - days.astype("timedelta64[D]"),
        "listener_id": ids("l", pair % LISTENERS),
        "artist_id": ids("a", pair // LISTENERS),
        "track_id": ids("t", track),
        "source": source,
        "kind": np.full(len(pair), "track"),
    }
    ladder = fan_ladder(frame(spark, LISTENS, listens), dates=(DAY,)).where("rung = 'super'")
    got = {(one.listener_id, one.artist_id) for one in ladder.select("listener_id", "artist_id").collect()}
    true = set(zip(ids("l", np.flatnonzero(planted) % LISTENERS), ids("a", np.flatnonzero(planted) // LISTENERS), strict=True))
    return rate(len(got & true), len(got)), rate(len(got & true), len(true))


def top_share(spark: SparkSession, rng: np.random.Generator, artists: int, listeners: int = 1_000) -> tuple[Measured, Measured]:
    """Return how far the mean share lies from the planted one, and how many artists' intervals hold it; each artist is a draw.

    Plays are lognormal, whose Lorenz curve is Phi(Phi^-1(p) - sigma): some listeners have very many.
    """
    sigma = norm.ppf(1 - TOP) + norm.ppf(SHARE)
    plays = 1 + np.floor(50 * np.exp(sigma * rng.standard_normal(artists * listeners)))
    pair = np.arange(len(plays))
    rows = {
        "listener_id": ids("l", pair),
        "artist_id": ids("a", pair // listeners),
        "plays": plays.astype(np.int64),
        "rung": np.full(len(pair), "light"),
    }
    found = artist_fans(frame(spark, FAN_LADDER, rows), spark.createDataFrame([], SILVER_TRACKS.ddl), dates=(DAY,))
    shares = found.where("artist_id <> 'all'").select("top_share", "top_low", "top_high").toPandas().to_numpy()
    return apart(shares[:, 0] - SHARE), rate(int(((shares[:, 1] <= SHARE) & (shares[:, 2] >= SHARE)).sum()), len(shares))


def hazard(spark: SparkSession, rng: np.random.Generator, weeks: int, listeners: int = 200) -> tuple[Measured, Measured]:
    """Return the farthest mean hazard from its planted value, and the worst coverage; a listener moves with every second artist alike."""
    artists, step = 5, 3 * STEP  # days between two weeks that are drawn
    shape = (weeks, listeners, artists)
    late = rng.random(shape) < 0.5  # stood there two weeks ago already
    chance = np.broadcast_to(rng.random((weeks, listeners, 1)), shape)
    chance = np.where(rng.random(shape) < 0.5, chance, rng.random(shape))
    to = (chance[..., None] > np.cumsum(HAZARDS, axis=1)[late.astype(int)]).sum(axis=-1).ravel()
    pair = np.arange(to.size)
    dates = np.datetime64(DAY) - (pair // (listeners * artists) * step).astype("timedelta64[D]")
    names = {"listener_id": ids("l", pair // artists), "artist_id": ids("a", pair % artists)}
    stay = to != WAYS.index(GONE)

    def ladder(weeks_ago: int, rungs: NDArray[np.str_], kept: NDArray[np.bool_]) -> DataFrame:
        there = dates[kept] - np.timedelta64(weeks_ago * STEP, "D")
        return frame(spark, FAN_LADDER, {"date": there, **{name: one[kept] for name, one in names.items()}, "rung": rungs[kept]})

    everywhere = np.full(len(pair), fill_value=True)
    rungs = ladder(0, np.array([*WAYS, "light"])[to], stay).unionByName(ladder(1, np.full(len(pair), "light"), everywhere))
    rungs = rungs.unionByName(ladder(2, np.where(late.ravel(), "light", "moderate"), everywhere))
    asked = tuple(DAY - timedelta(days=step * week) for week in range(weeks))
    found = fan_transitions(rungs, dates=asked).where(F.col("to_rung").isin(*WAYS)).toPandas()
    errors, covers = [], []
    for time, hazards in ((ANY, HAZARDS.mean(axis=0)), (1, HAZARDS[0]), (2, HAZARDS[1])):
        for way, planted in zip(WAYS, hazards, strict=True):
            mine = found[(found.to_rung == way) & (found.weeks == time)]
            errors.append(apart(mine.hazard.to_numpy() - planted))
            covers.append(rate(int(((mine.low <= planted) & (mine.high >= planted)).sum()), weeks))
    return max(errors, key=lambda one: one.high), min(covers, key=lambda one: one.low)
