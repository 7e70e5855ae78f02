"""Contexts and moments: what listening is like when, where, on what and in which weather; which moment a session is."""

from __future__ import annotations

from math import floor

from jobs.contracts.events import DEVICES, KNOWN_TS, LISTENER, one_of
from jobs.features.context import DAY_TYPES, LEVELS, WEATHER_KINDS
from jobs.features.rhythm import DAYPARTS
from jobs.moments import MOMENTS
from validation.contract import Column, Expectation, Purpose, Rule, Table
from validation.gates.release import GRAIN

ANY = "any"  # what stands where a coarser cell does not tell apart

CONTEXT_FEATURES = Table(
    "features.context_features",
    "one context cell (hour x day type x device x place x weather as forecast, or coarser) over the last 28 days; it names no listener",
    ("date", "level", "daypart", "local_hour", "day_type", "device", "place", "weather"),
    (
        Column("date", "date", "last day of the window (UTC)", required=True),
        Column("level", "string", f"how fine the cell is: one of {', '.join(one.name for one in LEVELS)}", required=True),
        Column("daypart", "string", f"one of {', '.join(DAYPARTS)}; or any", required=True),
        Column("local_hour", "int", "hour on the listener's clock, 0 to 23; null: any"),
        Column("day_type", "string", f"one of {', '.join(DAY_TYPES)}; or any", required=True),
        Column("device", "string", f"one of {', '.join(DEVICES)}; or any", required=True),
        Column("place", "string", "region or country, ISO 3166; unknown, or any", required=True),
        Column("weather", "string", f"one of {', '.join(WEATHER_KINDS)}; or any", required=True),
        Column("plays", "bigint", "plays in the cell, in tens", required=True),
        Column("listeners", "bigint", "different listeners in the cell, in tens; 90 stands for more as well", required=True),
        Column("play_share", "double", "share of all plays of the window", required=True),
        Column("skip_rate", "double", "share of plays skipped, shrunk towards the next coarser cell's"),
        Column("mean_energy", "double", "mean energy of tracks played, shrunk likewise"),
        Column("mean_valence", "double", "mean valence of tracks played, shrunk likewise"),
    ),
    Purpose.SERVICE,
    retention_days=200,
    fresh_hours=6,
    rules=(
        Rule("daypart_known", one_of("daypart", (*DAYPARTS, ANY)), "a daypart of the list, or any"),
        Rule("weather_known", one_of("weather", (*WEATHER_KINDS, ANY)), "a kind of weather of the list, or any"),
        Rule("enough_listeners", f"listeners >= {GRAIN}", "no cell describes fewer than ten listeners"),
        Rule("share_in_unit", "play_share BETWEEN 0 AND 1", "a share lies in 0..1"),
    ),
    expectations=(Expectation("values", "level", allowed=tuple(one.name for one in LEVELS)),),
    may_be_empty=True,
)

NAMES = tuple(moment.name for moment in MOMENTS)

SESSION_MOMENTS = Table(
    "features.session_moments",
    "one session with the moment that it most probably is, and the context it began in",
    ("session_id",),
    (
        Column("date", "date", "UTC date of the session", required=True),
        Column("session_id", "string", "hash of listener and first play", required=True, identifies=True),
        LISTENER,
        KNOWN_TS,
        Column("daypart", "string", "daypart on the listener's clock", required=True),
        Column("day_type", "string", f"one of {', '.join(DAY_TYPES)}, by the calendar of the place", required=True),
        Column("device", "string", "device of the first play", required=True),
        Column("place", "string", "region of the first play, ISO 3166; null where unknown"),
        Column("weather", "string", "weather as forecast before its first hour", required=True),
        Column("minutes", "double", "length in minutes", required=True),
        Column("mean_energy", "double", "mean energy of its tracks"),
        Column("moment", "string", f"one of {', '.join(NAMES)}", required=True),
        Column("probability", "double", "how probable that moment is, given all that is known of the session", required=True),
    ),
    Purpose.CONTENT,
    retention_days=200,
    fresh_hours=6,
    rules=(
        Rule("moment_known", one_of("moment", NAMES), "a moment of the list"),
        Rule("most_probable", f"probability BETWEEN {floor(1000 / len(NAMES)) / 1000} AND 1", "no less probable than a guess"),
    ),
)

MOMENT_FEATURES = Table(
    "features.moment_features",
    "one moment of listening over the last 28 days; of too few listeners, the part of the day instead; it names no listener",
    ("date", "moment"),
    (
        Column("date", "date", "last day of the window (UTC)", required=True),
        Column("moment", "string", f"a moment; or one of {', '.join(DAYPARTS)}, or {ANY}, for moments of fewer than ten", required=True),
        Column("listeners", "bigint", "different listeners who had it, in tens; 90 stands for more as well", required=True),
        Column("sessions", "bigint", "sessions, in tens", required=True),
        Column("share", "double", "share of all sessions of the window", required=True),
        Column("weekend_share", "double", "share of its sessions at weekends and holidays", required=True),
        Column("mean_minutes", "double", "mean length of its sessions in minutes", required=True),
        Column("mean_energy", "double", "mean energy of its sessions"),
        Column("usual_daypart", "string", "daypart in which most of its sessions begin", required=True),
        Column("usual_device", "string", "device on which most of its sessions begin", required=True),
    ),
    Purpose.SERVICE,
    retention_days=200,
    fresh_hours=6,
    rules=(
        Rule("enough_listeners", f"listeners >= {GRAIN}", "no moment describes fewer than ten listeners"),
        Rule("shares_in_unit", "share BETWEEN 0 AND 1 AND weekend_share BETWEEN 0 AND 1", "shares lie in 0..1"),
    ),
    may_be_empty=True,
)

CONTEXT = (CONTEXT_FEATURES, SESSION_MOMENTS, MOMENT_FEATURES)
