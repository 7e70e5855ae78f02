"""Effects of circumstances as planted, found again in what was heard: all other circumstances equal, and within each listener."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from statistics import NormalDist
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import functions as F
from results import Measured, Row, row
from worlds import Size, lake_of

from jobs.aggregate import forecasts
from jobs.assign import daypart
from jobs.contracts.events import WEATHER
from jobs.contracts.silver import LISTENS, SESSIONS
from jobs.day_types import typed
from jobs.world import truth

if TYPE_CHECKING:
    from jobs.lake.spark import SparkLake

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Strings = NDArray[np.str_]

SCREENS = ("desktop", "tv", "tablet", "web")  # devices without an effect of their own, that the others are compared with
SPREAD = np.hypot(0.7, 0.8)  # of the world's energy, in the units of its effects
CIRCUMSTANCES = ("daypart", "day_type", "device", "weather")


@dataclass(frozen=True)
class Estimate:
    """An effect with its standard error over listeners."""

    size: float
    error: float

    def found(self, tests: int) -> int:
        """Return the sign that 95 % intervals for all tests together leave no doubt of, else 0."""
        z = NormalDist().inv_cdf(1 - 0.025 / tests)
        return int(np.sign(self.size)) if abs(self.size) > z * self.error else 0


class Heard:
    """Plays with their circumstances, an array each; `none` where something is not known."""

    def __init__(self, listener: Ints, of: dict[str, Strings]) -> None:
        self.listener, self.of = listener, of
        part, day = of["daypart"], of["day_type"]
        at_work = (day == "weekday") & np.isin(part, ("morning", "evening"))
        self.clock = np.where(np.isin(part, ("late", "night")), "late", np.where(at_work, "commute", "day"))

    @classmethod
    def in_lake(cls, lake: SparkLake, size: Size) -> Heard:
        """Read the plays of a lake."""
        plays = lake.read(LISTENS).withColumn("hour", F.date_trunc("hour", "event_ts")).withColumn("daypart", F.expr(daypart("local_hour")))
        placed = typed(plays, size.dates[0], size.last).join(forecasts(lake.read(WEATHER)), ["place", "hour"], "left")
        columns = ("listener_id", *CIRCUMSTANCES, "genre", "skipped", "energy")
        of = {name: _values(column) for name, column in zip(columns, placed.select(*columns).toArrow().columns, strict=True)}
        return cls(pd.factorize(of.pop("listener_id"))[0], of)

    def compared(self, circumstance: str) -> tuple[NDArray[np.bool_], NDArray[np.bool_], tuple[Strings, ...]]:
        """Return which plays are under a circumstance, which are compared with them, and what else has to be equal."""
        day, device, weather, clock = self.of["day_type"], self.of["device"], self.of["weather"], self.clock
        part = self.of["daypart"]
        if circumstance == "weekend":
            here, there = day == "weekend", (day == "weekday") & (clock != "commute")
            return here & np.isin(part, part[there]), there, (np.where(part == "night", "late", part), weather, device)
        if circumstance == "commute":
            return clock == "commute", (clock == "day") & (day == "weekday"), (weather, device)
        if circumstance == "late":
            return clock == "late", clock == "day", (day, weather, device)
        if circumstance == "rain":
            return weather == "rain", np.char.startswith(weather, "dry"), (clock, day, device)
        if circumstance in ("hot", "cold"):
            return weather == f"dry_{circumstance}", weather == "dry_mild", (clock, day)
        return device == circumstance, np.isin(device, SCREENS), (clock, day, weather)


def effects(size: Size) -> list[Row]:
    """Estimate every planted effect of circumstances, and see whether those of size nought are found too."""
    found, invented, ratios = {}, {}, []
    for seed in size.seeds:
        lake = lake_of(size, seed)
        planted = lake.arrow.read(truth.CONTEXT_EFFECTS).to_pylist()
        heard = Heard.in_lake(lake, size)
        estimates = [estimate(heard, lake, one["circumstance"], one["outcome"]) for one in planted]
        signs = [one.found(len(planted)) for one in estimates]
        real = [n for n, one in enumerate(planted) if not one["null_by_design"]]
        found[seed] = Measured.exactly(sum(signs[n] == np.sign(planted[n]["size"]) for n in real))
        invented[seed] = Measured.exactly(sum(sign != 0 for sign, one in zip(signs, planted, strict=True) if one["null_by_design"]))
        ratios += [estimates[n].size / planted[n]["size"] for n in real]
    how = "within listeners, all other circumstances equal, by 95 % intervals for all of them together"
    what = f"of {len(real)} planted effects of circumstances, those found with the right sign {how}; estimated over planted size: median"
    command = "make truth NAME=effects"
    return [
        row("effects_found", f"{what} {np.median(ratios):.2f}, {min(ratios):.2f} to {max(ratios):.2f}", f">= {len(real)}", found, command),
        row("effects_invented", f"effects of size nought by design that are found all the same {how}", "== 0", invented, command),
    ]


def estimate(heard: Heard, lake: SparkLake, circumstance: str, outcome: str) -> Estimate:
    """Estimate one effect in the world's units: log-odds, log rate, or standard deviations of energy."""
    if outcome == "sessions":
        return _rate(lake)
    kind, _, name = outcome.partition(" ")
    here, there, equal = heard.compared(circumstance)
    # What is chosen on a device cannot be compared between devices, nor a device with itself.
    equal = tuple(one for one in equal if kind != "device" or one is not heard.of["device"])
    value, known = _outcome(heard, kind, name)
    rows = np.flatnonzero((here | there) & known)
    stratum = _codes([heard.listener[rows], *(one[rows] for one in equal)])
    return _stratified(value[rows], here[rows], stratum, heard.listener[rows], ratio=kind != "energy")


def _outcome(heard: Heard, kind: str, name: str) -> tuple[Floats, NDArray[np.bool_]]:
    if kind == "energy":
        raw = heard.of["energy"].astype(np.float64)
        known = ~np.isnan(raw)
        ranks = np.argsort(np.argsort(raw[known], kind="stable"), kind="stable")
        scores = np.full(len(raw), np.nan)
        scores[known] = SPREAD * np.array([NormalDist().inv_cdf(p) for p in np.linspace(0, 1, 1_002)[1:-1]])[ranks * 1_000 // known.sum()]
        return scores, known
    if kind == "skip":
        return (heard.of["skipped"] == "true").astype(np.float64), heard.of["skipped"] != "none"
    return (heard.of[kind] == name).astype(np.float64), heard.of[kind] != "none"


def _stratified(value: Floats, here: NDArray[np.bool_], stratum: Ints, listener: Ints, *, ratio: bool) -> Estimate:
    """Pool comparisons within strata: Mantel and Haenszel's odds ratio, or the mean difference; the error is over listeners.

    Strata lie within listeners, so whatever a listener is like at all times cancels out.
    """
    size = int(stratum.max(initial=0)) + 1
    n1, n0 = (np.bincount(stratum, side, size) for side in (here, ~here))
    s1, s0 = (np.bincount(stratum, value * side, size) for side in (here, ~here))
    n = np.maximum(n1 + n0, 1)
    of = np.zeros(size, dtype=np.int64)
    of[stratum] = listener
    pairs = (s1 * (n0 - s0) / n, s0 * (n1 - s1) / n) if ratio else ((s1 * n0 - s0 * n1) / n, n1 * n0 / n)
    above, below = (np.bincount(of, one) for one in pairs)
    return _of_sums(above, below, ratio=ratio)


def _of_sums(above: Floats, below: Floats, *, ratio: bool) -> Estimate:
    if not (above.sum() and below.sum()):
        return Estimate(0.0, np.inf)  # nothing to compare
    middle = above.sum() / below.sum()
    if ratio:
        return Estimate(float(np.log(middle)), float(np.sqrt(((above / above.sum() - below / below.sum()) ** 2).sum())))
    return Estimate(float(middle), float(np.sqrt(((above - middle * below) ** 2).sum()) / below.sum()))


def _rate(lake: SparkLake) -> Estimate:
    """Return the log ratio of sessions a day at weekends and on other days, over whole weeks."""
    days = lake.arrow.files(SESSIONS)
    off = sum(date.fromisoformat(day).isoweekday() > 5 for day in days)
    weekend = F.count_if(F.expr("dayofweek(local_date) IN (1, 7)")).alias("here")
    counts = lake.read(SESSIONS).groupBy("listener_id").agg(weekend, F.count("*").alias("all")).toArrow()
    here, whole = counts["here"].to_numpy(), counts["all"].to_numpy()
    return _of_sums(here * (len(days) - off), (whole - here) * off, ratio=True)


def _values(column: pa.ChunkedArray) -> Strings:
    """Return a column's numbers, or its words in lower case with `none` for null."""
    if pa.types.is_floating(column.type):
        return column.to_numpy()  # type: ignore[no-any-return]
    coded = column.cast(pa.string()).fill_null("none").combine_chunks().dictionary_encode()
    return np.array([str(word).lower() for word in coded.dictionary.to_pylist()], dtype=str)[coded.indices.to_numpy()]


def _codes(columns: list[Strings | Ints]) -> Ints:
    """Return one number for each combination."""
    codes = np.zeros(len(columns[0]), dtype=np.int64)
    for column in columns:
        codes = pd.factorize(codes * 1_000_000 + pd.factorize(column)[0])[0]
    return codes
