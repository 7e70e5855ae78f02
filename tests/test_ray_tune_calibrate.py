"""Calibrators: planted distortions are undone, order is kept, plain values round-trip."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from ray_tune.calibrate import FLATTEST, IDENTITY, Calibrator, fit, isotonic, platt
from validation.verdict import OvertoneError


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def distorted(seed: int, rows: int, intercept: float, slope: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Log-odds of a booster, labels, and the true log-odds: a straight line in the booster's."""
    rng = np.random.default_rng(seed)
    raw = rng.normal(-3, 1, rows)
    truth = intercept + slope * raw
    return raw, (rng.random(rows) < sigmoid(truth)).astype(float), truth


def test_platt_finds_the_planted_line() -> None:
    raw, labels, truth = distorted(0, 200_000, -0.7, 0.6)
    found = platt(raw, labels)
    assert found.y == pytest.approx((-0.7, 0.6), abs=0.05)
    assert found(raw).mean() == pytest.approx(labels.mean(), rel=1e-3)
    assert np.abs(found(raw) / sigmoid(truth) - 1).max() < 0.15


def test_platt_is_logistic_regression_where_data_are_plenty() -> None:
    raw, labels, _ = distorted(1, 20_000, 1.0, 1.3)
    oracle = LogisticRegression(C=np.inf, tol=1e-10).fit(raw[:, None], labels)
    assert platt(raw, labels).y == pytest.approx((oracle.intercept_[0], oracle.coef_[0, 0]), rel=0.02, abs=0.02)


@pytest.mark.parametrize("shift", [-20.0, 20.0])
def test_platt_comes_back_from_scores_that_are_far_off(shift: float) -> None:
    raw, labels, _ = distorted(2, 20_000, 0.0, 1.0)
    assert platt(raw + shift, labels)(raw + shift).mean() == pytest.approx(labels.mean(), rel=0.05)


def test_scores_that_rank_backwards_are_flattened_not_turned_over() -> None:
    raw, labels, _ = distorted(3, 5_000, -6.0, -1.0)
    found = platt(raw, labels)
    assert found.y[1] == FLATTEST
    assert found(raw).mean() == pytest.approx(labels.mean(), rel=0.01)


def test_without_positives_or_negatives_probabilities_stay_inside() -> None:
    raw = np.linspace(-4, 0, 50)
    for labels in (np.zeros(50), np.ones(50)):
        for found in (platt(raw, labels), isotonic(raw, labels)):
            assert 0 < found(raw).min() <= found(raw).max() < 1


def test_isotonic_undoes_any_rising_distortion() -> None:
    rng = np.random.default_rng(4)
    raw = rng.uniform(-4, 0, 100_000)
    truth = np.where(raw < -2, 0.02, 0.02 + 0.2 * (raw + 2) ** 2)
    labels = (rng.random(len(raw)) < truth).astype(float)
    found = isotonic(raw, labels)(raw)
    for low in np.arange(-4, 0, 0.5):
        inside = (raw >= low) & (raw < low + 0.5)
        assert found[inside].mean() == pytest.approx(truth[inside].mean(), rel=0.1)


def test_isotonic_steps_are_scikit_learns() -> None:
    raw, labels, _ = distorted(5, 3_000, 0.0, 1.0)
    raw = raw.round(1)
    found = isotonic(raw, labels)
    oracle = IsotonicRegression(out_of_bounds="clip").fit(raw, labels)
    levels = np.unique(oracle.predict(raw))
    inner = (levels > 0.5 / 3_000) & (levels < 1 - 0.5 / 3_000)
    assert np.isin(levels[inner].round(12), np.array(found.y).round(12)).all()


@given(st.integers(0, 10_000), st.booleans())
@settings(max_examples=40, deadline=None)
def test_a_calibrator_never_turns_an_order_over_and_round_trips(seed: int, many: bool) -> None:
    raw, labels, _ = distorted(seed, 300, -0.5, 0.8)
    found = fit(raw, labels, isotonic_from=0 if many else 10**9)
    assert found.kind == ("isotonic" if many else "platt")
    ordered = found(np.sort(raw))
    assert (np.diff(ordered) >= 0).all()
    again = Calibrator.of(json.loads(json.dumps(found.record())))
    assert again == found
    assert (again(raw) == found(raw)).all()


def test_an_unknown_kind_is_named() -> None:
    with pytest.raises(OvertoneError, match="did you mean 'platt'"):
        Calibrator("plat", (), (0.0, 1.0))


def test_log_odds_that_later_days_do_not_contradict_stand() -> None:
    """Two parameters fitted to a hundred clicks add more noise than they take away; fitted to a real distortion they pay."""
    raw, labels, _ = distorted(7, 5_000, 0.0, 1.0)
    assert fit(raw, labels, isotonic_from=10**9) == IDENTITY
    raw, labels, _ = distorted(7, 5_000, 0.4, 1.0)
    assert fit(raw, labels, isotonic_from=10**9) == platt(raw, labels) != IDENTITY
