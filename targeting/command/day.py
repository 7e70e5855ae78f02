"""`overtone day`: bring a date, or a range, up to date from events to exported audiences."""

from __future__ import annotations

import shlex
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from jobs.console import MOST_TRIALS, a_path, add_dates, asked, days, no_file, note, somebody, whole
from jobs.contracts.events import PLAYS
from jobs.journal import tell
from jobs.lake.address import Address
from jobs.run import NOTHING, PUBLISHED
from jobs.services import check
from targeting.campaigns import load
from targeting.command.place import FIRST_STEP
from targeting.command.reply import Reply, table
from targeting.command.stages import LOOKS, STAGES
from validation.contract import did_you_mean
from validation.verdict import WrongUse

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from jobs.console import Dates
    from jobs.lake.arrow import ArrowLake
    from targeting.command.stages import Day, Done, Stage

HELP = "run a day's stages, from events to exported audiences; what is up to date is left alone"
EXAMPLE = "overtone day --date 2026-11-09"
CAMPAIGNS = Path("infra/campaigns.yaml")
AFTER = "after the stages before it"
MINUTE = 90  # seconds up to which time left is told in seconds


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_dates(parser)
    parser.add_argument("--stale", action="store_true", help="all dates that have plays; only what is out of date runs")
    parser.add_argument("--plan", action="store_true", help="say what would run, run nothing")
    names = ", ".join(stage.name for stage in STAGES)
    parser.add_argument("--only", metavar="STAGE", help=f"one stage of {names}")
    parser.add_argument("--from-stage", metavar="STAGE", help="this stage and those after it")
    parser.add_argument("--campaigns", type=a_path, default=CAMPAIGNS, help=f"campaign file (default: {CAMPAIGNS})")
    parser.add_argument("--exports", type=a_path, help="folder for exported audiences (default: beside the lake)")
    parser.add_argument("--trials", type=whole(1, MOST_TRIALS), default=4, help="models to try (default: 4)")
    parser.add_argument("--author", type=somebody, default="overtone", help="who trains; another person must approve (default: overtone)")


def run(options: argparse.Namespace) -> Reply:
    """Run, or plan, the stages."""
    from jobs.lake.spark import SparkLake
    from targeting.command.stages import Day

    if options.stale and (options.date or options.first or options.last):
        raise WrongUse("--stale finds the dates itself; leave out --date, --from and --to, or leave out --stale")
    if options.only is not None and options.from_stage is not None:
        raise WrongUse(f"--only {options.only} and --from-stage {options.from_stage} contradict each other; name one of them")
    chosen = choose(STAGES, options.only, options.from_stage)
    if "audiences" in [stage.name for stage in chosen]:
        load(options.campaigns)  # a mistake in the file is said now, not after all stages before
    if "train" in [stage.name for stage in chosen]:
        check()
    asked_for = None if options.stale else asked(options)
    lake = SparkLake(Address.choose(options.lake))
    exports = options.exports or lake.address.beside("-exports")
    no_file("--exports", exports)
    dates = _within(asked_for, with_events(lake.arrow))
    day = Day(lake, dates, options.campaigns, exports, options.trials, options.author)
    if options.plan:
        rows = list(plan(chosen, day))
        return Reply(rows, table(rows, ("stage", "writes", "state", "line"), empty="no stages"))
    return summary(execute(chosen, day))


def plan(stages: Sequence[Stage], day: Day) -> Iterator[dict[str, str]]:
    """Yield what each stage would do as things stand, and the line that runs it alone; one after a stale one has to wait for that."""
    first, last = day.dates[0], day.dates[-1]
    words = {
        "$dates": f"--date {first}" if first == last else f"--from {first} --to {last}",
        '"$date"': str(last),
        '"$lake"': shlex.quote(day.lake.address.uri),
    }
    waits = False
    for stage in stages:
        line = stage.line
        for word, value in words.items():
            line = line.replace(word, value)
        state = stage.stale(day)
        idle = state in (NOTHING, LOOKS)
        yield {"stage": stage.name, "writes": stage.writes, "state": AFTER if waits and idle else state, "line": line}
        waits = waits or not idle


def choose(stages: Sequence[Stage], only: str | None, start: str | None) -> tuple[Stage, ...]:
    """Return the stages named by --only or --from-stage, else all; a wrong name raises `WrongUse`."""
    names = [stage.name for stage in stages]
    for name in (only, start):
        if name is not None and name not in names:
            raise WrongUse(f"unknown stage {name!r}{did_you_mean(name, names)}")
    if only is not None:
        return tuple(stage for stage in stages if stage.name == only)
    return tuple(stages[0 if start is None else names.index(start) :])


def _within(dates: Dates | None, known: Dates) -> Dates:
    if dates is None:
        return known
    if dates[0] > known[-1] or dates[-1] < known[0]:
        span = str(dates[0]) if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
        raise WrongUse(f"there is no play of {span}; the lake holds plays of {known[0]} to {known[-1]}")
    return dates


def with_events(lake: ArrowLake) -> Dates:
    """Return all dates from the first to the last that has plays; none raises `WrongUse`."""
    from datetime import date

    known = sorted(lake.files(PLAYS))
    if not known:
        raise WrongUse(f"{lake.address.uri} holds no plays yet: {FIRST_STEP}")
    return days(date.fromisoformat(known[0]), date.fromisoformat(known[-1]))


@dataclass
class Progress:
    """How far a run is, counted in the stages' weights; the pace is that of the stages that had something to do."""

    stages: int
    weight: float
    number: int = 0
    done: float = 0.0
    worked: float = 0.0
    seconds: float = 0.0

    @classmethod
    def of(cls, stages: Sequence[Stage]) -> Progress:
        """Begin with nothing done."""
        return cls(len(stages), sum(stage.weight for stage in stages))

    @property
    def place(self) -> str:
        """The number of the current stage."""
        return f"[{self.number:2}/{self.stages}]"

    def finish(self, stage: Stage, seconds: float, *, changed: bool) -> None:
        """Count a stage; one that was skipped says nothing of the speed of what is left."""
        self.done += stage.weight
        if changed:
            self.worked += stage.weight
            self.seconds += seconds

    def left(self) -> str:
        """Say how long the rest should take at the pace so far."""
        if self.number == self.stages:
            return ""
        seconds = self.seconds / self.worked * (self.weight - self.done)
        return f", about {seconds:.0f} s left" if seconds < MINUTE else f", about {seconds / 60:.0f} min left"


def execute(stages: Sequence[Stage], day: Day, progress: Progress | None = None) -> list[tuple[Stage, Done, float]]:
    """Run stages in order, saying on stderr what each did and how long the rest should take.

    `progress` is that of a longer run, of which these stages are a part.
    """
    progress, found = progress or Progress.of(stages), []
    for stage in stages:
        before = time.monotonic()
        progress.number += 1
        _note(f"{progress.place} {stage.name} ...", end="\r")
        tell("stage_started", name=stage.name)
        result = stage.run(day)
        seconds = time.monotonic() - before
        progress.finish(stage, seconds, changed=result.changed)
        tell("stage_ended", name=stage.name, state=PUBLISHED if result.changed else NOTHING, rows=result.rows, seconds=round(seconds, 1))
        first, *more = result.sentence.splitlines()
        _note("\n".join((f"{progress.place} {first}{progress.left() if result.changed else ''}", *more)))
        found.append((stage, result, seconds))
    return found


def summary(results: Sequence[tuple[Stage, Done, float]]) -> Reply:
    """Return what the stages did as a table; one sentence where nothing had to be done."""
    rows = [
        {"stage": stage.name, "rows": done.rows, "seconds": round(seconds, 1), "what": done.sentence, "changed": done.changed}
        for stage, done, seconds in results
    ]
    if not any(row["changed"] for row in rows):
        # A single stage says itself why: it may be skipped, which is not the same as up to date.
        return Reply(rows, str(rows[0]["what"]) if len(rows) == 1 else f"nothing to do: all {len(rows)} stages are done")
    return Reply(rows, table(rows, ("stage", "rows", "seconds", "changed"), empty="no stages"))


def _note(text: str, end: str = "\n") -> None:
    if end == "\r" and not sys.stderr.isatty():
        return
    note(text + (" " * max(0, 100 - len(text)) if sys.stderr.isatty() else ""), end=end)
