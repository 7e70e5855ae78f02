"""When an audience listens: shares of moments among its members' sessions, of ten members at least, beside everybody's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from acts import frame
from small_lake import DAY, who

from jobs.contracts.context import MOMENT_FEATURES, SESSION_MOMENTS
from jobs.contracts.delivery import MEMBERS
from targeting.habits import habits

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

pytestmark = pytest.mark.spark


def test_shares_are_of_what_members_did_in_28_days_as_known_then(spark: SparkSession) -> None:
    known = datetime(2026, 11, 9, tzinfo=UTC)
    acts = [(n, "party", DAY, known) for n in range(10)] + [(n, "sleep", DAY - timedelta(days=27), known) for n in range(9)]
    acts += [(n, "commute", DAY - timedelta(days=1), known) for n in range(12) for _ in range(2)]
    acts += [(99, "focus", DAY, known), (1, "focus", DAY, known + timedelta(days=1)), (1, "focus", DAY - timedelta(days=28), known)]
    moments = [
        {"session_id": who(i), "listener_id": who(n), "moment": moment, "date": day, "known_ts": at}
        for i, (n, moment, day, at) in enumerate(acts)
    ]
    members = [{"audience": "a", "listener_id": who(n)} for n in range(12)]
    usual = [{"moment": "party", "share": 0.1}]
    found = habits(
        frame(spark, MEMBERS, members), frame(spark, SESSION_MOMENTS, moments), frame(spark, MOMENT_FEATURES, usual), dates=(DAY,)
    )
    told = {row["moment"]: (row["share"], row["everyone"]) for row in found.collect()}
    assert told == {"party": (round(10 / 43, 3), 0.1), "commute": (round(24 / 43, 3), None)}, "sleep is of nine members"
