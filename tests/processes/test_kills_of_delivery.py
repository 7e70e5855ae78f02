"""Training, approval, audiences and exports killed at every verb: they end like a day that nobody disturbed."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import days
import pytest
from days import DONE, chain, content, exports, registry
from mlflow import MlflowClient
from mortal import VERBS

from targeting import clusters

if TYPE_CHECKING:
    from pathlib import Path

    from days import Calm
    from forks import Forks

pytestmark = [pytest.mark.spark, pytest.mark.slow]


DAY = "test_kills_of_delivery:day"


def day(*args: str) -> int:
    """A day whose clusters begin at one place, not at the best of three: they die alike, and sooner."""
    clusters.SEEDS = clusters.SEEDS[:1]
    return days.day(*args)


def test_what_follows_examples_killed_at_every_verb(forks: Forks, crowd: Calm, every: str, tmp_path: Path) -> None:
    calm, lake = tmp_path / "calm", tmp_path / "lake"
    args = (*crowd.args[:2], "")
    for place in (calm, lake):
        shutil.copytree(crowd.lake, place)
    assert forks.run(DAY, calm, *args) > DONE, forks.log.read_text()[-3000:]
    died = chain(forks, lake, *args, every, call=DAY)
    trained = next(n for n, point in enumerate(died) if "targeting.scores" in point)
    assert trained >= 5
    assert len(died) - trained >= 35
    for verbs in (VERBS[MlflowClient], ("exchange targeting.members",), ("replace #",)):
        assert any(f" {verb}" in point for verb in verbs for point in died)
    assert content(lake) == content(calm)
    assert registry(lake) == registry(calm)
    assert exports(lake) == exports(calm) != {}
    assert forks.run(DAY, lake, *args) == DONE
