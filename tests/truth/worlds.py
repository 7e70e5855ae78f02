"""Known-truth worlds, taken through the whole pipeline and kept by seed, size and code."""

from __future__ import annotations

import hashlib
import shutil
import sys
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from jobs.fingerprint import code_of
from jobs.lake.address import Address
from jobs.lake.spark import SparkLake
from jobs.world.preset import World
from targeting.command import demo

if TYPE_CHECKING:
    from jobs.console import Dates

FOLDER = Path(__file__).parent.parent.parent / "build/truth"
# What makes a world's files and its bronze tables; the stages after them find out themselves what is stale.
CODE = ("jobs.world.make", "jobs.ingest")


@dataclass(frozen=True)
class Size:
    """How large the measured worlds are, and which seeds they have."""

    listeners: int = 20_000
    days: int = 35
    seeds: tuple[int, ...] = (11, 12, 13)
    folder: Path = FOLDER
    campaigns: Path = demo.CAMPAIGNS
    tracks: int = World.tracks

    def world(self, seed: int, *, signal: bool = True) -> World:
        """Return one of its worlds."""
        return World(seed, self.listeners, self.days, demo.FIRST_DAY, tracks=self.tracks, signal=signal)

    @property
    def dates(self) -> Dates:
        """The dates of a world."""
        return tuple(demo.FIRST_DAY + timedelta(days=n) for n in range(self.days))

    @property
    def last(self) -> date:
        """The last date of a world."""
        return self.dates[-1]


@cache
def lake_of(size: Size, seed: int, *, signal: bool = True) -> SparkLake:
    """Return the lake of a world that went through every stage (without signal: up to training); what is there is not made again."""
    code = hashlib.sha256("".join(code_of(name) for name in CODE).encode()).hexdigest()[:8]
    name = f"{'signal' if signal else 'nothing'}-{size.listeners}x{size.days}-{seed}-"
    for old in size.folder.glob(f"{name}*"):
        if old.name != name + code:
            shutil.rmtree(old)
    lake = SparkLake(Address.parse(str(size.folder / f"{name}{code}" / "lake")))
    sys.stderr.write(f"world {name}{code}\n")
    setting = demo.world_setting(lake.address, size.world(seed, signal=signal))
    demo.play(lake, replace(setting, campaigns=size.campaigns), stop="" if signal else "train")
    return lake
