"""Rows of published tables, as few as a test needs, written without Spark: who said what, who is in which audience."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from jobs.contracts.context import MOMENT_FEATURES
from jobs.contracts.delivery import (
    APPROVALS,
    AUDIENCE_MOMENTS,
    AUDIENCES,
    BOOKINGS,
    CLUSTER_PROFILES,
    CLUSTERS,
    MEMBERS,
    SCORES,
    TRAININGS,
)
from jobs.contracts.derived import EXAMPLES, USER_FEATURES, USER_SEGMENTS
from jobs.contracts.events import PLAYS
from jobs.contracts.fans import ARTIST_FANS, COMMUNITY_ARTISTS, FAN_TRANSITIONS
from jobs.contracts.operations import FILES, QUARANTINE, VERDICTS
from jobs.contracts.silver import LISTENS, SESSIONS, SILVER_LISTENERS
from jobs.lake.commit import Note
from jobs.lake.schema import arrow_schema
from targeting.campaigns import Campaign

if TYPE_CHECKING:
    from collections.abc import Iterable

    from jobs.lake.arrow import ArrowLake
    from validation.contract import Table

DAY = date(2026, 11, 9)
NOON = datetime(2026, 11, 9, 12, tzinfo=UTC)
Row = dict[str, Any]


def put(lake: ArrowLake, table: Table, rows: Iterable[Row], *dates: date) -> int:
    """Make rows the whole content of these dates (none: of the table); return the version."""
    frame = pa.Table.from_pylist([one(table, **row) for row in rows], arrow_schema(table))
    return lake.overwrite(table, frame, dates or None, Note("test"))


def one(table: Table, **values: Any) -> Row:
    """Return a row with a plain value wherever a required column is not named; a wrong name is a mistake of the test."""
    assert set(values) <= set(table.names), set(values) - set(table.names)
    plain = {
        "string": "x",
        "boolean": False,
        "int": 0,
        "bigint": 0,
        "double": 0.0,
        "date": DAY,
        "timestamp": NOON,
        "array<bigint>": [],
        "array<string>": [],
        "array<double>": [],
    }
    return {c.name: plain[c.dtype] for c in table.columns if c.required} | values


def who(n: int) -> str:
    """Return the pseudonym of the n-th listener: 32 hex digits, like the lake's."""
    return f"{n:032x}"


def said(n: int, *, consent: str = "granted", age: str = "25_34", basis: str = "feed", day: date = DAY, **more: Any) -> Row:
    """Return a listener's statement in force, `ads_allowed` worked out from the words of the contract, not from its predicate."""
    adult = age != "under_18" and (age != "unknown" or basis == "assume")
    known = datetime(2026, 10, 1, tzinfo=UTC)
    row = {"date": day, "listener_id": who(n), "consent": consent, "age_band": age, "basis": basis, "known_ts": known}
    return one(SILVER_LISTENERS, **row | {"ads_allowed": consent == "granted" and adult} | more)


def campaign(name: str, **changes: Any) -> Campaign:
    """Return a campaign that asks for active listeners, ten at least, nobody withheld."""
    plain: Row = {
        "name": name,
        "advertiser": "Hafen Coffee",
        "category": "food",
        "first_day": date(2026, 11, 10),
        "last_day": date(2026, 11, 30),
        "budget_micros": 12_000_000_000,
        "currency": "EUR",
        "cap_per_day": 3,
        "include": ("active",),
        "minimum": 10,
        "holdout": 0.0,
    }
    return Campaign(**plain | changes)


def audience(booked: Campaign, listeners: int | None, **changes: Any) -> Row:
    """Return the row of a campaign's audience; `listeners` None stands for one that is too small."""
    built = listeners is not None
    can = f"{'at least' if built else 'fewer than'} {booked.minimum} listeners can be reached"
    plain = {
        "date": DAY,
        "audience": booked.name,
        "advertiser": booked.advertiser,
        "state": "built" if built else "too_small",
        "reason": can,
        "listeners": listeners,
        "holdout": 0 if built else None,
        "minimum": booked.minimum,
        "basis": "feed" if built else None,
        "model_version": None,
        "definition": booked.definition,
    }
    return plain | changes


SUMMARY: Row = {
    "model": "response",
    "as_of": "2026-11-09",
    "metrics": {
        "auc": {"value": 0.7312, "low": 0.7101, "high": 0.7523},
        "calibration_ratio": {"value": 1.0204, "low": None, "high": None},
        "logloss": {"value": 0.0911, "low": 0.09, "high": 0.092},
    },
    "calibration": [
        {"score": 0.01, "rate": 0.008, "low": 0.002, "high": 0.02, "rows": 1500},
        {"score": 0.03, "rate": 0.034, "low": 0.02, "high": 0.05, "rows": 1500},
        {"score": 0.09, "rate": 0.081, "low": 0.06, "high": 0.1, "rows": 1499},
    ],
    "drivers": [
        {"feature": "ad_click_rate_28d", "effect": 0.412},
        {"feature": "category", "effect": 0.207},
        {"feature": "x_new", "effect": 0.0},
    ],
    "gate": {"passed": True, "reason": "AUC 0.731 [0.710, 0.752]: 5 gates passed"},
    "split": {
        "train": {"first": "2026-10-01", "last": "2026-10-21", "rows": 12_000},
        "test": {"first": "2026-10-30", "last": "2026-11-06", "rows": 4_499},
    },
}


def filled(lake: ArrowLake, *, trained: bool = True) -> None:
    """Publish a few rows of every table that commands and the page read: one audience built, one too small, one refused batch."""
    people = range(40)
    for table in (PLAYS, LISTENS, SESSIONS, USER_FEATURES):
        rows = 120 if table in (PLAYS, LISTENS) else 60 if table is SESSIONS else 40
        put(lake, table, [one(table, listener_id=who(n % 40), **_own_key(table, n)) for n in range(rows)], DAY)
    put(lake, SILVER_LISTENERS, [said(n, consent="granted" if n < 35 else "refused") for n in range(38)] + [said(99)], DAY)
    put(lake, USER_SEGMENTS, [one(USER_SEGMENTS, listener_id=who(n), segment="night_owls" if n % 4 else "active") for n in people], DAY)
    put(lake, CLUSTERS, [one(CLUSTERS, listener_id=who(n), cluster="c1" if n < 25 else "c2") for n in people], DAY)
    _moments(lake)
    tell = {"c1": ("more: hours heard", 25, 1.234, 31.5), "c2": ("less: hours heard", 15, -2.056, 4.25)}
    put(
        lake,
        CLUSTER_PROFILES,
        [
            one(CLUSTER_PROFILES, cluster=name, label=label, listeners=size, feature=feature, mean=mean, z=z)
            for name, (label, size, z, mean) in tell.items()
            for feature in ("hours_28d", "share_pop_28d")
        ],
        DAY,
    )
    _fans(lake)
    morning = campaign("morning_coffee", exclude=("impatient",), top_share=0.25)
    late = campaign("late_games", clusters=("c8",), minimum=1_000)
    put(lake, AUDIENCES, [audience(morning, 30, holdout=10, model_version="3" if trained else None), audience(late, None)], DAY)
    put(lake, MEMBERS, [one(MEMBERS, audience="morning_coffee", listener_id=who(n), holdout=n > 29) for n in people], DAY)
    put(lake, BOOKINGS, [_booking(morning, "booked"), _booking(late, "refused")], DAY)
    refused = [("missing_event_ts", 7), ("known_after_event", 2)]
    lines = [(reason, n) for reason, rows in refused for n in range(rows)]
    put(lake, QUARANTINE, [one(QUARANTINE, target="bronze.plays", reason=r, feed="native", file="a.jsonl", position=n) for r, n in lines])
    put(lake, FILES, [one(FILES, sha256=f"f{n}", rows_in=70, kept=60, quarantined=n + 4, deduplicated=6 - n) for n in range(2)])
    checks = [("silver.listens", "hour_of_day", True), ("silver.sessions", "has_plays", False), ("silver.listens", "rows", True)]
    told = {"dates": "2026-11-09", "observed": "3 rows", "expected": "none", "failed_rows": 3, "audited_at": NOON}
    put(lake, VERDICTS, [one(VERDICTS, target=target, rule=rule, success=good, run=target, **told) for target, rule, good in checks])
    if trained:
        put(lake, EXAMPLES, [one(EXAMPLES, listener_id=who(n), impression_id=who(n)) for n in people], DAY)
        put(lake, SCORES, [one(SCORES, listener_id=who(n), category="food", score=0.01, model_version="3") for n in people], DAY)
        put(lake, TRAININGS, [trained_as(version) for version in ("2", "3")])
        put(
            lake, APPROVALS, [one(APPROVALS, model="response", version="3", by="Grace", author="Ada", decision="approved", decided_at=NOON)]
        )


def _moments(lake: ArrowLake) -> None:
    often = {"commute": (0.4, 0.25), "sleep": (0.1, 0.25), "late": (0.5, 0.5)}
    put(lake, MOMENT_FEATURES, [one(MOMENT_FEATURES, moment=m, share=all_, usual_daypart="late") for m, (_, all_) in often.items()], DAY)
    mine = {m: {"share": own, "everyone": all_} for m, (own, all_) in often.items()}
    put(lake, AUDIENCE_MOMENTS, [one(AUDIENCE_MOMENTS, audience="morning_coffee", moment=m, **row) for m, row in mine.items()], DAY)


def _fans(lake: ArrowLake) -> None:
    rungs = {"listeners": 30, "light": 10, "super": 10, "plays": 120}
    told = {"top_share": 0.181, "top_low": 0.15, "top_high": 0.22}
    put(
        lake,
        ARTIST_FANS,
        [one(ARTIST_FANS, artist_id="a1", artist_name="Ada", **rungs), one(ARTIST_FANS, artist_id="all", **rungs, **told)],
        DAY,
    )
    way = {"from_rung": "light", "to_rung": "moderate", "at_risk": 20, "hazard": 0.25, "low": 0.2, "high": 0.31}
    by_time = (way, way | {"weeks": 1, "hazard": 0.3}, way | {"weeks": 2})
    put(lake, FAN_TRANSITIONS, [one(FAN_TRANSITIONS, **row) for row in by_time], DAY)
    stands = {"community": "m1", "label": "jazz: Ada", "listeners": 30, "share": 0.6, "usual": 0.3, "rarity": 1.0, "part": 1.0}
    put(lake, COMMUNITY_ARTISTS, [one(COMMUNITY_ARTISTS, artist_id="a1", artist_name="Ada", **stands)], DAY)


def trained_as(version: str, **changes: Any) -> Row:
    """Return the record of a training by Ada that passed its gate."""
    plain = {"model": "response", "version": version, "fingerprint": f"f{version}", "author": "Ada", "gate": "passed", "as_of": DAY}
    return one(TRAININGS, **plain | {"trained_at": datetime(2026, 11, 9, int(version), tzinfo=UTC)} | changes)


def _own_key(table: Table, n: int) -> Row:
    return {name: who(n) for name in table.key if name in ("event_id", "session_id")}


def _booking(booked: Campaign, state: str) -> Row:
    names = ("advertiser", "first_day", "last_day", "budget_micros", "currency", "cap_per_day")
    return {"date": DAY, "campaign": booked.name, "state": state, "reason": "because", **{name: getattr(booked, name) for name in names}}
