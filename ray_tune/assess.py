"""Is a trained model good enough: measured on the newest days, against the champion and against the base rate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ray_tune.metrics import estimates, gains, reliability
from validation.gates.promotion import promotion

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ray_tune.examples import Examples
    from ray_tune.metrics import Bin
    from ray_tune.models.model import Model
    from ray_tune.scorer import Scorer
    from validation.gates.promotion import Estimate
    from validation.verdict import Verdict

BASE, CHAMPION = "base", "champion"


@dataclass(frozen=True)
class Assessment:
    """A model's metrics with intervals over listeners, its curves on the test days, and the verdict of its gates."""

    metrics: Mapping[str, Estimate]
    bins: tuple[Bin, ...]
    gains: tuple[tuple[float, float], ...]
    verdict: Verdict
    champion: str | None

    @property
    def gate(self) -> str:
        """The word that stands in the registry: passed or failed."""
        return "passed" if self.verdict.success else "failed"

    @property
    def reason(self) -> str:
        """Say in one sentence what was measured and which gates it missed."""
        auc, entropy = self.metrics["auc"], self.metrics["normalised_entropy"]
        ranking = f"AUC {auc.value:.3f} [{auc.low:.3f}, {auc.high:.3f}]"
        rival = f"against champion version {self.champion}" if self.champion else "without a champion to compare with"
        seen = f"{ranking}, normalised entropy {entropy.value:.3f}, {self.verdict.rows:,} test rows, {rival}"
        missed = "; ".join(f"{check.rule} (observed {check.observed})" for check in self.verdict.failures)
        return f"{seen}: failed {missed}" if missed else f"{seen}: {len(self.verdict.checks)} gates passed"


def assess(model: Model, scorer: Scorer, test: Examples, base_rate: float, champion: Scorer | None, rng: np.random.Generator) -> Assessment:
    """Measure the scorer on the test examples and ask the model's gates.

    A champion that needs an input which these examples lack cannot be compared and counts as absent.
    """
    scores = scorer.score(test.frame, threads=1)
    rivals = {BASE: np.full(len(scores), base_rate)}
    comparable = champion if champion is not None and set(champion.features) <= set(test.frame.column_names) else None
    if comparable is not None:
        rivals[CHAMPION] = comparable.score(test.frame, threads=1)
    found = estimates(test.labels, scores, rivals, test.listeners, rng)
    verdict = promotion(model.name, model.gates, found, rows=len(scores), without=() if comparable else (CHAMPION,))
    curves = reliability(test.labels, scores), gains(test.labels, scores)
    return Assessment(found, *curves, verdict, comparable.version if comparable else None)
