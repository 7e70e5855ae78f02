"""What the tests of real processes share: a server of forks, and a small day that nobody disturbed."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

import pytest
from days import DONE, Calm
from forks import Forks
from small_world import Small

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyspark.sql import SparkSession


def pytest_addoption(parser: pytest.Parser) -> None:
    what = "kill a day before, within and after every verb (else before each and within some), and try every loss and disk"
    parser.addoption("--every-kill", action="store_true", help=what)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--every-kill"):
        return
    left = [one for one in items if one.get_closest_marker("every")]
    config.hook.pytest_deselected(items=left)
    items[:] = [one for one in items if one not in left]


@pytest.fixture(scope="session")
def forks(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    """The server, with a key that all lakes use."""
    folder = tmp_path_factory.mktemp("forks")
    (folder / "key").write_bytes(bytes(range(32)))
    os.environ["OVERTONE_KEY_FILE"] = str(folder / "key")
    with Forks(spark, folder / "log") as server:
        yield server
    del os.environ["OVERTONE_KEY_FILE"]


@pytest.fixture(scope="session")
def calm(forks: Forks, tmp_path_factory: pytest.TempPathFactory) -> Calm:
    """A feed, its lake after intake, and that lake after all jobs."""
    folder, small = tmp_path_factory.mktemp("calm"), Small(listeners=60, days=4)
    feed, clock = small.feed(folder), small.clock.isoformat()
    assert forks.run("days:take", folder / "taken", feed, clock) > DONE, forks.log.read_text()[-3000:]
    shutil.copytree(folder / "taken", folder / "lake")
    assert forks.run("days:day", folder / "lake", feed, clock, "examples") > DONE, forks.log.read_text()[-3000:]
    return Calm(feed, folder / "taken", folder / "lake", clock)


@pytest.fixture(scope="session")
def every(request: pytest.FixtureRequest) -> str:
    """What `days:day` is told to die at every verb."""
    return "every" if request.config.getoption("--every-kill") else ""
