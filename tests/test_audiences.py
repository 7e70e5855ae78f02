"""Audiences: whom a campaign may reach, against a plain-Python oracle; consent, minimum and holdout hold whatever the tables say."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import date, timedelta
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
import yaml
from pyspark.sql import functions as F
from small_lake import DAY, campaign, one, put, said, who

from jobs.contracts.delivery import AUDIENCES, BOOKINGS, CLUSTERS, LINEAGE, MEMBERS, SCORES
from jobs.contracts.derived import USER_FEATURES, USER_SEGMENTS
from jobs.contracts.events import AGE_BANDS, BASES, CONSENTS
from jobs.contracts.silver import SILVER_LISTENERS
from jobs.fingerprint import code_of
from jobs.lake.address import Address
from jobs.lake.arrow import ArrowLake
from jobs.lake.schema import arrow_schema
from jobs.lake.spark import SparkLake
from jobs.run import NOTHING, PUBLISHED, run, stale
from jobs.segments import SEGMENTS
from targeting import audiences
from targeting.audiences import Given, build
from targeting.campaigns import load

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from pyspark.sql import DataFrame, SparkSession

    from targeting.campaigns import Campaign
    from validation.contract import Table

NEXT = DAY + timedelta(days=1)
ADULTS = {"18_24", "25_34", "35_44", "45_54", "55_plus"}
TABLES = (USER_SEGMENTS, CLUSTERS, SCORES, SILVER_LISTENERS, LINEAGE)


@dataclass(frozen=True)
class Town:
    """Everything that audiences are made of: rows of the five tables."""

    segments: Sequence[Mapping[str, Any]] = ()
    clusters: Sequence[Mapping[str, Any]] = ()
    scores: Sequence[Mapping[str, Any]] = ()
    listeners: Sequence[Mapping[str, Any]] = ()
    lineage: Sequence[Mapping[str, Any]] = ()

    @property
    def rows(self) -> tuple[Sequence[Mapping[str, Any]], ...]:
        return (self.segments, self.clusters, self.scores, self.listeners, self.lineage)

    def frames(self, spark: SparkSession) -> Given:
        return Given(*(frame(spark, table, rows) for table, rows in zip(TABLES, self.rows, strict=True)))

    def fill(self, lake: SparkLake, *days: date) -> None:
        for table, rows in zip(TABLES, self.rows, strict=True):
            put(lake.arrow, table, rows, *days or (DAY,))


def frame(spark: SparkSession, table: Table, rows: Sequence[Mapping[str, Any]]) -> DataFrame:
    return spark.createDataFrame(pa.Table.from_pylist([dict(row) for row in rows], arrow_schema(table)))


def in_segment(n: int, segment: str = "active", day: date = DAY) -> dict[str, Any]:
    return {"date": day, "listener_id": who(n), "segment": segment}


def in_cluster(n: int, cluster: str, day: date = DAY) -> dict[str, Any]:
    return {"date": day, "listener_id": who(n), "cluster": cluster}


def scored(n: int, score: float, category: str = "food", day: date = DAY) -> dict[str, Any]:
    return {"date": day, "listener_id": who(n), "category": category, "score": score, "model_version": "3"}


def made(spark: SparkSession, campaigns: Sequence[Campaign], town: Town, *days: date) -> tuple[dict[str, set[str]], dict[str, Any]]:
    """Return members by audience, holdout included, and the audiences' rows by name."""
    given = town.frames(spark)
    judged = audiences.audiences(campaigns, given, dates=days or (DAY,)).cache()
    found: dict[str, set[str]] = {}
    for row in audiences.members(campaigns, given, judged, dates=days or (DAY,)).collect():
        assert row["listener_id"] not in found.setdefault(row["audience"], set()), "a listener twice in one audience"
        found[row["audience"]].add(row["listener_id"])
    return found, {row["audience"]: row for row in judged.collect()}


def random_town(rng: np.random.Generator, people: int) -> Town:
    """A town where every table contradicts the others: segments, clusters and scores of people who never agreed, flags that lie."""
    listeners, segments, clusters, scores = [], [], [], []
    for n in range(people):
        if rng.random() < 0.95:
            consent, age = str(rng.choice(CONSENTS, p=[0.7, 0.1, 0.1, 0.1])), str(rng.choice(AGE_BANDS))
            lie = {"ads_allowed": True} if rng.random() < 0.1 else {}
            listeners.append(said(n, consent=consent, age=age, basis=str(rng.choice(BASES)), **lie))
        names = rng.choice([one.name for one in SEGMENTS], size=rng.integers(0, 5), replace=False)
        segments += [in_segment(n, str(name)) for name in names]
        if rng.random() < 0.9:
            clusters.append(in_cluster(n, f"c{rng.integers(1, 5)}"))
        if rng.random() < 0.9:
            scores += [scored(n, round(rng.random(), 2), category) for category in ("food", "gaming")]
    return Town(segments, clusters, scores, listeners)


def random_campaign(rng: np.random.Generator, number: int) -> Campaign:
    names = [str(name) for name in rng.choice([one.name for one in SEGMENTS], size=5, replace=False)]
    cut = int(rng.integers(0, 4))
    share = round(float(rng.uniform(0.05, 1)), 2) if rng.random() < 0.5 or cut == 0 else None
    clusters = tuple(str(name) for name in rng.choice(["c1", "c2", "c3", "c4"], size=2, replace=False)) if rng.random() < 0.4 else ()
    return campaign(
        f"campaign_{number}",
        include=tuple(names[:cut]),
        exclude=tuple(names[4:]) if rng.random() < 0.5 else (),
        clusters=clusters,
        top_share=share,
        category=str(rng.choice(["food", "gaming"])),
        minimum=int(rng.choice([5, 15])),
        holdout=float(rng.choice([0.0, 0.2])),
    )


def may_be_reached(row: Mapping[str, Any]) -> bool:
    """The rule in words: consent granted by a known adult, or vouched for by an operator who assumes it; the flag must say so too."""
    of_age = row["age_band"] in ADULTS or (row["age_band"] == "unknown" and row["basis"] == "assume")
    return bool(row["ads_allowed"]) and row["consent"] == "granted" and of_age


def oracle(wanted: Campaign, town: Town) -> set[str]:
    """Whom a campaign asks for, by sets and loops."""
    segments: dict[str, set[str]] = {}
    for row in town.segments:
        segments.setdefault(row["listener_id"], set()).add(row["segment"])
    cluster = {row["listener_id"]: row["cluster"] for row in town.clusters}
    ranked = sorted((row for row in town.scores if row["category"] == wanted.category), key=lambda row: (-row["score"], row["listener_id"]))
    best = ranked[: math.ceil(Fraction(str(wanted.top_share)) * len(ranked))] if wanted.top_share else ranked
    found = set()
    for row in town.listeners:
        name = row["listener_id"]
        mine = segments.get(name, set())
        fits = (not wanted.include or mine & set(wanted.include)) and not mine & set(wanted.exclude)
        fits = fits and (not wanted.clusters or cluster.get(name) in wanted.clusters)
        if may_be_reached(row) and fits and (wanted.top_share is None or name in {one["listener_id"] for one in best}):
            found.add(name)
    return found


@pytest.mark.parametrize("seed", range(3))
def test_members_are_whom_the_words_ask_for_and_nobody_else(spark: SparkSession, seed: int) -> None:
    rng = np.random.default_rng(seed)
    town = random_town(rng, 300)
    campaigns = [random_campaign(rng, number) for number in range(10)]
    given = town.frames(spark)
    asked = audiences.candidates(campaigns, given).toArrow()
    found = {one.name: [row for row in asked.to_pylist() if row["audience"] == one.name] for one in campaigns}
    allowed = {row["listener_id"] for row in town.listeners if may_be_reached(row)}
    for wanted in campaigns:
        names = [row["listener_id"] for row in found[wanted.name]]
        assert len(set(names)) == len(names), "a listener twice in one audience"
        assert set(names) == oracle(wanted, town)
        assert set(names) <= allowed
    judged = audiences.decide(campaigns, spark.createDataFrame(asked), given, dates=(DAY,))
    assert [row["audience"] for row in judged] == [one.name for one in campaigns]
    states = [row["state"] for row in judged]
    assert states.count("built") >= 2 <= states.count("too_small"), "the towns hold audiences of both kinds"
    for wanted, row in zip(campaigns, judged, strict=True):
        assert_told(row, wanted, found[wanted.name])


def assert_told(row: Mapping[str, Any], wanted: Campaign, members: Sequence[Mapping[str, Any]]) -> None:
    """What is told of an audience follows from its members: sizes rounded down to ten, or nothing below the minimum."""
    held = sum(member["holdout"] for member in members)
    reach = len(members) - held
    sizes = (row["listeners"], row["holdout"], row["basis"], row["model_version"])
    if reach >= wanted.minimum:
        version = "3" if wanted.top_share else None
        assert row["state"] == "built"
        assert sizes == (reach // 10 * 10, held // 10 * 10, ",".join(sorted({member["basis"] for member in members})), version)
    else:
        assert row["state"] == "too_small"
        assert sizes == (None, None, None, None)


def everybody(n: int, **words: Any) -> Town:
    return Town([in_segment(i) for i in range(n)], (), (), [said(i, **words) for i in range(n)])


@pytest.mark.parametrize("share", [0.5, 0.3, 0.07, 1.0])
def test_a_share_of_the_best_is_counted_not_guessed(spark: SparkSession, share: float) -> None:
    """3 of 10 are 3, 7 of 100 are 7, all are all; equal scores do not widen the share."""
    town = replace(everybody(100), scores=[scored(n, 0.5 if n < 60 else n / 1000) for n in range(100)])
    found, rows = made(spark, [campaign("best", include=(), top_share=share, minimum=1)], town)
    assert len(found["best"]) == round(100 * share)
    assert found["best"] <= {who(n) for n in range(60)} or share > 0.6
    assert rows["best"]["model_version"] == "3"


def test_a_size_below_the_minimum_is_told_to_nobody(spark: SparkSession) -> None:
    """At the minimum it is built; one below, nothing is told but that it is too small, as for an audience of none."""
    wanted = [campaign("enough", minimum=37), campaign("short", minimum=38), campaign("nobody", include=("drivers",))]
    found, rows = made(spark, wanted, everybody(37))
    assert set(found) == {"enough"}
    assert rows["enough"]["listeners"] == 30
    for name in ("short", "nobody"):
        row = rows[name].asDict()
        assert row["state"] == "too_small"
        assert row["reason"] == f"fewer than {row['minimum']} listeners can be reached"
        assert "37" not in str({**row, "definition": None})


def test_one_listener_more_or_less_shows_in_no_size(spark: SparkSession) -> None:
    given = everybody(42).frames(spark)
    for n in (41, 42):
        found = frame(spark, MEMBERS, [one(MEMBERS, audience="all", listener_id=who(i)) for i in range(n)]).withColumn(
            "basis", F.lit("feed")
        )
        (row,) = audiences.decide([campaign("all")], found, given, dates=(DAY,))
        assert row["listeners"] == 40


def test_the_holdout_is_drawn_once_for_a_listener_and_a_campaign(spark: SparkSession) -> None:
    """About the share asked for, the same on every day and in every company, another draw for another campaign."""
    people, share = 4_000, 0.2
    wanted = [campaign("one", holdout=share), campaign("two", holdout=share), campaign("none")]
    town = everybody(people)
    tomorrow = [[{**row, "date": NEXT} for row in rows] for rows in town.rows]
    both = Town(*(list(rows) + later[: people // 2] for rows, later in zip(town.rows, tomorrow, strict=True)))
    given = both.frames(spark)
    judged = audiences.audiences(wanted, given, dates=(DAY, NEXT))
    rows = audiences.members(wanted, given, judged, dates=(DAY, NEXT)).collect()
    drawn = {(row["date"], row["audience"]): set() for row in rows}
    for row in rows:
        if row["holdout"]:
            drawn[row["date"], row["audience"]].add(row["listener_id"])
    one, two = drawn[DAY, "one"], drawn[DAY, "two"]
    spread = math.sqrt(people * share * (1 - share))
    assert abs(len(one) - people * share) < 4 * spread
    assert abs(len(two) - people * share) < 4 * spread
    assert abs(len(one & two) - people * share**2) < 4 * math.sqrt(people * share**2)
    assert not drawn[DAY, "none"]
    assert drawn[NEXT, "one"] == {name for name in one if int(name, 16) < people // 2}


def test_the_minimum_counts_whom_the_campaign_can_reach(spark: SparkSession) -> None:
    """Half of 60 are withheld: 60 would be enough, those left are not."""
    found, rows = made(spark, [campaign("half", holdout=0.5, minimum=50)], everybody(60))
    assert (found, rows["half"]["state"]) == ({}, "too_small")


def test_without_a_champion_scores_are_refused_and_the_others_built(spark: SparkSession) -> None:
    wanted = [campaign("likely", top_share=0.5), campaign("plain")]
    found, rows = made(spark, wanted, everybody(20))
    assert set(found) == {"plain"}
    assert (rows["likely"]["state"], rows["likely"]["reason"]) == ("refused", "it asks for scores, and no model was approved as champion")
    assert rows["plain"]["model_version"] is None


def test_of_a_feed_without_consent_every_audience_is_refused_with_the_reason(spark: SparkSession) -> None:
    silent = [said(1, consent="unknown"), said(2, age="under_18"), said(3, age="unknown")]
    for town in (Town([in_segment(n) for n in (1, 2, 3)], listeners=silent), Town()):
        found, rows = made(spark, [campaign("plain")], town)
        assert not found
        assert (rows["plain"]["state"], rows["plain"]["listeners"]) == ("refused", None)
        assert rows["plain"]["reason"].startswith("no listener of that date has agreed to advertising")


def test_a_campaign_follows_its_clusters_or_is_told_why_not(spark: SparkSession) -> None:
    """c1 split, c2 merged into c1, c3 died, c4 was never there; what is yet to come, or of another date, is not told."""

    def event(cluster: str, kind: str, other: str | None = None, day: date = DAY, share: float | None = 0.62) -> dict[str, Any]:
        return {"date": day, "cluster": cluster, "event": kind, "other": other, "share": share}

    born = [event(f"c{n}", "birth", day=DAY - timedelta(days=2), share=None) for n in (1, 2, 3)]
    happened = [event("c5", "split", "c1", share=0.38), event("c2", "merge", "c1"), event("c3", "death", "c5", share=0.4)]
    later = [event("c1", "death", day=NEXT), event("c9", "kept")]
    town = replace(everybody(20), clusters=[in_cluster(n, "c1") for n in range(20)], lineage=[*born, *happened, *later])
    asked = {"split": ("c1",), "merged": ("c2",), "dead": ("c3",), "never": ("c4",), "both": ("c1", "c2")}
    found, rows = made(spark, [campaign(name, clusters=clusters) for name, clusters in asked.items()], town)
    assert {name: len(mine) for name, mine in found.items()} == {"split": 20, "both": 20}
    split = "cluster c5 split off from c1 with 38% of its listeners, on 2026-11-09; c1 is the part that is followed"
    merged = "cluster c2 merged into c1, where 62% of its listeners are, on 2026-11-09; name c1 to reach them"
    dead = "cluster c3 ended; the largest part of its listeners, 40%, is in c5, on 2026-11-09; name c5 to reach them"
    assert {name: row["reason"] for name, row in rows.items()} == {
        "split": f"at least 10 listeners can be reached: {split}",
        "merged": f"none of its clusters lives on: {merged}",
        "dead": f"none of its clusters lives on: {dead}",
        "never": "none of its clusters lives on: there never was a cluster c4",
        "both": f"at least 10 listeners can be reached: {split}; {merged}",
    }
    assert {name: row["state"] for name, row in rows.items() if name not in found} == dict.fromkeys(("merged", "dead", "never"), "refused")


def test_assumed_consent_makes_audiences_that_say_so(spark: SparkSession) -> None:
    found, rows = made(spark, [campaign("plain")], everybody(20, age="unknown", basis="assume"))
    assert (len(found["plain"]), rows["plain"]["basis"]) == (20, "assume")


def test_a_campaign_is_booked_on_a_built_audience_while_its_flight_lasts(spark: SparkSession) -> None:
    over = {"first_day": date(2026, 10, 1), "last_day": DAY - timedelta(days=1)}
    wanted = [
        campaign("good"),
        campaign("last_chance", **over | {"last_day": DAY}),
        campaign("over", **over),
        campaign("small", minimum=21),
    ]
    judged = audiences.audiences(wanted, everybody(20).frames(spark), dates=(DAY,))
    rows = audiences.bookings(wanted, judged, dates=(DAY,)).collect()
    told = {row["campaign"]: (row["state"], row["reason"]) for row in rows}
    assert told == {
        "good": ("booked", "its audience is built: at least 10 listeners can be reached"),
        "last_chance": ("booked", "its audience is built: at least 10 listeners can be reached"),
        "over": ("refused", "its flight ended on 2026-11-08"),
        "small": ("refused", "its audience is too small: fewer than 21 listeners can be reached"),
    }
    good = next(row for row in rows if row["campaign"] == "good")
    assert (good["budget_micros"], good["currency"], good["cap_per_day"], good["first_day"]) == (
        12_000_000_000,
        "EUR",
        3,
        date(2026, 11, 10),
    )


def test_the_fingerprint_covers_the_campaigns_and_this_code() -> None:
    for job, other in zip(*(audiences.jobs([campaign("a", minimum=n)]) for n in (10, 11)), strict=True):
        assert job.args != other.args
        assert job.build.__module__ == "targeting.audiences"
    assert code_of("targeting.audiences") != code_of("targeting.campaigns")


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("campaigns") / "campaigns.yaml"
    plain = {
        "advertiser": "Hafen Coffee",
        "category": "food",
        "flight": {"from": date(2026, 11, 10), "to": date(2026, 11, 30)},
        "budget": {"amount": 100, "currency": "EUR"},
        "cap_per_day": 3,
    }
    words = {"everybody": {"include": ["active"], "minimum": 20}, "likely": {"top_share": 0.5}, "few": {"clusters": ["c8"]}}
    path.write_text(yaml.safe_dump({"campaigns": [{"name": name, **plain, **more} for name, more in words.items()]}), encoding="utf-8")
    return path


def test_building_and_building_again(spark: SparkSession, tmp_path: Path, file: Path) -> None:
    """The tables as published: nothing to do the second time; a consent withdrawn after the segments were made counts at once."""
    lake = SparkLake(Address.parse(str(tmp_path / "lake")))
    town = everybody(40)
    town.fill(lake)
    put(lake.arrow, USER_FEATURES, [{"date": DAY, "listener_id": who(n), "known_date": DAY} for n in range(40)], DAY)
    first = build(lake, DAY, file)
    assert (first.state, first.rows) == (PUBLISHED, 3)
    assert first.sentence == "targeting.audiences: 3 asked for: 1 built, 1 too small, 1 refused"
    written = (MEMBERS, AUDIENCES, BOOKINGS)
    versions = [lake.arrow.version(table) for table in written]
    again = build(lake, DAY, file)
    assert (again.state, again.sentence) == (NOTHING, "targeting.audiences: nothing to do")
    assert versions == [lake.arrow.version(table) for table in written]
    assert len(lake.arrow.read(MEMBERS)) == 40
    assert {row["campaign"]: row["state"] for row in lake.arrow.read(BOOKINGS).to_pylist()} == {
        "everybody": "booked",
        "few": "refused",
        "likely": "refused",
    }

    withdrawn = [said(n, consent="withdrawn" if n < 15 else "granted") for n in range(40)]
    put(lake.arrow, SILVER_LISTENERS, withdrawn, DAY)
    _, fill, _ = audiences.jobs(load(file))
    assert run(fill, lake, [DAY]).state == PUBLISHED
    left = lake.arrow.read(MEMBERS).column("listener_id").to_pylist()
    assert set(left) == {who(n) for n in range(15, 40)}


def test_a_date_of_which_nobody_stated_consent_is_not_passed_over(tmp_path: Path) -> None:
    """As a feed taken in with --basis none leaves it: features, and no word about consent."""
    lake = ArrowLake(Address.parse(str(tmp_path / "lake")))
    job, *_ = audiences.jobs([campaign("plain")])
    assert not stale(job, lake, [DAY])
    put(lake, USER_FEATURES, [one(USER_FEATURES, listener_id=who(1))], DAY)
    assert list(stale(job, lake, [DAY])) == [DAY]
