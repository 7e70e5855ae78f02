"""`overtone leaks`: whether training examples hold anything that was not known before them, by two clocks."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING, Any

from jobs.console import add_dates, asked
from jobs.contracts.derived import EXAMPLES, REPLAYS, USER_DAYS
from jobs.contracts.silver import SILVER_LISTENERS
from jobs.lake.address import Address
from jobs.lake.arrow import ArrowLake
from jobs.lake.commit import Note
from targeting.command.place import opened
from targeting.command.reply import Reply, table
from validation.gates.leaks import Compared, leaks
from validation.verdict import Refused

if TYPE_CHECKING:
    import argparse
    from datetime import date

    from jobs.lake.spark import SparkLake

HELP = "replay training examples against what was known before them, and list every value that was not"
EXAMPLE = "overtone leaks --date 2026-11-01"
MOST, MOST_JSON = 100, 100_000  # values that are listed for people, and by --json
NAIVE = "also train on features joined by the date of events alone, whenever they became known, and say what that would have claimed"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    add_dates(parser)
    parser.add_argument("--naive", action="store_true", help=NAIVE)


def run(options: argparse.Namespace) -> Reply:
    """Replay the examples of the dates; a value that was not known ends with the exit code of a gate that refuses."""
    from jobs import replays
    from jobs.lake.spark import SparkLake
    from jobs.run import frames
    from jobs.run import run as run_job

    opened(options.lake)
    lake, dates = SparkLake(Address.choose(options.lake)), asked(options)
    run_job(replays.JOB, lake, dates)
    found = lake.arrow.read(REPLAYS, dates).to_pylist()
    verdict = leaks(EXAMPLES.name, [Compared(row["clock"], row["feature"], row["examples"], row["leaked"]) for row in found])
    values: list[dict[str, Any]] = []
    if not verdict.success:
        most = MOST_JSON if options.json else MOST
        values = [row.asDict() for row in replays.leaked(*frames(replays.JOB, lake, dates), dates=dates).limit(most).collect()]
    checks = [{"clock": one.rule.removeprefix("clock_"), "found": one.observed, "asked": one.expected} for one in verdict.checks]
    data: dict[str, object] = {"dates": [str(day) for day in dates], "clocks": checks, "leaked": values}
    lines = [table(checks, ("clock", "found", "asked"), empty="")]
    if values:
        more = sum(row["leaked"] for row in found) - len(values)
        lines += ["", table(values, ("date", "clock", "impression_id", "feature", "found", "known"), empty="")]
        lines += [f"{more:,} more: --json lists up to {MOST_JSON:,}"] if more else []
    if options.naive:
        data["naive"] = naive(lake, max(dates))
        lines += ["", _said(data["naive"])]
    return Reply(data, "\n".join(lines), 0 if verdict.success else Refused.exit_code)


def naive(lake: SparkLake, as_of: date) -> dict[str, Any]:
    """Train on what a join by event dates alone would give, features of the impression's own date included, and compare the claims."""
    from jobs.replays import joined_naively
    from ray_tune.claim import claim
    from ray_tune.examples import read
    from ray_tune.models.response import RESPONSE

    with tempfile.TemporaryDirectory(prefix="overtone-naive-") as scratch:
        beside = ArrowLake(Address.parse(f"{scratch}/lake"))
        rows = joined_naively(lake.read(EXAMPLES).where(f"date <= DATE'{as_of}'"), lake.read(USER_DAYS)).select(*EXAMPLES.names)
        beside.overwrite(EXAMPLES, rows.toArrow(), None, Note("naive"))
        beside.overwrite(SILVER_LISTENERS, lake.arrow.read(SILVER_LISTENERS, [as_of]), None, Note("naive"))
        found = claim(RESPONSE, read(lake.arrow, RESPONSE, as_of), read(beside, RESPONSE, as_of))
    ends = {name: [one.value, one.low, one.high] for name, one in (("honest", found.honest), ("naive", found.claimed), ("gap", found.gap))}
    return {"as_of": str(as_of), "rows": found.rows, "auc": ends}


def _said(found: Any) -> str:
    honest, claimed, gap = ("{:.3f} [{:.3f}, {:.3f}]".format(*found["auc"][name]) for name in ("honest", "naive", "gap"))
    rows = f"{found['rows']:,} test rows up to {found['as_of']}"
    return f"AUC {honest} as known; a naive join would have claimed {claimed}, {gap} more than there is ({rows}; one setting, no search)"
