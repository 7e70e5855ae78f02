"""Searches for hyperparameters on rows made up here, and prints every trial as JSON: [OBJECTIVE]."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from jobs.console import guarded
from ray_tune.examples import Encoded, Part
from ray_tune.models import MODELS
from ray_tune.search import search

if TYPE_CHECKING:
    from ray_tune.models import Model

TRIALS, SEED, NODES = 4, 3, 2
# Three reports a trial: the search stops none of them early, so what it finds depends on nobody's speed.
MODEL = replace(MODELS["response"], features=("plays_7d", "skip_rate_28d"), categories=("slot",), rounds=600, report_every=200)


def model(objective: str = "") -> Model:
    """Return the model that is searched for; an objective that LightGBM does not know makes every trial fail."""
    return replace(MODEL, fixed={**MODEL.fixed, "objective": objective}) if objective else MODEL


def data() -> Encoded:
    """Rows enough that a trial takes seconds."""
    rng, rows = np.random.default_rng(1), 50_000
    matrix = np.column_stack([rng.normal(size=(rows, 2)), rng.integers(3, size=rows)]).astype(np.float32)
    labels = (rng.random(rows) < 1 / (1 + np.exp(1 - matrix[:, 0] - matrix[:, 2]))).astype(float)
    return Encoded({"slot": ["a", "b", "c"]}, Part(matrix, labels), (30_000, 40_000))


def find() -> None:
    """Search, and print what was found."""
    found = search(model(*sys.argv[1:]), data(), TRIALS, SEED, NODES)
    sys.stdout.write(json.dumps([[dict(one.params), one.auc, one.rounds, one.boosted] for one in found]) + "\n")


if __name__ == "__main__":
    sys.exit(guarded(find))
