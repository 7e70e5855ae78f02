"""Trains a model once: decides whether there is anything to do before anything heavy is imported.

train(lake, Order(MODELS["response"], as_of, trials=4, author="Ada Lovelace"))      # from Python
python -m ray_tune response --as-of 2026-11-09 --trials 4                           # the same
"""

from __future__ import annotations

import json
import logging
import time
from contextlib import nullcontext
from importlib.metadata import version as installed
from typing import TYPE_CHECKING

from jobs.console import note
from jobs.contracts.silver import SILVER_LISTENERS
from jobs.fingerprint import code_of, fingerprint
from jobs.journal import tell
from jobs.lake.alone import alone
from jobs.lake.still import StillLake
from ray_tune.ledger import trained
from ray_tune.models import MODELS
from ray_tune.order import NOTHING, SKIPPED, Order, Training

if TYPE_CHECKING:
    from datetime import date

    from jobs.lake.arrow import ArrowLake
    from ray_tune.models.model import Model


def train_response(lake: ArrowLake, as_of: date, *, trials: int = 4, author: str = "overtone", seed: int = 7) -> Training:
    """Bring the ad-response model up to date with the examples known by the end of `as_of`."""
    return train(lake, Order(MODELS["response"], as_of, trials, seed, author))


def train(lake: ArrowLake, order: Order) -> Training:
    """Bring a model up to date: nothing to do, adopt what was cut short, skip for want of data, or train.

    A challenger that fails its gate is kept and told; it is no error. Two at once train one after the other, and the second finds
    nothing to do; in an object store, which has no locks, each makes a version.
    """
    name, still = order.model.name, StillLake(lake)  # what is published meanwhile is the next training's
    missing = _missing(still, order.model, order.as_of)
    if missing:
        return Training(SKIPPED, f"{name}: {missing}; nothing was trained")
    mark = identity(still, order)
    done = _done(lake, name, mark)
    if done:
        return done

    def waiting() -> None:
        note(f"{name}: another training of this lake is running; waiting for its end")

    with alone(lake.address.path, waiting) if lake.address.path else nullcontext():
        return _done(lake, name, mark) or _train(lake, still, order, mark)


def _done(lake: ArrowLake, name: str, mark: str) -> Training | None:
    row = trained(lake, name, mark)
    if row is None:
        return None
    sentence = f"{name}: nothing to do, version {row['version']} was made of these examples, settings and code"
    return Training(NOTHING, sentence, mark, row["run_id"], row["version"], row["gate"], row["reason"])


def _train(lake: ArrowLake, still: ArrowLake, order: Order, mark: str) -> Training:
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # without a home it says at length that it made do
    # MLflow, Ray and LightGBM take seconds to import: only an order that has something to do pays for them.
    from ray_tune.challenge import challenge

    started = time.monotonic()
    made = challenge(lake, still, order, mark)
    told = {"state": made.state, "mlflow_run": made.run_id or None, "model_version": made.version or None, "gate": made.gate or None}
    tell("trained", name=order.model.name, dates=str(order.as_of), batch=mark, **told, seconds=round(time.monotonic() - started, 1))
    return made


def identity(lake: ArrowLake, order: Order) -> str:
    """Return the fingerprint of an order: its data files, settings, the code and LightGBM's version."""
    stored, allowed = lake.marks(order.model.examples), lake.marks(SILVER_LISTENERS)
    until = order.as_of.isoformat()
    marks = [stored[day] for day in sorted(stored) if day <= until]
    settings = json.dumps(order.model.record(), sort_keys=True), str(order.trials), str(order.seed), until
    return fingerprint((*settings, code_of(__name__), installed("lightgbm"), *marks, allowed.get(until, "")))


def _missing(lake: ArrowLake, model: Model, as_of: date) -> str:
    known = [day for day in lake.files(model.examples) if day and day <= as_of.isoformat()]
    if not known:
        return f"no ad log: {model.examples.name} holds no examples up to {as_of}"
    if as_of.isoformat() not in lake.files(SILVER_LISTENERS):
        return f"{SILVER_LISTENERS.name} does not say for {as_of} who may be profiled"
    return ""
