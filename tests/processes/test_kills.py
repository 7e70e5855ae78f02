"""A day killed at every verb, one process after the other, ends like a day that nobody disturbed."""

from __future__ import annotations

import shutil
import signal
from typing import TYPE_CHECKING

import pytest
from days import DONE, content, exports, registry
from small_world import Small

if TYPE_CHECKING:
    from pathlib import Path

    from days import Calm
    from forks import Forks

pytestmark = [pytest.mark.spark, pytest.mark.slow]
CROWD = Small(listeners=2_700, days=12, plays_per_day=0.5)  # the least of which a thousand may be exported


@pytest.fixture
def every(request: pytest.FixtureRequest) -> str:
    return "every" if request.config.getoption("--every-kill") else ""


def chain(forks: Forks, lake: Path, *args: str) -> list[str]:
    """Run processes until one comes through; return the points at which the others died."""
    deaths = lake.with_name("deaths")
    while (status := forks.run("days:day", lake, *args[:3], deaths, *args[3:])) == -signal.SIGKILL:
        pass
    assert status >= DONE, forks.log.read_text()[-3000:]
    return deaths.read_text().splitlines()


def test_intake_and_every_job_killed_at_every_verb(forks: Forks, calm: Calm, every: str, tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    died = chain(forks, lake, *calm.args, every)
    assert len(died) > 60
    assert content(lake) == content(calm.lake)
    assert forks.run("days:day", lake, *calm.args) == DONE, "and now there is nothing left to do"


@pytest.mark.parametrize(
    ("small", "done", "stop", "least"),
    [
        pytest.param(Small(), "examples", "approve", 10, id="training and approval"),
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
