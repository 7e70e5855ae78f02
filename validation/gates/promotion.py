"""May a model be promoted: gates as data, asked of measured metrics with their intervals.

Gate("auc", ">=", 0.01, versus="base", end="high")      # fails once the gain over the base rate is surely below 0.01
Gate("auc", ">=", -0.005, versus="champion")            # at most 0.005 worse than the champion
Gate("calibration_ratio", "<=", 1.1)                    # predicted over observed clicks
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from validation.contract import ContractError, did_you_mean
from validation.verdict import Check, OvertoneError, Verdict

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

OPERATORS = {">=": operator.ge, ">": operator.gt, "<=": operator.le, "<": operator.lt}
ENDS = ("value", "low", "high")


@dataclass(frozen=True)
class Estimate:
    """A measured metric with its 95 % interval, in the metric's own unit; an end that was not measured is None."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Gate:
    """`metric` (or, with `versus`, how far it lies above that rival's) must stand to `bound` as `operator` says.

    `end` is the part of the estimate that must do so. A comparison is an estimate of its own, the paired difference
    `auc_minus_base`, because two intervals of single models say little about their difference.
    """

    metric: str
    operator: str
    bound: float
    versus: str = ""
    end: str = "value"
    enabled: bool = True

    def __post_init__(self) -> None:
        if self.operator not in OPERATORS:
            raise ContractError(f"gate on {self.metric}: unknown operator {self.operator!r}; choose from {', '.join(OPERATORS)}")
        if self.end not in ENDS:
            raise ContractError(f"gate on {self.metric}: unknown end {self.end!r}; choose from {', '.join(ENDS)}")

    @property
    def key(self) -> str:
        """Name of the estimate that is asked."""
        return f"{self.metric}_minus_{self.versus}" if self.versus else self.metric

    @property
    def name(self) -> str:
        """What the gate is called in a verdict."""
        return (
            f"{self.key} {self.operator} {self.bound:g}"
            if self.end == "value"
            else f"{self.end} of {self.key} {self.operator} {self.bound:g}"
        )


def evaluate(gates: Sequence[Gate], metrics: Mapping[str, Estimate], *, without: Collection[str] = ()) -> tuple[Check, ...]:
    """Ask every enabled gate and return one check each; a metric that was not measured raises `OvertoneError`.

    `without` names rivals that do not exist (the first model has no champion): gates against them have nothing to ask and
    pass. A metric that is not a number fails its gate.
    """
    return tuple(_check(gate, metrics, without) for gate in gates if gate.enabled)


def promotion(model: str, gates: Sequence[Gate], metrics: Mapping[str, Estimate], *, rows: int, without: Collection[str] = ()) -> Verdict:
    """Return whether a model passes its gates, as a verdict; `rows` is the number of examples the metrics were measured on."""
    return Verdict(model, evaluate(gates, metrics, without=without), rows)


def _check(gate: Gate, metrics: Mapping[str, Estimate], without: Collection[str]) -> Check:
    expected = f"{gate.operator} {gate.bound:g}"
    if gate.versus and gate.versus in without:
        return Check(gate.name, success=True, observed=f"there is no {gate.versus}", expected=expected)
    if gate.key not in metrics:
        raise OvertoneError(f"gate {gate.name}: the metric {gate.key!r} was not measured{did_you_mean(gate.key, metrics)}")
    estimate = metrics[gate.key]
    asked: float | None = getattr(estimate, gate.end)
    if asked is None:
        raise OvertoneError(f"gate {gate.name}: the metric {gate.key!r} was measured without its {gate.end} end; estimate an interval")
    return Check(gate.name, success=bool(OPERATORS[gate.operator](asked, gate.bound)), observed=_shown(estimate), expected=expected)


def _shown(estimate: Estimate) -> str:
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.4g}"
    return f"{estimate.value:.4g} [{estimate.low:.4g}, {estimate.high:.4g}]"
