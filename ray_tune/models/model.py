"""The record of a model: what it predicts from what, how it is searched, split, calibrated and judged."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from validation.contract import ContractError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from validation.contract import Table
    from validation.gates.promotion import Gate

Setting = str | int | float | bool


@dataclass(frozen=True)
class Range:
    """One searched parameter between `low` and `high`, both included; `start` is tried first."""

    name: str
    low: float
    high: float
    start: float
    log: bool = False
    integer: bool = False

    def __post_init__(self) -> None:
        if not self.low <= self.start <= self.high:
            raise ContractError(f"parameter {self.name}: start {self.start} lies outside {self.low}..{self.high}")


@dataclass(frozen=True)
class Parts:
    """Consecutive dates of a global time split, oldest part first."""

    train: tuple[date, ...]
    valid: tuple[date, ...]
    calibrate: tuple[date, ...]
    test: tuple[date, ...]


@dataclass(frozen=True)
class Split:
    """A global time split by shares of the dates: what is left of the newest dates trains. Each part has a date at least."""

    valid: float
    calibrate: float
    test: float
    minimum_dates: int

    def __post_init__(self) -> None:
        if min(self.valid, self.calibrate, self.test) <= 0 or self.valid + self.calibrate + self.test >= 1:
            raise ContractError(f"split {self}: shares are positive and leave some dates to train on")
        if self.minimum_dates <= sum(self._sizes(self.minimum_dates)):
            raise ContractError(f"split {self}: {self.minimum_dates} dates leave none to train on")

    def cut(self, dates: Sequence[date]) -> Parts:
        """Cut dates, in any order and with repetitions, into four parts that follow each other in time.

        Fewer than `minimum_dates` different dates raise `ContractError`.
        """
        known = tuple(sorted(set(dates)))
        if len(known) < self.minimum_dates:
            raise ContractError(f"{len(known)} dates cannot be split; {self.minimum_dates} are needed")
        valid, calibrate, test = self._sizes(len(known))
        ends = (len(known) - test - calibrate - valid, len(known) - test - calibrate, len(known) - test)
        return Parts(known[: ends[0]], known[ends[0] : ends[1]], known[ends[1] : ends[2]], known[ends[2] :])

    def _sizes(self, dates: int) -> tuple[int, int, int]:
        return math.ceil(self.valid * dates), math.ceil(self.calibrate * dates), math.ceil(self.test * dates)


@dataclass(frozen=True)
class Model:
    """A binary response model.

    `features` are read as numbers, `categories` as text with a list of known values. `fixed` are LightGBM parameters that
    hold in every trial. Rounds are boosted on top of the main effects up to `rounds`, measured every `report_every`. Platt's
    two parameters calibrate it, isotonic regression from `isotonic_from` positive examples on. It learns from about `most` examples:
    of more, those of a share of the listeners.
    """

    name: str
    meaning: str
    examples: Table
    label: str
    features: tuple[str, ...]
    categories: tuple[str, ...]
    fixed: Mapping[str, Setting]
    space: tuple[Range, ...]
    rounds: int
    report_every: int
    split: Split
    isotonic_from: int
    minimum_positives: int
    most: int
    gates: tuple[Gate, ...]

    def __post_init__(self) -> None:
        for name in (self.label, *self.columns):
            if name not in self.examples.by_name:
                raise ContractError(f"model {self.name}: {self.examples.name} has no column {name!r}")
        if set(self.fixed) & {one.name for one in self.space}:
            raise ContractError(f"model {self.name}: a parameter is both fixed and searched")

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the model's inputs in the booster's order: numbers first."""
        return (*self.features, *self.categories)

    def record(self) -> dict[str, Any]:
        """Return the model as plain values for YAML and JSON."""
        return {
            "name": self.name,
            "meaning": self.meaning,
            "examples": self.examples.name,
            "label": self.label,
            "features": list(self.features),
            "categories": list(self.categories),
            "fixed": dict(self.fixed),
            "space": [asdict(one) for one in self.space],
            "rounds": self.rounds,
            "report_every": self.report_every,
            "split": asdict(self.split),
            "isotonic_from": self.isotonic_from,
            "minimum_positives": self.minimum_positives,
            "most": self.most,
            "gates": [{"metric": g.key, "operator": g.operator, "bound": g.bound, "end": g.end} for g in self.gates if g.enabled],
        }
