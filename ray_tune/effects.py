"""Main effects: a logistic regression, one weight an input, that the trees start from and refine.

Trees find a steady effect of a device or a slot step by step and stop short of it where clicks are few; a regression has
it at once and without that bias, and leaves to the trees what does not add up. (The offset of generalised linear models:
McCullagh and Nelder 1989, section 6.3.)
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ray_tune.calibrate import newton

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

Floats = NDArray[np.float64]
Matrix = NDArray[np.float32]
NUMBER, CATEGORY = 0.1, 0.7  # prior standard deviations of a weight: of a number a standard deviation from its mean, and of a category
LEVEL = 10.0  # prior standard deviation of the intercept around the base rate: it matters only where labels are all alike
REACH = 3.0  # standard deviations beyond which a number counts no further
LEAST = 1e-6  # spread below which a number is constant


@dataclass(frozen=True)
class Effects:
    """Log-odds that add up over the inputs: none by default.

    `numbers` holds, by the input's place, centre, spread and weight of its signed logarithm; `categories`, by place, the
    weight of each code. Both are told from their mean over the rows learnt from: what is missing, or was not known then,
    adds nothing.
    """

    intercept: float = 0.0
    numbers: tuple[tuple[int, float, float, float], ...] = ()
    categories: tuple[tuple[int, tuple[float, ...]], ...] = ()

    def __call__(self, matrix: Matrix) -> Floats:
        """Return log-odds of shape (rows,) for an encoded matrix."""
        whole = np.full(len(matrix), self.intercept)
        for _, effect in self._parts(matrix):
            whole += effect
        return whole

    def each(self, matrix: Matrix) -> Floats:
        """Return what each input adds, shape (rows, inputs)."""
        found = np.zeros(matrix.shape)
        for place, effect in self._parts(matrix):
            found[:, place] = effect
        return found

    def record(self) -> dict[str, Any]:
        """Return plain values from which `of` makes equal effects."""
        return {"intercept": self.intercept, "numbers": self.numbers, "categories": self.categories}

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Effects:
        """Read what `record` wrote, also after a way through JSON."""
        numbers = tuple((int(place), float(centre), float(spread), float(weight)) for place, centre, spread, weight in record["numbers"])
        return cls(record["intercept"], numbers, tuple((int(place), tuple(weights)) for place, weights in record["categories"]))

    def _parts(self, matrix: Matrix) -> Iterator[tuple[int, Floats]]:
        for place, centre, spread, weight in self.numbers:
            yield place, weight * standard(matrix[:, place], centre, spread)
        for place, weights in self.categories:
            codes = matrix[:, place]
            known = (codes >= 0) & (codes < len(weights))
            yield place, np.where(known, np.array([*weights, 0.0])[np.where(known, codes, -1).astype(np.int64)], 0.0)


def fit(matrix: Matrix, labels: Floats, sizes: Sequence[int]) -> Effects:
    """Find the most likely weights under normal priors around 0; `sizes` counts each input's categories, 0 for a number."""
    scales = [(place, *_scale(matrix[:, place])) for place, size in enumerate(sizes) if not size]
    numbers = [one for one in scales if one[2] > LEAST]
    listed = [(place, size) for place, size in enumerate(sizes) if size]

    def design(rows: slice) -> Floats:
        block = matrix[rows]
        columns = [standard(block[:, place], centre, spread)[:, None] for place, centre, spread in numbers]
        return np.hstack([np.ones((len(block), 1)), *columns, *(chosen(block[:, place], size) for place, size in listed)])

    rate = np.clip(labels.mean(), 0.5 / len(labels), 1 - 0.5 / len(labels))
    ends = np.cumsum([1 + len(numbers), *(size for _, size in listed)])
    start = np.zeros(ends[-1])
    start[0] = np.log(rate / (1 - rate))
    spreads = np.r_[LEVEL, np.full(len(numbers), NUMBER), np.full(ends[-1] - ends[0], CATEGORY)]
    weights = newton(design, labels, start, np.zeros(len(matrix)), spreads)
    # Each category's weights are told from their mean over the rows, as numbers are: what an input adds is then its SHAP value.
    for (place, size), (first, end) in zip(listed, pairwise(ends), strict=True):
        codes = matrix[:, place]
        rows = np.bincount(codes[(codes >= 0) & (codes < size)].astype(np.int64), minlength=size)
        middle = weights[first:end] @ rows / max(rows.sum(), 1.0)
        weights[first:end] -= middle
        weights[0] += middle
    return Effects(
        float(weights[0]),
        tuple((*one, float(weight)) for one, weight in zip(numbers, weights[1 : ends[0]], strict=True)),
        tuple((place, tuple(map(float, weights[first:end]))) for (place, _), (first, end) in zip(listed, pairwise(ends), strict=True)),
    )


def _scale(column: Matrix) -> tuple[float, float]:
    """Return mean and standard deviation of a number's signed logarithm, zeros where nothing is known."""
    log = _log(column)
    return (float(np.nanmean(log)), float(np.nanstd(log))) if np.isfinite(log).any() else (0.0, 0.0)


def standard(column: Matrix, centre: float, spread: float) -> Floats:
    """Return the signed logarithm in standard deviations from its mean, at most 3; 0 where nothing is known."""
    return np.asarray(np.nan_to_num(np.clip((_log(column) - centre) / spread, -REACH, REACH), nan=0.0))


def chosen(column: Matrix, size: int) -> Floats:
    """Return a matrix of shape (rows, size) with a 1 at each row's code and none where it is missing."""
    return np.asarray(column[:, None] == np.arange(size), dtype=np.float64)


def _log(column: Matrix) -> Floats:
    value = column.astype(np.float64)
    return np.asarray(np.sign(value) * np.log1p(np.abs(value)))
