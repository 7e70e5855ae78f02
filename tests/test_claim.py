"""What other features of the same examples would have claimed: a planted leak is a gap with its interval above 0, none is none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from ray_tune.claim import claim
from ray_tune.examples import Examples
from ray_tune.models.response import RESPONSE
from validation.verdict import OvertoneError

ROWS, DATES = 6_000, 10
FEATURES = ("plays_7d", "likes_7d")
MODEL = replace(RESPONSE, features=FEATURES, categories=("device",), rounds=30)


def examples(seed: int, **instead: np.ndarray) -> Examples:
    """Clicks that `plays_7d` tells something of and `likes_7d` nothing; columns named are taken as given."""
    rng = np.random.default_rng(seed)
    plays, likes = rng.normal(size=ROWS), rng.normal(size=ROWS)
    labels = (rng.random(ROWS) < 1 / (1 + np.exp(2 - plays))).astype(np.float64)
    columns = {"plays_7d": plays, "likes_7d": likes} | instead
    frame = pa.table({name: pa.array(values, pa.float32()) for name, values in columns.items()} | {"device": ["car", "tv"] * (ROWS // 2)})
    return Examples(frame, labels, np.sort(rng.integers(20_000, 20_000 + DATES, ROWS)), rng.integers(0, 900, ROWS))


def test_a_planted_leak_is_claimed_and_the_gap_is_told() -> None:
    honest = examples(1)
    found = claim(MODEL, honest, examples(1, likes_7d=honest.labels + np.random.default_rng(2).normal(size=ROWS)))
    assert found.gap.low is not None
    assert found.gap.low > 0.02
    assert found.claimed.value - found.honest.value == pytest.approx(found.gap.value)
    assert found.rows == len(honest.of(MODEL.split.cut(honest.dates).test).labels)


def test_the_same_features_claim_the_same() -> None:
    found = claim(MODEL, examples(1), examples(1))
    assert (found.gap.value, found.gap.low, found.gap.high) == (0.0, 0.0, 0.0)


def test_other_rows_are_not_compared_and_too_few_not_trained_on() -> None:
    with pytest.raises(OvertoneError, match=r"6,000 examples cannot be compared with 6,000 others"):
        claim(MODEL, examples(1), examples(2))
    few = examples(1).of(examples(1).dates[:3])
    with pytest.raises(OvertoneError, match=r"positive examples on 3 dates are too few to train on \(200 on 7 dates are needed\)"):
        claim(MODEL, few, few)
