"""Feature families, records only: one file a family, one line a feature.

Nothing here imports Spark: the catalogue derives table schemas from these records.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobs.features import listening, momentum, music, response, rhythm, subscription, taste

if TYPE_CHECKING:
    from jobs.features.feature import Distinct, Feature, Measure

MEASURES: tuple[Measure, ...] = (
    *(*listening.MEASURES, *taste.MEASURES, *rhythm.MEASURES, *response.MEASURES),
    *subscription.MEASURES,
)
DISTINCTS: tuple[Distinct, ...] = taste.DISTINCTS
FAMILIES: dict[str, tuple[Feature, ...]] = {
    "listening": listening.LISTENING,
    "taste": taste.TASTE,
    "music": music.MUSIC,
    "rhythm": rhythm.RHYTHM,
    "momentum": momentum.MOMENTUM,
    "response": response.RESPONSE,
    "subscription": subscription.SUBSCRIPTION,
}
USER: tuple[Feature, ...] = tuple(feature for family in FAMILIES.values() for feature in family)
