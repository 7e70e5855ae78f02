"""Make a known-truth world.

python -m jobs.world --preset demo --seed 7 --out build/feeds --lake build/lake
"""

from __future__ import annotations

import logging
import re
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from jobs.console import SEEDS, Parser, guarded, iso_date, no_file, parsed, say, whole
from jobs.journal import recorded
from jobs.lake.address import Address
from jobs.world.preset import PRESETS, World
from validation.contract import did_you_mean
from validation.verdict import WrongUse

if TYPE_CHECKING:
    import argparse


def main(words: list[str] | None = None) -> int:
    """Parse the command line, make the world, and return the exit code."""
    logging.basicConfig(level=logging.WARNING)
    options = parsed(parser(), words)
    return guarded(recorded("jobs.world", options.lake)(lambda: _run(options)), "world")


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    found = Parser(prog="python -m jobs.world", description="Make a known-truth world: feed files and truth.* tables.")
    found.add_argument("--preset", default="demo", help=f"one of {', '.join(PRESETS)}")
    found.add_argument("--seed", type=whole(0, SEEDS - 1), default=7)
    found.add_argument("--out", required=True, help="folder or URI of the feed files; must be empty")
    found.add_argument("--lake", help="lake for the truth tables (default OVERTONE_LAKE, else ./build/lake)")
    found.add_argument("--listeners", type=whole(1))
    found.add_argument("--days", type=whole(1))
    found.add_argument("--first", type=iso_date, help="first UTC date")
    found.add_argument("--shard", help="LOW:HIGH, make only these listeners of the world")
    found.add_argument("--no-signal", action="store_true", help="every impression has the same click probability")
    return found


def chosen(options: argparse.Namespace) -> World:
    """Return the world that the options describe."""
    if options.preset not in PRESETS:
        raise WrongUse(f"unknown preset {options.preset!r}{did_you_mean(options.preset, PRESETS)}")
    changes = {name: getattr(options, name) for name in ("listeners", "days", "first") if getattr(options, name) is not None}
    if options.shard is not None:
        ends = re.fullmatch(r"([0-9]{1,10}):([0-9]{1,10})", options.shard)
        if ends is None:
            raise WrongUse(f"--shard {options.shard!r} is not LOW:HIGH, such as 0:2000")
        changes["shard"] = (int(ends[1]), int(ends[2]))
    return replace(PRESETS[options.preset], seed=options.seed, signal=not options.no_signal, **changes)


def _run(options: argparse.Namespace) -> None:
    world, out, lake = chosen(options), Address.parse(options.out), Address.choose(options.lake)
    if out.path is not None:
        no_file("--out", out.path)
    from jobs.lake.arrow import ArrowLake
    from jobs.world.files import Folder
    from jobs.world.manifest import is_made

    if is_made(world, Folder(out), ArrowLake(lake)):
        say(f"world: nothing to do, this very world lies in {out.uri}")
        return
    from jobs.lake.spark import SparkLake
    from jobs.world.make import make

    low, high = world.made
    say(f"world: seed {world.seed}, {high - low:,} listeners x {world.days} days from {world.first}, into {out.uri}")
    made = make(world, out, SparkLake(lake), say)
    say("world: " + ", ".join(f"{feed} {rows:,}" for feed, rows in made.by_feed.items() if rows))


if __name__ == "__main__":
    sys.exit(main())
