"""Metrics against scikit-learn and closed forms; intervals against repeated worlds whose value is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest
from sklearn.metrics import log_loss, roc_auc_score

from ray_tune import metrics
from validation.verdict import OvertoneError


def world(seed: int, rows: int = 400, spread: float = 1.0, rate: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    """Labels drawn from known probabilities, and these probabilities, with ties."""
    rng = np.random.default_rng(seed)
    odds = math.log(rate / (1 - rate)) + spread * rng.normal(size=rows)
    p = (1 / (1 + np.exp(-odds))).round(2).clip(0.01, 0.99)
    return (rng.random(rows) < p).astype(float), p


@pytest.mark.parametrize("seed", range(5))
def test_ranking_and_log_loss_are_scikit_learns(seed: int) -> None:
    labels, p = world(seed)
    got = metrics.values(labels, p)
    assert got["auc"] == pytest.approx(roc_auc_score(labels, p), abs=1e-12)
    assert got["log_loss"] == pytest.approx(log_loss(labels, p), abs=1e-12)


@given(st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_weighted_metrics_are_scikit_learns(seed: int) -> None:
    labels, p = world(seed, rows=60)
    labels[:2] = (0, 1)
    weights = np.random.default_rng(seed).integers(0, 4, (3, 60)).astype(float)
    weights[:, :2] = 1
    examples = metrics.ranked(labels, p)
    got = metrics.measure(examples, weights[:, examples.order])
    for row, w in enumerate(weights):
        assert got["auc"][row] == pytest.approx(roc_auc_score(labels, p, sample_weight=w), abs=1e-12)
        assert got["log_loss"][row] == pytest.approx(log_loss(labels, p, sample_weight=w), abs=1e-12)
        assert got["calibration_ratio"][row] == pytest.approx((w @ p) / (w @ labels), abs=1e-12)


def test_the_base_rate_has_entropy_one_and_ranks_nothing() -> None:
    labels, _ = world(1)
    got = metrics.values(labels, np.full(len(labels), labels.mean()))
    assert got == pytest.approx(
        {
            "auc": 0.5,
            "normalised_entropy": 1.0,
            "calibration_ratio": 1.0,
            "calibration_error": got["calibration_error"],
            "log_loss": got["log_loss"],
        }
    )


def test_the_error_of_calibration_is_the_mean_gap_of_ten_bins() -> None:
    """Two score levels of 50 rows each, off by 0.1 and by 0.3: ten equal-count bins see 0.2 on average."""
    labels = np.r_[np.tile([1, 0, 0, 0, 0], 10), np.tile([1, 1, 1, 0, 0], 10)].astype(float)  # rates 0.2 and 0.6
    p = np.r_[np.full(50, 0.1), np.full(50, 0.9)]
    assert metrics.values(labels, p)["calibration_error"] == pytest.approx(0.2)


@pytest.mark.parametrize("bad", [np.array([0.1, 1.5]), np.array([0.1, np.nan]), np.array([0.1])])
def test_what_is_no_probability_is_refused(bad: np.ndarray) -> None:
    with pytest.raises(OvertoneError):
        metrics.values(np.array([0.0, 1.0]), bad)


def test_wilson_intervals_are_scipys_and_bins_hold_all_rows() -> None:
    labels, p = world(3, rows=205)
    bins = metrics.reliability(labels, p)
    assert sum(b.rows for b in bins) == 205
    assert [b.score for b in bins] == sorted(b.score for b in bins)
    assert sum(b.rate * b.rows for b in bins) == pytest.approx(labels.sum())
    for b in bins:
        known = binomtest(round(b.rate * b.rows), b.rows).proportion_ci(method="wilson")
        assert (b.low, b.high) == pytest.approx((known.low, known.high), abs=1e-6)


def test_the_gain_curve_of_perfect_scores_rises_at_once() -> None:
    labels = np.r_[np.zeros(75), np.ones(25)]
    curve = metrics.gains(labels, np.linspace(0, 1, 100), points=4)
    assert curve == ((0.0, 0.0), (0.25, 1.0), (0.5, 1.0), (0.75, 1.0), (1.0, 1.0))


def test_an_interval_is_of_listeners_not_of_rows() -> None:
    """Every row told ten times over is no news: same listeners, same interval."""
    labels, p = world(4)
    once = metrics.estimates(labels, p, {}, np.arange(400), np.random.default_rng(0))
    told = metrics.estimates(np.repeat(labels, 10), np.repeat(p, 10), {}, np.repeat(np.arange(400), 10), np.random.default_rng(0))
    assert (told["auc"].low, told["auc"].high) == pytest.approx((once["auc"].low, once["auc"].high), abs=1e-12)
    rows = metrics.estimates(np.repeat(labels, 10), np.repeat(p, 10), {}, np.arange(4000), np.random.default_rng(0))
    assert rows["auc"].high - rows["auc"].low < 0.5 * (told["auc"].high - told["auc"].low)


def test_a_rival_is_compared_pair_by_pair() -> None:
    """Nearly equal scores differ by a narrow interval although each alone is uncertain."""
    labels, p = world(5)
    near = np.clip(p + 0.001 * np.random.default_rng(1).normal(size=len(p)), 0, 1)
    got = metrics.estimates(labels, p, {"base": np.full(400, 0.3), "twin": near}, np.arange(400), np.random.default_rng(0))
    assert got["auc_minus_base"].value == pytest.approx(got["auc"].value - 0.5)
    assert got["auc_minus_base"].low == pytest.approx(got["auc"].low - 0.5)
    assert got["auc_minus_twin"].high - got["auc_minus_twin"].low < 0.2 * (got["auc"].high - got["auc"].low)


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """1,000 worlds of 80 listeners with 1 to 6 examples each, whose click tendencies differ: 95 % intervals of the
    calibration ratio hold the planted ratio, 1, in 92 % to 97.5 % of them (a percentile interval of 80 groups is slightly short)."""
    rng = np.random.default_rng(8)
    held = 0
    for _ in range(1000):
        listeners = np.repeat(np.arange(80), rng.integers(1, 7, 80))
        p = rng.beta(6, 6, 80)[listeners]
        labels = (rng.random(len(p)) < p).astype(float)
        got = metrics.estimates(labels, p, {}, listeners, rng, replicates=120)["calibration_ratio"]
        held += bool(got.low <= 1 <= got.high)
    assert 0.92 <= held / 1000 <= 0.975
