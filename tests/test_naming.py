"""Names and lifts: against numpy on drawn listeners; an interval of 95 % covers as often as it says."""

from __future__ import annotations

import numpy as np
import pytest

from jobs.features import USER
from targeting.naming import AVERAGE, FEATURES, WORDS, Compared, names
from targeting.profiles import MEANING, compared, described, pooled
from validation.gates.release import GRAIN


def moments(values: np.ndarray) -> tuple[int, float, float]:
    return len(values), float(values.mean()), float(values.var())


def above(feature: str, z: float = 1.0) -> Compared:
    return Compared(feature, z, 1.5, 1.4, 1.6) if z > 0 else Compared(feature, z, 0.5, 0.4, 0.6)


def test_names_are_made_of_what_stands_out_most() -> None:
    found = names(
        {
            "c1": [above("night_share_28d", 1.2), above("share_jazz_28d", 2.0), above("car_share_28d", 0.4)],
            "c2": [above("hours_28d", -0.8), above("share_rock_28d", -1.9)],
            "c3": [above("share_pop_28d", 0.2), Compared("share_rap_28d", 0.9, 1.1, 0.9, 1.3), Compared("likes_28d", 0.9)],
            "c4": [above("share_rnb_28d"), above("mean_energy_28d", -0.5)],
        }
    )
    assert found == {"c1": "night listeners of jazz", "c2": "light listeners", "c3": AVERAGE, "c4": "listeners of r&b and calm music"}


def test_two_that_would_be_called_the_same_are_told_apart_if_they_can_be() -> None:
    same = [above("night_share_28d", 2.0), above("share_jazz_28d", 1.9)]
    found = names({"c1": same, "c2": [*same, above("car_share_28d", 0.7)], "c3": [above("share_jazz_28d", 2.0)]})
    assert found == {"c1": "night listeners of jazz", "c2": "night in-car listeners of jazz", "c3": "listeners of jazz"}


def test_every_clustered_feature_is_declared_and_has_words() -> None:
    assert set(FEATURES) <= {feature.name for feature in USER} & set(MEANING)
    assert all(more and not more.startswith("of listeners") for more, _ in WORDS.values())
    used = [word for pair in WORDS.values() for word in pair if word]
    assert len(set(used)) == len(used)
    assert not {"sad", "melancholic", "lonely"} & {part for word in used for part in word.split()}, "no word for how somebody feels"


def test_a_feature_is_compared_with_everybodys_mean() -> None:
    rng = np.random.default_rng(1)
    own, rest = rng.gamma(2, 3, 200), rng.gamma(2, 2, 700)
    everybody = np.concatenate([own, rest])
    whole = pooled([moments(own), moments(rest)])
    assert whole == pytest.approx(moments(everybody))
    found = compared("hours_28d", moments(own), whole)
    assert found.z == pytest.approx((own.mean() - everybody.mean()) / everybody.std())
    assert found.lift == pytest.approx(own.mean() / everybody.mean())
    assert found.certain
    assert compared("hours_28d", (5, 0.0, 0.0), (9, 0.0, 0.0)) == Compared("hours_28d", 0.0), "nobody has any: there is no ratio"
    assert compared("hours_28d", moments(own), moments(own)).lift == 1.0, "a cluster of all is like all"


def test_the_interval_of_a_lift_covers_the_truth_as_often_as_it_says() -> None:
    """2,000 worlds of which both means are known: 19 in 20 intervals hold the true ratio."""
    rng, truth = np.random.default_rng(2), 6 / (0.25 * 6 + 0.75 * 4)
    hits = 0
    for _ in range(2_000):
        own, rest = moments(rng.gamma(2, 3, 150)), moments(rng.gamma(2, 2, 450))
        found = compared("hours_28d", own, pooled([own, rest]))
        hits += found.low is not None and found.high is not None and found.low <= truth <= found.high
    assert 0.935 <= hits / 2_000 <= 0.965


def test_a_group_of_a_few_counts_among_all_but_is_not_described() -> None:
    few = {"listeners": (GRAIN - 1, 1.0, 0.0), "hours_28d": (GRAIN - 1, 9.0, 0.0)}
    many = {"listeners": (50, 1.0, 0.0), "hours_28d": (40, 1.0, 0.5)}
    (row,) = described({"c2": few, "c1": many})
    assert (row["cluster"], row["listeners"], row["mean"]) == ("c1", 50, 1.0)
    assert row["lift"] == pytest.approx(1 / ((9 * 9 + 40) / 49))
    assert row["label"] == "less: hours heard"
