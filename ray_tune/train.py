"""LightGBM on top of main effects: boost under watch, calibrate on later days, then learn from those too."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import lightgbm as lgb

from ray_tune import effects
from ray_tune.calibrate import IDENTITY
from ray_tune.calibrate import fit as calibrate
from ray_tune.scorer import Scorer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ray_tune.effects import Effects
    from ray_tune.examples import Encoded, Part
    from ray_tune.models.model import Model, Setting

Report = Callable[[int, float], None]


def boost(model: Model, params: Mapping[str, Setting], data: Encoded, base: Effects, report: Report, seed: int) -> None:
    """Boost on the train part from its main effects, on one processor.

    Every `report_every` rounds it calls `report(rounds, auc)` with the ranking of the valid part.
    """
    settings = parameters(model, params, seed, threads=1) | {"metric": "auc"}
    learnt = dataset(model, data.train, settings, base)
    begins = base(data.valid.matrix)
    watched = lgb.Dataset(data.valid.matrix, data.valid.labels, reference=learnt, init_score=begins, params=settings)

    def watch(env: lgb.callback.CallbackEnv) -> None:
        rounds = env.iteration + 1
        if rounds % model.report_every == 0 and env.evaluation_result_list:
            report(rounds, env.evaluation_result_list[0][2])

    lgb.train(settings, learnt, model.rounds, valid_sets=[watched], callbacks=[watch])


def fit(model: Model, params: Mapping[str, Setting], rounds: int, data: Encoded, seed: int, threads: int) -> Scorer:
    """Boost `rounds` on train and valid together, calibrate on the later days, boost once more on all, and return the scorer.

    It has no version yet. The calibrator is learned on days that its booster did not see; these days then teach too.
    """
    settings = parameters(model, params, seed, threads)

    def boosted(part: Part) -> Scorer:
        base = main_effects(model, data, part)
        booster = lgb.train(settings, dataset(model, part, settings, base), rounds)
        return Scorer(model.name, "", model.columns, data.categories, IDENTITY, booster.model_to_string(), base)

    with ThreadPoolExecutor(2) as pool:
        judged, taught = pool.map(boosted, (data.early, data.whole))
    raw = judged.raw(data.calibrate.matrix, threads)
    return replace(taught, calibrator=calibrate(raw, data.calibrate.labels, model.isotonic_from))


def main_effects(model: Model, data: Encoded, part: Part) -> Effects:
    """Return the main effects of the model's inputs on a part's labels."""
    return effects.fit(part.matrix, part.labels, [len(data.categories.get(name, ())) for name in model.columns])


def dataset(model: Model, part: Part, settings: Mapping[str, Setting], base: Effects) -> lgb.Dataset:
    """Return LightGBM's binned form of a part, each row starting from its main effects."""
    places = [model.columns.index(name) for name in model.categories]
    names = list(model.columns)
    begins = base(part.matrix)
    return lgb.Dataset(part.matrix, part.labels, init_score=begins, feature_name=names, categorical_feature=places, params=dict(settings))


def parameters(model: Model, params: Mapping[str, Setting], seed: int, threads: int) -> dict[str, Setting]:
    """Return LightGBM's parameters of one training; equal arguments give an equal booster for any number of threads."""
    return {**model.fixed, **params, "seed": seed, "num_threads": threads, "verbosity": -1}
