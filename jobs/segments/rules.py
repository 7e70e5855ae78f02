"""Segments by rule: one line a segment. Thresholds live here and nowhere else."""

from __future__ import annotations

from jobs.features.taste import GENRES, SLUGS
from jobs.segments.segment import Segment

ACTIVE = "active_days_28d >= 4"
COMMUTING = "morning_share_28d + evening_share_28d >= 0.5 AND weekend_share_28d <= 0.3"

RULES: tuple[Segment, ...] = (
    Segment("active", ACTIVE, "played on at least 4 of the last 28 days"),
    Segment("heavy_listeners", "hours_28d >= 20", "20 hours or more in 28 days"),
    Segment("light_listeners", "hours_28d > 0 AND hours_28d < 5", "some, but under 5 hours in 28 days"),
    Segment("new_or_returning", "plays_28d > 0 AND plays_90d = plays_28d", "all plays of 90 days lie in the last 28"),
    Segment("lapsing", "plays_7d = 0 AND plays_28d >= 10", "10 plays or more in 28 days, none in the last 7"),
    Segment("commuters", f"{ACTIVE} AND {COMMUTING}", "mornings and early evenings of working days"),
    Segment("night_owls", f"{ACTIVE} AND night_share_28d + late_share_28d >= 0.5", "half of all plays between 20:00 and 6:00"),
    Segment("weekend_listeners", f"{ACTIVE} AND weekend_share_28d >= 0.5", "half of all plays at the weekend"),
    Segment("drivers", f"{ACTIVE} AND car_share_28d >= 0.2", "a fifth of all plays in the car"),
    Segment("smart_speaker_homes", f"{ACTIVE} AND speaker_share_28d >= 0.2", "a fifth of all plays on a speaker"),
    Segment("podcast_fans", f"{ACTIVE} AND episode_share_28d >= 0.2", "a fifth of all plays are episodes"),
    Segment("active_choosers", f"{ACTIVE} AND intent_share_28d >= 0.5", "half of all plays asked for by name"),
    Segment("lean_back", f"{ACTIVE} AND intent_share_28d <= 0.2", "mostly radio, editorial and autoplay"),
    Segment("high_energy", f"{ACTIVE} AND mean_energy_28d >= 0.7", "tracks of high energy"),
    Segment("mellow", f"{ACTIVE} AND mean_acousticness_28d >= 0.5", "acoustic, quiet tracks"),
    Segment("impatient", f"{ACTIVE} AND skip_rate_28d >= 0.4", "skips 4 plays of 10"),
    *(Segment(f"{SLUGS[g]}_listeners", f"{ACTIVE} AND share_{SLUGS[g]}_28d >= 0.3", f"{g} is 3 plays of 10 or more") for g in GENRES),
)
