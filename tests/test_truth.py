"""The programs of `make truth` on a world small enough for every test run: they measure, and what is exact is exact."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import communities
import contexts
import fans
import intake
import leaks
import listeners
import numpy as np
import pytest
import response
import taste
from worlds import Size

from jobs.lake.address import Address
from jobs.lake.spark import SparkLake

if TYPE_CHECKING:
    from pyspark.sql import SparkSession
    from results import Row

FEW = Path("infra/campaigns-small.yaml")  # its audiences are built of few listeners
SMALL = Size(listeners=1_400, days=14, seeds=(5,), campaigns=FEW, tracks=600)


@pytest.fixture(scope="module")
def rows(compiling: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Row]:
    """Every row that the programs return for one small world, by id."""
    size = replace(SMALL, folder=tmp_path_factory.mktemp("truth"))
    planted = (intake.defects, leaks.leaks, contexts.effects)
    programs = (*planted, listeners.features, listeners.audiences, response.ranking, response.calibration)
    return {one.id: one for program in programs for one in program(size)}


@pytest.mark.slow
@pytest.mark.spark
@pytest.mark.ray
@pytest.mark.parametrize(
    "name", ["intake_defects", "features_twice", "features_direct", "audience_not_agreed", "leaks_honest", "leaks_others"]
)
def test_what_must_be_exact_is_exact_on_a_small_world(rows: dict[str, Row], name: str) -> None:
    assert (rows[name].value, rows[name].holds) == (0.0, True)


@pytest.mark.slow
def test_every_planted_leak_is_listed(rows: dict[str, Row]) -> None:
    assert (rows["leaks_caught"].value, rows["leaks_caught"].holds) == (1.0, True)


@pytest.mark.slow
def test_audiences_of_the_small_world_have_members_to_be_exact_about(rows: dict[str, Row]) -> None:
    assert (rows["audience_members"].value or 0) > 0


@pytest.mark.slow
def test_most_effects_are_found_even_there_and_none_is_invented(rows: dict[str, Row]) -> None:
    assert (rows["effects_found"].value or 0) >= 10
    assert rows["effects_invented"].value == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", ["response_auc_share", "response_out_of_reach", "response_calibration"])
def test_what_is_estimated_has_an_interval_around_it(rows: dict[str, Row], name: str) -> None:
    one = rows[name]
    assert one.value is not None
    assert one.low is not None
    assert one.high is not None
    assert all(math.isfinite(number) for number in (one.low, one.value, one.high))
    assert one.low <= one.value <= one.high
    assert one.seeds == SMALL.seeds


def test_planted_communities_are_found_again_on_a_small_graph() -> None:
    found = communities.of_graph(5, nodes=2_000, groups=8)
    assert found["communities_ami"].value > 0.9
    assert found["communities_warm_ari"].value >= found["communities_warm_ari"].value - found["communities_warm_over_cold"].value
    assert all(one.low <= one.value <= one.high for one in found.values())


@pytest.mark.slow
@pytest.mark.spark
def test_planted_hazards_and_shares_lie_in_most_intervals_of_small_worlds(compiling: SparkSession) -> None:
    error, covered = fans.hazard(compiling, np.random.default_rng(5), 30)
    assert error.low < 0.02
    assert covered.high > 0.9
    error, covered = fans.top_share(compiling, np.random.default_rng(5), 12)
    assert error.low < 0.02
    assert covered.high > 0.85


@pytest.mark.slow
@pytest.mark.spark
def test_few_plays_make_nobody_a_specialist_and_nobody_narrow(compiling: SparkSession, tmp_path: Path) -> None:
    found = taste.of_worlds(SparkLake(Address.parse(str(tmp_path / "lake"))), np.random.default_rng(5), 60)
    assert found["gs_null"].low < 0.02
    assert found["gs_specialists"].high > 0.9
    assert found["entropy_bias"].low < 0.5
    assert all(one.low <= one.high for one in found.values())
