"""Clusters from date to date: planted splits, merges, births and deaths, a tenth of all listeners behaving like others each day."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from results import Measured, Row, row

from jobs.contracts.delivery import CLUSTERS, LINEAGE
from jobs.contracts.derived import USER_FEATURES
from jobs.contracts.silver import SILVER_LISTENERS
from jobs.lake.address import Address
from jobs.lake.commit import Note
from jobs.lake.schema import arrow_schema
from jobs.lake.spark import SparkLake
from targeting.centres import Scale, learn, nearest
from targeting.clusters import MOST, cluster
from targeting.command import demo
from targeting.naming import FEATURES
from targeting.refresh import Model, Sample, compare, refresh

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from worlds import Size

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

NOISE = 0.1  # of listeners, drawn anew each day, behave like somebody of another segment
DAYS, EVENTFUL = 4, 3  # days of a world, and the one on which everything happens
SEGMENTS, SPLIT, BORN = 6, 6, 7
COUNTS = ("active_days_28d", "likes_28d")
COMMAND = "make truth NAME=lineage"


@dataclass(frozen=True)
class Planted:
    """Listeners of six segments. On the day when everything happens one splits, two merge, one is scattered and one is born.

    A third of those born were not there before.
    """

    seed: int
    people: int = 4_000
    eventful: bool = True

    def segments(self, day: int) -> Ints:
        """Return each listener's segment on a day; -1 is not there yet."""
        rng = np.random.default_rng([self.seed, 0])
        before, draw = rng.integers(SEGMENTS, size=self.people), rng.random(self.people)
        late = np.arange(self.people) >= 0.97 * self.people
        after = np.where((before == 0) & (draw < 0.4), SPLIT, before)
        after = np.where(before == 1, 2, after)
        after = np.where(before == 5, rng.choice([2, 3, 4], size=self.people), after)  # the scattered segment
        after = np.where(late | (np.isin(before, (3, 4)) & (draw < 0.2)), BORN, after)
        return after if self.eventful and day >= EVENTFUL else np.where(late & self.eventful, -1, before)

    def features(self, day: int) -> Floats:
        """Return what each listener does on a day, listeners by features."""
        centres = 10 + np.random.default_rng([self.seed, 1]).normal(size=(BORN + 1, len(FEATURES)))
        rng, own = np.random.default_rng([self.seed, 2, day]), self.segments(day)
        like = np.where(rng.random(self.people) < NOISE, rng.choice(own[own >= 0], size=self.people), own)
        return centres[like] + rng.normal(size=(self.people, len(FEATURES)))


def lineage(size: Size) -> list[Row]:
    """Take planted worlds through the jobs, date by date, and compare the lineage they record with what was planted."""
    recall, precision, agreed, other, raw = {}, {}, {}, {}, {}
    for seed in size.seeds:
        world = Planted(seed, size.listeners // 5)
        wanted, found, agreed[seed] = _followed(world, size)
        recall[seed] = Measured.exactly(len(wanted & found) / len(wanted))
        precision[seed] = Measured.exactly(len(wanted & found) / max(len(found), 1))
        other[seed], raw[seed] = other_seed(world)
    numbers = f"(the numbers that k-means itself gives: {min(raw.values()):.3f} to {max(raw.values()):.3f})"
    events = "splits, merges, births and deaths, a tenth of all listeners behaving like others:"
    return [
        row("lineage_recall", f"{events} share of those planted that are recorded", "== 1", recall, COMMAND),
        row("lineage_precision", f"{events} share of those recorded that were planted", "== 1", precision, COMMAND),
        row("lineage_agreement", "unchanged listeners who keep their cluster over that day", ">= 0.95", agreed, COMMAND),
        row("lineage_other_seed", f"listeners who keep their id when only the seed changes {numbers}", ">= 0.95", other, COMMAND),
    ]


def other_seed(world: Planted) -> tuple[Measured, float]:
    """Return the agreement of ids where clusters are learnt again from nothing by another seed, and that of k-means' own numbers."""
    raw = world.features(0)[world.segments(0) >= 0]
    model = Model.of(refresh(demo.FIRST_DAY, Sample(raw, [""] * len(raw), {}), FEATURES, None, MOST), FEATURES)
    if model is None:
        message = "nothing was clustered"
        raise RuntimeError(message)
    scale = Scale.of(raw)
    points = scale.points(raw)
    was = nearest(points, scale.points(model.centres))
    again = learn(points, None, MOST, seed=2).centres
    now = nearest(points, again)
    ids = [model.names[n] for n in was]
    found, _, _ = compare(Sample(raw, ids, {}), model, scale, again, now)
    plain = float(np.mean(nearest(points, learn(points, None, MOST, seed=1).centres) == now))
    return _share(np.array([found.names[n] for n in now]) == np.array(ids)), plain


def _followed(world: Planted, size: Size) -> tuple[set[tuple[Any, ...]], set[tuple[Any, ...]], Measured]:
    """Return the planted events in the ids that the clusters got, those that were recorded, and the agreement of unchanged listeners."""
    folder = size.folder / f"lineage-{world.people}-{world.seed}"
    shutil.rmtree(folder, ignore_errors=True)
    lake = SparkLake(Address.parse(str(folder / "lake")))
    days = [demo.FIRST_DAY + timedelta(days=n) for n in range(DAYS)]
    for n, day in enumerate(days):
        _put(lake, world, n)
        cluster(lake, day)
    last, eve = (_ids(lake, world, n) for n in (EVENTFUL, EVENTFUL - 1))
    before, after = world.segments(EVENTFUL - 1), world.segments(EVENTFUL)
    own = {segment: _most(eve[before == segment]) for segment in range(SEGMENTS)}
    part, born = (_most(last[after == segment]) for segment in (SPLIT, BORN))
    wanted = {
        (days[EVENTFUL], part, "split", own[0]),
        (days[EVENTFUL], own[1], "merge", own[2]),
        (days[EVENTFUL], own[5], "death", None),
        (days[EVENTFUL], born, "birth", None),
    }
    events = lake.arrow.read(LINEAGE, days[1:]).to_pylist()
    found = {(one["date"], one["cluster"], one["event"], one["other"] if one["event"] in ("split", "merge") else None) for one in events}
    same = (before == after) & (before >= 0)
    return wanted, found, _share(eve[same] == last[same])


def _put(lake: SparkLake, world: Planted, n: int) -> None:
    day, raw, here = demo.FIRST_DAY + timedelta(days=n), world.features(n), world.segments(n) >= 0
    columns: Mapping[str, Any] = {name: raw[here, place] for place, name in enumerate(FEATURES)}
    values = {name: np.round(100 * column).astype(np.int64) if name in COUNTS else column for name, column in columns.items()}
    people, many = [who(m) for m in np.flatnonzero(here)], int(here.sum())
    values |= {"date": [day] * many, "listener_id": people, "known_date": [day] * many}
    said = {"date": [day] * many, "listener_id": people, "ads_allowed": [True] * many, "consent": ["granted"] * many}
    for table, given in ((USER_FEATURES, values), (SILVER_LISTENERS, said)):
        schema = arrow_schema(table)
        arrays = [pa.array(given[one.name], one.type) if one.name in given else _plain(one, many) for one in schema]
        lake.arrow.overwrite(table, pa.table(arrays, schema=schema), [day], Note("planted"))


def _plain(field: pa.Field, many: int) -> pa.Array:
    """Return a column that nothing here asks about: null where it may be."""
    if field.nullable:
        return pa.nulls(many, field.type)
    plain = {"string": "unknown", "bool": False, "date32[day]": demo.FIRST_DAY}.get(str(field.type), 0)
    return pa.array([plain] * many, field.type)


def _ids(lake: SparkLake, world: Planted, n: int) -> NDArray[np.str_]:
    """Return each listener's published cluster on a day, '' for who is not there."""
    rows = lake.arrow.read(CLUSTERS, [demo.FIRST_DAY + timedelta(days=n)]).to_pylist()
    held = {one["listener_id"]: one["cluster"] for one in rows}
    return np.array([held.get(who(m), "") for m in range(world.people)])


def who(n: int) -> str:
    """Return a pseudonym like the lake's."""
    return f"{n:032x}"


def _most(ids: NDArray[np.str_]) -> str:
    found, times = np.unique(ids, return_counts=True)
    return str(found[np.argmax(times)])


def _share(hits: NDArray[np.bool_]) -> Measured:
    p, n = float(hits.mean()), len(hits)
    around = 1.96 * np.sqrt(p * (1 - p) / n)
    return Measured(p, p - around, min(p + around, 1.0))
