"""One day's stages at 2,000, 20,000 and 200,000 listeners, a month of five plays a day behind it: what each costs, and how that grows.

The peer of the larger is the smaller: what a listener more costs from 20,000 on, over what one costs below. Lakes with the month behind
them are kept in build/day and made again only for other code; each measured day runs on a copy, in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
from meter import GIB, Meter
from pairs import T95
from results import BUILD, Measured, Row, row

from jobs.contracts.delivery import APPROVALS, TRAININGS
from jobs.fan_ladder import JOB as FAN_LADDER
from jobs.fingerprint import code_of
from jobs.ingest import ingest
from jobs.lake.address import Address
from jobs.lake.commit import Note
from jobs.lake.schema import arrow_schema
from jobs.lake.spark import SparkLake
from jobs.run import run as run_job
from jobs.world.make import make
from jobs.world.preset import World
from targeting.command.day import CAMPAIGNS, execute
from targeting.command.stages import STAGES, Day

if TYPE_CHECKING:
    from collections.abc import Callable

SIZES = (2_000, 20_000, 200_000)
DAYS, FIRST, SEED = 31, date(2026, 10, 1), 7
LAST = FIRST + timedelta(days=DAYS - 1)
CLOCK = datetime(LAST.year, LAST.month, LAST.day, 4, tzinfo=UTC) + timedelta(days=1)
REPEATS = 3
TRIALS = 4
COMMAND = "make bench NAME=day"


@dataclass(frozen=True)
class Cost:
    """What one stage took: seconds on the clock and of the processors, and at most so many bytes of memory of all processes together.

    `driver` is the part of the memory that lies in the driver's Python, `jvm` in its JVM, which runs the tasks as well on one machine;
    pages that processes share count once (PSS).
    """

    stage: str
    wall: float
    cpu: float
    memory: int
    driver: int
    jvm: int


def measure() -> list[Row]:
    """Measure every size `REPEATS` times, and return how the cost of a listener grows, and the driver's memory."""
    found: dict[int, list[list[Cost]]] = {}
    for size in SIZES:
        prepared = _prepared(size)
        found[size] = [_day(prepared, number) for number in range(REPEATS)]
        sys.stderr.write(_told(size, found[size]))
    (BUILD / "day.json").write_text(
        json.dumps({size: [[asdict(c) for c in one] for one in runs] for size, runs in found.items()}, indent=1)
    )
    rows = []
    for kind in ("cpu", "wall"):
        growth = [_growth(*(sum(getattr(c, kind) for c in found[size][n]) for size in SIZES)) for n in range(REPEATS)]
        what = f"{kind} seconds that a listener more costs a day from 20,000 to 200,000 listeners, over those from 2,000 to 20,000"
        rows.append(row(f"day_{kind}", what, "<= 1.1", {SEED: _mean(growth)}, COMMAND))
    for kind, part in (("driver", "Python"), ("jvm", "JVM")):
        flat = [
            max(getattr(c, kind) for c in found[SIZES[2]][n]) / max(getattr(c, kind) for c in found[SIZES[1]][n]) for n in range(REPEATS)
        ]
        what = f"peak memory of the driver's {part} at 200,000 listeners, over that at 20,000"
        rows.append(row(f"day_{kind}", what, "<= 1.25", {SEED: _mean(flat)}, COMMAND))
    return rows


def _growth(small: float, middle: float, large: float) -> float:
    return ((large - middle) / (SIZES[2] - SIZES[1])) / ((middle - small) / (SIZES[1] - SIZES[0]))


def _mean(values: list[float]) -> Measured:
    middle = sum(values) / len(values)
    spread = (sum((one - middle) ** 2 for one in values) / (len(values) - 1)) ** 0.5
    half = T95[len(values) - 1] * spread / len(values) ** 0.5
    return Measured(middle, middle - half, middle + half)


def _told(size: int, runs: list[list[Cost]]) -> str:
    lines = [f"{size:,} listeners: wall s, cpu s, peak GiB of all processes (mean of {len(runs)} runs; peak of them)"]
    for stage in zip(*runs, strict=True):
        wall, cpu = (sum(getattr(one, kind) for one in stage) / len(stage) for kind in ("wall", "cpu"))
        lines.append(f"  {stage[0].stage:18} {wall:8.1f} {cpu:8.1f} {max(one.memory for one in stage) / GIB:6.2f}")
    whole = [(sum(c.wall for c in one), sum(c.cpu for c in one)) for one in runs]
    lines.append(f"  {'together':18} {sum(w for w, _ in whole) / len(whole):8.1f} {sum(c for _, c in whole) / len(whole):8.1f}")
    return "\n".join(lines) + "\n"


def _prepared(size: int) -> Path:
    """Return the folder of a lake with the month behind it, and the last day's files beside it; made unless it is there."""
    code = "".join(code_of(name)[:4] for name in ("jobs.world.make", "jobs.ingest", "targeting.command.stages"))
    place = BUILD / "day" / f"{size}-{code}"
    if not (place / "done").exists():
        subprocess.run([sys.executable, __file__, "prepare", str(size), str(place)], check=True)
    return place


def prepare(size: int, place: Path) -> None:
    """Make a world, take its month in, run the jobs over it, and let a model of the evening before serve; what is there already stays."""
    if not (place / "last").exists():
        _make(size, place)
    lake = SparkLake(Address.parse(str(place / "lake")))
    ingest(lake, "native", [place / "feed"], clock=CLOCK - timedelta(days=1))
    dates = tuple(FIRST + timedelta(days=n) for n in range(DAYS - 1))
    stages = STAGES[: [stage.name for stage in STAGES].index("scores")]
    # What a day finds that has days behind it: a state of the evening before, and the ladders of one and two weeks ago.
    for some in (dates[:-1], dates[-1:]):
        execute(stages, Day(lake, some, CAMPAIGNS, place / "exports", TRIALS))
    run_job(FAN_LADDER, lake, [LAST - timedelta(weeks=2), LAST - timedelta(weeks=1)])
    newest = max(lake.arrow.read(TRAININGS).to_pylist(), key=lambda one: one["trained_at"])
    # Whether it passes its gate depends on the size; what scoring costs is to be compared all the same.
    decided = {
        "model": newest["model"],
        "version": newest["version"],
        "by": "benchmark",
        "author": newest["author"],
        "decision": "approved",
    }
    lake.arrow.append(APPROVALS, pa.Table.from_pylist([decided | {"decided_at": CLOCK}], arrow_schema(APPROVALS)), Note("benchmark"))
    (place / "done").touch()


def _make(size: int, place: Path) -> None:
    """Make a world's files; those of the last day, and the days of late events after it, lie apart in `last`."""
    world = World(SEED, size, DAYS, FIRST, tracks=min(40_000, max(3_000, size // 5)), per_file=min(20_000, size // 250 * 250))
    make(world, Address.parse(str(place / "feed")), SparkLake(Address.parse(str(place / "truth"))))
    shutil.rmtree(place / "truth")
    later = place / "later"
    later.mkdir(exist_ok=True)
    for day in (LAST + timedelta(days=n) for n in range(3)):
        for path in (place / "feed").glob(f"*{day}*"):
            path.rename(later / path.name)
    later.rename(place / "last")


def _day(prepared: Path, number: int) -> list[Cost]:
    scratch = prepared.with_name(f"{prepared.name}-run")
    shutil.rmtree(scratch, ignore_errors=True)
    # Data files are never written twice: links to them will do. What is appended to, or written in place, is copied.

    def lay(old: str, new: str) -> None:
        (os.link if old.endswith(".parquet") else shutil.copy2)(old, new)

    shutil.copytree(prepared, scratch, copy_function=lay, ignore=shutil.ignore_patterns("feed"))
    try:
        sys.stderr.write(f"{prepared.name}: run {number + 1} of {REPEATS}\n")
        done = subprocess.run([sys.executable, __file__, "run", str(scratch)], check=True, stdout=subprocess.PIPE, text=True)
        return [Cost(**one) for one in json.loads(done.stdout.splitlines()[-1])]
    finally:
        shutil.rmtree(scratch)


def run(place: Path) -> None:
    """Run the last day stage by stage and print what each cost."""
    meter, costs = Meter(), []
    lake = SparkLake(Address.parse(str(place / "lake")))
    meter.start()

    def metered(name: str, act: Callable[[], object]) -> None:
        meter.peaks()
        began, before = time.monotonic(), meter.cpu()
        act()
        wall, cpu = time.monotonic() - began, meter.cpu() - before
        costs.append(Cost(name, wall, cpu, *meter.peaks()))

    metered("start", lambda: lake.spark.range(1).count())
    metered("ingest", lambda: ingest(lake, "native", [place / "last"], clock=CLOCK))
    day = Day(lake, (LAST,), CAMPAIGNS, place / "exports", TRIALS)
    for stage in STAGES:
        metered(stage.name, lambda stage=stage: execute([stage], replace(day)))  # type: ignore[misc]
    sys.stdout.write(json.dumps([asdict(one) for one in costs]) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("prepare", "run"))
    parser.add_argument("words", nargs="+")
    options = parser.parse_args()
    if options.what == "prepare":
        prepare(int(options.words[0]), Path(options.words[1]))
    else:
        run(Path(options.words[0]))
