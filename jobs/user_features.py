"""features.user_features: one listener with a play in the last 90 days, over trailing windows that end with the date.

spark-submit jobs/user_features.py --date 2026-11-01 --lake ./build/lake
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobs.aggregate import evaluated, longest, totals
from jobs.contracts.derived import USER_DAYS, USER_FEATURES, USER_STATE
from jobs.features import USER
from jobs.rolling import begun, rolled, summed
from jobs.run import Job, Read, main
from jobs.state import Rolling
from jobs.windows import windows

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from pyspark.sql import DataFrame

PLAYED = "plays_90d > 0"


def user_features(days: DataFrame, *, dates: tuple[date, ...]) -> DataFrame:
    """Evaluate every listener feature at the end of each date; listeners without a play in 90 days have no row."""
    return windows(days, USER, dates=dates).where(PLAYED)


def begin(days: DataFrame, *, day: date) -> DataFrame:
    """Make a date's state from the days of its longest window."""
    return begun(days, day)


def roll(state: DataFrame, days: DataFrame, *, day: date, late: Sequence[str]) -> DataFrame:
    """Make a date's state from that of the date before, of the days whose rows enter or leave a window."""
    return rolled(state, days, day, late)


def shown(state: DataFrame) -> DataFrame:
    """Evaluate every listener feature on a state."""
    counted = summed(state)
    return evaluated(counted, USER, totals(counted, USER)).where(PLAYED)


ROLLING = Rolling(USER_STATE, begin, roll, shown)
JOB = Job((Read(USER_DAYS, back=longest() - 1, as_known=True),), USER_FEATURES, user_features, rolling=ROLLING)

if __name__ == "__main__":
    main(JOB)
