"""LightGBM: boost under watch, fit once more on all it may learn from, calibrate on the days after."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import lightgbm as lgb
import numpy as np

from ray_tune.calibrate import fit as calibrate
from ray_tune.examples import Part
from ray_tune.scorer import Scorer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ray_tune.examples import Encoded
    from ray_tune.models.model import Model, Setting

Report = Callable[[int, float], None]


def boost(model: Model, params: Mapping[str, Setting], data: Encoded, report: Report, seed: int, threads: int = 1) -> None:
    """Boost on the train part; every `report_every` rounds call `report(rounds, auc)` with the ranking of the valid part."""
    settings = parameters(model, params, seed, threads) | {"metric": "auc"}
    learnt = dataset(model, data.train, settings)
    watched = lgb.Dataset(data.valid.matrix, data.valid.labels, reference=learnt, params=settings)

    def watch(env: lgb.callback.CallbackEnv) -> None:
        rounds = env.iteration + 1
        if rounds % model.report_every == 0 and env.evaluation_result_list:
            report(rounds, env.evaluation_result_list[0][2])

    lgb.train(settings, learnt, model.rounds, valid_sets=[watched], callbacks=[watch])


def fit(model: Model, params: Mapping[str, Setting], rounds: int, data: Encoded, seed: int, threads: int) -> Scorer:
    """Boost `rounds` on train and valid together, calibrate on the later days, and return the scorer (no version yet)."""
    settings = parameters(model, params, seed, threads)
    both = Part(np.concatenate([data.train.matrix, data.valid.matrix]), np.concatenate([data.train.labels, data.valid.labels]))
    booster = lgb.train(settings, dataset(model, both, settings), rounds)
    raw = np.asarray(booster.predict(data.calibrate.matrix, raw_score=True, num_threads=threads))
    calibrator = calibrate(raw, data.calibrate.labels, model.isotonic_from)
    return Scorer(model.name, "", model.columns, data.categories, calibrator, booster.model_to_string())


def dataset(model: Model, part: Part, settings: Mapping[str, Setting]) -> lgb.Dataset:
    """Return LightGBM's binned form of a part."""
    places = [model.columns.index(name) for name in model.categories]
    return lgb.Dataset(part.matrix, part.labels, feature_name=list(model.columns), categorical_feature=places, params=dict(settings))


def parameters(model: Model, params: Mapping[str, Setting], seed: int, threads: int) -> dict[str, Setting]:
    """Return LightGBM's parameters of one training; equal arguments give an equal booster for any number of threads."""
    return {**model.fixed, **params, "seed": seed, "num_threads": threads, "verbosity": -1}
