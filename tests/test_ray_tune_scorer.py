"""A scorer is LightGBM plus calibrator whatever the frame's form; it travels as text."""

from __future__ import annotations

import json
import pickle
from typing import TYPE_CHECKING

import lightgbm as lgb
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ray_tune.calibrate import Calibrator
from ray_tune.scorer import BOOSTER, REST, Scorer, _load_pyfunc, encode
from validation.verdict import WrongUse

if TYPE_CHECKING:
    from pathlib import Path

COLOURS = ["blue", "green", "red"]
EFFECT = {"blue": -2.0, "green": 0.0, "red": 2.0}


def world(rows: int = 2_000, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"x": rng.normal(size=rows), "n": rng.integers(0, 9, rows), "colour": rng.choice(COLOURS, rows)})
    frame.loc[rng.random(rows) < 0.05, "x"] = np.nan
    odds = frame["colour"].map(EFFECT) + frame["x"].fillna(0)
    return frame.assign(label=(rng.random(rows) < 1 / (1 + np.exp(-odds))).astype(float))


@pytest.fixture(scope="module")
def scorer() -> Scorer:
    frame = world()
    features = ("x", "n", "colour")
    matrix = encode(frame, features, {"colour": COLOURS})
    data = lgb.Dataset(matrix, frame["label"], categorical_feature=[2], params={"verbosity": -1})
    booster = lgb.train({"objective": "binary", "verbosity": -1, "num_threads": 1, "min_data_per_group": 5}, data, 20)
    return Scorer("toy", "3", features, {"colour": COLOURS}, Calibrator("platt", (), (0.1, 0.8)), booster.model_to_string())


def test_it_is_lightgbm_and_calibrator(scorer: Scorer) -> None:
    frame = world(seed=1)
    codes = frame["colour"].map(COLOURS.index)
    matrix = np.column_stack([frame["x"], frame["n"], codes]).astype(np.float32)
    raw = lgb.Booster(model_str=scorer.booster).predict(matrix, raw_score=True)
    assert np.abs(scorer.score(frame) - 1 / (1 + np.exp(-(0.1 + 0.8 * raw)))).max() < 1e-12


@given(st.permutations(COLOURS), st.permutations(["x", "n", "colour"]), st.integers(0, 1_000))
@settings(max_examples=20, deadline=None)
def test_neither_order_nor_form_of_the_frame_matters(scorer: Scorer, colours: list[str], columns: list[str], seed: int) -> None:
    """pandas codes a category by its own order of values; LightGBM would take these codes for the training's."""
    frame = world(50, seed)
    expected = scorer.score(frame)
    shuffled = frame[columns].assign(colour=pd.Categorical(frame["colour"], categories=colours))
    assert (scorer.score(shuffled) == expected).all()
    table = pa.Table.from_pandas(frame, preserve_index=False)
    assert (scorer.score(table) == expected).all()
    assert (scorer.score(table.set_column(2, "colour", table["colour"].dictionary_encode())) == expected).all()
    chunked = pa.concat_tables([table.slice(0, 7), table.slice(7)])
    assert (scorer.score(chunked) == expected).all()


def test_the_category_counts(scorer: Scorer) -> None:
    """Not all orders would do: the planted effect of the colours is in the scores."""
    frame = pd.DataFrame({"x": 0.0, "n": 4, "colour": COLOURS})
    low, middle, high = scorer.score(frame)
    assert low < middle < high


def test_an_unknown_value_counts_as_missing(scorer: Scorer) -> None:
    frame = pd.DataFrame({"x": [0.0, 0.0], "n": [4, 4], "colour": ["mauve", None]})
    assert np.isnan(encode(frame, scorer.features, scorer.categories)[:, 2]).all()
    assert len(set(scorer.score(frame))) == 1


def test_a_missing_column_is_named(scorer: Scorer) -> None:
    with pytest.raises(WrongUse, match="no column 'colour'; did you mean 'color'"):
        scorer.score(world(3).rename(columns={"colour": "color"}))


def test_an_empty_frame_scores_empty(scorer: Scorer) -> None:
    assert scorer.score(world(5).head(0)).shape == (0,)


def test_it_travels_as_text(scorer: Scorer, tmp_path: Path) -> None:
    frame = world(200, seed=2)
    expected = scorer.score(frame)
    scorer.save(tmp_path / "scorer")
    forms = (Scorer.from_json(scorer.to_json()), pickle.loads(pickle.dumps(scorer)), Scorer.load(tmp_path / "scorer", "3"))  # noqa: S301
    for form in forms:
        assert form == scorer
        assert (form.score(frame) == expected).all()
    assert {path.name for path in (tmp_path / "scorer").iterdir()} == {BOOSTER, REST}
    assert (tmp_path / "scorer" / BOOSTER).read_text().startswith("tree\n")
    assert json.loads((tmp_path / "scorer" / REST).read_text())["categories"] == {"colour": COLOURS}
    assert scorer.booster.encode() in pickle.dumps(scorer).replace(b"\\n", b"\n"), "a pickle holds the text, no object of LightGBM's"


def test_the_generic_loader_predicts_calibrated_probabilities(scorer: Scorer, tmp_path: Path) -> None:
    scorer.save(tmp_path)
    frame = world(20, seed=3)
    assert (_load_pyfunc(str(tmp_path)).predict(frame) == scorer.score(frame)).all()
