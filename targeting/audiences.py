"""Audiences: who a campaign may reach. Consent and minimum size are enforced here again, whatever the tables before say."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import reduce
from typing import TYPE_CHECKING, Any

from pyspark.sql import functions as F

from jobs.contracts.delivery import AUDIENCES, BOOKINGS, CLUSTERS, LINEAGE, MEMBERS, SCORES
from jobs.contracts.derived import USER_FEATURES, USER_SEGMENTS
from jobs.contracts.silver import AGREED, SILVER_LISTENERS
from jobs.run import NOTHING, PUBLISHED, Job, Outcome, Read, run
from targeting.binding import Bound, bound
from targeting.campaigns import Campaign, load
from targeting.habits import JOB as HABITS
from validation.gates.release import GRAIN, release

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date
    from pathlib import Path

    from pyspark.sql import DataFrame

    from jobs.console import Dates
    from jobs.lake.spark import SparkLake

BUILT, SMALL, REFUSED = "built", "too_small", "refused"
MADE_OF = (Read(USER_SEGMENTS), Read(CLUSTERS), Read(SCORES), Read(SILVER_LISTENERS), Read(LINEAGE, history=True))


@dataclass(frozen=True)
class Given:
    """The tables that audiences are made of, in the order of `MADE_OF`."""

    segments: DataFrame
    clusters: DataFrame
    scores: DataFrame
    listeners: DataFrame
    lineage: DataFrame


@dataclass(frozen=True)
class Size:
    """What an audience would hold: members, those of them withheld, the bases of their consent, and the model that scored."""

    listeners: int = 0
    holdout: int = 0
    bases: tuple[str, ...] = ()
    version: str | None = None


def build(lake: SparkLake, day: date, file: Path) -> Outcome:
    """Build the audiences of a campaign file for a date, and book the campaigns."""
    campaigns = load(file)
    done = [run(job, lake, [day]) for job in (*jobs(campaigns), HABITS)]
    changed = any(one.state == PUBLISHED for one in done)
    if not changed:
        return Outcome(AUDIENCES.name, NOTHING, (), sentence=f"{AUDIENCES.name}: nothing to do")
    rows = lake.arrow.read(AUDIENCES, [day]).to_pylist()
    counts = {state: sum(row["state"] == state for row in rows) for state in (BUILT, SMALL, REFUSED)}
    told = ", ".join(f"{n} {state.replace('_', ' ')}" for state, n in counts.items() if n)
    return Outcome(AUDIENCES.name, PUBLISHED, (day,), len(rows), sentence=f"{AUDIENCES.name}: {len(rows)} asked for: {told}")


def jobs(campaigns: Sequence[Campaign]) -> tuple[Job, Job, Job]:
    """Return the jobs of audiences, members and bookings, in that order: an audience is judged once, the others follow.

    The campaigns' definitions are arguments, so the fingerprints cover them.
    """

    def judge(*frames: DataFrame, dates: Dates) -> DataFrame:
        return audiences(campaigns, Given(*frames[: len(MADE_OF)]), dates=dates)

    def fill(*frames: DataFrame, dates: Dates) -> DataFrame:
        return members(campaigns, Given(*frames[: len(MADE_OF)]), frames[len(MADE_OF)], dates=dates)

    def book(judged: DataFrame, *, dates: Dates) -> DataFrame:
        return bookings(campaigns, judged, dates=dates)

    args = {one.name: one.definition for one in campaigns}
    # Of the features only their being there counts: a date of which nobody stated consent has audiences too, refused ones.
    return (
        Job((*MADE_OF, Read(USER_FEATURES)), AUDIENCES, judge, args=args),
        Job((*MADE_OF, Read(AUDIENCES)), MEMBERS, fill, args=args),
        Job((Read(AUDIENCES),), BOOKINGS, book, args=args),
    )


def audiences(campaigns: Sequence[Campaign], given: Given, *, dates: Dates) -> DataFrame:
    """Return one row a campaign: what it asked for and what came of it."""
    decided = decide(campaigns, candidates(campaigns, given), given, dates=dates)
    return _frame(given.listeners, AUDIENCES.ddl, decided, AUDIENCES.names)


def members(campaigns: Sequence[Campaign], given: Given, judged: DataFrame, *, dates: Dates) -> DataFrame:
    """Return the members of the audiences that were judged to be built."""
    built = judged.where(F.col("state") == BUILT).where(F.col("date").isin(*dates)).select("date", "audience")
    found = candidates(campaigns, given).join(built, ["date", "audience"], "left_semi")
    return found.select("date", "audience", "listener_id", "holdout")


def bookings(campaigns: Sequence[Campaign], judged: DataFrame, *, dates: Dates) -> DataFrame:
    """Return one row a campaign: booked where its audience is built and its flight is not over."""
    by_name = {one.name: one for one in campaigns}
    found = judged.where(F.col("date").isin(*dates)).orderBy("date", "audience").collect()
    rows = [_booking(by_name[row["audience"]], row.asDict()) for row in found if row["audience"] in by_name]
    return _frame(judged, BOOKINGS.ddl, rows, BOOKINGS.names)


def candidates(campaigns: Sequence[Campaign], given: Given) -> DataFrame:
    """Return who each campaign asks for among listeners who allow it, with the holdout drawn."""
    mine = given.segments.groupBy("date", "listener_id").agg(F.collect_set("segment").alias("segments"))
    known = _allowed(given.listeners).join(mine, ["date", "listener_id"], "left").join(given.clusters, ["date", "listener_id"], "left")
    top = _top(campaigns, given.scores)
    parts = [
        _asked(one, known, top).select("date", F.lit(one.name).alias("audience"), "listener_id", "basis", _holdout(one))
        for one in campaigns
    ]
    return reduce(lambda left, right: left.unionByName(right), parts)


def decide(campaigns: Sequence[Campaign], found: DataFrame, given: Given, *, dates: Dates) -> list[dict[str, Any]]:
    """Judge every audience by the release gate's minimum; refuse what asks for scores where nothing was scored."""
    sized = found.groupBy("date", "audience").agg(
        F.count("*").alias("listeners"), F.count_if("holdout").alias("holdout"), F.sort_array(F.collect_set("basis")).alias("bases")
    )
    sizes = {(row["date"], row["audience"]): Size(row["listeners"], row["holdout"], tuple(row["bases"])) for row in sized.collect()}
    versions = {row["date"]: row["version"] for row in given.scores.groupBy("date").agg(F.max("model_version").alias("version")).collect()}
    agreed = {row["date"] for row in _allowed(given.listeners).select("date").distinct().collect()}
    events = [row.asDict() for row in given.lineage.where("event <> 'kept'").collect()]
    return [
        _decision(one, day, size, bound(one.clusters, events, day), _obstacle(one, versions.get(day), agreed=day in agreed))
        for day in dates
        for one in campaigns
        for size in [replace(sizes.get((day, one.name), Size()), version=versions.get(day))]
    ]


def _allowed(listeners: DataFrame) -> DataFrame:
    """Return who may be addressed; the flag alone is not believed."""
    return listeners.where(f"ads_allowed AND {AGREED}").select("date", "listener_id", "basis")


def _asked(campaign: Campaign, known: DataFrame, top: Mapping[str, DataFrame]) -> DataFrame:
    """Return the listeners who fit a campaign's words."""
    frame = known
    if campaign.include:
        frame = frame.where(F.arrays_overlap("segments", F.array(*(F.lit(name) for name in campaign.include))))
    if campaign.clusters:
        frame = frame.where(F.col("cluster").isin(*campaign.clusters))
    if campaign.exclude:
        excluded = F.arrays_overlap("segments", F.array(*(F.lit(name) for name in campaign.exclude)))
        frame = frame.where(~F.coalesce(excluded, F.lit(False)))  # noqa: FBT003
    if campaign.top_share is not None:
        best = top[campaign.category].where(F.col("above") < campaign.top_share).select("date", "listener_id")
        frame = frame.join(best, ["date", "listener_id"], "left_semi")
    return frame


def _top(campaigns: Sequence[Campaign], scores: DataFrame) -> dict[str, DataFrame]:
    """Rank listeners by score within a category: `above` is the share of listeners who score higher."""
    wanted = sorted({one.category for one in campaigns if one.top_share is not None})
    ranked = scores.selectExpr(
        "date",
        "listener_id",
        "category",
        "(row_number() OVER (PARTITION BY date, category ORDER BY score DESC, listener_id) - 1)"
        " / count(*) OVER (PARTITION BY date, category) AS above",
    )
    return {category: ranked.where(F.col("category") == category) for category in wanted}


def _holdout(campaign: Campaign) -> Any:
    """Draw the holdout: the same listener and campaign always fall on the same side; the pseudonym is keyed already."""
    draw = F.pmod(F.xxhash64("listener_id", F.lit(campaign.name)), F.lit(1_000_000)) / 1_000_000
    return (draw < campaign.holdout).alias("holdout")


def _obstacle(campaign: Campaign, version: str | None, *, agreed: bool) -> str:
    """Return why a date has no audience of a campaign, whoever it asks for; empty where nothing stands in the way."""
    if campaign.top_share is not None and version is None:
        return "it asks for scores, and no model was approved as champion"
    return "" if agreed else "no listener of that date has agreed to advertising (overtone ingest --basis)"


def _decision(campaign: Campaign, day: date, size: Size, clusters: Bound, obstacle: str) -> dict[str, Any]:
    reach = size.listeners - size.holdout
    verdict = release(campaign.name, listeners=reach, minimum=campaign.minimum, bases=size.bases, without_consent=0)
    large = next(check for check in verdict.checks if check.rule == "minimum_size").success
    if obstacle:
        state, reason = REFUSED, obstacle
    elif campaign.clusters and not clusters.living:
        state, reason = REFUSED, "none of its clusters lives on"
    elif not large:
        state, reason = SMALL, f"fewer than {campaign.minimum:,} listeners can be reached"
    else:
        state, reason = BUILT, f"at least {campaign.minimum:,} listeners can be reached"
    if not obstacle:
        reason = ": ".join((reason, "; ".join(clusters.told))) if clusters.told else reason
    built = state == BUILT
    return {
        "date": day,
        "audience": campaign.name,
        "advertiser": campaign.advertiser,
        "state": state,
        "reason": reason,
        "listeners": reach // GRAIN * GRAIN if built else None,
        "holdout": size.holdout // GRAIN * GRAIN if built else None,
        "minimum": campaign.minimum,
        "basis": ",".join(size.bases) or None if built else None,
        "model_version": size.version if built and campaign.top_share is not None else None,
        "definition": campaign.definition,
    }


def _booking(campaign: Campaign, audience: Mapping[str, Any]) -> dict[str, Any]:
    over = campaign.last_day < audience["date"]
    state = "booked" if audience["state"] == BUILT and not over else "refused"
    reason = (
        f"its flight ended on {campaign.last_day}"
        if over
        else f"its audience is {audience['state'].replace('_', ' ')}: {audience['reason']}"
    )
    return {
        "date": audience["date"],
        "campaign": campaign.name,
        "state": state,
        "reason": reason,
        **{name: getattr(campaign, name) for name in ("advertiser", "first_day", "last_day", "budget_micros", "currency", "cap_per_day")},
    }


def _frame(near: DataFrame, ddl: str, rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> DataFrame:
    return near.sparkSession.createDataFrame([tuple(row[name] for name in names) for row in rows], ddl)
