"""Takes a feed in and runs every job of a day, each by its own command line, in one process: FEED LAKE FIRST LAST."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING

from jobs import ingest
from jobs.run import main as run
from targeting.command.stages import JOBS, LATEST

if TYPE_CHECKING:
    from collections.abc import Callable


def done(command: Callable[[], None]) -> None:
    """Run what ends the process when it is done."""
    try:
        command()
    except SystemExit as ended:
        if ended.code:
            raise


def main(feed: str, lake: str, first: str, last: str) -> None:
    done(lambda: ingest.main(["native", feed, "--lake", lake]))
    for name in JOBS:
        job = import_module(f"jobs.{name}").JOB
        dates = ["--date", last] if name in LATEST else ["--from", first, "--to", last]
        done(lambda job=job, dates=dates: run(job, [*dates, "--lake", lake]))


if __name__ == "__main__":
    main(*sys.argv[1:])
