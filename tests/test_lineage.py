"""Lineage: planted events are found from counts alone, nothing depends on an order, and what did not change keeps its id."""

from __future__ import annotations

import math
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from targeting.binding import bound, news, number, sentence
from targeting.lineage import Flow, Lineage, agreement, follow, founded, kin, shift

if TYPE_CHECKING:
    from collections.abc import Sequence

NAMES = ("c1", "c2", "c3")
DAY = date(2026, 11, 9)


def flow(both: Sequence[Sequence[int]], gone: Sequence[int] = (), new: Sequence[int] = ()) -> Flow:
    """Counts of listeners who are there on both days; `gone` and `new` are those of one day alone."""
    found = np.array(both, dtype=np.int64)
    return Flow(found, found.sum(axis=1) + np.array(gone or [0] * len(both)), found.sum(axis=0) + np.array(new or [0] * found.shape[1]))


def followed(one: Flow, issued: int = 3) -> Lineage:
    return follow(one, np.zeros(one.both.shape), NAMES[: len(one.before)], issued)


def changes(found: Lineage) -> set[tuple[str, str, str | None]]:
    return {(event.cluster, event.kind, event.other) for event in found.events if event.kind != "survived"}


GONE = ("c2", "death", None)
# What is planted, the counts with a tenth of all labels wrong, the ids of today's clusters, and what has to be found.
PLANTED: list[tuple[str, Flow, tuple[str, ...], set[tuple[str, str, str | None]]]] = [
    ("nothing", flow([[900, 50, 50], [50, 900, 50], [50, 50, 900]]), ("c1", "c2", "c3"), set()),
    ("order", flow([[50, 900, 50], [50, 50, 900], [900, 50, 50]]), ("c3", "c1", "c2"), set()),
    ("split", flow([[540, 360, 50, 50], [30, 20, 900, 50], [30, 20, 50, 900]]), ("c1", "c4", "c2", "c3"), {("c4", "split", "c1")}),
    ("thirds", flow([[400, 300, 300], [0] * 3], gone=[0, 9]), ("c1", "c3", "c4"), {*(("c3", "split", "c1"), ("c4", "split", "c1")), GONE}),
    ("merge", flow([[950, 50], [950, 50], [100, 900]]), ("c1", "c3"), {("c2", "merge", "c1")}),
    ("a small one merges", flow([[950, 50], [90, 10], [100, 900]]), ("c1", "c3"), {("c2", "merge", "c1")}),
    ("birth", flow([[900, 50, 90], [50, 900, 90]], new=[0, 0, 400]), ("c1", "c2", "c3"), {("c3", "birth", None)}),
    ("birth beside one", flow([[900, 10, 80], [50, 900, 10]], new=[0, 0, 400]), ("c1", "c2", "c3"), {("c3", "birth", None)}),
    ("death", flow([[900, 50], [50, 900], [350, 300]], gone=[0, 0, 350]), ("c1", "c2"), {("c3", "death", "c1")}),
    ("all new", flow([[9], [0]], gone=[500, 9], new=[300]), ("c3",), {("c1", "death", "c3"), GONE, ("c3", "birth", None)}),
]  # fmt: skip


@pytest.mark.parametrize(("counts", "names", "events"), [one[1:] for one in PLANTED], ids=[one[0] for one in PLANTED])
def test_planted_events_are_found_and_no_others(counts: Flow, names: tuple[str, ...], events: set[tuple[str, str, str | None]]) -> None:
    found = followed(counts, len(counts.before))
    assert (found.names, changes(found)) == (names, events)
    assert found.issued == max(len(counts.before), *(number(name) for name in found.names))


def test_ids_are_never_given_again() -> None:
    assert followed(flow([[0, 400]], gone=[0], new=[600, 0]), issued=17).names == ("c18", "c1")


def test_of_equal_parts_the_one_whose_centre_is_nearer_inherits() -> None:
    counts = flow([[500, 500]])
    for alike, names in (([[0.9, 0.1]], ("c1", "c2")), ([[0.1, 0.9]], ("c2", "c1"))):
        assert follow(counts, np.array(alike), ("c1",), 1).names == names


def test_on_a_first_date_all_are_born_the_largest_first() -> None:
    found = founded(np.array([20, 70, 40]))
    assert (found.names, found.issued) == (("c3", "c1", "c2"), 3)
    assert changes(found) == {(name, "birth", None) for name in NAMES}


COUNTS = st.integers(1, 6).flatmap(
    lambda k: st.tuples(
        st.lists(st.lists(st.integers(0, 60), min_size=k, max_size=k), min_size=1, max_size=6),
        st.lists(st.integers(0, 40), min_size=6, max_size=6),
        st.lists(st.integers(0, 40), min_size=k, max_size=k),
        st.randoms(use_true_random=False),
    )
)


@given(COUNTS)
def test_every_cluster_has_one_fate_whatever_the_order_of_its_columns(drawn: Any) -> None:
    both, gone, new, random = drawn
    k, names = len(new), [f"c{n + 1}" for n in range(len(both))]
    one = flow(both, gone[: len(both)], new)
    found = follow(one, np.zeros((len(both), k)), names, 9)
    assert len(set(found.names)) == k
    told = [event.cluster for event in found.events]
    assert sorted(told) == sorted({*names, *found.names}), "one row a cluster, living or ended"
    for event in found.events:
        assert (event.cluster in found.names) == (event.kind in ("survived", "birth", "split"))
        assert event.share is None or 0 <= event.share <= 1
    related = kin(found, names)
    assert 0 <= agreement(one.both, related) <= 1
    assert shift(one, related) >= 0
    turn = random.sample(range(k), k)
    turned = follow(flow(np.array(both)[:, turn].tolist(), gone[: len(both)], [new[n] for n in turn]), np.zeros((len(both), k)), names, 9)
    survived = {event.cluster for event in found.events if event.kind == "survived"}
    again = {event.cluster for event in turned.events if event.kind == "survived"}
    assert len(again) == len(survived), "equal counts may change places, no more"


def test_agreement_counts_what_became_of_a_cluster_as_the_cluster() -> None:
    split, merged = followed(flow([[600, 400]]), 1), followed(flow([[500], [300]]), 2)
    assert agreement(np.array([[60, 40]]), kin(split, ["c1"])) == 1.0
    assert agreement(np.array([[50], [30]]), kin(merged, ["c1", "c2"])) == 1.0
    same = followed(flow([[90, 10], [20, 80]]), 2)
    assert agreement(np.array([[90, 10], [20, 80]]), kin(same, ["c1", "c2"])) == pytest.approx(170 / 200)
    assert agreement(np.zeros((1, 2), np.int64), kin(split, ["c1"])) == 0.0, "nobody unchanged is no agreement"


def test_the_shift_is_the_stability_index_of_what_continues() -> None:
    """By hand on two clusters; a split alone moves nothing; births and deaths are told as events, not as a shift."""
    moved = flow([[500, 100], [0, 400]])
    p, q = (0.6, 0.4), (0.5, 0.5)
    by_hand = sum((b - a) * math.log(b / a) for a, b in zip(p, q, strict=True))
    assert shift(moved, kin(followed(moved, 2), ["c1", "c2"])) == pytest.approx(by_hand)
    split = flow([[300, 200, 0], [0, 0, 500]])
    assert shift(split, kin(followed(split, 2), ["c1", "c2"])) == 0.0
    born = flow([[500, 0, 0], [0, 500, 0]], new=[0, 0, 900])
    assert shift(born, kin(followed(born, 2), ["c1", "c2"])) == 0.0
    fresh = flow([[0, 0]], gone=[500], new=[300, 200])
    assert shift(fresh, kin(followed(fresh, 1), ["c1"])) == math.inf


def event(cluster: str, kind: str, other: str | None = None, share: float | None = None, reason: str | None = None) -> dict[str, Any]:
    return {"date": DAY, "cluster": cluster, "event": kind, "other": other, "share": share, "reason": reason}


def test_events_are_told_in_words_once() -> None:
    assert news([event("c2", "birth"), event("c1", "birth")]) == [], "a first date is no news"
    kept = [
        event(f"c{n}", "kept", reason="the clusters of 2026-11-08 were kept: agreement is 0.9100, at least 0.95 is asked") for n in (1, 2)
    ]
    assert news(kept) == [kept[0]["reason"]]
    assert news([event("c10", "birth"), event("c9", "split", "c2", 0.384)]) == [
        "cluster c9 split off from c2 with 38% of its listeners",
        "cluster c10 is new",
    ]
    assert sentence(event("c3", "death")) == "cluster c3 ended"


def test_a_successor_that_ended_too_is_passed_over() -> None:
    rows = [event(name, "birth") for name in NAMES] + [event("c1", "merge", "c2", 0.7), event("c2", "merge", "c3", 0.8)]
    found = bound(("c1", "c3"), [{**row, "date": date(2026, 11, n // 4 + 1)} for n, row in enumerate(rows)], DAY)
    assert found.living == ("c3",)
    assert found.told[0].endswith("on 2026-11-01; name c3 to reach them")
    assert bound(("c8",), [], DAY).living == ("c8",), "a lake without a lineage takes clusters as they are named"
