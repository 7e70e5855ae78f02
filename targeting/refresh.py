"""A date's clusters from those of the last date before: learnt anew, called by their ids, judged; where they fail, the old ones stay."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from jobs.contracts.delivery import CLUSTERS_ENDED
from targeting.binding import number
from targeting.centres import Scale, learn, nearest, spread, steadiness
from targeting.lineage import Event, Flow, agreement, follow, founded, kin, shift
from validation.gates.stability import stability

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from targeting.centres import Floats, Ints
    from targeting.lineage import Lineage

KEPT = "kept"
FAR = 1.5  # of the mean squared distance from a centre: who lies farther out no longer belongs there


@dataclass(frozen=True)
class Sample:
    """Listeners that centres are learnt from: features (NaN: unknown), the cluster each was in before ('': none), and those gone since."""

    raw: Floats
    was: Sequence[str]
    gone: Mapping[str, int]


@dataclass(frozen=True)
class Model:
    """Clusters as they were published: ids, centres in the features' own units, their scale, and the highest number ever given."""

    names: tuple[str, ...]
    centres: Floats
    scale: Scale
    spread: float
    fitted: date
    issued: int

    @classmethod
    def of(cls, rows: Sequence[Mapping[str, Any]], features: Sequence[str]) -> Model | None:
        """Read a date's rows; a feature that they do not know is at its mean everywhere."""
        living = sorted((row for row in rows if row["event"] not in CLUSTERS_ENDED), key=lambda row: number(row["cluster"]))
        if not living:
            return None
        place = {name: n for n, name in enumerate(living[0]["features"])}
        mine = [place.get(name) for name in features]
        centres = [[0.0 if n is None else row["centre"][n] for n in mine] for row in living]
        mean, sd = ([plain if n is None else living[0][name][n] for n in mine] for name, plain in (("mean", 0.0), ("sd", 1.0)))
        last = living[0]
        scale = Scale(np.array(mean), np.array(sd))
        return cls(tuple(row["cluster"] for row in living), np.array(centres), scale, last["spread"], last["fitted"], last["issued"])

    def rows(self, day: date, features: Sequence[str], events: Sequence[Event], judged: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return the rows of a date: its clusters, and those that ended."""
        shared = {
            **judged,
            "date": day,
            "fitted": self.fitted,
            "issued": self.issued,
            "spread": self.spread,
            "features": list(features),
            "mean": self.scale.mean.tolist(),
            "sd": self.scale.sd.tolist(),
        }
        centre = dict(zip(self.names, self.centres.tolist(), strict=True))
        return [
            {**shared, "cluster": one.cluster, "centre": centre.get(one.cluster), "event": one.kind, "other": one.other, "share": one.share}
            for one in events
        ]


def refresh(day: date, sample: Sample, features: Sequence[str], before: Model | None, most: int, seed: int = 1) -> list[dict[str, Any]]:
    """Return the rows of a date's model; `before` is the one before, `most` how many clusters there may be."""
    scale = Scale.of(sample.raw)
    points = scale.points(sample.raw)
    learnt = learn(points, None if before is None else scale.points(before.centres), most, seed)
    centres = learnt.centres
    now, steady = nearest(points, centres), steadiness(points, learnt)
    judged: dict[str, Any] = {"agreement": None, "size_shift": None, "steadiness": steady, "reason": None}
    if before is None:
        lineage = founded(np.bincount(now, minlength=len(centres)))
    else:
        lineage, agreed, shifted = compare(sample, before, scale, centres, now)
        judged |= {"agreement": agreed, "size_shift": shifted if np.isfinite(shifted) else None}
        verdict = stability("clusters", listeners=len(now), agreement=agreed, shift=shifted, steadiness=steady)
        if not verdict.success:
            why = "; ".join(f"{one.rule.replace('_', ' ')} is {one.observed}, {one.expected} is asked" for one in verdict.failures)
            kept = [Event(name, KEPT) for name in before.names]
            return before.rows(day, features, kept, judged | {"reason": f"the clusters of {before.fitted} were kept: {why}"})
    model = Model(lineage.names, scale.raw(centres), scale, spread(points, centres), day, lineage.issued)
    return model.rows(day, features, lineage.events, judged)


def compare(sample: Sample, before: Model, scale: Scale, centres: Floats, now: Ints) -> tuple[Lineage, float, float]:
    """Return what became of yesterday's clusters, the agreement of unchanged listeners, and the shift of sizes.

    A listener is unchanged whom yesterday's model still places where they were, among its kind: no farther out than `FAR` times the usual.
    """
    place = {name: n for n, name in enumerate(before.names)}
    was = np.array([place.get(name, -1) for name in sample.was], dtype=np.int64)
    both = _counts(was, now, was >= 0, (len(before.names), len(centres)))
    gone = np.array([sample.gone.get(name, 0) for name in before.names], dtype=np.int64)
    flow = Flow(both, both.sum(axis=1) + gone, np.bincount(now, minlength=len(centres)))
    lineage = follow(flow, _cosines(scale.points(before.centres), centres), before.names, before.issued)
    related = kin(lineage, before.names)
    old, own = before.scale.points(sample.raw), before.scale.points(before.centres)
    near = ((old - own[was]) ** 2).mean(axis=1) <= FAR * before.spread
    still = (nearest(old, own) == was) & near
    return lineage, agreement(_counts(was, now, still, both.shape), related), shift(flow, related)


def _counts(rows: Ints, columns: Ints, chosen: Any, shape: tuple[int, ...]) -> Ints:
    found = np.zeros(shape, dtype=np.int64)
    np.add.at(found, (rows[chosen], columns[chosen]), 1)
    return found


def _cosines(rows: Floats, columns: Floats) -> Floats:
    lengths = np.linalg.norm(rows, axis=1)[:, None] * np.linalg.norm(columns, axis=1)[None, :]
    return np.where(lengths > 0, rows @ columns.T / np.where(lengths > 0, lengths, 1), 0.0)
