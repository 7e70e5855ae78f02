"""`overtone demo`: everything once, from events to exported audiences, on a known-truth world or on a real feed."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jobs.console import MOST_TRIALS, SEEDS, a_path, no_file, note, whole
from jobs.contracts.delivery import APPROVALS, TRAININGS
from jobs.contracts.events import PLAYS
from jobs.lake.address import VARIABLE, Address
from jobs.services import check
from jobs.sources import SOURCES
from jobs.world.preset import World
from targeting.campaigns import load
from targeting.command.day import CAMPAIGNS, Progress, execute, with_events
from targeting.command.digest import digest, lines
from targeting.command.reply import Reply
from validation.contract import did_you_mean
from validation.verdict import WrongUse

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping

    from jobs.console import Dates
    from jobs.lake.spark import SparkLake
    from targeting.command.stages import Day, Done, Stage
    from targeting.page import PageData

HELP = "run everything once on a known-truth world, or on a real feed"
EXAMPLE = "overtone demo --source eventsim --input ./feed"
WORLD = "world"
# Forms of a real feed: it holds plays and leaves it to the operator to vouch for consent.
FEEDS = tuple(name for name, one in SOURCES.items() if not one.states_consent and any(feed.table == PLAYS for feed in one.feeds))
REVIEWER = "demo-reviewer"
FIRST_DAY = date(2026, 10, 1)
RECENT = 120  # days of a real feed, which may span decades: the longest window, and a month of days that have it whole


@dataclass(frozen=True)
class Setting:
    """What one demo runs on."""

    source: str
    inputs: Path
    basis: str
    campaigns: Path
    clock: datetime
    world: World | None = None  # what its feed is made of, unless it is a real one
    trials: int = 4
    recent: int | None = None  # most dates worked on, the latest ones; None for all that have events


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--source", default=WORLD, help=f"world (default), or the form of a real feed: {', '.join(FEEDS)}")
    parser.add_argument(
        "--input", type=a_path, help="folder or file of a real feed; its lake is then build/SOURCE/lake unless one is named"
    )
    parser.add_argument("--listeners", type=whole(1), default=20_000, help="listeners of the world (default: 20,000)")
    parser.add_argument("--days", type=whole(1), default=40, help="days of the world (default: 40)")
    parser.add_argument("--seed", type=whole(0, SEEDS - 1), default=7, help="seed of the world (default: 7)")
    parser.add_argument("--trials", type=whole(1, MOST_TRIALS), default=4, help="models to try (default: 4)")
    parser.add_argument(
        "--campaigns", type=a_path, help="campaign file (default: infra/campaigns.yaml; infra/campaigns-small.yaml for a real feed)"
    )


def run(options: argparse.Namespace) -> Reply:
    """Run all stages, then draw the page."""
    from jobs.lake.spark import SparkLake

    address = Address.choose(lake(options))
    setting = _setting(options, address)
    for what in ("exports", "page"):
        no_file(f"the {what} folder", address.beside(f"-{what}"))
    check()
    load(setting.campaigns)  # a mistake in the file is said now, not after all stages before
    results, day = play(SparkLake(address), setting)
    return _reply(results, day, _page(day.lake, day))


def lake(options: argparse.Namespace) -> str | None:
    """Return the lake that --lake names; a real feed has one of its own unless one is named."""
    own = f"./build/{options.source}/lake" if options.source in FEEDS and VARIABLE not in os.environ else None
    return own if options.lake is None else options.lake


def play(lake: SparkLake, setting: Setting, stop: str = "") -> tuple[list[tuple[Stage, Done, float]], Day]:
    """Run intake and all stages, or those up to and with `stop`; return what each did, and the day."""
    from targeting.command import stages

    exports = lake.address.beside("-exports")
    chosen = _with_approval(stages.STAGES)
    names = [stage.name for stage in chosen]
    chosen = chosen[: names.index(stop) + 1] if stop else chosen
    intake = _intake(setting, lake)
    progress = Progress.of((*intake, *chosen))
    results = execute(intake, stages.Day(lake, (), setting.campaigns, exports, setting.trials), progress)
    day = stages.Day(lake, latest(with_events(lake.arrow), setting.recent), setting.campaigns, exports, setting.trials)
    return results + execute(chosen, day, progress), day


def latest(dates: Dates, most: int | None) -> Dates:
    """Return the last dates, at most so many; what is left out is said on stderr, with the command that does it."""
    if most is None or len(dates) <= most:
        return dates
    kept = dates[-most:]
    said = f"the feed spans {dates[0]} to {dates[-1]}; a demo works on its last {most} days"
    note(f"        {said} (the others: overtone day --from {dates[0]} --to {kept[0] - timedelta(days=1)} ...)")
    return kept


def world_setting(address: Address, world: World) -> Setting:
    """Return the setting of a known-truth world; its feed lies beside the lake, its clock stands a few days after its end."""
    clock = datetime.combine(world.last + timedelta(days=4), time(), UTC)
    feed = address.beside(f"-feed-{world.listeners}x{world.days}-{world.seed}{'' if world.signal else '-no-signal'}")
    return Setting(WORLD, feed, "none", CAMPAIGNS, clock, world)


def _setting(options: argparse.Namespace, address: Address) -> Setting:
    if options.source == WORLD:
        if options.input is not None:
            raise WrongUse(f"--input {options.input}: the world makes its own feed; name the form of this one with --source")
        chosen = world_setting(address, World(options.seed, options.listeners, options.days, FIRST_DAY))
        no_file("the feed's folder", chosen.inputs)
        return replace(chosen, trials=options.trials, campaigns=options.campaigns or CAMPAIGNS)
    if options.source not in FEEDS:
        raise WrongUse(f"unknown source {options.source!r}{did_you_mean(options.source, (WORLD, *FEEDS))}")
    if options.input is None:
        raise WrongUse(
            f"--source {options.source} reads a real feed: name its folder with --input (make demo SOURCE={options.source} INPUT=<folder>)"
        )
    if not options.input.exists():
        raise WrongUse(f"--input {options.input}: there is no such file or folder")
    campaigns = options.campaigns or Path("infra/campaigns-small.yaml")
    clock = datetime.now(UTC)
    return Setting(options.source, options.input, "assume", campaigns, clock, trials=options.trials, recent=RECENT)


def _intake(setting: Setting, lake: SparkLake) -> tuple[Stage, ...]:
    from targeting.command.stages import Done, step

    name = "native" if setting.source == WORLD else setting.source

    def world(of: World) -> Done:
        from jobs.world.make import make

        made = make(of, Address.parse(str(setting.inputs)), lake)
        return Done(made.sentence, made.changed, made.rows)

    def ingest(_: Day) -> Done:
        from jobs.ingest import ingest as take_in

        user = "demo-listener" if SOURCES[name].needs_user else None
        report = take_in(lake, name, [setting.inputs], basis=setting.basis, clock=setting.clock, user=user)
        skipped = "".join(f"\n        {one.sentence}" for one in report.skipped)
        return Done(report.sentence + skipped, report.changed, report.kept)

    taken = step("ingest", "bronze", 75, f"overtone ingest {name} {setting.inputs} --basis {setting.basis}", ingest)
    of = setting.world
    return (step("world", "files", 40, f"python -m jobs.world --seed {of.seed}", lambda _: world(of)), taken) if of else (taken,)


def _with_approval(stages: tuple[Stage, ...]) -> tuple[Stage, ...]:
    from targeting.command.stages import step

    line = f'overtone model approve VERSION --by {REVIEWER} --lake "$lake"'
    approval = step("approve", APPROVALS.name, 1, line, _approve)
    cut = [stage.name for stage in stages].index("train") + 1
    return (*stages[:cut], approval, *stages[cut:])


def _approve(day: Day) -> Done:
    """Let a person other than the author decide; in a demo the person's name says what it is."""
    from targeting.command.stages import Done

    trained = sorted(day.lake.arrow.read(TRAININGS).to_pylist(), key=lambda row: row["trained_at"])
    passed = [row for row in trained if row["gate"] == "passed" and row["version"]]
    if not trained:
        return Done("approve: no model was trained, so there is nothing to approve", changed=False)
    if not passed:
        return Done("approve: no model passed its gate, so there is nothing to approve", changed=False)
    newest = passed[-1]
    serving = [row["version"] for row in sorted(day.lake.arrow.read(APPROVALS).to_pylist(), key=lambda row: row["decided_at"])]
    if serving and serving[-1] == newest["version"]:
        return Done(f"approve: version {newest['version']} serves already", changed=False)
    from ray_tune.registry import approve

    return Done(approve(day.lake.arrow, newest["model"], newest["version"], by=REVIEWER), changed=True)


def _page(lake: SparkLake, day: Day) -> tuple[PageData, Path]:
    from jobs.catalogue import TABLES
    from jobs.contracts.operations import VERDICTS
    from targeting import feature_catalogue
    from targeting.page import collect, render
    from validation import pages

    folder = lake.address.beside("-page")
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / "index.html"
    data = collect(lake.arrow, day.last, _summary(lake))
    target.write_text(render(data), encoding="utf-8")
    (folder / "features.html").write_text(feature_catalogue.page(lake.arrow, day.last), encoding="utf-8")
    pages.render(tuple(TABLES.values()), lake.arrow.read(VERDICTS).to_pylist(), folder / "checks")
    return data, target


def _summary(lake: SparkLake) -> Mapping[str, Any] | None:
    trained = [row for row in lake.arrow.read(TRAININGS).to_pylist() if row["version"]]
    if not trained:
        return None
    from ray_tune.registry import summary

    newest = max(trained, key=lambda row: row["trained_at"])
    return summary(lake.arrow, newest["model"], newest["version"])


def _reply(results: list[tuple[Stage, Done, float]], day: Day, drawn: tuple[PageData, Path]) -> Reply:
    rows = [{"stage": s.name, "writes": s.writes, "rows": d.rows, "seconds": round(t, 1), "changed": d.changed} for s, d, t in results]
    shown, page = drawn
    told = digest(day.lake.arrow, shown, day.dates, exports=day.exports, page=page)
    data = {"stages": rows, "date": day.last.isoformat(), "page": str(page.resolve()), "summary": told}
    done = f"nothing to do: all {len(rows)} stages up to {day.last} are done\n"
    return Reply(data, ("" if any(row["changed"] for row in rows) else done) + lines(told))
