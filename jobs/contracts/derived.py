"""Features, segments and training examples: what is known about listeners and contexts at the end of a date."""

from __future__ import annotations

from jobs.contracts.events import DATE, EVENT_TS, KNOWN_TS, LISTENER
from jobs.features import DISTINCTS, MEASURES, USER
from jobs.features.feature import column, counted
from jobs.segments import SEGMENTS
from validation.contract import Column, Expectation, Purpose, Rule, Table
from validation.gates.release import GRAIN

BY_NAME = {measure.name: measure for measure in MEASURES}

USER_DAYS = Table(
    "features.user_days",
    "one listener's countable acts on one date, as far as they were known by `known_date`",
    ("date", "listener_id", "known_date"),
    (
        DATE,
        LISTENER,
        Column("known_date", "date", "UTC date on which these acts became known", required=True),
        *(Column(m.name, "bigint", f"{m.meaning} that day", required=True) for m in MEASURES),
        *(Column(d.column, "array<bigint>", f"{d.meaning} that day: 64 bits of each one's hash, sorted", required=True) for d in DISTINCTS),
    ),
    Purpose.CONTENT,
    retention_days=400,
    fresh_hours=6,
    known_by="known_date",
    rules=(
        Rule("not_known_before", "known_date >= date", "nothing is known before it happens"),
        Rule("counts_add_up", "skips <= judged AND judged <= plays AND completes <= timed", "parts are no larger than the whole"),
        Rule("no_negative", "least(" + ", ".join(m.name for m in MEASURES) + ") >= 0", "counts are not negative"),
    ),
)

USER_STATE = Table(
    "features.user_state",
    "one listener with any act in the last 90 days, as far as known by the end of the date: what the next date's features roll on from",
    ("date", "listener_id"),
    (
        Column("date", "date", "last day of the windows (UTC)", required=True),
        LISTENER,
        Column("known", "array<date>", "by age in days from 0 on: latest date on which acts of that age became known", required=True),
        *(
            Column(column(name, days), "bigint", f"{BY_NAME[name].meaning}, {days} days", required=True)
            for name, days in counted(USER, BY_NAME)
        ),
        *(
            Column(
                d.column,
                "array<bigint>",
                f"{d.meaning}: days' numbers, newest first, each before the items last played then",
                required=True,
            )
            for d in DISTINCTS
        ),
    ),
    Purpose.CONTENT,
    retention_days=14,
    may_be_empty=True,
)

RATES = tuple(f.name for f in USER if "_share" in f.name or "share_" in f.name or "_rate" in f.name)

USER_FEATURES = Table(
    "features.user_features",
    "one listener with a play in the last 90 days, over trailing windows ending with the date; serves decisions from the next day",
    ("date", "listener_id"),
    (
        Column("date", "date", "last day of the windows (UTC)", required=True),
        LISTENER,
        Column("known_date", "date", "latest date on which any of it became known", required=True),
        *(Column(f.name, f.dtype, f.meaning, purpose=None if f.purpose is Purpose.CONTENT else f.purpose) for f in USER),
    ),
    Purpose.CONTENT,
    retention_days=200,
    fresh_hours=6,
    rules=(
        Rule("known_by_then", "known_date <= date", "only what was known at the end of the date"),
        Rule("windows_nest", "plays_1d <= plays_7d AND plays_7d <= plays_28d AND plays_28d <= plays_90d", "longer windows hold no less"),
        Rule("shares_in_unit", " AND ".join(f"({n} IS NULL OR {n} BETWEEN 0 AND 1)" for n in RATES), "shares and rates lie in 0..1"),
    ),
    expectations=(Expectation("null_share", "plays_90d", low=0, high=0),),
)

USER_SEGMENTS = Table(
    "segments.user_segments",
    "one membership of one consenting listener in one segment",
    ("date", "listener_id", "segment"),
    (
        Column("date", "date", "membership by features of this date", required=True),
        LISTENER,
        Column("segment", "string", "name of the segment", required=True),
    ),
    Purpose.ADS,
    retention_days=100,
    fresh_hours=6,
    expectations=(Expectation("values", "segment", allowed=tuple(s.name for s in SEGMENTS)),),
    may_be_empty=True,
)

SEGMENT_OVERLAPS = Table(
    "segments.segment_overlaps",
    f"one pair of segments with {GRAIN} consenting listeners or more in both; of a segment with itself, its size",
    ("date", "segment", "other"),
    (
        Column("date", "date", "membership by features of this date", required=True),
        Column("segment", "string", "name of the segment, the first of the two", required=True),
        Column("other", "string", "name of the other", required=True),
        Column("listeners", "bigint", "listeners in both", required=True),
    ),
    Purpose.ADS,
    retention_days=400,
    fresh_hours=6,
    rules=(
        Rule("a_pair_once", "segment <= other", "a pair stands in the order of names"),
        Rule("nobody_alone", f"listeners >= {GRAIN}", "fewer listeners are told to nobody"),
    ),
    may_be_empty=True,
)

EXAMPLE_CONTEXT = (
    Column("category", "string", "advertiser's category", required=True),
    Column("slot", "string", "position in the break"),
    Column("device", "string", "device the ad was played on", required=True),
    Column("daypart", "string", "daypart on the listener's clock", required=True),
    Column("day_type", "string", "weekday, weekend or holiday on the listener's clock, where the listener lives", required=True),
    Column("weather", "string", "weather as forecast before the impression", required=True),
)

EXAMPLES = Table(
    "examples.response",
    "one ad impression of a consenting listener whose labels are settled, with what was known the evening before",
    ("impression_id",),
    (
        Column("date", "date", "UTC date of the impression", required=True),
        Column("impression_id", "string", "the impression", required=True, identifies=True),
        LISTENER,
        EVENT_TS,
        KNOWN_TS,
        Column("campaign", "string", "campaign", required=True),
        *EXAMPLE_CONTEXT,
        Column("click", "boolean", "clicked within 30 minutes", required=True),
        Column("completion", "boolean", "heard to the end", required=True),
        Column("features_date", "date", "date of the feature row joined, the day before the impression", required=True),
        Column("features_known", "date", "latest date on which any of those features became known; null where the listener had none"),
        *(Column(f.name, f.dtype, f.meaning) for f in USER),
    ),
    Purpose.ADS,
    retention_days=200,
    fresh_hours=78,  # labels settle first: a date's examples are made three dates later
    rules=(
        Rule(
            "features_known_before",
            "features_date < date AND (features_known IS NULL OR features_known <= features_date)",
            "features are of the day before at the latest, made of what was known by its end",
        ),
    ),
    may_be_empty=True,
)

REPLAYS = Table(
    "examples.replays",
    "one feature of one date's examples, compared by one clock with what was known before them",
    ("date", "clock", "feature"),
    (
        Column("date", "date", "UTC date of the examples", required=True),
        Column(
            "clock",
            "string",
            "known: made again from rows known before; version: as first published that day",
            required=True,
        ),
        Column("feature", "string", "the feature", required=True),
        Column("examples", "bigint", "values compared", required=True),
        Column("leaked", "bigint", "values of examples that were not yet known", required=True),
    ),
    Purpose.OPERATIONS,
    retention_days=200,
    rules=(Rule("part_of_all", "leaked BETWEEN 0 AND examples", "no more values leaked than there are"),),
    may_be_empty=True,
)

DERIVED = (USER_DAYS, USER_STATE, USER_FEATURES, USER_SEGMENTS, SEGMENT_OVERLAPS, EXAMPLES, REPLAYS)
