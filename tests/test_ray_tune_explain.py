"""What drives a model: closed forms on boosters made for it; pictures show the numbers they are given."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import lightgbm as lgb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from matplotlib.image import imread

from ray_tune.calibrate import Calibrator
from ray_tune.explain import Driver, calibration_curve, driver_bars, drivers, gain_curve
from ray_tune.metrics import Bin
from ray_tune.scorer import Scorer, encode

if TYPE_CHECKING:
    from matplotlib.figure import Figure

VALUES = ["no", "yes"]


@pytest.fixture(scope="module")
def frame() -> pa.Table:
    rng = np.random.default_rng(0)
    columns = {"up": rng.normal(size=3_000), "down": rng.normal(size=3_000), "idle": rng.normal(size=3_000)}
    return pa.table(columns | {"group": rng.choice(VALUES, 3_000)})


@pytest.fixture(scope="module")
def scorer(frame: pa.Table) -> Scorer:
    """Fitted to log-odds that are known: 3 up - 1 down + 2 (group is yes); `idle` is held out of every tree."""
    features, lists = ("up", "down", "idle", "group"), {"group": VALUES}
    matrix = encode(frame, features, lists)
    odds = 3 * matrix[:, 0] - matrix[:, 1] + 2 * matrix[:, 3]
    settings = {"objective": "regression", "verbosity": -1, "num_threads": 1, "learning_rate": 0.2}
    data = lgb.Dataset(np.where(np.arange(4) == 2, 0, matrix), odds, categorical_feature=[3], params=settings)
    booster = lgb.train(settings, data, 200)
    return Scorer("toy", "1", features, lists, Calibrator("platt", (), (0.0, 1.0)), booster.model_to_string())


def test_effects_are_those_of_the_planted_line(scorer: Scorer, frame: pa.Table) -> None:
    """Of an additive model the mean absolute SHAP value is |coefficient| x mean absolute deviation of the input."""
    found = {one.feature: one for one in drivers(scorer, frame, np.random.default_rng(0))}
    deviation = np.sqrt(2 / np.pi)
    assert found["up"].effect == pytest.approx(3 * deviation, rel=0.1)
    assert found["down"].effect == pytest.approx(deviation, rel=0.1)
    assert found["group"].effect == pytest.approx(2 * 0.5, rel=0.1)
    assert found["idle"].effect == 0


def test_they_come_strongest_first_with_the_way_they_push(scorer: Scorer, frame: pa.Table) -> None:
    found = drivers(scorer, frame, np.random.default_rng(0))
    assert [one.feature for one in found] == ["up", "group", "down", "idle"]
    up, group, down, idle = found
    assert up.direction > 0.95
    assert down.direction < -0.95
    assert group.direction is None, "codes have no order"
    assert idle.direction is None, "nothing moves"


def test_a_column_without_any_value_drives_nothing(scorer: Scorer, frame: pa.Table) -> None:
    hollow = frame.set_column(2, "idle", pa.nulls(frame.num_rows, pa.float64()))
    assert next(one for one in drivers(scorer, hollow, np.random.default_rng(0)) if one.feature == "idle").direction is None


def test_direction_is_pandas_rank_correlation(scorer: Scorer, frame: pa.Table) -> None:
    small = frame.slice(0, 500)
    matrix = encode(small, scorer.features, scorer.categories)
    effects = scorer.native.predict(matrix, pred_contrib=True)
    oracle = pd.Series(matrix[:, 1]).corr(pd.Series(effects[:, 1]), method="spearman")
    down = next(one for one in drivers(scorer, small, np.random.default_rng(0)) if one.feature == "down")
    assert down.direction == pytest.approx(oracle, abs=1e-6)


def picture(figure: Figure) -> np.ndarray:
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=40)
    file.seek(0)
    return imread(file)


def test_pictures_show_the_numbers() -> None:
    bins = [Bin(0.01, 0.012, 0.01, 0.015, 100), Bin(0.05, 0.045, 0.04, 0.05, 100)]
    curve = calibration_curve(bins, "toy")
    line = curve.axes[0].get_lines()[1]
    assert list(line.get_xdata()) == [0.01, 0.05]
    assert list(line.get_ydata()) == [0.012, 0.045]
    bars = driver_bars([Driver("up", 0.4, 0.9), Driver("down", 0.2, -0.9), Driver("group", 0.1, None)], "toy")
    widths = {label.get_text(): bar.get_width() for label, bar in zip(bars.axes[0].get_yticklabels(), bars.axes[0].patches, strict=True)}
    assert widths == {"up": 0.4, "down": 0.2, "group": 0.1}
    assert len({bar.get_facecolor() for bar in bars.axes[0].patches}) == 3
    gains = gain_curve([(0.0, 0.0), (0.5, 0.8), (1.0, 1.0)], "toy")
    assert list(gains.axes[0].get_lines()[1].get_ydata()) == [0.0, 0.8, 1.0]
    for figure in (curve, bars, gains):
        assert picture(figure).std() > 0.01, "something is drawn"
