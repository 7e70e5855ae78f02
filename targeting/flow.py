"""The flow that the page draws: layers from left to right, each with its tables, their rows and the code that writes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from jobs.catalogue import TABLES
from jobs.contracts.context import CONTEXT_FEATURES, SESSION_MOMENTS
from jobs.contracts.delivery import AUDIENCES, BOOKINGS, CLUSTERS, SCORES, TRAININGS
from jobs.contracts.derived import EXAMPLES, USER_FEATURES, USER_SEGMENTS
from jobs.contracts.fans import COMMUNITIES, FAN_LADDER
from jobs.contracts.portraits import USER_PORTRAITS
from jobs.contracts.silver import LISTENS, SESSIONS, SILVER_LISTENERS, SILVER_TRACKS
from targeting.wording import counted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jobs.lake.arrow import ArrowLake
    from validation.contract import Table

OF_MODELS = "model"
LAYERS: tuple[tuple[str, tuple[tuple[str, Table, str], ...]], ...] = (
    (
        "silver",
        (
            ("listeners", SILVER_LISTENERS, "jobs/listeners"),
            ("tracks", SILVER_TRACKS, "jobs/tracks"),
            ("listens", LISTENS, "jobs/listens"),
            ("sessions", SESSIONS, "jobs/sessions"),
        ),
    ),
    (
        "features",
        (
            ("listener features", USER_FEATURES, "jobs/user_features"),
            ("context features", CONTEXT_FEATURES, "jobs/context_features"),
            ("moments of sessions", SESSION_MOMENTS, "jobs/session_moments"),
            ("segments", USER_SEGMENTS, "jobs/user_segments"),
            ("fans", FAN_LADDER, "jobs/fan_ladder"),
            ("portraits", USER_PORTRAITS, "jobs/user_portraits"),
        ),
    ),
    (OF_MODELS, (("examples", EXAMPLES, "jobs/examples"), ("models", TRAININGS, "ray_tune"), ("scores", SCORES, "targeting/scoring"))),
    (
        "delivery",
        (
            ("clusters", CLUSTERS, "targeting/clusters"),
            ("communities", COMMUNITIES, "targeting/communities"),
            ("audiences", AUDIENCES, "targeting/audiences"),
            ("bookings", BOOKINGS, "targeting/campaigns"),
        ),
    ),
)


@dataclass(frozen=True)
class Box:
    """One table of the flow: what it holds, how many rows, and the code that writes it."""

    name: str
    code: str
    rows: int


Layer = tuple[str, tuple[Box, ...]]


def flow(lake: ArrowLake, taken: Mapping[str, int], *, trained: bool) -> tuple[Layer, ...]:
    """Return the layers with their rows; those of models only where something was `trained`."""
    bronze = [table for name, table in TABLES.items() if name.startswith("bronze.")]
    feeds = (
        Box("feed records", counted(taken["files"], "file"), taken["rows_in"]),
        Box("rows in bronze", "jobs/ingest", sum(lake.count(one) for one in bronze)),
    )
    layers = [(name, tuple(Box(one, code, lake.count(table)) for one, table, code in members)) for name, members in LAYERS]
    return (("bronze", feeds), *(layer for layer in layers if trained or layer[0] != OF_MODELS))
