"""What is asked of training, and what came of it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date

    from ray_tune.models.model import Model

TRAINED, ADOPTED, NOTHING, SKIPPED = "trained", "adopted", "nothing to do", "skipped"


@dataclass(frozen=True)
class Order:
    """What is to be trained: the model, the last date it may see, and the settings that its fingerprint covers (not the author)."""

    model: Model
    as_of: date
    trials: int = 4
    seed: int = 7
    author: str = "overtone"
    cpus: int = 0  # 0: all of this machine

    @property
    def processors(self) -> int:
        """Trials at a time."""
        return self.cpus or os.cpu_count() or 1


@dataclass(frozen=True)
class Training:
    """What came of an order, in one sentence and in names to look it up by; version and gate are empty where nothing was trained."""

    state: str
    sentence: str
    fingerprint: str = ""
    run_id: str = ""
    version: str = ""
    gate: str = ""
    reason: str = ""

    @property
    def changed(self) -> bool:
        """Whether anything was published."""
        return self.state in (TRAINED, ADOPTED)
