"""Known-truth worlds, taken through the whole pipeline once and kept by seed, size and code."""

from __future__ import annotations

import hashlib
import sys
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from jobs.fingerprint import code_of
from jobs.lake.address import Address
from jobs.lake.spark import SparkLake
from targeting.command import demo

if TYPE_CHECKING:
    from jobs.run import Dates

FOLDER = Path(__file__).parent.parent.parent / "build/truth"
SEEDS = (11, 12, 13)
LISTENERS, DAYS = 20_000, 35
CODE = (
    "targeting.command.demo",
    "jobs.world.make",
    "jobs.ingest",
    "ray_tune.search",
    "targeting.audiences",
    *(f"jobs.{n}" for n in ("listens", "examples")),
)


@cache
def lake_of(seed: int, *, signal: bool = True, listeners: int = LISTENERS, days: int = DAYS, stop: str = "") -> SparkLake:
    """Return the lake of a world that went through every stage (up to and with `stop`, if named); made unless it is there."""
    code = hashlib.sha256("".join(code_of(name) for name in CODE).encode()).hexdigest()[:12]
    name = f"{'signal' if signal else 'nothing'}-{listeners}x{days}-{seed}-{stop or 'all'}-{code}"
    lake = SparkLake(Address.parse(str(FOLDER / name / "lake")))
    if not (FOLDER / name / "done").exists():
        sys.stderr.write(f"world {name}\n")
        setting = demo.world_setting(lake.address, listeners=listeners, days=days, seed=seed, signal=signal)
        demo.play(lake, setting, stop=stop)
        (FOLDER / name / "done").touch()
    return lake


def dates_of(days: int = DAYS) -> Dates:
    """Return the dates of a world."""
    return tuple(demo.FIRST_DAY + timedelta(days=n) for n in range(days))


def last_of(days: int = DAYS) -> date:
    """Return the last date of a world."""
    return dates_of(days)[-1]
