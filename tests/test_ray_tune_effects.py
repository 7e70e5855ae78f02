"""Main effects: planted weights come back, what is missing adds nothing, trees start where the regression ends."""

from __future__ import annotations

import json
from dataclasses import replace

import lightgbm as lgb
import numpy as np
import pytest
from numpy.typing import NDArray

from ray_tune.calibrate import IDENTITY
from ray_tune.effects import CATEGORY, LEVEL, NUMBER, REACH, Effects, chosen, fit, standard
from ray_tune.scorer import Scorer

Floats = NDArray[np.float64]
Matrix = NDArray[np.float32]
PLANTED = np.array([-0.8, 0.0, 0.8])
SIZES = (0, 3, 0)


def clicks(rows: int = 40_000, seed: int = 0) -> tuple[Matrix, Floats]:
    """Rows of (plays, device, a constant): the chance of a click goes by the logarithm of plays and by the device."""
    rng = np.random.default_rng(seed)
    plays, device = np.exp(rng.normal(2.0, 0.5, rows)), rng.integers(0, 3, rows)
    odds = -2.0 + 0.4 * (np.log1p(plays) - 2.15) / 0.45 + PLANTED[device]
    matrix = np.column_stack([plays, device, np.full(rows, 7.0)]).astype(np.float32)
    return matrix, (rng.random(rows) < 1 / (1 + np.exp(-odds))).astype(np.float64)


def test_planted_weights_come_back() -> None:
    found = fit(*clicks(), SIZES)
    ((place, centre, spread, weight),) = found.numbers
    assert place == 0
    assert weight / spread == pytest.approx(0.4 / 0.45, abs=0.05)
    assert centre == pytest.approx(np.log1p(clicks()[0][:, 0]).mean(), abs=1e-4)
    ((place, weights),) = found.categories
    assert place == 1
    assert np.diff(weights) == pytest.approx(np.diff(PLANTED), abs=0.08)


def test_it_is_the_summit_of_likelihood_and_prior() -> None:
    """Where the slope of the logarithm of both is zero in every weight: the condition of any ridge logistic regression."""
    matrix, labels = clicks(3_000, seed=1)
    found = fit(matrix, labels, SIZES)
    (_, centre, spread, weight), (_, weights) = found.numbers[0], found.categories[0]
    left = labels - 1 / (1 + np.exp(-found(matrix)))
    rate = labels.mean()
    level = found.intercept + np.mean(weights)  # before the weights were told from their mean
    assert left.sum() == pytest.approx((level - np.log(rate / (1 - rate))) / LEVEL**2, abs=1e-4)
    assert standard(matrix[:, 0], centre, spread) @ left == pytest.approx(weight / NUMBER**2, abs=1e-4)
    free = np.array(weights) - np.mean(weights)  # at the summit they add up to 0, as any shift is the intercept's
    assert chosen(matrix[:, 1], 3).T @ left == pytest.approx(free / CATEGORY**2, abs=2e-3)


def test_what_an_input_adds_is_told_from_its_mean_over_the_rows() -> None:
    """Else a common device would seem to move the log-odds of everybody."""
    matrix, labels = clicks(20_000, seed=6)
    matrix[::2, 1] = 2  # by far the most common
    found = fit(matrix, labels, SIZES)
    assert np.abs(found.each(matrix).mean(axis=0)).max() < 0.01
    assert np.abs(found.each(matrix)[:, 1]).mean() > 0.1


def test_what_is_missing_unknown_or_constant_adds_nothing() -> None:
    matrix, labels = clicks(2_000, seed=2)
    matrix[:100, 0] = np.nan
    matrix[50:150, 1] = np.nan
    found = fit(np.column_stack([matrix, np.full(len(matrix), np.nan)]).astype(np.float32), labels, (*SIZES, 0))
    assert [place for place, *_ in found.numbers] == [0]
    assert found(np.full((1, 4), np.nan, np.float32)) == pytest.approx([found.intercept])
    assert found.each(np.array([[np.nan, 5, 1, 1]], np.float32)).tolist() == [[0.0, 0.0, 0.0, 0.0]]


def test_a_number_far_out_counts_as_much_as_one_three_deviations_out() -> None:
    found = Effects(0.5, ((0, 1.0, 0.5, 0.2),))
    far = np.array([[1e9], [-1e9]], np.float32)
    assert found(far) == pytest.approx([0.5 + 0.2 * REACH, 0.5 - 0.2 * REACH])


@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_labels_all_alike_give_a_finite_level(rate: float) -> None:
    matrix, labels = clicks(500, seed=3)
    assert np.isfinite(fit(matrix, np.full_like(labels, rate), SIZES)(matrix)).all()


def test_it_travels_as_json() -> None:
    found = fit(*clicks(1_000, seed=4), SIZES)
    assert Effects.of(json.loads(json.dumps(found.record()))) == found
    assert Effects.of(json.loads(json.dumps(Effects().record()))) == Effects()
    assert Effects()(np.ones((2, 3), np.float32)).tolist() == [0.0, 0.0]


def test_a_scorer_adds_the_trees_and_every_input_says_its_part() -> None:
    matrix, labels = clicks(5_000, seed=5)
    base = fit(matrix, labels, SIZES)
    data = lgb.Dataset(matrix, labels, init_score=base(matrix), categorical_feature=[1], params={"verbosity": -1})
    booster = lgb.train({"objective": "binary", "verbosity": -1, "num_threads": 1}, data, 10)
    names = ("plays", "device", "constant")
    scorer = Scorer("toy", "", names, {"device": ["car", "mobile", "tv"]}, IDENTITY, booster.model_to_string(), base)
    raw = scorer.raw(matrix, 1)
    assert raw == pytest.approx(base(matrix) + booster.predict(matrix, raw_score=True))
    expected = booster.predict(matrix, pred_contrib=True)[:, -1]
    assert scorer.contributions(matrix, 1).sum(axis=1) + base.intercept + expected == pytest.approx(raw)
    assert Scorer.from_json(scorer.to_json()) == scorer
    older = {name: value for name, value in json.loads(scorer.to_json()).items() if name != "effects"}
    assert Scorer.from_json(json.dumps(older)) == replace(scorer, effects=Effects())
    assert replace(scorer, effects=Effects()).raw(matrix, 1) == pytest.approx(booster.predict(matrix, raw_score=True))
