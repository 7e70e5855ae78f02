"""features.user_features: one listener with a play in the last 90 days, over trailing windows that end with the date.

spark-submit jobs/user_features.py --date 2026-11-01 --lake ./build/lake
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobs.aggregate import longest, windows
from jobs.contracts.derived import USER_DAYS, USER_FEATURES
from jobs.features import USER
from jobs.run import Job, Read, main

if TYPE_CHECKING:
    from datetime import date

    from pyspark.sql import DataFrame


def user_features(days: DataFrame, *, dates: tuple[date, ...]) -> DataFrame:
    """Evaluate every listener feature at the end of each date; listeners without a play in 90 days have no row."""
    return windows(days, USER, dates=dates).where("plays_90d > 0")


JOB = Job((Read(USER_DAYS, back=longest() - 1),), USER_FEATURES, user_features)

if __name__ == "__main__":
    main(JOB)
