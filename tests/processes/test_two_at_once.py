"""Two at once: one result, a clear word for whoever came second, and nobody who reads sees a half."""

from __future__ import annotations

import shutil
import threading
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from days import DONE, content, registry, since

from jobs.catalogue import TABLES
from jobs.lake.address import Address
from jobs.lake.arrow import ArrowLake
from targeting.__main__ import main

if TYPE_CHECKING:
    from days import Calm
    from forks import Forks

pytestmark = [pytest.mark.spark, pytest.mark.slow]
PAUSE = 0.1  # seconds between two reads: readers are many, and this one is not to take the machine
FINE, BEHIND = range(DONE, 256), 1


def maintain(lake: str, until: str) -> int:
    """Maintain a lake again and again until a file appears; return 100 plus the times, so that a failure shows."""
    times = 0
    while not Path(until).exists():
        main(["maintain", "--lake", lake, "--date", "2026-10-04"])
        times += 1
    return 100 + min(times, 99)


class Reader(threading.Thread):
    """Reads every table over and over; keeps how many rows of which date it saw."""

    def __init__(self, lake: Path) -> None:
        super().__init__(daemon=True)
        self.lake, self.ended = ArrowLake(Address.parse(str(lake))), threading.Event()
        self.seen: dict[str, set[frozenset[tuple[str, int]]]] = {name: set() for name in TABLES}
        self.reads, self.failed = 0, ""

    def run(self) -> None:
        while not self.ended.is_set():
            for name, table in TABLES.items():
                try:
                    rows = self.lake.read(table)
                except Exception as error:  # noqa: BLE001 - whatever a reader meets fails the test
                    self.failed = f"{name}: {error!r}"
                    return
                dates = map(str, rows.column("date").to_pylist()) if table.dated else [""] * rows.num_rows
                self.seen[name].add(frozenset(Counter(dates).items()))
                self.reads += 1
                time.sleep(PAUSE)

    def stop(self) -> None:
        self.ended.set()
        self.join()

    def halves(self) -> dict[str, list[dict[str, int]]]:
        """Return what it saw that no version of the table holds."""
        found = {}
        for name, seen in self.seen.items():
            table = TABLES[name]
            versions = range((self.lake.version(table) or 0) + 1) if self.lake.exists(table) else ()
            whole = {frozenset(_counts(self.lake, name, version).items()) for version in versions} | {frozenset()}
            if odd := [dict(one) for one in seen - whole]:
                found[name] = odd
        return found


def _counts(lake: ArrowLake, name: str, version: int) -> Counter[str]:
    counts: Counter[str] = Counter()
    for row in lake.log(TABLES[name], version):
        counts[str(row.get("partition.date") or "")] += row["num_records"]
    return +counts


def held(ends: list[int], said: str) -> None:
    """Hold that every process came through, or said that another was ahead of it and what to do."""
    assert set(ends) <= {*FINE, BEHIND}, said[-3000:]
    assert said.count("overtone: ") == ends.count(BEHIND), said[-3000:]
    assert said.count("run again") >= ends.count(BEHIND)
    assert "Traceback" not in said


def test_two_intakes_of_the_same_files(forks: Forks, calm: Calm, tmp_path: Path) -> None:
    lake, at = tmp_path / "lake", forks.log.stat().st_size
    reader = Reader(lake)
    reader.start()
    pids = [forks.start("days:take", lake, calm.feed, calm.clock) for _ in range(2)]
    ends = [forks.wait(pid) for pid in pids]
    reader.stop()
    said = since(forks.log, at)
    # Whoever is behind at a table looks again at what is new by then: both come through.
    assert set(ends) <= {DONE, DONE + 1}, said[-3000:]
    assert DONE + 1 in ends
    assert not said
    assert forks.run("days:day", lake, *calm.args) in FINE
    assert content(lake) == content(calm.lake)
    assert not reader.failed
    assert not reader.halves()


def test_two_runs_of_the_same_dates_while_others_read(forks: Forks, calm: Calm, tmp_path: Path) -> None:
    lake, at = tmp_path / "lake", forks.log.stat().st_size
    shutil.copytree(calm.taken, lake)
    reader = Reader(lake)
    reader.start()
    ends: list[int] = []
    for _ in range(6):
        pids = [forks.start("days:day", lake, *calm.args) for _ in range(2)]
        ends += sorted(forks.wait(pid) for pid in pids)
        if ends[-2:] == [DONE, DONE]:
            break
    reader.stop()
    assert ends[-2:] == [DONE, DONE], "both find nothing left to do"
    held(ends, since(forks.log, at))
    assert content(lake) == content(calm.lake)
    assert not reader.failed
    assert not reader.halves()
    assert reader.reads > 100


def test_a_run_beside_upkeep_is_not_disturbed(forks: Forks, calm: Calm, tmp_path: Path) -> None:
    lake, end = tmp_path / "lake", tmp_path / "end"
    shutil.copytree(calm.taken, lake)
    reader = Reader(lake)
    reader.start()
    upkeep = forks.start("test_two_at_once:maintain", lake, end)
    run = forks.wait(forks.start("days:day", lake, *calm.args))
    end.touch()
    times = forks.wait(upkeep)
    reader.stop()
    assert run in range(101, 200), forks.log.read_text()[-2000:]
    assert times > 101, "upkeep ran more than once beside it"
    assert content(lake) == content(calm.lake)
    assert forks.run("days:day", lake, *calm.args) == DONE, "nothing is stale by upkeep"
    assert not reader.failed
    assert not reader.halves()


def test_two_trainings_of_the_same_examples(forks: Forks, crowd: Calm, tmp_path: Path) -> None:
    lake, at = tmp_path / "lake", forks.log.stat().st_size
    shutil.copytree(crowd.lake, lake)
    pids = [forks.start("days:day", lake, *crowd.args[:2], "train") for _ in range(2)]
    ends = sorted(forks.wait(pid) for pid in pids)
    said = since(forks.log, at)
    assert ends == [DONE, DONE + 1], said[-3000:]
    assert "response: another training of this lake is running; waiting for its end" in said
    assert "response: nothing to do, version 1 was made of these examples" in said
    (versions,) = registry(lake).values()
    assert set(versions) == {"aliases", 1}
