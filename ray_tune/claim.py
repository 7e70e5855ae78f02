"""What a model would have claimed for itself on other features of the same examples: trained and judged the same way, on the same days."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ray_tune.examples import encoded
from ray_tune.metrics import estimates
from ray_tune.train import fit
from validation.verdict import OvertoneError

if TYPE_CHECKING:
    from ray_tune.examples import Examples
    from ray_tune.models.model import Model
    from validation.gates.promotion import Estimate

SEED = 1


@dataclass(frozen=True)
class Claim:
    """AUC on the newest days, with intervals over listeners: of the examples as they are, of the others, and how far these lie above."""

    honest: Estimate
    claimed: Estimate
    gap: Estimate
    rows: int


def claim(model: Model, honest: Examples, other: Examples) -> Claim:
    """Train the model's middle setting, without a search, on either and judge it on the test days; the rows must be the same ones."""
    if len(honest.labels) != len(other.labels) or not np.array_equal(honest.labels, other.labels):
        raise OvertoneError(f"{len(honest.labels):,} examples cannot be compared with {len(other.labels):,} others: they are not the same")
    if len(honest.dates) < model.split.minimum_dates or honest.positives < model.minimum_positives:
        wanted = f"{model.minimum_positives} on {model.split.minimum_dates} dates are needed"
        raise OvertoneError(f"{honest.positives:,} positive examples on {len(honest.dates)} dates are too few to train on ({wanted})")
    test = honest.of(model.split.cut(honest.dates).test)
    scores = {"honest": _scores(model, honest), "claimed": _scores(model, other)}
    rng = np.random.default_rng(SEED)
    alone = estimates(test.labels, scores["honest"], {}, test.listeners, rng)
    beside = estimates(test.labels, scores["claimed"], {"honest": scores["honest"]}, test.listeners, rng)
    return Claim(alone["auc"], beside["auc"], beside["auc_minus_honest"], len(test.labels))


def _scores(model: Model, examples: Examples) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    parts = model.split.cut(examples.dates)
    middle = {one.name: int(one.start) if one.integer else one.start for one in model.space}
    scorer = fit(model, middle, model.rounds, encoded(examples, model, parts), SEED, threads=1)
    return scorer.score(examples.of(parts.test).frame, threads=1)
