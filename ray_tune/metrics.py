"""How good probabilities are: ranking, log loss, calibration, each with an interval over listeners.

Scores are arrays of probabilities of shape (n,), labels of 0 and 1. A row of weights is a bootstrap replicate, so that
many are measured at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from validation.gates.promotion import Estimate
from validation.verdict import OvertoneError

if TYPE_CHECKING:
    from collections.abc import Mapping

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
SMALLEST = 1e-15  # a probability of 0 or 1 that is wrong would cost an infinite log loss
BINS = 10
CHUNK = 1_000_000  # weights held at once: what a processor's cache can hold
METRICS = ("auc", "normalised_entropy", "log_loss", "calibration_ratio", "calibration_error")


@dataclass(frozen=True)
class Bin:
    """Examples of neighbouring scores: their mean score and the share of positives with a 95 % interval (Wilson 1927)."""

    score: float
    rate: float
    low: float
    high: float
    rows: int


@dataclass(frozen=True)
class Ranked:
    """Labels and scores in ascending order of score, which `order` makes; equal counts lie between `bins`."""

    order: Ints
    labels: Floats
    scores: Floats
    bins: Ints


def ranked(labels: Floats, scores: Floats) -> Ranked:
    """Sort examples by score; a score outside 0..1, or one that is not a number, raises `OvertoneError`."""
    if len(labels) != len(scores) or not len(labels):
        raise OvertoneError(f"{len(labels)} labels and {len(scores)} scores cannot be compared")
    if not (np.isfinite(scores).all() and scores.min() >= 0 and scores.max() <= 1):
        raise OvertoneError(f"scores reach from {scores.min()} to {scores.max()}; a probability lies in 0..1")
    order = np.argsort(scores, kind="stable")
    bins = np.unique((np.arange(BINS + 1) * len(order)) // BINS)
    return Ranked(order, np.asarray(labels, dtype=np.float64)[order], np.asarray(scores, dtype=np.float64)[order], bins)


def measure(examples: Ranked, weights: Floats) -> dict[str, Floats]:
    """Return every metric, one value a row of weights; these have shape (replicates, n) and the order of the ranking."""
    y, p = examples.labels, examples.scores
    rows, clicks = weights.sum(axis=1), weights @ y
    loss = -(weights @ np.where(y > 0, _log(p), _log(1 - p))) / rows
    gaps = [weights[:, low:high] @ (p - y)[low:high] for low, high in pairwise(examples.bins)]
    return {
        "auc": _auc(examples, weights),
        "normalised_entropy": loss / _entropy(clicks / rows),
        "log_loss": loss,
        "calibration_ratio": _ratio(weights @ p, clicks),
        "calibration_error": np.abs(gaps).sum(axis=0) / rows,
    }


def values(labels: Floats, scores: Floats) -> dict[str, float]:
    """Return every metric of unweighted examples.

    auc: probability that a positive ranks above a negative, ties count half. normalised_entropy: log loss over the
    entropy of the mean label (He et al. 2014, section 2); 1 is no better than the mean. calibration_ratio: mean score over
    mean label. calibration_error: mean absolute gap between score and label over ten bins of equal count.
    """
    once = measure(ranked(labels, scores), np.ones((1, len(labels))))
    return {name: float(values[0]) for name, values in once.items()}


def estimates(
    labels: Floats, scores: Floats, rivals: Mapping[str, Floats], listeners: Ints, rng: np.random.Generator, replicates: int = 300
) -> dict[str, Estimate]:
    """Return metrics with 95 % percentile intervals, and paired differences `auc_minus_RIVAL` of each metric.

    Whole listeners are resampled: examples of one person are no independent evidence. `listeners` numbers them from 0.
    The error of calibration is never negative, so its interval lies above its value where calibration is good.
    """
    examples = {"": ranked(labels, scores)} | {name: ranked(labels, rival) for name, rival in rivals.items()}
    point = {name: measure(one, np.ones((1, len(labels)))) for name, one in examples.items()}
    drawn = {name: {metric: np.empty(replicates) for metric in METRICS} for name in examples}
    step = max(1, CHUNK // len(labels))
    for first in range(0, replicates, step):
        rows = min(step, replicates - first)
        draws = _resampled(int(listeners.max()) + 1, rows, rng)
        for name, one in examples.items():
            for metric, found in measure(one, draws[:, listeners[one.order]]).items():
                drawn[name][metric][first : first + rows] = found
    single = {metric: _estimate(point[""][metric], drawn[""][metric]) for metric in METRICS}
    paired = {
        f"{metric}_minus_{rival}": _estimate(point[""][metric] - point[rival][metric], drawn[""][metric] - drawn[rival][metric])
        for rival in rivals
        for metric in METRICS
    }
    return single | paired


def reliability(labels: Floats, scores: Floats) -> tuple[Bin, ...]:
    """Return up to ten bins of equal count in ascending order of score: the points of a calibration curve."""
    examples = ranked(labels, scores)
    rows = np.diff(examples.bins)
    mean = np.add.reduceat(examples.scores, examples.bins[:-1]) / rows
    rate = np.add.reduceat(examples.labels, examples.bins[:-1]) / rows
    z2 = 1.959964**2
    centre = (rate + z2 / (2 * rows)) / (1 + z2 / rows)
    half = np.sqrt(z2 * rate * (1 - rate) / rows + z2**2 / (4 * rows**2)) / (1 + z2 / rows)
    return tuple(
        Bin(float(m), float(r), float(max(c - h, 0.0)), float(min(c + h, 1.0)), int(n))
        for m, r, c, h, n in zip(mean, rate, centre, half, rows, strict=True)
    )


def gains(labels: Floats, scores: Floats, points: int = 50) -> tuple[tuple[float, float], ...]:
    """Return the gain curve: share of positives found among the share of examples with the highest scores, from (0, 0) to (1, 1)."""
    examples = ranked(labels, scores)
    found = np.r_[0.0, np.cumsum(examples.labels[::-1])] / examples.labels.sum()
    at = np.linspace(0, len(labels), points + 1).round().astype(int)
    return tuple((float(i / len(labels)), float(found[i])) for i in at)


def _auc(examples: Ranked, weights: Floats) -> Floats:
    """Sum over positives the negatives below them and half of those level with them: the others need no look."""
    up = np.flatnonzero(examples.labels)
    negatives = np.zeros((len(weights), len(examples.labels) + 1))
    np.cumsum(weights * (1 - examples.labels), axis=1, out=negatives[:, 1:])
    first = np.searchsorted(examples.scores, examples.scores[up], side="left")
    last = np.searchsorted(examples.scores, examples.scores[up], side="right")
    w = weights[:, up]
    beaten = (w * (negatives[:, first] + negatives[:, last])).sum(axis=1) / 2
    return _ratio(beaten, w.sum(axis=1) * negatives[:, -1])


def _entropy(rate: Floats) -> Floats:
    return -(rate * _log(rate) + (1 - rate) * _log(1 - rate))


def _log(values: Floats) -> Floats:
    return np.log(np.maximum(values, SMALLEST))


def _ratio(above: Floats, below: Floats) -> Floats:
    return np.divide(above, below, out=np.full_like(above, np.nan), where=below > 0)


def _resampled(count: int, rows: int, rng: np.random.Generator) -> Floats:
    drawn = [np.bincount(rng.integers(count, size=count), minlength=count) for _ in range(rows)]
    return np.stack(drawn).astype(np.float64)


def _estimate(value: Floats, drawn: Floats) -> Estimate:
    low, high = np.nanpercentile(drawn, (2.5, 97.5)) if np.isfinite(drawn).any() else (np.nan, np.nan)
    return Estimate(float(value[0]), float(low), float(high))
