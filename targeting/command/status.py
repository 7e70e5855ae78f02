"""`overtone status`: what is published for which date, what is stale or late, what was held back."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from jobs.catalogue import TABLES
from jobs.contracts.operations import QUARANTINE
from jobs.contracts.silver import MATCHES, SILVER_TRACKS
from targeting.command.freshness import COLUMNS, held_back, judge, told
from targeting.command.model import versions
from targeting.command.place import nothing, opened
from targeting.command.reply import Reply, table
from validation.verdict import OvertoneError

if TYPE_CHECKING:
    import argparse

    from jobs.lake.arrow import ArrowLake
    from jobs.run import Job
    from ray_tune.scorer import Scorer
    from validation.contract import Table

HELP = "say what is published for which date, which versions, what is stale, late and held back"
MODEL = "response"  # the model whose champion scores
EXAMPLE = "overtone status --json"


def configure(parser: argparse.ArgumentParser) -> None:
    """There are no arguments of its own."""
    parser.set_defaults(action=None)


def run(options: argparse.Namespace) -> Reply:
    """Read the logs of all tables."""
    lake = opened(options.lake)
    stale = stale_dates(lake)
    tables = [_state(lake, one, stale.get(one.name, [])) for one in TABLES.values() if lake.exists(one)]
    held, late = held_back(lake), [told(one) for one in judge(lake, datetime.now(UTC)) if one.late] if tables else []
    models, tracks = versions(lake), matched(lake)
    text = "\n\n".join(
        (
            f"lake {lake.address.uri}",
            table(tables, ("table", "version", "dates", "first", "last", "stale", "refused"), empty="nothing is published yet"),
            "models\n" + table(models, ("model", "version", "as_of", "gate", "champion", "approved_by"), empty="no model was trained yet"),
            "tracks found in a catalogue\n" + table(tracks, ("feed", "tracks", "share", *MATCHES), empty="no track was heard yet"),
            "late\n" + table(late, COLUMNS, empty="nothing is late"),
            "held back\n" + table(held, ("table", "dates", "rule", "observed", "expected"), empty="nothing was held back"),
            _advice(stale) if tables else nothing(lake, ""),
        )
    )
    found = {"tables": tables, "models": models, "tracks": tracks, "late": late, "held_back": held, "stale": stale}
    return Reply({"lake": lake.address.uri, **found}, text)


def stale_dates(lake: ArrowLake) -> dict[str, list[str]]:
    """Return, a table, the dates whose rows do not match their inputs any more.

    Of fans, scores, clusters and communities only the latest date is asked: they are made for no other. Audiences depend on a campaign file
    besides, which `overtone audience build` compares.
    """
    from jobs.run import stale
    from targeting.command.day import with_events
    from validation.verdict import WrongUse

    try:
        dates = with_events(lake)
    except WrongUse:
        return {}
    asked = [(one, dates[-1:] if newest else dates) for one, newest in _made()] + [(one, dates[-1:]) for one in _delivered(lake)]
    found = {one.writes.name: sorted(str(day) for day in stale(one, lake, days)) for one, days in asked}
    return {name: days for name, days in found.items() if days}


def jobs_of(lake: ArrowLake) -> list[Job]:
    """Return the jobs that make tables of a lake, but those that depend on a campaign file."""
    return [*(one for one, _ in _made()), *_delivered(lake)]


def _made() -> list[tuple[Job, bool]]:
    """Return the jobs of jobs/, each with whether it is asked for the latest date alone."""
    from importlib import import_module

    from targeting.command.stages import JOBS, LATEST

    return [(import_module(f"jobs.{name}").JOB, name in LATEST) for name in JOBS]


def _delivered(lake: ArrowLake) -> list[Job]:
    from ray_tune.ledger import serving
    from targeting import clusters, communities

    jobs = [one for one in (*clusters.JOBS, communities.FIND, communities.ASSIGN) if lake.exists(one.writes)]
    version = serving(lake, MODEL)
    if version is None:
        return jobs
    from targeting import scoring  # takes MLflow along

    return [scoring.job(_nothing_to_fetch, version), *jobs]


def _nothing_to_fetch() -> Scorer:
    raise OvertoneError("what is stale is decided without a model")


def matched(lake: ArrowLake) -> list[dict[str, object]]:
    """Return, a feed, how many tracks it named, the share that a catalogue knows, and what each was known by."""
    named = lake.read(SILVER_TRACKS, columns=["feed", "lookup", "matched_by"]).group_by(["feed", "lookup", "matched_by"]).aggregate([])
    counted = named.group_by(["feed", "matched_by"]).aggregate([([], "count_all")]).to_pylist()
    counts: dict[str, dict[str, int]] = {}
    for row in counted:
        counts.setdefault(row["feed"], dict.fromkeys(MATCHES, 0))[row["matched_by"]] = row["count_all"]
    return [
        {"feed": feed, "tracks": sum(by.values()), "share": f"{1 - by['none'] / sum(by.values()):.1%}", **by}
        for feed, by in sorted(counts.items())
    ]


def _state(lake: ArrowLake, one: Table, stale: list[str]) -> dict[str, object]:
    dates = sorted(day for day in lake.files(one) if day)
    refused = lake.read(QUARANTINE, columns=["target"]).column("target").to_pylist().count(one.name)
    return {
        "table": one.name,
        "version": lake.version(one),
        "dates": len(dates),
        "first": dates[0] if dates else None,
        "last": dates[-1] if dates else None,
        "stale": len(stale),
        "refused": refused,
    }


def _advice(stale: dict[str, list[str]]) -> str:
    if not stale:
        return "nothing is stale: every row is made of the inputs as they are now"
    names = ", ".join(f"{name} ({len(days)})" for name, days in stale.items())
    return f"stale: {names}; overtone day --stale brings them up to date"
