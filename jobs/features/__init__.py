"""Feature families, records only: one file a family, one line a feature.

Nothing here imports Spark: the catalogue derives table schemas from these records.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobs.features import listening, response, rhythm, taste

if TYPE_CHECKING:
    from jobs.features.feature import Distinct, Feature, Measure

MEASURES: tuple[Measure, ...] = (*listening.MEASURES, *taste.MEASURES, *rhythm.MEASURES, *response.MEASURES)
DISTINCTS: tuple[Distinct, ...] = taste.DISTINCTS
USER: tuple[Feature, ...] = (*listening.LISTENING, *taste.TASTE, *rhythm.RHYTHM, *response.RESPONSE)
