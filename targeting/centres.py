"""Centres of clusters, learnt from a sample: k-means with as many clusters as it asks for, yesterday's centres where they still do.

Points are standardised features, listeners by features. Everything runs on one thread: sums in another order would end elsewhere.
"""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import adjusted_rand_score
from threadpoolctl import threadpool_limits

from validation.gates.release import GRAIN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Ints = NDArray[np.int64]

TRIED = 5_000  # points that numbers of clusters are compared on
STARTS = 10  # of k-means for each number of clusters
GAIN = 0.05  # nats a listener by which other centres have to be better than yesterday's, moved on
AGAIN, STARTS_AGAIN = 10, 3  # resamples that centres are learnt again from, and starts on each


@dataclass(frozen=True)
class Scale:
    """Mean and standard deviation of each feature: unknown is the mean, a feature that never varies tells nothing."""

    mean: Floats
    sd: Floats

    @classmethod
    def of(cls, raw: Floats) -> Scale:
        """Take the scale of listeners by features; what is unknown is NaN."""
        known = ~np.isnan(raw)
        n = np.maximum(known.sum(axis=0), 1)
        mean = np.where(known, raw, 0).sum(axis=0) / n
        # Unknown values are filled before they are scaled, and so count as ones that lie at the mean.
        sd = np.sqrt((np.where(known, raw - mean, 0) ** 2).sum(axis=0) / max(len(raw) - 1, 1))
        return cls(mean, np.where(sd > 0, sd, 1.0))

    def points(self, raw: Floats) -> Floats:
        """Return listeners, or centres, on this scale."""
        return (np.where(np.isnan(raw), self.mean, raw) - self.mean) / self.sd

    def raw(self, points: Floats) -> Floats:
        """Return points in the features' own units."""
        return points * self.sd + self.mean


@dataclass(frozen=True)
class Learnt:
    """Centres, and those they were moved on from: None where they were found anew."""

    centres: Floats
    start: Floats | None


def learn(points: Floats, before: Floats | None, most: int, seed: int = 1) -> Learnt:
    """Return the centres of the points, at most `most`, or as many as `before`; each has at least `GRAIN` of the points tried.

    The number is that of the best Bayesian information criterion (X-means, Pelleg and Moore 2000). Yesterday's centres, moved on, stay
    unless others are better by `GAIN`: two solutions that are about as good must not take turns.
    """
    few = points[:TRIED]
    with _alone():
        found = max(_found(few, max(most, 0 if before is None else len(before)), seed), key=lambda one: one[0])
        moved = [] if before is None else list(_judged(few, _moved(few, before), least=GRAIN))
        if moved and moved[0][0] >= found[0] - GAIN:
            return Learnt(_moved(points, moved[0][1]).cluster_centers_, before)
        return Learnt(_moved(points, found[1]).cluster_centers_, None)


def nearest(points: Floats, centres: Floats) -> Ints:
    """Return the number of each point's nearest centre, the first of equals."""
    return np.asarray(np.argmin((centres**2).sum(axis=1) - 2 * points @ centres.T, axis=1), dtype=np.int64)


def spread(points: Floats, centres: Floats) -> float:
    """Return the mean squared distance of a feature from its centre: the variance of the mixture of equal, round Gaussians."""
    apart = (points - centres[nearest(points, centres)]) ** 2
    return float(apart.mean()) or 1.0


def steadiness(points: Floats, learnt: Learnt) -> float:
    """Return the adjusted Rand index (Hubert and Arabie 1985) with centres learnt the same way from resamples, their mean."""
    few = points[:TRIED]
    own, rng = nearest(few, learnt.centres), np.random.default_rng(AGAIN)
    with _alone():
        resamples = (few[rng.integers(len(few), size=len(few))] for _ in range(AGAIN))
        fits = (_found_or_moved(one, len(learnt.centres), learnt.start) for one in resamples)
        return float(np.mean([adjusted_rand_score(own, fit.predict(few)) for fit in fits]))


@contextmanager
def _alone() -> Iterator[None]:
    """Keep to one thread. That there are fewer different points than clusters is no warning: such clusters are too small to be taken."""
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


def _found(few: Floats, most: int, seed: int) -> Iterator[tuple[float, Floats]]:
    """Yield the best centres of each number with their criterion; those of a few people are left out, but for all in one."""
    for k in range(1, most + 1):
        yield from _judged(few, KMeans(k, n_init=STARTS if k > 1 else 1, random_state=seed).fit(few), least=GRAIN if k > 1 else 0)


def _found_or_moved(points: Floats, k: int, start: Floats | None) -> KMeans:
    return KMeans(k, n_init=STARTS_AGAIN, random_state=k).fit(points) if start is None else _moved(points, start)


def _moved(points: Floats, centres: Floats) -> KMeans:
    return KMeans(len(centres), init=centres, n_init=1).fit(points)


def _judged(few: Floats, fit: KMeans, least: int) -> Iterator[tuple[float, Floats]]:
    sizes = np.bincount(fit.labels_, minlength=len(fit.cluster_centers_))
    if sizes.min() >= least:
        yield criterion(sizes, float(fit.inertia_), int((few.std(axis=0) > 0).sum())), fit.cluster_centers_


def criterion(sizes: Ints, cost: float, d: int) -> float:
    """Return the Bayesian information criterion a point: clusters' sizes, the sum of squared distances, features that vary."""
    n, k = int(sizes.sum()), len(sizes)
    variance = max(cost / max(d * (n - k), 1), 1e-12)
    fit = float((sizes * np.log(sizes / n)).sum()) - n * d / 2 * np.log(2 * np.pi * variance) - d * (n - k) / 2
    return float((fit - (k - 1 + k * d + 1) / 2 * np.log(n)) / n)
