"""A training's numbers as plain values and pictures, as they are kept with its run."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from ray_tune.explain import calibration_curve, driver_bars, gain_curve

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date
    from pathlib import Path

    from ray_tune.assess import Assessment
    from ray_tune.examples import Examples
    from ray_tune.explain import Driver
    from ray_tune.models.model import Model, Parts
    from ray_tune.scorer import Scorer
    from ray_tune.search import Trial


@dataclass(frozen=True)
class Report:
    """All that is told of one training. `head` says which it was: model, as_of, fingerprint, author, seed, sources."""

    head: Mapping[str, object]
    split: Mapping[str, Mapping[str, object]]
    trials: Sequence[Trial]
    scorer: Scorer
    assessment: Assessment
    drivers: Sequence[Driver]

    def summary(self) -> dict[str, Any]:
        """Return plain values: metrics, calibration curve, gain curve, drivers, trials (best first), gate, split."""
        found = self.assessment
        checks = [{"rule": c.rule, "success": c.success, "observed": c.observed, "expected": c.expected} for c in found.verdict.checks]
        return {
            **self.head,
            "metrics": {name: asdict(one) for name, one in found.metrics.items()},
            "calibration": [asdict(one) for one in found.bins],
            "gains": [list(point) for point in found.gains],
            "drivers": [asdict(one) for one in self.drivers],
            "trials": [asdict(one) for one in self.trials],
            "calibrator": self.scorer.calibrator.kind,
            "gate": {"passed": found.verdict.success, "reason": found.reason, "champion": found.champion, "checks": checks},
            "split": {name: dict(part) for name, part in self.split.items()},
        }

    def write(self, folder: Path) -> None:
        """Write summary.json and three pictures into a folder."""
        (folder / "summary.json").write_text(json.dumps(self.summary(), indent=1), encoding="utf-8")
        name = self.scorer.model
        pictures = {
            "calibration.png": calibration_curve(self.assessment.bins, name),
            "drivers.png": driver_bars(self.drivers, name),
            "gains.png": gain_curve(self.assessment.gains, name),
        }
        for file, figure in pictures.items():
            figure.savefig(folder / file, dpi=110)


def split(examples: Examples, parts: Parts) -> dict[str, dict[str, object]]:
    """Return, a part of the split, its dates and how many rows, positives and listeners it has."""
    return {name: _part(examples, dates) for name, dates in asdict(parts).items()}


def _part(examples: Examples, dates: tuple[date, ...]) -> dict[str, object]:
    rows = examples.of(dates)
    size = {"rows": len(rows.labels), "positives": rows.positives, "listeners": int(rows.listeners.max(initial=-1)) + 1}
    return {"first": dates[0].isoformat(), "last": dates[-1].isoformat(), **size}


def example(model: Model, examples: Examples, categories: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """Return three rows of a model's input for its documentation: quartiles of each number, so that nobody's own row is kept."""
    rows: dict[str, Any] = {}
    for name in model.features:
        rows[name] = examples.frame[name].to_pandas().astype("float64").quantile([0.25, 0.5, 0.75]).fillna(0.0).to_numpy()
    for name in model.categories:
        known = list(categories[name]) or [""]
        rows[name] = [known[place % len(known)] for place in range(3)]
    return pd.DataFrame(rows)
