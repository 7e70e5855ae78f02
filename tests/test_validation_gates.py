"""Gates: each passes and fails for its own reason, and says which number did it."""

from __future__ import annotations

import math

import pytest

from validation.contract import ContractError
from validation.gates.promotion import Estimate, Gate, evaluate, promotion
from validation.gates.release import release
from validation.gates.stability import AGREEMENT, SHIFT, STEADINESS, stability
from validation.verdict import OvertoneError

GATES = (
    Gate("auc", ">=", 0.01, versus="base", end="high"),
    Gate("auc", ">=", -0.005, versus="champion"),
    Gate("calibration_ratio", ">=", 0.9),
    Gate("calibration_ratio", "<=", 1.1),
)
GOOD = {
    "auc_minus_base": Estimate(0.08, 0.06, 0.10),
    "auc_minus_champion": Estimate(0.001, -0.004, 0.006),
    "calibration_ratio": Estimate(1.02, 0.97, 1.07),
}


def failed(metrics: dict[str, Estimate], gates: tuple[Gate, ...] = GATES) -> list[str]:
    return [check.rule for check in evaluate(gates, metrics) if not check.success]


def test_a_good_challenger_passes_every_gate() -> None:
    verdict = promotion("response", GATES, GOOD, rows=50_000)
    assert verdict.success
    assert len(verdict.checks) == 4
    assert verdict.checks[0].observed == "0.08 [0.06, 0.1]"
    assert "4 checks passed on 50,000 rows" in verdict.sentence()


@pytest.mark.parametrize(
    ("metric", "estimate", "rule"),
    [
        ("auc_minus_base", Estimate(0.002, -0.004, 0.009), "high of auc_minus_base >= 0.01"),
        ("auc_minus_champion", Estimate(-0.02, -0.03, -0.01), "auc_minus_champion >= -0.005"),
        ("calibration_ratio", Estimate(0.8, 0.75, 0.85), "calibration_ratio >= 0.9"),
        ("calibration_ratio", Estimate(1.3, 1.2, 1.4), "calibration_ratio <= 1.1"),
    ],
)
def test_each_gate_fails_alone_and_is_named(metric: str, estimate: Estimate, rule: str) -> None:
    assert failed(GOOD | {metric: estimate}) == [rule]


def test_the_upper_end_is_what_is_asked_of_the_gain() -> None:
    assert failed(GOOD | {"auc_minus_base": Estimate(0.002, -0.008, 0.012)}) == []


@pytest.mark.parametrize(("sign", "at_bound"), [(">=", True), (">", False), ("<=", True), ("<", False)])
def test_the_bound_itself(sign: str, at_bound: bool) -> None:
    (check,) = evaluate((Gate("auc", sign, 0.5),), {"auc": Estimate(0.5)})
    assert check.success is at_bound
    assert (check.observed, check.expected) == ("0.5", f"{sign} 0.5")


def test_a_metric_that_is_no_number_fails() -> None:
    assert failed({"auc": Estimate(math.nan)}, (Gate("auc", ">=", 0.5), Gate("auc", "<=", 0.5))) == ["auc >= 0.5", "auc <= 0.5"]


def test_the_first_model_has_no_champion_to_beat() -> None:
    metrics = {name: estimate for name, estimate in GOOD.items() if name != "auc_minus_champion"}
    checks = evaluate(GATES, metrics, without=("champion",))
    assert [check.observed for check in checks if "champion" in check.rule] == ["there is no champion"]
    assert all(check.success for check in checks)
    with pytest.raises(OvertoneError, match="auc_minus_champion' was not measured"):
        evaluate(GATES, metrics)


def test_a_disabled_gate_asks_nothing() -> None:
    assert evaluate((Gate("nobody_measured_it", ">=", 1, enabled=False),), {}) == ()


def test_an_unknown_metric_gets_the_nearest_name() -> None:
    with pytest.raises(OvertoneError, match="did you mean 'calibration_ratio'"):
        evaluate((Gate("calibration_ration", ">=", 0.9),), GOOD)


def test_a_gate_on_an_interval_needs_one() -> None:
    with pytest.raises(OvertoneError, match="without its high end"):
        evaluate((Gate("auc", ">=", 0.5, end="high"),), {"auc": Estimate(0.7)})


@pytest.mark.parametrize(("wrong", "message"), [({"operator": "=>"}, "unknown operator '=>'"), ({"end": "upper"}, "unknown end 'upper'")])
def test_a_gate_must_make_sense(wrong: dict[str, str], message: str) -> None:
    with pytest.raises(ContractError, match=message):
        Gate(**({"metric": "auc", "operator": ">=", "bound": 0.5} | wrong))


def test_an_audience_in_order_is_released() -> None:
    verdict = release("coffee", listeners=1_234, minimum=1_000, bases={"feed", "file"}, without_consent=0)
    assert verdict.success
    assert verdict.rows == 1_230
    assert verdict.checks[0].observed == "1,230"


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"listeners": 999}, "minimum_size"),
        ({"bases": {"feed", "assume"}}, "consent_basis"),
        ({"bases": {"hearsay"}}, "consent_basis"),
        ({"without_consent": 1}, "all_consented"),
    ],
)
def test_each_reason_against_a_release_is_named(change: dict[str, object], rule: str) -> None:
    values: dict[str, object] = {"listeners": 1_000, "minimum": 1_000, "bases": {"file"}, "without_consent": 0}
    assert release("coffee", **values).success
    assert [check.rule for check in release("coffee", **(values | change)).failures] == [rule]


def test_a_size_below_the_minimum_is_not_told() -> None:
    verdict = release("coffee", listeners=417, minimum=1_000, bases={"feed"}, without_consent=3)
    assert "417" not in repr(verdict)
    assert verdict.rows == 0


@pytest.mark.parametrize("change", [{"listeners": -1}, {"minimum": 0}, {"without_consent": 11}, {"without_consent": -1}])
def test_numbers_that_contradict_each_other_are_refused(change: dict[str, int]) -> None:
    with pytest.raises(OvertoneError, match="do not make sense"):
        release("coffee", **({"listeners": 10, "minimum": 5, "bases": {"feed"}, "without_consent": 0} | change))


STEADY = {"agreement": AGREEMENT, "shift": math.nextafter(SHIFT, 0), "steadiness": STEADINESS}


def test_clusters_at_the_limits_are_stable() -> None:
    verdict = stability("clusters", listeners=100, **STEADY)
    assert verdict.success
    assert (AGREEMENT, SHIFT, STEADINESS) == (0.95, 0.2, 0.8)


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"agreement": 0.9499}, "agreement"),
        ({"agreement": math.nan}, "agreement"),
        ({"shift": SHIFT}, "size_shift"),
        ({"shift": math.inf}, "size_shift"),
        ({"steadiness": 0.79}, "steadiness"),
    ],
)
def test_each_reason_to_keep_the_old_clusters_is_named(change: dict[str, float], rule: str) -> None:
    verdict = stability("clusters", listeners=100, **STEADY | change)
    assert [check.rule for check in verdict.failures] == [rule]
