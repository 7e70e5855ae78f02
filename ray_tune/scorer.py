"""A trained model as it serves: booster, main effects, lists of known categories and calibrator in one value, text all through.

    scorer = registry.champion(lake, "response")
    probabilities = scorer.score(frame)          # pyarrow or pandas; columns in any order

It needs neither MLflow nor Ray, and pickles as its JSON, so that Spark's executors can carry it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import lightgbm as lgb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ray_tune.calibrate import Calibrator
from ray_tune.effects import Effects
from validation.contract import did_you_mean
from validation.verdict import WrongUse

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

Floats = NDArray[np.float64]
Matrix = NDArray[np.float32]
BOOSTER, REST = "booster.txt", "scorer.json"


@dataclass(frozen=True)
class Scorer:
    """A booster with what it takes to use it rightly.

    `features` are all inputs in the booster's order. `categories` holds, for those that are text, the values seen in
    training in the order of their codes: LightGBM stores codes alone, and any other order gives wrong scores in silence.
    """

    model: str
    version: str
    features: tuple[str, ...]
    categories: dict[str, list[str]]
    calibrator: Calibrator
    booster: str
    effects: Effects = Effects()

    def score(self, frame: pa.Table | pd.DataFrame, threads: int = 0) -> Floats:
        """Return calibrated probabilities of shape (rows,); a missing column raises `WrongUse`.

        Values of a category that training did not know, and nulls, count as missing. 0 threads are LightGBM's default.
        """
        return self.calibrator(self.raw(encode(frame, self.features, self.categories), threads))

    def raw(self, matrix: Matrix, threads: int = 0) -> Floats:
        """Return log-odds of shape (rows,) for an encoded matrix: the main effects and what the trees add to them."""
        if not len(matrix):
            return np.empty(0)
        trees = np.asarray(self.native.predict(matrix, raw_score=True, num_threads=threads), dtype=np.float64)
        return np.asarray(self.effects(matrix) + trees)

    def contributions(self, matrix: Matrix, threads: int = 0) -> Floats:
        """Return each input's SHAP value in log-odds, shape (rows, features): its main effect and what the trees add."""
        trees = np.asarray(self.native.predict(matrix, pred_contrib=True, num_threads=threads))
        return np.asarray(self.effects.each(matrix) + trees[:, :-1])

    @cached_property
    def native(self) -> lgb.Booster:
        """LightGBM's own booster, parsed once."""
        return lgb.Booster(model_str=self.booster)

    def to_json(self) -> str:
        """Return the whole scorer as JSON text."""
        return json.dumps(self._rest() | {"booster": self.booster})

    @classmethod
    def from_json(cls, text: str) -> Scorer:
        """Read what `to_json` wrote."""
        raw = json.loads(text)
        calibrator = Calibrator.of(raw["calibrator"])
        # A version registered before there were main effects has none.
        effects = Effects.of(raw["effects"]) if "effects" in raw else Effects()
        return cls(raw["model"], raw["version"], tuple(raw["features"]), raw["categories"], calibrator, raw["booster"], effects)

    def save(self, folder: Path) -> None:
        """Write two text files: LightGBM's native format, and the rest as JSON."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / BOOSTER).write_text(self.booster, encoding="utf-8")
        (folder / REST).write_text(json.dumps(self._rest(), indent=1), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, version: str) -> Scorer:
        """Read what `save` wrote, as a version of the registry."""
        rest = json.loads((folder / REST).read_text(encoding="utf-8"))
        booster = (folder / BOOSTER).read_text(encoding="utf-8")
        return cls.from_json(json.dumps(rest | {"version": version, "booster": booster}))

    def _rest(self) -> dict[str, Any]:
        names = {"model": self.model, "version": self.version, "features": list(self.features)}
        return names | {"categories": self.categories, "calibrator": self.calibrator.record(), "effects": self.effects.record()}

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return Scorer.from_json, (self.to_json(),)


def encode(frame: pa.Table | pd.DataFrame, features: Sequence[str], categories: Mapping[str, Sequence[str]]) -> Matrix:
    """Return a matrix of shape (rows, features): numbers as they are, text as its place in the list, all else NaN."""
    known = frame.column_names if isinstance(frame, pa.Table) else list(frame.columns)
    for name in features:
        if name not in known:
            raise WrongUse(f"the frame to score has no column {name!r}{did_you_mean(name, known)}")
    if not isinstance(frame, pa.Table):
        frame = pa.Table.from_pandas(frame[list(features)], preserve_index=False)
    matrix = np.empty((frame.num_rows, len(features)), dtype=np.float32)
    for place, name in enumerate(features):
        matrix[:, place] = _codes(frame[name], categories[name]) if name in categories else _numbers(frame[name])
    return matrix


def _numbers(column: pa.ChunkedArray) -> Matrix:
    return np.asarray(column.cast(pa.float32(), safe=False).to_numpy(), dtype=np.float32)


def _codes(column: pa.ChunkedArray, values: Sequence[str]) -> Matrix:
    places = pc.index_in(column.cast(pa.string()), value_set=pa.array(values, pa.string()))
    return _numbers(places)


class Calibrated:
    """What MLflow's generic loader hands out: `predict` gives calibrated probabilities, not the booster's raw ones."""

    def __init__(self, scorer: Scorer) -> None:
        self.scorer = scorer

    def predict(self, frame: pd.DataFrame) -> Floats:
        """Return probabilities of shape (rows,)."""
        return self.scorer.score(frame)


def _load_pyfunc(path: str) -> Calibrated:
    return Calibrated(Scorer.load(Path(path), version=""))
