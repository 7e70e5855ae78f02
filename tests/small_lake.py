"""Rows of published tables, as few as a test needs, written without Spark: who said what, who is in which audience."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from jobs.contracts.silver import SILVER_LISTENERS
from jobs.lake.arrow import arrow_schema
from jobs.lake.commit import Note
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
    plain = {"string": "x", "boolean": False, "int": 0, "bigint": 0, "double": 0.0, "date": DAY, "timestamp": NOON}
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
