"""A day killed at every verb, one process after the other, ends like a day that nobody disturbed."""

from __future__ import annotations

import json
import os
import shutil
import signal
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from forks import Forks
from mortal import mortal
from small_world import Small

from jobs.catalogue import TABLES
from jobs.lake.address import Address
from jobs.lake.arrow import ArrowLake
from jobs.lake.spark import SparkLake
from ray_tune.registry import client
from targeting.command import demo

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyspark.sql import SparkSession

pytestmark = [pytest.mark.spark, pytest.mark.slow]
CAMPAIGNS = Path(__file__).parent.parent / "campaigns.yaml"
# What names a run or the moment it ran differs between two runs that say the same.
OF_THE_RUN = {"run", "run_id", "fingerprint", "refused_at", "audited_at", "trained_at", "decided_at", "dates"}
EVENTS, AUDIENCES = Small(listeners=60, days=4), Small(listeners=1_800, days=12, plays_per_day=0.5)


def day(lake: str, feed: str, clock: str, stop: str, *deaths: str) -> int:
    """Take the feed in and run the stages up to `stop`; with a file of deaths, die at the first verb that it does not hold."""
    for file in deaths:
        mortal(Path(file))
    setting = demo.Setting("native", Path(feed), "none", CAMPAIGNS, 0, 0, 0, datetime.fromisoformat(clock), trials=1)
    done, _ = demo.play(SparkLake(Address.parse(lake)), setting, stop=stop)
    return 100 + sum(result.changed for _, result, _ in done)


@pytest.fixture(scope="module")
def forks(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Forks]:
    folder = tmp_path_factory.mktemp("forks")
    (folder / "key").write_bytes(bytes(range(32)))
    os.environ["OVERTONE_KEY_FILE"] = str(folder / "key")
    with Forks(spark, folder / "log") as server:
        yield server
    del os.environ["OVERTONE_KEY_FILE"]


def content(place: Path) -> dict[str, list[str]]:
    """Return the rows of every table, sorted, without what names the run."""
    lake, found = ArrowLake(Address.parse(str(place))), {}
    for table in TABLES.values():
        names = [name for name in table.names if name not in OF_THE_RUN]
        found[table.name] = sorted(map(repr, lake.read(table, columns=names).to_pylist()))
    return found


def registry(place: Path) -> dict[str, Any]:
    """Return what the registry says of finished runs and versions, without ids and moments."""
    api, found = client(ArrowLake(Address.parse(str(place)))), {}
    for model in api.search_registered_models():
        versions = sorted(api.search_model_versions(f"name = '{model.name}'"), key=lambda one: int(one.version))
        found[model.name] = {"aliases": dict(model.aliases)}
        for one in versions:
            run = api.get_run(one.run_id)
            tags = {name: text for name, text in one.tags.items() if name != "fingerprint"}
            children = api.search_runs([run.info.experiment_id], f"tags.`mlflow.parentRunId` = '{one.run_id}'")
            trials = sorted(json.dumps([child.data.params, child.data.metrics], sort_keys=True) for child in children)
            files = sorted(file.path for file in api.list_artifacts(one.run_id))
            found[model.name][one.version] = [tags, run.info.status, run.data.params, run.data.metrics, trials, files]
    return found


def exports(place: Path) -> dict[str, Any]:
    """Return every exported file's bytes, and every manifest without its fingerprint of lineage."""
    folder = place.with_name(place.name + "-exports")
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def chain(forks: Forks, lake: Path, *args: str) -> list[str]:
    """Run processes until one comes through; return the points at which the others died."""
    deaths = lake.with_name("deaths")
    while (status := forks.run("test_kills:day", lake, *args, deaths)) == -signal.SIGKILL:
        pass
    assert status >= 100, forks.log.read_text()[-3000:]
    return deaths.read_text().splitlines()


def test_intake_and_every_job_killed_at_every_verb(forks: Forks, tmp_path: Path) -> None:
    feed = EVENTS.feed(tmp_path)
    args = (str(feed), EVENTS.clock.isoformat(), "examples")
    calm, lake = tmp_path / "calm", tmp_path / "lake"
    assert forks.run("test_kills:day", calm, *args) > 100
    died = chain(forks, lake, *args)
    assert len(died) > 100
    assert content(lake) == content(calm)
    assert forks.run("test_kills:day", lake, *args) == 100, "and now there is nothing left to do"


def test_training_approval_audiences_and_exports_killed_at_every_verb(forks: Forks, tmp_path: Path) -> None:
    feed = AUDIENCES.feed(tmp_path)
    args = (str(feed), AUDIENCES.clock.isoformat())
    calm, lake = tmp_path / "calm", tmp_path / "lake"
    assert forks.run("test_kills:day", calm, *args, "examples") > 100
    shutil.copytree(calm, lake)
    assert forks.run("test_kills:day", calm, *args, "") > 100
    died = chain(forks, lake, *args, "")
    assert len(died) > 50
    assert content(lake) == content(calm)
    assert registry(lake) == registry(calm)
    assert exports(lake) == exports(calm)
    assert exports(lake)
    assert forks.run("test_kills:day", lake, *args, "") == 100
