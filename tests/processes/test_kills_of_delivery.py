"""Training, approval, audiences and exports killed at every verb: they end like a day that nobody disturbed."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from days import DONE, chain, content, exports, registry
from small_world import Small

if TYPE_CHECKING:
    from pathlib import Path

    from forks import Forks

pytestmark = [pytest.mark.spark, pytest.mark.slow]
CROWD = Small(listeners=2_700, days=12, plays_per_day=0.5)  # the least of which a thousand may be exported


@pytest.mark.parametrize(
    ("small", "done", "stop", "least"),
    [
        pytest.param(Small(), "examples", "approve", 5, id="training and approval"),
        pytest.param(CROWD, "approve", "", 35, id="audiences and exports"),
    ],
)
def test_what_follows_killed_at_every_verb(  # noqa: PLR0913, PLR0917
    small: Small, done: str, stop: str, least: int, forks: Forks, every: str, tmp_path: Path
) -> None:
    args = (str(small.feed(tmp_path)), small.clock.isoformat())
    calm, lake = tmp_path / "calm", tmp_path / "lake"
    assert forks.run("days:day", calm, *args, done) > DONE, forks.log.read_text()[-3000:]
    for path in tmp_path.glob("calm*"):
        shutil.copytree(path, path.with_name(path.name.replace("calm", "lake")))
    assert forks.run("days:day", calm, *args, stop) > DONE, forks.log.read_text()[-3000:]
    died = chain(forks, lake, *args, stop, every)
    assert len(died) >= least
    assert content(lake) == content(calm)
    assert registry(lake) == registry(calm)
    assert exports(lake) == exports(calm)
    assert bool(exports(lake)) == (not stop)
    assert forks.run("days:day", lake, *args, stop) == DONE
