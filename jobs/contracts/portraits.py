"""Portraits: what the last four weeks say of a listener beyond the counts of days, by artists and by moments."""

from __future__ import annotations

from jobs.contracts.events import LISTENER
from jobs.moments.portrait import PORTRAIT
from validation.contract import Column, Purpose, Rule, Table

RATES = tuple(f.name for f in PORTRAIT if f.dtype == "double" and not f.name.startswith("weather"))

USER_PORTRAITS = Table(
    "features.user_portraits",
    "one listener with a session or a track in the last 28 days, by artists and moments: as far as known by the end of the date",
    ("date", "listener_id"),
    (
        Column("date", "date", "last day of the windows (UTC)", required=True),
        LISTENER,
        *(Column(f.name, f.dtype, f.meaning) for f in PORTRAIT),
    ),
    Purpose.CONTENT,
    retention_days=200,
    fresh_hours=6,
    rules=(
        Rule(
            "shares_in_unit",
            " AND ".join(f"({name} IS NULL OR {name} BETWEEN 0 AND 1)" for name in RATES),
            "shares and rates lie in 0..1",
        ),
        Rule("difference_of_shares", "weather_sensitivity_28d IS NULL OR weather_sensitivity_28d BETWEEN -1 AND 1", "energies lie in 0..1"),
    ),
    may_be_empty=True,
)

PORTRAITS = (USER_PORTRAITS,)
