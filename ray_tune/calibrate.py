"""From a booster's log-odds to probabilities that come true, learned on later days than the booster saw."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.isotonic import isotonic_regression

from validation.contract import did_you_mean
from validation.verdict import OvertoneError

Floats = NDArray[np.float64]
KINDS = ("platt", "isotonic")
SPREAD = 1.0  # prior standard deviation of Platt's two parameters around the identity
DOUBT = 9.21  # twice the gain in log-likelihood from which the identity is given up: 1 % of chi-squared with two degrees of freedom
FLATTEST = 0.01  # a slope of zero or below would throw the ranking away
STEPS, CLOSE = 100, 1e-9  # of Newton's method: the most, and the gain in log-likelihood below which a step is the last
BLOCK = 16_384  # rows whose inputs are spelled out at once
Rows = Callable[[slice], Floats]


@dataclass(frozen=True)
class Calibrator:
    """A rising map from log-odds to probability.

    platt: `y` = (intercept, slope) of the logistic curve, `x` empty. isotonic: straight lines between the knots (`x`, `y`),
    level beyond the outer ones.
    """

    kind: str
    x: tuple[float, ...]
    y: tuple[float, ...]

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise OvertoneError(f"unknown calibrator {self.kind!r}{did_you_mean(self.kind, KINDS)}")

    def __call__(self, raw: Floats) -> Floats:
        """Return probabilities of the same shape."""
        if self.kind == "isotonic":
            return np.interp(raw, self.x, self.y)
        intercept, slope = self.y
        return _sigmoid(intercept + slope * np.asarray(raw, dtype=np.float64))

    def record(self) -> dict[str, Any]:
        """Return plain values from which `of` makes an equal calibrator."""
        return {"kind": self.kind, "x": list(self.x), "y": list(self.y)}

    @classmethod
    def of(cls, record: dict[str, Any]) -> Calibrator:
        """Read what `record` wrote."""
        return cls(record["kind"], tuple(record["x"]), tuple(record["y"]))


IDENTITY = Calibrator("platt", (), (0.0, 1.0))


def fit(raw: Floats, labels: Floats, isotonic_from: int) -> Calibrator:
    """Learn the map from log-odds and labels of 0 and 1.

    Isotonic regression follows any shape but needs many positives; below `isotonic_from` of them two parameters are all
    that the data carry (Niculescu-Mizil and Caruana 2005, section 5). Even those add more noise than they take away where
    the log-odds are right already: what later days do not contradict stands as it is.
    """
    if labels.sum() >= isotonic_from:
        return isotonic(raw, labels)
    found = platt(raw, labels)
    gain = _likelihood(found, raw, labels) - _likelihood(IDENTITY, raw, labels)
    return found if 2 * gain > DOUBT else IDENTITY


def platt(raw: Floats, labels: Floats) -> Calibrator:
    """Fit sigmoid(a + b x) by Newton's method under a weak normal prior on (a, b) around (0, 1); b is kept positive."""
    line = np.column_stack([np.ones_like(raw), raw])
    found = newton(lambda rows: line[rows], labels, np.array([0.0, 1.0]), np.zeros(len(raw)))
    if found[1] >= FLATTEST:
        return Calibrator("platt", (), (float(found[0]), float(found[1])))
    level = newton(lambda rows: line[rows, :1], labels, np.zeros(1), FLATTEST * raw)
    return Calibrator("platt", (), (float(level[0]), FLATTEST))


def isotonic(raw: Floats, labels: Floats) -> Calibrator:
    """Fit the best rising step function and join the middles of its steps, so that examples of one step keep their order."""
    order = np.argsort(raw, kind="stable")
    x, first, rows = np.unique(raw[order], return_index=True, return_counts=True)
    rate = np.add.reduceat(labels[order].astype(np.float64), first) / rows
    level = isotonic_regression(rate, sample_weight=rows.astype(np.float64))
    steps = np.flatnonzero(np.r_[True, level[1:] != level[:-1]])
    middle = np.add.reduceat(x * rows, steps) / np.add.reduceat(rows, steps)
    floor = 0.5 / len(raw)
    y = np.clip(level[steps], floor, 1 - floor)
    return Calibrator("isotonic", tuple(map(float, middle)), tuple(map(float, y)))


def newton(design: Rows, labels: Floats, centre: Floats, offset: Floats, spread: float | Floats = SPREAD) -> Floats:
    """Return the likeliest coefficients of a logistic regression under normal priors: mean `centre`, standard deviation `spread`.

    `design` returns the inputs of a range of rows, shape (rows, coefficients): however many there are, one range is held at once.
    """
    prior = np.broadcast_to(1.0 / np.square(spread), centre.shape)

    def look(at: Floats) -> tuple[float, Floats, Floats]:
        """Return the logarithm of the posterior, its slope and its curvature."""
        worth, slope, curve = -float((prior * (at - centre) ** 2).sum()) / 2, -prior * (at - centre), np.diag(prior)
        for first in range(0, len(labels), BLOCK):
            rows = slice(first, first + BLOCK)
            inputs, y = design(rows), labels[rows]
            odds = inputs @ at + offset[rows]
            p = _sigmoid(odds)
            worth += float(y @ odds - np.logaddexp(0, odds).sum())
            slope = slope + inputs.T @ (y - p)
            curve = curve + (inputs * (p * (1 - p))[:, None]).T @ inputs
        return worth, slope, curve

    at, (best, slope, curve) = centre.copy(), look(centre)
    for _ in range(STEPS):
        step = np.linalg.solve(curve, slope)
        if slope @ step <= CLOSE:
            return np.asarray(at + step)
        found = look(at + step)
        # Far from the goal the curve is nearly flat and a whole step overshoots.
        while found[0] < best and slope @ step > CLOSE:
            step = step / 2
            found = look(at + step)
        at, (best, slope, curve) = at + step, found
    return at


def _likelihood(line: Calibrator, raw: Floats, labels: Floats) -> float:
    intercept, slope = line.y
    odds = intercept + slope * raw
    return float(labels @ odds - np.logaddexp(0, odds).sum())


def _sigmoid(x: Floats) -> Floats:
    return 0.5 * (1 + np.tanh(0.5 * x))
