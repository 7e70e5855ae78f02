"""The day as data: its stages in order, each with the line that runs it alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from importlib import import_module
from typing import TYPE_CHECKING

from jobs import run as runner
from jobs.lake.commit import stamp

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date
    from pathlib import Path

    from jobs.console import Dates
    from jobs.lake.spark import SparkLake
    from jobs.run import Job


LOOKS = "finds out when it runs"  # what a stage that is no job of jobs/ says of itself beforehand


@dataclass(frozen=True)
class Day:
    """What a day's stages need: the lake, the dates asked for, and the settings of training and delivery."""

    lake: SparkLake
    dates: Dates
    campaigns: Path
    exports: Path
    trials: int = 4
    author: str = "overtone"

    @property
    def last(self) -> date:
        """The date that models, clusters and audiences are made for."""
        return self.dates[-1]


@dataclass(frozen=True)
class Done:
    """What a stage did: `changed` where it published something."""

    sentence: str
    changed: bool
    rows: int = 0


@dataclass(frozen=True)
class Stage:
    """One stage: `line` runs it alone, `weight` is its usual share of a first day's time (any unit)."""

    name: str
    writes: str
    line: str
    weight: float
    run: Callable[[Day], Done]
    stale: Callable[[Day], str]


def job(name: str, writes: str, weight: float) -> Stage:
    """Return the stage of a Spark job; the module is imported only when the stage runs or is asked what is stale."""

    def declared() -> Job:
        return import_module(f"jobs.{name}").JOB  # type: ignore[no-any-return]

    def run(day: Day) -> Done:
        outcome = runner.run(declared(), day.lake, day.dates)
        return Done(outcome.sentence, outcome.state == runner.PUBLISHED, outcome.rows)

    def stale(day: Day) -> str:
        dates = runner.stale(declared(), day.lake.arrow, day.dates)
        return f"{len(dates)} date{'s' if len(dates) != 1 else ''} stale" if dates else runner.NOTHING

    return Stage(name, writes, f'spark-submit jobs/{name}.py $dates --lake "$lake"', weight, run, stale)


def latest(name: str, writes: str, weight: float, before: tuple[int, ...] = ()) -> Stage:
    """Return the stage of a Spark job that is made for the last date alone, and for missing ones so many days `before`."""
    every = job(name, writes, weight)

    def needed(day: Day) -> Day:
        made = import_module(f"jobs.{name}").JOB.writes
        published = day.lake.arrow.published(made)
        earlier = (day.last - timedelta(days=days) for days in before)
        return replace(day, dates=(*(one for one in earlier if stamp(one) not in published), day.last))

    line = f'spark-submit jobs/{name}.py --date "$date" --lake "$lake"'
    return replace(every, line=line, run=lambda day: every.run(needed(day)), stale=lambda day: every.stale(needed(day)))


def step(name: str, writes: str, weight: float, line: str, run: Callable[[Day], Done]) -> Stage:
    """Return a stage that is no Spark job of jobs/."""
    return Stage(name, writes, line, weight, run, lambda _: LOOKS)


def train(day: Day) -> Done:
    """Tune, register and judge the response model."""
    from ray_tune.run import train_response

    training = train_response(day.lake.arrow, day.last, trials=day.trials, author=day.author)
    return Done(training.sentence, training.changed)


def scores(day: Day) -> Done:
    """Score every consenting listener with the champion."""
    from targeting.scoring import score

    return _done(score(day.lake, day.last))


def clusters(day: Day) -> Done:
    """Cluster consenting listeners."""
    from targeting.clusters import cluster

    return _done(cluster(day.lake, day.last))


def communities(day: Day) -> Done:
    """Find communities of consenting listeners."""
    from targeting.communities import find

    return _done(find(day.lake, day.last))


def audiences(day: Day) -> Done:
    """Build the audiences of all campaigns and book them."""
    from targeting.audiences import build

    return _done(build(day.lake, day.last, day.campaigns))


def export(day: Day) -> Done:
    """Export the audiences that may be released."""
    from targeting.exports import export

    return _done(export(day.lake.arrow, day.last, day.exports))


def _done(outcome: runner.Outcome) -> Done:
    return Done(outcome.sentence, outcome.state == runner.PUBLISHED, outcome.rows)


# Jobs that are asked for the last date alone.
LATEST = ("moment_features", "fan_ladder", "artist_fans", "fan_transitions", "user_portraits")
JOBS = (
    *("listeners", "tracks", "listens", "sessions", "user_days", "user_features"),
    *("context_features", "session_moments", "moment_features", "user_segments", "segment_overlaps"),
    *("fan_ladder", "artist_fans", "fan_transitions", "user_portraits", "examples"),
)

STAGES: tuple[Stage, ...] = (
    job("listeners", "silver.listeners", 6),
    job("tracks", "silver.tracks", 12),
    job("listens", "silver.listens", 30),
    job("sessions", "silver.sessions", 18),
    job("user_days", "features.user_days", 20),
    job("user_features", "features.user_features", 35),
    job("context_features", "features.context_features", 10),
    job("session_moments", "features.session_moments", 10),
    latest("moment_features", "features.moment_features", 4),
    job("user_segments", "segments.user_segments", 8),
    job("segment_overlaps", "segments.segment_overlaps", 5),
    latest("fan_ladder", "features.fan_ladder", 12, before=(14, 7)),
    latest("artist_fans", "features.artist_fans", 6),
    latest("fan_transitions", "features.fan_transitions", 5),
    latest("user_portraits", "features.user_portraits", 6),
    job("examples", "examples.response", 12),
    step("train", "models.trainings", 40, 'python -m ray_tune response --as-of "$date" --trials 4 --lake "$lake"', train),
    step("scores", "targeting.scores", 6, 'overtone day --date "$date" --only scores --lake "$lake"', scores),
    step("clusters", "targeting.clusters", 13, 'overtone day --date "$date" --only clusters --lake "$lake"', clusters),
    step("communities", "targeting.communities", 12, 'overtone day --date "$date" --only communities --lake "$lake"', communities),
    step("audiences", "targeting.audiences", 6, 'overtone audience build --date "$date" --lake "$lake"', audiences),
    step("export", "files", 2, 'overtone audience export --date "$date" --lake "$lake"', export),
)
