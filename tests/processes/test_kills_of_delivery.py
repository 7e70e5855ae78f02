"""Training, approval, audiences and exports killed at every verb: they end like a day that nobody disturbed."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from days import DONE, chain, content, exports, registry
from mlflow import MlflowClient
from mortal import VERBS

if TYPE_CHECKING:
    from pathlib import Path

    from days import Calm
    from forks import Forks

pytestmark = [pytest.mark.spark, pytest.mark.slow]


def test_what_follows_examples_killed_at_every_verb(forks: Forks, crowd: Calm, delivered: Calm, every: str, tmp_path: Path) -> None:
    calm, lake = delivered.lake, tmp_path / "lake"
    args = (*crowd.args[:2], "")
    shutil.copytree(crowd.lake, lake)
    died = chain(forks, lake, *args, every)
    trained = next(n for n, point in enumerate(died) if "targeting.scores" in point)
    assert trained >= 5
    assert len(died) - trained >= 35
    for verbs in (VERBS[MlflowClient], ("exchange targeting.members",), ("replace #",)):
        assert any(f" {verb}" in point for verb in verbs for point in died)
    assert content(lake) == content(calm)
    assert registry(lake) == registry(calm)
    assert exports(lake) == exports(calm) != {}
    assert forks.run("days:day", lake, *args) == DONE
