"""A date's model from that of the date before, on planted worlds: all that happened is found, and where nothing did nothing is."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest
from lineage import DAYS, EVENTFUL, FEATURES, Planted, other_seed

from targeting.centres import nearest
from targeting.clusters import MOST
from targeting.refresh import Model, Sample, refresh

DAY = date(2026, 11, 9)


def followed(world: Planted) -> list[list[dict[str, Any]]]:
    """Return the model's rows of each day; listeners are told apart by their place."""
    model, was, found = None, np.full(world.people, ""), []
    for n in range(DAYS):
        here, raw = world.segments(n) >= 0, world.features(n)
        rows = refresh(DAY + timedelta(days=n), Sample(raw[here], was[here].tolist(), {}), FEATURES, model, MOST)
        model = Model.of(rows, FEATURES)
        assert model is not None
        was = np.where(here, np.array(model.names)[nearest(model.scale.points(raw), model.scale.points(model.centres))], "")
        found.append(rows)
    return found


def changes(rows: list[dict[str, Any]]) -> list[str]:
    return sorted(row["event"] for row in rows if row["event"] != "survived")


@pytest.mark.parametrize("seed", range(3))
def test_every_planted_event_is_found_and_no_other(seed: int) -> None:
    found = followed(Planted(seed, 2_000))
    assert [changes(rows) for rows in found] == [["birth"] * 6, [], [], ["birth", "death", "merge", "split"]]
    assert {row["issued"] for row in found[EVENTFUL]} == {8}
    assert all(row["reason"] is None for rows in found for row in rows)


@pytest.mark.parametrize("seed", range(3))
def test_a_world_without_an_event_reports_none(seed: int) -> None:
    found = followed(Planted(seed, 2_000, eventful=False))
    assert [changes(rows) for rows in found[1:]] == [[]] * (DAYS - 1)
    assert {row["cluster"] for rows in found for row in rows} == {f"c{n}" for n in range(1, 7)}


def test_another_seed_changes_numbers_but_no_ids() -> None:
    agreed, plain = other_seed(Planted(3, 1_000))
    assert agreed.low > 0.99
    assert plain < 0.9


def test_listeners_who_all_change_places_keep_the_old_clusters_and_say_why() -> None:
    """The same groups, other people in them: agreement falls, and nothing of the new clusters is published."""
    world = Planted(1, 2_000, eventful=False)
    raw = world.features(0)
    first = refresh(DAY, Sample(raw, [""] * len(raw), {}), FEATURES, None, MOST)
    model = Model.of(first, FEATURES)
    assert model is not None
    strangers = Sample(raw, np.random.default_rng(0).permutation([model.names[n % 6] for n in range(len(raw))]).tolist(), {})
    kept = refresh(DAY + timedelta(days=1), strangers, FEATURES, model, MOST)
    assert {row["event"] for row in kept} == {"kept"}
    assert all(row["reason"].startswith("the clusters of 2026-11-09 were kept: agreement is 0") for row in kept)
    assert [row["centre"] for row in kept] == [row["centre"] for row in sorted(first, key=lambda row: row["cluster"])]
    assert {row["fitted"] for row in kept} == {DAY}


def test_a_feature_that_yesterday_did_not_know_is_at_its_mean() -> None:
    world = Planted(2, 500, eventful=False)
    raw = world.features(0)
    rows = refresh(DAY, Sample(raw, [""] * 500, {}), FEATURES, None, MOST)
    fewer = [{**row, **{name: row[name][1:] for name in ("features", "centre", "mean", "sd")}} for row in rows]
    old, new = Model.of(fewer, FEATURES), Model.of(rows, FEATURES)
    assert old is not None
    assert new is not None
    assert not old.scale.points(old.centres)[:, 0].any()
    assert old.centres[:, 1:] == pytest.approx(new.centres[:, 1:])
    assert Model.of([], FEATURES) is None
