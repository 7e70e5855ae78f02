"""What is handed to the registry, and what it hands back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from pathlib import Path

    import pandas as pd

    from ray_tune.scorer import Scorer
    from validation.gates.promotion import Estimate


@dataclass(frozen=True)
class Source:
    """A table the model was trained on, at the version read."""

    table: str
    uri: str
    version: int


@dataclass(frozen=True)
class Record:
    """A finished training, as it is logged. `tags` holds gate, reason, author, as_of and fingerprint."""

    scorer: Scorer
    params: Mapping[str, object]
    metrics: Mapping[str, Estimate]
    tags: Mapping[str, str]
    started: datetime
    sources: tuple[Source, ...]
    trials: tuple[tuple[Mapping[str, object], Mapping[str, float]], ...]
    artifacts: Path  # a folder: summary.json and pictures
    example: pd.DataFrame


@dataclass(frozen=True)
class Version:
    """A registered version and what its run says of it."""

    model: str
    version: str
    run_id: str
    tags: Mapping[str, str]
