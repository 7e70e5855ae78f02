"""What drives a model and how well its probabilities come true: numbers, and the same numbers as pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ray_tune.scorer import encode

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from ray_tune.metrics import Bin
    from ray_tune.scorer import Scorer

ROWS = 2_000  # that contributions are averaged over
INK, MARK = "#1f3b57", "#c8553d"


@dataclass(frozen=True)
class Driver:
    """How far one input moves the log-odds: mean absolute SHAP value. `direction` is the rank correlation of value and effect.

    It is None for categories, whose codes have no order, and where nothing varies.
    """

    feature: str
    effect: float
    direction: float | None


def drivers(scorer: Scorer, frame: pa.Table, rng: np.random.Generator) -> tuple[Driver, ...]:
    """Return every input, the strongest first, over at most 2,000 rows drawn from the frame.

    The SHAP value of a sum is the sum of both: the main effect's own (it is told from its mean) and TreeSHAP's (Lundberg et al. 2020).
    """
    rows = np.sort(rng.permutation(frame.num_rows)[:ROWS])
    matrix = encode(frame.take(rows), scorer.features, scorer.categories)
    effects = scorer.contributions(matrix, threads=1)
    found = [
        Driver(name, float(np.abs(effects[:, n]).mean()), None if name in scorer.categories else _direction(matrix[:, n], effects[:, n]))
        for n, name in enumerate(scorer.features)
    ]
    return tuple(sorted(found, key=lambda one: one.effect, reverse=True))


def _direction(values: NDArray[np.float32], effects: NDArray[np.float64]) -> float | None:
    known = np.isfinite(values)
    x, y = _ranks(values[known]), _ranks(effects[known])
    spread = float(x.std() * y.std()) if len(x) else 0.0
    return None if spread == 0 else float(((x - x.mean()) * (y - y.mean())).mean() / spread)


def _ranks(values: NDArray[np.floating]) -> NDArray[np.float64]:
    _, place, rows = np.unique(values, return_inverse=True, return_counts=True)
    middle: NDArray[np.float64] = np.cumsum(rows) - (rows + 1) / 2
    return middle[place]


def calibration_curve(bins: Sequence[Bin], model: str) -> Figure:
    """Draw the share of positives over the mean score, with 95 % intervals; a model that keeps its word lies on the diagonal."""
    figure, axes = _canvas(f"{model}: do probabilities come true?", "mean score", "share of clicks")
    score, rate = np.array([b.score for b in bins]), np.array([b.rate for b in bins])
    spread = np.abs(np.array([[b.rate - b.low for b in bins], [b.high - b.rate for b in bins]]))
    end = float(max(score.max(), (rate + spread[1]).max()) * 1.05)
    axes.plot([0, end], [0, end], color="0.7", linewidth=1, linestyle="--")
    axes.errorbar(score, rate, yerr=spread, color=INK, marker="o", markersize=4, linewidth=1.2, capsize=2)
    return figure


def driver_bars(found: Sequence[Driver], model: str, most: int = 15) -> Figure:
    """Draw the strongest inputs as bars; the colour says whether high values raise or lower the score."""
    figure, axes = _canvas(f"{model}: what moves the score", "mean absolute effect on the log-odds", "")
    top = list(found[:most])[::-1]
    colours = ["0.6" if d.direction is None else INK if d.direction >= 0 else MARK for d in top]
    axes.barh([d.feature for d in top], [d.effect for d in top], color=colours)
    figure.text(0.99, 0.01, "blue: high values raise it, red: lower it, grey: category", ha="right", fontsize=7, color="0.4")
    return figure


def gain_curve(points: Sequence[tuple[float, float]], model: str) -> Figure:
    """Draw the share of clicks found among the share of impressions with the highest scores."""
    figure, axes = _canvas(f"{model}: clicks among the best", "share of impressions, highest scores first", "share of clicks")
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1, linestyle="--")
    axes.plot([x for x, _ in points], [y for _, y in points], color=INK, linewidth=1.5)
    return figure


def _canvas(title: str, x: str, y: str) -> tuple[Figure, Axes]:
    figure = Figure(figsize=(6.4, 4.4), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_title(title, fontsize=11, loc="left")
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes
