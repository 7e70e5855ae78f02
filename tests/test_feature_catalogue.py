"""The catalogue of features: every feature with its meaning, of how many it is known, and whether its distribution moved."""

from __future__ import annotations

import json
import math
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_lake import DAY, put, who

from jobs.contracts.derived import USER_FEATURES
from jobs.features import FAMILIES, USER
from jobs.lake.address import Address
from jobs.lake.arrow import ArrowLake
from jobs.moments.portrait import PORTRAIT
from targeting.__main__ import main
from targeting.feature_catalogue import DRIFTED, catalogue, compared_with, page, stability

if TYPE_CHECKING:
    from pathlib import Path

WEEK = timedelta(days=7)
EVERY = (*USER, *PORTRAIT)


def listener(n: int, **values: object) -> dict[str, object]:
    return {"listener_id": who(n), "plays_90d": n, **values}


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> ArrowLake:
    """A week apart: as many plays, longer hours, and a skip rate that is unknown of a quarter."""
    found = ArrowLake(Address.parse(str(tmp_path_factory.mktemp("features") / "lake")))
    for day, more in ((DAY - WEEK - timedelta(days=3), 0), (DAY - WEEK, 0), (DAY, 30)):
        rows = [listener(n, date=day, hours_28d=float(n + more), skip_rate_28d=None if n % 4 == 0 else 0.5) for n in range(40)]
        put(found, USER_FEATURES, rows, day)
    return found


def test_every_feature_stands_in_it_with_what_its_column_says(lake: ArrowLake) -> None:
    entries = catalogue(lake, DAY)
    assert [one.name for one in entries] == [feature.name for feature in EVERY]
    for one, feature in zip(entries, EVERY, strict=True):
        assert feature.meaning.startswith(one.meaning)
        assert (one.dtype, one.days, one.purpose) == (feature.dtype, feature.days, str(feature.purpose))


def test_what_is_unknown_and_what_moved_is_told(lake: ArrowLake) -> None:
    found = {one.name: one for one in catalogue(lake, DAY)}
    assert compared_with(lake, DAY) == DAY - WEEK
    assert (found["skip_rate_28d"].unknown, found["plays_90d"].unknown, found["mean_valence_28d"].unknown) == (0.25, 0, 1)
    assert (found["plays_90d"].drift, found["skip_rate_28d"].drift, found["mean_valence_28d"].drift) == (0, 0, 0)
    assert [one.name for one in found.values() if one.drifted] == ["hours_28d"]


def test_of_few_listeners_and_without_an_earlier_date_nothing_is_said(tmp_path: Path) -> None:
    few = ArrowLake(Address.parse(str(tmp_path / "lake")))
    put(few, USER_FEATURES, [listener(n, date=DAY) for n in range(9)], DAY)
    assert {(one.unknown, one.drift) for one in catalogue(few, DAY)} == {(None, None)}
    put(few, USER_FEATURES, [listener(n, date=DAY) for n in range(10)], DAY)
    assert {one.drift for one in catalogue(few, DAY)} == {None}
    assert None not in {one.unknown for one in catalogue(few, DAY) if one.family in FAMILIES}
    assert "There is no earlier date to compare with." in page(few, DAY)


def test_the_page_names_each_feature_and_marks_what_drifts(lake: ArrowLake) -> None:
    text = page(lake, DAY)
    assert all(f"<code>{feature.name}</code>" in text for feature in EVERY)
    assert text.count("drifts</span>") == 1
    assert "http" not in text


def test_the_command_lists_a_family(lake: ArrowLake, capsys: pytest.CaptureFixture[str]) -> None:
    main(["features", "list", "--family", "listening", "--lake", str(lake.address.path)])
    said = capsys.readouterr().out
    assert "share of plays skipped" in said
    assert "share_pop" not in said
    main(["features", "list", "--json", "--lake", str(lake.address.path)])
    assert [one["name"] for one in json.loads(capsys.readouterr().out)] == [feature.name for feature in EVERY]
    with pytest.raises(SystemExit) as end:
        main(["features", "list", "--date", "2026-11-01", "--lake", str(lake.address.path)])
    assert end.value.code == 2
    assert "no listener features of 2026-11-01 are published; there are some of 2026-10-30 to 2026-11-09" in capsys.readouterr().err


def test_the_index_is_that_of_the_definition() -> None:
    """Deciles of ten values in equal numbers against the same shifted by one, half a listener added to each; none is unknown."""
    reference, current = np.repeat(np.arange(10.0), 100), np.repeat(np.arange(1.0, 11.0), 100)
    then = np.array([100.5] * 10 + [0.5]) / 1005.5
    now = np.array([0.5] + [100.5] * 8 + [200.5] + [0.5]) / 1005.5
    assert stability(reference, current) == pytest.approx(float(((now - then) * np.log(now / then)).sum()), rel=1e-9)


@given(st.lists(st.floats(-5, 5) | st.just(math.nan), min_size=1, max_size=60))
def test_a_sample_does_not_differ_from_itself_and_never_less(values: list[float]) -> None:
    sample = np.array(values)
    assert stability(sample, sample) == pytest.approx(0, abs=1e-12)
    assert stability(sample, sample + 1) >= 0
    assert stability(sample, np.full(400, np.nan)) >= (0 if np.isnan(sample).mean() > 0.5 else DRIFTED)
