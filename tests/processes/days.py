"""A day, and what is left of it: the functions that real processes run, and what two of their lakes are compared by."""

from __future__ import annotations

import json
import signal
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mortal import mortal
from tuning import COMPILED

from jobs.catalogue import TABLES
from jobs.ingest import ingest
from jobs.lake import session
from jobs.lake.address import Address
from jobs.lake.arrow import ArrowLake
from jobs.lake.spark import SparkLake
from ray_tune.registry import client
from targeting.command import demo

if TYPE_CHECKING:
    from collections.abc import Collection

    from forks import Forks

CAMPAIGNS = Path(__file__).parent.parent / "campaigns.yaml"
# What names a run or the moment it ran differs between two runs that say the same.
OF_THE_RUN = {"run", "run_id", "fingerprint", "refused_at", "audited_at", "trained_at", "decided_at", "dates"}
DONE = 100  # an exit status from here on: a day that came through, plus the stages that changed anything


@dataclass(frozen=True)
class Calm:
    """A day that nobody disturbed: its feed, the lake after all jobs, and the moment of intake."""

    feed: Path
    lake: Path
    clock: str

    @property
    def taken(self) -> Path:
        """The lake as it was after intake; the fixture `calm` keeps it."""
        return self.lake.with_name("taken")

    @property
    def approved(self) -> Path:
        """The lake as it was once its model was approved; the fixture `delivered` keeps it."""
        return self.lake.with_name("approved")

    @property
    def last(self) -> date:
        """The last day of its events, four before its clock."""
        return datetime.fromisoformat(self.clock).date() - timedelta(days=4)

    @property
    def args(self) -> tuple[str, str, str]:
        """What `day` needs besides a lake."""
        return str(self.feed), self.clock, "examples"


def take(lake: str, feed: str, clock: str) -> int:
    """Take the feed in and no more."""
    return DONE + ingest(SparkLake(Address.parse(lake)), "native", [feed], clock=datetime.fromisoformat(clock)).changed


def day(lake: str, feed: str, clock: str, stop: str, deaths: str = "", every: str = "") -> int:
    """Take the feed in and run the stages up to `stop`; with a file of deaths, die at the first verb that it does not hold."""
    if deaths:
        mortal(Path(deaths), every=bool(every))
    setting = demo.Setting("native", Path(feed), "none", CAMPAIGNS, datetime.fromisoformat(clock), trials=1)
    done, _ = demo.play(SparkLake(Address.parse(lake)), setting, stop=stop)
    return DONE + sum(result.changed for _, result, _ in done)


def compiled(*args: str) -> int:
    """A day of many rows: worth compiling queries for, which the tests' Spark does not do by itself."""
    spark = session.start()
    for name, value in COMPILED.items():
        spark.conf.set(name, value)
    return day(*args)


def chain(forks: Forks, lake: Path, *args: str) -> list[str]:
    """Run processes until one comes through; return the points at which the others died."""
    deaths = lake.with_name("deaths")
    while (status := forks.run("days:day", lake, *args[:3], deaths, *args[3:])) == -signal.SIGKILL:
        pass
    assert status >= DONE, forks.log.read_text()[-3000:]
    return deaths.read_text().splitlines()


def since(log: Path, at: int) -> str:
    """Return what was written to a log from a place on."""
    return log.read_bytes()[at:].decode()


def content(place: Path, *tables: str, without: Collection[str] = OF_THE_RUN) -> dict[str, list[str]]:
    """Return the rows of tables, or of every one, sorted, without what names the run."""
    lake, found = ArrowLake(Address.parse(str(place))), {}
    for table in (TABLES[name] for name in tables or TABLES):
        columns = [name for name in table.names if name not in without]
        found[table.name] = sorted(map(repr, lake.read(table, columns=columns).to_pylist()))
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
