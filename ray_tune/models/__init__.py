"""Models, records only: `MODELS` lists every model there is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import yaml

from ray_tune.models.response import RESPONSE
from validation.contract import did_you_mean
from validation.verdict import WrongUse

if TYPE_CHECKING:
    from ray_tune.models.model import Model

MODELS: dict[str, Model] = {model.name: model for model in (RESPONSE,)}


def model(name: str) -> Model:
    """Return the model called `name`; a wrong name raises `WrongUse` with the nearest right one."""
    if name not in MODELS:
        raise WrongUse(f"unknown model {name!r}{did_you_mean(name, MODELS)}")
    return MODELS[name]


def declaration() -> str:
    """Return every model as YAML: the content of mlflow/models.yaml."""
    return yaml.safe_dump({"models": [one.record() for one in MODELS.values()]}, sort_keys=False, width=120)
