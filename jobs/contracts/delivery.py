"""Scores, clusters, audiences, campaigns and exports: what advertisers receive, and the record of every model trained."""

from __future__ import annotations

from jobs.contracts.events import LISTENER
from validation.contract import Column, Expectation, Purpose, Rule, Table

DAY = Column("date", "date", "date of the features it was made from", required=True)

TRAININGS = Table(
    "models.trainings",
    "one finished training: what it was trained on and where the registry keeps it",
    ("model", "fingerprint"),
    (
        Column("model", "string", "name of the registered model", required=True),
        Column("as_of", "date", "last date whose data it may have seen", required=True),
        Column("fingerprint", "string", "hash of examples, settings and code", required=True),
        Column("run_id", "string", "tracking run", required=True),
        Column("version", "string", "version in the registry; null where none was registered"),
        Column("author", "string", "who trained it", required=True),
        Column("gate", "string", "passed or failed", required=True),
        Column("reason", "string", "the gate's sentence", required=True),
        Column("trained_at", "timestamp", "when", required=True),
    ),
    Purpose.OPERATIONS,
    retention_days=3650,
    partition=(),
)

APPROVALS = Table(
    "models.approvals",
    "one decision of a person: which version serves from then on",
    ("model", "decided_at"),
    (
        Column("model", "string", "name of the registered model", required=True),
        Column("version", "string", "version in the registry", required=True),
        Column("by", "string", "who decided", required=True),
        Column("author", "string", "who trained it", required=True),
        Column("decision", "string", "approved", required=True),
        Column("decided_at", "timestamp", "when", required=True),
    ),
    Purpose.OPERATIONS,
    retention_days=3650,
    partition=(),
)

SCORES = Table(
    "targeting.scores",
    "one consenting listener's calibrated click probability for one advertiser category, in the listener's usual context",
    ("date", "listener_id", "category"),
    (
        DAY,
        LISTENER,
        Column("category", "string", "advertiser's category", required=True),
        Column("score", "double", "probability of a click", required=True),
        Column("model_version", "string", "version that scored", required=True),
    ),
    Purpose.ADS,
    retention_days=60,
    fresh_hours=7,
    rules=(Rule("probability", "score BETWEEN 0 AND 1", "a probability"),),
    may_be_empty=True,
)

CLUSTER = Column("cluster", "string", "id of the cluster: kept from date to date, never given twice", required=True)
CLUSTERS_ENDED = ("merge", "death")
CLUSTER_EVENTS = ("survived", "kept", "birth", "split", *CLUSTERS_ENDED)
EVENT = Column("event", "string", f"what became of it: one of {', '.join(CLUSTER_EVENTS)}", required=True)
OTHER = Column("other", "string", "split: what it left; merge: where it went; death: where the largest part of its listeners is")
PART = Column("share", "double", "share of the older cluster's listeners that went along; null for a birth")
WHY = Column("reason", "string", "why the clusters of an earlier date were kept; null where they were not")

CLUSTER_MODELS = Table(
    "targeting.cluster_models",
    "one cluster that a date's listeners are assigned by, or that ended on that date",
    ("date", "cluster"),
    (
        DAY,
        CLUSTER,
        EVENT,
        OTHER,
        PART,
        WHY,
        Column("fitted", "date", "date whose listeners the centres were learnt from", required=True),
        Column("issued", "bigint", "highest number that an id was ever given", required=True),
        Column("features", "array<string>", "features in the order of the arrays", required=True),
        Column("centre", "array<double>", "its centre, in the features' own units; null where it ended"),
        Column("mean", "array<double>", "means that features are standardised by", required=True),
        Column("sd", "array<double>", "standard deviations that features are standardised by", required=True),
        Column("spread", "double", "mean squared distance of a listener from the centre, a feature, standardised", required=True),
        Column("agreement", "double", "share of unchanged listeners in what became of their cluster; null on a first date"),
        Column("size_shift", "double", "population stability index of sizes; null on a first date, or where nothing continues"),
        Column("steadiness", "double", "adjusted Rand index with centres learnt from resamples", required=True),
    ),
    Purpose.ADS,
    retention_days=3650,
    fresh_hours=7,
    expectations=(Expectation("values", "event", allowed=CLUSTER_EVENTS),),
    may_be_empty=True,
)

CLUSTERS = Table(
    "targeting.clusters",
    "one consenting listener's cluster",
    ("date", "listener_id"),
    (
        DAY,
        LISTENER,
        CLUSTER,
        Column("nearest", "string", "cluster whose centre lies nearest: a listener follows when it was so twice"),
        Column("margin", "double", "by how much it is likelier than the next, 0 to 1"),
    ),
    Purpose.ADS,
    retention_days=60,
    fresh_hours=7,
    may_be_empty=True,
)

LINEAGE = Table(
    "targeting.cluster_lineage",
    "one event of one cluster: birth, split, merge, death, or that it was kept because new ones failed the gate",
    ("date", "cluster"),
    (DAY, CLUSTER, EVENT, OTHER, PART, WHY),
    Purpose.ADS,
    retention_days=3650,
    fresh_hours=7,
    expectations=(Expectation("values", "event", allowed=CLUSTER_EVENTS[1:]),),
    may_be_empty=True,
)

CLUSTER_PROFILES = Table(
    "targeting.cluster_profiles",
    "one feature of one cluster, compared with all clustered listeners",
    ("date", "cluster", "feature"),
    (
        DAY,
        CLUSTER,
        Column("name", "string", "what to call it, in words; it may change, the id does not"),
        Column("label", "string", "what stands out, in words", required=True),
        Column("listeners", "bigint", "members", required=True),
        Column("feature", "string", "name of the feature", required=True),
        Column("mean", "double", "mean in the cluster", required=True),
        Column("z", "double", "distance from the mean of all, in standard deviations", required=True),
        Column("lift", "double", "mean in the cluster over the mean of all; null where that is 0"),
        Column("lift_low", "double", "lower end of the lift's 95% interval"),
        Column("lift_high", "double", "upper end of the lift's 95% interval"),
    ),
    Purpose.ADS,
    retention_days=200,
    fresh_hours=7,
    may_be_empty=True,
)

AUDIENCE_STATES = ("built", "too_small", "refused")

AUDIENCES = Table(
    "targeting.audiences",
    "one campaign's audience: what it asked for and what came of it",
    ("date", "audience"),
    (
        DAY,
        Column("audience", "string", "name of the campaign it is for", required=True),
        Column("advertiser", "string", "on whose behalf", required=True),
        Column("state", "string", f"one of {', '.join(AUDIENCE_STATES)}", required=True),
        Column("reason", "string", "the sentence that says why", required=True),
        Column("listeners", "bigint", "members without the holdout, rounded down to 10; null below the minimum"),
        Column("holdout", "bigint", "members withheld for measurement, rounded down to 10; null below the minimum"),
        Column("minimum", "bigint", "smallest size that may be released", required=True),
        Column("basis", "string", "consent bases of the members, comma separated; null where none"),
        Column("model_version", "string", "version whose scores were used; null where none were"),
        Column("definition", "string", "the campaign's own words, JSON", required=True),
    ),
    Purpose.ADS,
    retention_days=400,
    fresh_hours=8,
    expectations=(Expectation("values", "state", allowed=AUDIENCE_STATES),),
    may_be_empty=True,
)

MEMBERS = Table(
    "targeting.members",
    "one listener in one built audience",
    ("date", "audience", "listener_id"),
    (
        DAY,
        Column("audience", "string", "name of the campaign it is for", required=True),
        LISTENER,
        Column("holdout", "boolean", "withheld for measurement: never shown, never exported", required=True),
    ),
    Purpose.ADS,
    retention_days=60,
    fresh_hours=8,
    may_be_empty=True,
)

AUDIENCE_MOMENTS = Table(
    "targeting.audience_moments",
    "one moment of the sessions of one audience's members, beside everybody's",
    ("date", "audience", "moment"),
    (
        DAY,
        Column("audience", "string", "name of the campaign it is for", required=True),
        Column("moment", "string", "the moment", required=True),
        Column("share", "double", "share of the members' sessions of the last 28 days", required=True),
        Column("everyone", "double", "share of all listeners' sessions; null where too few had it to be told"),
    ),
    Purpose.ADS,
    retention_days=400,
    fresh_hours=8,
    rules=(Rule("part_of_sessions", "share BETWEEN 0 AND 1", "a share lies in 0..1"),),
    may_be_empty=True,
)

BOOKINGS = Table(
    "targeting.bookings",
    "one campaign booked on one audience",
    ("date", "campaign"),
    (
        DAY,
        Column("campaign", "string", "name of the campaign", required=True),
        Column("advertiser", "string", "on whose behalf", required=True),
        Column("first_day", "date", "first day of the flight", required=True),
        Column("last_day", "date", "last day of the flight", required=True),
        Column("budget_micros", "bigint", "budget in millionths of the currency", required=True),
        Column("currency", "string", "ISO 4217", required=True),
        Column("cap_per_day", "bigint", "most impressions a listener and day", required=True),
        Column("state", "string", "booked or refused", required=True),
        Column("reason", "string", "the sentence that says why", required=True),
    ),
    Purpose.ADS,
    retention_days=3650,
    fresh_hours=8,
    rules=(Rule("flight_in_order", "last_day >= first_day", "a flight ends on or after its first day"),),
    may_be_empty=True,
)

DELIVERY = (
    *(TRAININGS, APPROVALS, SCORES, CLUSTER_MODELS, CLUSTERS, LINEAGE, CLUSTER_PROFILES),
    *(AUDIENCES, MEMBERS, AUDIENCE_MOMENTS, BOOKINGS),
)
