"""What the tests of real processes share: a server of forks, and a small day that nobody disturbed."""

from __future__ import annotations

import fcntl
import os
import shutil
from typing import TYPE_CHECKING

import pytest
from days import DONE, Calm
from forks import Forks
from small_world import Small

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pyspark.sql import SparkSession


def pytest_addoption(parser: pytest.Parser) -> None:
    what = "kill a day before, within and after every verb (else before each and within some), and try every loss and disk"
    parser.addoption("--every-kill", action="store_true", help=what)


# Files that begin, the longest first: what takes long and began last would end alone.
LONG = ("kills_of_delivery", "cluster_spark", "change", "kills_of_upkeep", "kills_of_intake", "two_at_once", "cluster_ray")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    order = {f"test_{name}.py": place for place, name in enumerate(LONG)}
    items.sort(key=lambda one: order.get(one.path.name, len(LONG)))
    if config.getoption("--every-kill"):
        return
    left = [one for one in items if one.get_closest_marker("every")]
    config.hook.pytest_deselected(items=left)
    items[:] = [one for one in items if one not in left]


@pytest.fixture(scope="session")
def key(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The key that all lakes use: pseudonyms are the same in each."""
    file = tmp_path_factory.mktemp("key") / "key"
    file.write_bytes(bytes(range(32)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OVERTONE_KEY_FILE", str(file))
        yield


@pytest.fixture(scope="session")
def forks(spark: SparkSession, key: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    """The server."""
    with Forks(spark, tmp_path_factory.mktemp("forks") / "log") as server:
        yield server


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """Return a folder that the first of a test run's processes fills and the others wait for."""
    shared = factory.getbasetemp().parent if "PYTEST_XDIST_WORKER" in os.environ else factory.getbasetemp()
    folder = shared / f"once-{name}"
    with (shared / f"once-{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "made").exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            (folder / "made").touch()
    return folder


@pytest.fixture(scope="session")
def calm(forks: Forks, tmp_path_factory: pytest.TempPathFactory) -> Calm:
    """A feed, its lake after intake, and that lake after all jobs."""
    small = Small(listeners=60, days=4)
    clock = small.clock.isoformat()

    def make(folder: Path) -> None:
        feed = small.feed(folder)
        assert forks.run("days:take", folder / "taken", feed, clock) > DONE, forks.log.read_text()[-3000:]
        shutil.copytree(folder / "taken", folder / "lake")
        assert forks.run("days:day", folder / "lake", feed, clock, "examples") > DONE, forks.log.read_text()[-3000:]

    folder = once(tmp_path_factory, "calm", make)
    return Calm(folder / "feed", folder / "lake", clock)


@pytest.fixture(scope="session")
def crowd(forks: Forks, tmp_path_factory: pytest.TempPathFactory) -> Calm:
    """Listeners and days so many that a model is trained and a thousand may be exported: a feed, and its lake after all jobs."""
    small = Small(listeners=2_500, days=12, plays_per_day=0.5)
    clock = small.clock.isoformat()

    def make(folder: Path) -> None:
        assert forks.run("days:compiled", folder / "lake", small.feed(folder), clock, "examples") > DONE, forks.log.read_text()[-3000:]

    folder = once(tmp_path_factory, "crowd", make)
    return Calm(folder / "feed", folder / "lake", clock)


@pytest.fixture(scope="session")
def delivered(forks: Forks, crowd: Calm, tmp_path_factory: pytest.TempPathFactory) -> Calm:
    """The crowd's day to its end, a model, audiences and exports; and beside it the lake as it was once the model was approved."""

    def make(folder: Path) -> None:
        shutil.copytree(crowd.lake, folder / "lake")
        assert forks.run("days:day", folder / "lake", *crowd.args[:2], "approve") > DONE, forks.log.read_text()[-3000:]
        shutil.copytree(folder / "lake", folder / "approved")
        assert forks.run("days:day", folder / "lake", *crowd.args[:2], "") > DONE, forks.log.read_text()[-3000:]

    return Calm(crowd.feed, once(tmp_path_factory, "delivered", make) / "lake", crowd.clock)


@pytest.fixture(scope="session")
def every(request: pytest.FixtureRequest) -> str:
    """What `days:day` is told to die at every verb."""
    return "every" if request.config.getoption("--every-kill") else ""
