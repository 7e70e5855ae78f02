"""segments.user_segments: one membership of one consenting listener in one segment.

spark-submit jobs/user_segments.py --date 2026-11-01 --lake ./build/lake
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyspark.sql import functions as F

from jobs.assign import memberships
from jobs.contracts.derived import USER_FEATURES, USER_SEGMENTS
from jobs.run import Job, Read, main
from jobs.segments import SEGMENTS

if TYPE_CHECKING:
    from datetime import date

    from pyspark.sql import DataFrame


def user_segments(features: DataFrame, *, dates: tuple[date, ...]) -> DataFrame:
    """Apply every segment's rule to the features of each date."""
    return memberships(features.where(F.col("date").isin(*dates)), SEGMENTS)


JOB = Job((Read(USER_FEATURES),), USER_SEGMENTS, user_segments)

if __name__ == "__main__":
    main(JOB)
