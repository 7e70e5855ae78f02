"""A run killed in the middle and started again ends in the tables of a run that nobody disturbed."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from jobs.catalogue import TABLES
from jobs.contracts.operations import QUARANTINE, VERDICTS
from jobs.ingest import ingest
from jobs.lake.address import Address
from jobs.lake.spark import SparkLake
from jobs.world.make import make
from jobs.world.preset import World
from targeting.command import demo
from targeting.command.day import CAMPAIGNS
from targeting.command.stages import JOBS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jobs.lake.arrow import ArrowLake

pytestmark = [pytest.mark.spark, pytest.mark.slow]
ROOT = Path(__file__).parent.parent.parent
SEED = 2026
WORLD = World(seed=5, listeners=250, days=5, first=demo.FIRST_DAY, tracks=600, per_file=250)
CLOCK = datetime.combine(WORLD.last + timedelta(days=4), datetime.min.time(), UTC)
STAGES = 1 + len(JOBS)  # intake and the Spark jobs
# What names a run or the moment it ran differs between two runs that say the same.
OF_THE_RUN = {"run", "refused_at", "audited_at", "dates"}
RUN_IT = f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_resume import day
day(Path(sys.argv[1]), Path(sys.argv[2]))
"""


def day(lake: Path, feed: Path) -> list[bool]:
    """Take in what is new of the feed and run the Spark jobs; return which stages changed anything."""
    setting = demo.Setting("native", feed, "none", CAMPAIGNS, 0, 0, 0, CLOCK)
    done, _ = demo.play(SparkLake(Address.parse(str(lake))), setting, stop="examples")
    return [result.changed for _, result, _ in done]


def killed(lake: Path, feed: Path, after: int, seconds: float) -> list[str]:
    """Run the day in a process of its own and kill it, JVM included, so many seconds after its n-th stage; return what it said."""
    command = [sys.executable, "-c", RUN_IT, str(lake), str(feed)]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, start_new_session=True) as run:
        try:
            assert run.stderr is not None
            said = list(islice((line for line in run.stderr if line.startswith("[")), after))
            time.sleep(seconds)
        finally:
            os.killpg(run.pid, signal.SIGKILL)
    assert run.returncode == -signal.SIGKILL, said
    return said


def content(lake: ArrowLake) -> dict[str, list[str]]:
    """Return the rows of every table, sorted, without what names the run."""
    found = {}
    for table in TABLES.values():
        names = [name for name in table.names if name not in OF_THE_RUN]
        found[table.name] = sorted(map(repr, lake.read(table, columns=names).to_pylist()))
    return found


def missing(lake: ArrowLake, whole: Iterable[str]) -> set[str]:
    return {name for name in whole if not lake.count(TABLES[name])}


def test_a_killed_run_started_again_ends_like_an_undisturbed_one(spark: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = tmp_path / "key"
    key.write_bytes(bytes(range(32)))
    monkeypatch.setenv("OVERTONE_KEY_FILE", str(key))
    feed = tmp_path / "feed"
    make(WORLD, Address.parse(str(feed)), SparkLake(Address.parse(str(tmp_path / "truth"))))

    calm, lake = tmp_path / "calm", tmp_path / "lake"
    ingest(SparkLake(Address.parse(str(calm))), "native", [feed], clock=CLOCK)
    shutil.copytree(calm, lake)
    assert day(calm, feed) == [False, *[True] * (STAGES - 1)]
    undisturbed = content(SparkLake(Address.parse(str(calm))).arrow)
    filled = [name for name, rows in undisturbed.items() if rows]
    assert {QUARANTINE.name, VERDICTS.name, *(import_module(f"jobs.{name}").JOB.writes.name for name in JOBS)} <= set(filled)

    rng = random.Random(SEED)
    said = killed(lake, feed, after=rng.randrange(2, STAGES - 2), seconds=rng.uniform(0, 2))
    arrow = SparkLake(Address.parse(str(lake))).arrow
    assert said
    assert missing(arrow, filled), "it was killed too late to prove anything"
    assert missing(arrow, filled) < set(filled), "it was killed too early to prove anything"

    resumed = day(lake, feed)
    assert len(resumed) == STAGES
    assert resumed[-1]
    again = content(arrow)
    assert {name for name in undisturbed if undisturbed[name] != again[name]} == set()
    assert not any(day(lake, feed)), "and now there is nothing left to do"
