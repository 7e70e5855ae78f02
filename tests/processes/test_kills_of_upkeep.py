"""Release from quarantine, going back and upkeep killed at every verb: they end like ones that nobody disturbed."""

from __future__ import annotations

import os
import shutil
import signal
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from days import DONE, content
from feeds import CLOCK, STRICT, at, heard, lines, put, strict
from mortal import mortal
from small_lake import one, who

from jobs.catalogue import TABLES
from jobs.contracts.events import PLAYS
from jobs.contracts.operations import QUARANTINE
from jobs.contracts.silver import LISTENS
from jobs.ingest import ingest
from jobs.lake import upkeep
from jobs.lake.address import Address
from jobs.lake.arrow import ArrowLake
from jobs.lake.commit import Note
from jobs.lake.schema import arrow_schema
from jobs.lake.spark import SparkLake
from jobs.lake.versions import restore
from jobs.release import release
from targeting.command.maintain import maintain

if TYPE_CHECKING:
    from forks import Forks

pytestmark = [pytest.mark.spark, pytest.mark.slow]
DAYS = [date(2026, 11, 1), date(2026, 11, 2)]
OLD = date(2024, 1, 1)  # past every retention
DAY = 86_400


def tend(lake: str, feed: str, deaths: str = "", every: str = "") -> int:
    """Release what was refused, bring a date's first version back, keep the lake small; with a file of deaths, die on the way."""
    if deaths:
        mortal(Path(deaths), every=bool(every))
    found, arrow = SparkLake(Address.parse(lake)), ArrowLake(Address.parse(lake))
    release(found, "native", [feed], clock=CLOCK + timedelta(days=1))
    restore(arrow, LISTENS, DAYS[0], 1, "restored")
    for table in TABLES.values():
        if arrow.exists(table):
            assert maintain(arrow, table, datetime(2026, 12, 1, tzinfo=UTC))["left"] is None
    return DONE


def refused_plays(lake: SparkLake, feed: Path, patch: pytest.MonkeyPatch) -> None:
    """Take files in by an adapter that is too strict."""
    odd = [heard(100 + n, at(1, 9), device="fridge") for n in range(2)] + [heard(110, at(1, 9), started_at=None)]
    good = [[heard(first + n, at(1 + n % 2, 8) + timedelta(minutes=n)) for n in range(60)] for first in (0, 500)]
    put(feed, {"plays-1.jsonl": lines(*good[0], *odd), "plays-2.jsonl": lines(*good[1])})
    with patch.context() as too:
        strict(too, STRICT)
        for name in ("plays-1.jsonl", "plays-2.jsonl"):
            ingest(lake, "native", [feed / name], clock=CLOCK)


def history(lake: ArrowLake) -> None:
    """Write a date twice, one that is past its retention, and a file that a killed run left long ago."""
    for note, day, first in (("a", DAYS[0], 0), ("b", DAYS[0], 10), ("c", DAYS[1], 0), ("d", OLD, 0)):
        rows = [one(LISTENS, date=day, event_id=who(first + n)) for n in range(5)]
        lake.overwrite(LISTENS, pa.Table.from_pylist(rows, arrow_schema(LISTENS)), [day], Note(note, {str(day): note}))
    staged = lake.address.path / "silver/listens/run-dead/part.parquet"
    put(staged.parent, {staged.name: b"staged"})
    os.utime(staged, (time.time() - (upkeep.DAYS_KEPT + 1) * DAY,) * 2)


def test_release_going_back_and_upkeep_killed_at_every_verb(
    forks: Forks, every: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calm, lake, feed, deaths = (tmp_path / name for name in ("calm", "lake", "feed", "deaths"))
    begun = SparkLake(Address.parse(str(calm)))
    refused_plays(begun, feed, monkeypatch)
    history(begun.arrow)
    shutil.copytree(calm, lake)
    before = content(lake)
    assert forks.run("test_kills_of_upkeep:tend", calm, feed) == DONE, forks.log.read_text()[-3000:]
    while (status := forks.run("test_kills_of_upkeep:tend", lake, feed, deaths, every)) == -signal.SIGKILL:
        pass
    assert status == DONE, forks.log.read_text()[-3000:]
    died = deaths.read_text()
    steps = ("exchange bronze.plays", "merge ops.files", "delete ops.quarantine release", "exchange silver.listens restore of version 1")
    for step in (*steps, "vacuum silver.listens", "exchange silver.listens maintain until", "exchange bronze.plays maintain"):
        assert f"before {step}" in died
    after = content(lake)
    assert after == content(calm)
    assert len(after[PLAYS.name]) == len(before[PLAYS.name]) + 2
    assert len(after[QUARANTINE.name]) == len(before[QUARANTINE.name]) - 2 == 1
    assert [str(OLD) in row for row in after[LISTENS.name]].count(True) == 0 < len(after[LISTENS.name])
    assert not (lake / "silver/listens/run-dead/part.parquet").exists()
